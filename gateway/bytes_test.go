package gateway

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"

	"heed/rules"
)

// TestGateway_SameBytes: with no matching rule and no alias, the upstream gets the
// client's bytes, whatever they are, and the client the upstream's.
func TestGateway_SameBytes(t *testing.T) {
	var answer string
	e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		return answerJSON(answer)(c, nil, nil)
	})
	// A rule about something else is in force: it must change nothing.
	e.inForce(rule("Say which size to take.", "someone asks about shoe sizes", "Which shoe size do I need?", "Do these boots run small?"))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		body := randomJSON(r, 0)
		switch {
		case i%10 == 0: // not JSON
			body = randomBytes(r)
		case i%3 == 0:
			body = `{"model":"gpt-x","messages":[` + `{"role":"user","content":"What time is it?","n":` + randomJSON(r, 2) + `}],"extra":` + body + "}"
		}
		answer = randomJSON(r, 0)
		path := [...]string{"/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/embeddings", "/v1/messages", "/v1/files", "/v1/unknown/thing?a=1&b=%20"}[i%7]
		resp := e.post(path, body)
		got := readAll(t, resp)
		if got != answer {
			t.Fatalf("%s: answer\n%q\nwant\n%q", path, got, answer)
		}
		reqs := e.up.requests()
		last := reqs[len(reqs)-1]
		if string(last.body) != body || last.uri != path {
			t.Fatalf("%s: upstream got %s\n%q\nwant\n%q", path, last.uri, last.body, body)
		}
	}
}

func randomBytes(r *rand.Rand) string {
	b := make([]byte, 1+r.IntN(200))
	for i := range b {
		b[i] = byte(r.IntN(256))
	}
	return string(b)
}

// randomJSON writes JSON in the many spellings that clients use.
func randomJSON(r *rand.Rand, depth int) string {
	blank := [...]string{"", " ", "\n\t"}[r.IntN(3)]
	if depth > 3 {
		return [...]string{"1.0", "12345678901234567890", "-0", "1E5", "null", "true", `"\u00fc\ud83d\ude00"`, `"a\/b"`, `"é"`}[r.IntN(9)]
	}
	var parts []string
	for range r.IntN(5) {
		parts = append(parts, randomJSON(r, depth+1))
	}
	if r.IntN(3) == 0 && depth > 0 {
		return "[" + blank + strings.Join(parts, blank+",") + "]"
	}
	for i := range parts {
		key := [...]string{"model", "messages", "stream", "a b", "k\\u0041", "user", "dup", "dup"}[r.IntN(8)]
		if key == "stream" || key == "model" {
			parts[i] = `"x"` // an odd type is the upstream's to refuse
		}
		parts[i] = `"` + key + `"` + blank + ":" + parts[i]
	}
	return "{" + blank + strings.Join(parts, ","+blank) + "}"
}

