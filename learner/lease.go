package learner

import (
	"cmp"
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"heed/store"
)

// Times of leases.
const (
	renewEvery = store.LeaseTime / 4 // two may fail
	askEvery   = time.Second         // for an app that another learner leads, and
	yieldTime  = time.Second         // to give all leases back: who ends may not wait long
	stuckAfter = 2 * recordTime      // without progress a learner renews nothing: another may do better
)

// leases are those that this learner has. Run's goroutine takes them, another
// renews them, since what Run does may take longer than they last.
type leases struct {
	asked map[string]time.Time // when Run's goroutine asked for an app that another leads
	moved atomic.Int64         // when Run's goroutine last came to something new, in Unix seconds

	mu   sync.Mutex
	held map[string]store.Lease // by app
}

func (h *leases) of(app string) store.Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[app]
}

func (h *leases) all() map[string]store.Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.held)
}

func (h *leases) take(app string, l store.Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held[app] = l
}

// lose forgets a lease that is not the app's any more.
func (h *leases) lose(app string, l store.Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held[app] == l {
		delete(h.held, app)
	}
}

// led asks for the apps that nobody leads and lists those that this learner leads.
// Each learner has an order of its own, so that those that start together, or that
// outlive another, share the apps.
func (l *Learner) led(ctx context.Context) ([]string, error) {
	apps, err := l.opt.Store.Apps(ctx)
	if err != nil {
		return nil, err
	}
	rank := func(app string) uint64 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(l.opt.Worker + " " + app)) // never fails
		return h.Sum64()
	}
	slices.SortFunc(apps, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	var out []string
	for _, app := range apps {
		ok, err := l.lead(ctx, app)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, app)
		}
	}
	l.metrics.led.Set(float64(len(out)))
	return out, nil
}

// lead reports whether this learner leads the app, and asks to if nobody else is
// known to. What it remembers of an app is dropped with the lease: another
// learner may have changed everything meanwhile.
func (l *Learner) lead(ctx context.Context, app string) (bool, error) {
	a := l.apps[app]
	if a != nil && l.leases.of(app) == a.lease {
		return true, nil
	}
	delete(l.apps, app)
	if asked, ok := l.leases.asked[app]; ok && time.Since(asked) < askEvery {
		return false, nil
	}
	got, err := l.opt.Store.Lead(ctx, app, store.Lease{Worker: l.opt.Worker})
	if err != nil {
		return false, err
	}
	if got.Epoch == 0 {
		l.leases.asked[app] = time.Now()
		return false, nil
	}
	delete(l.leases.asked, app)
	l.leases.take(app, got)
	l.app(app).lease = got
	l.opt.Log.Info("learner: leads", "app", app, "lease", got.Epoch)
	return true, nil
}

// renew keeps the leases until ctx ends. One that could not be renewed is tried
// again; what is done with it meanwhile is refused by the store if it is over and
// another learner has the next.
func (l *Learner) renew(ctx context.Context) {
	for ctx.Err() == nil {
		sleep(ctx, renewEvery)
		l.renewAll(ctx, time.Now())
	}
}

// renewAll renews the leases, unless Run's goroutine is stuck at now: a record may
// also never end. Then the next learner has it, counts the try, and puts it aside
// in the end.
func (l *Learner) renewAll(ctx context.Context, now time.Time) {
	if now.Unix()-l.leases.moved.Load() > int64(stuckAfter.Seconds()) {
		l.opt.Log.Error("BUG: learner is stuck, its leases are left to others")
		return
	}
	for app, lease := range l.leases.all() {
		c, cancel := context.WithTimeout(ctx, renewEvery)
		got, err := l.opt.Store.Lead(c, app, lease)
		cancel()
		if err == nil && got != lease {
			l.leases.lose(app, lease)
		}
	}
}

// move notes that Run's goroutine comes to something new.
func (l *Learner) move() { l.leases.moved.Store(time.Now().Unix()) }

// lost deals with a change that was refused because another learner leads the app.
func (l *Learner) lost(app string, lease store.Lease) {
	l.leases.lose(app, lease)
	clear(l.begun) // whoever has it counts on
	l.opt.Log.Warn("learner: another learner leads the app by now", "app", app, "lease", lease.Epoch)
}

// yield gives all leases back, so that others need not wait for their end.
func (l *Learner) yield(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), yieldTime)
	defer cancel()
	for app, lease := range l.leases.all() {
		if err := l.opt.Store.Yield(ctx, app, lease); err != nil {
			l.opt.Log.Warn("learner: lease not given back, it ends by itself", "app", app, "error", err)
		}
		l.leases.lose(app, lease)
	}
}
