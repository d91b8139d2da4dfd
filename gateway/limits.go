package gateway

import (
	"sync"
	"sync/atomic"
	"time"
)

// budget bounds how many bytes of bodies are held at once.
type budget struct {
	max  int64
	held atomic.Int64
}

// take reserves n bytes, or nothing.
func (b *budget) take(n int64) bool {
	if b.held.Add(n) > b.max {
		b.held.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) {
	if n != 0 {
		b.held.Add(-n)
	}
}

// rate holds an app key to its calls and tokens a minute, each a bucket that is
// full at the start and refills evenly.
type rate struct {
	mu            sync.Mutex
	calls, tokens float64 // a minute; 0: no limit
	haveC, haveT  float64
	last          time.Time
}

func newRate(a *app) *rate {
	c, t := float64(a.RequestsMinute), float64(a.TokensMinute)
	return &rate{calls: c, tokens: t, haveC: c, haveT: t}
}

func (r *rate) same(o *rate) bool { return r.calls == o.calls && r.tokens == o.tokens }

// take takes one call and the tokens that it is estimated to need. It returns how
// long until there is room, 0 when it was taken. A call that needs more tokens
// than a minute has is let through when the bucket is full.
func (r *rate) take(now time.Time, tokens float64) time.Duration {
	if r.calls == 0 && r.tokens == 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := now.Sub(r.last).Minutes(); d > 0 {
		if r.last.IsZero() {
			d = 0
		}
		r.haveC = min(r.calls, r.haveC+d*r.calls)
		r.haveT = min(r.tokens, r.haveT+d*r.tokens)
		r.last = now
	}
	var wait float64 // in minutes
	if r.calls > 0 && r.haveC < 1 {
		wait = (1 - r.haveC) / r.calls
	}
	if need := min(tokens, r.tokens); r.tokens > 0 && r.haveT < need {
		wait = max(wait, (need-r.haveT)/r.tokens)
	}
	if wait > 0 {
		return max(time.Duration(wait*float64(time.Minute)), time.Millisecond)
	}
	r.haveC--
	r.haveT -= tokens
	return 0
}

// settle corrects the estimate when an upstream said what it was.
func (r *rate) settle(estimated, used float64) {
	if r.tokens == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.haveT = min(r.tokens, r.haveT+estimated-used)
}

// breaker stops calling an upstream that cannot be reached (Breaker).
type breaker struct {
	max   int
	pause time.Duration

	failed atomic.Int32 // in a row

	mu   sync.Mutex
	next time.Time // when open: the next call to let through
}

// allow says whether a call may be tried now, and else how long to wait.
func (b *breaker) allow(now time.Time) (ok bool, wait time.Duration) {
	if b.max < 0 || int(b.failed.Load()) < b.max {
		return true, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.next) {
		return false, b.next.Sub(now)
	}
	b.next = now.Add(b.pause) // this call finds out
	return true, 0
}

// note counts whether the upstream could be reached.
func (b *breaker) note(reached bool, now time.Time) {
	if reached {
		if b.failed.Load() != 0 {
			b.failed.Store(0)
		}
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if int(b.failed.Add(1)) >= b.max {
		b.next = now.Add(b.pause)
	}
}

// suspensions are models of an upstream that something is not done with for a
// while: those that refused a request because of the injected block get none, those
// that asked for a pause are not the first to be tried.
type suspensions struct {
	n     atomic.Int32 // entries, so that the usual case takes no lock
	mu    sync.Mutex
	until map[string]time.Time
}

// Of suspensions.
const (
	suspendTime    = 10 * time.Minute
	maxSuspensions = 1000
)

func (s *suspensions) add(model string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil || len(s.until) >= maxSuspensions {
		s.until = map[string]time.Time{}
	}
	s.until[model] = until
	s.n.Store(int32(len(s.until)))
}

func (s *suspensions) has(model string, now time.Time) bool {
	if s.n.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.until[model]
	if ok && now.After(until) {
		delete(s.until, model)
		s.n.Store(int32(len(s.until)))
		return false
	}
	return ok
}
