package gateway

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"heed/store"
)

// TestGateway_Methods: every method and path below /v1 passes, with or without a
// body, framed as it came.
func TestGateway_Methods(t *testing.T) {
	e := start(t, answerJSON("{}"))
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/files/f1/content?x=1", ""}, {"DELETE", "/v1/files/f1", ""}, {"DELETE", "/v1/files/f2", `{"a":1}`},
		{"POST", "/v1/responses/r1/cancel", ""}, {"PUT", "/v1/x", "abc"}, {"PATCH", "/v1/x", "abc"}, {"GET", "/v1/models/gpt-x", ""},
		{"POST", "/v1/chat/completions", ""}, {"GET", "/v1/chat/completions", ""},
	} {
		r := e.do(c.method, c.path, c.body)
		if got := readAll(t, r); r.StatusCode != 200 || got != "{}" {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.StatusCode, got)
			continue
		}
		reqs := e.up.requests()
		got := reqs[len(reqs)-1]
		if got.method != c.method || got.uri != c.path || string(got.body) != c.body {
			t.Errorf("upstream got %s %s %q, want %s %s %q", got.method, got.uri, got.body, c.method, c.path, c.body)
		}
		if c.method != "POST" && c.body == "" && got.header.Get("Content-Length") != "" && got.header.Get("Content-Length") != "0" {
			t.Errorf("%s: framing %v", c.method, got.header)
		}
	}
	r := e.do("GET", "/v1/models/support", "")
	if got := readAll(t, r); !strings.Contains(got, `"id":"support"`) {
		t.Errorf("model alias: %d %s", r.StatusCode, got)
	}
	if r := e.do("HEAD", "/v1/files/f1", ""); r.StatusCode != 200 {
		t.Errorf("HEAD: %d", r.StatusCode)
	}
}

// TestGateway_Coded: an upstream that compresses although nobody asked is passed
// on as it is.
func TestGateway_Coded(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = io.WriteString(w, delta("Hello")+sseDone)
	_ = w.Close()
	e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n", chunk(z.String()))
		return true
	})
	r := e.post("/v1/chat/completions", hello, "Accept-Encoding", "gzip")
	if got := readAll(t, r); got != z.String() || r.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%v, %d bytes, want %d", r.Header, len(got), z.Len())
	}
	if x := e.row(r.Header.Get("Heed-Exchange-Id")); x.Outcome != store.OK {
		t.Errorf("outcome %s", x.Outcome)
	}
}

// TestGateway_Flushes: each part of a stream reaches the client before the next is
// sent, also the head before the first.
func TestGateway_Flushes(t *testing.T) {
	next := make(chan bool)
	e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		_, _ = io.WriteString(c, sseHead)
		for i := 0; <-next; i++ {
			_, _ = io.WriteString(c, chunk(fmt.Sprintf("data: {\"i\":%d}\n\n", i)))
		}
		_, _ = io.WriteString(c, chunk(sseDone)+"0\r\n\r\n")
		return true
	})
	r := e.post("/v1/chat/completions", hello) // the head is there: nothing else was sent
	br := bufio.NewReader(r.Body)
	for i := range 5 {
		next <- true
		line, err := br.ReadString('\n')
		if want := fmt.Sprintf("data: {\"i\":%d}\n", i); err != nil || line != want {
			t.Fatalf("got %q, %v; want %q", line, err, want)
		}
		_, _ = br.ReadString('\n')
	}
	close(next)
	if rest, err := io.ReadAll(br); err != nil || string(rest) != sseDone {
		t.Errorf("rest %q, %v", rest, err)
	}
}

// TestGateway_BackPressure: a client that does not read holds the upstream back:
// what is in between stays bounded.
func TestGateway_BackPressure(t *testing.T) {
	var sent int
	blocked := make(chan struct{})
	e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		_, _ = io.WriteString(c, sseHead)
		big := chunk("data: " + strings.Repeat("x", 64<<10) + "\n\n")
		for {
			_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			n, err := io.WriteString(c, big)
			sent += n
			if err != nil || sent > 256<<20 {
				close(blocked)
				return false
			}
		}
	})
	c := e.dialRaw(hello)
	<-blocked
	if sent > 64<<20 {
		t.Errorf("the upstream could send %d MB to a client that reads nothing", sent>>20)
	}
	_ = c.Close()
	e.await("the call to end", func() bool { return e.g.inFlight.Load() == 0 })
}

