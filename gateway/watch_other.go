//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package gateway

// watcher does nothing here (Windows and the rest), and two promises are weaker: a
// client that left is noticed when a write to it fails, so that a call whose answer
// has not begun runs on to its first byte; and a kept connection that the upstream
// has closed is found out by the call that uses it, which then answers 502. Serve
// production from a system with epoll or kqueue.
type watcher struct{}

func newWatcher() (*watcher, error)   { return &watcher{}, nil }
func (w *watcher) add(*clientConn)    {}
func (w *watcher) remove(*clientConn) {}
func (w *watcher) close()             {}
func stale(fd int, tls bool) bool     { return false }
