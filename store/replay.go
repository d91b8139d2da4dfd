package store

import (
	"cmp"
	"slices"
	"time"

	"heed/rules"
)

// replayExamples is how many requests a replay shows of each kind.
const replayExamples = 5

// Replay is what one rule set would decide otherwise than another on logged requests.
type Replay struct {
	Of      int          `json:"of"`      // requests looked at
	Touched int          `json:"touched"` // of these, those with other rules in scope
	Rules   []RuleReplay `json:"rules"`   // rules in scope of any of them, those that differ most first
}

// Share is Touched/Of, 0 when nothing was looked at.
func (r *Replay) Share() float64 { return Touch{Of: r.Of, In: r.Touched}.Share() }

// RuleReplay is one rule on the logged requests, before and after.
type RuleReplay struct {
	ID     string   `json:"id"`
	Text   string   `json:"text"`   // as it reads
	Before int      `json:"before"` // requests in its scope
	After  int      `json:"after"`
	Begins int      `json:"begins"` // newly in its scope
	Ends   int      `json:"ends"`   // no longer
	Newly  []Sample `json:"newly"`  // a few that begin
	Gone   []Sample `json:"gone"`   // a few that end
}

// Replayed decides logged requests with the rules of before and of after, as if each
// were asked now, and tells where they differ. Who is held out plays no part. It is
// pure.
func Replayed(before, after *rules.Compiled, xs []*Exchange, now time.Time) Replay {
	out := Replay{Of: len(xs), Rules: []RuleReplay{}}
	found := map[string]*RuleReplay{}
	rule := func(set *rules.Set, id string) *RuleReplay {
		if found[id] == nil {
			found[id] = &RuleReplay{ID: id, Newly: []Sample{}, Gone: []Sample{}}
			if r := set.Rule(id); r != nil {
				found[id].Text = r.Text()
			}
		}
		return found[id]
	}
	var buf rules.Buffer
	for _, x := range xs {
		f := x.Facts
		f.Off, f.Now = false, now
		is, will := before.Decide(&f, &buf).Rules, after.Decide(&f, &buf).Rules
		differs := false
		for _, d := range will {
			r := rule(after.Set(), d.ID)
			r.After++
			if !decides(is, d.ID) {
				r.Begins++
				r.Newly = sampled(r.Newly, x, d)
				differs = true
			}
		}
		for _, d := range is {
			r := rule(before.Set(), d.ID)
			r.Before++
			if !decides(will, d.ID) {
				r.Ends++
				r.Gone = sampled(r.Gone, x, d)
				differs = true
			}
		}
		if differs {
			out.Touched++
		}
	}
	for _, r := range found {
		out.Rules = append(out.Rules, *r)
	}
	slices.SortFunc(out.Rules, func(a, b RuleReplay) int {
		return cmp.Or(cmp.Compare(b.Begins+b.Ends, a.Begins+a.Ends), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func decides(ds []rules.RuleDecision, id string) bool {
	return slices.ContainsFunc(ds, func(d rules.RuleDecision) bool { return d.ID == id })
}

// sampled adds an exchange whose query is not among the samples yet.
func sampled(list []Sample, x *Exchange, d rules.RuleDecision) []Sample {
	if len(list) >= replayExamples || slices.ContainsFunc(list, func(s Sample) bool { return s.Query == x.Query }) {
		return list
	}
	return append(list, Sample{Exchange: x.ID, Query: x.Query, P: d.Score})
}
