package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// plotCommand turns what other commands wrote with --json into charts.
type plotCommand struct {
	Results []string `arg:"" type:"existingfile" help:"Files that scope, learning or effect wrote with --json."`
	Out     string   `default:"docs/plots" type:"path" help:"Folder for the SVG files."`
}

// Run draws every file; the charts' names are those of the files.
func (c *plotCommand) Run(out io.Writer) error {
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	for _, path := range c.Results {
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("plot: %w", err)
		}
		figures, err := plots(b)
		if err != nil {
			return fmt.Errorf("plot %s: %w", path, err)
		}
		base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		for _, f := range figures {
			to := filepath.Join(c.Out, base+f.suffix+".svg")
			if err := os.WriteFile(to, []byte(f.svg), 0o644); err != nil {
				return fmt.Errorf("plot: %w", err)
			}
			fmt.Fprintln(out, to)
		}
	}
	return nil
}

// plot is one file: its name is that of the results with suffix.
type plot struct{ suffix, svg string }

// plots tells by its shape which command wrote b, and draws it.
func plots(b []byte) ([]plot, error) {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '[' {
		var rows []learningRow
		if err := json.Unmarshal(b, &rows); err != nil {
			return nil, err
		}
		return plotLearning(rows), nil
	}
	var in struct {
		Command string
		Rows    []learningRow
		Mean    []scopeMean
		Results json.RawMessage
		Changes []effectResult
		Little  []effectResult
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, err
	}
	switch {
	case in.Command == "effect":
		var rs []effectResult
		if err := json.Unmarshal(in.Results, &rs); err != nil {
			return nil, err
		}
		return plotEffect(rs, in.Changes, in.Little), nil
	case len(in.Rows) > 0:
		return plotLearning(in.Rows), nil
	case len(in.Mean) > 0:
		return plotScope(in.Mean), nil
	}
	return nil, errors.New("neither of scope, learning nor effect")
}

// plotLearning draws a track a file: what is gained beside what is touched
// wrongly, near and far apart, with every baseline and the ceiling.
func plotLearning(rows []learningRow) []plot {
	var out []plot
	for _, track := range distinct(rows, func(r learningRow) string { return r.Track }) {
		of := slices.DeleteFunc(slices.Clone(rows), func(r learningRow) bool { return r.Track != track })
		records, systems := distinct(of, func(r learningRow) int { return r.Records }), distinct(of, func(r learningRow) string { return r.System })
		slices.Sort(records)
		seeds := len(distinct(of, func(r learningRow) int { return r.Seed }))
		ticks := labels(records)
		draw := func(title, y string, value func(learningRow) float64) panel {
			p := panel{Title: title, X: "feedback records (steps not to scale)", Y: y, Ticks: ticks, Top: 100}
			for _, s := range systems {
				l := line{Name: s}
				for _, n := range records {
					l.Ys = append(l.Ys, mean(of, func(r learningRow) bool { return r.System == s && r.Records == n }, value))
				}
				p.Lines = append(p.Lines, l)
			}
			return p
		}
		gain := draw("Adherence on unseen questions in scope", "%", func(r learningRow) float64 { return 100 * r.Adherence })
		if track == "depth" {
			ceiling := line{Name: "ceiling"}
			for _, n := range records {
				ceiling.Ys = append(ceiling.Ys, 100*min(1, float64(n)/8))
			}
			gain.Lines = append(gain.Lines, ceiling)
		}
		out = append(out, plot{"-" + track, figure("Loop, track "+track, fmt.Sprintf("Seeds: %d. The simulated model obeys by construction: this measures the loop, not a model. heedbench learning", seeds), []panel{
			gain,
			draw("Task success over all requests", "%", func(r learningRow) float64 { return 100 * r.Success }),
			draw("Near: neighbouring requests touched", "%", func(r learningRow) float64 { return 100 * r.Near }),
			draw("Far: unrelated requests touched", "%", func(r learningRow) float64 { return 100 * r.Far }),
		})})
	}
	return out
}

