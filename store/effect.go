package store

import (
	"context"
	"fmt"
	"math"
	"slices"

	"heed/rules"
)

// EvidenceCalls is the evidence from which a rule is said to help or to harm:
// 1/0.025, so that over all looks a rule without any effect is called either in at
// most one case of twenty.
const EvidenceCalls = 40

// Limits of what EffectOf reads.
const (
	EffectExchanges = 20_000 // newest exchanges in scope of the rule
	EffectFeedback  = 5_000  // newest feedback of the app
)

// Effect is what the log tells about one rule: units that got it against units of
// its holdout (or that its ramp has not reached). Everything in it can be computed
// again from the log.
type Effect struct {
	Rule      string     `json:"rule"`
	Exchanges int        `json:"exchanges"` // in scope, both arms
	Withheld  int        `json:"withheld"`
	Units     int        `json:"units"`
	Mismatch  float64    `json:"mismatch"` // probability of arms as uneven as these; below 0.001 something is wrong with the assignment
	Sources   []Estimate `json:"sources"`
}

// Estimate is the effect by one source of judgement.
type Estimate struct {
	Source      string  `json:"source"` // check, rating, failure
	Treated     int     `json:"treated"`
	Control     int     `json:"control"`
	TreatedMean float64 `json:"treated_mean"` // share of good outcomes
	ControlMean float64 `json:"control_mean"`
	Difference  float64 `json:"difference"` // weighted by propensity, so it may differ from that of the means
	Low         float64 `json:"low"`        // 95 %, at all times at once
	High        float64 `json:"high"`
	Better      float64 `json:"better"`  // evidence that the rule helps; EvidenceCalls decides
	Worse       float64 `json:"worse"`   // and that it harms
	Verdict     string  `json:"verdict"` // helps, harms, or not proven
}

// Harms returns the source by which the rule harms, "" when none says so.
func (e *Effect) Harms() string {
	for _, s := range e.Sources {
		if s.Verdict == "harms" {
			return s.Source
		}
	}
	return ""
}

// EffectOf computes the rule's effect from the log. It reads up to EffectExchanges
// exchanges without bodies: a second for the most.
func EffectOf(ctx context.Context, s Store, app, rule string) (Effect, error) {
	t := NewTracker(rule)
	xs, err := inScope(ctx, s, app, rule)
	if err != nil {
		return Effect{}, fmt.Errorf("effect of rule %s: %w", rule, err)
	}
	for _, x := range slices.Backward(xs) {
		t.Exchange(x)
	}
	fs, err := judged(ctx, s, app)
	if err != nil {
		return Effect{}, fmt.Errorf("effect of rule %s: %w", rule, err)
	}
	for _, f := range slices.Backward(fs) {
		t.Rating(f)
	}
	return t.Effect(), nil
}

func inScope(ctx context.Context, s Store, app, rule string) ([]*Exchange, error) {
	f := ExchangeFilter{App: app, Rule: rule, Limit: MaxPage}
	var out []*Exchange
	for len(out) < EffectExchanges {
		xs, next, err := s.Exchanges(ctx, f)
		if err != nil {
			return nil, err
		}
		out = append(out, xs...)
		if next == "" {
			break
		}
		f.After = next
	}
	return out, nil
}

func judged(ctx context.Context, s Store, app string) ([]*Feedback, error) {
	f := FeedbackFilter{App: app, Limit: MaxPage}
	var out []*Feedback
	for len(out) < EffectFeedback {
		fs, next, err := s.Feedback(ctx, f)
		if err != nil {
			return nil, err
		}
		out = append(out, fs...)
		if next == "" {
			break
		}
		f.After = next
	}
	return out, nil
}

// Tracker adds up one rule's experiment, oldest first.
type Tracker struct {
	rule      string
	exchanges int
	withheld  int
	units     map[string]bool
	expected  float64 // of the units: treated ones
	variance  float64
	treated   float64
	sources   map[string]*source
}

// source is one kind of judgement.
type source struct {
	test  *TwoSample
	diff  Difference
	units map[string]bool // whose first observation the test has
}

