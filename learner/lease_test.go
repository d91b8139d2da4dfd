package learner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"heed/rules/match"
	"heed/store"
	"heed/store/storetest"
)

// other is a second learner on the bench's store.
func (b *bench) other() *bench {
	b.Helper()
	o := *b
	opt := b.l.opt
	opt.Worker, opt.Store = "", b.store
	var err error
	if o.l, err = New(opt); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(o.l.side.Wait)
	return &o
}

// evidence lists the records behind the proposal.
func evidence(p *store.Proposal) (ids []string) {
	for _, e := range p.Evidence {
		ids = append(ids, e.Feedback)
	}
	slices.Sort(ids)
	return ids
}

// Two learners that are given many like wishes at once write one proposal. The one
// that leads gives its lease back when it ends.
func TestLearner_TwoLearnersOneProposal(t *testing.T) {
	b := newBench(t)
	b.l.opt.Now = time.Now
	learners := []*bench{b, b.other()}
	stop := map[int]func(){}
	for i, l := range learners {
		ctx, cancel := context.WithCancel(b.ctx)
		done := make(chan error, 1)
		go func() { done <- l.l.Run(ctx) }() // ends with ctx
		stop[i] = func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	var want []string
	say := func(n int) {
		for range n {
			x := b.exchange(fmt.Sprintf("how do i return my shoes %d", len(want)))
			want = append(want, b.say(x, fmt.Sprint("u", len(want)), "Always mention the return window").ID)
		}
		slices.Sort(want)
	}
	whole := func() bool {
		ps := b.proposals(store.Open)
		return len(ps) > 0 && slices.Equal(evidence(ps[0]), want)
	}
	say(20)
	b.await("one proposal of all", whole)
	b.one()
	at := slices.IndexFunc(learners, func(l *bench) bool { return l.l.leases.of("shop").Epoch > 0 })
	if at < 0 || learners[1-at].l.leases.of("shop").Epoch > 0 {
		t.Fatal("one learner must lead the app")
	}
	stop[at]()
	ended := time.Now()
	say(1)
	b.await("what was said later in it", whole)
	if took := time.Since(ended); took >= store.LeaseTime {
		t.Errorf("the other took over after %v: the lease was not given back", took)
	}
	b.one()
	stop[1-at]()
}

// A learner that lost its lease while it worked on a record changes nothing any
// more, counts no try, and drops what it knew; the record's effect is there once.
func TestLearner_LosesItsLeaseAtWork(t *testing.T) {
	b := newBench(t)
	o := b.other()
	f := b.say(b.exchange("how do i return my shoes"), "u1", "Always mention the return window")
	taken := false
	b.l.opt.Store = &looking{b.store, func(ctx context.Context, _ string) error {
		if taken {
			return nil
		}
		taken = true
		if err := b.store.Yield(ctx, "shop", b.l.leases.of("shop")); err != nil { // as if its time were over
			t.Error(err)
		}
		o.work()
		return nil
	}}
	b.work()
	b.work() // what it lost, it does not lead
	if p := o.one(); !slices.Equal(evidence(p), []string{f.ID}) || p.Version != 1 {
		t.Errorf("proposal %+v, want one that was written once", p)
	}
	if got := b.record(f.ID); got.Tries != 0 || got.Link == nil {
		t.Errorf("record %+v, want it handled, without a try", got)
	}
	if b.l.apps["shop"] != nil || b.l.leases.of("shop") != (store.Lease{}) {
		t.Error("the first learner still leads, as far as it knows")
	}
}

// leading counts renewals.
type leading struct {
	store.Store
	renewed int
}

func (s *leading) Lead(ctx context.Context, app string, l store.Lease) (store.Lease, error) {
	if l.Epoch > 0 {
		s.renewed++
	}
	return s.Store.Lead(ctx, app, l)
}

// A learner that works renews its leases; one that is stuck leaves them to others.
func TestLearner_StuckDoesNotRenew(t *testing.T) {
	b := newBench(t)
	s := &leading{Store: b.store}
	b.l.opt.Store = s
	b.say(b.exchange("how do i return my shoes"), "u1", "Always mention the return window")
	b.work()
	b.l.renewAll(b.ctx, time.Now().Add(stuckAfter-time.Second))
	if s.renewed != 1 {
		t.Errorf("a learner that works renewed %d leases, want 1", s.renewed)
	}
	b.l.renewAll(b.ctx, time.Now().Add(stuckAfter+2*time.Second))
	if s.renewed != 1 {
		t.Error("a learner that is stuck renewed its lease")
	}
	if l, err := b.store.Lead(b.ctx, "shop", store.Lease{Worker: "another"}); err != nil || l.Epoch != 0 {
		t.Errorf("another got %+v, %v while the lease runs", l, err)
	}
}

// What a learner does besides feedback needs the lease too: here it pauses a rule,
// and refreshes word statistics.
func TestLearner_TendsOnlyWhatItLeads(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "u1", "Always mention the return window")
	b.work()
	b.approve(b.one())
	a := b.l.app("shop")
	r := &b.set().Rules[0]
	if err := b.store.Yield(b.ctx, "shop", a.lease); err != nil {
		t.Fatal(err)
	}
	storetest.Lead(t, b.store, "shop", "another")
	before := b.set().Hash()
	for what, err := range map[string]error{
		"pause":      b.l.pause(b.ctx, a, "shop", r, "it harms"),
		"statistics": b.l.publishStats(b.ctx, "shop", a.lease, match.Fit(nil, nil, match.FitOptions{})),
	} {
		if !errors.Is(err, store.ErrFenced) {
			t.Errorf("%s: got %v, want %v", what, err, store.ErrFenced)
		}
	}
	b.l.tend(b.ctx)
	if got := b.set().Hash(); got != before {
		t.Error("the rules in force changed")
	}
}
