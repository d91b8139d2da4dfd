package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"heed/store"
	"heed/wire"
)

func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// raw is a script that writes bytes and then closes or resets.
func raw(b string, rst ...bool) upstreamScript {
	return func(c net.Conn, _ *http.Request, _ []byte) bool {
		_, _ = io.WriteString(c, b)
		if len(rst) > 0 {
			reset(c)
		}
		return false
	}
}

// want is what a client must see of a misbehaving upstream.
type want struct {
	status  int
	has     string // in the body
	not     string // not in the body
	cut     bool   // the body must not end cleanly
	outcome store.Outcome
	never   bool // x-should-retry: false
	within  time.Duration
}

// TestGateway_Faults is the fault matrix of the issue on the gateway: whatever an
// upstream does, the client sees something honest, one request is at most one
// upstream request, and the next request is served.
func TestGateway_Faults(t *testing.T) {
	event := delta("Hello")
	fast := func(o *Options) {
		o.Upstreams[0].Timeouts = Timeouts{FirstByte: 200 * time.Millisecond, Idle: 200 * time.Millisecond}
	}
	hang := func(prefix string) upstreamScript {
		return func(c net.Conn, _ *http.Request, _ []byte) bool {
			_, _ = io.WriteString(c, prefix)
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
			_, _ = io.Copy(io.Discard, c)
			return false
		}
	}
	sized := func(n int) string { // a stream whose length was known before
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n", n)
	}
	jsonHead := func(n int) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", n)
	}
	for _, c := range []struct {
		name   string
		script upstreamScript
		want   want
	}{
		{"F4 reset after the request's head", raw("", true), want{status: 502, has: codeFailed, outcome: store.UpstreamError, never: true}},
		{"F5 closed without an answer", raw(""), want{status: 502, has: codeFailed, outcome: store.UpstreamError, never: true}},
		{"F6 never answers", hang(""), want{status: 504, has: codeTimeout, outcome: store.Timeout, never: true, within: 3 * time.Second}},
		{"F7 head, then nothing", hang(sseHead), want{status: 200, has: codeTimeout, not: "[DONE]", outcome: store.Timeout, within: 3 * time.Second}},
		{"F7 plain head, then nothing", hang(jsonHead(100)), want{status: 504, has: codeTimeout, outcome: store.Timeout, never: true, within: 3 * time.Second}},
		{"F9 reset in mid-stream", raw(sseHead+chunk(event), true), want{status: 200, has: codeBroken, not: "[DONE]", outcome: store.Truncated}},
		{"F9 closed in mid-stream", raw(sseHead + chunk(event)), want{status: 200, has: event + `data: {"error":`, not: "[DONE]", outcome: store.Truncated}},
		{"F9 closed in mid-event", raw(sseHead + chunk(event+"data: {\"id\":")), want{status: 200, has: "\n\ndata: {\"error\":", not: "[DONE]", outcome: store.Truncated}},
		{"F9 closed before its declared length", raw(sized(len(event)+30) + event), want{status: 200, has: event + `data: {"error":{"message":"upstream main broke off in the middle of its answer","type":"server_error","param":null,"code":"` + codeBroken + `"}}` + "\n\n", not: "[DONE]", outcome: store.Truncated}},
		{"declared length", raw(sized(len(event+sseDone)) + event + sseDone), want{status: 200, has: event + sseDone, outcome: store.OK}},
		{"F10 ends without [DONE]", answerStream(event, sseStop), want{status: 200, has: event + sseStop, not: "[DONE]", outcome: store.OK}},
		{"F10 ends without an end", answerStream(event), want{status: 200, has: event, not: "error", outcome: store.Truncated}},
		{"F11 odd events", answerStream("\xef\xbb\xbfno colon\r", ":comment\r\n", "data:"+event[6:], sseDone), want{status: 200, has: "\xef\xbb\xbfno colon\r:comment\r\ndata:{", outcome: store.OK}},
		{"F13 odd bytes", answerStream("data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\\ud800\\u0000\"}}]}\n\n", sseDone), want{status: 200, has: "\xff\xfe\\ud800\\u0000", outcome: store.OK}},
		{"F14 length too large", raw(jsonHead(500) + chatAnswer[:100]), want{status: 502, has: codeBroken, outcome: store.Truncated, never: true}},
		{"F14 large answer cut", raw(jsonHead(smallAnswer+500) + chatAnswer), want{status: 200, cut: true, outcome: store.Truncated}},
		{"F14 negative length", raw("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc"), want{status: 502, has: codeFailed, outcome: store.UpstreamError, never: true}},
		{"F14 two lengths", raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nabcdefg"), want{status: 502, has: codeFailed, outcome: store.UpstreamError, never: true}},
		{"F15 bad chunk size", raw(sseHead + chunk(event) + "zz\r\nabc"), want{status: 200, has: codeBroken, not: "[DONE]", outcome: store.Truncated}},
		{"F15 no last chunk", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("{\"id\":1")), want{status: 200, cut: true, outcome: store.Truncated}},
		{"F17 interim answers", raw(strings.Repeat("HTTP/1.1 103 Early\r\n\r\n", 50) + jsonHead(len(chatAnswer)) + chatAnswer), want{status: 200, has: "Hello there", outcome: store.OK}},
		{"F17 too many interim answers", raw(strings.Repeat("HTTP/1.1 103 Early\r\n\r\n", 200)), want{status: 502, has: codeFailed, outcome: store.UpstreamError, never: true}},
		{"F17 switches protocols", raw("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), want{status: 502, has: codeFailed, outcome: store.UpstreamError, never: true}},
		{"F17 no status", raw("HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\n{}"), want{status: 502, has: codeFailed, outcome: store.UpstreamError, never: true}},
		{"F18 redirect", answerStatus(302, "{}", "Location: http://127.0.0.1:1/x"), want{status: 302, has: "{}", outcome: store.OK}},
		{"F19 refused key", answerStatus(401, `{"error":{"message":"bad key"}}`), want{status: 401, has: "bad key", outcome: store.OK}},
		{"F20 rate limited", answerStatus(429, `{"error":{"message":"slow"}}`, "Retry-After: 7", "Retry-After-Ms: 7000"), want{status: 429, has: "slow", outcome: store.OK}},
		{"F21 not JSON", raw("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n<h1>x</h1"), want{status: 200, has: "<h1>", outcome: store.OK}},
		{"F23 two answers", raw(jsonHead(2) + "{}" + jsonHead(9) + "smuggled!"), want{status: 200, has: "{}", not: "smuggled", outcome: store.OK}},
		{"F24 huge head", raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 64<<10) + "\r\nContent-Length: 2\r\n\r\n{}"), want{status: 502, has: codeFailed, outcome: store.UpstreamError, never: true}},
		{"no HTTP", raw("SSH-2.0-OpenSSH_9.2\r\n"), want{status: 502, has: codeFailed, outcome: store.UpstreamError, never: true}},
		{"read until the end", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + chatAnswer), want{status: 200, has: "Hello there", outcome: store.OK}},
	} {
		t.Run(c.name, func(t *testing.T) { testFault(t, c.script, c.want, fast) })
	}
}

