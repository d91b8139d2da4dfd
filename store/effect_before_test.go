package store_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
	"heed/wire"
)

// earlier logs n units from before the rule, days ago; each answer says what the
// rule will ask for with that chance.
func (l *lab) earlier(n int, days float64, share float64, change func(*store.Exchange)) {
	l.Helper()
	at := l.now.Add(-time.Duration(days * 24 * float64(time.Hour)))
	var xs []*store.Exchange
	for i := range n {
		at = at.Add(time.Second)
		x := &store.Exchange{ID: store.NewID(), App: "shop", Time: at, Status: 200, Outcome: store.OK, Query: "how do i return it", Answer: "Send it back.",
			Facts: rules.Facts{App: "shop", Unit: fmt.Sprint("earlier ", days, i), Queries: []string{"how do i return it"}, Now: at}}
		if l.rng.Float64() < share {
			x.Answer = "Send it back within 30 days."
		}
		if change != nil {
			change(x)
		}
		xs = append(xs, x)
	}
	l.write(xs...)
}

// hold gives the rule another holdout, as if it had started with it.
func (l *lab) hold(share float64) {
	l.rule.Holdout, l.rule.Version = share, l.rule.Version+1
	l.publish("tune", rules.Operation{Kind: rules.Revise, Rule: &l.rule})
}

// few logs n units with a holdout of 10 % of which the given shares follow the rule.
func (l *lab) few(n int, without, with float64) {
	l.Helper()
	var xs []*store.Exchange
	for range n {
		unit := fmt.Sprint("unit ", l.n)
		held := rules.Point("arm", l.rule.ID, unit) < 0.1
		share := with
		if held {
			share = without
		}
		x := l.exchange(unit, l.rng.Float64() < share)
		d := &x.Decision.Rules[0]
		if d.Withheld, d.Propensity = held, 0.9; held {
			d.Propensity = 0.1
		}
		xs = append(xs, x)
	}
	l.write(xs...)
}

// A holdout of 10 % cannot tell 20 points after 150 units; what was before can, and
// the page says that this is what it rests on.
func TestEffectOf_ComparedWithBefore(t *testing.T) {
	l := newLab(t)
	l.hold(0.1)
	l.earlier(800, 3, 0.5, nil)
	l.few(150, 0.5, 0.8)
	e := l.effect()
	b := e.Baseline
	if b == nil || b.None != "" || b.Check.Of != 800 || b.Failure != (rules.Tally{Good: 800, Of: 800}) || b.Check.Share() < 0.4 || b.Check.Share() > 0.6 {
		t.Fatalf("baseline %+v, want 800 units, about half of them good", b)
	}
	c := e.Sources[0].Before
	if c == nil || c.Before != b.Check || c.With.Of+c.Without.Of != 150 || !(0 < c.Low && c.Low < c.Difference && c.Difference < c.High && c.High < 0.6) || c.Odds < 3 {
		t.Fatalf("compared with before: %+v", c)
	}
	if e.Verdict != store.HelpsBefore || e.Sources[0].Verdict != store.NotProven || !strings.HasPrefix(e.Why, "compared with before, by check: ") ||
		!strings.Contains(e.Why, "compared at the same time, by check: ") {
		t.Errorf("got %s: %s", e.Verdict, e.Why)
	}
	l.few(900, 0.5, 0.8)
	if e := l.effect(); e.Verdict != store.Helps || !strings.HasPrefix(e.Why, "compared at the same time, by check: ") {
		t.Errorf("after 1,050 units: %s: %s", e.Verdict, e.Why)
	}
}

func TestEffectOf_HarmComparedWithBefore(t *testing.T) {
	l := newLab(t)
	l.hold(0.1)
	l.earlier(800, 3, 0.8, nil)
	l.few(150, 0.8, 0.4)
	e := l.effect()
	if e.Verdict != store.Harms || e.Harms() != "check" || e.Sources[0].Before.Verdict != store.Harms {
		t.Errorf("got %+v, before %+v", e, e.Sources[0].Before)
	}
	if e.Sources[0].Verdict == store.NotProven && !strings.HasPrefix(e.Why, "compared with before") {
		t.Errorf("why: %s", e.Why)
	}
}

// exact logs units of one arm, with a holdout of 10 %, of which so many follow the
// rule.
func (l *lab) exact(withheld bool, good, of int) {
	l.Helper()
	var xs []*store.Exchange
	for i := range of {
		x := l.exchange(fmt.Sprint("exact ", l.n), i < good)
		d := &x.Decision.Rules[0]
		if d.Withheld, d.Propensity = withheld, 0.9; withheld {
			d.Propensity = 0.1
		}
		xs = append(xs, x)
	}
	l.write(xs...)
}

