package store

import (
	"fmt"
	"math"
	"slices"
	"time"

	"heed/rules"
)

// Tracker adds up one rule's experiment, oldest first. It is not safe for
// concurrent use.
type Tracker struct {
	rule      string
	span      Span
	exchanges int
	withheld  int
	chance    bool             // some arm was drawn
	units     map[string]uint8 // what each unit has counted for
	observed  map[string]bool  // exchanges on which nothing was done with the decision
	ratio     rules.Ratio
	sources   [3]rules.Effect // by sourceNames
	tokens    rules.Amount
	before    *Baseline
	since     [3]struct{ with, without rules.Tally } // by sourceNames, of what was served like before
}

// sourceNames are the sources of an Effect. A rule is judged by its checks, or by
// ratings when there are none; the others may only stop it.
var sourceNames = [3]string{"check", "rating", "failure"}

// Bits of Tracker.units.
const (
	byCheck uint8 = 1 << iota
	byRating
	byFailure
	byTokens
	byScope
	checkSure // got the rule for sure: counts against what was before only
	failureSure
)

// maxUnits bounds the units that are told apart; later ones do not count.
const maxUnits = 50_000

// NewTracker returns a tracker of the rule with that id, in all of its life.
func NewTracker(rule string) *Tracker {
	return &Tracker{rule: rule, units: map[string]uint8{}, observed: map[string]bool{}}
}

// Within makes the tracker, which saw nothing yet, leave out what is not in span.
func (t *Tracker) Within(span Span) *Tracker {
	t.span = span
	return t
}

// Since makes the tracker, which saw nothing yet, compare with b too.
func (t *Tracker) Since(b Baseline) *Tracker {
	t.before = &b
	return t
}

// tracked is what a tracker needs of an exchange.
type tracked struct {
	unit     string
	served   served
	decision rules.RuleDecision
	known    uint8   // what of the following can be told
	check    float64 // 1 followed
	failure  float64 // 1 went well
	tokens   float64
}

// look takes from x what the tracker needs. ok is false when x does not count: the
// rule was not in scope, or rules were only observed. An exchange that was sent
// again without rules counts in the arm that was drawn, because only one arm can
// have such.
func (t *Tracker) look(x *Exchange) (o tracked, ok bool) {
	d := t.find(x.Decision.Rules, x.Time)
	if d == nil {
		return o, false
	}
	if x.Decision.Observed {
		if len(t.observed) < maxUnits {
			t.observed[x.ID] = true
		}
		return o, false
	}
	o = tracked{unit: x.Facts.Unit, served: servedOf(x), decision: *d}
	if x.Outcome == Cancelled || x.Outcome == Refused {
		return o, true
	}
	o.known |= byFailure
	if !x.failed() {
		o.failure = 1
	}
	if x.Outcome != OK {
		return o, true
	}
	for _, c := range x.Checks {
		if c.Rule == t.rule {
			o.known |= byCheck
			if c.Followed {
				o.check = 1
			}
		}
	}
	if x.Usage != nil {
		o.known |= byTokens
		o.tokens = float64(x.Usage.OutputTokens)
	}
	return o, true
}

// failed says whether the exchange went wrong by what code can see.
func (x *Exchange) failed() bool {
	return x.Outcome != OK || x.Status >= 500 || len(x.Failures) > 0 || x.Finish == "length" || x.Finish == "max_tokens" || x.Finish == "max_output_tokens"
}

// find is the decision on the rule, nil when there is none within the span.
func (t *Tracker) find(ds []rules.RuleDecision, at time.Time) *rules.RuleDecision {
	if at.Before(t.span.Since) {
		return nil
	}
	for i := range ds {
		if ds[i].ID == t.rule && (len(t.span.Versions) == 0 || slices.Contains(t.span.Versions, ds[i].Version)) {
			return &ds[i]
		}
	}
	return nil
}

// Exchange takes an exchange into account, unless it does not count.
func (t *Tracker) Exchange(x *Exchange) {
	if o, ok := t.look(x); ok {
		t.add(&o)
	}
}

