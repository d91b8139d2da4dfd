package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/rules"
	"heed/store"
)

// experiment is one simulated rule in use: units come, the product's own code puts
// them into arms, answers are checked, and the product's own test looks at each.
type experiment struct {
	simulated
	rng      *rand.Rand
	compiled *rules.Compiled
	id       string
	seed     uint64
	each     int
	effect   rules.Effect
	before   *rules.Before // nil without a baseline
	truth    *rules.Before // against the true change, for coverage
	with     rules.Tally
	without  rules.Tally
	seen     map[string]bool

	exchanges    int
	helps, harms int // exchanges until the first call at the same time, 0 for none
	praises      int // the same compared with before, with the guard
	pauses       int
	bare         [2]int // praises and pauses without the guard
	missed       bool   // some interval compared with before did not hold the true change
	exposed      int    // units that got the rule before the first call of any kind
	naive        [2]struct{ n, good float64 }
	zTest        bool // a z-test that looks at every exchange called it, either way
}

// newExperiment puts the rule in force for a share of the units: by its holdout
// down to a half, below by a ramp beside a holdout of 10 %.
func newExperiment(s simulated, share float64, each int, seed uint64) (*experiment, error) {
	r := rules.Rule{ID: fmt.Sprintf("r_%026d", seed), Version: 1, App: "bench", State: rules.Active, Action: "Be kind.", Scope: rules.Scope{Always: true}, Holdout: 1 - share}
	if share < 0.5 {
		r.State, r.Holdout, r.Ramp = rules.Canary, 0.1, share/0.9
	}
	c, err := rules.Compile(&rules.Set{App: "bench", Rules: []rules.Rule{r}}, rules.Head{Epoch: 1}, nil)
	if err != nil {
		return nil, err
	}
	return &experiment{simulated: s, rng: rand.New(rand.NewPCG(seed, 42)), compiled: c, id: r.ID, seed: seed, each: each, seen: map[string]bool{}}, nil
}

// baseline draws n units from before the rule.
func (x *experiment) baseline(n int) {
	var t rules.Tally
	for range n {
		t.Add(x.rng.Float64() < x.Before)
	}
	if n > 0 {
		x.before = rules.NewBefore(t)
		if x.Drift == 0 {
			x.truth = x.before.At(x.With - x.Before)
		}
	}
}

func (x *experiment) run(looks int) {
	var buf rules.Buffer
	for x.exchanges < looks {
		unit := fmt.Sprintf("%d/%d", x.seed, x.exchanges)
		d := x.compiled.Decide(&rules.Facts{App: "bench", Unit: unit}, &buf).Rules[0]
		share := x.Without
		if !d.Withheld {
			share = x.With
		}
		share += x.Drift * float64(x.exchanges) / float64(looks)
		common := x.rng.Float64() < share // what a unit's answers have in common
		for range min(x.each, looks-x.exchanges) {
			good := common
			if x.each > 1 && x.rng.Float64() < 0.5 {
				good = x.rng.Float64() < share
			}
			x.look(unit, d, good)
		}
	}
}

// look takes one checked exchange and looks at what is known then.
func (x *experiment) look(unit string, d rules.RuleDecision, good bool) {
	x.exchanges++
	value := 0.0
	if good {
		value = 1
	}
	x.peek(d, value)
	if x.seen[unit] {
		return
	}
	x.seen[unit] = true
	if !d.Withheld && x.helps+x.harms+x.praises+x.pauses == 0 {
		x.exposed++
	}
	trial, ok := d.Trial(value)
	if !ok {
		panic("BUG: an arm of a simulated rule was certain")
	}
	if err := x.effect.Add(trial); err != nil {
		panic("BUG: " + err.Error())
	}
	if x.helps == 0 && x.effect.Benefit() >= math.Log(store.EvidenceHelps) {
		x.helps = x.exchanges
	}
	if x.harms == 0 && x.effect.Harm() >= math.Log(store.EvidenceHarms) {
		x.harms = x.exchanges
	}
	x.compare(d, good)
}

// compare looks at what is known against before the rule, as store.Effect does.
func (x *experiment) compare(d rules.RuleDecision, good bool) {
	if d.Withheld {
		x.without.Add(good)
	} else {
		x.with.Add(good)
	}
	if x.before == nil {
		return
	}
	first := func(at *int) {
		if *at == 0 {
			*at = x.exchanges
		}
	}
	helps, harms := math.Log(store.BeforeHelps), math.Log(store.BeforeHarms)
	odds := x.before.Odds(x.with, x.without)
	if x.praises == 0 && x.before.Benefit(x.with) >= helps {
		first(&x.bare[0])
		if odds >= store.BenefitOdds(x.without.Of) {
			first(&x.praises)
		}
	}
	if x.pauses == 0 {
		if surplus := x.before.Harm(x.with) - harms; surplus >= 0 {
			first(&x.bare[1])
			if odds >= store.HarmOdds(surplus, x.with.Of, x.without.Of) {
				first(&x.pauses)
			}
		}
	}
	if x.truth != nil && !x.missed {
		x.missed = x.truth.Benefit(x.with) >= helps || x.truth.Harm(x.with) >= harms
	}
}

// peek is what many do instead: a two-sided z-test at 5 %, after every exchange
// from 10 of each arm on, units not told apart.
func (x *experiment) peek(d rules.RuleDecision, value float64) {
	i := 1
	if d.Withheld {
		i = 0
	}
	x.naive[i].n++
	x.naive[i].good += value
	a, b := x.naive[0], x.naive[1]
	if min(a.n, b.n) < 10 {
		return
	}
	p := (a.good + b.good) / (a.n + b.n)
	if sd := math.Sqrt(p * (1 - p) * (1/a.n + 1/b.n)); sd > 0 && math.Abs(b.good/b.n-a.good/a.n) > 1.959964*sd {
		x.zTest = true
	}
}

// earliest is the first of the looks, 0 when there is none.
func earliest(looks ...int) int {
	best := 0
	for _, l := range looks {
		if l > 0 && (best == 0 || l < best) {
			best = l
		}
	}
	return best
}