// From 80 to 60 % with the rule is sure after 180 units, and 20 without it must not
// clearly say that everybody changed. Before that, or when there are many, they must
// say that only those with the rule did.
func TestEffectOf_HarmThatIsSureIsNotWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name             string
		with, good       int // units with the rule, and those of them that follow it
		without, goodToo int
		harms, confirmed bool
	}{
		{"as before", 160, 96, 20, 16, true, true},
		{"hardly fewer", 160, 96, 20, 15, true, true},
		{"between", 160, 96, 20, 13, true, false},
		{"clearly as with it", 160, 96, 20, 12, false, false},
		{"between, early", 110, 66, 20, 13, false, false},
		{"between, many", 225, 135, 25, 16, false, false},
		{"between, not so sure", 160, 106, 20, 13, false, false},
		{"few", 160, 96, 9, 9, false, false},
	} {
		l := newLab(t)
		l.hold(0.1)
		l.earlier(800, 3, 1, nil)
		l.earlier(200, 4, 0, nil)
		l.exact(false, c.good, c.with)
		l.exact(true, c.goodToo, c.without)
		e := l.effect()
		b := e.Sources[0].Before
		if (b.Verdict == store.Harms) != c.harms || b.Withheld == c.harms || b.Unconfirmed != (c.harms && !c.confirmed) {
			t.Errorf("%s: %+v", c.name, b)
		}
		if c.harms && (e.Verdict != store.Harms || !strings.HasPrefix(e.Why, "compared with before, by check: ") ||
			strings.Contains(e.Why, "stayed as before") != c.confirmed || strings.Contains(e.Why, "too few to say whether it is the rule's doing") == c.confirmed) {
			t.Errorf("%s: %s: %s", c.name, e.Verdict, e.Why)
		}
	}
}

// What is asked of the units without the rule: nothing helps before there are ten;
// the surer and the longer, the less, until there are many.
func TestHarmOdds(t *testing.T) {
	sure := math.Log(60)
	for _, c := range []struct {
		surplus       float64
		with, without int
		odds          float64
	}{
		{50, 500, 9, math.Inf(1)},
		{0, 90, 10, 1.5}, {0, 180, 20, 1.5}, {sure, 110, 20, 1.5},
		{sure, 160, 20, 1.0 / 6}, {50, 400, 24, 1.0 / 6}, {50, 400, 25, 1.5},
		{sure, 135, 20, 0.5}, {sure / 2, 160, 20, 0.5}, // halfway between 3/2 and 1/6
	} {
		if got := math.Exp(store.HarmOdds(c.surplus, c.with, c.without)); !(math.Abs(got-c.odds) < 1e-9 || got == c.odds) {
			t.Errorf("%+v: got odds %v", c, got)
		}
	}
	if store.BenefitOdds(4) != math.Inf(1) || store.BenefitOdds(5) != math.Log(3) {
		t.Error("a benefit is believed from five units and odds of 3 on")
	}
}

// What came to everybody at that time is not the rule's doing: the units without it
// changed as well, and nothing is said.
func TestEffectOf_EverybodyChanged(t *testing.T) {
	for _, now := range []float64{0.4, 0.95} {
		l := newLab(t)
		l.hold(0.1)
		l.earlier(800, 3, 0.7, nil)
		l.few(200, now, now)
		e := l.effect()
		if c := e.Sources[0].Before; !c.Withheld || c.Verdict != store.NotProven || max(c.Better, c.Worse) < store.BeforeHelps || c.Odds > 1 {
			t.Errorf("70 to %v %% for all: %+v", 100*now, c)
		}
		if e.Verdict != store.Collecting {
			t.Errorf("70 to %v %% for all: got %s: %s", 100*now, e.Verdict, e.Why)
		}
	}
}

func TestBaselineOf_OnlyWhatIsAlike(t *testing.T) {
	l := newLab(t)
	// Of another model, more than 28 days ago, of another target, cancelled, without rules by request, sent twice.
	l.earlier(50, 2, 1, func(x *store.Exchange) { x.ResponseModel = "m-2025" })
	l.earlier(40, 29, 1, nil)
	l.earlier(30, 2.2, 1, func(x *store.Exchange) { x.Decision.Target.Model = "other" })
	l.earlier(20, 2.4, 1, func(x *store.Exchange) { x.Outcome = store.Cancelled })
	l.earlier(20, 2.6, 1, func(x *store.Exchange) { x.Facts.Off = true })
	l.earlier(120, 3, 0, func(x *store.Exchange) { x.ResponseModel, x.Facts.Unit = "m-2026", x.Facts.Unit+"alike" })
	l.earlier(10, 2.9, 1, func(x *store.Exchange) { x.ResponseModel, x.Facts.Unit = "m-2026", "earlier 3 0alike" })
	l.earlier(5, 3.5, 0, func(x *store.Exchange) { x.Status, x.Outcome = 502, store.UpstreamError })
	l.serve(10, 1, 0.5, 0.5)
	b := l.effect().Baseline
	want := store.Baseline{Target: "/", Model: "m-2026", Check: rules.Tally{Good: 0, Of: 120}, Failure: rules.Tally{Good: 120, Of: 125}}
	if b == nil || b.Since.IsZero() || !b.Until.After(b.Since) {
		t.Fatalf("got %+v", b)
	}
	got := *b
	got.Since, got.Until = time.Time{}, time.Time{}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if e := l.effect(); e.Sources[0].Before.With.Of != 5 && e.Sources[0].Before.With.Of+e.Sources[0].Before.Without.Of != 10 {
		t.Errorf("answers that name no model count as its: %+v", e.Sources[0].Before)
	}
}

