package learner

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

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

// serve logs n exchanges in scope of the rule, which every answer with it follows;
// failed says which of an arm's answers went wrong.
func (b *bench) serve(r rules.Rule, n int, failed func(i int, treated bool) bool) {
	b.Helper()
	b.logged(r, n, failed, func(_ int, treated bool) bool { return treated })
}

// serveChecked is serve with answers of which some do not follow the rule.
func (b *bench) serveChecked(r rules.Rule, n int, followed func(i int, treated bool) bool) {
	b.Helper()
	b.logged(r, n, func(int, bool) bool { return false }, followed)
}

func (b *bench) logged(r rules.Rule, n int, failed, followed func(i int, treated bool) bool) {
	b.Helper()
	head, err := b.store.Head(b.ctx, "shop")
	if err != nil {
		b.Fatal(err)
	}
	var xs []*store.Exchange
	for i := range n {
		unit := fmt.Sprintf("unit %d", i)
		treated := rules.Point("arm", r.ID, unit) >= r.Holdout
		d := rules.RuleDecision{ID: r.ID, Version: r.Version, Score: .9, Withheld: !treated, Propensity: 1 - r.Holdout}
		if !treated {
			d.Propensity = r.Holdout
		}
		x := &store.Exchange{ID: store.NewID(), App: "shop", Time: b.now, Head: head, Status: 200, Outcome: store.OK, Query: "how do i return it", Answer: "So.",
			Facts: rules.Facts{App: "shop", Step: "s1", Unit: unit, Queries: []string{"how do i return it"}, Now: b.now}, Decision: rules.Decision{Rules: []rules.RuleDecision{d}},
			Checks: []store.CheckResult{{Rule: r.ID, Version: r.Version, Followed: followed(i, treated)}}}
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
	b.watch()
	if n := len(b.set().Rules); n != 0 {
		e, _ := store.EffectOf(b.ctx, b.store, "shop", r.ID)
		t.Fatalf("a rule that makes half of the answers break off is still in force: %+v", e)
	}
	as, _, err := b.store.Audits(b.ctx, store.AuditFilter{App: "shop", Action: "pause"})
	if err != nil || len(as) != 1 || as[0].Actor != "learner" || !strings.HasPrefix(as[0].Reason, "compared at the same time, by failure: ") {
		t.Errorf("audit %+v (%v)", as, err)
	}
	vs, err := b.store.RuleVersions(b.ctx, "shop", r.ID)
	if err != nil || vs[0].State != rules.Paused {
		t.Errorf("versions %+v (%v), want it paused", vs, err)
	}
	p := b.one()
	if p.Ops[0].Kind != rules.Retire || p.Reason != as[0].Reason {
		t.Fatalf("proposal %+v, want one to retire the rule", p)
	}
	if ok, why := Automatic(p, AppPolicy{Approval: "auto"}); ok || why == "" {
		t.Error("a rule that harms is retired without a person")
	}
	b.approve(p)
	if vs, err = b.store.RuleVersions(b.ctx, "shop", r.ID); err != nil || vs[0].State != rules.Retired || len(b.set().Rules) != 0 {
		t.Errorf("after the person's decision %+v (%v)", vs, err)
	}
}

// Within 250 units at a holdout of 10 % only what was before the rule can tell harm:
// it pauses, and the audit and the proposal say that it rests on this.
func TestLearner_HarmComparedWithBeforePauses(t *testing.T) {
	b := newBench(t)
	var xs []*store.Exchange
	at := b.now.Add(-time.Hour)
	for i := range 600 {
		at = at.Add(time.Second)
		xs = append(xs, &store.Exchange{ID: store.NewID(), App: "shop", Time: at, Status: 200, Outcome: store.OK, Query: "how do i return it", Answer: []string{"There is a 30 day return window.", "Well."}[max(0, i%5-3)],
			Facts: rules.Facts{App: "shop", Step: "s1", Unit: fmt.Sprint("before ", i), Queries: []string{"how do i return my shoes"}, Now: at}})
	}
	if err := b.store.WriteExchanges(b.ctx, xs); err != nil {
		t.Fatal(err)
	}
	r := b.inForce()
	if len(r.Checks) == 0 {
		t.Fatalf("the rule has no check: %+v", r)
	}
	b.now = b.now.Add(time.Minute)
	seen := map[bool]int{} // by arm, so that both shares are exact however units are drawn
	b.serveChecked(r, 250, func(_ int, treated bool) bool {
		seen[treated]++
		return seen[treated]%5 > map[bool]int{true: 1}[treated]
	})
	b.watch()
	e, err := store.EffectOf(b.ctx, b.store, "shop", r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.set().Rules) != 0 {
		t.Fatalf("still in force: %s, %+v, baseline %+v", e.Why, e.Sources[0].Before, e.Baseline)
	}
	as, _, err := b.store.Audits(b.ctx, store.AuditFilter{App: "shop", Action: "pause"})
	if err != nil || len(as) != 1 || !strings.HasPrefix(as[0].Reason, "compared with before, by check: ") || b.one().Reason != as[0].Reason {
		t.Errorf("audit %+v (%v), proposal %q", as, err, b.one().Reason)
	}
}

func TestLearner_NoHarmNoPause(t *testing.T) {
	b := newBench(t)
	b.policy.Holdout = 0.5
	r := b.inForce()
	b.serve(r, 160, func(i int, _ bool) bool { return i%10 == 0 })
	b.watch()
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
	if f := e.Sources[1]; f.Source != "failure" || f.Verdict != "not proven" { // arms are drawn, so the interval may miss
		t.Errorf("by failure %+v, want no difference", f)
	}
}

// watch lets the learner read the effects of rules and act on them.
func (b *bench) watch() {
	b.Helper()
	if err := b.l.watch(b.ctx, "shop"); err != nil {
		b.Fatal(err)
	}
	b.l.side.Wait()
	if err := b.l.watchedAll(b.ctx, "shop"); err != nil {
		b.Fatal(err)
	}
}

// A canary reaches everybody step by step, whoever approved it, and each step
// waits for units without harm.
func TestLearner_RampSteps(t *testing.T) {
	for _, actor := range []string{"auto", "ann"} {
		t.Run(actor, func(t *testing.T) {
			b := newBench(t)
			b.say(b.exchange("how do i return my shoes"), "u1", "Mention the 30 day return window")
			b.work()
			p := b.one()
			if _, err := store.Approve(b.ctx, b.store, store.Approval{App: "shop", Proposal: p.ID, Digest: p.Digest(), Actor: actor, Now: b.now,
				Adjust: func(r *rules.Rule) { r.State, r.Ramp = rules.Canary, 0.1 }}); err != nil {
				t.Fatal(err)
			}
			var got []float64
			units := 0
			for range 5 {
				r := b.set().Rules[0]
				got = append(got, r.Ramp)
				b.watch()
				b.now = b.now.Add(rampEvery)
				b.watch()
				if now := b.set().Rules[0]; now.Ramp != r.Ramp {
					t.Fatalf("from %v to %v without any unit", r.Ramp, now.Ramp)
				}
				units += rampUnits
				b.judgedAlike(r, units)
				b.watch()
			}
			if fmt.Sprint(got) != "[0.1 0.25 0.5 0 0]" || b.set().Rules[0].State != rules.Active {
				t.Errorf("ramp %v, state %s, want 10, 25, 50 %% and then everyone", got, b.set().Rules[0].State)
			}
		})
	}
}

// judgedAlike logs exchanges of so many units, half of them good in either arm; of
// units that were logged before they do not count.
func (b *bench) judgedAlike(r rules.Rule, units int) {
	b.Helper()
	share := (1 - r.Holdout) * cmpOr(r.Ramp, 1)
	var xs []*store.Exchange
	for i := range units {
		d := rules.RuleDecision{ID: r.ID, Version: r.Version, Score: .9, Withheld: rules.Point("test", fmt.Sprint("unit ", i)) >= share, Propensity: share}
		if d.Withheld {
			d.Propensity = 1 - share
		}
		xs = append(xs, &store.Exchange{ID: store.NewID(), App: "shop", Time: b.now, Status: 200, Outcome: store.OK, Query: "how do i return it", Answer: "So.",
			Facts: rules.Facts{App: "shop", Step: "s1", Unit: fmt.Sprint("unit ", i), Queries: []string{"how do i return it"}, Now: b.now}, Decision: rules.Decision{Rules: []rules.RuleDecision{d}},
			Checks: []store.CheckResult{{Rule: r.ID, Version: r.Version, Followed: i%2 == 0}}})
	}
	if err := b.store.WriteExchanges(b.ctx, xs); err != nil {
		b.Fatal(err)
	}
}

func TestMayRamp(t *testing.T) {
	judged := func(v store.Verdict, n int) store.Effect {
		return store.Effect{Verdict: v, Units: 10_000, Sources: []store.Estimate{{Source: "check", Treated: n, Judges: true}}}
	}
	for _, c := range []struct {
		effect store.Effect
		before int
		want   bool
	}{
		{judged(store.Helps, 50), 0, true},
		{judged(store.Collecting, rampUnits), 0, true},
		{judged(store.Collecting, rampUnits-1), 0, false},
		{judged(store.Collecting, rampUnits+50), 100, false},
		{judged(store.NotProven, 900), 700, true},
		{judged(store.Harms, 900), 0, false},
		{judged(store.Unhealthy, 900), 0, false},
		{judged(store.NoHoldout, 900), 0, false},
		{store.Effect{Verdict: store.Collecting, Units: rampUnits}, 0, true},
	} {
		if got := MayRamp(c.effect, c.before); got != c.want {
			t.Errorf("%s with %d judged units, %d before: %v, want %v", c.effect.Verdict, judgedUnits(c.effect), c.before, got, c.want)
		}
	}
}

// slow is a store whose list of a rule's exchanges waits.
type slow struct {
	store.Store
	began, goOn chan struct{}
}

func (s *slow) RuleVersions(ctx context.Context, app, id string) ([]rules.Rule, error) {
	close(s.began)
	select {
	case <-s.goOn:
	case <-ctx.Done():
	}
	return s.Store.RuleVersions(ctx, app, id)
}

// Reading effects takes seconds where the log is long: feedback does not wait.
func TestLearner_WatchingDoesNotHoldUpFeedback(t *testing.T) {
	b := newBench(t)
	b.policy.Holdout = 0.5
	r := b.inForce()
	b.serve(r, 20, func(int, bool) bool { return false })
	s := &slow{b.store, make(chan struct{}), make(chan struct{})}
	b.l.effects = store.NewEffects(s)
	if err := b.l.watch(b.ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	<-s.began
	b.say(b.exchange("is the hotline open on sundays"), "u2", "Always name the opening hours")
	b.work() // while the effect is being read
	b.one()
	close(s.goOn)
}