func (t *Tracker) add(o *tracked) {
	t.exchanges++
	if o.decision.Withheld {
		t.withheld++
	}
	trial, ok := o.decision.Trial(0)
	if first := t.first(o.unit, byScope); first && ok {
		t.ratio.Add(trial.Treated, trial.Propensity)
	}
	if !ok {
		t.sure(o)
		return
	}
	t.chance = true
	if o.known&byCheck != 0 {
		t.judge(0, byCheck, o, o.check)
	}
	if o.known&byFailure != 0 {
		t.judge(2, byFailure, o, o.failure)
	}
	if o.known&byTokens != 0 && t.first(o.unit, byTokens) {
		trial.Value = o.tokens
		must(t.tokens.Add(trial))
	}
}

// sure counts a unit whose arm was not drawn: it can be compared with what was
// before, without anybody at the same time to bear it out.
func (t *Tracker) sure(o *tracked) {
	if t.before == nil || o.decision.Withheld || !t.before.matches(o.served) {
		return
	}
	if o.known&byCheck != 0 && t.first(o.unit, checkSure) {
		t.since[0].with.Add(o.check == 1)
	}
	if o.known&byFailure != 0 && t.first(o.unit, failureSure) {
		t.since[2].with.Add(o.failure == 1)
	}
}

// first says whether the unit counts for what for the first time.
func (t *Tracker) first(unit string, what uint8) bool {
	had, known := t.units[unit]
	if had&what != 0 || !known && len(t.units) >= maxUnits {
		return false
	}
	t.units[unit] = had | what
	return true
}

// judge adds a unit's first outcome by a source.
func (t *Tracker) judge(source int, what uint8, o *tracked, value float64) {
	trial, ok := o.decision.Trial(value)
	if !ok || !t.first(o.unit, what) {
		return
	}
	must(t.sources[source].Add(trial))
	if t.before == nil || what == byRating || !t.before.matches(o.served) {
		return
	}
	if trial.Treated {
		t.since[source].with.Add(value == 1)
	} else {
		t.since[source].without.Add(value == 1)
	}
}

// must holds what look and RuleDecision.Trial have made sure of.
func must(err error) {
	if err != nil {
		panic("BUG: " + err.Error())
	}
}

// decisionOn is the decision that f judges, nil when f does not count: it must be
// linked, neither taken back nor superseded, with a rating other than 0.
func (t *Tracker) decisionOn(f *Feedback) *rules.RuleDecision {
	if f.Rating == nil || *f.Rating == 0 || f.Link == nil || !f.Retracted.IsZero() || f.SupersededBy != "" || t.observed[f.Link.ExchangeID] {
		return nil
	}
	return t.find(f.Link.Rules, f.Link.Time)
}

// Rating takes a judgement into account, unless it does not count.
func (t *Tracker) Rating(f *Feedback) {
	d := t.decisionOn(f)
	if d == nil {
		return
	}
	value := 0.0
	if *f.Rating > 0 {
		value = 1
	}
	t.judge(1, byRating, &tracked{unit: f.Link.Unit, decision: *d}, value)
}

// Effect is what was added up so far. It takes some milliseconds for a thousand
// units.
func (t *Tracker) Effect() Effect {
	e := Effect{Rule: t.rule, Versions: t.span.Versions, Since: t.span.Since, Exchanges: t.exchanges, Withheld: t.withheld, Observed: len(t.observed), Sources: []Estimate{}}
	e.Expected, e.Treated = t.ratio.Expected()
	e.Mismatch = t.ratio.P()
	for _, did := range t.units {
		if did&byScope != 0 {
			e.Units++
		}
	}
	judge := -1
	for i := range t.sources {
		without, with, _, _ := t.sources[i].Units()
		if without+with+t.since[i].with.Of == 0 {
			continue
		}
		if judge < 0 && i < 2 {
			judge = i
		}
		calls, before := Levels{GuardCalls, GuardCalls}, Levels{BeforeGuardCalls, BeforeGuardCalls}
		if i == judge {
			calls, before = Levels{EvidenceHelps, EvidenceHarms}, Levels{BeforeHelps, BeforeHarms}
		}
		m := estimate(sourceNames[i], &t.sources[i], calls)
		m.Judges = i == judge
		if tally := t.earlier(i); tally.Of > 0 {
			m.Before = earlierEstimate(tally, t.since[i].with, t.since[i].without, before)
		}
		e.Sources = append(e.Sources, m)
	}
	e.Baseline = t.before
	e.Tokens = tokenEffect(&t.tokens)
	e.Verdict, e.Why = e.verdict(t.chance)
	return e
}

