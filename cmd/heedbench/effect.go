package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"heed/store"
)

// effectCommand measures whether a rule's effect is told rightly: simulated rules
// of known effect, with a look after every exchange.
type effectCommand struct {
	Runs   int       `default:"200" help:"Experiments of each rule and split; the published table has 1000."`
	Looks  int       `default:"600" help:"Checked in-scope exchanges of one experiment."`
	With   []float64 `default:"0.9,0.5,0.45" help:"Shares of units that get the rule: 0.9 is a holdout of 10 %, 0.45 a ramp of 50 % beside it."`
	Before int       `default:"1000" help:"Units from before the rule whose answers the log has; 0 for none."`
	Each   int       `default:"1" help:"Exchanges of one unit, alike in half of what they are good by."`
	Price  bool      `negatable:"" default:"true" help:"Also what it costs where something else changed, and where little is known from before, at a holdout of 10 %."`
	Seed   uint64    `default:"6" help:"Of the first experiment."`
	JSON   string    `name:"json" type:"path" help:"Write the results there."`
}

// Limits that issue 6 sets.
const (
	pauseWithin  = 200 // checked in-scope exchanges
	praiseWithin = 150 // median
)

// simulated is a rule of known effect.
type simulated struct {
	Name    string  `json:"rule"`
	Before  float64 `json:"before"`  // share of answers that followed it before it was in force
	Without float64 `json:"without"` // share that follow it now, without it
	With    float64 `json:"with"`
	Drift   float64 `json:"drift,omitempty"` // by which both arms move from the first look to the last
}

var simulatedRules = []simulated{
	{"null", 0.6, 0.6, 0.6, 0},
	{"null, rare", 0.95, 0.95, 0.95, 0},
	{"helpful", 0.6, 0.6, 0.8, 0},
	{"harmful, mirrored", 0.8, 0.8, 0.6, 0},
	{"harmful", 0.8, 0.8, 0.5, 0},
	{"harmful, much", 0.8, 0.8, 0.4, 0},
	{"harmful, drastic", 0.9, 0.9, 0.4, 0},
}

// otherChanges are rules without an effect that came when something else changed
// for everybody, unseen by Heed. Another mix: before, half of the requests were of
// a kind that goes well in 90 % and half of one in 50 %; since, eight and two of ten.
var otherChanges = []simulated{
	{"all -20 at once", 0.8, 0.6, 0.6, 0},
	{"all -10 at once", 0.8, 0.7, 0.7, 0},
	{"all +20 at once", 0.6, 0.8, 0.8, 0},
	{"all drift by -10", 0.8, 0.8, 0.8, -0.1},
	{"all drift by +10", 0.7, 0.7, 0.7, 0.1},
	{"another mix", 0.7, 0.82, 0.82, 0},
}

// littleBefore are the sizes of baselines that are tried beside Before.
var littleBefore = []int{0, 20, 50, 200, 4000}

// effectResult is what became of the experiments of one rule and split.
type effectResult struct {
	simulated
	Share      float64 `json:"share_with"`
	Units      int     `json:"units_before"`
	Runs       int     `json:"runs"`
	Helps      float64 `json:"called_helpful"`           // share of runs, at any look, by either comparison
	Harms      float64 `json:"called_harmful"`           //
	Praised    float64 `json:"called_helpful_by_before"` // by the comparison with before, first or not
	Stopped    float64 `json:"called_harmful_by_before"` //
	BarePraise float64 `json:"helpful_unguarded"`        // as it would be if the units without the rule were not asked
	BareHarm   float64 `json:"harmful_unguarded"`        //
	Paused     float64 `json:"paused_within_200"`        // harm called within pauseWithin exchanges
	Same       float64 `json:"paused_within_200_same_time"`
	Median     int     `json:"median_first_call"` // exchanges until the first call; 0 when half of the runs had none
	Known      int     `json:"median_same_time"`  // the same by units at the same time alone
	Exposed    float64 `json:"units_exposed"`     // units that got the rule before the first call, mean
	Covered    float64 `json:"covered"`           // runs in which both intervals held the truth at every look
	Bound      float64 `json:"bound_within_200"`  // what one look at 200, and no other, could find at best at the same time
	ZTest      float64 `json:"z_test_calls"`      // runs that a z-test at every look calls either way
	Error      float64 `json:"mean_error"`        // mean estimate minus the truth, at the last look
}

