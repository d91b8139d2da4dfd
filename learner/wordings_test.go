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
