package redis

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// changes is the sequence number that Wait follows: the sum of the apps' own
// numbers, each of which only grows. When the server comes back from an outage or
// with older data it counts on, so that nobody sleeps through what they may have
// missed.
type changes struct {
	wake chan struct{} // look now
	turn chan struct{} // holds one value while nobody reads the numbers

	mu     sync.Mutex
	own    bool   // this process changed something since the numbers were read
	sum    uint64 // as read last
	offset uint64 // how far the number is ahead of the sum
	missed bool   // somebody was served from local copies since
	seq    uint64
	moved  chan struct{} // closed and replaced at each change
	closed bool
}

func newChanges() *changes {
	c := &changes{wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), moved: make(chan struct{})}
	c.turn <- struct{}{}
	return c
}

// kick notes a change of this process and makes the watcher look now.
func (c *changes) kick() {
	c.mu.Lock()
	c.own = true
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// resync makes the next answer of the server count as a change.
func (c *changes) resync() {
	c.mu.Lock()
	c.missed = true
	c.mu.Unlock()
}

// begin says, before the server is read, whether something was missed and whether
// this process changed something.
func (c *changes) begin() (missed, own bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	missed, own = c.missed, c.own
	c.missed, c.own = false, false
	return missed, own
}

// failed takes back begin: the server was not read.
func (c *changes) failed(missed, own bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missed, c.own = c.missed || missed, c.own || own
}

// set takes what was read, and wakes those who wait when it is a change. back says
// that the server lost something, or may have while it was away.
func (c *changes) set(sum uint64, missed bool) (back bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	back = sum < c.sum || missed
	if back {
		c.offset += 1 + max(c.sum, sum) - sum
	}
	c.sum = sum
	if next := c.sum + c.offset; next > c.seq {
		c.seq = next
		c.fire()
	}
	return back
}

// fire wakes everybody. The caller holds mu.
func (c *changes) fire() {
	if !c.closed {
		close(c.moved)
		c.moved = make(chan struct{})
	}
}

func (c *changes) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.moved)
	}
}

func (c *changes) now() (uint64, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seq, c.moved
}

// Wait implements store.Store. The number is this process's own. During an outage
// it blocks; when the server answers again it returns.
func (s *Store) Wait(ctx context.Context, after uint64) (uint64, error) {
	for {
		if err := s.ready(ctx); err != nil {
			return 0, err
		}
		if err := s.lookAtOwn(ctx); err != nil {
			return 0, err
		}
		seq, moved := s.changes.now()
		if seq > after {
			return seq, nil
		}
		select {
		case <-moved: // also by Close
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// A flood of messages must not become a flood of reads: between two looks there
// is minLook, and a little for every app that was read.
const (
	minLook     = 5 * time.Millisecond
	lookPerApp  = 50 * time.Microsecond
	maxLookWait = 500 * time.Millisecond
)

// watch reads the numbers whenever the server says that something changed, and
// every Options.Poll in case the message was lost, until ctx ends.
func (s *Store) watch(ctx context.Context) {
	sub := s.client.Subscribe(ctx, s.channel())
	defer sub.Close()
	messages := sub.Channel(redis.WithChannelSize(1000))
	tick := time.NewTicker(s.opt.Poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		apps := s.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(maxLookWait, minLook+time.Duration(apps)*lookPerApp)):
		}
		select {
		case <-ctx.Done():
		case _, ok := <-messages:
			for ok && len(messages) > 0 {
				_, ok = <-messages
			}
			if !ok {
				messages = nil
			}
		case <-s.changes.wake:
		case <-tick.C:
		}
	}
}

// lookAtOwn reads the numbers if this process changed something since, so that
// what Wait returns covers every change that returned before Wait was called.
func (s *Store) lookAtOwn(ctx context.Context) error {
	select {
	case <-s.changes.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.changes.mu.Lock()
	own := s.changes.own
	s.changes.mu.Unlock()
	s.changes.turn <- struct{}{}
	if own {
		s.look(ctx)
	}
	return ctx.Err()
}

// look reads the numbers once, one reader at a time, and returns how many apps
// there are.
func (s *Store) look(ctx context.Context) (apps int) {
	select {
	case <-s.changes.turn:
		defer func() { s.changes.turn <- struct{}{} }()
	case <-ctx.Done():
		return 0
	}
	missed, own := s.changes.begin()
	states, err := s.appStates(ctx)
	if err != nil {
		s.changes.failed(missed || ctx.Err() == nil, own) // a caller that left says nothing about the server
		return 0
	}
	var sum uint64
	for _, st := range states {
		sum += st.seq
	}
	if s.changes.set(sum, missed) {
		s.apps.Clear() // it may be without them
		if err := s.out.again(); err != nil {
			s.opt.Log.Error("what was delivered lately is not delivered again", "error", err)
		}
	}
	for app, st := range states {
		if s.erased.due(app, st.erased) {
			if err := s.followErased(ctx, app); err != nil && ctx.Err() == nil {
				s.opt.Log.Warn("an erasure is not followed yet", "app", app, "error", err)
			}
		}
	}
	s.out.up()
	if s.indexer != nil {
		s.indexer.kick()
	}
	return len(states)
}
