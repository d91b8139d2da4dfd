package learner

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"heed/rules"
	"heed/rules/match"
	"heed/store"
	"heed/wire"
)

// Limits of refreshing word statistics.
const (
	fitQueries   = 10000            // newest logged requests that are fitted
	fitTexts     = 1000             // of these with the text of the turn
	fitPage      = 50               // of these read at once: bodies may be a MiB
	fitTextBytes = 16 << 10         // of one text
	fitProposals = 200              // newest open proposals whose scopes are fitted too
	fitPause     = 2 * time.Second  // between fits while proposals change, and
	fitRest      = 4                // so many times as long as the last fit took
	fitEarly     = 200              // requests below which growth is looked for at every round
	fitGrowth    = 1.2              // fit again when there are so many times more requests
	fitIdle      = 10 * time.Minute // look for growth at least so often
	fitPublish   = 5                // tries to publish against others
	fitTime      = 5 * time.Minute  // for one refresh
)

// refreshMark is what the last refresh was made of.
type refreshMark struct {
	rules   string // names the scopes
	took    time.Duration
	queries int
}

// refresh fits word statistics anew, in the background, when the rules changed or
// the traffic grew enough, and publishes them with the rules unchanged.
func (l *Learner) refresh(ctx context.Context, app string) error {
	a, err := l.current(ctx, app)
	if err != nil {
		return err
	}
	if a.stale = a.busy; a.busy {
		return nil
	}
	ps, _, err := l.opt.Store.Proposals(ctx, store.ProposalFilter{App: app, State: store.Open, Limit: fitProposals})
	if err != nil {
		return err
	}
	scopes, now := fitScopes(a.set, ps)
	if len(scopes) == 0 {
		return nil // nothing to match yet
	}
	if now == a.refreshed.rules && a.refreshed.queries >= fitEarly && !due(a.fitted, l.now(), fitIdle) {
		return nil
	}
	last := a.refreshed
	if now != last.rules {
		last.queries = 0 // other rules are reason enough
	}
	a.busy, a.fitted = true, l.now()
	lease := a.lease
	l.side.Add(1)
	go func() { // ends within fitTime after the fitting, which takes seconds; Run waits for it
		defer l.side.Done()
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), fitTime)
		defer cancel()
		start := time.Now()
		mark, err := l.fit(c, app, lease, scopes, last)
		l.fail(c, app, "word statistics", err)
		mark.rules = now
		if err != nil {
			mark = refreshMark{} // try again at the next round
		}
		mark.took = time.Since(start)
		a.done <- mark
	}()
	return nil
}

// fitScopes are the scopes of the rules in force and of the newest open proposals,
// so that a proposal's topic is no rival of it when it is approved, and a hash that
// names them. Unsafe and contradicting proposals are left out: they would take
// requests from rules in force.
func fitScopes(set *rules.Set, open []*store.Proposal) ([]match.Scope, string) {
	bare := rules.Set{App: set.App, Rules: slices.Clone(set.Rules)}
	for _, p := range open {
		if r := p.Rule(); r != nil && set.Rule(r.ID) == nil && len(p.Problems)+len(p.Conflicts) == 0 {
			bare.Rules = append(bare.Rules, *r)
		}
	}
	slices.SortFunc(bare.Rules, func(a, b rules.Rule) int { return strings.Compare(a.ID, b.ID) })
	scopes, _ := rules.Scopes(&bare)
	names := fnv.New128a()
	for _, s := range scopes {
		fmt.Fprintf(names, "%q %q %q %q\n", s.ID, s.AppliesWhen, s.Examples, s.Counterexamples)
	}
	return scopes, fmt.Sprintf("%x", names.Sum(nil))
}

// fit reads the traffic, fits statistics to it and publishes them, unless there is
// hardly more than last time.
func (l *Learner) fit(ctx context.Context, app string, lease store.Lease, scopes []match.Scope, last refreshMark) (refreshMark, error) {
	traffic, err := l.traffic(ctx, app)
	if err != nil {
		return last, err
	}
	if len(traffic) == 0 || float64(len(traffic)) < fitGrowth*float64(last.queries) {
		return last, nil
	}
	slices.Reverse(traffic) // Fit wants the oldest first
	return refreshMark{queries: len(traffic)}, l.publishStats(ctx, app, lease, match.Fit(scopes, traffic, match.FitOptions{}))
}

// traffic reads the newest logged requests: fitTexts of them with the text of the
// person's turn, from which the templates of steps are learned, and up to
// fitQueries with their query.
func (l *Learner) traffic(ctx context.Context, app string) ([]match.Logged, error) {
	var out []match.Logged
	have := map[string]bool{}
	read := func(f store.ExchangeFilter, page, most int) error {
		for len(out) < most {
			f.Limit = min(page, most-len(out))
			xs, next, err := l.opt.Store.Exchanges(ctx, f)
			if err != nil {
				return fmt.Errorf("read logged requests: %w", err)
			}
			for _, x := range xs {
				if !have[x.ID] {
					have[x.ID] = true
					out = append(out, match.Logged{Step: x.Facts.Step, Query: x.Query, Text: turnText(x)})
				}
			}
			if f.After = next; next == "" {
				break
			}
		}
		return nil
	}
	if err := read(store.ExchangeFilter{App: app, Bodies: true}, fitPage, fitTexts); err != nil {
		return nil, err
	}
	return out, read(store.ExchangeFilter{App: app, Queries: true}, store.MaxPage, fitQueries)
}

// turnText is the newest turn of a logged request that a person wrote, "" when
// the body is not there.
func turnText(x *store.Exchange) string {
	if len(x.Request) == 0 {
		return ""
	}
	r, err := wire.Parse(x.API, x.Request)
	if err != nil { // cut, or not of that API
		return ""
	}
	for _, t := range slices.Backward(r.Turns) {
		if !t.Tool {
			return cut(t.Text, fitTextBytes)
		}
	}
	return ""
}

// publishStats makes stats the app's word statistics, with whatever rules are in
// force by then.
func (l *Learner) publishStats(ctx context.Context, app string, lease store.Lease, stats *match.Stats) error {
	b, err := stats.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode word statistics: %w", err)
	}
	hash, err := l.opt.Store.PutBlob(ctx, app, b)
	if err != nil {
		return fmt.Errorf("store word statistics: %w", err)
	}
	return l.publish(ctx, app, lease, "refresh", "word statistics of newer traffic", func(set *rules.Set) []rules.Operation {
		if set.Stats == hash {
			return nil
		}
		l.metrics.refreshes.Inc()
		return []rules.Operation{{Kind: rules.Refresh, Stats: hash}}
	})
}
