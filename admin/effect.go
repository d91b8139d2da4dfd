package admin

import (
	"context"
	"math"
	"slices"
	"time"

	"heed/rules"
	"heed/store"
)

// maxLook bounds the exchanges and the feedback that an app's figures are computed
// from: the newest ones.
const maxLook = 5000

// effect is what a rule did so far: the experiment of its holdout, and plain counts,
// which there are without a holdout too.
type effect struct {
	store.Effect
	With    arm `json:"with"`
	Without arm `json:"without"` // held out, or not reached by the ramp
}

// arm counts what happened with a rule, or without it.
type arm struct {
	Exchanges int `json:"exchanges"` // in scope
	Checked   int `json:"checked"`   // of these, with a verdict of the rule's checks
	Followed  int `json:"followed"`
	Good      int `json:"good"` // ratings above 0
	Bad       int `json:"bad"`
}

// gauge adds up one rule's effect, oldest first.
type gauge struct {
	rule    string
	span    store.Span
	tracker *store.Tracker
	first   *store.Exchange // the first in scope, where that is known
	effect  effect
}

func newGauge(rule string, span store.Span) *gauge {
	return &gauge{rule: rule, span: span, tracker: store.NewTracker(rule).Within(span)}
}

// counts says whether a decision taken then is within the rule's span.
func (g *gauge) counts(d rules.RuleDecision, at time.Time) bool {
	return d.ID == g.rule && !at.Before(g.span.Since) && (len(g.span.Versions) == 0 || slices.Contains(g.span.Versions, d.Version))
}

func (g *gauge) arm(withheld bool) *arm {
	if withheld {
		return &g.effect.Without
	}
	return &g.effect.With
}

// count counts x. One that was observed, or sent again without the block, had the
// rule in scope but not in the prompt, and not by chance: it counts nowhere.
func (g *gauge) count(x *store.Exchange) {
	if x.Decision.Observed || x.Decision.Resent {
		return
	}
	for _, d := range x.Decision.Rules {
		if !g.counts(d, x.Time) {
			continue
		}
		m := g.arm(d.Withheld)
		m.Exchanges++
		for _, c := range x.Checks {
			if c.Rule == g.rule {
				m.Checked++
				if c.Followed {
					m.Followed++
				}
			}
		}
	}
}

func (g *gauge) countRating(f *store.Feedback) {
	if f.Rating == nil || *f.Rating == 0 || f.Link == nil || !f.Retracted.IsZero() || f.SupersededBy != "" {
		return
	}
	for _, d := range f.Link.Rules {
		if !g.counts(d, f.Link.Time) {
			continue
		}
		m := g.arm(d.Withheld)
		if *f.Rating > 0 {
			m.Good++
		} else {
			m.Bad++
		}
	}
}

func (g *gauge) done() *effect {
	g.effect.Effect = g.tracker.Effect()
	return &g.effect
}

// effectOf is what store.EffectOf computes, with plain counts.
func (a *Admin) effectOf(ctx context.Context, app, rule string) (*effect, error) {
	span, err := store.SpanOf(ctx, a.store, app, rule)
	if err != nil {
		return nil, err
	}
	g := newGauge(rule, span)
	g.effect.Effect, err = a.effects.Each(ctx, app, rule, g.count, g.countRating)
	return &g.effect, err
}

// apiEffect answers what the rule did so far.
func (a *Admin) apiEffect(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	return a.effectOf(c.r.Context(), app, c.id())
}

// exchanges reads the newest most exchanges of the filter, newest first, without
// their texts.
func (a *Admin) exchanges(ctx context.Context, f store.ExchangeFilter, most int) ([]*store.Exchange, error) {
	f.Limit = store.MaxPage
	var out []*store.Exchange
	for len(out) < most {
		xs, next, err := a.store.Exchanges(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, x := range xs {
			x.Query, x.Answer, x.Facts.Queries = "", "", nil
		}
		if out = append(out, xs...); next == "" {
			break
		}
		f.After = next
	}
	return out, nil
}

// feedback reads the newest most records of the filter, newest first.
func (a *Admin) feedback(ctx context.Context, f store.FeedbackFilter, most int) ([]*store.Feedback, error) {
	f.Limit = store.MaxPage
	var out []*store.Feedback
	for len(out) < most {
		fs, next, err := a.store.Feedback(ctx, f)
		if err != nil {
			return nil, err
		}
		if out = append(out, fs...); next == "" {
			break
		}
		f.After = next
	}
	return out, nil
}

// wilson is x/n with its 95 % score interval (Wilson, JASA 22, 1927).
func wilson(x, n int) (p, low, high float64) {
	const z = 1.959964
	if n == 0 {
		return 0, 0, 1
	}
	m := float64(n)
	p = float64(x) / m
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return p, max(0, mid-half), min(1, mid+half)
}
