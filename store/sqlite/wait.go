package sqlite

import (
	"context"
	"sync"
	"time"

	"heed/store"
)

// bell tells waiters of this process that the sequence number may have moved.
type bell struct {
	mu     sync.Mutex
	wake   chan struct{} // closed and replaced at each change
	closed bool
}

func (b *bell) load() { b.wake = make(chan struct{}) }

func (b *bell) fire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		close(b.wake)
		b.wake = make(chan struct{})
	}
}

// close wakes all waiters for good.
func (b *bell) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.wake)
	}
}

func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wake
}

// Wait implements store.Store. The sequence number stands in heed.db, so the
// changes of another process are found by looking at it every Options.Poll.
func (s *Store) Wait(ctx context.Context, after uint64) (uint64, error) {
	poll := time.NewTicker(s.opt.Poll)
	defer poll.Stop()
	for {
		wake := s.bell.next() // before reading, so that no change falls between
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
