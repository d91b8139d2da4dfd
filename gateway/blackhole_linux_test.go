package gateway

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"heed/store"
)

// blackhole is an address whose machine drops every SYN: a listener that takes no
// connection and whose backlog is full.
func blackhole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 64 {
		c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Skip("this kernel takes more connections than the backlog has room for")
	return ""
}

// TestGateway_BlackholedUpstream is F1 of the fault matrix: nobody answers the
// SYN. The call fails after the connect timeout, not the kernel's two minutes,
// and the breaker opens so that the next one does not wait at all.
func TestGateway_BlackholedUpstream(t *testing.T) {
	addr := blackhole(t)
	e := start(t, answerJSON(chatAnswer), func(o *Options) {
		o.Upstreams[0].BaseURL = "http://" + addr + "/v1"
		o.Upstreams[0].Timeouts.Connect = 300 * time.Millisecond
		o.Upstreams[0].Breaker = Breaker{Failures: 1, Pause: time.Hour}
	})
	begin := time.Now()
	r := e.post("/v1/chat/completions", hello)
	body := readAll(t, r)
	if took := time.Since(begin); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("took %v, want the connect timeout of 300ms", took)
	}
	if r.StatusCode != 502 && r.StatusCode != 504 || r.Header.Get("X-Should-Retry") == "true" {
		t.Errorf("got %d %v %s", r.StatusCode, r.Header, body)
	}
	if x := e.row(r.Header.Get("Heed-Exchange-Id")); x.Outcome != store.UpstreamError && x.Outcome != store.Timeout || x.Timing.Sent != 0 {
		t.Errorf("got outcome %s, sent after %d us; want that nothing was sent", x.Outcome, x.Timing.Sent)
	}
	r = e.post("/v1/chat/completions", hello)
	readAll(t, r)
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("behind the open breaker: got %d %v, want 503 with Retry-After", r.StatusCode, r.Header)
	}
}
