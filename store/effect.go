package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"heed/rules"
)

// EvidenceHelps and EvidenceHarms are the evidence from which a rule is said to help
// or to harm by units at the same time: 1 over 1 % and 1.5 %. With BeforeHelps and
// BeforeHarms, 0.5 % and 2 %, a rule without any effect is called either in at most
// one case of twenty over all looks. Most of that goes to harm: a pause can be taken
// back, a harm that is missed hurts every unit. GuardCalls is the same for the sources
// that a rule is not judged by: 1 over 0.4 %, with BeforeGuardCalls 0.5 %, so that
// several sources do not add up to many alarms.
const (
	EvidenceHelps = 100
	EvidenceHarms = 200.0 / 3
	GuardCalls    = 250
)

// Limits of what EffectOf reads.
const (
	EffectExchanges = 20_000 // newest exchanges in scope of the rule
	EffectFeedback  = 5_000  // newest feedback of the app
)

// ProvenWithin is how many judged units may come without a verdict before a rule
// is said to be not proven: at a holdout of 10 % about half of the rules that mend one
// answer in five are recognised by then (docs/effect.md).
const ProvenWithin = 500

// Effect is what the log tells about one rule: units that got it against units of
// its holdout (or that its ramp has not reached). Everything in it can be computed
// again from the log.
type Effect struct {
	Rule      string       `json:"rule"`
	Versions  []int        `json:"versions,omitempty"` // that count; empty: all
	Since     time.Time    `json:"since,omitzero"`     // exchanges before do not count
	Verdict   Verdict      `json:"verdict"`
	Why       string       `json:"why"`       // the verdict's figures in one sentence
	Exchanges int          `json:"exchanges"` // in scope, both arms
	Withheld  int          `json:"withheld"`
	Observed  int          `json:"observed,omitempty"` // further ones in scope into which nothing was injected, whoever's arm they are in: they count nowhere
	Units     int          `json:"units"`              // that these belong to
	Expected  float64      `json:"expected"`           // units that should have got the rule, by the recorded propensities
	Treated   int          `json:"treated"`            // and that did
	Mismatch  float64      `json:"mismatch"`           // always-valid p-value of that; below rules.MismatchAlpha something is wrong with the assignment
	Sources   []Estimate   `json:"sources"`            // check, rating, failure, as far as there are any
	Baseline  *Baseline    `json:"baseline,omitempty"` // how it was before the rule
	Tokens    *TokenEffect `json:"tokens,omitempty"`
}

// Verdict is what the figures say.
type Verdict string

// Verdicts.
const (
	Helps       Verdict = "helps" // compared at the same time
	Harms       Verdict = "harms"
	HelpsBefore Verdict = "helps, compared with before" // until units at the same time say so too
	NotProven   Verdict = "not proven"                  // of a rule: after ProvenWithin units
	Collecting  Verdict = "collecting"                  // too few units so far, or none
	NoHoldout   Verdict = "no holdout"                  // every unit got the same: nothing to compare
	Unhealthy   Verdict = "unhealthy"                   // the arms are not as drawn, so a benefit is not believed
)

// Estimate is the effect by one source of judgement. Every unit counts once, with
// the first of its exchanges that the source judged: arms are drawn by unit, so
// ten answers to one person are one draw, and whether there are ten may be the
// rule's doing.
type Estimate struct {
	Source      string   `json:"source"` // check, rating, failure
	Treated     int      `json:"treated"`
	Control     int      `json:"control"`
	TreatedMean float64  `json:"treated_mean"` // share of good outcomes
	ControlMean float64  `json:"control_mean"`
	Difference  float64  `json:"difference"` // weighted by propensity, so it may differ from that of the means
	Low         float64  `json:"low"`        // 97.5 %, at all times at once; together with Before's 95 %
	High        float64  `json:"high"`
	Better      float64  `json:"better"`           // evidence that the rule helps
	Worse       float64  `json:"worse"`            // and that it harms
	Judges      bool     `json:"judges,omitempty"` // the rule is judged by it; others may only stop the rule
	Enough      Levels   `json:"enough"`           // evidence that decides
	Mismatch    float64  `json:"mismatch"`         // as of Effect, of the units judged: below, one arm is judged more often
	Verdict     Verdict  `json:"verdict"`          // Helps, Harms or NotProven
	Before      *Earlier `json:"before,omitempty"` // the same against what was before; nil for ratings and without a baseline
}

