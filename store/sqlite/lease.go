package sqlite

import (
	"context"
	"fmt"
	"sync"
	"time"

	"heed/store"
)

// leases is when the apps' leases end. That is not in the file: all who use the
// file are in this process, and one that ended has no lease. So renewing one
// writes nothing.
type leases struct {
	mu   sync.Mutex
	ends map[string]time.Time
}

func (l *leases) set(app string, end time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends == nil {
		l.ends = map[string]time.Time{}
	}
	l.ends[app] = end
}

func (l *leases) runs(app string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.ends[app])
}

// reader is a file, or a transaction in it.
type reader interface {
	one(ctx context.Context, dest []any, q string, args ...any) error
}

// leaseOf is the app's newest lease.
func leaseOf(ctx context.Context, r reader, app string) (l store.Lease, err error) {
	err = r.one(ctx, []any{&l.Worker, &l.Epoch}, `SELECT worker, epoch FROM lease WHERE app = ?`, app)
	if isNotFound(err) {
		err = nil
	}
	return l, err
}

// leads is store.ErrFenced unless the lease is the app's.
func leads(ctx context.Context, r reader, app string, l store.Lease) error {
	now, err := leaseOf(ctx, r, app)
	if err == nil && (now != l || l.Epoch == 0) {
		err = fmt.Errorf("lease %d of worker %q: %w: lease %d is worker %q's", l.Epoch, l.Worker, store.ErrFenced, now.Epoch, now.Worker)
	}
	return err
}

// fenced is leads for changes that people make too, without a lease.
func fenced(ctx context.Context, w *writer, app string, l store.Lease) error {
	if l == (store.Lease{}) {
		return nil
	}
	return leads(ctx, w, app, l)
}

// Lead implements store.Store.
func (s *Store) Lead(ctx context.Context, app string, l store.Lease) (store.Lease, error) {
	if err := s.check(ctx, app); err != nil {
		return store.Lease{}, err
	}
	if l.Worker == "" {
		return store.Lease{}, fmt.Errorf("lease of app %q: the worker's name is empty", app)
	}
	var given store.Lease
	err := s.main.change(ctx, quiet, func(ctx context.Context, w *writer) error {
		now, err := leaseOf(ctx, w, app)
		switch {
		case err != nil:
			return err
		case l.Epoch != 0 && l != now, l.Epoch == 0 && l.Worker != now.Worker && s.leases.runs(app):
			return nil
		case l.Epoch == 0:
			now = store.Lease{Worker: l.Worker, Epoch: now.Epoch + 1}
			_, err = w.exec(ctx, `INSERT OR REPLACE INTO lease(app, worker, epoch) VALUES(?, ?, ?)`, app, now.Worker, int64(now.Epoch))
		}
		s.leases.set(app, time.Now().Add(store.LeaseTime))
		given = now
		return err
	})
	if err != nil {
		return store.Lease{}, err
	}
	return given, nil
}

// Yield implements store.Store.
func (s *Store) Yield(ctx context.Context, app string, l store.Lease) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	return s.main.change(ctx, quiet, func(ctx context.Context, w *writer) error {
		n, err := w.exec(ctx, `UPDATE lease SET worker = '' WHERE app = ? AND worker = ? AND epoch = ?`, app, l.Worker, int64(l.Epoch))
		if n > 0 {
			s.leases.set(app, time.Time{})
		}
		return err
	})
}

// unlead ends the app's lease, whoever has it: what its learner read before is not
// to be written any more.
func (s *Store) unlead(ctx context.Context, app string) error {
	return s.main.change(ctx, quiet, func(ctx context.Context, w *writer) error {
		_, err := w.exec(ctx, `UPDATE lease SET worker = '' WHERE app = ?`, app)
		s.leases.set(app, time.Time{})
		return err
	})
}
