package learner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"heed/rules"
	"heed/store"
)

// Limits of watching rules in force.
const (
	watchRules = 20        // rules looked at in one round
	rampEvery  = time.Hour // at least, between two steps of a ramp
)

// rampSteps are the shares of the units outside the holdout that a ramp reaches
// one after the other; the last makes the rule active.
func rampStep(now float64) float64 {
	for _, s := range []float64{0.10, 0.25, 0.50} {
		if now < s-1e-9 {
			return s
		}
	}
	return 1
}

// rampUnits is how many judged units must have come since the last step before a
// ramp goes on without a verdict: by then harm of 30 points is called in 97 of 100
// cases where the ramp is 50 % (docs/effect.md).
const rampUnits = 200

// watched is what was seen of one rule. It can be lost: a step of the ramp then
// waits for rampEvery and rampUnits anew.
type watched struct {
	newest  string    // id of the newest exchange in scope
	rated   int       // ratings handled by then
	version int       // whose ramp stands at
	ramped  time.Time // the time when that was first seen
	units   int       // and the judged units that there were then; -1: not read yet
	waits   bool      // for rampEvery to pass
}

// sight is one rule whose effect is to be read, and what was read.
type sight struct {
	rule   *rules.Rule
	newest string
	rated  int
	effect store.Effect
	err    error
}

// watch looks at the effect of rules in force that have a second arm: one that
// harms is paused at once, with an entry in the audit and a proposal to retire
// it; a canary that does not takes the next step of its ramp,
// whoever approved it. The effects are read aside, a second for a busy rule, and
// taken in by the next round.
func (l *Learner) watch(ctx context.Context, app string) error {
	a, err := l.current(ctx, app)
	if err != nil || a.watching {
		return err
	}
	looks, err := l.toWatch(ctx, a, app)
	if err != nil || len(looks) == 0 {
		return err
	}
	a.watching = true
	l.side.Add(1)
	go func() { // the end of Run's context ends it; Run waits for it
		defer l.side.Done()
		for i := range looks {
			looks[i].effect, looks[i].err = l.effects.Of(ctx, app, looks[i].rule.ID)
		}
		a.looks <- looks
	}()
	return nil
}

// toWatch lists the rules with something new, at most watchRules; the others have
// their turn at the next round.
func (l *Learner) toWatch(ctx context.Context, a *appState, app string) ([]sight, error) {
	var looks []sight
	now := make(map[string]*watched, len(a.set.Rules)) // of rules in force only
	defer func() { a.watched = now }()
	start := a.next
	for i := range a.set.Rules {
		at := (start + i) % len(a.set.Rules)
		r := &a.set.Rules[at]
		w := a.watched[r.ID]
		if w == nil {
			w = &watched{}
		}
		now[r.ID] = w
		if r.Holdout == 0 && r.State != rules.Canary || len(looks) == watchRules {
			continue
		}
		if w.version != r.Version {
			w.version, w.ramped, w.units, w.waits = r.Version, l.now(), -1, r.State == rules.Canary
		}
		xs, _, err := l.opt.Store.Exchanges(ctx, store.ExchangeFilter{App: app, Rule: r.ID, Limit: 1})
		if err != nil {
			return nil, fmt.Errorf("newest exchange of rule %s: %w", r.ID, err)
		}
		if len(xs) == 0 {
			w.units = 0
		}
		waited := w.waits && due(w.ramped, l.now(), rampEvery)
		if len(xs) == 0 || xs[0].ID == w.newest && w.rated == a.ratings && !waited {
			continue
		}
		w.waits = w.waits && !waited
		looks = append(looks, sight{rule: r.Clone(), newest: xs[0].ID, rated: a.ratings})
		a.next = (at + 1) % len(a.set.Rules)
	}
	return looks, nil
}

