package learner

import (
	"slices"
	"testing"

	"heed/rules"
	"heed/store"
)

// wished brings a wish about returns into force and returns its rule.
func (b *bench) wished(comment string) *rules.Rule {
	b.Helper()
	for i, q := range []string{"how do i return my shoes", "can i return these shoes", "i want to send the shoes back"} {
		b.say(b.exchange(q), []string{"u1", "u2", "u3"}[i], comment, func(f *store.Feedback) { f.When = "someone asks about returns" })
	}
	b.work()
	b.approve(b.one())
	set := b.set()
	return &set.Rules[len(set.Rules)-1]
}

// A wish that replaces another must take its place in its scope by one approval,
// however it is worded, and the card must name the old rule.
func TestLearner_ReplacementSupersedes(t *testing.T) {
	for _, c := range []struct{ old, comment, want string }{
		{"Mention the amber desk", "Mention the ember desk instead of the amber desk.", "Mention the ember desk."},
		{"Mention the amber desk", "Never mention the amber desk, mention the ember desk.", "Mention the ember desk."},
		{"Mention the amber desk", "No longer the amber desk, now the ember desk.", "Mention the ember desk."},
		{"Mention the amber desk", "The ember desk, not the amber desk!", "Mention the ember desk."},
		{"Mention the amber desk", "Replace the amber desk with the ember desk", "Mention the ember desk."},
		{"Mention the amber desk", "We have moved from the amber desk to the ember desk.", "Mention the ember desk."},
		{"Mention the amber desk", "Please point to the ember desk rather than the amber desk", "Point to the ember desk."},
		{`End with "The amber team"`, `End with "The ember team" instead of "The amber team"`, `End with "The ember team".`},
		{"Answer in French", "Answer in German, not in French", "Answer in German."},
		{"Answer in French", "Answer in German", "Answer in German."},
		{"Use at most 80 words", "Use at most 40 words", "Use at most 40 words."},
		{"Answer with a table", "Use bullet points instead of a table", "Use bullet points."},
		{"Be formal", "Be informal rather than formal", "Be informal."},
	} {
		b := newBench(t)
		old := b.wished(c.old)
		x := b.exchange("where do i return a parka", func(x *store.Exchange) { x.Decision.Rules = []rules.RuleDecision{{ID: old.ID, Version: 1}} })
		b.say(x, "u9", c.comment, func(f *store.Feedback) { f.When = "someone asks about returns" })
		b.work()
		p := b.one()
		if p.Ops[0].Kind != rules.Supersede || !slices.Equal(p.Ops[0].IDs, []string{old.ID}) || len(p.Conflicts) != 1 || p.Conflicts[0].Rule != old.ID || p.Conflicts[0].Action != old.Action {
			t.Errorf("%q after %q: operation %s %v, conflicts %+v", c.comment, c.old, p.Ops[0].Kind, p.Ops[0].IDs, p.Conflicts)
			continue
		}
		if p.Rule().Action != c.want || p.People != 1 || len(p.Evidence) != 1 {
			t.Errorf("%q: action %q by %d people, want %q", c.comment, p.Rule().Action, p.People, c.want)
		}
		b.approve(p)
		set := b.set()
		if len(set.Rules) != 1 || set.Rules[0].ID == old.ID {
			t.Errorf("%q: in force %+v, want the new rule alone", c.comment, set.Rules)
			continue
		}
		if got := set.Rules[0].Scope; len(got.Examples) < 4 || got.AppliesWhen != old.Scope.AppliesWhen {
			t.Errorf("%q: scope %+v, want that of the rule whose place it takes and the new request", c.comment, got)
		}
	}
}

// The next person who says that it changed agrees with the new rule.
func TestLearner_ReplacementSaidAgain(t *testing.T) {
	b := newBench(t)
	b.wished("Mention the amber desk")
	b.say(b.exchange("where do i return a parka"), "u8", "Mention the ember desk instead of the amber desk.", func(f *store.Feedback) { f.When = "someone asks about returns" })
	b.work()
	b.approve(b.one())
	for _, comment := range []string{"The ember desk, not the amber desk.", "Never mention the amber desk, mention the ember desk."} {
		b.say(b.exchange("return of a parka: "+comment[:9]), "u9", comment, func(f *store.Feedback) { f.When = "someone asks about returns" })
	}
	b.work()
	p := b.one()
	if p.Ops[0].Kind != rules.Revise || p.Rule().ID != b.set().Rules[0].ID || len(p.Evidence) != 2 {
		t.Errorf("operation %s with %d records, want the new rule widened by both", p.Ops[0].Kind, len(p.Evidence))
	}
}

// A replacement for a part of the requests leaves the old rule for the rest.
func TestLearner_ReplacementOfAPart(t *testing.T) {
	b := newBench(t)
	old := b.wished("Mention the amber desk")
	b.say(b.exchange("how do i return my shoes from abroad"), "u9", "Mention the ember desk instead of the amber desk.", func(f *store.Feedback) { f.When = "someone asks about returns from abroad" })
	b.work()
	p := b.one()
	if p.Ops[0].Kind != rules.Add || len(p.Ops) != 2 || p.Ops[1].Kind != rules.Revise || p.Conflicts[0].Advice != "split" {
		t.Fatalf("operations %+v, conflicts %+v, want a split", p.Ops, p.Conflicts)
	}
	b.approve(p)
	if set := b.set(); len(set.Rules) != 2 || !slices.ContainsFunc(set.Rules, func(r rules.Rule) bool {
		return r.ID == old.ID && slices.Contains(r.Scope.Counterexamples, "how do i return my shoes from abroad")
	}) {
		t.Errorf("in force %+v, want both, the old one without the request", set.Rules)
	}
}

// What nobody asked for before is not replaced: a contrast is no rule.
func TestLearner_ReplacementOfNothing(t *testing.T) {
	b := newBench(t)
	b.wished("Mention the amber desk")
	b.say(b.exchange("how long is the return window"), "u9", "It is 30 days, not 14 days.", func(f *store.Feedback) { f.When = "someone asks about returns" })
	b.work()
	if n := len(b.proposals(store.Open)); n != 0 {
		t.Errorf("%d proposals of a fact that an end user claims", n)
	}
}

// Requests of a replaced rule's people go when they take them back.
func TestLearner_ReplacementForgetsInherited(t *testing.T) {
	b := newBench(t)
	x := b.exchange("how do i return my shoes")
	first := b.say(x, "u1", "Mention the amber desk", func(f *store.Feedback) { f.When = "someone asks about returns" })
	b.work()
	b.approve(b.one())
	second := b.say(b.exchange("where do i return a parka"), "u9", "Mention the ember desk instead of the amber desk.", func(f *store.Feedback) { f.When = "someone asks about returns" })
	b.work()
	b.approve(b.one())
	b.retract(first)
	p := b.one()
	if p.Ops[0].Kind != rules.Revise || slices.Contains(p.Rule().Scope.Examples, x.Query) || p.Rule().Action != "Mention the ember desk." {
		t.Fatalf("operation %s, rule %+v, want it without the request", p.Ops[0].Kind, p.Rule())
	}
	b.approve(p)
	b.retract(second)
	if p := b.one(); p.Ops[0].Kind != rules.Retire {
		t.Errorf("operation %s after the wish itself was taken back, want retire", p.Ops[0].Kind)
	}
}
