package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"heed/rules"
	"heed/rules/match"
	"heed/store"
)

// agreement compares the running program with the matcher in process.
type agreement struct {
	Seed       uint64   `json:"seed"`
	Topics     int      `json:"topics"` // that people complained about
	Rules      int      `json:"rules"`  // in force after the approvals
	Queries    int      `json:"queries"`
	Agree      int      `json:"agree"`
	Statistics bool     `json:"same_statistics"` // bit for bit
	Recall     float64  `json:"recall"`
	Wrong      float64  `json:"wrong_per_100_neighbouring"`
	Differ     []string `json:"differ,omitempty"`
}

// overHTTP learns through the running program and asks it c.Queries requests: in
// come logged traffic, complaints through the feedback API and approvals, out come
// the rules that the gateway names in its answers. The same is computed in process
// from what the admin API says: the rules in force and the logged requests.
func (c *scopeCommand) overHTTP(out io.Writer, d *dataset) error {
	var all []agreement
	for _, kind := range c.Comments {
		for _, s := range c.settings(d.name, kind) {
			a, err := c.agree(d, s)
			if err != nil {
				return fmt.Errorf("scope: over HTTP, seed %d: %w", s.Seed, err)
			}
			fmt.Fprintf(out, "%s comments, coverage %.2f, n %d, seed %d: %d rules of %d topics; %d of %d decisions agree, statistics the same: %t; recall %.3f, %.1f wrong of 100 neighbouring\n",
				kind, s.Coverage, s.N, s.Seed, a.Rules, a.Topics, a.Agree, a.Queries, a.Statistics, a.Recall, a.Wrong)
			for _, line := range a.Differ {
				fmt.Fprintln(out, "  differs:", line)
			}
			all = append(all, a)
		}
	}
	if c.JSON == "" {
		return nil
	}
	return writeJSON(c.JSON, map[string]any{"options": c, "results": all})
}

func (c *scopeCommand) agree(d *dataset, s setting) (agreement, error) {
	l := learningCommand{Heed: c.Heed, Comments: s.Comments, Cap: 12, Ticks: "none"}
	bin, remove, err := l.program()
	if err != nil {
		return agreement{}, err
	}
	defer remove()
	topics := max(1, int(s.Coverage*float64(len(d.labels))+0.5))
	w, err := l.newWorld(&bench{d: d, bin: bin}, topicWishes(d, topics, s.Seed), s.Seed, "")
	if err != nil {
		return agreement{}, err
	}
	defer w.stop()
	logged := 0
	if s.Warm {
		logged = min(c.Traffic, len(d.train))
		if err := w.traffic(logged); err != nil {
			return agreement{}, err
		}
	}
	for i := range topics * s.N {
		if err := w.record(i); err != nil {
			return agreement{}, err
		}
		logged++
	}
	if err := w.decide(); err != nil {
		return agreement{}, err
	}
	set, stats, same, err := w.inProcess(logged)
	if err != nil {
		return agreement{}, err
	}
	a, err := w.compare(set, stats, w.pick(slices.Clone(d.test), c.Queries))
	a.Seed, a.Topics, a.Statistics = s.Seed, topics, same
	return a, err
}

// inProcess computes the statistics from the logged requests that the admin API
// lists, waits until the learner has published its own for the same rules, and
// reports whether they are the same. It returns the set in force.
func (w *world) inProcess(logged int) (*rules.Set, *match.Stats, bool, error) {
	var traffic []match.Logged
	err := until(func() (bool, error) {
		xs, err := list[store.Exchange](w.program, "exchanges", url.Values{"queries": {"true"}})
		traffic = traffic[:0]
		for _, x := range slices.Backward(xs) { // newest first
			traffic = append(traffic, match.Logged{Step: x.Facts.Step, Query: x.Query, Text: x.Query})
		}
		return len(traffic) >= logged, err
	})
	if err != nil {
		return nil, nil, false, err
	}
	set, err := w.rulesInForce()
	if err != nil {
		return nil, nil, false, err
	}
	scopes, _ := rules.Scopes(set)
	slices.SortFunc(scopes, func(a, b match.Scope) int { return strings.Compare(a.ID, b.ID) })
	stats := match.Fit(scopes, traffic, match.FitOptions{})
	b, err := stats.MarshalBinary()
	if err != nil {
		return nil, nil, false, err
	}
	sum := sha256.Sum256(b)
	name := hex.EncodeToString(sum[:])[:32]
	err = until(func() (bool, error) {
		set, err = w.rulesInForce()
		return err != nil || set.Stats == name, err
	})
	if err == errNotInTime {
		return set, stats, false, nil
	}
	if err == nil { // what the gateway reads is the stored form
		stats, err = match.UnmarshalStats(b)
	}
	return set, stats, true, err
}

// rulesInForce reads the set of the head.
func (w *world) rulesInForce() (*rules.Set, error) {
	heads, err := list[store.HeadRecord](w.program, "rulesets", nil)
	if err != nil || len(heads) == 0 {
		return &rules.Set{}, err
	}
	ctx, cancel := limited()
	defer cancel()
	var raw json.RawMessage
	if err := w.api(ctx, http.MethodGet, "rulesets/"+heads[0].Head.Hash, nil, nil, &raw); err != nil {
		return nil, err
	}
	return rules.ParseSet(raw)
}

// compare asks both and scores the program's answers.
func (w *world) compare(set *rules.Set, stats *match.Stats, queries []labelled) (agreement, error) {
	a := agreement{Rules: len(set.Rules)}
	if err := w.settle(); err != nil {
		return a, err
	}
	scopes, _ := rules.Scopes(set)
	ix, err := match.Compile(scopes, stats)
	if err != nil {
		return a, err
	}
	var buf match.Buffer
	var covered, right, neighbours, wrong float64
	for _, q := range queries {
		answer, err := w.ask(q.text, false)
		if err != nil {
			return a, err
		}
		got := answer.rules
		slices.Sort(got)
		want := []string{}
		for _, h := range ix.Match(match.Extract("", []string{q.text}, stats)[0], nil, &buf) {
			want = append(want, set.Rules[h.Rule].ID)
		}
		slices.Sort(want)
		a.Queries++
		if slices.Equal(got, want) {
			a.Agree++
		} else {
			a.Differ = append(a.Differ, fmt.Sprintf("%q: the gateway %v, in process %v", q.text, got, want))
		}
		about := false
		for _, id := range got {
			about = about || w.topicOf(set.Rule(id)) == q.label
		}
		if slices.ContainsFunc(w.wishes, func(e wish) bool { return e.covers(q.label) }) {
			covered, right = covered+1, right+one(about)
		} else {
			neighbours, wrong = neighbours+1, wrong+one(len(got) > 0)
		}
	}
	a.Recall, a.Wrong = ratio(right, covered), 100*ratio(wrong, neighbours)
	return a, nil
}

// topicOf is the topic that a rule's first example is about.
func (w *world) topicOf(r *rules.Rule) string {
	if r == nil || len(r.Scope.Examples) == 0 {
		return ""
	}
	return w.label[r.Scope.Examples[0]]
}
