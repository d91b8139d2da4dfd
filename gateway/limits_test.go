package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"heed/rules"
	"heed/store"
)

// TestGateway_Overload: what is too much is refused at once, in the API's shape,
// with Retry-After; nothing reaches the upstream.
func TestGateway_Overload(t *testing.T) {
	refused := func(t *testing.T, r *http.Response, status int) {
		t.Helper()
		body := readAll(t, r)
		if r.StatusCode != status || r.Header.Get("Retry-After") == "" || !strings.Contains(body, `"error"`) || r.Header.Get("Heed-Exchange-Id") == "" {
			t.Errorf("%d %v %s, want %d with Retry-After", r.StatusCode, r.Header, body, status)
		}
	}
	for name, c := range map[string]struct {
		change func(*Options)
		status int
	}{
		"calls in flight": {func(o *Options) { o.Limits.InFlight = 1 }, 503},
		"calls of an app": {func(o *Options) { o.Apps[0].InFlight = 1 }, 429},
		"bytes held":      {func(o *Options) { o.Limits.BytesHeld = int64(len(hello)) + 10 }, 503},
		"connections":     {func(o *Options) { o.Upstreams[0].MaxConns = 1 }, 503},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			e := start(t, func(c net.Conn, r *http.Request, b []byte) bool {
				<-release
				return answerJSON(chatAnswer)(c, r, b)
			}, c.change)
			first := make(chan *http.Response, 1)
			go func() { first <- e.post("/v1/chat/completions", hello) }()
			e.await("the first call", func() bool { return len(e.up.requests()) == 1 })
			refused(t, e.post("/v1/chat/completions", hello), c.status)
			close(release)
			if r := <-first; r.StatusCode != 200 {
				t.Errorf("the call that was let in got %d", r.StatusCode)
			}
			if n := len(e.up.requests()); n != 1 {
				t.Errorf("%d upstream requests, want 1", n)
			}
		})
	}
	t.Run("rate of a key", func(t *testing.T) {
		e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Apps[0].RequestsMinute = 2 })
		for range 2 {
			if r := e.post("/v1/chat/completions", hello); r.StatusCode != 200 {
				t.Errorf("within the rate: %d", r.StatusCode)
			}
		}
		refused(t, e.post("/v1/chat/completions", hello), 429)
	})
}

// TestGateway_TooManyConnections: a connection that is one too many is told so, in
// the API's shape and with Retry-After; the next one after a close is served.
func TestGateway_TooManyConnections(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Limits.Connections = 2 })
	answer := func(c *net.TCPConn) *http.Response {
		t.Helper()
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first, second := e.dialRaw(hello), e.dialRaw(hello)
	for _, c := range []*net.TCPConn{first, second} { // and kept alive
		if r := answer(c); r.StatusCode != 200 {
			t.Errorf("within the limit: %d", r.StatusCode)
		}
	}
	r := answer(e.dialRaw(hello))
	if body := readAll(t, r); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || !strings.Contains(body, codeOverloaded) {
		t.Errorf("one too many: %d %v %s", r.StatusCode, r.Header, body)
	}
	_ = first.Close()
	e.await("the connection to end", func() bool { return e.g.conns.count() == 1 })
	if r := answer(e.dialRaw(hello)); r.StatusCode != 200 {
		t.Errorf("after a close: %d", r.StatusCode)
	}
}

// TestGateway_DeclaredLength: clients that declare large bodies and send little of
// them hold little: others are served meanwhile.
func TestGateway_DeclaredLength(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Limits.BytesHeld = 32 << 20 })
	const clients = 20
	for range clients {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
			appKeyForTest, 30<<20, strings.Repeat(" ", 20<<10))
	}
	e.await("the calls", func() bool { return e.g.inFlight.Load() == clients && e.g.bytes.held.Load() > 0 })
	if r := e.post("/v1/chat/completions", hello); r.StatusCode != 200 {
		t.Errorf("%d %s; %d bytes are held", r.StatusCode, readAll(t, r), e.g.bytes.held.Load())
	}
	// A large body that does arrive is read whole all the same.
	body := strings.Replace(hello, `"x_unknown"`, `"pad":"`+strings.Repeat("x", 10<<20)+`","x_unknown"`, 1)
	r := e.post("/v1/chat/completions", body)
	readAll(t, r)
	reqs := e.up.requests()
	if got := string(reqs[len(reqs)-1].body); r.StatusCode != 200 || got != strings.Replace(body, `"support"`, `"m-real"`, 1) {
		t.Errorf("10 MiB: %d, upstream got %d bytes of %d", r.StatusCode, len(got), len(body))
	}
}