// TestGateway_Upload: a multipart upload larger than what is patched is passed on
// as it comes: memory stays bounded, bytes stay the same.
func TestGateway_Upload(t *testing.T) {
	const size = 100 << 20
	sum := make(chan string, 2)
	// An upstream that hashes instead of keeping.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, _ := io.Copy(h, r.Body)
		sum <- fmt.Sprintf("%d %x %s", n, h.Sum(nil), r.Header.Get("Content-Type"))
		_, _ = io.WriteString(w, "{}")
	})}
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()
	e := start(t, answerJSON("{}"), func(o *Options) { o.Upstreams[0].BaseURL = "http://" + ln.Addr().String() + "/v1" })
	for _, c := range []struct {
		path   string
		length int64
	}{{"/v1/files", size}, {"/v1/files", -1}, {"/v1/chat/completions", size}} {
		want := sha256.New()
		body := io.TeeReader(io.LimitReader(zeros{}, size), want)
		r, err := http.NewRequest("POST", e.url+c.path, io.NopCloser(body))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = c.length
		r.Header.Set("Authorization", "Bearer "+appKeyForTest)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		readAll(t, resp)
		if got, want := <-sum, fmt.Sprintf("%d %x multipart/form-data; boundary=x", size, want.Sum(nil)); got != want {
			t.Errorf("%s: upstream got %s, want %s", c.path, got, want)
		}
		if held := e.g.bytes.held.Load(); held > 1<<20 {
			t.Errorf("%s: %d bytes held", c.path, held)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestGateway_Headers: what must pass passes, on every status, streamed or not;
// what must not does not.
func TestGateway_Headers(t *testing.T) {
	extra := []string{
		"Retry-After: 3", "Retry-After-Ms: 3000", "X-Should-Retry: true", "X-Ratelimit-Remaining-Requests: 9", "X-Request-Id: req_up",
		"Openai-Version: 2020-10-01", "Anthropic-Ratelimit-Requests-Limit: 50", "X-Anything: else",
		"Set-Cookie: __cf_bm=canary", "Connection: keep-alive, X-Hop", "Connection: X-Next", "X-Hop: secret", "X-Next: secret", "Heed-Exchange-Id: forged", "Access-Control-Allow-Origin: *",
	}
	for _, status := range []int{200, 400, 429, 500} {
		e := start(t, answerStatus(status, `{"error":{"message":"m"}}`, extra...))
		r := e.post("/v1/chat/completions", hello,
			"Anthropic-Beta", "b1", "OpenAI-Organization", "org", "X-Stainless-Lang", "go", "Cookie", "session=canary",
			"X-Forwarded-For", "10.0.0.1", "X-Mine", "secret", "X-Other", "secret", "Heed-Agent", "a", "Accept-Encoding", "gzip")
		readAll(t, r)
		for _, name := range []string{"Retry-After", "Retry-After-Ms", "X-Should-Retry", "X-Ratelimit-Remaining-Requests", "Openai-Version", "Anthropic-Ratelimit-Requests-Limit", "X-Anything"} {
			if r.Header.Get(name) == "" {
				t.Errorf("%d: %s was not returned", status, name)
			}
		}
		for _, name := range []string{"Set-Cookie", "X-Hop", "X-Next", "Access-Control-Allow-Origin"} {
			if v := r.Header.Get(name); v != "" {
				t.Errorf("%d: %s: %s was returned", status, name, v)
			}
		}
		if r.Header.Get("X-Request-Id") != "req_up" || len(r.Header.Values("Heed-Exchange-Id")) != 1 || r.Header.Get("Heed-Exchange-Id") == "forged" {
			t.Errorf("%d: ids %v", status, r.Header)
		}
		h := e.up.requests()[0].header
		if h.Get("Anthropic-Beta") != "b1" || h.Get("Openai-Organization") != "org" || h.Get("X-Stainless-Lang") != "go" || h.Get("Accept-Encoding") != "identity" {
			t.Errorf("%d: upstream headers %v", status, h)
		}
		for _, name := range []string{"Cookie", "X-Forwarded-For", "Heed-Agent"} {
			if v := h.Get(name); v != "" {
				t.Errorf("%d: %s: %s reached the upstream", status, name, v)
			}
		}
	}
}

// TestGateway_ConnectionHeaders: what any of several Connection headers names is for
// the next hop only, also beside close.
func TestGateway_ConnectionHeaders(t *testing.T) {
	e := start(t, answerJSON("{}"))
	for _, lines := range []string{
		"Connection: X-Mine\r\n", "Connection: keep-alive\r\nConnection: X-Mine\r\n", "connection: close\r\nconnection: a, x-MINE ,b\r\n",
		"Connection: close, X-Mine\r\n", "Connection: a\r\nConnection: b\r\nConnection: c\r\nConnection: d\r\nConnection: X-Mine\r\n",
	} {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /v1/files HTTP/1.1\r\nHost: x\r\n%sX-Mine: secret\r\nX-Kept: 1\r\nX-Kept: 2\r\nAuthorization: Bearer %s\r\nContent-Length: 2\r\n\r\n{}", lines, appKeyForTest)
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("%q: %v %v", lines, r, err)
		}
		_ = c.Close()
		reqs := e.up.requests()
		if h := reqs[len(reqs)-1].header; h.Get("X-Mine") != "" || len(h.Values("X-Kept")) != 2 {
			t.Errorf("%q: the upstream got %v", lines, h)
		}
	}
}

// TestGateway_OddModelNames: whatever a client calls its model, the answer's headers
// can be read, and the upstream gets the name as it is.
func TestGateway_OddModelNames(t *testing.T) {
	e := start(t, answerStatus(404, `{"error":{"message":"no such model"}}`))
	for name, want := range map[string]string{
		`a\r\nX-Evil: 1`: "main/aX-Evil: 1", `\u0000x\u007f`: "main/x", `日本`: "main/日本",
		strings.Repeat("m", 20_000): "main/" + strings.Repeat("m", 256),
	} {
		body := `{"model":"` + name + `","messages":[{"role":"user","content":"x"}]}`
		r := e.post("/v1/chat/completions", body)
		readAll(t, r)
		if got := r.Header.Get("Heed-Target"); r.StatusCode != 404 || got != want || r.Header.Get("X-Evil") != "" {
			t.Errorf("%.40q: %d, Heed-Target %.80q, want %.80q", name, r.StatusCode, got, want)
		}
		if reqs := e.up.requests(); string(reqs[len(reqs)-1].body) != body {
			t.Errorf("%.40q: upstream got %.100q", name, reqs[len(reqs)-1].body)
		}
	}
}

// TestGateway_Resend: an upstream that refuses an injected request gets the
// client's own bytes, once; then it is left alone for a while.
func TestGateway_Resend(t *testing.T) {
	for _, status := range []int{400, 413} {
		testResend(t, status)
	}
	// Another status is the answer, whatever it is.
	e := start(t, answerStatus(422, `{"error":{"message":"no"}}`))
	e.inForce(rule("Be brief.", ""))
	if r := e.post("/v1/chat/completions", hello); r.StatusCode != 422 || len(e.up.requests()) != 1 {
		t.Errorf("422: %d after %d upstream requests", r.StatusCode, len(e.up.requests()))
	}
}

func testResend(t *testing.T, status int) {
	t.Helper()
	refuse := func(c net.Conn, r *http.Request, body []byte) bool {
		if strings.Contains(string(body), "learned_guidelines") {
			return answerStatus(status, `{"error":{"message":"too long"}}`)(c, r, body)
		}
		return answerJSON(chatAnswer)(c, r, body)
	}
	e := start(t, refuse)
	e.inForce(rule("Be brief.", ""))
	r := e.post("/v1/chat/completions", hello)
	if got := readAll(t, r); got != chatAnswer || r.Header.Get("Heed-Rules") != "" {
		t.Errorf("got %s, Heed-Rules %q", got, r.Header.Get("Heed-Rules"))
	}
	if x := e.row(r.Header.Get("Heed-Exchange-Id")); !x.Decision.Resent || len(x.Decision.Applied()) != 0 {
		t.Errorf("decision %+v", x.Decision)
	}
	readAll(t, e.post("/v1/chat/completions", hello))
	if n := len(e.up.requests()); n != 3 {
		t.Errorf("%d upstream requests, want 3: the second call is sent without rules at once", n)
	}
	// A 400 that is the client's own fault suspends nothing.
	e2 := start(t, answerStatus(status, `{"error":{"message":"bad parameter"}}`))
	e2.inForce(rule("Be brief.", ""))
	if r := e2.post("/v1/chat/completions", hello); r.StatusCode != status || !strings.Contains(readAll(t, r), "bad parameter") {
		t.Errorf("status %d", r.StatusCode)
	}
	if e2.g.cfg.Load().upstreams["main"].mute.n.Load() != 0 {
		t.Error("placement suspended for the client's own mistake")
	}
}

// TestGateway_Prefix: over a conversation each request's injected bytes begin with
// what was sent before, so that prompt caches hold; a new rule set changes them once.
func TestGateway_Prefix(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	e.inForce(rule("Mention the return period.", ""), rule("Say the size chart's name.", "someone asks about shoe sizes", "Which shoe size do I need?"))
	turns := []string{"Which shoe size do I need?", "And for boots?", "Where is my parcel?", "thanks"}
	messages, before := `{"role":"system","content":"You are a shop assistant."}`, ""
	for _, turn := range turns {
		messages += `,{"role":"user","content":"` + turn + `"}`
		readAll(t, e.post("/v1/chat/completions", `{"model":"support","messages":[`+messages+`]}`))
		reqs := e.up.requests()
		sent := strings.TrimSuffix(string(reqs[len(reqs)-1].body), "]}")
		if !strings.HasPrefix(sent, before) {
			t.Fatalf("after %q the prefix changed:\n%s\nwas\n%s", turn, sent, before)
		}
		before = sent
		messages += `,{"role":"assistant","content":"Sure."}`
	}
}

func TestGateway_Targets(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) {
		o.Aliases[0].Targets = []rules.Share{{Upstream: "main", Model: "a", Weight: 1}, {Upstream: "main", Model: "b", Weight: 1}}
	})
	seen, by := map[string]int{}, map[string]string{}
	for i := range 60 {
		session := fmt.Sprint("s", i%30)
		r := e.post("/v1/chat/completions", hello, "Heed-Session", session)
		readAll(t, r)
		target := r.Header.Get("Heed-Target")
		if old := by[session]; old != "" && old != target {
			t.Errorf("session %s moved from %s to %s", session, old, target)
		}
		by[session] = target
		seen[target]++
		if p := e.row(r.Header.Get("Heed-Exchange-Id")).Decision.Target.Propensity; p != 0.5 {
			t.Errorf("propensity %v", p)
		}
	}
	if seen["main/a"] == 0 || seen["main/b"] == 0 {
		t.Errorf("targets %v", seen)
	}
	e.store.publish(&rules.Set{App: "shop", Routing: []rules.Policy{{Alias: "support", Shares: []rules.Share{
		{Upstream: "main", Model: "b", Weight: 1}, {Upstream: "gone", Model: "x", Weight: 5}}}}})
	e.await("the policy", func() bool { return e.g.cfg.Load().apps["shop"].set.Load().Head().Epoch == 1 })
	for i := range 10 {
		r := e.post("/v1/chat/completions", hello, "Heed-Session", fmt.Sprint("s", i))
		readAll(t, r)
		if got := r.Header.Get("Heed-Target"); got != "main/b" {
			t.Errorf("policy in force, yet target %s", got)
		}
	}
}

