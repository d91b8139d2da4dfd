package learner

import (
	"strings"
	"testing"

	"heed/rules"
	"heed/store"
)

func TestLearner_SameOnThreeTopicsProposesAlways(t *testing.T) {
	b := newBench(t)
	for _, q := range []string{"how do i return my shoes", "where can i change my password", "which sizes does the parka come in"} {
		if b.l.tend(b.ctx); len(b.proposals(store.Open)) != 0 {
			t.Fatalf("proposals before three topics: %q", b.one().Title)
		}
		b.say(b.exchange(q), "u"+q[:3], "Keep the answer short")
		b.work()
		b.approve(b.one())
	}
	b.l.tend(b.ctx)
	p := b.one()
	if p.Ops[0].Kind != rules.Merge || len(p.Ops[0].IDs) != 3 || !p.Rule().Scope.Always || p.People != 3 || !strings.Contains(p.Title, "3 topics") {
		t.Fatalf("proposal %q %+v, want one rule in place of three", p.Title, p.Ops[0])
	}
	b.l.apps = map[string]*appState{} // as after a restart
	b.l.tend(b.ctx)
	if q := b.one(); q.ID != p.ID {
		t.Errorf("another proposal %s for the same", q.ID)
	}
	b.approve(p)
	if got := b.set().Rules; len(got) != 1 || got[0].ID != p.Rule().ID {
		t.Errorf("in force %+v", got)
	}
}

// reject rejects an open proposal.
func (b *bench) reject(p *store.Proposal) {
	b.Helper()
	p.State, p.DecidedBy, p.DecidedAt, p.Reason, p.Version = store.Rejected, "ann", b.now, "we changed it", p.Version+1
	if err := b.store.Commit(b.ctx, store.Changes{App: "shop", Proposals: []*store.Proposal{p}}); err != nil {
		b.Fatal(err)
	}
	b.now = b.now.Add(1e9)
}

// What was rejected comes again when twice as many people stand behind it, and not
// because one of them says it again and again.
func TestLearner_RejectedIsAskedAgainByTwiceAsMany(t *testing.T) {
	b := newBench(t)
	for round, users := range [][]string{{"u1"}, {"u1", "u1", "u2"}, {"u1", "u2", "u3", "u4"}} {
		for i, user := range users {
			if n := len(b.proposals(store.Open)); n != 0 {
				t.Fatalf("round %d: asked again after %d records", round, i)
			}
			b.say(b.exchange("can i return my shoes"), user, "Mention the 30 day return window")
			b.work()
			b.now = b.now.Add(1e9)
		}
		p := b.one()
		if p.Rule().Action != "Mention the 30 day return window." || p.People != 1<<round {
			t.Errorf("round %d: proposal %q by %d people", round, p.Title, p.People)
		}
		b.reject(p)
	}
}

func TestLearner_RejectedIsAskedAgainByUnknownPeople(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "", "Mention the 30 day return window")
	b.work()
	b.reject(b.one())
	for i := range askAgainUnknown {
		if n := len(b.proposals(store.Open)); n != 0 {
			t.Fatalf("asked again after %d records", i)
		}
		b.now = b.now.Add(1e9)
		b.say(b.exchange("can i return my shoes"), "", "Mention the 30 day return window")
		b.work()
	}
	b.one()
}