// NewTracker returns a tracker of the rule with that id.
func NewTracker(rule string) *Tracker {
	return &Tracker{rule: rule, units: map[string]bool{}, sources: map[string]*source{}}
}

// Exchange takes an exchange into account. One that did not have the rule in
// scope, or on which nothing was done with the decision, is left out.
func (t *Tracker) Exchange(x *Exchange) {
	d := decisionOn(x.Decision.Rules, t.rule)
	if d == nil || x.Decision.Observed || x.Decision.Resent {
		return
	}
	t.exchanges++
	if d.Withheld {
		t.withheld++
	}
	o := Observation{Treated: !d.Withheld, Propensity: d.Propensity, Unit: x.Facts.Unit}
	if p := o.treatment(); !t.units[o.Unit] && p > 0 && p < 1 && len(t.units) < maxUnits {
		t.units[o.Unit] = true
		t.expected += p
		t.variance += p * (1 - p)
		if o.Treated {
			t.treated++
		}
	}
	if x.Outcome == Cancelled || x.Outcome == Refused {
		return
	}
	if o.Y = 1; x.failed() {
		o.Y = 0
	}
	t.add("failure", o)
	for _, c := range x.Checks {
		if c.Rule == t.rule && x.Outcome == OK {
			if o.Y = 0; c.Followed {
				o.Y = 1
			}
			t.add("check", o)
			break
		}
	}
}

// failed says whether the exchange went wrong by what code can see.
func (x *Exchange) failed() bool {
	return x.Outcome != OK || x.Status >= 500 || len(x.Failures) > 0 || x.Finish == "length" || x.Finish == "max_tokens" || x.Finish == "max_output_tokens"
}

// Rating takes a judgement into account: linked, neither taken back nor
// superseded, with a rating other than 0.
func (t *Tracker) Rating(f *Feedback) {
	if f.Rating == nil || *f.Rating == 0 || f.Link == nil || !f.Retracted.IsZero() || f.SupersededBy != "" {
		return
	}
	d := decisionOn(f.Link.Rules, t.rule)
	if d == nil {
		return
	}
	o := Observation{Treated: !d.Withheld, Propensity: d.Propensity, Unit: f.Link.Unit}
	if *f.Rating > 0 {
		o.Y = 1
	}
	t.add("rating", o)
}

// add gives an observation to its source. The test takes the first of a unit
// only; the interval takes all and widens for their likeness.
func (t *Tracker) add(name string, o Observation) {
	s := t.sources[name]
	if s == nil {
		s = &source{test: NewTwoSample(), units: map[string]bool{}}
		t.sources[name] = s
	}
	s.diff.Add(o)
	if !s.units[o.Unit] && len(s.units) < maxUnits {
		s.units[o.Unit] = true
		s.test.Add(o)
	}
}

// Effect is what was added up so far.
func (t *Tracker) Effect() Effect {
	e := Effect{Rule: t.rule, Exchanges: t.exchanges, Withheld: t.withheld, Units: len(t.units), Mismatch: 1, Sources: []Estimate{}}
	if t.variance > 0 {
		e.Mismatch = math.Erfc(math.Abs(t.treated-t.expected) / math.Sqrt(2*t.variance))
	}
	for _, name := range []string{"check", "rating", "failure"} {
		s := t.sources[name]
		if s == nil {
			continue
		}
		m := Estimate{Source: name, Verdict: "not proven"}
		m.Treated, m.TreatedMean = s.diff.Arm(true)
		m.Control, m.ControlMean = s.diff.Arm(false)
		m.Difference, m.Low, m.High = s.diff.Interval()
		m.Better, m.Worse = s.test.Evidence()
		switch {
		case m.Worse >= EvidenceCalls:
			m.Verdict = "harms"
		case m.Better >= EvidenceCalls:
			m.Verdict = "helps"
		}
		e.Sources = append(e.Sources, m)
	}
	return e
}

func decisionOn(ds []rules.RuleDecision, rule string) *rules.RuleDecision {
	for i := range ds {
		if ds[i].ID == rule {
			return &ds[i]
		}
	}
	return nil
}
