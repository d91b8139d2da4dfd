package gateway

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"heed/store"
)

// TestGateway_TLS: F2: an upstream whose certificate nobody vouches for gets no
// request; with its root trusted it is called, on kept connections, streamed too.
func TestGateway_TLS(t *testing.T) {
	var mu sync.Mutex
	conns, requests := map[string]bool{}, 0
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		conns[r.RemoteAddr] = true
		requests++
		mu.Unlock()
		if b, _ := io.ReadAll(r.Body); bytes.Contains(b, []byte(`"stream":true`)) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, delta("Hello"))
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, sseDone)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, chatAnswer)
	}))
	up.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	up.StartTLS()
	defer up.Close()
	e := start(t, answerJSON(""), func(o *Options) { o.Upstreams[0].BaseURL = up.URL + "/v1" })
	if r := e.post("/v1/chat/completions", hello); r.StatusCode != 502 || !strings.Contains(readAll(t, r), codeUnreachable) {
		t.Errorf("unknown root: %d", r.StatusCode)
	}
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: up.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	e = start(t, answerJSON(""), func(o *Options) { o.Upstreams[0].BaseURL, o.Upstreams[0].CAFile = up.URL+"/v1", root })
	for i := range 6 {
		body, want := hello, chatAnswer
		if i%2 == 1 {
			body, want = strings.Replace(hello, "{", `{"stream":true,`, 1), delta("Hello")+sseDone
		}
		if got := readAll(t, e.post("/v1/chat/completions", body)); got != want {
			t.Errorf("request %d: %q", i, got)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if requests != 6 || len(conns) != 1 {
		t.Errorf("%d requests on %d connections, want 6 on 1", requests, len(conns))
	}
}

// TestGateway_Smuggling: requests that two servers could read differently are
// refused or read as one; nothing hidden in a body becomes a request.
func TestGateway_Smuggling(t *testing.T) {
	hidden := "POST /v1/smuggled HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + appKeyForTest + "\r\nContent-Length: 0\r\n\r\n"
	head := "POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + appKeyForTest + "\r\n"
	for name, raw := range map[string]string{
		"length and chunks":  head + "Content-Length: " + fmt.Sprint(5+len(hidden)) + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunks and length":  head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + hidden,
		"two encodings":      head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"odd encoding":       head + "Transfer-Encoding: xchunked\r\nContent-Length: " + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden,
		"two lengths":        head + "Content-Length: 0\r\nContent-Length: " + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden,
		"plus":               head + "Content-Length: +" + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden,
		"blank before colon": head + "Content-Length : " + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden,
		"bare LF":            strings.ReplaceAll(head, "\r\n", "\n") + "Content-Length: " + fmt.Sprint(len(hidden)) + "\n\n" + hidden,
		"folded":             head + "X: a\r\n Content-Length: 5\r\nContent-Length: " + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden,
		"chunk extension":    head + "Transfer-Encoding: chunked\r\n\r\n1;a=\n\"\r\nA\r\n0\r\n\r\n" + hidden,
	} {
		e := start(t, answerJSON("{}"))
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, raw)
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		b, _ := io.ReadAll(c)
		_ = c.Close()
		if !bytes.HasPrefix(b, []byte("HTTP/1.1 ")) {
			t.Errorf("%s: answer %q", name, b)
		}
		for _, r := range e.up.requests() {
			if r.uri == "/v1/smuggled" {
				t.Errorf("%s: the hidden request reached the upstream", name)
			}
		}
		if n := len(e.up.requests()); n > 1 {
			t.Errorf("%s: %d upstream requests; answers %q", name, n, b)
		}
	}
}

