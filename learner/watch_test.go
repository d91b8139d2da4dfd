package learner

import (
	"fmt"
	"strings"
	"testing"

	"heed/rules"
	"heed/store"
)

// inForce brings one rule in force through feedback and a person's approval.
func (b *bench) inForce() rules.Rule {
	b.Helper()
	b.say(b.exchange("how do i return my shoes"), "u1", "Mention the 30 day return window")
	b.work()
	b.approve(b.one())
	return b.set().Rules[0]
}

// serve logs n exchanges in scope of the rule; failed says which of an arm's
// answers went wrong.
func (b *bench) serve(r rules.Rule, n int, failed func(i int, treated bool) bool) {
	b.Helper()
	var xs []*store.Exchange
	for i := range n {
		unit := fmt.Sprintf("unit %d", i)
		treated := rules.Point("arm", r.ID, unit) >= r.Holdout
		d := rules.RuleDecision{ID: r.ID, Version: r.Version, Score: .9, Withheld: !treated, Propensity: 1 - r.Holdout}
		if !treated {
			d.Propensity = r.Holdout
		}
		x := &store.Exchange{ID: store.NewID(), App: "shop", Time: b.now, Status: 200, Outcome: store.OK, Query: "how do i return it", Answer: "So.",
			Facts: rules.Facts{App: "shop", Step: "s1", Unit: unit, Queries: []string{"how do i return it"}, Now: b.now}, Decision: rules.Decision{Rules: []rules.RuleDecision{d}},
			Checks: []store.CheckResult{{Rule: r.ID, Version: r.Version, Followed: treated}}}
		if failed(i, treated) {
			x.Finish = "length"
		}
		xs = append(xs, x)
	}
	if err := b.store.WriteExchanges(b.ctx, xs); err != nil {
		b.Fatal(err)
	}
}

func TestLearner_HarmPausesTheRule(t *testing.T) {
	b := newBench(t)
	b.policy.Holdout = 0.5
	r := b.inForce()
	b.serve(r, 160, func(i int, treated bool) bool { return treated && i%2 == 0 || i%10 == 0 })
	if err := b.l.watch(b.ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	if n := len(b.set().Rules); n != 0 {
		e, _ := store.EffectOf(b.ctx, b.store, "shop", r.ID)
		t.Fatalf("a rule that makes half of the answers break off is still in force: %+v", e)
	}
	as, _, err := b.store.Audits(b.ctx, store.AuditFilter{App: "shop", Action: "pause"})
	if err != nil || len(as) != 1 || as[0].Actor != "learner" || !strings.Contains(as[0].Reason, "failure") {
		t.Errorf("audit %+v (%v)", as, err)
	}
	vs, err := b.store.RuleVersions(b.ctx, "shop", r.ID)
	if err != nil || vs[0].State != rules.Paused {
		t.Errorf("versions %+v (%v), want it paused", vs, err)
	}
	p := b.one()
	if p.Ops[0].Kind != rules.Resume || p.Reason == "" {
		t.Fatalf("proposal %+v, want one that lets a person bring the rule back", p)
	}
	b.approve(p)
	if got := b.set().Rules; len(got) != 1 || got[0].ID != r.ID {
		t.Errorf("in force after the person's decision %+v", got)
	}
}

func TestLearner_NoHarmNoPause(t *testing.T) {
	b := newBench(t)
	b.policy.Holdout = 0.5
	r := b.inForce()
	b.serve(r, 160, func(i int, _ bool) bool { return i%10 == 0 })
	if err := b.l.watch(b.ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	if n := len(b.set().Rules); n != 1 {
		t.Fatal("a rule that harms nobody was paused")
	}
	e, err := store.EffectOf(b.ctx, b.store, "shop", r.ID)
	if err != nil || e.Exchanges != 160 || e.Units != 160 || e.Mismatch < 0.001 {
		t.Fatalf("effect %+v (%v)", e, err)
	}
	if c := e.Sources[0]; c.Source != "check" || c.Verdict != "helps" || c.Low < 0.5 || c.ControlMean != 0 || c.TreatedMean != 1 {
		t.Errorf("by check %+v, want that it helps", c)
	}
	if f := e.Sources[1]; f.Source != "failure" || f.Verdict != "not proven" || f.Low > 0 || f.High < 0 {
		t.Errorf("by failure %+v, want no difference", f)
	}
}

func TestLearner_RampSteps(t *testing.T) {
	b := newBench(t)
	b.policy.Approval, b.policy.Quorum = "auto", 1
	b.say(b.exchange("how do i return my shoes"), "u1", "Mention the 30 day return window")
	b.work()
	var got []float64
	for range 5 {
		r := b.set().Rules[0]
		got = append(got, r.Ramp)
		b.serve(r, 1, func(int, bool) bool { return false })
		if err := b.l.watch(b.ctx, "shop"); err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(rampEvery)
		if err := b.l.watch(b.ctx, "shop"); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(got) != "[0.1 0.25 0.5 0 0]" || b.set().Rules[0].State != rules.Active {
		t.Errorf("ramp %v, state %s, want 10, 25, 50 %% and then everyone", got, b.set().Rules[0].State)
	}
}
