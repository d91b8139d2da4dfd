package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heed/store"
)

// dialRaw sends a request as bytes and returns the connection.
func (e *env) dialRaw(body string) *net.TCPConn {
	e.t.Helper()
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = c.Close() })
	fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", appKeyForTest, len(body), body)
	return c.(*net.TCPConn)
}

// TestGateway_ClientLeaves: a client that closes, resets or half-closes its
// connection closes the upstream call within 250 ms, in every phase.
func TestGateway_ClientLeaves(t *testing.T) {
	ways := map[string]func(*net.TCPConn){
		"close":      func(c *net.TCPConn) { _ = c.Close() },
		"reset":      func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
		"half-close": func(c *net.TCPConn) { _ = c.CloseWrite() },
	}
	for phase, prefix := range map[string]string{
		"before the first byte": "",
		"in mid-stream":         sseHead + chunk(delta("Hello")),
		"in a plain answer":     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n{\"id\":",
		"in a short answer":     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":",
	} {
		for way, leave := range ways {
			t.Run(phase+"/"+way, func(t *testing.T) {
				arrived := make(chan struct{})
				var e *env
				e = start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
					_, _ = io.WriteString(c, prefix)
					close(arrived)
					e.up.awaitClose(c)
					return false
				})
				c := e.dialRaw(hello)
				<-arrived
				if strings.HasPrefix(prefix, sseHead) { // the client has seen the first chunk
					br := bufio.NewReader(c)
					for line := ""; !strings.HasPrefix(line, "data:"); {
						var err error
						if line, err = br.ReadString('\n'); err != nil {
							t.Fatal(err)
						}
					}
				}
				left := time.Now()
				leave(c)
				select {
				case at := <-e.up.closed:
					if d := at.Sub(left); d > 250*time.Millisecond {
						t.Errorf("upstream closed after %v, want at most 250ms", d)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("upstream call was not closed")
				}
				e.await("the row", func() bool { e.store.mu.Lock(); defer e.store.mu.Unlock(); return len(e.store.rows) == 1 })
				e.store.mu.Lock()
				defer e.store.mu.Unlock()
				for _, x := range e.store.rows {
					if x.Outcome != store.Cancelled {
						t.Errorf("outcome %s (%s), want cancelled", x.Outcome, x.Error)
					}
					if strings.HasPrefix(prefix, sseHead) && x.Answer != "Hello" {
						t.Errorf("answer %q, want what was there", x.Answer)
					}
				}
			})
		}
	}
}

// TestGateway_LeavesWhileSending: what a client that leaves has sent of its request
// is no request: nothing of it is sent.
func TestGateway_LeavesWhileSending(t *testing.T) {
	const part = 20 << 10 // more than is read before a call begins
	e := start(t, answerJSON(chatAnswer))
	for name, rest := range map[string]string{
		"length":     fmt.Sprintf("Content-Length: %d\r\n\r\n", 2*part) + strings.Repeat(" ", part),
		"one byte":   fmt.Sprintf("Content-Length: %d\r\n\r\n", part+1) + strings.Repeat(" ", part),
		"short":      "Content-Length: 100\r\n\r\n" + strings.Repeat(" ", 50),
		"in a chunk": "Transfer-Encoding: chunked\r\n\r\n" + chunk(strings.Repeat(" ", part)) + "ff\r\nabc",
		"no end":     "Transfer-Encoding: chunked\r\n\r\n" + chunk(strings.Repeat(" ", part)),
	} {
		for _, path := range []string{"/v1/chat/completions", "/v1/files"} {
			for range 20 {
				c, err := net.Dial("tcp", e.addr)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s", path, appKeyForTest, rest)
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}
			if n := len(e.up.requests()); n != 0 {
				t.Fatalf("%s, %s: %d upstream requests, want none", name, path, n)
			}
		}
	}
}

// TestGateway_LeavesWhileWaiting: a call that waits for a connection is never
// sent once its client has left.
func TestGateway_LeavesWhileWaiting(t *testing.T) {
	release := make(chan struct{})
	e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		<-release
		return answerJSON(chatAnswer)(c, nil, nil)
	}, func(o *Options) { o.Upstreams[0].MaxConns = 1 })
	first := e.dialRaw(hello)
	e.await("the first call", func() bool { return len(e.up.requests()) == 1 })
	second := e.dialRaw(hello)
	e.await("the second call", func() bool { return e.g.inFlight.Load() == 2 })
	_ = second.Close()
	e.await("the gateway to notice", func() bool {
		gone := 0
		e.g.conns.each(func(c *clientConn) {
			if c.gone() == left {
				gone++
			}
		})
		return gone == 1
	})
	close(release)
	if r, err := http.ReadResponse(bufio.NewReader(first), nil); err != nil || r.StatusCode != 200 {
		t.Fatalf("first call: %v, %v", r, err)
	}
	e.await("both rows", func() bool { e.store.mu.Lock(); defer e.store.mu.Unlock(); return len(e.store.rows) == 2 })
	if n := len(e.up.requests()); n != 1 {
		t.Errorf("%d upstream requests, want 1: the client of the second had left", n)
	}
}

// TestGateway_ManyStreams: 200 streams at once, half of them left at random; the
// others get their own bytes and nothing else.
func TestGateway_ManyStreams(t *testing.T) {
	const streams, chunks = 200, 40
	e := start(t, func(c net.Conn, _ *http.Request, body []byte) bool {
		tag := string(body[bytes.Index(body, []byte("tag-")) : bytes.Index(body, []byte("tag-"))+8])
		if _, err := io.WriteString(c, sseHead); err != nil {
			return false
		}
		for range chunks {
			if _, err := io.WriteString(c, chunk(delta(tag))); err != nil {
				return false
			}
		}
		_, err := io.WriteString(c, chunk(sseStop)+chunk(sseDone)+"0\r\n\r\n")
		return err == nil
	})
	e.inForce(rule("Be brief.", ""))
	var wg sync.WaitGroup
	var whole atomic.Int32
	for i := range streams {
		wg.Add(1)
		go func() {
			defer wg.Done()
			tag := fmt.Sprintf("tag-%04d", i)
			leaveAt := -1
			if i%2 == 0 {
				leaveAt = rand.IntN(chunks * 150)
			}
			body := `{"model":"support","stream":true,"messages":[{"role":"user","content":"` + tag + `"}]}`
			c, err := net.Dial("tcp", e.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", appKeyForTest, len(body), body)
			if leaveAt >= 0 {
				_, _ = io.CopyN(io.Discard, c, int64(leaveAt))
				return
			}
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Errorf("%s: %v", tag, err)
				return
			}
			got, err := io.ReadAll(r.Body)
			if want := strings.Repeat(delta(tag), chunks) + sseStop + sseDone; err != nil || string(got) != want {
				t.Errorf("%s: got %d bytes, want %d, error %v", tag, len(got), len(want), err)
				return
			}
			whole.Add(1)
		}()
	}
	wg.Wait()
	if whole.Load() != streams/2 {
		t.Errorf("%d whole streams, want %d", whole.Load(), streams/2)
	}
	e.await("all calls to end", func() bool { return e.g.inFlight.Load() == 0 && e.g.bytes.held.Load() == 0 })
	e.await("all rows", func() bool { return e.g.Written() == streams })
	if n := e.g.cfg.Load().upstreams["main"].pool.ConnsCount() - e.g.cfg.Load().upstreams["main"].pool.IdleConnsCount(); n != 0 {
		t.Errorf("%d upstream connections leaked", n)
	}
}
