package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"heed/rules"
	"heed/rules/match"
)

// Limits of what TouchOf looks at and shows.
const (
	DefaultTouch = 1000  // logged requests looked at
	MaxTouch     = 10000 // at most
	touchSamples = 10    // shown inside, and as many near
	nearLeast    = 0.005 // least probability of a request that is shown as near
)

// TouchOf runs the newest n logged requests with a query (0 is DefaultTouch, at
// most MaxTouch) of the rule's step through the app's set with rule in it, as the
// gateway would, and tells which of them the rule would touch. A rule in force
// with the same id is replaced. It reads the log without bodies and compiles a
// set: tens of milliseconds for a thousand requests.
func TouchOf(ctx context.Context, s Store, app string, rule *rules.Rule, n int) (Touch, error) {
	return TouchOfOps(ctx, s, app, []rules.Operation{{Kind: rules.Add, Rule: rule}}, n)
}

// TouchOfOps is TouchOf for a proposal's operations: rules that they replace or
// retire do not compete. Operations without a rule touch nothing.
func TouchOfOps(ctx context.Context, s Store, app string, ops []rules.Operation, n int) (Touch, error) {
	rule := (&Proposal{Ops: ops}).Rule()
	if rule == nil {
		return Touch{}, nil
	}
	_, set, err := Current(ctx, s, app)
	if err != nil {
		return Touch{}, fmt.Errorf("touch of rule %s: %w", rule.ID, err)
	}
	stats, err := StatsOf(ctx, s, set)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Touch{}, err
	}
	step := ""
	if len(rule.Scope.Hard.Steps) == 1 {
		step = rule.Scope.Hard.Steps[0]
	}
	xs, err := NewestRequests(ctx, s, app, step, n)
	if err != nil {
		return Touch{}, err
	}
	return TouchIn(set, ops, stats, xs)
}

// StatsOf reads the word statistics that the set names; nil, for the shipped
// table, when it names none.
func StatsOf(ctx context.Context, s Store, set *rules.Set) (*match.Stats, error) {
	if set.Stats == "" {
		return nil, nil
	}
	b, err := s.Blob(ctx, set.App, set.Stats)
	if err != nil {
		return nil, fmt.Errorf("read word statistics %s: %w", set.Stats, err)
	}
	return match.UnmarshalStats(b)
}

// NewestRequests lists the newest n logged requests (0 is DefaultTouch, at most
// MaxTouch) that have a query, of the step where one is given, without bodies.
func NewestRequests(ctx context.Context, s Store, app, step string, n int) ([]*Exchange, error) {
	if n <= 0 {
		n = DefaultTouch
	}
	n = min(n, MaxTouch)
	f := ExchangeFilter{App: app, Queries: true, Step: step}
	var out []*Exchange
	for len(out) < n {
		f.Limit = min(MaxPage, n-len(out))
		xs, next, err := s.Exchanges(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("read logged requests: %w", err)
		}
		out = append(out, xs...)
		if next == "" {
			break
		}
		f.After = next
	}
	return out, nil
}