// TestGateway_Chunked: a request of unknown length is patched like any other, and
// passed on as it comes when it turns out to be larger than what is patched.
func TestGateway_Chunked(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Limits.Body = 256 << 10 })
	e.inForce(rule("Be brief.", ""))
	for _, c := range []struct {
		size   int
		inside bool
	}{{10, true}, {100 << 10, true}, {1 << 20, false}} {
		body := `{"model":"support","messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", c.size) + `"}}]}]}`
		for _, length := range []int64{-1, int64(len(body))} {
			r, err := http.NewRequest("POST", e.url+"/v1/chat/completions", io.NopCloser(strings.NewReader(body)))
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = length
			r.Header.Set("Authorization", "Bearer "+appKeyForTest)
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, resp); got != chatAnswer {
				t.Errorf("%d bytes: %d %s", len(body), resp.StatusCode, got)
			}
			reqs := e.up.requests()
			last := string(reqs[len(reqs)-1].body)
			if strings.Contains(last, "Be brief.") != c.inside || !c.inside && last != body || !strings.Contains(last, strings.Repeat("A", c.size)) {
				t.Errorf("%d bytes, length %d: upstream got %d bytes, injected %v", len(body), length, len(last), strings.Contains(last, "Be brief."))
			}
		}
	}
	e.await("bytes to be given back", func() bool { return e.g.bytes.held.Load() == 0 })
}
