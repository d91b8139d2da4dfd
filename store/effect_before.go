package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/wire"
)

// Evidence from which a rule is called by comparing with before it: 1 over the
// errors that it may make, which with those of EvidenceHelps, EvidenceHarms and
// GuardCalls are 5 % for the source that judges the rule and 1 % for others.
const (
	BeforeHelps      = 200
	BeforeHarms      = 50
	BeforeGuardCalls = 1000
)

// What the units without the rule at the same time must say, before a comparison
// with earlier ones is believed: they must be at least so many, and so many times
// likelier if they stayed as before than if they went the way of those with it. It only
// takes calls away, so the evidence means what it means whatever is asked here.
const (
	benefitUnits = 5
	benefitOdds  = 3
	harmUnits    = 10
	harmOdds     = 3.0 / 2
)

// The surer a harm and the longer it shows, the less the units without the rule are
// asked, while they are few: from patientFor to patientUntil units in both arms the
// odds fall from harmOdds to lastOdds, in full when the evidence is sureHarm times
// enough. They then need not say that it is the rule's doing; they only must not
// clearly say that it is not. Of 20 that stayed at 80 %, three draws in a hundred look
// like 60 %: who waits for their word lets more harm pass (docs/effect.md has what
// each costs and saves).
const (
	sureHarm     = 60
	fewUnits     = 25
	patientFor   = 130
	patientUntil = 180
	lastOdds     = 1.0 / 6
)

// Limits of what a Baseline is made of.
const (
	BaselineWindow   = 28 * 24 * time.Hour // before the rule
	baselineRequests = 5000                // newest ones looked at
	baselineBodies   = 300                 // of these, read with bodies because their answer's copy is cut
	baselineText     = 256 << 10           // of an answer, as the gateway checks it
)

// Baseline is how units were served before a rule whose requests would have been
// in its scope: of one step, one target and one model, so that a model or a step
// that comes later is not taken for the rule's doing. Answers from before the rule
// have no verdict of its checks; they are checked here, so a log without answers
// has no baseline for checks.
type Baseline struct {
	Step    string      `json:"step,omitempty"`
	Target  string      `json:"target,omitempty"` // upstream/model
	Model   string      `json:"model,omitempty"`  // as the upstream called it
	Since   time.Time   `json:"since,omitzero"`   // of the first exchange that counts
	Until   time.Time   `json:"until,omitzero"`   // the rule's first exchange in scope
	Check   rules.Tally `json:"check"`
	Failure rules.Tally `json:"failure"`
	None    string      `json:"none,omitempty"` // why there is none
}

// matches says whether an exchange was served as the baseline's were. A failed
// answer names no model.
func (b *Baseline) matches(s served) bool {
	return b.None == "" && s.step == b.Step && s.target == b.Target && (s.model == b.Model || s.model == "")
}

// served is what a unit's answer depends on besides the rules.
type served struct{ step, target, model string }

func servedOf(x *Exchange) served {
	return served{x.Facts.Step, x.Decision.Target.Upstream + "/" + x.Decision.Target.Model, x.ResponseModel}
}

// BaselineOf makes the baseline of the rule whose first exchange in scope within
// the span is first. It takes requests of up to BaselineWindow before that, the
// newest baselineRequests, through the set that was in force then, as the gateway
// would have. What people judged so that the rule came of it is left out: it was
// picked for being bad. It takes some tenths of a second for the most.
func BaselineOf(ctx context.Context, s Store, app, rule string, span Span, first *Exchange) (Baseline, error) {
	switch {
	case !span.Since.IsZero():
		return Baseline{None: "a person brought the rule back after a pause, so only what happens at the same time decides"}, nil
	case first == nil:
		return Baseline{None: "no exchange in scope yet, or too many to find the first"}, nil
	}
	e, err := newEarlier(ctx, s, app, rule, first)
	if errors.Is(err, ErrNotFound) { // forgotten with an erased person, or of another store
		return Baseline{None: "the rule set that was in force then is not here any more"}, nil
	}
	if err != nil {
		return Baseline{}, fmt.Errorf("what was before rule %s: %w", rule, err)
	}
	f := ExchangeFilter{App: app, Since: first.Time.Add(-BaselineWindow), Until: first.Time, Queries: !e.rule.Scope.Always, Limit: MaxPage}
	if steps := e.rule.Scope.Hard.Steps; len(steps) == 1 {
		f.Step = steps[0]
	}
	for looked := 0; looked < baselineRequests; {
		xs, next, err := s.Exchanges(ctx, f)
		if err != nil {
			return Baseline{}, fmt.Errorf("what was before rule %s: %w", rule, err)
		}
		for _, x := range xs {
			if err := e.look(ctx, s, x); err != nil {
				return Baseline{}, fmt.Errorf("what was before rule %s: %w", rule, err)
			}
		}
		if looked += len(xs); next == "" {
			break
		}
		f.After = next
	}
	b := e.baseline()
	b.Until = first.Time
	return b, nil
}