func TestRate(t *testing.T) {
	r := newRate(&app{App: App{RequestsMinute: 60, TokensMinute: 600}})
	now := time.Unix(1000, 0)
	for i := range 60 {
		if wait := r.take(now, 10); wait != 0 {
			t.Fatalf("call %d waits %v", i, wait)
		}
	}
	if wait := r.take(now, 10); wait != time.Second {
		t.Errorf("call 61 waits %v, want 1s", wait)
	}
	if wait := r.take(now.Add(time.Second), 10); wait != 0 {
		t.Errorf("a second later: waits %v", wait)
	}
	r.settle(0, 300)
	if wait := r.take(now.Add(2*time.Second), 10); wait < 29*time.Second || wait > 31*time.Second {
		t.Errorf("after 300 tokens more than estimated: waits %v, want about 30s", wait)
	}
}

// TestGateway_TokenRate: tokens count as the upstream reports them, and as they are
// estimated where it does not; also of calls that are not logged.
func TestGateway_TokenRate(t *testing.T) {
	long := strings.Repeat("word ", 800) // 4,000 bytes: about 1,000 tokens
	reported := strings.Replace(chatAnswer, `"prompt_tokens":7`, `"prompt_tokens":900`, 1)
	for name, script := range map[string]upstreamScript{
		"reported":           answerJSON(reported),
		"reported in stream": answerStream(delta("Hi"), sseStop, `data: {"id":"c","choices":[],"usage":{"prompt_tokens":900,"completion_tokens":6}}`+"\n\n", sseDone),
		"estimated":          answerStream(delta(long), sseStop, sseDone),
	} {
		for _, log := range []string{"", "off"} {
			registry := prometheus.NewRegistry()
			e := start(t, script, func(o *Options) {
				o.Apps[0].TokensMinute, o.Registerer = 900, registry
				o.Prices = map[string]Price{"m-real": {Input: 1, Output: 1}}
			})
			r := e.post("/v1/chat/completions", hello, "Heed-Log", log)
			if readAll(t, r); r.StatusCode != 200 {
				t.Errorf("%s, log %q: first call %d", name, log, r.StatusCode)
			}
			e.await("the call to end", func() bool { return e.g.inFlight.Load() == 0 })
			if r := e.post("/v1/chat/completions", hello, "Heed-Log", log); r.StatusCode != 429 {
				t.Errorf("%s, log %q: second call %d, want 429", name, log, r.StatusCode)
			}
			if !strings.HasPrefix(name, "reported") {
				continue
			}
			e.await("the tokens to be counted", func() bool { return sumOf(t, registry, "heed_tokens_total", "direction", "input") == 900 })
			e.await("the cost to be counted", func() bool { return sumOf(t, registry, "heed_cost_usd_total", "upstream", "main") > 0 })
		}
	}
}

