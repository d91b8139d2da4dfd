package sqlite

import (
	"context"
	"sync"
	"time"

	"heed/store"
)

// signal tells waiters of this process that the sequence number may have moved.
type signal struct {
	mu     sync.Mutex
	wake   chan struct{} // closed and replaced at each change
	closed bool
}

func (s *signal) load(_ context.Context, d *database) error {
	s.wake = make(chan struct{})
	d.w.after = s.fire
	return nil
}

func (s *signal) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		close(s.wake)
		s.wake = make(chan struct{})
	}
}

// close wakes all waiters for good.
func (s *signal) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.wake)
	}
}

func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wake
}

// Wait implements store.Store. The sequence number stands in heed.db, so the
// changes of another process are found by looking at it every Options.Poll.
func (s *Store) Wait(ctx context.Context, after uint64) (uint64, error) {
	poll := time.NewTicker(s.opt.Poll)
	defer poll.Stop()
	for {
		wake := s.signal.next() // before reading, so that no change falls between
		if err := s.ready(ctx); err != nil {
			return 0, err
		}
		var seq int64
		if err := s.main.one(ctx, []any{&seq}, `SELECT v FROM meta WHERE k = 'seq'`); err != nil {
			if s.closed.Load() {
				return 0, store.ErrClosed
			}
			return 0, err
		}
		if uint64(seq) > after {
			return uint64(seq), nil
		}
		select {
		case <-wake:
		case <-poll.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