// TouchIn is the pure part of TouchOf: what the operations' rule touches of xs
// once set has it. Operations that do not fit the set are measured as if their
// rule were added to it.
func TouchIn(set *rules.Set, ops []rules.Operation, stats *match.Stats, xs []*Exchange) (Touch, error) {
	rule := (&Proposal{Ops: ops}).Rule()
	if rule == nil {
		return Touch{}, nil
	}
	id, with := rule.ID, set.Stats
	before, err := compileBefore(set, ops, stats)
	if err != nil {
		return Touch{}, err
	}
	if next, err := rules.Apply(set, ops); err == nil {
		set = next
	} else {
		next := &rules.Set{App: set.App, Stats: set.Stats}
		for i := range set.Rules {
			if set.Rules[i].ID != id {
				next.Rules = append(next.Rules, set.Rules[i])
			}
		}
		next.Rules = append(next.Rules, *rule)
		slices.SortFunc(next.Rules, func(a, b rules.Rule) int { return cmp.Compare(a.ID, b.ID) })
		set = next
	}
	c, err := rules.Compile(set, rules.Head{}, stats)
	if err != nil {
		return Touch{}, err
	}
	scopes, _ := rules.Scopes(set)
	low, err := match.Compile(scopes, stats)
	if err != nil {
		return Touch{}, err
	}
	low = low.WithThreshold(nearLeast)
	t := Touch{Of: len(xs), Stats: with}
	var decide rules.Buffer
	var buf match.Buffer
	var was []Sample // in scope of the version in force, too
	for _, x := range xs {
		f := x.Facts
		f.Off = false // the question is what the rule would do, not what the client asked for then
		d := c.Decide(&f, &decide)
		same := func(r rules.RuleDecision) bool { return r.ID == id }
		if i := slices.IndexFunc(d.Rules, same); i >= 0 {
			t.In++
			s := Sample{Exchange: x.ID, Query: x.Query, P: d.Rules[i].Score}
			if len(f.Queries) > 1 { // of a conversation, the turn that brought the rule
				only := func(rule int) bool { return set.Rules[rule].ID == id }
				s.Query = likeliest(low, f.Queries, only, &buf, x.Query)
			}
			if before != nil && slices.ContainsFunc(before.Decide(&f, &decide).Rules, same) {
				was = append(was, s)
			} else {
				t.Inside = append(t.Inside, s)
			}
			continue
		}
		for _, h := range low.Match(f.Query(), nil, &buf) {
			if set.Rules[h.Rule].ID == id {
				t.Near = append(t.Near, Sample{Exchange: x.ID, Query: x.Query, P: h.P})
			}
		}
	}
	t.Inside, t.Near = spread(t.Inside, touchSamples), surest(t.Near)
	t.Inside = append(t.Inside, spread(was, touchSamples-len(t.Inside))...)
	t.Weekly = weekly(t.In, xs)
	return t, nil
}

// likeliest is the query that the rule applies to most probably; otherwise where it
// applies to none.
func likeliest(ix *match.Index, queries []string, only func(int) bool, buf *match.Buffer, otherwise string) string {
	best := float32(0)
	for _, q := range queries[max(0, len(queries)-rules.MaxTurns):] {
		for _, h := range ix.Match(q, only, buf) {
			if h.P > best {
				best, otherwise = h.P, q
			}
		}
	}
	return otherwise
}

// compileBefore compiles the set in which operations revise their rule; nil where
// they do not.
func compileBefore(set *rules.Set, ops []rules.Operation, stats *match.Stats) (*rules.Compiled, error) {
	if r := (&Proposal{Ops: ops}).Rule(); set.Rule(r.ID) == nil {
		return nil, nil
	}
	return rules.Compile(set, rules.Head{}, stats)
}

// weekly is n of xs as a rate a week. A log of less than a day counts as a day, so
// that a burst is not taken for a week's traffic.
func weekly(n int, xs []*Exchange) float64 {
	if len(xs) == 0 {
		return 0
	}
	first, last := xs[0].Time, xs[0].Time
	for _, x := range xs {
		if x.Time.Before(first) {
			first = x.Time
		}
		if x.Time.After(last) {
			last = x.Time
		}
	}
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	return float64(n) * float64(week) / float64(max(last.Sub(first), day))
}

// surest keeps the distinct queries with the highest probabilities.
func surest(all []Sample) []Sample {
	out := distinct(all)
	return out[:min(len(out), touchSamples)]
}

// spread keeps n distinct queries from the whole range of probabilities, the
// surest and the least sure among them: the surest alone teach what is known.
func spread(all []Sample, n int) []Sample {
	out := distinct(all)
	if len(out) <= n || n < 2 {
		return out[:min(len(out), n)]
	}
	kept := make([]Sample, n)
	for i := range kept {
		kept[i] = out[i*(len(out)-1)/(n-1)]
	}
	return kept
}

// distinct sorts by probability, the surest first, and keeps one of each query.
func distinct(all []Sample) []Sample {
	slices.SortStableFunc(all, func(a, b Sample) int { return cmp.Compare(b.P, a.P) })
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(s Sample) bool {
		was := seen[s.Query]
		seen[s.Query] = true
		return was
	})
}