// TestGateway_Fallback: a call that did not start goes to the next target; one
// that did start does not, unless its status is listed.
func TestGateway_Fallback(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + ln.Addr().String()
	_ = ln.Close()
	two := func(first string, change ...func(*Alias)) func(*Options) {
		return func(o *Options) {
			o.Upstreams = append(o.Upstreams, Upstream{Name: "first", BaseURL: first})
			o.Upstreams[len(o.Upstreams)-1].APIKey = "sk-first"
			o.Aliases[0].Targets = []rules.Share{{Upstream: "first", Model: "a", Weight: 1}, {Upstream: "main", Model: "b", Weight: 0}}
			for _, f := range change {
				f(&o.Aliases[0])
			}
		}
	}
	fallback := func(a *Alias) { a.Fallback = true }
	listed := func(a *Alias) { a.RetryStatuses = []int{503} }
	busy := newFakeUpstream(t, answerStatus(503, `{"error":{}}`))
	broken := newFakeUpstream(t, raw(""))
	for _, c := range []struct {
		name   string
		change func(*Options)
		status int
		target string
	}{
		{"unreachable", two(dead), 502, "first/a"},
		{"unreachable, fallback", two(dead, fallback), 200, "main/b"},
		{"broken, fallback", two(broken.url(), fallback), 502, "first/a"},
		{"busy", two(busy.url(), fallback), 503, "first/a"},
		{"busy, listed", two(busy.url(), listed), 200, "main/b"},
	} {
		e := start(t, answerJSON(chatAnswer), c.change)
		r := e.post("/v1/chat/completions", hello)
		readAll(t, r)
		if r.StatusCode != c.status || r.Header.Get("Heed-Target") != c.target {
			t.Errorf("%s: %d from %s, want %d from %s", c.name, r.StatusCode, r.Header.Get("Heed-Target"), c.status, c.target)
		}
	}
	if n := len(broken.requests()); n != 1 {
		t.Errorf("the broken upstream got %d requests, want 1", n)
	}
}

// TestGateway_Keyless: without app keys, on loopback, pages of other origins and
// other names for this machine are refused, and the caller's own key passes.
func TestGateway_Keyless(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) {
		o.Apps, o.Upstreams[0].APIKey = nil, ""
	})
	for _, c := range []struct {
		host, origin string
		status       int
	}{
		{"", "", 200}, {"localhost:1234", "", 200}, {"[::1]:80", "", 200}, {"127.0.0.1", "http://localhost:3000", 200},
		{"evil.example", "", 403}, {"127.0.0.1.evil.example", "", 403}, {"127.0.0.1", "https://evil.example", 403}, {"127.0.0.1", "null", 403},
	} {
		r, err := http.NewRequest("POST", e.url+"/v1/chat/completions", strings.NewReader(hello))
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = c.host; c.host == "" {
			r.Host = e.addr
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		r.Header.Set("Authorization", "Bearer the-callers-own")
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if body := readAll(t, resp); resp.StatusCode != c.status {
			t.Errorf("host %q origin %q: %d %s, want %d", c.host, c.origin, resp.StatusCode, body, c.status)
		}
	}
	for _, r := range e.up.requests() {
		if r.header.Get("Authorization") != "Bearer the-callers-own" {
			t.Errorf("upstream got %v", r.header)
		}
	}
}

// TestGateway_Serve_Refuses: no keys, a provider key and a listener that others
// reach do not go together.
func TestGateway_Serve_Refuses(t *testing.T) {
	g, err := New(Options{Store: newMemStore(), Upstreams: []Upstream{{Name: "main", BaseURL: "http://127.0.0.1:1/v1", APIKey: "sk"}}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := g.Serve(ln); err == nil || !strings.Contains(err.Error(), "app keys") {
		t.Errorf("Serve: %v", err)
	}
	if err := g.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestGateway_CORS_Apart: a page that one app allows reads nothing of another's.
func TestGateway_CORS_Apart(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) {
		o.Apps = append(o.Apps, App{Name: "other", Keys: []Secret{"heed-key-other"}, AllowedOrigins: []string{"https://other.example"}})
	})
	for key, want := range map[string]string{appKeyForTest: "", "heed-key-other": "https://other.example"} {
		r := e.post("/v1/chat/completions", hello, "Authorization", "Bearer "+key, "Origin", "https://other.example")
		readAll(t, r)
		if got := r.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("key %s: Access-Control-Allow-Origin %q, want %q", key, got, want)
		}
	}
}