func testFault(t *testing.T, script upstreamScript, w want, change func(*Options)) {
	t.Helper()
	e := start(t, script, change)
	begun := time.Now()
	r := e.post("/v1/chat/completions", hello)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if d := time.Since(begun); w.within > 0 && d > w.within {
		t.Errorf("took %v, want at most %v", d, w.within)
	}
	if r.StatusCode != w.status || (err != nil) != w.cut {
		t.Errorf("status %d, error %v; want %d, cut %v; body %.300s", r.StatusCode, err, w.status, w.cut, body)
	}
	if !strings.Contains(string(body), w.has) || (w.not != "" && strings.Contains(string(body), w.not)) {
		t.Errorf("body %.600q; want %q in it, not %q", body, w.has, w.not)
	}
	if never := r.Header.Get("X-Should-Retry") == "false"; never != w.never {
		t.Errorf("x-should-retry false: %v, want %v", never, w.never)
	}
	if x := e.row(r.Header.Get("Heed-Exchange-Id")); x.Outcome != w.outcome {
		t.Errorf("outcome %s (%s), want %s", x.Outcome, x.Error, w.outcome)
	}
	if n := len(e.up.requests()); n != 1 {
		t.Errorf("%d upstream requests, want 1", n)
	}
	if strings.Contains(string(body), providerKey) {
		t.Error("the provider's key is in the answer")
	}
	e.up.mu.Lock()
	e.up.script = answerJSON(chatAnswer)
	e.up.mu.Unlock()
	r = e.post("/v1/chat/completions", hello)
	if got := readAll(t, r); got != chatAnswer {
		t.Errorf("the next request got %d %.300s", r.StatusCode, got)
	}
}

