package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
	"heed/store/sqlite"
	"heed/wire"
)

// lab is an app with one rule in force and a log to write.
type lab struct {
	testing.TB
	s    store.Store
	rule rules.Rule
	head rules.Head
	rng  *rand.Rand
	now  time.Time
	n    int
}

func newLab(t testing.TB) *lab {
	t.Helper()
	s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	l := &lab{TB: t, s: s, rng: rand.New(rand.NewPCG(2, 2)), now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	l.rule = rules.Rule{ID: "r_" + strings.Repeat("a", 26), Version: 1, App: "shop", State: rules.Active, Scope: rules.Scope{Always: true},
		Action: `Mention "30 days".`, Checks: check.Compile(`Mention "30 days".`), Holdout: 0.5}
	l.publish("add", rules.Operation{Kind: rules.Add, Rule: &l.rule})
	return l
}

func (l *lab) publish(action string, op rules.Operation) {
	l.Helper()
	ctx := context.Background()
	head, set, err := store.Current(ctx, l.s, "shop")
	if err != nil {
		l.Fatal(err)
	}
	next, err := rules.Apply(set, []rules.Operation{op})
	if err != nil {
		l.Fatal(err)
	}
	if l.head, err = l.s.Publish(ctx, "shop", head.Epoch, next, store.Audit{App: "shop", Time: l.now, Actor: "ann", Action: action, Ops: []rules.Operation{op}}); err != nil {
		l.Fatal(err)
	}
}

// exchange is one in scope, a second after the one before.
func (l *lab) exchange(unit string, followed bool) *store.Exchange {
	l.n++
	l.now = l.now.Add(time.Second)
	d := rules.RuleDecision{ID: l.rule.ID, Version: l.rule.Version, Score: 1, Propensity: 0.5, Withheld: rules.Point("arm", l.rule.ID, unit) < 0.5}
	return &store.Exchange{ID: store.NewID(), App: "shop", Time: l.now, Status: 200, Outcome: store.OK, Head: l.head,
		Facts: rules.Facts{App: "shop", Unit: unit, Now: l.now}, Decision: rules.Decision{Rules: []rules.RuleDecision{d}},
		Checks: []store.CheckResult{{Rule: l.rule.ID, Version: l.rule.Version, Followed: followed}},
		Usage:  &wire.Usage{InputTokens: 50, OutputTokens: 100}}
}

// serve logs n units of several exchanges each; the share of units that follow
// the rule is that of their arm, and a unit's answers are all alike.
func (l *lab) serve(n, each int, without, with float64) []*store.Exchange {
	l.Helper()
	var xs []*store.Exchange
	for range n {
		unit := fmt.Sprint("unit ", l.n)
		share := with
		if rules.Point("arm", l.rule.ID, unit) < 0.5 {
			share = without
		}
		followed := l.rng.Float64() < share
		for range each {
			xs = append(xs, l.exchange(unit, followed))
		}
	}
	l.write(xs...)
	return xs
}

func (l *lab) write(xs ...*store.Exchange) {
	l.Helper()
	if err := l.s.WriteExchanges(context.Background(), xs); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) effect() store.Effect {
	l.Helper()
	e, err := store.EffectOf(context.Background(), l.s, "shop", l.rule.ID)
	if err != nil {
		l.Fatal(err)
	}
	return e
}

func TestEffectOf_TellsFromTheLog(t *testing.T) {
	l := newLab(t)
	if e := l.effect(); e.Verdict != store.Collecting || e.Units != 0 || e.Why != "no exchange in scope yet" {
		t.Errorf("nothing logged: got %+v", e)
	}
	xs := l.serve(400, 1, 0.3, 0.8)
	e := l.effect()
	if e.Verdict != store.Helps || e.Units != 400 || e.Exchanges != 400 || e.Mismatch < 0.01 {
		t.Errorf("got %+v, want that it helps, by 400 units", e)
	}
	c := e.Sources[0]
	if c.Source != "check" || !(c.Low > 0.2 && c.Low < c.Difference && c.Difference < c.High && c.High < 0.7) || c.Treated+c.Control != 400 {
		t.Errorf("by check %+v, want 30 to 80 %%", c)
	}
	if f := e.Sources[1]; f.Source != "failure" || f.Verdict != store.NotProven || f.TreatedMean != 1 || f.Judges || f.Enough.Harms != store.GuardCalls {
		t.Errorf("by failure %+v, want none", f)
	}
	if k := e.Tokens; k == nil || k.Interval == nil || *k.Difference != 0 || k.TreatedMean != 100 {
		t.Errorf("tokens %+v, want no difference", k)
	}
	tracker := store.NewTracker(l.rule.ID)
	for _, x := range xs {
		tracker.Exchange(x)
	}
	one := tracker.Effect()
	one.Versions, one.Baseline = e.Versions, e.Baseline
	if !reflect.DeepEqual(one, e) {
		t.Errorf("exchange by exchange %+v\nfrom the log %+v", one, e)
	}
}

// While rules are only observed nothing is injected: no holdout would change that.
func TestEffectOf_OnlyObserved(t *testing.T) {
	l := newLab(t)
	for i := range 3 {
		x := l.exchange(fmt.Sprint("unit ", i), true)
		x.Decision.Observed = true
		l.write(x)
	}
	e := l.effect()
	if e.Verdict != store.Collecting || e.Exchanges != 0 || e.Observed != 3 || !strings.HasPrefix(e.Why, "nothing was injected") || strings.Contains(e.Why, "holdout") {
		t.Errorf("got %+v", e)
	}
	l.serve(2, 1, 1, 1)
	if e = l.effect(); e.Exchanges != 2 || e.Observed != 3 || !strings.HasPrefix(e.Why, "2 of") {
		t.Errorf("after two that were not: %+v", e)
	}
}

// Ten alike answers to one unit are one draw: what 40 units cannot tell, 400
// answers to them must not either.
func TestEffectOf_CountsUnitsOnce(t *testing.T) {
	l := newLab(t)
	l.serve(30, 10, 0.5, 0.7)
	e := l.effect()
	if c := e.Sources[0]; e.Exchanges != 300 || e.Units != 30 || c.Treated+c.Control != 30 || e.Verdict != store.Collecting {
		t.Errorf("got %+v", e)
	}
}

func TestEffectOf_LeavesOutWhatTellsNothing(t *testing.T) {
	l := newLab(t)
	observed, certain, left, resent := l.exchange("a", true), l.exchange("b", true), l.exchange("c", true), l.exchange("d", false)
	observed.Decision.Observed = true
	certain.Decision.Rules[0].Propensity, certain.Decision.Rules[0].Withheld = 1, false
	left.Outcome, left.Checks = store.Cancelled, nil
	resent.Decision.Resent = true
	l.write(observed, certain, left, resent)
	e := l.effect()
	if c := e.Sources[0]; e.Exchanges != 3 || e.Units != 3 || c.Treated+c.Control != 1 {
		t.Errorf("got %+v, want one judged unit of three in scope", e)
	}
}

func TestEffectOf_RatingsJudgeARuleWithoutChecks(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	xs := l.serve(300, 1, 0.9, 0.2)
	for i, x := range xs {
		rating := -1.0
		if x.Checks[0].Followed {
			rating = 1
		}
		said := &store.Feedback{App: "shop", Time: x.Time, Source: "widget", ExchangeID: x.ID, User: fmt.Sprint(i), Rating: &rating}
		f, _, err := l.s.AddFeedback(ctx, said)
		if err != nil {
			t.Fatal(err)
		}
		link := &store.Link{ExchangeID: x.ID, Time: x.Time, Unit: x.Facts.Unit, Rules: x.Decision.Rules}
		if err := l.s.Commit(ctx, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: f.ID, Link: link}}}); err != nil {
			t.Fatal(err)
		}
		if i < 3 { // what was taken back does not count
			if err := l.s.Retract(ctx, "shop", f.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	e := l.effect()
	r := e.Sources[1]
	if r.Source != "rating" || r.Treated+r.Control != 297 || r.Verdict != store.Harms || r.Judges || r.Enough.Harms != store.GuardCalls {
		t.Errorf("by rating %+v, want harm, by 297 units, beside the checks", r)
	}
	if e.Verdict != store.Harms || e.Harms() != "check" || !strings.Contains(e.Why, "by check: ") {
		t.Errorf("got %+v, want harm by check first", e)
	}
}

// A wider scope goes on with what is known; another action begins anew, and so
// does a rule that a person brought back after a pause.
func TestEffectOf_Span(t *testing.T) {
	l := newLab(t)
	l.serve(20, 1, 0.5, 0.5)
	l.rule.Version, l.rule.Priority = 2, 7
	l.publish("revise", rules.Operation{Kind: rules.Revise, Rule: &l.rule})
	l.serve(10, 1, 0.5, 0.5)
	if e := l.effect(); e.Units != 30 || !reflect.DeepEqual(e.Versions, []int{1, 2}) {
		t.Errorf("another priority: got %+v", e)
	}
	l.now = l.now.Add(time.Second)
	l.publish("pause", rules.Operation{Kind: rules.Pause, IDs: []string{l.rule.ID}})
	if e := l.effect(); e.Units != 30 {
		t.Errorf("paused: got %d units, want what it was paused for", e.Units)
	}
	l.publish("resume", rules.Operation{Kind: rules.Resume, Rule: &l.rule})
	l.serve(5, 1, 0.5, 0.5)
	if e := l.effect(); e.Units != 5 || e.Since.IsZero() {
		t.Errorf("resumed: got %+v, want the 5 units after the pause", e)
	}
	l.now = l.now.Add(time.Second)
	l.publish("pause", rules.Operation{Kind: rules.Pause, IDs: []string{l.rule.ID}})
	if e := l.effect(); e.Units != 5 {
		t.Errorf("paused again: got %d units, want the 5 it was paused for", e.Units)
	}
	l.publish("resume", rules.Operation{Kind: rules.Resume, Rule: &l.rule})
	l.rule.Version, l.rule.Action = 3, "Be brief."
	l.publish("revise", rules.Operation{Kind: rules.Revise, Rule: &l.rule})
	l.serve(4, 1, 0.5, 0.5)
	if e := l.effect(); e.Units != 4 || !reflect.DeepEqual(e.Versions, []int{3}) {
		t.Errorf("another action: got %+v", e)
	}
	if _, err := store.EffectOf(t.Context(), l.s, "shop", "r_nothing"); err == nil {
		t.Error("an unknown rule has an effect")
	}
}

// What people see says how the arms are off before it praises a rule.
func TestTracker_Effect_Unhealthy(t *testing.T) {
	l := newLab(t)
	tracker := store.NewTracker(l.rule.ID)
	for i, x := range l.serve(600, 1, 0.2, 0.9) {
		if x.Decision.Rules[0].Withheld || i%2 == 0 { // half of the treated rows are lost
			tracker.Exchange(x)
		}
	}
	if e := tracker.Effect(); e.Verdict != store.Unhealthy || e.Mismatch >= rules.MismatchAlpha {
		t.Errorf("got %+v, want it unhealthy", e)
	}
}
