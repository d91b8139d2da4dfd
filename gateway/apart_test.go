package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	goopenai "github.com/sashabaranov/go-openai"

	"heed/rules"
)

// TestGateway_AppsApart: rules, tokens and feedback of one app do nothing in
// another.
func TestGateway_AppsApart(t *testing.T) {
	const otherKey = "heed-key-other-1"
	e := start(t, answerJSON(chatAnswer), func(o *Options) {
		o.Apps = append(o.Apps, App{Name: "other", Keys: []Secret{otherKey}, Models: []string{"support"}})
	})
	ru := rule("Only for the other app.", "")
	ru.App = "other"
	h := e.store.publish(&rules.Set{App: "other", Rules: []rules.Rule{ru}})
	e.await("the other app's set", func() bool { return e.g.cfg.Load().apps["other"].set.Load().Head() == h })
	mine := e.post("/v1/chat/completions", hello)
	readAll(t, mine)
	theirs := e.post("/v1/chat/completions", hello, "Authorization", "Bearer "+otherKey)
	readAll(t, theirs)
	got := e.up.requests()
	if strings.Contains(string(got[0].body), "Only for") || !strings.Contains(string(got[1].body), "Only for") {
		t.Errorf("bodies\n%s\n%s", got[0].body, got[1].body)
	}
	r := e.post("/heed/feedback", `{"token":"`+theirs.Header.Get("Heed-Feedback-Token")+`","rating":1}`, "Authorization", "")
	var said struct{ ID string }
	if err := json.Unmarshal([]byte(readAll(t, r)), &said); err != nil {
		t.Fatal(err)
	}
	for name, headers := range map[string][]string{
		"another app's key":        {},
		"another app's token":      {"Authorization", "", "Heed-Feedback-Token", mine.Header.Get("Heed-Feedback-Token")},
		"another exchange's token": {"Authorization", "", "Heed-Feedback-Token", e.g.cfg.Load().signer.sign("other", "0190a000-0000-7000-8000-000000000001", "", time.Now())},
	} {
		if r := e.do("DELETE", "/heed/feedback/"+said.ID, "", headers...); r.StatusCode != 404 {
			t.Errorf("%s retracts: %d, want 404", name, r.StatusCode)
		}
	}
	if r := e.post("/v1/chat/completions", `{"model":"dear","messages":[]}`, "Authorization", "Bearer "+otherKey); r.StatusCode != 404 {
		t.Errorf("a model that the key may not use: %d, want 404", r.StatusCode)
	}
}

// TestGateway_GoOpenAI: the other common Go client works unchanged, as OpenAI's
// and as Azure's.
func TestGateway_GoOpenAI(t *testing.T) {
	e := start(t, func(c net.Conn, r *http.Request, body []byte) bool {
		if strings.Contains(string(body), `"stream":true`) {
			return answerStream(delta("Hel"), delta("lo"), sseStop, sseDone)(c, r, body)
		}
		return answerJSON(chatAnswer)(c, r, body)
	})
	plain := goopenai.DefaultConfig(appKeyForTest)
	plain.BaseURL = e.url + "/v1"
	azure := goopenai.DefaultAzureConfig(appKeyForTest, e.url)
	ctx := context.Background()
	for name, conf := range map[string]goopenai.ClientConfig{"openai": plain, "azure": azure} {
		client := goopenai.NewClientWithConfig(conf)
		req := goopenai.ChatCompletionRequest{Model: "support", Messages: []goopenai.ChatCompletionMessage{{Role: "user", Content: "Hi"}}}
		got, err := client.CreateChatCompletion(ctx, req)
		if err != nil || got.Choices[0].Message.Content != "Hello there, friend." || got.Header().Get("Heed-Exchange-Id") == "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		stream, err := client.CreateChatCompletionStream(ctx, req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var text strings.Builder
		for {
			part, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Errorf("%s: stream: %v", name, err)
				break
			}
			if len(part.Choices) > 0 {
				text.WriteString(part.Choices[0].Delta.Content)
			}
		}
		_ = stream.Close()
		if text.String() != "Hello" {
			t.Errorf("%s: stream %q", name, text.String())
		}
	}
}

// TestGateway_Shutdown_WhileItStarts: Serve ends, whether it began before Shutdown
// or after, also when the server does not know of the listener yet.
func TestGateway_Shutdown_WhileItStarts(t *testing.T) {
	for range 100 {
		g, err := New(Options{Upstreams: []Upstream{{Name: "main", BaseURL: "http://127.0.0.1:1/v1"}}, Store: newMemStore(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- g.Serve(ln) }()
		if err := g.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Serve goes on")
		}
	}
}

// TestGateway_NoLeaks: after Shutdown no goroutine is left, whatever the calls did.
func TestGateway_NoLeaks(t *testing.T) {
	up := newFakeUpstream(t, func(c net.Conn, r *http.Request, body []byte) bool {
		if strings.Contains(string(body), "broken") {
			reset(c)
			return false
		}
		return answerStream(delta("x"), sseDone)(c, r, body)
	})
	transport := &http.Transport{}
	before := runtime.NumGoroutine()
	g, err := New(Options{Upstreams: []Upstream{{Name: "main", BaseURL: up.url()}}, Store: newMemStore(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Serve(ln) }()
	for i := range 60 {
		ctx, cancel := context.WithCancel(context.Background())
		body := `{"stream":true,"messages":[{"role":"user","content":"` + []string{"fine", "broken", "left"}[i%3] + `"}]}`
		r, err := http.NewRequestWithContext(ctx, "POST", "http://"+ln.Addr().String()+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if err == nil {
			if i%3 == 2 {
				cancel()
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		cancel()
	}
	transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := g.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	e := &env{t: t}
	e.await("goroutines to end", func() bool {
		up.mu.Lock()
		open := len(up.conns) // the upstream's own
		up.mu.Unlock()
		return runtime.NumGoroutine()-open <= before+idleHelpers
	})
}

// idleHelpers are goroutines of fasthttp that outlive a server by a while: its
// clock, and the cleaner of a pool's idle connections.
const idleHelpers = 3