// scopeMean is a row of scope's means.
type scopeMean struct {
	Set       string             `json:"set"`
	N         int                `json:"n"`
	Coverage  float64            `json:"coverage"`
	Ticks     int                `json:"ticks"`
	System    string             `json:"system"`
	Comments  string             `json:"comments"`
	Topics    string             `json:"topics"`
	Recall    float64            `json:"recall"`
	Wrong     float64            `json:"wrong_per_100_neighbouring"`
	Unrelated map[string]float64 `json:"wrong_per_100_unrelated"`
	Kept      float64            `json:"followup_kept"`
	Dropped   float64            `json:"topic_change_dropped"`
}

// series names what is compared: the system, what people wrote, what they ticked.
func (r scopeMean) series() string {
	name := r.System
	if r.Comments != "" {
		name += ", " + r.Comments
	}
	if r.Topics != "" && r.Topics != "all" {
		name += ", " + r.Topics
	}
	if r.Ticks > 0 {
		name += fmt.Sprintf(", %d ticks", r.Ticks)
	}
	return name
}

// plotScope draws a figure for each share of topics that have rules, over the
// examples of a rule; over these shares where the examples are as many everywhere.
func plotScope(rows []scopeMean) []plot {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r scopeMean) bool { return r.Kept+r.Dropped > 0 })
	n, share := func(r scopeMean) float64 { return float64(r.N) }, func(r scopeMean) float64 { return 100 * r.Coverage }
	if len(distinct(rows, n)) == 1 && len(distinct(rows, share)) > 1 {
		return []plot{{"", scopeFigure(rows, fmt.Sprintf("Scope, %s: %d examples a rule", rows[0].Set, rows[0].N), "topics with a rule, % (steps not to scale)", share)}}
	}
	var out []plot
	for _, c := range distinct(rows, share) {
		of := slices.DeleteFunc(slices.Clone(rows), func(r scopeMean) bool { return share(r) != c })
		out = append(out, plot{fmt.Sprintf("-%.0f", c), scopeFigure(of, fmt.Sprintf("Scope, %s: rules on %.0f %% of the topics", of[0].Set, c), "examples a rule (steps not to scale)", n)})
	}
	return out
}

func scopeFigure(of []scopeMean, title, xs string, x func(scopeMean) float64) string {
	at := distinct(of, x)
	slices.Sort(at)
	var ticks []string
	for _, v := range at {
		ticks = append(ticks, short(v))
	}
	draw := func(title, y string, top float64, value func(scopeMean) float64) panel {
		p := panel{Title: title, X: xs, Y: y, Ticks: ticks, Top: top, Bars: len(at) == 1}
		for _, s := range distinct(of, scopeMean.series) {
			l := line{Name: s}
			for _, v := range at {
				l.Ys = append(l.Ys, mean(of, func(r scopeMean) bool { return r.series() == s && x(r) == v }, value))
			}
			p.Lines = append(p.Lines, l)
		}
		return p
	}
	ps := []panel{draw("Recall: unseen requests in scope that get their rule", "%", 100, func(r scopeMean) float64 { return 100 * r.Recall }),
		draw("Near: requests of the app that get a wrong rule", "of 100", 0, func(r scopeMean) float64 { return r.Wrong })}
	var far []string
	for _, r := range of {
		for f := range r.Unrelated {
			if !slices.Contains(far, f) {
				far = append(far, f)
			}
		}
	}
	slices.Sort(far)
	for _, f := range far {
		ps = append(ps, draw("Far: unrelated requests ("+f+") that get any rule", "of 100", 0, func(r scopeMean) float64 {
			if v, ok := r.Unrelated[f]; ok {
				return v
			}
			return math.NaN()
		}))
	}
	return figure(title, "Means over seeds. heedbench scope", ps)
}

// distinct lists the values of f over xs, in order of appearance.
func distinct[T any, K comparable](xs []T, f func(T) K) []K {
	var out []K
	for _, x := range xs {
		if k := f(x); !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

func labels(ns []int) []string {
	out := make([]string, len(ns))
	for i, n := range ns {
		out[i] = fmt.Sprint(n)
	}
	return out
}

// mean of value over the xs that count; math.NaN of none.
func mean[T any](xs []T, counts func(T) bool, value func(T) float64) float64 {
	var sum, n float64
	for _, x := range xs {
		if counts(x) {
			sum, n = sum+value(x), n+1
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / n
}
