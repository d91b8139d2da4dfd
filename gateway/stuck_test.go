package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"heed/store"
)

// TestGateway_ClientStopsReading: it holds the upstream back, and is given up
// after Limits.Send; then the upstream's connection is closed too.
func TestGateway_ClientStopsReading(t *testing.T) {
	const piece = 64 << 10
	const buffers = 64 << 20 // more than the kernel holds of three connections
	var sent atomic.Int64
	ended := make(chan error, 1)
	e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
		_, err := io.WriteString(c, sseHead)
		data := chunk(": " + string(make([]byte, piece)) + "\n\n")
		for err == nil && sent.Load() < 4*buffers {
			_, err = io.WriteString(c, data)
			sent.Add(piece)
		}
		ended <- err
		return false
	}, func(o *Options) { o.Limits.Send = 300 * time.Millisecond })
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
	body := `{"model":"support","stream":true,"messages":[{"role":"user","content":"Where is my order?"}]}`
	fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", appKeyForTest, len(body), body)
	select {
	case err := <-ended:
		if err == nil || sent.Load() > buffers {
			t.Errorf("the upstream could send %d bytes (%v) while the client read none", sent.Load(), err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the call never ended")
	}
	e.await("the end of the call", func() bool { return e.g.inFlight.Load() == 0 })
	e.await("its row", func() bool { return len(e.store.outcomes()) == 1 })
	if got := e.store.outcomes(); got[0] != store.Cancelled {
		t.Errorf("got outcomes %v, want cancelled", got)
	}
}
