package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"heed/wire"
)

// listener hands out clientConns, as long as there are not too many. wait for
// refused after Accept was called for the last time.
type listener struct {
	net.Listener
	g       *Gateway
	refused sync.WaitGroup
	slots   chan struct{} // of refused connections that are seen off
}

// Limits of seeing off a connection that is one too many: its request is read, so
// that the answer is not lost with a reset.
const (
	maxRefused  = 64
	refusedTime = time.Second
	refusedRead = 64 << 10
)

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.g.conns.count() >= l.g.opt.Limits.Connections {
			l.refuse(c)
			continue
		}
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 4})
		}
		return &clientConn{Conn: c, send: l.g.opt.Limits.Send}, nil
	}
}

// refuse answers 503 on a connection and closes it. It does not wait.
func (l *listener) refuse(c net.Conn) {
	body := wire.ErrorBody(wire.Other, http.StatusServiceUnavailable, "this gateway has as many connections as it takes; try again shortly", "", codeOverloaded)
	_ = c.SetDeadline(time.Now().Add(refusedTime))
	fmt.Fprintf(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	select {
	case l.slots <- struct{}{}:
	default:
		_ = c.Close()
		return
	}
	l.refused.Go(func() { // at most refusedTime
		if h, ok := c.(interface{ CloseWrite() error }); ok {
			_ = h.CloseWrite()
		}
		_, _ = io.CopyN(io.Discard, c, refusedRead)
		_ = c.Close()
		<-l.slots
	})
}

// leaving is why a call is ended before its time.
type leaving uint8

const (
	stays   leaving = iota
	left            // the client closed its connection, or its half of it
	stopped         // the gateway is stopping
)

// clientConn is a client's connection. It knows the upstream connection of the
// call that it is waiting for, and closes it when the client leaves. Serving a
// connection is one goroutine's work; the watcher and Shutdown come from others.
type clientConn struct {
	net.Conn
	token   uint64        // of the watcher; 0 is not watched
	send    time.Duration // Limits.Send
	written time.Time     // when the write deadline was set last

	mu  sync.Mutex
	why leaving
	up  *upConn // of the call that was sent; nil when there is none
}

// arm makes up the connection that is closed when the client leaves. It returns
// why the client cannot be served any more, if so; then up must not be used.
func (c *clientConn) arm(up *upConn) leaving {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == stays {
		c.up = up
	}
	return c.why
}

// disarm says that the call is over: from now on its upstream connection may
// serve others.
func (c *clientConn) disarm() leaving {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up = nil
	return c.why
}

// gone says whether the client has left, or must.
func (c *clientConn) gone() leaving {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// leave ends the call at hand.
func (c *clientConn) leave(why leaving) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == stays {
		c.why = why
	}
	if c.up != nil {
		_ = c.up.raw.Close()
	}
}

func (c *clientConn) abort() { c.leave(stopped) }

// Write gives the client Limits.Send to take what it is given: a slow reader
// holds its upstream back, one that reads nothing is closed. The deadline is
// moved when a tenth of it is over, which is cheaper and as good.
func (c *clientConn) Write(b []byte) (int, error) {
	if now := time.Now(); now.Sub(c.written) > c.send/10 {
		c.written = now
		_ = c.Conn.SetWriteDeadline(now.Add(c.send))
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		c.leave(left)
	}
	return n, err
}

// NetConn is the connection below, for TLS detection.
func (c *clientConn) NetConn() net.Conn { return c.Conn }

// connState follows clients' connections: a new one is watched, a closed one
// forgotten.
func (g *Gateway) connState(c net.Conn, s fasthttp.ConnState) {
	cc, ok := c.(*clientConn)
	if !ok {
		return
	}
	switch s {
	case fasthttp.StateNew:
		g.conns.add(cc)
		g.watch.add(cc)
	case fasthttp.StateClosed:
		g.watch.remove(cc)
		g.conns.remove(cc)
		cc.leave(left) // a call still at hand belongs to nobody
	}
}

// connSet is the open connections of clients.
type connSet struct {
	mu   sync.Mutex
	open map[*clientConn]struct{}
}

func (s *connSet) add(c *clientConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*clientConn]struct{}{}
	}
	s.open[c] = struct{}{}
}

func (s *connSet) remove(c *clientConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func (s *connSet) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

func (s *connSet) each(f func(*clientConn)) {
	s.mu.Lock()
	all := make([]*clientConn, 0, len(s.open))
	for c := range s.open {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// fd returns the file descriptor below a connection, -1 when there is none. It is
// only good for asking the kernel about it, which forgets it when it is closed.
func fd(c net.Conn) int {
	n := -1
	control(c, func(fd int) { n = fd })
	return n
}

// control calls f with the file descriptor below a connection, if there is one. It
// stays the connection's until f returns.
func control(c net.Conn, f func(fd int)) {
	for {
		switch v := c.(type) {
		case interface {
			SyscallConn() (syscall.RawConn, error)
		}:
			if raw, err := v.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { f(int(fd)) })
			}
			return
		case interface{ NetConn() net.Conn }:
			c = v.NetConn()
		default:
			return
		}
	}
}
