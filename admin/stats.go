package admin

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"heed/rules"
	"heed/store"
)

// stats is an app at a glance, by its newest maxLook exchanges and feedback.
type stats struct {
	App       string             `json:"app"`
	Time      time.Time          `json:"time"`
	Head      rules.Head         `json:"ruleset"`
	Exchanges exchangeStats      `json:"exchanges"`
	Costs     costStats          `json:"costs"`
	Feedback  feedbackStats      `json:"feedback"`
	Rules     map[string]*effect `json:"rules"` // by rule id: every rule that was in scope
	Proposals int                `json:"open_proposals"`
	Findings  int                `json:"open_findings"`
	Gaps      int64              `json:"gaps"` // exchanges known to be missing from the log
}

type exchangeStats struct {
	Looked    int                   `json:"looked_at"`
	Since     time.Time             `json:"since,omitzero"` // the oldest of them
	Outcomes  map[store.Outcome]int `json:"outcomes"`
	WithRules int                   `json:"with_rules"` // a block was injected
	InScope   int                   `json:"in_scope"`   // some rule matched, withheld ones included
	Checked   int                   `json:"checked"`    // verdicts of checks of injected rules
	Followed  int                   `json:"followed"`
	OwnMedian int64                 `json:"own_p50_us"` // Heed's own work before sending
	Own99     int64                 `json:"own_p99_us"`
}

type feedbackStats struct {
	Looked  int `json:"looked_at"`
	Good    int `json:"good"`
	Bad     int `json:"bad"`
	Comment int `json:"with_comment"`
}

// statsAge is how long computed stats are shown again: they read thousands of rows.
const statsAge = 3 * time.Second

// statsCache holds the newest stats of each app; computing one at a time bounds
// what impatient readers cost.
type statsCache struct {
	mu  sync.Mutex
	all map[string]*stats
}

func (a *Admin) statsOf(ctx context.Context, app string) (*stats, error) {
	a.stats.mu.Lock()
	defer a.stats.mu.Unlock()
	if s := a.stats.all[app]; s != nil && time.Since(s.Time) < statsAge {
		return s, nil
	}
	s, err := a.computeStats(ctx, app)
	if err != nil {
		return nil, err
	}
	if a.stats.all == nil || len(a.stats.all) > 1000 {
		a.stats.all = map[string]*stats{}
	}
	a.stats.all[app] = s
	return s, nil
}

func (a *Admin) computeStats(ctx context.Context, app string) (*stats, error) {
	s := &stats{App: app, Time: time.Now().UTC(), Rules: map[string]*effect{}}
	s.Exchanges.Outcomes = map[store.Outcome]int{}
	xs, err := a.exchanges(ctx, store.ExchangeFilter{App: app}, maxLook)
	if err != nil {
		return nil, err
	}
	fs, err := a.feedback(ctx, store.FeedbackFilter{App: app}, maxLook)
	if err != nil {
		return nil, err
	}
	gauges, err := a.gauges(ctx, app, xs)
	if err != nil {
		return nil, err
	}
	for _, x := range slices.Backward(xs) {
		s.Exchanges.add(x)
		for _, d := range x.Decision.Rules {
			gauges[d.ID].tracker.Exchange(x)
			gauges[d.ID].count(x)
		}
	}
	for _, f := range slices.Backward(fs) {
		s.Feedback.add(f)
		if f.Link == nil {
			continue
		}
		for _, d := range f.Link.Rules {
			if g := gauges[d.ID]; g != nil {
				g.tracker.Rating(f)
				g.countRating(f)
			}
		}
	}
	for id, g := range gauges {
		s.Rules[id] = g.done()
	}
	s.Exchanges.finish(xs)
	s.Costs = costsOf(xs)
	return s, a.countWaiting(ctx, s)
}

func (a *Admin) countWaiting(ctx context.Context, s *stats) (err error) {
	if s.Head, err = a.store.Head(ctx, s.App); err != nil {
		return err
	}
	ps, _, err := a.store.Proposals(ctx, store.ProposalFilter{App: s.App, State: store.Open, Limit: store.MaxPage})
	if err != nil {
		return err
	}
	fs, _, err := a.store.Findings(ctx, store.FindingFilter{App: s.App, State: findingOpen, Limit: store.MaxPage})
	if err != nil {
		return err
	}
	s.Proposals, s.Findings = len(ps), len(fs)
	s.Gaps, err = a.store.Gaps(ctx, s.App)
	return err
}

// gauges makes one for every rule that was in scope of the exchanges.
func (a *Admin) gauges(ctx context.Context, app string, xs []*store.Exchange) (map[string]*gauge, error) {
	out := map[string]*gauge{}
	for _, x := range xs {
		for _, d := range x.Decision.Rules {
			if out[d.ID] != nil {
				continue
			}
			span, err := store.SpanOf(ctx, a.store, app, d.ID)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			out[d.ID] = newGauge(d.ID, span)
		}
	}
	if len(xs) >= maxLook {
		return out, nil // some rule's first exchange may be out of sight
	}
	for _, x := range xs {
		for _, d := range x.Decision.Rules {
			if g := out[d.ID]; g.counts(d, x.Time) && !x.Decision.Observed {
				g.first = x
			}
		}
	}
	for id, g := range out {
		b, err := a.effects.Baseline(ctx, app, id, g.span, g.first)
		if err != nil {
			return nil, err
		}
		g.tracker.Since(b)
	}
	return out, nil
}

func (t *exchangeStats) add(x *store.Exchange) {
	t.Looked++
	t.Outcomes[x.Outcome]++
	if len(x.Decision.Rules) > 0 {
		t.InScope++
	}
	applied := x.Decision.Applied()
	if len(applied) > 0 {
		t.WithRules++
	}
	for _, c := range x.Checks {
		if slices.ContainsFunc(applied, func(d rules.RuleDecision) bool { return d.ID == c.Rule }) {
			t.Checked++
			if c.Followed {
				t.Followed++
			}
		}
	}
}

// finish works out what needs all of them; xs are newest first.
func (t *exchangeStats) finish(xs []*store.Exchange) {
	if len(xs) == 0 {
		return
	}
	t.Since = xs[len(xs)-1].Time
	own := make([]int64, len(xs))
	for i, x := range xs {
		own[i] = x.Timing.Own
	}
	slices.Sort(own)
	t.OwnMedian, t.Own99 = own[len(own)/2], own[len(own)*99/100]
}

func (t *feedbackStats) add(f *store.Feedback) {
	if !f.Retracted.IsZero() || f.SupersededBy != "" {
		return
	}
	t.Looked++
	if f.Comment != "" {
		t.Comment++
	}
	if f.Rating != nil && *f.Rating > 0 {
		t.Good++
	}
	if f.Bad() {
		t.Bad++
	}
}
