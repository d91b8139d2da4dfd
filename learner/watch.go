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
	rampEvery  = time.Hour // between two steps of a rule that the policy approved
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

// watched is what was seen of one rule.
type watched struct {
	newest string    // id of the newest exchange in scope
	rated  int       // ratings handled by then
	ramped time.Time // when the ramp last moved, or was first seen
}

// watch looks at the effect of rules in force that have a second arm: one that
// harms is paused at once, with an entry in the audit and a proposal that lets a
// person bring it back; one that the policy approved takes the next step of its
// ramp.
func (l *Learner) watch(ctx context.Context, app string) error {
	a, err := l.current(ctx, app)
	if err != nil {
		return err
	}
	if a.watched == nil {
		a.watched = map[string]*watched{}
	}
	looked := 0
	for i := range a.set.Rules {
		r := a.set.Rules[(a.next+i)%len(a.set.Rules)].Clone()
		if r.Holdout == 0 && r.State != rules.Canary {
			continue
		}
		if looked == watchRules {
			a.next = (a.next + i) % len(a.set.Rules) // the others have their turn at the next round
			break
		}
		done, err := l.watchRule(ctx, a, app, r)
		if err != nil {
			return err
		}
		if done {
			looked++
		}
	}
	return nil
}

// watchRule looks at one rule and reports whether there was anything new.
func (l *Learner) watchRule(ctx context.Context, a *appState, app string, r *rules.Rule) (bool, error) {
	w := a.watched[r.ID]
	if w == nil {
		w = &watched{ramped: l.now()}
		a.watched[r.ID] = w
	}
	xs, _, err := l.opt.Store.Exchanges(ctx, store.ExchangeFilter{App: app, Rule: r.ID, Limit: 1})
	if err != nil {
		return false, fmt.Errorf("newest exchange of rule %s: %w", r.ID, err)
	}
	ramps := r.State == rules.Canary && r.ApprovedBy == "auto" && due(w.ramped, l.now(), rampEvery)
	if len(xs) == 0 || xs[0].ID == w.newest && w.rated == a.ratings && !ramps {
		return false, nil
	}
	e, err := store.EffectOf(ctx, l.opt.Store, app, r.ID)
	if err != nil {
		return false, err
	}
	w.newest, w.rated = xs[0].ID, a.ratings
	if e.Verdict == store.Harms {
		return true, l.pause(ctx, app, r, e.Why)
	}
	if ramps {
		w.ramped = l.now()
		return true, l.ramp(ctx, app, r)
	}
	return true, nil
}

// pause takes a harmful rule out of force and asks a person what to do with it.
func (l *Learner) pause(ctx context.Context, app string, r *rules.Rule, why string) error {
	paused := false
	err := l.publish(ctx, app, "pause", why, func(set *rules.Set) []rules.Operation {
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
	back := r.Clone()
	back.Version++
	back.State = rules.Active
	p := &store.Proposal{ID: store.NewID(), App: app, Version: 1, State: store.Open, Created: l.now(), Updated: l.now(),
		Ops:      []rules.Operation{{Kind: rules.Resume, Rule: back}},
		Evidence: []store.Evidence{}, Tokens: rules.Tokens(back), Reason: why,
		Title: oneLine("Paused because it harms; approve only to bring it back: "+r.Action, 160)}
	err = l.opt.Store.Commit(ctx, store.Changes{App: app, Worker: l.opt.Worker, Proposals: []*store.Proposal{p}})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// ramp lets the rule reach the next share of the units.
func (l *Learner) ramp(ctx context.Context, app string, r *rules.Rule) error {
	return l.publish(ctx, app, "ramp", "no harm seen", func(set *rules.Set) []rules.Operation {
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
