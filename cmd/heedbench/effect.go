package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"text/tabwriter"

	"heed/store"
)

// effectCommand measures whether a rule's effect is told rightly: simulated rules
// of known effect, with a look after every exchange.
type effectCommand struct {
	Runs  int       `default:"200" help:"Experiments of each rule and split; the published table has 1000."`
	Looks int       `default:"600" help:"Checked in-scope exchanges of one experiment."`
	With  []float64 `default:"0.9,0.5,0.45" help:"Shares of units that get the rule: 0.9 is a holdout of 10 %, 0.45 a ramp of 50 % beside it."`
	Each  int       `default:"1" help:"Exchanges of one unit, alike in half of what they are good by."`
	Seed  uint64    `default:"6" help:"Of the first experiment."`
	JSON  string    `name:"json" type:"path" help:"Write the results there."`
}

// Limits that issue 6 sets.
const (
	pauseWithin = 200 // checked in-scope exchanges
	alphaOfAll  = 2.0 / store.EvidenceCalls
)

// simulated is a rule of known effect.
type simulated struct {
	Name    string  `json:"rule"`
	Without float64 `json:"without"` // share of answers that follow it
	With    float64 `json:"with"`
}

var simulatedRules = []simulated{
	{"null", 0.6, 0.6},
	{"null, rare", 0.95, 0.95},
	{"helpful", 0.6, 0.8},
	{"harmful, mirrored", 0.8, 0.6},
	{"harmful", 0.8, 0.5},
	{"harmful, much", 0.8, 0.4},
	{"harmful, drastic", 0.9, 0.4},
}

// effectResult is what became of the experiments of one rule and split.
type effectResult struct {
	simulated
	Share   float64 `json:"share_with"`
	Runs    int     `json:"runs"`
	Helps   float64 `json:"called_helpful"`    // share of runs, at any look
	Harms   float64 `json:"called_harmful"`    //
	Paused  float64 `json:"paused_within_200"` // harm called within pauseWithin exchanges
	Median  int     `json:"median_first_call"` // exchanges until the first call; 0 when half of the runs had none
	Exposed float64 `json:"units_exposed"`     // units that got the rule before the first call, mean
	Covered float64 `json:"covered"`           // runs in which the interval held the truth at every look
	Bound   float64 `json:"bound_within_200"`  // what one look at 200, and no other, could find at best
	ZTest   float64 `json:"z_test_calls"`      // runs that a z-test at every look calls either way
	Error   float64 `json:"mean_error"`        // mean estimate minus the truth, at the last look
}

// Run measures every rule at every split and prints the table and the musts.
func (c *effectCommand) Run(out io.Writer) error {
	if c.Runs < 1 || c.Looks < pauseWithin || c.Each < 1 {
		return fmt.Errorf("effect: want at least 1 run, %d looks and 1 exchange of a unit", pauseWithin)
	}
	var results []effectResult
	for _, share := range c.With {
		if !(share > 0 && share < 1) {
			return fmt.Errorf("effect: --with %v: want a share between 0 and 1", share)
		}
		for _, s := range simulatedRules {
			r, err := c.measure(s, share)
			if err != nil {
				return fmt.Errorf("effect: %w", err)
			}
			results = append(results, r)
		}
	}
	if err := printEffects(out, results, c.Each); err != nil {
		return err
	}
	if c.JSON == "" {
		return nil
	}
	b, err := json.MarshalIndent(map[string]any{"options": c, "results": results}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.JSON, append(b, '\n'), 0o644)
}

func (c *effectCommand) measure(s simulated, share float64) (effectResult, error) {
	r := effectResult{simulated: s, Share: share, Runs: c.Runs, Bound: bound(s, share)}
	var first []int
	n := 1 / float64(c.Runs)
	for i := range c.Runs {
		x, err := newExperiment(s, share, c.Each, c.Seed+uint64(i))
		if err != nil {
			return r, err
		}
		x.run(c.Looks)
		if x.helps > 0 {
			r.Helps += n
		}
		if x.harms > 0 {
			r.Harms += n
		}
		if x.harms > 0 && x.harms <= pauseWithin {
			r.Paused += n
		}
		if x.effect.Held(s.With-s.Without, alphaOfAll) {
			r.Covered += n
		}
		if x.zTest {
			r.ZTest += n
		}
		r.Exposed += n * float64(x.exposed)
		mean, _ := x.effect.Mean()
		r.Error += n * (mean - (s.With - s.Without))
		first = append(first, x.first())
	}
	r.Median = median(first)
	return r, nil
}

// bound is the chance that one look after pauseWithin units finds the difference,
// at the level that either call has: by the normal approximation, what no test
// with more looks can surpass by much.
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

func printEffects(out io.Writer, rs []effectResult, each int) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "get it\trule\twithout → with\thelps\tharms\tharms ≤ 200\tone look at 200\tmedian call\tunits exposed\tcovered at all looks\tmean error\tz-test, every look\t")
	for _, r := range rs {
		call := "-"
		if r.Median > 0 {
			call = fmt.Sprint(r.Median)
		}
		fmt.Fprintf(w, "%.0f %%\t%s\t%.0f → %.0f %%\t%.1f %%\t%.1f %%\t%.1f %%\t%.1f %%\t%s\t%.0f\t%.1f %%\t%+.3f\t%.1f %%\t\n", 100*r.Share, r.Name, 100*r.Without, 100*r.With,
			100*r.Helps, 100*r.Harms, 100*r.Paused, 100*r.Bound, call, r.Exposed, 100*r.Covered, r.Error, 100*r.ZTest)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if each > 1 {
		return nil
	}
	return printMusts(out, rs)
}

// printMusts says of every must of issue 6 whether it held, at which split.
func printMusts(out io.Writer, rs []effectResult) error {
	var errs []error
	say := func(format string, args ...any) {
		_, err := fmt.Fprintf(out, format, args...)
		errs = append(errs, err)
	}
	say("\n")
	for _, r := range rs {
		at := fmt.Sprintf("%s (%.0f → %.0f %%), %.0f %% get it", r.Name, 100*r.Without, 100*r.With, 100*r.Share)
		say("%s  %s: intervals hold at all looks in %.1f %% of the runs, want 95\n", held(r.Covered >= 0.95), at, 100*r.Covered)
		switch {
		case r.With == r.Without:
			say("%s  %s: wrongly called in %.1f %%, want at most 5\n", held(r.Helps+r.Harms <= 0.05), at, 100*(r.Helps+r.Harms))
		case r.With > r.Without:
			say("%s  %s: recognised after a median of %d exchanges, want at most 150\n", held(r.Median > 0 && r.Median <= 150), at, r.Median)
		default:
			say("%s  %s: paused within %d in %.1f %%, want 95\n", held(r.Paused >= 0.95), at, pauseWithin, 100*r.Paused)
		}
	}
	return errors.Join(errs...)
}

func held(ok bool) string {
	if ok {
		return "holds "
	}
	return "MISSED"
}