func TestGateway_CORS(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	for origin, want := range map[string]string{
		"https://shop.example": "https://shop.example", "https://shop.example.evil.example": "", "http://shop.example": "",
		"null": "", "https://SHOP.example": "", "http://localhost:3000": "",
	} {
		r := e.do("OPTIONS", "/heed/feedback", "", "Authorization", "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
		if r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Origin") != want || r.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("preflight from %s: %d %v", origin, r.StatusCode, r.Header)
		}
		r = e.post("/v1/chat/completions", hello, "Origin", origin)
		readAll(t, r)
		if r.Header.Get("Access-Control-Allow-Origin") != want || (want != "") != strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "Heed-Feedback-Token") {
			t.Errorf("answer to %s: %v", origin, r.Header)
		}
	}
}

// TestGateway_Shutdown: running answers get their time, what is left ends with an
// error, and every answered exchange is in the log.
func TestGateway_Shutdown(t *testing.T) {
	release := make(chan struct{})
	e := start(t, func(c net.Conn, r *http.Request, b []byte) bool {
		_, _ = io.WriteString(c, sseHead+chunk(delta("Hello")))
		if strings.Contains(string(b), "endless") {
			var p [1]byte
			_, _ = c.Read(p[:])
			return false
		}
		<-release
		_, _ = io.WriteString(c, chunk(sseStop)+chunk(sseDone)+"0\r\n\r\n")
		return true
	})
	body := func(s string) string {
		return `{"model":"support","stream":true,"messages":[{"role":"user","content":"` + s + `"}]}`
	}
	short, endless := e.post("/v1/chat/completions", body("short")), e.post("/v1/chat/completions", body("endless"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.g.Shutdown(ctx) }()
	e.await("the gateway to stop", e.g.stopping.Load)
	close(release)
	if got := readAll(t, short); !strings.HasSuffix(got, sseDone) {
		t.Errorf("the short stream ended with %q", got)
	}
	cancel()
	got := readAll(t, endless)
	if !strings.Contains(got, codeStopping) || strings.Contains(got, "[DONE]") {
		t.Errorf("the endless stream ended with %q", got)
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	if n := e.g.Written(); n != 2 || e.g.Dropped() != 0 {
		t.Errorf("%d rows written, %d dropped", n, e.g.Dropped())
	}
}

// TestGateway_Reload: what is new is in force, what is bad is refused whole, and
// requests go on.
func TestGateway_Reload(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	opt := e.g.opt
	pool := e.g.cfg.Load().upstreams["main"]
	opt.Apps = []App{{Name: "shop", Keys: []Secret{"heed-key-shop-2"}}}
	if err := e.g.Reload(opt); err != nil {
		t.Fatal(err)
	}
	if r := e.post("/v1/chat/completions", hello); r.StatusCode != 401 {
		t.Errorf("old key: %d", r.StatusCode)
	}
	if r := e.post("/v1/chat/completions", hello, "Authorization", "Bearer heed-key-shop-2"); r.StatusCode != 200 {
		t.Errorf("new key: %d", r.StatusCode)
	}
	if e.g.cfg.Load().upstreams["main"] != pool {
		t.Error("an unchanged upstream lost its connections")
	}
	opt.Aliases = []Alias{{Name: "x", Targets: []rules.Share{{Upstream: "nowhere", Model: "y", Weight: 1}}}, {Name: "y"}}
	opt.Apps = []App{{Name: "shop", Keys: []Secret{"short"}}}
	err := e.g.Reload(opt)
	for _, part := range []string{"nowhere", "no targets", "fewer than 8"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("bad options: %v, want %q in it", err, part)
		}
	}
	if r := e.post("/v1/chat/completions", hello, "Authorization", "Bearer heed-key-shop-2"); r.StatusCode != 200 {
		t.Errorf("after a refused reload: %d", r.StatusCode)
	}
}

// TestGateway_StoreDown: model calls do not notice a store that fails; the gap is
// counted, and feedback is not acknowledged.
func TestGateway_StoreDown(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	h := e.inForce(rule("Be brief.", ""))
	e.store.fail(store.ErrFull)
	for range 5 {
		r := e.post("/v1/chat/completions", hello)
		if got := readAll(t, r); got != chatAnswer || r.Header.Get("Heed-Ruleset") != h.String() {
			t.Errorf("%d %s %s", r.StatusCode, r.Header.Get("Heed-Ruleset"), got)
		}
	}
	e.await("the loss to be counted", func() bool { return e.g.Dropped() == 5 })
	e.store.fail(nil)
	readAll(t, e.post("/v1/chat/completions", hello))
	e.await("the gap", func() bool { e.store.mu.Lock(); defer e.store.mu.Unlock(); return e.store.gaps == 5 })
}

// TestGateway_SaidInHeader: Heed-Feedback with the next request is stored.
func TestGateway_SaidInHeader(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	r := e.post("/v1/chat/completions", hello)
	readAll(t, r)
	id := r.Header.Get("Heed-Exchange-Id")
	readAll(t, e.post("/v1/chat/completions", hello, "Heed-Feedback", "exchange="+id+"; rating=-1; comment=zu%20lang%2C%20gr%C3%B6%C3%9Fer"))
	e.await("the feedback", func() bool { e.store.mu.Lock(); defer e.store.mu.Unlock(); return len(e.store.feedback) == 1 })
	for _, f := range e.store.feedback {
		if f.ExchangeID != id || *f.Rating != -1 || f.Comment != "zu lang, größer" || f.Source != "header" || f.App != "shop" {
			t.Errorf("stored %+v", f)
		}
	}
	if h := e.up.requests()[1].header; h.Get("Heed-Feedback") != "" {
		t.Error("Heed-Feedback was forwarded")
	}
	// Not to log a request says nothing about the answer before it.
	readAll(t, e.post("/v1/chat/completions", hello, "Heed-Log", "off", "Heed-Feedback", "exchange="+id+"; rating=1"))
	e.await("the second feedback", func() bool { e.store.mu.Lock(); defer e.store.mu.Unlock(); return len(e.store.feedback) == 2 })
}

// TestGateway_RequestIDs: every answer has an id to quote, also where the gateway
// itself answers.
func TestGateway_RequestIDs(t *testing.T) {
	e := start(t, answerJSON("{}"))
	for _, path := range []string{"/v1/models", "/v1/models/support", "/v1/models/other", "/v1/chat/completions", "/v1//x", "/nothing", "/heed/nothing", "/heed/feedback"} {
		for _, key := range []string{"Bearer " + appKeyForTest, "Bearer wrong-key"} {
			r := e.do("GET", path, "", "Authorization", key)
			readAll(t, r)
			if r.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s: %d without X-Request-Id", path, r.StatusCode)
			}
		}
	}
}

