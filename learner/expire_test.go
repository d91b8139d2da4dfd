package learner

import (
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

func TestLearner_ProposalsExpire(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "u1", "Mention the 30 day return window")
	b.say(b.exchange("is the hotline open on sundays"), "u2", "Always name the opening hours")
	b.work()
	b.l.tend(b.ctx)
	b.now = b.now.Add(ProposalLife - time.Hour)
	b.say(b.exchange("can i return my shoes"), "u3", "Mention the 30 day return window")
	b.work()
	b.now = b.now.Add(time.Hour)
	b.l.tend(b.ctx)
	if p := b.one(); !strings.Contains(p.Title, "return window") {
		t.Errorf("open %q, want the one with newer evidence", p.Title)
	}
	ps := b.proposals(store.Expired)
	if len(ps) != 1 || ps[0].DecidedBy != "learner" || !strings.Contains(ps[0].Reason, "30 days") || !strings.Contains(ps[0].Title, "opening hours") {
		t.Fatalf("expired %+v", ps)
	}
	b.say(b.exchange("is the hotline open on sundays"), "u4", "Always name the opening hours")
	b.work()
	if n := len(b.proposals(store.Open)); n != 2 {
		t.Errorf("%d open after somebody said it again, want a new one", n)
	}
}

func TestOutlived(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	old, recent := now.Add(-ProposalLife), now.Add(-time.Hour)
	add := []rules.Operation{{Kind: rules.Add}}
	for name, c := range map[string]struct {
		p    store.Proposal
		want bool
	}{
		"old":               {store.Proposal{State: store.Open, Created: old, Ops: add}, true},
		"recent":            {store.Proposal{State: store.Open, Created: recent, Ops: add}, false},
		"edited":            {store.Proposal{State: store.Open, Created: old, Updated: recent, Ops: add}, true},
		"recent evidence":   {store.Proposal{State: store.Open, Created: old, Ops: add, Evidence: []store.Evidence{{Time: old}, {Time: recent}}}, false},
		"of an old finding": {store.Proposal{State: store.Open, Created: recent, Ops: add, Evidence: []store.Evidence{{Time: old}}}, false},
		"snoozed":           {store.Proposal{State: store.Snoozed, Created: old, Ops: add}, false},
		"retirement":        {store.Proposal{State: store.Open, Created: old, Ops: []rules.Operation{{Kind: rules.Retire}}}, false},
		"routing":           {store.Proposal{State: store.Open, Created: old, Updated: recent, Routing: &store.RoutingCase{}}, false},
	} {
		if got := Outlived(&c.p, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A snoozed proposal waits as long as the person said and is then open again, for
// every list; what it says stays, and so does what an approval binds.
func TestLearner_SnoozedComesBack(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "u1", "Mention the 30 day return window")
	b.work()
	p := b.one()
	digest := p.Digest()
	p.State, p.Until, p.Version = store.Snoozed, b.now.Add(ProposalLife+24*time.Hour), p.Version+1
	if err := b.store.Commit(b.ctx, store.Changes{App: "shop", Proposals: []*store.Proposal{p}}); err != nil {
		t.Fatal(err)
	}
	b.l.tend(b.ctx)
	if n := len(b.proposals(store.Open)); n != 0 {
		t.Fatalf("%d open proposals before its time", n)
	}
	b.now = b.now.Add(ProposalLife + 24*time.Hour)
	b.l.tend(b.ctx)
	if p = b.one(); p.State != store.Open || p.Digest() != digest {
		t.Errorf("it is %s until %v", p.State, p.Until)
	}
}

// Somebody who retires a paused rule on its page has answered the proposal to retire it.
func TestLearner_RetiredElsewhere(t *testing.T) {
	b := newBench(t)
	b.policy.Holdout = 0.5
	r := b.inForce()
	b.serve(r, 160, func(i int, treated bool) bool { return treated && i%2 == 0 || i%10 == 0 })
	b.watch()
	b.l.tend(b.ctx)
	p := b.one()
	if len(p.Ops) != 1 || !p.Ops[0].OfPaused() {
		t.Fatalf("proposal %+v, want one about the paused rule", p)
	}
	head, set, err := store.Current(b.ctx, b.store, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Publish(b.ctx, "shop", head.Epoch, set, store.Audit{App: "shop", Time: b.now, Actor: "ada", Action: "retire", Target: r.ID, Ops: p.Ops}); err != nil {
		t.Fatal(err)
	}
	b.l.tend(b.ctx)
	if ps := b.proposals(store.Expired); len(ps) != 1 || ps[0].ID != p.ID {
		t.Errorf("expired %+v", ps)
	}
}