// Levels is the evidence from which something is said.
type Levels struct {
	Helps float64 `json:"helps"`
	Harms float64 `json:"harms"`
}

// TokenEffect is what the rule does to the length of answers, in output tokens. It
// never pauses a rule.
type TokenEffect struct {
	Treated     int             `json:"treated"`
	Control     int             `json:"control"`
	TreatedMean float64         `json:"treated_mean"`
	ControlMean float64         `json:"control_mean"`
	Difference  *float64        `json:"difference,omitempty"` // nil before rules.BurnIn units in each arm
	Interval    *rules.Interval `json:"interval,omitempty"`   // 95 %, at all times at once
}

// Harms returns the source by which the rule harms, "" when none says so.
func (e *Effect) Harms() string {
	for _, s := range e.Sources {
		if s.Verdict == Harms || s.Before != nil && s.Before.Verdict == Harms {
			return s.Source
		}
	}
	return ""
}

// EffectOf computes the rule's effect from the log. It reads up to EffectExchanges
// exchanges without bodies, and those before the rule: a second for the most.
func EffectOf(ctx context.Context, s Store, app, rule string) (Effect, error) {
	return NewEffects(s).Of(ctx, app, rule)
}

// Span is the part of a rule's life that its effect is told of.
type Span struct {
	Versions []int     // empty: all
	Since    time.Time // arrival of an exchange; zero: from the start
}

// maxPauses is how many of the app's newest pauses are looked at.
const maxPauses = 200

// SpanOf is the span of the rule as it stands: its versions with the newest one's
// action and checks (a wider scope or the next step of a ramp begins nothing new),
// and, when a person brought it back after a pause, what came after that, so that
// the figures for which it was paused do not pause it again at once. A rule that was
// never in force is ErrNotFound.
func SpanOf(ctx context.Context, s Store, app, rule string) (Span, error) {
	versions, err := s.RuleVersions(ctx, app, rule)
	if err != nil {
		return Span{}, err
	}
	if len(versions) == 0 {
		return Span{}, ErrNotFound
	}
	var span Span
	newest := &versions[0]
	for i := range versions {
		if v := &versions[i]; v.Action == newest.Action && fmt.Sprint(v.Checks) == fmt.Sprint(newest.Checks) {
			span.Versions = append(span.Versions, v.Version)
		}
	}
	slices.Sort(span.Versions)
	as, _, err := s.Audits(ctx, AuditFilter{App: app, Action: "pause", Limit: maxPauses})
	as = slices.DeleteFunc(as, func(a Audit) bool {
		return !slices.ContainsFunc(a.Ops, func(op rules.Operation) bool { return op.Kind == rules.Pause && slices.Contains(op.IDs, rule) })
	})
	if newest.State == rules.Paused && len(as) > 0 {
		as = as[1:] // the newest one took it out of force: what came before it counts
	}
	if len(as) > 0 {
		span.Since = as[0].Time
	}
	return span, err
}

// inScope reads what the tracker needs of the newest exchanges in scope, newest
// first, and the first one of all, nil when there is none or when there are more.
// It shows each to visit.
func inScope(ctx context.Context, s Store, app string, t *Tracker, visit func(*Exchange)) (out []tracked, first *Exchange, err error) {
	f := ExchangeFilter{App: app, Rule: t.rule, Since: t.span.Since, Limit: MaxPage}
	for len(out) < EffectExchanges {
		xs, next, err := s.Exchanges(ctx, f)
		if err != nil {
			return nil, nil, err
		}
		for _, x := range xs {
			visit(x)
			if o, ok := t.look(x); ok {
				out, first = append(out, o), x
			}
		}
		if next == "" {
			return out, first, nil
		}
		f.After = next
	}
	return out, nil, nil
}

// judged reads the newest feedback that judges the rule, newest first.
func (t *Tracker) judged(ctx context.Context, s Store, app string) ([]*Feedback, error) {
	f := FeedbackFilter{App: app, Limit: MaxPage}
	var out []*Feedback
	for looked := 0; looked < EffectFeedback; {
		fs, next, err := s.Feedback(ctx, f)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		for _, one := range fs {
			if t.decisionOn(one) != nil {
				out = append(out, one)
			}
		}
		if looked += len(fs); next == "" {
			break
		}
		f.After = next
	}
	return out, nil
}