// watchedAll takes in the effects that were read.
func (l *Learner) watchedAll(ctx context.Context, app string) error {
	a := l.app(app)
	var looks []sight
	select {
	case looks = <-a.looks:
		a.watching = false
	default:
	}
	var errs []error
	for _, s := range looks {
		if s.err == nil {
			s.err = l.judge(ctx, a, app, s)
		}
		if s.err != nil && !errors.Is(s.err, store.ErrNotFound) {
			errs = append(errs, s.err)
		}
	}
	return errors.Join(errs...)
}

// judge does what the effect of one rule calls for.
func (l *Learner) judge(ctx context.Context, a *appState, app string, s sight) error {
	w := a.watched[s.rule.ID]
	if w == nil || w.version != s.rule.Version {
		return nil // it changed meanwhile: look again
	}
	w.newest, w.rated = s.newest, s.rated
	if w.units < 0 {
		w.units = judgedUnits(s.effect)
	}
	switch {
	case s.effect.Verdict == store.Harms:
		return l.pause(ctx, a, app, s.rule, s.effect.Why)
	case s.rule.State == rules.Canary && due(w.ramped, l.now(), rampEvery) && MayRamp(s.effect, w.units):
		return l.ramp(ctx, a, app, s.rule, s.effect.Why)
	}
	return nil
}

// MayRamp says whether a canary may reach more units: the effect helps, or
// rampUnits more were judged than before, without harm. Where the arms are not as
// drawn nothing is known, and it stays. It is pure.
func MayRamp(e store.Effect, before int) bool {
	switch e.Verdict {
	case store.Harms, store.Unhealthy, store.NoHoldout:
		return false
	case store.Helps:
		return true
	}
	return judgedUnits(e)-before >= rampUnits
}

// judgedUnits are the units that the source judged which judges the rule, else
// those in scope: a rule that nobody judges can still be seen to fail.
func judgedUnits(e store.Effect) int {
	for _, s := range e.Sources {
		if s.Judges {
			return s.Treated + s.Control
		}
	}
	return e.Units
}

// pause takes a harmful rule out of force and asks a person what to do with it.
func (l *Learner) pause(ctx context.Context, a *appState, app string, r *rules.Rule, why string) error {
	paused := false
	err := l.publish(ctx, app, a.lease, "pause", why, func(set *rules.Set) []rules.Operation {
		if now := set.Rule(r.ID); now == nil || now.Version != r.Version {
			return nil // somebody decided meanwhile
		}
		paused = true
		return []rules.Operation{{Kind: rules.Pause, IDs: []string{r.ID}}}
	})
	if err != nil || !paused {
		return err
	}
	l.metrics.paused.Inc()
	l.opt.Log.Warn("learner: rule paused because it harms", "app", app, "rule", r.ID, "figures", why)
	gone := r.Clone()
	gone.State = rules.Paused
	p := &store.Proposal{ID: store.NewID(), App: app, Version: 1, State: store.Open, Created: l.now(), Updated: l.now(),
		Ops:      []rules.Operation{{Kind: rules.Retire, IDs: []string{r.ID}, Rule: gone}},
		Evidence: []store.Evidence{}, Tokens: rules.Tokens(gone), Reason: why,
		Title: oneLine("Retire: it harms, and is paused: "+r.Action, 160)}
	err = l.opt.Store.Commit(ctx, store.Changes{App: app, Lease: a.lease, Proposals: []*store.Proposal{p}})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// ramp lets the rule reach the next share of the units.
func (l *Learner) ramp(ctx context.Context, a *appState, app string, r *rules.Rule, why string) error {
	return l.publish(ctx, app, a.lease, "ramp", "no harm seen: "+why, func(set *rules.Set) []rules.Operation {
		now := set.Rule(r.ID)
		if now == nil || now.Version != r.Version || now.State != rules.Canary {
			return nil
		}
		next := now.Clone()
		next.Version++
		if next.Ramp = rampStep(now.Ramp); next.Ramp == 1 {
			next.State, next.Ramp = rules.Active, 0
		}
		return []rules.Operation{{Kind: rules.Revise, Rule: next}}
	})
}