// TestGateway_Desync: F23: an answer that nobody asked for is not given to the next
// request: its connection is not used again.
func TestGateway_Desync(t *testing.T) {
	var first net.Conn // one request at a time
	one := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
	e := start(t, func(c net.Conn, r *http.Request, b []byte) bool {
		switch {
		case first == nil:
			first = c
			_, _ = io.WriteString(c, one+`"mine..."`+one[:20]) // in one packet
		case first == c:
			_, _ = io.WriteString(c, one[20:]+`"foreign"`)
		default:
			return answerJSON(chatAnswer)(c, r, b)
		}
		return true
	})
	for i, want := range []string{`"mine..."`, chatAnswer, chatAnswer} {
		if got := readAll(t, e.post("/v1/chat/completions", hello)); got != want {
			t.Errorf("request %d got %q, want %q", i, got, want)
		}
	}
}

// TestGateway_LeavesAfterTheEnd: SDKs close a stream at its end without waiting for
// the last chunk; that is no cancelled call.
func TestGateway_LeavesAfterTheEnd(t *testing.T) {
	var e *env
	e = start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		_, _ = io.WriteString(c, sseHead+chunk(delta("Hello"))+chunk(sseStop)+chunk(sseDone))
		e.up.awaitClose(c) // the last chunk never comes
		return false
	})
	c := e.dialRaw(hello)
	for br := bufio.NewReader(c); ; {
		line, err := br.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "data: [DONE]") {
			break
		}
	}
	_ = c.Close()
	<-e.up.closed
	e.await("the row", func() bool { return len(e.store.outcomes()) == 1 })
	if got := e.store.outcomes()[0]; got != store.OK {
		t.Errorf("outcome %s, want ok", got)
	}
}

// TestGateway_Failures: what is wrong with an answer is in its row, read from bytes
// that were there anyway.
func TestGateway_Failures(t *testing.T) {
	answer := func(message, finish string) upstreamScript {
		return answerJSON(`{"id":"c","model":"m","choices":[{"index":0,"message":` + message + `,"finish_reason":"` + finish + `"}]}`)
	}
	tools := `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}}],`
	call := func(arguments string) string {
		return `{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"` + arguments + `"}}]}`
	}
	for name, c := range map[string]struct {
		script  upstreamScript
		more    string // of the request
		want    string
		outcome store.Outcome
	}{
		"good":               {answerJSON(chatAnswer), "", "", store.OK},
		"good call":          {answer(call(`{\"n\":1}`), "tool_calls"), tools, "", store.OK},
		"bad call":           {answer(call(`{\"n\":\"one\"}`), "tool_calls"), tools, wire.FailTool, store.OK},
		"broken call":        {answer(call(`{\"n\":`), "tool_calls"), tools, wire.FailTool, store.OK},
		"no JSON":            {answerJSON(chatAnswer), `"response_format":{"type":"json_object"},`, wire.FailJSON, store.OK},
		"says nothing":       {answer(`{"role":"assistant","content":""}`, "stop"), "", wire.FailEmpty, store.OK},
		"no byte":            {answerJSON(""), "", wire.FailEmpty, store.OK},
		"no event":           {answerStream(""), "", wire.FailTruncated, store.Truncated},
		"token limit":        {answer(`{"role":"assistant","content":"Hel"}`, "length"), "", wire.FailTruncated, store.OK},
		"refused":            {answer(`{"role":"assistant","content":null,"refusal":"No."}`, "stop"), "", wire.FailRefused, store.OK},
		"filtered":           {answer(`{"role":"assistant","content":""}`, "content_filter"), "", wire.FailRefused, store.OK},
		"error":              {answerStatus(400, `{"error":{"message":"m"}}`), "", wire.FailUpstream, store.OK},
		"error without body": {answerStatus(400, ""), "", wire.FailUpstream, store.OK},
		"error in stream":    {answerStream(delta("Hel"), "data: {\"error\":{\"message\":\"m\"}}\n\n"), "", wire.FailUpstream, store.OK},
		"server error":       {answerStatus(500, `{"error":{"message":"m"}}`), "", wire.FailUpstream, store.UpstreamError},
	} {
		e := start(t, c.script)
		r := e.post("/v1/chat/completions", strings.Replace(hello, "{", "{"+c.more, 1))
		readAll(t, r)
		x := e.row(r.Header.Get("Heed-Exchange-Id"))
		if got := strings.Join(x.Failures, ","); got != c.want || x.Outcome != c.outcome {
			t.Errorf("%s: failures %q, outcome %s; want %q, %s", name, got, x.Outcome, c.want, c.outcome)
		}
	}
}

