package learner

import (
	"fmt"
	"testing"

	"heed/rules"
	"heed/store"
)

// What a card says it would touch follows the word statistics; what an approval
// binds, and when people last spoke, stay as they are.
func TestLearner_MeasuresProposalsAgain(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "u1", "Mention the 30 day return window", func(f *store.Feedback) { f.When = "someone asks about returns" })
	b.work()
	before := b.one()
	for i := range 60 {
		b.exchange(fmt.Sprintf("how do i return parcel %d", i))
		b.exchange(fmt.Sprintf("when does shop %d open", i))
	}
	b.now = b.now.Add(fitIdle)
	b.l.tend(b.ctx)
	b.l.side.Wait() // the fit
	b.l.tend(b.ctx)
	b.l.tend(b.ctx)
	set, after := b.set(), b.one()
	if set.Stats == "" || before.Touch.Stats == set.Stats {
		t.Fatalf("no new word statistics: %q, the card had %q", set.Stats, before.Touch.Stats)
	}
	if after.Touch.Stats != set.Stats || after.Touch.Of <= before.Touch.Of {
		t.Errorf("measured on %d with %q, want more than %d with %q", after.Touch.Of, after.Touch.Stats, before.Touch.Of, set.Stats)
	}
	if after.Digest() != before.Digest() || !after.Updated.Equal(before.Updated) || after.Title != before.Title {
		t.Errorf("measuring changed the proposal: %+v", after)
	}
	b.l.tend(b.ctx)
	if again := b.one(); again.Version != after.Version {
		t.Errorf("measured once more: version %d, was %d", again.Version, after.Version)
	}
}

// Of two opposite proposals each says so, and how many people want the other,
// whichever came first and whoever spoke last.
func TestLearner_OppositesNameEachOther(t *testing.T) {
	b := newBench(t)
	asked := func(f *store.Feedback) { f.When = "someone asks about returns" }
	b.say(b.exchange("how do i return my shoes"), "u1", "Always mention the return window", asked)
	b.work()
	for i, user := range []string{"u2", "u3"} {
		b.say(b.exchange("how do i return my boots"), user, "Never mention the return window", asked)
		b.work()
		b.l.tend(b.ctx)
		against := 0
		for _, p := range b.proposals(store.Open) {
			if len(p.Conflicts) != 1 {
				t.Errorf("%s: %q contradicts %+v", user, p.Title, p.Conflicts)
			}
			against += p.Opposed
		}
		if want := 1 + i + 1; against != want {
			t.Errorf("%s: %d people are counted as against, want %d", user, against, want)
		}
	}
	before := b.proposals(store.Open)
	b.l.tend(b.ctx)
	for i, p := range b.proposals(store.Open) {
		if p.Version != before[i].Version {
			t.Errorf("%q was measured again for nothing", p.Title)
		}
	}
}

// Of two opposite proposals, once one is in force, the other says that it
// contradicts a rule in force.
func TestLearner_ContradictionFollowsDecisions(t *testing.T) {
	b := newBench(t)
	asked := func(f *store.Feedback) { f.When = "someone asks about returns" }
	b.say(b.exchange("how do i return my shoes"), "u1", "Always mention the return window", asked)
	b.say(b.exchange("how do i return my boots"), "u2", "Never mention the return window", asked)
	b.work()
	both := b.proposals(store.Open)
	if len(both) != 2 || len(both[0].Conflicts) != 1 && len(both[1].Conflicts) != 1 {
		t.Fatalf("proposals: %+v", both)
	}
	i := 0 // the one whose card names the other is left
	if len(both[0].Conflicts) > 0 {
		i = 1
	}
	approved := both[i].Rule().ID
	b.approve(both[i])
	b.l.tend(b.ctx)
	left := b.one()
	if len(left.Conflicts) != 1 || left.Conflicts[0].Rule != approved {
		t.Errorf("conflicts: %+v, want the rule in force %s", left.Conflicts, approved)
	}
}

// What a person let a proposal replace stays so when more people ask for it.
func TestLearner_PersonsReplacementStays(t *testing.T) {
	b := newBench(t)
	old := b.wished("Mention the amber desk")
	b.say(b.exchange("how do i return my shoes from abroad"), "u9", "Mention the ember desk instead of the amber desk.", func(f *store.Feedback) { f.When = "someone asks about returns from abroad" })
	b.work()
	p := b.one()
	if len(p.Ops) != 2 {
		t.Fatalf("operations %+v, want a split", p.Ops)
	}
	p.Ops, p.Replaces, p.Conflicts, p.Version = []rules.Operation{{Kind: rules.Supersede, Rule: p.Rule(), IDs: []string{old.ID}}}, []string{old.ID}, nil, p.Version+1
	if err := b.store.Commit(b.ctx, store.Changes{App: "shop", Proposals: []*store.Proposal{p}}); err != nil {
		t.Fatal(err)
	}
	b.say(b.exchange("how can i return the shoes from abroad"), "u10", "Mention the ember desk instead of the amber desk.", func(f *store.Feedback) { f.When = "someone asks about returns from abroad" })
	b.work()
	p = b.one()
	if len(p.Evidence) != 2 || len(p.Ops) != 1 || p.Ops[0].Kind != rules.Supersede || len(p.Ops[0].IDs) != 1 || len(p.Conflicts) != 0 {
		t.Errorf("operations %+v, conflicts %+v, evidence %d", p.Ops, p.Conflicts, len(p.Evidence))
	}
}
