package admin

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"heed/store"
)

// cost is what exchanges cost, in US dollars: estimates by the prices that were
// configured when each of them was logged.
type cost struct {
	USD     *float64 `json:"usd"`     // null: of none of them is it known
	Known   int      `json:"known"`   // exchanges whose cost is known
	Unknown int      `json:"unknown"` // answered ones without usage or price
	Input   int64    `json:"input_tokens"`
	Output  int64    `json:"output_tokens"`
}

func (s *cost) add(x *store.Exchange) {
	switch {
	case x.Cost != nil:
		sum := *x.Cost
		if s.USD != nil {
			sum += *s.USD
		}
		s.USD = &sum
		s.Known++
	case x.Status/100 == 2:
		s.Unknown++
	}
	if x.Usage != nil {
		s.Input += max(0, x.Usage.InputTokens)
		s.Output += max(0, x.Usage.OutputTokens)
	}
}

// Mean is the cost of one exchange, nil where none is known.
func (s cost) Mean() *float64 {
	if s.USD == nil {
		return nil
	}
	mean := *s.USD / float64(s.Known)
	return &mean
}

// costStats are the costs of the exchanges that stats look at.
type costStats struct {
	cost
	Targets []targetCost `json:"by_target"` // dearest first
	Days    []dayCost    `json:"by_day"`    // newest first, UTC; the oldest may be part of a day
}

type targetCost struct {
	Target string `json:"target"` // upstream/model
	cost
}

type dayCost struct {
	Day string `json:"day"` // 2026-11-28
	cost
}

// costsOf adds up; xs are newest first.
func costsOf(xs []*store.Exchange) costStats {
	s := costStats{Targets: []targetCost{}, Days: []dayCost{}}
	at := map[string]int{}
	for _, x := range xs {
		s.add(x)
		if day := x.Time.UTC().Format(time.DateOnly); len(s.Days) == 0 || s.Days[len(s.Days)-1].Day != day {
			s.Days = append(s.Days, dayCost{Day: day})
		}
		s.Days[len(s.Days)-1].add(x)
		t := x.Decision.Target
		if t.Upstream == "" {
			continue
		}
		name := t.Upstream + "/" + t.Model
		i, ok := at[name]
		if !ok {
			i = len(s.Targets)
			at[name] = i
			s.Targets = append(s.Targets, targetCost{Target: name})
		}
		s.Targets[i].add(x)
	}
	slices.SortStableFunc(s.Targets, func(a, b targetCost) int {
		return cmp.Compare(amount(b.USD), amount(a.USD))
	})
	return s
}

// amount sorts what is unknown behind what is free.
func amount(usd *float64) float64 {
	if usd == nil {
		return -1
	}
	return *usd
}

// usd is an amount for people: cents from a dollar on, three digits below, a dash
// where it is not known.
func usd(v *float64) string {
	switch {
	case v == nil:
		return "–"
	case *v == 0:
		return "$0"
	case *v >= 1:
		cents := strconv.FormatFloat(*v, 'f', 2, 64)
		whole, err := strconv.Atoi(cents[:len(cents)-3])
		if err != nil {
			return "$" + cents
		}
		return "$" + count(whole) + cents[len(cents)-3:]
	}
	three, err := strconv.ParseFloat(strconv.FormatFloat(*v, 'e', 2, 64), 64)
	if err != nil {
		return "–"
	}
	return "$" + strconv.FormatFloat(three, 'f', -1, 64)
}

// priced says whether the cost of any of them is known.
func priced(xs []*store.Exchange) bool {
	return slices.ContainsFunc(xs, func(x *store.Exchange) bool { return x.Cost != nil })
}

// appCost is what one app cost.
type appCost struct {
	App   string
	Since time.Time
	cost
}

type costsPage struct {
	Stats *stats
	Apps  []appCost // when there are several
	Left  int       // apps that are not shown
}

// maxCostApps bounds the apps that one page adds up: each takes a look at its log.
const maxCostApps = 12

func (a *Admin) pageCosts(c *call) error {
	app, _, err := c.in()
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	var in costsPage
	if in.Stats, err = a.statsOf(ctx, app); err != nil {
		return err
	}
	if in.Apps, in.Left, err = a.appCosts(ctx); err != nil {
		return err
	}
	return c.show("costs", "Costs", "costs", app, in)
}

func (a *Admin) appCosts(ctx context.Context) (out []appCost, left int, err error) {
	names, err := a.apps(ctx)
	if err != nil || len(names) < 2 {
		return nil, 0, err
	}
	shown := names[:min(len(names), maxCostApps)]
	for _, name := range shown {
		s, err := a.statsOf(ctx, name)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, appCost{name, s.Exchanges.Since, s.Costs.cost})
	}
	return out, len(names) - len(shown), nil
}
