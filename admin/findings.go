package admin

import (
	"net/http"
	"time"

	"heed/rules"
	"heed/store"
)

type findingsPage struct {
	Items []*store.Finding
	State string
	Next  string                 // the next page's address
	Rules map[string]*rules.Rule // those in force that findings are about
}

func (a *Admin) pageFindings(c *call) error {
	app, p, err := c.in(append([]string{"state"}, list...)...)
	if err != nil {
		return err
	}
	in := findingsPage{State: p.one("state", findingOpen, findingResolved)}
	if in.State == "" {
		in.State = findingOpen
	}
	f := store.FindingFilter{App: app, State: in.State, Limit: p.limit(), After: p.text("after")}
	if p.err != nil {
		return p.err
	}
	items, next, err := a.store.Findings(c.r.Context(), f)
	if err != nil {
		return err
	}
	_, set, err := store.Current(c.r.Context(), a.store, app)
	if err != nil {
		return err
	}
	in.Rules = map[string]*rules.Rule{}
	for _, f := range items {
		if r := set.Rule(f.Rule); r != nil {
			in.Rules[f.Rule] = r
		}
	}
	in.Items, in.Next = items, nextLink(c, next)
	return c.show("findings", "Findings", "findings", app, in)
}

func (a *Admin) doResolve(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	if _, err := a.resolve(c.r.Context(), c.who, app, c.id(), c.field("reason")); err != nil {
		return err
	}
	return c.done("/findings", "Resolved. It opens again when it comes back.")
}

func (a *Admin) doReopen(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	if _, err := a.reopen(c.r.Context(), c.who, app, c.id(), c.field("reason")); err != nil {
		return err
	}
	return c.done("/findings", "Open again.")
}

func (a *Admin) doAssign(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	f, err := a.assign(c.r.Context(), c.who, app, c.id(), c.field("owner"))
	if err != nil {
		return err
	}
	if f.Owner == "" {
		return c.done("/findings", "Nobody sees to it now.")
	}
	return c.done("/findings", "%s sees to it now.", f.Owner)
}

func (a *Admin) doPropose(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	in := sentence{Action: c.field("action"), AppliesWhen: c.field("applies_when"), Fact: c.fact()}
	if in.ValidTo, err = c.until(); err != nil {
		return err
	}
	p, err := a.propose(c.r.Context(), c.who, app, c.id(), in)
	if err != nil {
		return err
	}
	c.sess.tell(true, "Proposed. Look at what it would touch, then approve it.")
	http.Redirect(c.w, c.r, "/proposals/"+p.ID+"?app="+app, http.StatusSeeOther)
	return nil
}

// trendDays is how many days the bars of a finding show.
const trendDays = 28

// trendBar is a day of a finding's trend, as an SVG rectangle in a box of trendDays
// by 1.
type trendBar struct {
	X, N int
	H    float64
	Day  time.Time
}

// trend is what a finding's card shows of when people complained.
type trend struct {
	Week, Before int // in the last seven days, and in the seven before
	First, Last  time.Time
	Bars         []trendBar // of days with complaints
	Days         []trendBar // the same, newest first, also older ones
}

// leastGrowth is how many complaints a week it takes to speak of growth.
const leastGrowth = 3

// Grows says whether more people complain than in the week before.
func (t *trend) Grows() bool { return t.Week > t.Before && t.Week >= leastGrowth }

// trendOf is nil where no day is counted.
func trendOf(f *store.Finding, now time.Time) *trend {
	var out trend
	most := 1
	for _, d := range f.Days {
		most = max(most, d.N)
	}
	today := now.UTC().Truncate(24 * time.Hour)
	for _, d := range f.Days {
		day, err := time.Parse(time.DateOnly, d.Day)
		if err != nil {
			continue // not of Finding.Complained
		}
		bar := trendBar{N: d.N, H: float64(d.N) / float64(most), Day: day}
		bar.X = trendDays - 1 - int(today.Sub(day)/(24*time.Hour))
		if bar.X >= 0 && bar.X < trendDays {
			out.Bars = append(out.Bars, bar)
		}
		out.Days = append([]trendBar{bar}, out.Days...)
	}
	if len(out.Days) == 0 {
		return nil
	}
	out.First, out.Last = out.Days[len(out.Days)-1].Day, out.Days[0].Day
	out.Week, out.Before = f.Trend(now)
	return &out
}
