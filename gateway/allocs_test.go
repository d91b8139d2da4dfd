package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
)

// rawServer answers every request of reqLen bytes at once, without allocating.
func rawServer(t testing.TB) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	answer := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(chatAnswer), chatAnswer))
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 64<<10)
				for n := 0; ; {
					k, err := c.Read(buf[n:])
					if err != nil {
						return
					}
					if n += k; bytes.HasSuffix(buf[:n], []byte("]}")) { // the end of every body of these tests
						n = 0
						if _, err := c.Write(answer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// rawCall returns a function that makes one call on a kept connection.
func rawCall(t testing.TB, e *env) func() {
	t.Helper()
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	const body = `{"model":"support","temperature":0.2,"messages":[{"role":"system","content":"You are a shop assistant."},{"role":"user","content":"Which shoe size do I need?"}]}`
	req := []byte(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nUser-Agent: test\r\nContent-Length: %d\r\n\r\n%s", appKeyForTest, len(body), body))
	buf := make([]byte, 16<<10)
	return func() {
		if _, err := c.Write(req); err != nil {
			t.Fatal(err)
		}
		for n := 0; ; {
			k, err := c.Read(buf[n:])
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if n += k; bytes.HasSuffix(buf[:n], []byte(chatAnswer)) {
				return
			}
			if err != nil {
				t.Fatalf("got %q", buf[:n])
			}
		}
	}
}

func startForAllocs(t testing.TB) *env {
	t.Helper()
	addr := rawServer(t)
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Upstreams[0].BaseURL = "http://" + addr + "/v1" })
	e.store.forget.Store(true)
	e.inForce(rule("Be brief.", ""), rule("Say the size chart's name.", "someone asks about shoe sizes", "Which shoe size do I need?"))
	return e
}

// TestGateway_Allocs holds what a logged call with two injected rules allocates, in
// the whole process: gateway, HTTP, queue and the preparation of the row.
func TestGateway_Allocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	e := startForAllocs(t)
	call := rawCall(t, e)
	for range 200 {
		call()
	}
	const most = 45
	if n := testing.AllocsPerRun(2000, call); n > most {
		t.Errorf("%.0f allocations a call, at most %d", n, most)
	} else {
		t.Logf("%.0f allocations a call", n)
	}
}

func BenchmarkGateway(b *testing.B) {
	e := startForAllocs(b)
	call := rawCall(b, e)
	call()
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}
