package admin

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"heed/rules"
	"heed/store"
)

// maxCompared is how many logged requests one comparison asks again.
const maxCompared = 3

// compared is a logged request's answer without and with a proposal, both asked of
// the upstream just now.
type compared struct {
	Exchange string `json:"exchange"`
	Query    string `json:"query"`
	Without  string `json:"without"`
	With     string `json:"with"`
	Block    string `json:"block"`
	Followed *bool  `json:"followed,omitempty"` // the answer with it follows the rule's checks
	Error    string `json:"error,omitempty"`
}

// compare asks the upstream for answers to logged requests in scope, as unlike as
// there are, without and with the proposal, within the hourly budget.
func (a *Admin) compare(ctx context.Context, app, id string) ([]compared, error) {
	if a.opt.Ask == nil {
		return nil, &Error{Status: http.StatusNotImplemented, Code: "no_ask", Message: "this Heed cannot ask the upstream from here: run gateway and admin in one process"}
	}
	p, err := a.store.Proposal(ctx, app, id)
	if err != nil {
		return nil, err
	}
	_, set, err := store.Current(ctx, a.store, app)
	if err != nil {
		return nil, err
	}
	everybody := func(r *rules.Rule) { r.Holdout = 0 } // a comparison is not an experiment
	next, err := rules.Apply(set, store.AsApproved(p.Ops, everybody))
	if err != nil {
		return nil, conflict("does_not_fit", err.Error())
	}
	before, err := a.compile(ctx, set)
	if err != nil {
		return nil, err
	}
	after, err := a.compile(ctx, next)
	if err != nil {
		return nil, err
	}
	out := []compared{}
	for rest := slices.Clone(p.Touch.Inside); len(out) < maxCompared && len(rest) > 0; {
		i := leastAlike(rest, out)
		s := rest[i]
		rest = slices.Delete(rest, i, i+1)
		one, err := a.compareOne(ctx, app, s, before, after, p.Rule())
		if errors.Is(err, store.ErrNotFound) {
			continue // expired since
		}
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// leastAlike is the sample with the fewest words in common with the chosen one that it
// is most like, the first of several.
func leastAlike(samples []store.Sample, chosen []compared) (best int) {
	least := math.Inf(1)
	for i, s := range samples {
		most := 0.0
		for _, c := range chosen {
			most = max(most, alike(s.Query, c.Query))
		}
		if most < least {
			best, least = i, most
		}
	}
	return best
}

// alike is the share of the words of two texts, numbers aside, that both have.
func alike(a, b string) float64 {
	of := func(text string) map[string]bool {
		words := map[string]bool{}
		for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
			words[w] = true
		}
		return words
	}
	x, y := of(a), of(b)
	both := 0
	for w := range x {
		if y[w] {
			both++
		}
	}
	return float64(both) / float64(max(1, len(x)+len(y)-both))
}

func (a *Admin) compile(ctx context.Context, set *rules.Set) (*rules.Compiled, error) {
	stats, err := store.StatsOf(ctx, a.store, set)
	if err != nil {
		return nil, err
	}
	return rules.Compile(set, rules.Head{}, stats)
}

func (a *Admin) compareOne(ctx context.Context, app string, s store.Sample, before, after *rules.Compiled, r *rules.Rule) (compared, error) {
	x, err := a.store.Exchange(ctx, app, s.Exchange)
	if err != nil {
		return compared{}, err
	}
	out := compared{Exchange: x.ID, Query: x.Query, Block: blockFor(after, x)}
	for _, side := range []struct {
		block string
		to    *string
	}{{blockFor(before, x), &out.Without}, {out.Block, &out.With}} {
		if !a.asks.take("", time.Now()) {
			out.Error = "the hourly budget for asking the upstream is spent: try again later"
			return out, nil
		}
		if *side.to, err = a.opt.Ask(ctx, x, side.block); err != nil {
			a.log.Warn("ask the upstream for a comparison", "exchange", x.ID, "error", err)
			out.Error = "the upstream did not answer"
			if e := (*Error)(nil); errors.As(err, &e) {
				out.Error = e.Message
			}
			return out, nil
		}
	}
	if r != nil && len(r.Checks) > 0 {
		ok := true
		for _, c := range r.Checks {
			ok = ok && c.Followed(out.With)
		}
		out.Followed = &ok
	}
	return out, nil
}

func blockFor(c *rules.Compiled, x *store.Exchange) string {
	facts := x.Facts
	facts.Off = false
	var buf rules.Buffer
	d := c.Decide(&facts, &buf)
	return c.Render(&d)
}
