package gateway

import (
	"sync"

	"golang.org/x/sys/unix"
)

// watcher tells within a millisecond that a client closed its connection, or its
// half of it: one goroutine waits on an epoll set of all clients' sockets. fasthttp
// does not say it (its issue 965), and a failing write says it too late: before the
// first token there is nothing to write. Each socket is registered once; its event
// fires once. Connections are found by token, never by file descriptor, since the
// kernel gives those out again.
type watcher struct {
	epoll, end int // end is an eventfd that ends the wait
	done       chan struct{}

	mu    sync.Mutex
	next  uint64
	conns map[uint64]*clientConn
}

func newWatcher() (*watcher, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	end, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, end, &unix.EpollEvent{Events: unix.EPOLLIN})
	}
	if err != nil {
		_ = unix.Close(epoll)
		return nil, err
	}
	w := &watcher{epoll: epoll, end: end, done: make(chan struct{}), conns: map[uint64]*clientConn{}}
	go w.run() // until close
	return w, nil
}

// run leaves the calls of clients that left.
func (w *watcher) run() {
	defer close(w.done)
	events := make([]unix.EpollEvent, 128)
	for {
		n, err := unix.EpollWait(w.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		for _, e := range events[:max(n, 0)] {
			token := uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
			if token == 0 {
				return
			}
			w.mu.Lock()
			c := w.conns[token]
			w.mu.Unlock()
			if c != nil {
				c.leave(left)
			}
		}
	}
}

// add watches c, if it has a socket. A connection without one is found to be gone
// when a write to it fails.
func (w *watcher) add(c *clientConn) {
	n := fd(c.Conn)
	if n < 0 {
		return
	}
	w.mu.Lock()
	w.next++
	c.token = w.next
	w.conns[c.token] = c
	w.mu.Unlock()
	e := unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(uint32(c.token)), Pad: int32(uint32(c.token >> 32))}
	if unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, n, &e) != nil {
		w.remove(c)
	}
}

// remove forgets c. Closing its socket took it out of the epoll set.
func (w *watcher) remove(c *clientConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c.token)
}

func (w *watcher) close() {
	_, _ = unix.Write(w.end, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	<-w.done
	_ = unix.Close(w.end)
	_ = unix.Close(w.epoll)
}

// stale says whether an idle connection must not be used: the other side closed
// it, or (on a connection without TLS, whose records may come at any time) sent
// something that belongs to no request.
func stale(n int, tls bool) bool {
	fds := []unix.PollFd{{Fd: int32(n), Events: unix.POLLIN | unix.POLLRDHUP}}
	k, err := unix.Poll(fds, 0)
	if err != nil || k == 0 {
		return false
	}
	const over = unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR | unix.POLLNVAL
	return fds[0].Revents&over != 0 || !tls
}
