package learner

import (
	"context"
	"errors"
	"testing"
	"time"

	"heed/store"
)

// looking is a store that does something when the learner looks for an exchange.
type looking struct {
	store.Store
	look func(ctx context.Context, exchange string) error
}

func (s *looking) Exchange(ctx context.Context, app, id string) (*store.Exchange, error) {
	if err := s.look(ctx, id); err != nil {
		return nil, err
	}
	return s.Store.Exchange(ctx, app, id)
}

// once is a store that gives out work once.
type once struct {
	store.Store
	gave bool
}

func (s *once) Pending(ctx context.Context, app string, l store.Lease, limit int) ([]*store.Feedback, error) {
	if s.gave {
		return nil, store.ErrDown
	}
	s.gave = true
	return s.Store.Pending(ctx, app, l, limit)
}

func (b *bench) record(id string) *store.Feedback {
	b.Helper()
	f, err := b.store.FeedbackByID(b.ctx, "shop", id)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// takeAway gives all that is pending to the learner, as a learner that
// dies of it leaves it.
func (b *bench) takeAway() {
	b.Helper()
	if ok, err := b.l.lead(b.ctx, "shop"); err != nil || !ok {
		b.Fatalf("leads: %v, %v", ok, err)
	}
	if _, err := b.store.Pending(b.ctx, "shop", b.l.app("shop").lease, 100); err != nil {
		b.Fatal(err)
	}
}

// again is the learner after a restart.
func (b *bench) again() {
	b.Helper()
	l, err := New(b.l.opt)
	if err != nil {
		b.Fatal(err)
	}
	b.l = l
	b.Cleanup(l.side.Wait)
}

// What was given out before, and nothing came of it, is counted before it is
// worked on, one record at a time; what is given out for the first time is not.
func TestLearner_CountsATryBeforeItIsMade(t *testing.T) {
	b := newBench(t)
	xs := []*store.Exchange{b.exchange("how do i return my shoes"), b.exchange("where is my parcel"), b.exchange("can i pay by invoice")}
	var fs []*store.Feedback
	for _, x := range xs[:2] {
		fs = append(fs, b.say(x, "u1", "useless"))
	}
	b.takeAway()
	b.again()
	fs = append(fs, b.say(xs[2], "u1", "useless")) // nobody had it before
	looked := 0
	b.l.opt.Store = &looking{b.store, func(_ context.Context, id string) error {
		for i, x := range xs {
			want := 0
			if x.ID == id && i < 2 {
				want = 1
			}
			if got := b.record(fs[i].ID).Tries; got != want {
				t.Errorf("while %q is worked on, record %d has %d tries, want %d", id, i, got, want)
			}
		}
		looked++
		return nil
	}}
	b.work()
	if looked != 3 {
		t.Fatalf("%d exchanges were looked for, want 3", looked)
	}
	for _, f := range fs {
		if got := b.record(f.ID); got.Tries != 0 || got.Link == nil {
			t.Errorf("record %+v, want it handled, without tries", got)
		}
	}
}

// Panics count on over restarts; what is put aside says why and how often.
func TestLearner_PutAsideOverRestarts(t *testing.T) {
	b := newBench(t)
	b.now = b.now.Add(-time.Hour) // what is put off is due again at once
	x := b.exchange("how do i return my shoes")
	f := b.say(x, "u1", "useless")
	panics := 0
	b.l.opt.Store = &looking{b.store, func(context.Context, string) error { panics++; panic("of this record") }}
	whole := b.l.opt.Store
	for b.record(f.ID).Aside == "" && panics < 2*maxTries {
		b.l.opt.Store = whole
		b.again()
		b.l.opt.Store = &once{Store: whole}
		if err := b.l.work(b.ctx); !errors.Is(err, store.ErrDown) {
			t.Fatal(err)
		}
	}
	if got := b.record(f.ID); panics != maxTries || got.Tries != maxTries || got.Aside != "BUG: of this record" {
		t.Errorf("it panicked %d times; record with %d tries, put aside because %q", panics, got.Tries, got.Aside)
	}
	as, _, err := b.store.Audits(b.ctx, store.AuditFilter{App: "shop", Action: "put-aside", Target: f.ID})
	if err != nil || len(as) != 1 {
		t.Errorf("audit %+v %v, want one entry", as, err)
	}
}

// A store that does not answer is no try of the record at which it failed, also
// when it is back for the moment in which that would be noted.
func TestLearner_OutageIsNoTry(t *testing.T) {
	b := newBench(t)
	x := b.exchange("how do i return my shoes")
	f := b.say(x, "u1", "useless")
	b.takeAway()
	fails := 3 * maxTries
	b.l.opt.Store = &looking{b.store, func(context.Context, string) error {
		if fails--; fails >= 0 {
			return store.ErrDown
		}
		return nil
	}}
	for fails > 0 {
		if err := b.l.work(b.ctx); !errors.Is(err, store.ErrDown) {
			t.Fatalf("got %v, want the store's error", err)
		}
		if got := b.record(f.ID).Tries; got != 1 { // begun, once
			t.Fatalf("%d tries during the outage, want 1", got)
		}
	}
	b.work()
	if got := b.record(f.ID); got.Tries != 0 || got.Link == nil || got.Aside != "" {
		t.Errorf("record %+v, want it handled", got)
	}
}

// A learner that is told to end while it works on a record takes the try back.
func TestLearner_CleanEndIsNoTry(t *testing.T) {
	b := newBench(t)
	f := b.say(b.exchange("how do i return my shoes"), "u1", "useless")
	for range 2 * maxTries {
		b.takeAway()
		b.again()
		ctx, stop := context.WithCancel(b.ctx)
		b.l.opt.Store = &looking{b.store, func(ctx context.Context, _ string) error {
			if got := b.record(f.ID).Tries; got != 1 {
				t.Errorf("%d tries while it is worked on, want 1", got)
			}
			stop()
			<-ctx.Done()
			return ctx.Err()
		}}
		if err := b.l.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if got := b.record(f.ID).Tries; got != 0 {
			t.Fatalf("%d tries after a clean end, want 0", got)
		}
	}
	b.l.opt.Store = b.store
	b.work()
	if got := b.record(f.ID); got.Link == nil {
		t.Errorf("record %+v, want it handled", got)
	}
}
