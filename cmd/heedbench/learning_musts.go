package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// must is one figure that issue 6 asks for.
type must struct {
	Name  string    `json:"name"`
	Got   float64   `json:"got"`
	Op    string    `json:"op"` // ">=", "<=" or "<"
	Want  float64   `json:"want"`
	Holds bool      `json:"holds"`
	Note  string    `json:"note,omitempty"`
	Seeds []float64 `json:"seeds,omitempty"` // the same of each seed, where got is their mean
}

// hold records a figure beside what is asked for.
func (b *bench) hold(name string, got float64, op string, want float64, note string) {
	m := must{Name: name, Got: got, Op: op, Want: want, Note: note}
	m.Holds = m.holds(got)
	b.musts = append(b.musts, m)
}

func (m *must) holds(got float64) bool {
	switch m.Op {
	case ">=":
		return got >= m.Want
	case "<=":
		return got <= m.Want
	}
	return got < m.Want
}

// bySeed are the seeds' figures, and in how many of them the must holds.
func (m *must) bySeed() string {
	if len(m.Seeds) == 0 {
		return ""
	}
	held := 0
	var out strings.Builder
	for _, x := range m.Seeds {
		held += count(m.holds(x))
		fmt.Fprintf(&out, "%.4g ", x)
	}
	return fmt.Sprintf("%s(%d of %d)", out.String(), held, len(m.Seeds))
}

// depthMusts are the figures asked of the curve with few topics: of the means of the
// seeds, and of each seed.
func (b *bench) depthMusts() {
	var seeds []int
	for _, r := range b.rows {
		if r.Track == "depth" && !slices.Contains(seeds, r.Seed) {
			seeds = append(seeds, r.Seed)
		}
	}
	hold := func(name, op string, want float64, note string, figure func(rows []learningRow) (float64, bool)) {
		got, ok := figure(means(b.rows, "depth"))
		if !ok {
			return
		}
		b.hold(name, got, op, want, note)
		m := &b.musts[len(b.musts)-1]
		for _, seed := range seeds {
			of := slices.DeleteFunc(slices.Clone(b.rows), func(r learningRow) bool { return r.Track != "depth" || r.Seed != seed })
			if x, ok := figure(of); ok {
				m.Seeds = append(m.Seeds, x)
			}
		}
	}
	at := func(records int, value func(learningRow) float64) func([]learningRow) (float64, bool) {
		return func(rows []learningRow) (float64, bool) {
			r := rowAt(rows, heedSystem, records)
			if r == nil {
				return 0, false
			}
			return 100 * value(*r), true
		}
	}
	adherence := func(r learningRow) float64 { return r.Adherence }
	near := func(r learningRow) float64 { return r.Near }
	far := func(r learningRow) float64 { return r.Far }
	for _, c := range []struct {
		records int
		least   float64
	}{{8, 68}, {32, 75}} {
		where := fmt.Sprintf(" at %d records, %%", c.records)
		hold("adherence"+where, ">=", c.least, "", at(c.records, adherence))
		hold("near false injections"+where, "<=", 8, "", at(c.records, near))
		hold("far false injections"+where, "<=", 3, "", at(c.records, far))
	}
	hold("aim: adherence at 32 records, %", ">=", 80, "an aim", at(32, adherence))
	hold("aim: near at 32 records, %", "<=", 5, "an aim", at(32, near))
	hold("aim: far at 32 records, %", "<=", 1, "an aim", at(32, far))
	hold("task success below no learning, points", "<=", 0, "the worst checkpoint", worstSuccess)
}

// rowAt finds a system's row at a checkpoint, nil where there is none.
func rowAt(rows []learningRow, system string, records int) *learningRow {
	i := slices.IndexFunc(rows, func(r learningRow) bool { return r.System == system && r.Records == records })
	if i < 0 {
		return nil
	}
	return &rows[i]
}

// worstSuccess is by how many points task success falls below that of no learning,
// at the worst checkpoint with feedback; negative where it is above at all of them.
func worstSuccess(rows []learningRow) (worst float64, found bool) {
	worst = math.Inf(-1)
	for _, r := range rows {
		if base := rowAt(rows, "no learning", r.Records); base != nil && r.System == heedSystem && r.Records > 0 {
			worst, found = max(worst, 100*(base.Success-r.Success)), true
		}
	}
	return worst, found
}

func printLearned(out io.Writer, musts []must) {
	if len(musts) == 0 {
		return
	}
	fmt.Fprintln(out)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "must\tgot\twant\t\tby seed\t")
	for _, m := range musts {
		fmt.Fprintf(t, "%s\t%.4g\t%s %g\t%s\t%s\t%s\n", m.Name, m.Got, m.Op, m.Want, held(m.Holds), m.bySeed(), m.Note)
	}
	_ = t.Flush()
}
