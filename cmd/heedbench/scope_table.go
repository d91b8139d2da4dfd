package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// average means over the seeds.
func average(results []result) []result {
	type cell struct {
		setting
		system string
	}
	var order []cell
	by := map[cell][]result{}
	for _, r := range results {
		k := cell{r.setting, r.System}
		k.Seed = 0
		if by[k] == nil {
			order = append(order, k)
		}
		by[k] = append(by[k], r)
	}
	var out []result
	for _, k := range order {
		rs := by[k]
		m := result{setting: k.setting, System: k.system, Threshold: rs[0].Threshold, Unrelated: map[string]float64{}}
		n := float64(len(rs))
		for _, r := range rs {
			m.Seeds++
			m.TouchPrecision += r.TouchPrecision / n
			m.Touched += r.Touched / n
			m.Recall += r.Recall / n
			m.Wrong += r.Wrong / n
			m.WrongAt += r.WrongAt / n
			m.WrongCovered += r.WrongCovered / n
			m.Precision += r.Precision / n
			m.F1 += r.F1 / n
			m.BestF1 += r.BestF1 / n
			m.Injected += r.Injected / n
			m.CommentTokens += r.CommentTokens / n
			m.Kept += r.Kept / n
			m.Dropped += r.Dropped / n
			for name, x := range r.Unrelated {
				m.Unrelated[name] += x / n
			}
		}
		m.spread(rs)
		out = append(out, m)
	}
	return out
}

// spread fills in the standard deviations over the seeds.
func (m *result) spread(rs []result) {
	if len(rs) < 2 {
		return
	}
	for _, r := range rs {
		n := float64(len(rs) - 1)
		m.RecallSpread += (r.Recall - m.Recall) * (r.Recall - m.Recall) / n
		m.WrongSpread += (r.Wrong - m.Wrong) * (r.Wrong - m.Wrong) / n
	}
	m.RecallSpread, m.WrongSpread = math.Sqrt(m.RecallSpread), math.Sqrt(m.WrongSpread)
}

// printResults writes the table, means over the seeds.
func printResults(out io.Writer, rs []result) error {
	var names []string
	for _, r := range rs {
		for name := range r.Unrelated {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "comments\tcoverage\tn\tticks\tsystem\ttouch P\trecall\t±\twrong/100 neighb.\t±\tat recall .75\twrong/100 covered\t%s\tP\tF1\tbest F1\trules/req\ttokens/req\t\n",
		strings.Join(names, "/100\t")+ending(names))
	for _, r := range rs {
		if r.followupsOnly() {
			fmt.Fprintf(w, "%s\t%.2f\t%d\t%d\t%s\tfollow-ups kept\t%.3f\ttopic changes dropped\t%.3f\t\n", r.Comments, r.Coverage, r.N, r.Ticks, r.System, r.Kept, r.Dropped)
			continue
		}
		fmt.Fprintf(w, "%s\t%.2f\t%d\t%d\t%s\t%.3f\t%.3f\t%.3f\t%.1f\t%.1f\t%.1f\t%.1f\t", r.Comments, r.Coverage, r.N, r.Ticks, r.System, r.TouchPrecision, r.Recall, r.RecallSpread,
			r.Wrong, r.WrongSpread, r.WrongAt, r.WrongCovered)
		for _, name := range names {
			fmt.Fprintf(w, "%.1f\t", r.Unrelated[name])
		}
		fmt.Fprintf(w, "%.3f\t%.3f\t%.3f\t%.2f\t%.0f\t\n", r.Precision, r.F1, r.BestF1, r.Injected, r.CommentTokens)
	}
	return w.Flush()
}

func ending(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "/100"
}

func (c *scopeCommand) writeJSON(results, mean []result) error {
	if c.JSON == "" {
		return nil
	}
	return writeJSON(c.JSON, map[string]any{"options": c, "mean": mean, "results": results})
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