// The exchanges that people judged, so that the rule came of it, were picked for
// being bad.
func TestBaselineOf_LeavesOutWhatTheRuleCameOf(t *testing.T) {
	l := newLab(t)
	var judged string
	l.earlier(30, 2, 1, nil)
	l.earlier(1, 1, 0, func(x *store.Exchange) { judged = x.ID })
	bad := -1.0
	f, _, err := l.s.AddFeedback(t.Context(), &store.Feedback{App: "shop", Time: l.now, Source: "widget", ExchangeID: judged, Rating: &bad, Comment: "No."})
	if err != nil {
		t.Fatal(err)
	}
	l.rule.Sources, l.rule.Version = []string{f.ID}, 2
	l.publish("revise", rules.Operation{Kind: rules.Revise, Rule: &l.rule})
	l.serve(10, 1, 0.5, 0.5)
	if b := l.effect().Baseline; b.Check != (rules.Tally{Good: 30, Of: 30}) {
		t.Errorf("got %+v, want the 30 that nobody judged", b)
	}
}

func TestBaselineOf_SaysWhyThereIsNone(t *testing.T) {
	l := newLab(t)
	if b := l.effect().Baseline; b == nil || !strings.Contains(b.None, "no exchange in scope yet") {
		t.Errorf("nothing in scope: %+v", b)
	}
	l.serve(5, 1, 0.5, 0.5)
	if b := l.effect().Baseline; !strings.Contains(b.None, "no logged request from before") {
		t.Errorf("nothing before: %+v", b)
	}
	l.earlier(10, 1, 1, func(x *store.Exchange) { x.Answer = "" })
	b := l.effect().Baseline
	if !strings.Contains(b.None, "keeps no answers") || b.Check.Of != 0 {
		t.Errorf("no answers before: %+v", b)
	}
	l.now = l.now.Add(time.Minute)
	l.publish("pause", rules.Operation{Kind: rules.Pause, IDs: []string{l.rule.ID}})
	l.publish("resume", rules.Operation{Kind: rules.Resume, Rule: &l.rule})
	l.serve(5, 1, 0.5, 0.5)
	if b := l.effect().Baseline; !strings.Contains(b.None, "brought the rule back") {
		t.Errorf("brought back: %+v", b)
	}
}

// A long answer's copy is cut; its body is checked.
func TestBaselineOf_ReadsLongAnswers(t *testing.T) {
	l := newLab(t)
	long := strings.Repeat("So it goes. ", 500) + "Within 30 days."
	l.earlier(4, 1, 1, func(x *store.Exchange) {
		body, err := json.Marshal(map[string]any{"id": "c", "model": "m", "choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": long}}}})
		if err != nil {
			t.Fatal(err)
		}
		x.Answer, x.Response, x.API = long[:store.MaxCopyBytes], body, wire.Chat
	})
	l.serve(5, 1, 0.5, 0.5)
	if b := l.effect().Baseline; b.Check != (rules.Tally{Good: 4, Of: 4}) {
		t.Errorf("got %+v, want that four long answers follow the rule at their end", b)
	}
}

func TestEffects_RemembersBaselines(t *testing.T) {
	l := newLab(t)
	l.earlier(20, 1, 1, nil)
	l.serve(5, 1, 0.5, 0.5)
	effects := store.NewEffects(l.s)
	for range 2 {
		e, err := effects.Of(t.Context(), "shop", l.rule.ID)
		if err != nil || e.Baseline.Check.Of != 20 {
			t.Fatalf("got %+v (%v)", e.Baseline, err)
		}
		l.earlier(5, 1.5, 1, nil) // late rows: known to the log, but not to what is remembered
	}
	if e := l.effect(); e.Baseline.Check.Of != 25 {
		t.Errorf("computed anew: %+v, want 25: the late ones are of five units", e.Baseline)
	}
}

// Where everybody gets the rule, what was before shows a change and proves nothing.
func TestEffectOf_WithoutAHoldoutShowsTheChange(t *testing.T) {
	l := newLab(t)
	l.earlier(200, 1, 0.1, nil)
	var xs []*store.Exchange
	for i := range 60 {
		x := l.exchange(fmt.Sprint("sure ", i/2), true)
		x.Decision.Rules[0].Withheld, x.Decision.Rules[0].Propensity = false, 1
		xs = append(xs, x)
	}
	l.write(xs...)
	e := l.effect()
	if e.Verdict != store.NoHoldout || len(e.Sources) == 0 {
		t.Fatalf("got %+v", e)
	}
	if c := e.Sources[0]; c.Treated+c.Control != 0 || c.Before.With != (rules.Tally{Good: 30, Of: 30}) || !c.Before.Withheld || c.Before.Low < 0.3 {
		t.Errorf("by check %+v, before %+v, want 30 units with it, shown, not believed", c, c.Before)
	}
}
