package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// upstreamScript answers one request on a raw connection. It returns false to
// close the connection.
type upstreamScript func(c net.Conn, r *http.Request, body []byte) (keep bool)

// fakeUpstream is an upstream that speaks bytes, so that it can do what no server
// should. It counts the requests it got whole.
type fakeUpstream struct {
	ln     net.Listener
	wg     sync.WaitGroup
	closed chan time.Time // when a client's connection was found closed

	mu     sync.Mutex
	script upstreamScript
	got    []gotRequest
	conns  map[net.Conn]bool
}

type gotRequest struct {
	method, uri string
	header      http.Header
	body        []byte
}

func newFakeUpstream(t testing.TB, script upstreamScript) *fakeUpstream {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeUpstream{ln: ln, script: script, closed: make(chan time.Time, 1000), conns: map[net.Conn]bool{}}
	f.wg.Add(1)
	go func() {
		defer f.wg.Done()
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns[c] = true
			f.mu.Unlock()
			f.wg.Add(1)
			go f.serve(c)
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		f.mu.Lock()
		for c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		f.wg.Wait()
	})
	return f
}

func (f *fakeUpstream) serve(c net.Conn) {
	defer f.wg.Done()
	defer func() {
		_ = c.Close()
		f.mu.Lock()
		delete(f.conns, c)
		f.mu.Unlock()
	}()
	br := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.got = append(f.got, gotRequest{r.Method, r.RequestURI, r.Header, body})
		script := f.script
		f.mu.Unlock()
		if !script(c, r, body) {
			return
		}
	}
}

func (f *fakeUpstream) url() string { return "http://" + f.ln.Addr().String() + "/v1" }

func (f *fakeUpstream) requests() []gotRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]gotRequest(nil), f.got...)
}

// awaitClose blocks until the other side closes c, and notes when.
func (f *fakeUpstream) awaitClose(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	var b [1]byte
	if _, err := c.Read(b[:]); err != nil {
		f.closed <- time.Now()
	}
}

const chatAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m-up","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there, friend."},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}`

// answerJSON is a script that gives one JSON answer.
func answerJSON(body string) upstreamScript { return answerStatus(200, body) }

func answerStatus(status int, body string, headers ...string) upstreamScript {
	return func(c net.Conn, _ *http.Request, _ []byte) bool {
		head := ""
		if len(headers) > 0 {
			head = strings.Join(headers, "\r\n") + "\r\n"
		}
		fmt.Fprintf(c, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", status, head, len(body), body)
		return true
	}
}

func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

const sseHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

func delta(s string) string {
	return fmt.Sprintf(`data: {"id":"chatcmpl-2","object":"chat.completion.chunk","created":1,"model":"m-up","choices":[{"index":0,"delta":{"content":%q},"finish_reason":null}]}`, s) + "\n\n"
}

const (
	sseStop = `data: {"id":"chatcmpl-2","object":"chat.completion.chunk","created":1,"model":"m-up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	sseDone = "data: [DONE]\n\n"
)

// answerStream is a script that streams pieces as chunks.
func answerStream(pieces ...string) upstreamScript {
	return func(c net.Conn, _ *http.Request, _ []byte) bool {
		io.WriteString(c, sseHead)
		for _, p := range pieces {
			io.WriteString(c, chunk(p))
		}
		io.WriteString(c, "0\r\n\r\n")
		return true
	}
}

// env is a gateway in front of a fake upstream.
type env struct {
	t     testing.TB
	g     *Gateway
	store *memStore
	up    *fakeUpstream
	url   string
	addr  string
}

const (
	appKeyForTest = "heed-key-shop-1"
	providerKey   = "sk-provider-canary"
)

// start runs a gateway for app "shop" with the alias "support".
func start(t testing.TB, script upstreamScript, change ...func(*Options)) *env {
	t.Helper()
	e := &env{t: t, store: newMemStore(), up: newFakeUpstream(t, script)}
	opt := Options{
		Upstreams: []Upstream{{Name: "main", BaseURL: e.up.url(), APIKey: providerKey}},
		Aliases:   []Alias{{Name: "support", Targets: []rules.Share{{Upstream: "main", Model: "m-real", Weight: 1}}}},
		Apps:      []App{{Name: "shop", Keys: []Secret{appKeyForTest}, AllowedOrigins: []string{"https://shop.example"}}},
		Store:     e.store,
		Queue:     store.QueueOptions{MaxWait: time.Millisecond},
		Log:       slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&opt)
	}
	g, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = g.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	e.g, e.addr, e.url = g, ln.Addr().String(), "http://"+ln.Addr().String()
	return e
}

// post sends a body to path with the app's key.
func (e *env) post(path, body string, headers ...string) *http.Response {
	e.t.Helper()
	return e.do("POST", path, body, headers...)
}

func (e *env) do(method, path, body string, headers ...string) *http.Response {
	e.t.Helper()
	r, err := http.NewRequest(method, e.url+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+appKeyForTest)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp
}

func readAll(t testing.TB, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("read answer: %v (got %q)", err, b)
	}
	return string(b)
}

// row waits for the log row of an exchange.
func (e *env) row(id string) *store.Exchange {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	x, err := e.store.row(ctx, id)
	if err != nil {
		e.t.Fatalf("row of exchange %q: %v", id, err)
	}
	return x
}

// rule is an active rule that applies always, or to requests like the examples.
func rule(action, when string, examples ...string) rules.Rule {
	return rules.Rule{
		ID: rules.NewID(), Version: 1, App: "shop", State: rules.Active, Action: action,
		Scope: rules.Scope{AppliesWhen: when, Examples: examples, Always: when == ""},
	}
}

// inForce publishes rules and waits until the gateway has them.
func (e *env) inForce(rs ...rules.Rule) rules.Head {
	e.t.Helper()
	set := &rules.Set{App: "shop", Rules: rs}
	for i := 1; i < len(rs); i++ {
		for j := i; j > 0 && rs[j].ID < rs[j-1].ID; j-- {
			rs[j], rs[j-1] = rs[j-1], rs[j]
		}
	}
	if err := set.Validate(); err != nil {
		e.t.Fatal(err)
	}
	h := e.store.publish(set)
	e.await("the rule set", func() bool { return e.g.cfg.Load().apps["shop"].set.Load().Head() == h })
	return h
}

// await polls for a condition that has no event of its own.
func (e *env) await(what string, ok func() bool) {
	e.t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			e.t.Fatalf("timed out waiting for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
