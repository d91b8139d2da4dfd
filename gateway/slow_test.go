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
)

// TestGateway_Slowloris: a client that drips its request is cut off, wherever it
// drips, and costs no upstream call; one that is slow but goes on is served.
func TestGateway_Slowloris(t *testing.T) {
	const wait = 200 * time.Millisecond
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Limits.Head = wait })
	head := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n", appKeyForTest)
	send := func(parts ...string) (status int, answer string) {
		t.Helper()
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() {
			for _, p := range parts {
				if _, err := io.WriteString(c, p); err != nil {
					return
				}
				time.Sleep(wait / 10) // the drip itself
			}
		}()
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return 0, err.Error()
		}
		return r.StatusCode, readAll(t, r)
	}
	drip := strings.Split(strings.Repeat("x", 2000), "")
	big := head + "Content-Length: 1000000\r\n\r\n" + strings.Repeat(" ", 20<<10)
	for name, parts := range map[string][]string{
		"no request at all": {""}, "half a head": {head}, "headers for ever": append([]string{head + "X: "}, drip...),
		"no body": {head + "Content-Length: 100\r\n\r\n"}, "half a body": {big},
	} {
		if status, answer := send(parts...); status == 200 || strings.Contains(answer, "i/o timeout") {
			t.Errorf("%s: %d %s, want to be cut off", name, status, answer)
		}
	}
	e.await("the calls to end", func() bool { return e.g.inFlight.Load() == 0 && e.g.bytes.held.Load() == 0 })
	if reqs := e.up.requests(); len(reqs) != 0 {
		t.Errorf("upstream requests %.300q, want none", reqs)
	}
	body := `{"model":"support","messages":[{"role":"user","content":"` + strings.Repeat("y", 60<<10) + `"}]}`
	parts := []string{head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))}
	for at := 0; at < len(body); at += 4 << 10 { // for longer than the wait, in all
		parts = append(parts, body[at:min(len(body), at+4<<10)])
	}
	if status, answer := send(parts...); status != 200 {
		t.Errorf("slow but steady: %d %s", status, answer)
	}
}

// TestGateway_TotalTimeout: an answer that goes on for ever ends after the whole
// call's time, however lively it is.
func TestGateway_TotalTimeout(t *testing.T) {
	e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		_, err := io.WriteString(c, sseHead)
		for err == nil {
			_, err = io.WriteString(c, chunk(delta("more ")))
			time.Sleep(time.Millisecond) // the pace of the model
		}
		return false
	}, func(o *Options) { o.Upstreams[0].Timeouts = Timeouts{Total: 300 * time.Millisecond, Idle: time.Hour} })
	r := e.post("/v1/chat/completions", hello)
	if got := readAll(t, r); !strings.Contains(got, codeTimeout) || strings.Contains(got, "[DONE]") || !strings.Contains(got, "more ") {
		t.Errorf("the stream ended with %q", got[max(0, len(got)-300):])
	}
	if x := e.row(r.Header.Get("Heed-Exchange-Id")); x.Outcome != store.Timeout || !strings.HasPrefix(x.Answer, "more more") {
		t.Errorf("outcome %s, answer %.50q", x.Outcome, x.Answer)
	}
}

// TestGateway_HeadTooLarge: the head of a request is bounded, and what is too much
// is said in the API's shape.
func TestGateway_HeadTooLarge(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	for name, lines := range map[string]string{
		"one large header": "X: " + strings.Repeat("a", 64<<10) + "\r\n",
		"many headers":     strings.Repeat("X-A: b\r\n", 5000),
	} {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n%sContent-Length: 0\r\n\r\n", lines)
		b, _ := io.ReadAll(c)
		_ = c.Close()
		if !strings.HasPrefix(string(b), "HTTP/1.1 431 ") || !strings.Contains(string(b), `{"error":{"message":`) {
			t.Errorf("%s: %.200q", name, b)
		}
	}
	if r := e.post("/v1/chat/completions", hello, "X-Large", strings.Repeat("a", 12<<10)); r.StatusCode != 200 {
		t.Errorf("12 KiB: %d", r.StatusCode)
	}
}