// Run measures every rule at every split and prints the tables and the musts.
func (c *effectCommand) Run(out io.Writer) error {
	if c.Runs < 1 || c.Looks < pauseWithin || c.Each < 1 || c.Before < 0 {
		return fmt.Errorf("effect: want at least 1 run, %d looks and 1 exchange of a unit", pauseWithin)
	}
	var results, changes, little []effectResult
	var err error
	measure := func(to *[]effectResult, s simulated, share float64, before int) {
		if err != nil {
			return
		}
		var r effectResult
		r, err = c.measure(s, share, before)
		*to = append(*to, r)
	}
	for _, share := range c.With {
		if !(share > 0 && share < 1) {
			return fmt.Errorf("effect: --with %v: want a share between 0 and 1", share)
		}
		for _, s := range simulatedRules {
			measure(&results, s, share, c.Before)
		}
	}
	if c.Price {
		for _, s := range otherChanges {
			measure(&changes, s, 0.9, c.Before)
		}
		for _, n := range littleBefore {
			for _, i := range []int{0, 2, 3, 4} {
				measure(&little, simulatedRules[i], 0.9, n)
			}
			measure(&little, otherChanges[0], 0.9, n)
		}
	}
	if err != nil {
		return fmt.Errorf("effect: %w", err)
	}
	if err := errors.Join(printEffects(out, results), printPrice(out, changes), printPrice(out, little)); err != nil {
		return err
	}
	if c.Each == 1 {
		if err := printMusts(out, results); err != nil {
			return err
		}
	}
	if c.JSON == "" {
		return nil
	}
	b, err := json.MarshalIndent(map[string]any{"command": "effect", "options": c, "results": results, "changes": changes, "little": little}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.JSON, append(b, '\n'), 0o644)
}

func (c *effectCommand) measure(s simulated, share float64, before int) (effectResult, error) {
	r := effectResult{simulated: s, Share: share, Units: before, Runs: c.Runs, Bound: bound(s, share)}
	var calls, known []int
	n := 1 / float64(c.Runs)
	for i := range c.Runs {
		x, err := newExperiment(s, share, c.Each, c.Seed+uint64(i))
		if err != nil {
			return r, err
		}
		x.baseline(before)
		x.run(c.Looks)
		helps, harms := earliest(x.helps, x.praises), earliest(x.harms, x.pauses)
		for _, o := range []struct {
			to *float64
			is bool
		}{{&r.Helps, helps > 0}, {&r.Harms, harms > 0}, {&r.Praised, x.praises > 0}, {&r.Stopped, x.pauses > 0},
			{&r.BarePraise, x.bare[0] > 0}, {&r.BareHarm, x.bare[1] > 0}, {&r.Paused, harms > 0 && harms <= pauseWithin},
			{&r.Same, x.harms > 0 && x.harms <= pauseWithin}, {&r.ZTest, x.zTest},
			{&r.Covered, !x.missed && x.effect.Held(s.With-s.Without, store.EvidenceHelps, store.EvidenceHarms)}} {
			if o.is {
				*o.to += n
			}
		}
		r.Exposed += n * float64(x.exposed)
		mean, _ := x.effect.Mean()
		r.Error += n * (mean - (s.With - s.Without))
		calls, known = append(calls, earliest(helps, harms)), append(known, earliest(x.helps, x.harms))
	}
	r.Median, r.Known = median(calls), median(known)
	return r, nil
}

// bound is the chance that one look after pauseWithin units finds the difference
// between the arms, at the level that either call has: by the normal approximation,
// what no test with more looks can surpass by much.
func bound(s simulated, share float64) float64 {
	sd := math.Sqrt((s.With*(1-s.With)/share + s.Without*(1-s.Without)/(1-share)) / pauseWithin)
	z := math.Abs(s.With-s.Without)/sd - 1.959964
	return 0.5 * math.Erfc(-z/math.Sqrt2)
}

func median(xs []int) int {
	never := 0
	var called []int
	for _, x := range xs {
		if x == 0 {
			never++
			continue
		}
		called = append(called, x)
	}
	if never*2 >= len(xs) {
		return 0
	}
	slices.Sort(called)
	return called[len(xs)/2]
}