// earlier is what the source says of the units before the rule.
func (t *Tracker) earlier(source int) rules.Tally {
	if t.before == nil {
		return rules.Tally{}
	}
	switch sourceNames[source] {
	case "check":
		return t.before.Check
	case "failure":
		return t.before.Failure
	}
	return rules.Tally{}
}

func estimate(source string, r *rules.Effect, calls Levels) Estimate {
	m := Estimate{Source: source, Verdict: NotProven, Enough: calls, Mismatch: r.Ratio().P()}
	m.Control, m.Treated, m.ControlMean, m.TreatedMean = r.Units()
	m.Difference, _ = r.Mean()
	in := r.Interval(EvidenceHelps, EvidenceHarms)
	m.Low, m.High = in.Low, in.High
	m.Better, m.Worse = factor(r.Benefit()), factor(r.Harm())
	switch {
	case m.Worse >= calls.Harms:
		m.Verdict = Harms
	case m.Better >= calls.Helps:
		m.Verdict = Helps
	}
	return m
}

// factor is evidence for people and for JSON, which has no infinity.
func factor(log float64) float64 { return math.Exp(min(log, 700)) }

func tokenEffect(a *rules.Amount) *TokenEffect {
	var e TokenEffect
	e.Control, e.Treated, e.ControlMean, e.TreatedMean = a.Units()
	if e.Control+e.Treated == 0 {
		return nil
	}
	if mean, ok := a.Mean(); ok {
		in, _ := a.Interval(0.05)
		e.Difference, e.Interval = &mean, &in
	}
	return &e
}

// verdict reads the sources. Harm comes first, also when the arms do not look as
// drawn: to pause a rule costs little.
func (e *Effect) verdict(chance bool) (Verdict, string) {
	switch {
	case e.Exchanges == 0 && e.Observed > 0:
		return Collecting, fmt.Sprintf("nothing was injected into the %d exchanges in scope: the app only observes its rules, or the upstream takes none", e.Observed)
	case e.Exchanges == 0:
		return Collecting, "no exchange in scope yet"
	case !chance:
		return NoHoldout, "every unit in scope got the same, so there is nothing to compare with: set a holdout"
	}
	var judge *Estimate
	for i := range e.Sources {
		s := &e.Sources[i]
		if s.Verdict == Harms {
			return Harms, s.say()
		}
		if s.Judges {
			judge = s
		}
	}
	for i := range e.Sources {
		if s := &e.Sources[i]; s.Before != nil && s.Before.Verdict == Harms {
			return Harms, s.Before.say(s.Source)
		}
	}
	switch {
	case e.Mismatch < rules.MismatchAlpha || judge != nil && judge.Mismatch < rules.MismatchAlpha:
		return Unhealthy, fmt.Sprintf("%d units with the rule where %.0f were to be expected, or one arm is judged more often: the figures may be wrong", e.Treated, e.Expected)
	case judge == nil:
		return Collecting, "no answer was checked or rated yet"
	case judge.Verdict == Helps:
		return Helps, judge.say()
	case judge.Before != nil && judge.Before.Verdict == HelpsBefore:
		return HelpsBefore, judge.Before.say(judge.Source) + "; " + judge.say()
	case judge.Treated+judge.Control >= ProvenWithin:
		return NotProven, judge.say()
	}
	return Collecting, fmt.Sprintf("%d of %d units; %s", judge.Treated+judge.Control, ProvenWithin, judge.say())
}

// say is the estimate in one sentence.
func (s *Estimate) say() string {
	return fmt.Sprintf("compared at the same time, by %s: %.0f %% good of %d units with the rule, %.0f %% of %d without (difference %+.0f points, 97.5 %% between %+.0f and %+.0f at every look)",
		s.Source, 100*s.TreatedMean, s.Treated, 100*s.ControlMean, s.Control, 100*s.Difference, 100*s.Low, 100*s.High)
}