// TestGateway_Reload_Rates: a reload gives nobody a fresh allowance, with keys or
// without any.
func TestGateway_Reload_Rates(t *testing.T) {
	for name, keys := range map[string][]Secret{"key": {appKeyForTest}, "keyless": nil} {
		e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Apps = []App{{Name: "shop", Keys: keys, RequestsMinute: 1}} })
		if r := e.post("/v1/chat/completions", hello); r.StatusCode != 200 {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
		if err := e.g.Reload(e.g.opt); err != nil {
			t.Fatal(err)
		}
		if r := e.post("/v1/chat/completions", hello); r.StatusCode != 429 {
			t.Errorf("%s, after a reload: %d, want 429", name, r.StatusCode)
		}
	}
}

func TestGateway_Paths(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	for path, status := range map[string]int{
		"/": 404, "/nothing": 404, "/heed/none": 404, "/v1/../heed/livez": 400, "/v1//chat": 400, "/v1/a%2e%2e/b": 400, "/v1/a;b": 400,
		"http://evil.example/v1/models": 400,
	} {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path)
		b, _ := io.ReadAll(c)
		_ = c.Close()
		if !strings.HasPrefix(string(b), fmt.Sprintf("HTTP/1.1 %d ", status)) {
			t.Errorf("%s: %.80q, want %d", path, b, status)
		}
	}
	if n := len(e.up.requests()); n != 0 {
		t.Errorf("%d upstream requests, want none", n)
	}
}
