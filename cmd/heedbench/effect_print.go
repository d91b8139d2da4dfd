package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
)

func printEffects(out io.Writer, rs []effectResult) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "get it\trule\twithout → with\thelps\tharms\tharms ≤ 200\tsame time alone\tone look at 200\tmedian call\tsame time alone\tunits exposed\tcovered at all looks\tmean error\tz-test, every look\t")
	for _, r := range rs {
		fmt.Fprintf(w, "%.0f %%\t%s\t%.0f → %.0f %%\t%.1f %%\t%.1f %%\t%.1f %%\t%.1f %%\t%.1f %%\t%s\t%s\t%.0f\t%.1f %%\t%+.3f\t%.1f %%\t\n", 100*r.Share, r.Name, 100*r.Without, 100*r.With,
			100*r.Helps, 100*r.Harms, 100*r.Paused, 100*r.Same, 100*r.Bound, orNone(r.Median), orNone(r.Known), r.Exposed, 100*r.Covered, r.Error, 100*r.ZTest)
	}
	return w.Flush()
}

// orNone is a median, which may not be there.
func orNone(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// printPrice prints what the comparison with before does where it could be wrong,
// or knows little, with and without asking the units at the same time.
func printPrice(out io.Writer, rs []effectResult) error {
	if len(rs) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nbefore\trule\tbefore, without → with\thelps\tunguarded\tharms\tunguarded\tharms ≤ 200\tmedian call\tcovered at all looks\t")
	for _, r := range rs {
		fmt.Fprintf(w, "%d\t%s\t%.0f, %.0f → %.0f %%\t%.1f %%\t%.1f %%\t%.1f %%\t%.1f %%\t%.1f %%\t%s\t%.1f %%\t\n", r.Units, r.Name, 100*r.Before, 100*r.Without, 100*r.With,
			100*r.Helps, 100*r.BarePraise, 100*r.Harms, 100*r.BareHarm, 100*r.Paused, orNone(r.Median), 100*r.Covered)
	}
	return w.Flush()
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
			say("%s  %s: recognised after a median of %d exchanges, want at most %d\n", held(r.Median > 0 && r.Median <= praiseWithin), at, r.Median, praiseWithin)
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