// TestGateway_Unreachable: F1, F2: nothing was sent, so that clients may retry; a
// breaker opens after some failures.
func TestGateway_Unreachable(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	for _, url := range []string{"http://" + addr + "/v1"} {
		e := start(t, answerJSON(chatAnswer), func(o *Options) {
			o.Upstreams[0].BaseURL = url
			o.Upstreams[0].Breaker = Breaker{Failures: 3, Pause: time.Hour}
		})
		for range 3 {
			r := e.post("/v1/chat/completions", hello)
			if body := readAll(t, r); r.StatusCode != 502 || !strings.Contains(body, codeUnreachable) || r.Header.Get("X-Should-Retry") != "" {
				t.Errorf("%d %s", r.StatusCode, body)
			}
		}
		if r := e.post("/v1/chat/completions", hello); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("breaker closed: %d %v", r.StatusCode, r.Header)
		}
	}
}

// TestGateway_SilentHandshake: F2: a handshake that hangs is no connection.
func TestGateway_SilentHandshake(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	e := start(t, answerJSON(chatAnswer), func(o *Options) {
		o.Upstreams[0].BaseURL = "https://" + silent.Addr().String() + "/v1"
		o.Upstreams[0].Timeouts.TLS = 100 * time.Millisecond
	})
	if r := e.post("/v1/chat/completions", hello); r.StatusCode != 502 {
		t.Errorf("TLS handshake that hangs: %d", r.StatusCode)
	}
}

// TestGateway_StaleConnection: F3: an upstream that closed an idle connection does
// not cost a request: the next one gets a new connection and is sent once.
func TestGateway_StaleConnection(t *testing.T) {
	closed := make(chan struct{}, 100)
	e := start(t, func(c net.Conn, r *http.Request, b []byte) bool {
		answerJSON(chatAnswer)(c, r, b)
		_ = c.Close()
		closed <- struct{}{}
		return false
	})
	for i := range 20 {
		r := e.post("/v1/chat/completions", hello)
		if got := readAll(t, r); r.StatusCode != 200 {
			t.Fatalf("request %d: %d %s", i, r.StatusCode, got)
		}
		<-closed
	}
	if n := len(e.up.requests()); n != 20 {
		t.Errorf("%d upstream requests, want 20", n)
	}
}

// TestGateway_KeepsConnections: a clean end gives the connection back.
func TestGateway_KeepsConnections(t *testing.T) {
	conns := map[net.Conn]bool{}
	e := start(t, func(c net.Conn, r *http.Request, b []byte) bool {
		conns[c] = true // one at a time
		if len(conns)%2 == 0 {
			return answerStream(sseStop, sseDone)(c, r, b)
		}
		return answerJSON(chatAnswer)(c, r, b)
	})
	for range 10 {
		readAll(t, e.post("/v1/chat/completions", hello))
	}
	if len(conns) != 1 {
		t.Errorf("%d upstream connections, want 1", len(conns))
	}
}

// TestGateway_AnswersEarly: F22: an upstream that answers before it has read the
// body, then closes, is heard.
func TestGateway_AnswersEarly(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(c).ReadString('\n')
			_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, io.LimitReader(c, 64<<10))
			_ = c.Close()
		}
	}()
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Upstreams[0].BaseURL = "http://" + ln.Addr().String() + "/v1" })
	r := e.post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"`+strings.Repeat("x", 64<<10)+`"}]}`)
	if got := readAll(t, r); r.StatusCode != 413 || got != "{}" {
		t.Errorf("%d %s", r.StatusCode, got)
	}
}
