package redis

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"heed/store"
)

// Pool and timeouts (security reference, section 6.1): the driver's own retries
// stay off, because they would repeat any command after a lost reply; ours repeat
// only scripts that know their token.
const (
	dialTimeout  = 500 * time.Millisecond
	poolTimeout  = 300 * time.Millisecond
	maxConns     = 32
	connIdleTime = 5 * time.Minute
)

// newClient makes the client that the URL asks for. It does not connect. The
// driver's own log, which goes to standard error, is turned off: what it would say
// during an outage the store says once.
func newClient(opt Options) (redis.UniversalClient, error) {
	logging.Disable()
	u, err := url.Parse(opt.URL)
	if err != nil {
		return nil, errors.New("redis store: the URL cannot be read (it is not shown, it may hold a password)")
	}
	size := min(maxConns, 8*runtime.GOMAXPROCS(0))
	off := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	q := u.Query()
	switch {
	case q.Has("addr") && !q.Has("master_name"):
		o, err := redis.ParseClusterURL(opt.URL)
		if err != nil {
			return nil, badURL(err, u)
		}
		o.MaxRetries, o.MaxRedirects = -1, 3 // a redirect is no repeat: the node refused
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = dialTimeout, opt.Timeout, opt.Timeout, poolTimeout
		o.PoolSize, o.MaxActiveConns, o.ConnMaxIdleTime, o.ContextTimeoutEnabled = size, maxConns, connIdleTime, true
		o.MaintNotificationsConfig = off
		return redis.NewClusterClient(o), nil
	case q.Has("master_name"):
		o, err := redis.ParseFailoverURL(opt.URL)
		if err != nil {
			return nil, badURL(err, u)
		}
		o.MaxRetries = -1
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = dialTimeout, opt.Timeout, opt.Timeout, poolTimeout
		o.PoolSize, o.MaxActiveConns, o.ConnMaxIdleTime, o.ContextTimeoutEnabled = size, maxConns, connIdleTime, true
		return redis.NewFailoverClient(o), nil
	}
	o, err := redis.ParseURL(opt.URL)
	if err != nil {
		return nil, badURL(err, u)
	}
	o.MaxRetries, o.DialerRetries = -1, 1
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = dialTimeout, opt.Timeout, opt.Timeout, poolTimeout
	o.PoolSize, o.MaxActiveConns, o.ConnMaxIdleTime, o.ContextTimeoutEnabled = size, maxConns, connIdleTime, true
	o.MaintNotificationsConfig = off
	return redis.NewClient(o), nil
}

// badURL says what is wrong with the URL without its password.
func badURL(err error, u *url.URL) error {
	text := err.Error()
	p, _ := u.User.Password()
	for _, secret := range []string{p, u.Query().Get("password"), u.Query().Get("sentinel_password")} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return fmt.Errorf("redis store: %s", text)
}

// errDown means that the breaker is open: the call was not tried.
var errDown = fmt.Errorf("redis: %w", store.ErrDown)

// The breaker opens after maxFailures calls in a row that the server did not
// answer; then one call each probeEvery is let through.
const (
	maxFailures = 3
	probeEvery  = time.Second
)

// breaker keeps calls from waiting for a server that is gone.
type breaker struct {
	mu       sync.Mutex
	failures int
	probe    time.Time // when the next call may try, while open
	answered time.Time // last time that the server did
	cause    string    // why it is open
}

// allow reports whether a call may be tried now.
func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < maxFailures {
		return true
	}
	if now.Before(b.probe) {
		return false
	}
	b.probe = now.Add(probeEvery)
	return true
}

// ok notes an answer and reports whether the breaker was open.
func (b *breaker) ok(now time.Time) (closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	closed = b.failures >= maxFailures
	b.failures, b.answered = 0, now
	return closed
}

// failed notes a failure and reports whether it opened the breaker.
func (b *breaker) failed(now time.Time, cause string) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	b.cause = cause
	if b.failures < maxFailures {
		return false
	}
	b.probe = now.Add(probeEvery)
	return b.failures == maxFailures
}

// since is how long ago the server answered last, from start when never.
func (b *breaker) since(now, start time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answered.IsZero() {
		return now.Sub(start)
	}
	return now.Sub(b.answered)
}

// call runs fn, which must bear being run twice, within Options.Timeout: again
// once when the connection turned out to be dead, not at all while the breaker is
// open. redis.Nil comes back as it is; other errors say what was called.
func (s *Store) call(ctx context.Context, what string, fn func(context.Context) error) error {
	return s.callFor(ctx, s.opt.Timeout, what, fn)
}

func (s *Store) callFor(ctx context.Context, limit time.Duration, what string, fn func(context.Context) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	start := time.Now()
	if !s.health.allow(start) {
		s.health.mu.Lock()
		defer s.health.mu.Unlock()
		return fmt.Errorf("%s: %w (%s)", what, errDown, s.health.cause)
	}
	c, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := fn(c)
	if lostConnection(err) && c.Err() == nil {
		s.changes.resync() // the server may be another one now
		err = fn(c)
	}
	s.metrics.call(what, start, err)
	return s.judge(ctx, what, err)
}

// lostConnection reports whether the connection ended before the reply.
func lostConnection(err error) bool {
	if err == nil || isReply(err) || overloaded(err) {
		return false
	}
	var timeout interface{ Timeout() bool }
	return !errors.As(err, &timeout) || !timeout.Timeout()
}

// overloaded reports whether no connection was free: that is this process's own
// doing and says nothing about the server.
func overloaded(err error) bool {
	return errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted)
}

// isReply reports whether the server sent the error.
func isReply(err error) bool {
	var e redis.Error
	return errors.As(err, &e)
}

// unable are replies of a server that cannot serve at all now.
var unable = []string{"LOADING", "CLUSTERDOWN", "MASTERDOWN", "NOAUTH", "WRONGPASS", "BUSY ", "ERR max number of clients"}

// timeOver is ctx's error, also in the moment in which the connection has noticed
// that the caller's time is over, and the context's own timer has not yet.
func timeOver(ctx context.Context, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok && !now.Before(end) {
		return context.DeadlineExceeded
	}
	return nil
}

// judge tells the breaker how a call went and gives its error words.
func (s *Store) judge(ctx context.Context, what string, err error) error {
	now := time.Now()
	if err == nil || errors.Is(err, redis.Nil) {
		if s.health.ok(now) {
			s.opt.Log.Info("redis answers again")
		}
		return err
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	if over := timeOver(ctx, now); over != nil { // that says nothing about the server
		return fmt.Errorf("%s: %w", what, over)
	}
	text := err.Error()
	if overloaded(err) {
		return fmt.Errorf("%s: %w: all %d connections to redis are in use", what, store.ErrDown, maxConns)
	}
	down := !isReply(err)
	for _, u := range unable {
		down = down || strings.HasPrefix(text, u)
	}
	if down {
		if s.health.failed(now, text) {
			s.opt.Log.Error("redis does not answer; feedback is kept in the journal, rules in force stay", "error", text)
		}
		return fmt.Errorf("%s: %w: %s", what, errDown, text)
	}
	s.health.ok(now)
	if redis.IsOOMError(err) {
		return fmt.Errorf("%s: %w: redis is at its maxmemory", what, store.ErrFull)
	}
	return fmt.Errorf("%s: redis: %s", what, text)
}