// TestGateway_LongAnswer: of an answer above the row's limit the start is kept, and
// its end is seen.
func TestGateway_LongAnswer(t *testing.T) {
	many := strings.Repeat(delta(strings.Repeat("long ", 100)), 3000)
	e := start(t, answerStream(many, sseStop, `data: {"id":"chatcmpl-2","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}}`+"\n\n", sseDone))
	r := e.post("/v1/chat/completions", hello)
	if got := readAll(t, r); len(got) < len(many) {
		t.Fatalf("%d bytes, want more than %d", len(got), len(many))
	}
	x := e.row(r.Header.Get("Heed-Exchange-Id"))
	if x.Outcome != store.OK || x.Usage == nil || x.Usage.OutputTokens != 6 || x.Finish != "stop" || len(x.Response) > store.MaxBodyBytes || len(x.Response) == 0 {
		t.Errorf("outcome %s, usage %v, finish %q, %d bytes", x.Outcome, x.Usage, x.Finish, len(x.Response))
	}
	e.await("bytes to be given back", func() bool { return e.g.bytes.held.Load() == 0 })
}

// TestGateway_Expect: a client that waits before it sends its body is told at once
// that its key is wrong.
func TestGateway_Expect(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	for key, want := range map[string]string{"wrong-key": "HTTP/1.1 401", appKeyForTest: "HTTP/1.1 100"} {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", key, len(hello))
		br := bufio.NewReader(c)
		line, err := br.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, want) {
			t.Errorf("%s: got %q, %v, want %s", key, line, err, want)
		}
		if key == appKeyForTest {
			_, _ = br.ReadString('\n')
			_, _ = io.WriteString(c, hello)
			if line, err = br.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
				t.Errorf("after the body: %q, %v", line, err)
			}
		}
		_ = c.Close()
	}
}

// TestGateway_LongLine: F12: a line of many megabytes passes without being held.
func TestGateway_LongLine(t *testing.T) {
	const size = 32 << 20
	e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		_, _ = io.WriteString(c, sseHead+chunk("data: "))
		piece := chunk(strings.Repeat("y", 64<<10))
		for range size / (64 << 10) {
			if _, err := io.WriteString(c, piece); err != nil {
				return false
			}
		}
		_, err := io.WriteString(c, chunk("\n\n"+sseDone)+"0\r\n\r\n")
		return err == nil
	})
	r := e.post("/v1/chat/completions", hello)
	var most int64
	n, err := io.Copy(writerFunc(func(p []byte) (int, error) {
		most = max(most, e.g.bytes.held.Load())
		return len(p), nil
	}), r.Body)
	if want := int64(len("data: ") + size + len("\n\n"+sseDone)); n != want || err != nil {
		t.Errorf("%d bytes, %v; want %d", n, err, want)
	}
	if most > 4<<20 {
		t.Errorf("%d bytes were held", most)
	}
}

// TestGateway_Drip: F8: an upstream that sends byte by byte is waited for, and its
// bytes arrive as they are, characters cut anywhere.
func TestGateway_Drip(t *testing.T) {
	text := delta("日本語 🙂 é") + sseStop + sseDone
	e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		_, _ = io.WriteString(c, sseHead)
		for i := range len(text) {
			_, _ = io.WriteString(c, chunk(text[i:i+1]))
		}
		_, _ = io.WriteString(c, "0\r\n\r\n")
		return true
	})
	r := e.post("/v1/chat/completions", hello)
	if got := readAll(t, r); got != text {
		t.Errorf("got %q", got)
	}
	if x := e.row(r.Header.Get("Heed-Exchange-Id")); x.Answer != "日本語 🙂 é" || x.Outcome != store.OK || string(x.Response) != text {
		t.Errorf("answer %q, outcome %s", x.Answer, x.Outcome)
	}
}

// TestGateway_EarlyFeedback: a token is good from the moment the client has it,
// while the answer is still being streamed and its row is not written.
func TestGateway_EarlyFeedback(t *testing.T) {
	release := make(chan struct{})
	e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		_, _ = io.WriteString(c, sseHead)
		<-release
		_, _ = io.WriteString(c, chunk(sseStop+sseDone)+"0\r\n\r\n")
		return true
	})
	r := e.post("/v1/chat/completions", hello)
	said := e.post("/heed/feedback", `{"token":"`+r.Header.Get("Heed-Feedback-Token")+`","rating":1}`, "Authorization", "")
	if body := readAll(t, said); said.StatusCode != 201 {
		t.Errorf("%d %s", said.StatusCode, body)
	}
	close(release)
	readAll(t, r)
}
