package admin

import (
	"context"
	"math"

	"heed/store"
)

// maxLook bounds the exchanges and the feedback that figures are computed from:
// the newest ones.
const maxLook = 5000

// arm counts what happened with a rule, or without it by holdout or ramp.
type arm struct {
	Exchanges int `json:"exchanges"` // in scope
	Checked   int `json:"checked"`   // of these, with a verdict of the rule's checks
	Followed  int `json:"followed"`
	Good      int `json:"good"` // ratings above 0
	Bad       int `json:"bad"`
}

// difference is a difference of two shares, with minus without, and its interval.
type difference struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// effect is what a rule did so far, by the log.
type effect struct {
	With     arm         `json:"with"`
	Without  arm         `json:"without"`
	Followed *difference `json:"followed,omitempty"` // share of answers that follow the rule's checks
	Liked    *difference `json:"liked,omitempty"`    // share of ratings that are good
	Looked   int         `json:"looked_at"`          // exchanges in scope that were read; maxLook bounds it
}

// effectOf counts the rule's newest exchanges and the feedback that judged them.
func (a *Admin) effectOf(ctx context.Context, app, rule string) (*effect, error) {
	var e effect
	err := a.eachExchange(ctx, store.ExchangeFilter{App: app, Rule: rule}, func(x *store.Exchange) {
		e.Looked++
		e.exchange(x, rule)
	})
	if err != nil {
		return nil, err
	}
	err = a.eachFeedback(ctx, store.FeedbackFilter{App: app}, func(f *store.Feedback) { e.feedback(f, rule) })
	e.finish()
	return &e, err
}

func (e *effect) arm(withheld bool) *arm {
	if withheld {
		return &e.Without
	}
	return &e.With
}

// exchange counts x. One that was observed or sent again without the block had
// the rule in scope but not in the prompt, and not by chance: it counts nowhere.
func (e *effect) exchange(x *store.Exchange, rule string) {
	if x.Decision.Observed || x.Decision.Resent {
		return
	}
	for _, d := range x.Decision.Rules {
		if d.ID != rule {
			continue
		}
		m := e.arm(d.Withheld)
		m.Exchanges++
		for _, c := range x.Checks {
			if c.Rule == rule {
				m.Checked++
				if c.Followed {
					m.Followed++
				}
			}
		}
	}
}

func (e *effect) feedback(f *store.Feedback, rule string) {
	if f.Rating == nil || *f.Rating == 0 || f.Link == nil || !f.Retracted.IsZero() || f.SupersededBy != "" {
		return
	}
	for _, d := range f.Link.Rules {
		if d.ID != rule {
			continue
		}
		m := e.arm(d.Withheld)
		if *f.Rating > 0 {
			m.Good++
		} else {
			m.Bad++
		}
	}
}

func (e *effect) finish() {
	e.Followed = compareShares(e.With.Followed, e.With.Checked, e.Without.Followed, e.Without.Checked)
	e.Liked = compareShares(e.With.Good, e.With.Good+e.With.Bad, e.Without.Good, e.Without.Good+e.Without.Bad)
}

// leastArm is how many observations each arm needs before a difference is shown.
const leastArm = 5

// compareShares is the difference of x1/n1 and x2/n2 with its 95 % interval by
// Newcombe's hybrid score method (Statistics in Medicine 17, 1998, method 10); nil
// when either arm is too small to say anything. The interval holds for one look,
// not for somebody who looks until it pleases.
func compareShares(x1, n1, x2, n2 int) *difference {
	if n1 < leastArm || n2 < leastArm {
		return nil
	}
	p1, l1, u1 := wilson(x1, n1)
	p2, l2, u2 := wilson(x2, n2)
	d := p1 - p2
	return &difference{
		Value: d,
		Low:   d - math.Hypot(p1-l1, u2-p2),
		High:  d + math.Hypot(u1-p1, p2-l2),
	}
}

// wilson is x/n with its 95 % score interval (Wilson, JASA 22, 1927).
func wilson(x, n int) (p, low, high float64) {
	const z = 1.959964
	if n == 0 {
		return 0, 0, 1
	}
	m := float64(n)
	p = float64(x) / m
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return p, max(0, mid-half), min(1, mid+half)
}

// eachExchange calls do for the newest maxLook exchanges of the filter.
func (a *Admin) eachExchange(ctx context.Context, f store.ExchangeFilter, do func(*store.Exchange)) error {
	f.Limit = store.MaxPage
	for n := 0; n < maxLook; {
		xs, next, err := a.store.Exchanges(ctx, f)
		if err != nil {
			return err
		}
		for _, x := range xs {
			do(x)
		}
		if n += len(xs); next == "" {
			return nil
		}
		f.After = next
	}
	return nil
}

// eachFeedback calls do for the newest maxLook records of the filter.
func (a *Admin) eachFeedback(ctx context.Context, f store.FeedbackFilter, do func(*store.Feedback)) error {
	f.Limit = store.MaxPage
	for n := 0; n < maxLook; {
		fs, next, err := a.store.Feedback(ctx, f)
		if err != nil {
			return err
		}
		for _, one := range fs {
			do(one)
		}
		if n += len(fs); next == "" {
			return nil
		}
		f.After = next
	}
	return nil
}