// TestGateway_Pipelined: two requests sent at once get two answers, in order.
func TestGateway_Pipelined(t *testing.T) {
	e := start(t, func(c net.Conn, r *http.Request, b []byte) bool {
		return answerJSON(`{"uri":"`+r.RequestURI+`"}`)(c, r, b)
	})
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	one := func(path string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + appKeyForTest + "\r\nContent-Length: 2\r\n\r\n{}"
	}
	_, _ = io.WriteString(c, one("/v1/chat/completions")+one("/v1/embeddings"))
	br := bufio.NewReader(c)
	for _, want := range []string{"chat/completions", "embeddings"} {
		r, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, r); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestGateway_Trace: an upstream that echoes a TRACE would send the provider's key
// to the client.
func TestGateway_Trace(t *testing.T) {
	e := start(t, func(c net.Conn, r *http.Request, b []byte) bool {
		var echo strings.Builder
		_ = r.Header.Write(&echo)
		return answerJSON(echo.String())(c, r, b)
	})
	for _, method := range []string{"TRACE", "CONNECT"} {
		r := e.do(method, "/v1/models", "")
		if got := readAll(t, r); r.StatusCode != 405 || r.Header.Get("Allow") == "" || strings.Contains(got, providerKey) {
			t.Errorf("%s: %d %s", method, r.StatusCode, got)
		}
	}
	if n := len(e.up.requests()); n != 0 {
		t.Errorf("%d upstream requests, want none", n)
	}
}

// TestGateway_NoSecrets: no key, token or text of a person is in logs, metrics or
// errors, also when things go wrong.
func TestGateway_NoSecrets(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	w := writerFunc(func(b []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return log.Write(b) })
	registry := prometheus.NewRegistry()
	e := start(t, raw(""), func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Registerer, o.TokenKeys = registry, []Secret{signingKey}
	})
	canaries := []string{appKeyForTest, providerKey, string(signingKey), "canary-person", "canary-text", "canary-model", "canary-path", "canary-wrong-key"}
	body := `{"model":"canary-model","user":"canary-person","messages":[{"role":"user","content":"canary-text"}]}`
	var seen strings.Builder
	for _, do := range []func() *http.Response{
		func() *http.Response { return e.post("/v1/chat/completions", body) },
		func() *http.Response {
			return e.post("/v1/chat/completions", body, "Authorization", "Bearer canary-wrong-key")
		},
		func() *http.Response { return e.post("/v1/canary-path", body) },
		func() *http.Response { return e.post("/heed/feedback", `{"token":"canary-text","rating":1}`) },
		func() *http.Response { return e.post("/heed/feedback", `{"exchange_id":"canary-text","rating":1}`) },
	} {
		r := do()
		seen.WriteString(readAll(t, r))
		for k, v := range r.Header {
			if k != "Heed-Target" && k != "Heed-Feedback-Token" {
				seen.WriteString(strings.Join(v, " "))
			}
		}
	}
	e.store.fail(store.ErrFull)
	seen.WriteString(readAll(t, e.post("/heed/feedback", `{"exchange_id":"0190a000-0000-7000-8000-000000000001","comment":"canary-text"}`)))
	e.store.fail(nil)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		fmt.Fprintln(&seen, f)
	}
	mu.Lock()
	seen.WriteString(log.String())
	mu.Unlock()
	for _, canary := range canaries {
		got := seen.String()
		if i := strings.Index(got, canary); i >= 0 && !strings.Contains(got[max(0, i-20):i], "exchange_id") {
			t.Errorf("%s is in …%s…", canary, got[max(0, i-100):min(len(got), i+60)])
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestGateway_Series: what clients choose makes no new series.
func TestGateway_Series(t *testing.T) {
	registry := prometheus.NewRegistry()
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Registerer = registry })
	count := func() (n int) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			n += len(f.Metric)
		}
		return n
	}
	send := func(i int) {
		readAll(t, e.post("/v1/chat/completions", fmt.Sprintf(`{"model":"m%d","user":"u%d","messages":[{"role":"user","content":"x"}]}`, i, i), "Heed-Agent", fmt.Sprint(i)))
		readAll(t, e.post(fmt.Sprintf("/v1/path%d", i), "{}"))
	}
	send(0)
	e.await("the rows", func() bool { return e.g.Written() == 2 })
	before := count()
	for i := range 100 {
		send(i + 1)
	}
	e.await("the rows", func() bool { return e.g.Written() == 202 })
	if n := count(); n != before {
		t.Errorf("%d series, before %d", n, before)
	}
}

func TestGateway_Ready(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	if r := e.do("GET", "/heed/readyz", ""); r.StatusCode != 200 {
		t.Errorf("ready: %d", r.StatusCode)
	}
	e.g.stopping.Store(true)
	if r := e.do("GET", "/heed/readyz", ""); r.StatusCode != 503 {
		t.Errorf("stopping: %d", r.StatusCode)
	}
	if r := e.do("GET", "/heed/livez", ""); r.StatusCode != 200 {
		t.Errorf("live while stopping: %d", r.StatusCode)
	}
}
