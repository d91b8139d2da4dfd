package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// must is one figure that issue 6 asks for.
type must struct {
	Name  string  `json:"name"`
	Got   float64 `json:"got"`
	Op    string  `json:"op"` // ">=", "<=" or "<"
	Want  float64 `json:"want"`
	Holds bool    `json:"holds"`
	Note  string  `json:"note,omitempty"`
}

// hold records a figure beside what is asked for.
func (b *bench) hold(name string, got float64, op string, want float64, note string) {
	m := must{Name: name, Got: got, Op: op, Want: want, Note: note}
	switch op {
	case ">=":
		m.Holds = got >= want
	case "<=":
		m.Holds = got <= want
	case "<":
		m.Holds = got < want
	}
	b.musts = append(b.musts, m)
}

// depthMusts are the figures asked of the curve with few topics.
func (b *bench) depthMusts() {
	all := means(b.rows, "depth")
	at := func(system string, records int) (learningRow, bool) {
		i := slices.IndexFunc(all, func(r learningRow) bool { return r.System == system && r.Records == records })
		if i < 0 {
			return learningRow{}, false
		}
		return all[i], true
	}
	for _, c := range []struct {
		records                int
		adherence, near, far   float64
		aim, aimNear, aimOfFar float64
	}{{8, 68, 8, 3, 0, 0, 0}, {32, 75, 8, 3, 80, 5, 1}} {
		r, ok := at(heedSystem, c.records)
		if !ok {
			continue
		}
		where := fmt.Sprintf(" at %d records, %%", c.records)
		b.hold("adherence"+where, 100*r.Adherence, ">=", c.adherence, "")
		b.hold("near false injections"+where, 100*r.Near, "<=", c.near, "")
		b.hold("far false injections"+where, 100*r.Far, "<=", c.far, "")
		if c.aim > 0 {
			b.hold("aim: adherence"+where, 100*r.Adherence, ">=", c.aim, "an aim")
			b.hold("aim: near"+where, 100*r.Near, "<=", c.aimNear, "an aim")
			b.hold("aim: far"+where, 100*r.Far, "<=", c.aimOfFar, "an aim")
		}
	}
	worst, found := 0.0, false
	for _, r := range all {
		if base, ok := at("no learning", r.Records); ok && r.System == heedSystem {
			worst, found = max(worst, 100*(base.Success-r.Success)), true
		}
	}
	if found {
		b.hold("task success below no learning, points", worst, "<=", 0, "the worst checkpoint")
	}
}

func printLearned(out io.Writer, musts []must) {
	if len(musts) == 0 {
		return
	}
	fmt.Fprintln(out)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "must\tgot\twant\t\t")
	for _, m := range musts {
		fmt.Fprintf(t, "%s\t%.4g\t%s %g\t%s\t%s\n", m.Name, m.Got, m.Op, m.Want, held(m.Holds), m.Note)
	}
	_ = t.Flush()
}