// earlier collects a baseline, newest exchange first.
type earlier struct {
	rule     *rules.Rule
	compiled *rules.Compiled
	buf      rules.Buffer
	tap      *wire.Tap
	bodies   int             // read so far
	judged   map[string]bool // exchanges and units of which the rule came
	rows     []earlierRow
	bare     int // in scope, without an answer to check
}

type earlierRow struct {
	tracked
	served served
	at     time.Time
}

func newEarlier(ctx context.Context, s Store, app, rule string, first *Exchange) (*earlier, error) {
	set, err := s.Set(ctx, app, first.Head.Hash)
	if err != nil {
		return nil, err
	}
	stats, err := StatsOf(ctx, s, set)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	then := *set
	then.Rules = slices.Clone(set.Rules)
	e := &earlier{tap: wire.NewTap(wire.Other, false, baselineText), judged: map[string]bool{}}
	if e.rule = then.Rule(rule); e.rule == nil {
		return nil, fmt.Errorf("rule set %s: %w", first.Head, ErrNotFound)
	}
	e.rule.ValidFrom = time.Time{}
	for _, id := range e.rule.Sources {
		f, err := s.FeedbackByID(ctx, app, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		e.judged[f.ExchangeID] = true
		if f.Link != nil {
			e.judged[f.Link.ExchangeID], e.judged[f.Link.Unit] = true, true
		}
	}
	e.compiled, err = rules.Compile(&then, first.Head, stats)
	return e, err
}

// look takes an exchange that the rule would have had in scope, unless it had, was
// judged, or asked for no rules.
func (e *earlier) look(ctx context.Context, s Store, x *Exchange) error {
	has := func(d rules.RuleDecision) bool { return d.ID == e.rule.ID }
	if e.judged[x.ID] || e.judged[x.Facts.Unit] || slices.ContainsFunc(x.Decision.Rules, has) ||
		!slices.ContainsFunc(e.compiled.Decide(&x.Facts, &e.buf).Rules, has) || x.Outcome == Cancelled || x.Outcome == Refused {
		return nil
	}
	row := earlierRow{served: servedOf(x), at: x.Time, tracked: tracked{unit: x.Facts.Unit, known: byFailure}}
	if !x.failed() {
		row.failure = 1
	}
	if x.Outcome == OK && len(e.rule.Checks) > 0 {
		text, err := e.text(ctx, s, x)
		if err != nil {
			return err
		}
		if text == "" {
			e.bare++
		} else {
			row.known |= byCheck
			if followed(e.rule.Checks, text) {
				row.check = 1
			}
		}
	}
	e.rows = append(e.rows, row)
	return nil
}

func followed(checks []check.Spec, text string) bool {
	return !slices.ContainsFunc(checks, func(c check.Spec) bool { return !c.Followed(text) })
}

// text is the answer's whole text, "" where it is not kept. The row's copy may be
// cut; then the body is read.
func (e *earlier) text(ctx context.Context, s Store, x *Exchange) (string, error) {
	const cut = 4 // a cut copy ends before a character
	if len(x.Answer) <= MaxCopyBytes-cut {
		return x.Answer, nil
	}
	if e.bodies++; e.bodies > baselineBodies {
		return "", nil
	}
	whole, err := s.Exchange(ctx, x.App, x.ID)
	if errors.Is(err, ErrNotFound) { // expired meanwhile
		return "", nil
	}
	if err != nil || len(whole.Response) == 0 {
		return "", err
	}
	e.tap.Reset(whole.API, whole.Stream, baselineText)
	_, _ = e.tap.Write(whole.Response)
	return e.tap.Answer().Text, nil
}

// baseline counts each unit's first exchange that can be judged, of the step,
// target and model that served the most.
func (e *earlier) baseline() Baseline {
	count := map[served]int{}
	var most served
	for _, r := range slices.Backward(e.rows) {
		if count[r.served]++; r.served.model != "" && count[r.served] > count[most] || count[most] == 0 {
			most = r.served
		}
	}
	b := Baseline{Step: most.step, Target: most.target, Model: most.model}
	seen := map[string]uint8{}
	for _, r := range slices.Backward(e.rows) {
		if !b.matches(r.served) {
			continue
		}
		for _, o := range []struct {
			what  uint8
			value float64
			to    *rules.Tally
		}{{byCheck, r.check, &b.Check}, {byFailure, r.failure, &b.Failure}} {
			if r.known&o.what == 0 || seen[r.unit]&o.what != 0 {
				continue
			}
			seen[r.unit] |= o.what
			o.to.Add(o.value == 1)
			if b.Since.IsZero() {
				b.Since = r.at
			}
		}
	}
	switch {
	case len(e.rows) == 0:
		b.None = "no logged request from before the rule would have been in its scope"
	case b.Check.Of == 0 && e.bare > 0:
		b.None = "the log keeps no answers from before the rule that its checks could look at"
	}
	return b
}

// Earlier is an estimate that compares with before the rule. It is quicker than
// the one it stands in, and says less.
type Earlier struct {
	Before      rules.Tally `json:"before"`
	With        rules.Tally `json:"with"`    // served like those before
	Without     rules.Tally `json:"without"` // at the same time, served like those before
	Difference  float64     `json:"difference"`
	Low         float64     `json:"low"` // 97.5 %, at all times at once
	High        float64     `json:"high"`
	Better      float64     `json:"better"` // evidence, as of Estimate
	Worse       float64     `json:"worse"`
	Enough      Levels      `json:"enough"`
	Odds        float64     `json:"odds"` // how many times likelier Without is as Before than as With
	Verdict     Verdict     `json:"verdict"`
	Withheld    bool        `json:"withheld,omitempty"`    // there is evidence enough, but Without does not bear it out
	Unconfirmed bool        `json:"unconfirmed,omitempty"` // harm is believed although Without, being few, does not bear it out
}

func earlierEstimate(before, with, without rules.Tally, calls Levels) *Earlier {
	b := rules.NewBefore(before)
	e := &Earlier{Before: before, With: with, Without: without, Difference: with.Share() - before.Share(), Enough: calls, Verdict: NotProven,
		Better: factor(b.Benefit(with)), Worse: factor(b.Harm(with)), Odds: factor(b.Odds(with, without))}
	in := b.Interval(with, BeforeHelps, BeforeHarms)
	e.Low, e.High = in.Low, in.High
	odds := math.Log(e.Odds)
	switch {
	case e.Worse >= calls.Harms:
		e.Withheld = odds < HarmOdds(math.Log(e.Worse/calls.Harms), with.Of, without.Of)
		e.Verdict, e.Unconfirmed = Harms, !e.Withheld && odds < math.Log(harmOdds)
	case e.Better >= calls.Helps:
		e.Withheld = odds < BenefitOdds(without.Of)
		e.Verdict = HelpsBefore
	}
	if e.Withheld {
		e.Verdict = NotProven
	}
	return e
}

// HarmOdds is the logarithm of the odds, as rules.Before.Odds gives them, from which
// harm that shows against before is believed: +Inf while the units without the rule
// are fewer than harmUnits. surplus is the logarithm of how many times the evidence
// is more than enough.
func HarmOdds(surplus float64, with, without int) float64 {
	if without < harmUnits {
		return math.Inf(1)
	}
	if without >= fewUnits {
		return math.Log(harmOdds)
	}
	late := float64(with+without-patientFor) / (patientUntil - patientFor)
	sure := surplus / math.Log(sureHarm)
	return math.Log(harmOdds) + clip(late)*clip(sure)*math.Log(lastOdds/harmOdds)
}

func clip(share float64) float64 { return min(1, max(0, share)) }

// BenefitOdds is the same for a benefit.
func BenefitOdds(without int) float64 {
	if without < benefitUnits {
		return math.Inf(1)
	}
	return math.Log(benefitOdds)
}

// say is the comparison in one sentence.
func (e *Earlier) say(source string) string {
	s := fmt.Sprintf("compared with before, by %s: %.0f %% good of %d units with the rule, %.0f %% of %d before it (difference %+.0f points, 97.5 %% between %+.0f and %+.0f at every look)",
		source, 100*e.With.Share(), e.With.Of, 100*e.Before.Share(), e.Before.Of, 100*e.Difference, 100*e.Low, 100*e.High)
	if e.Withheld {
		return s + fmt.Sprintf("; the %d units without it at the same time do not bear out that it is the rule's doing", e.Without.Of)
	}
	if e.Unconfirmed {
		return s + fmt.Sprintf("; the %d units without it at the same time, %.0f %% good, are too few to say whether it is the rule's doing, and a harm this sure is not waited for", e.Without.Of, 100*e.Without.Share())
	}
	if e.Verdict != NotProven {
		s += fmt.Sprintf("; the %d units without it at the same time, %.0f %% good, stayed as before", e.Without.Of, 100*e.Without.Share())
	}
	return s
}

// Effects computes effects as EffectOf does and remembers the baselines, which
// stay as they are and are the slow part, for baselineFor. It is safe for
// concurrent use.
type Effects struct {
	store Store

	mu    sync.Mutex
	known map[string]knownBaseline // by app, rule and first exchange
}

type knownBaseline struct {
	Baseline
	at time.Time
}

// Limits of what Effects remembers: what retention takes from the log shows after
// baselineFor.
const (
	baselineFor  = 10 * time.Minute
	maxBaselines = 1000
)

// NewEffects returns the effects of s's rules.
func NewEffects(s Store) *Effects { return &Effects{store: s, known: map[string]knownBaseline{}} }

// Baseline is BaselineOf, remembered.
func (e *Effects) Baseline(ctx context.Context, app, rule string, span Span, first *Exchange) (Baseline, error) {
	if first == nil || !span.Since.IsZero() {
		return BaselineOf(ctx, e.store, app, rule, span, first)
	}
	name := fmt.Sprint(app, "\x00", rule, "\x00", first.ID)
	now := time.Now()
	e.mu.Lock()
	k, ok := e.known[name]
	e.mu.Unlock()
	if ok && now.Sub(k.at) < baselineFor {
		return k.Baseline, nil
	}
	b, err := BaselineOf(ctx, e.store, app, rule, span, first)
	if err != nil {
		return b, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.known) >= maxBaselines {
		clear(e.known)
	}
	e.known[name] = knownBaseline{b, now}
	return b, nil
}

// Of computes the rule's effect from the log.
func (e *Effects) Of(ctx context.Context, app, rule string) (Effect, error) {
	return e.Each(ctx, app, rule, func(*Exchange) {}, func(*Feedback) {})
}

// Each is Of, and shows every exchange with the rule in scope and every feedback
// on one that it reads, within the rule's span, newest first.
func (e *Effects) Each(ctx context.Context, app, rule string, exchange func(*Exchange), feedback func(*Feedback)) (Effect, error) {
	effect, err := e.each(ctx, app, rule, exchange, feedback)
	if err != nil {
		return Effect{}, fmt.Errorf("effect of rule %s: %w", rule, err)
	}
	return effect, nil
}

func (e *Effects) each(ctx context.Context, app, rule string, exchange func(*Exchange), feedback func(*Feedback)) (Effect, error) {
	span, err := SpanOf(ctx, e.store, app, rule)
	if err != nil {
		return Effect{}, err
	}
	t := NewTracker(rule).Within(span)
	xs, first, err := inScope(ctx, e.store, app, t, exchange)
	if err != nil {
		return Effect{}, err
	}
	b, err := e.Baseline(ctx, app, rule, span, first)
	if err != nil {
		return Effect{}, err
	}
	t.Since(b)
	for i := range slices.Backward(xs) {
		t.add(&xs[i])
	}
	fs, err := t.judged(ctx, e.store, app)
	if err != nil {
		return Effect{}, err
	}
	for _, f := range fs {
		feedback(f)
	}
	for _, f := range slices.Backward(fs) {
		t.Rating(f)
	}
	return t.Effect(), nil
}
