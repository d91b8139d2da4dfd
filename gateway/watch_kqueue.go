//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package gateway

import (
	"math"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher is the kqueue form of what watch_linux.go describes: one goroutine waits
// for the end of what any client sends. What they do send wakes nobody, as long as
// it fits the socket's buffer (NOTE_LOWAT).
//
// An event names a file descriptor, which may belong to another connection by the
// time it is looked up. So the first event only asks again: the client has left
// when a second one comes, for a connection that was registered all the while.
type watcher struct {
	queue int
	end   [2]int // a pipe whose closing ends the wait
	done  chan struct{}

	mu    sync.Mutex
	conns map[int]*watched // by file descriptor
}

type watched struct {
	*clientConn
	asked bool // one event came
}

func newWatcher() (*watcher, error) {
	queue, err := unix.Kqueue()
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(queue)
	w := &watcher{queue: queue, done: make(chan struct{}), conns: map[int]*watched{}}
	if err := unix.Pipe(w.end[:]); err != nil {
		_ = unix.Close(queue)
		return nil, err
	}
	unix.CloseOnExec(w.end[0])
	unix.CloseOnExec(w.end[1])
	if err := w.register(w.end[0], unix.EV_ADD); err != nil {
		_ = unix.Close(w.end[0])
		_ = unix.Close(w.end[1])
		_ = unix.Close(queue)
		return nil, err
	}
	go w.run() // until close
	return w, nil
}

// register adds fd to the queue, or takes it out.
func (w *watcher) register(fd, flags int) error {
	var k [1]unix.Kevent_t
	unix.SetKevent(&k[0], fd, unix.EVFILT_READ, flags|unix.EV_CLEAR)
	k[0].Fflags, k[0].Data = unix.NOTE_LOWAT, math.MaxInt32
	_, err := unix.Kevent(w.queue, k[:], nil, nil)
	return err
}

// run leaves the calls of clients that left.
func (w *watcher) run() {
	defer close(w.done)
	events := make([]unix.Kevent_t, 128)
	for {
		n, err := unix.Kevent(w.queue, nil, events, nil)
		if err != nil && err != unix.EINTR {
			return
		}
		for i := range events[:max(n, 0)] {
			e := &events[i]
			switch fd := int(e.Ident); {
			case e.Flags&unix.EV_EOF == 0:
			case fd == w.end[0]:
				return
			default:
				w.ended(fd)
			}
		}
	}
}

// ended asks again at the first event of a connection, and ends its call at the
// second.
func (w *watcher) ended(fd int) {
	w.mu.Lock()
	c := w.conns[fd]
	again := c != nil && !c.asked
	if again {
		c.asked = true
	}
	w.mu.Unlock()
	switch {
	case c == nil:
	case again:
		control(c.Conn, func(fd int) { // fd is c's in here
			_ = w.register(fd, unix.EV_DELETE)
			_ = w.register(fd, unix.EV_ADD)
		})
	default:
		c.leave(left)
	}
}

// add watches c, if it has a socket. A connection without one is found to be gone
// when a write to it fails.
func (w *watcher) add(c *clientConn) {
	control(c.Conn, func(fd int) {
		w.mu.Lock()
		w.conns[fd] = &watched{clientConn: c}
		w.mu.Unlock()
		c.token = uint64(fd)
		if w.register(fd, unix.EV_ADD) != nil {
			w.remove(c)
		}
	})
}

// remove forgets c. Closing its socket took it out of the queue; its file
// descriptor may be another connection's by now.
func (w *watcher) remove(c *clientConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := w.conns[int(c.token)]; at != nil && at.clientConn == c {
		delete(w.conns, int(c.token))
	}
}

func (w *watcher) close() {
	_ = unix.Close(w.end[1])
	<-w.done
	_ = unix.Close(w.end[0])
	_ = unix.Close(w.queue)
}

// stale says whether an idle connection must not be used: the other side closed
// it, or sent something that belongs to no request. Over TLS that could also be a
// session ticket; then a connection is given up for nothing, which costs a
// handshake, while a missed close costs a request.
func stale(n int, _ bool) bool {
	fds := []unix.PollFd{{Fd: int32(n), Events: unix.POLLIN}}
	k, err := unix.Poll(fds, 0)
	return err == nil && k > 0
}
