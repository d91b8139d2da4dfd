package learner

import (
	"testing"

	"heed/rules"
	"heed/store"
)

// What a person merged once is known again: the next wish in that wording joins the
// proposal, and then the rule in force.
func TestLearner_KnowsMergedWordings(t *testing.T) {
	b := newBench(t)
	asked := func(f *store.Feedback) { f.When = "someone asks about returns" }
	b.say(b.exchange("how do i return my shoes"), "u1", "Always use the formal form.", asked)
	b.work()
	p := b.one()
	p.Rule().Wordings, p.Version = []string{"Sag immer Sie."}, p.Version+1
	if err := b.store.Commit(b.ctx, store.Changes{App: "shop", Proposals: []*store.Proposal{p}}); err != nil {
		t.Fatal(err)
	}
	b.say(b.exchange("how do i return my shoes please"), "u2", "Sag immer Sie.", asked)
	b.work()
	if p = b.one(); p.People != 2 || p.Rule().Action != "Always use the formal form." || len(p.Rule().Wordings) != 1 {
		t.Fatalf("%d people stand behind %q, also said as %q", p.People, p.Rule().Action, p.Rule().Wordings)
	}
	b.approve(p)
	b.say(b.exchange("can i return the boots of my aunt"), "u3", "Bitte sag immer Sie.", asked)
	b.work()
	if p = b.one(); p.Ops[0].Kind != rules.Revise || p.Rule().ID != b.set().Rules[0].ID || len(p.Rule().Wordings) != 1 {
		t.Errorf("operation %s of %q, want the rule in force widened", p.Ops[0].Kind, p.Rule().Action)
	}
}

// Who takes their words back takes them out of the wordings too, and what an admin
// answered for does not pass on to other words.
func TestLearner_WordingsAreTakenBack(t *testing.T) {
	takeBack(t, false)
	takeBack(t, true)
}

// takeBack has two people say it in one wording and one in another; the first takes it
// back, and then the other who said the same (others), or the one with other words.
func takeBack(t *testing.T, others bool) {
	t.Helper()
	b := newBench(t)
	asked := func(f *store.Feedback) { f.When = "someone asks about returns" }
	first := b.say(b.exchange("how do i return my shoes"), "u1", "Always use the formal form.", asked)
	b.work()
	p := b.one()
	p.Rule().Wordings, p.Version = []string{"Sag immer Sie."}, p.Version+1
	p.Rule().Fact, p.Rule().ValidTo = &rules.Fact{Author: "anna", Source: "the style guide"}, b.now.AddDate(1, 0, 0)
	if err := b.store.Commit(b.ctx, store.Changes{App: "shop", Proposals: []*store.Proposal{p}}); err != nil {
		t.Fatal(err)
	}
	second := b.say(b.exchange("how do i return my shoes please"), "u2", "Sag immer Sie.", asked)
	third := b.say(b.exchange("how do i return the shoes now"), "u3", "Always use the formal form.", asked)
	b.work()
	take := func(f *store.Feedback) *rules.Rule {
		t.Helper()
		if err := b.store.Retract(b.ctx, "shop", f.ID); err != nil {
			t.Fatal(err)
		}
		b.work()
		return b.one().Rule()
	}
	if r := take(first); r.Action != "Always use the formal form." || len(r.Wordings) != 1 || r.Fact == nil {
		t.Errorf("another says the same: %q, also said as %q, fact %v", r.Action, r.Wordings, r.Fact)
	}
	if others {
		if r := take(third); r.Action != "Sag immer Sie." || len(r.Wordings) != 0 || r.Fact != nil {
			t.Errorf("the words that are left: %q, also said as %q, fact %v", r.Action, r.Wordings, r.Fact)
		}
		return
	}
	if r := take(second); r.Action != "Always use the formal form." || len(r.Wordings) != 0 || r.Fact == nil {
		t.Errorf("the words that are left: %q, also said as %q, fact %v", r.Action, r.Wordings, r.Fact)
	}
}
