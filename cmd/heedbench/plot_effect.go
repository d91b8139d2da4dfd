package main

import "fmt"

// plotEffect draws what is found, what it costs where something else changed, and
// what little is known from before is worth.
func plotEffect(rs, changes, little []effectResult) []plot {
	var ps []panel
	for _, share := range distinct(rs, func(r effectResult) float64 { return r.Share }) {
		both, same, bound := line{Name: "both comparisons"}, line{Name: "at the same time alone"}, line{Name: "one look at 200, at the same time"}
		p := panel{Title: fmt.Sprintf("Harmful rules paused within %d, %.0f %% of units get it", pauseWithin, 100*share), X: "good answers without → with the rule, %", Y: "% of runs", Top: 100, Bars: true}
		for _, r := range rs {
			if r.Share != share || r.With >= r.Without {
				continue
			}
			p.Ticks = append(p.Ticks, fmt.Sprintf("%.0f → %.0f", 100*r.Without, 100*r.With))
			both.Ys, same.Ys, bound.Ys = append(both.Ys, 100*r.Paused), append(same.Ys, 100*r.Same), append(bound.Ys, 100*r.Bound)
		}
		if p.Lines = []line{both, same, bound}; len(p.Ticks) > 0 {
			ps = append(ps, p)
		}
	}
	note := "A look after every exchange. heedbench effect"
	out := []plot{{"", figure("Is harm found in time?", note, ps)}}
	if len(changes) == 0 {
		return out
	}
	return append(out, plot{"-price", figure("The price of comparing with before (rules without an effect, holdout 10 %)", note, []panel{
		wrongly("Praised wrongly", changes, func(r effectResult) (float64, float64) { return r.Helps, r.BarePraise }),
		wrongly("Paused wrongly", changes, func(r effectResult) (float64, float64) { return r.Harms, r.BareHarm }),
	})}, plot{"-little", figure("What it takes to know from before (holdout 10 %)", note, []panel{
		bySize("Paused within 200", "% of runs", little, []string{"harmful", "harmful, mirrored", "all -20 at once"}, func(r effectResult) float64 { return 100 * r.Paused }),
		bySize("Called helpful within 600", "% of runs", little, []string{"helpful", "null"}, func(r effectResult) float64 { return 100 * r.Helps }),
	})})
}

func wrongly(title string, changes []effectResult, value func(effectResult) (guarded, bare float64)) panel {
	p := panel{Title: title, X: "what changed for everybody at that moment", Y: "% of runs", Top: 100, Bars: true}
	guarded, bare := line{Name: "as built"}, line{Name: "without asking the units at the same time"}
	for _, r := range changes {
		g, b := value(r)
		p.Ticks = append(p.Ticks, map[string]string{"all -20 at once": "-20", "all -10 at once": "-10", "all +20 at once": "+20",
			"all drift by -10": "drift -10", "all drift by +10": "drift +10", "another mix": "mix (+12)"}[r.Name])
		guarded.Ys, bare.Ys = append(guarded.Ys, 100*g), append(bare.Ys, 100*b)
	}
	p.Lines = []line{guarded, bare}
	return p
}

func bySize(title, y string, little []effectResult, names []string, value func(effectResult) float64) panel {
	sizes := distinct(little, func(r effectResult) int { return r.Units })
	p := panel{Title: title, X: "units known from before the rule", Y: y, Top: 100}
	p.Ticks = labels(sizes)
	for _, name := range names {
		l := line{Name: name}
		for _, n := range sizes {
			l.Ys = append(l.Ys, mean(little, func(r effectResult) bool { return r.Units == n && r.Name == name }, value))
		}
		p.Lines = append(p.Lines, l)
	}
	return p
}
