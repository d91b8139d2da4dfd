package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/rules"
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
	seen     map[string]bool

	exchanges    int
	helps, harms int // exchanges until the first call, 0 for none
	exposed      int // units that got the rule before that
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

func (x *experiment) run(looks int) {
	var buf rules.Buffer
	for x.exchanges < looks {
		unit := fmt.Sprintf("%d/%d", x.seed, x.exchanges)
		d := x.compiled.Decide(&rules.Facts{App: "bench", Unit: unit}, &buf).Rules[0]
		share := x.Without
		if !d.Withheld {
			share = x.With
		}
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
	if !d.Withheld && x.helps+x.harms == 0 {
		x.exposed++
	}
	trial, ok := d.Trial(value)
	if !ok {
		panic("BUG: an arm of a simulated rule was certain")
	}
	if err := x.effect.Add(trial); err != nil {
		panic("BUG: " + err.Error())
	}
	enough := math.Log(2 / alphaOfAll)
	if x.helps == 0 && x.effect.Benefit() >= enough {
		x.helps = x.exchanges
	}
	if x.harms == 0 && x.effect.Harm() >= enough {
		x.harms = x.exchanges
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

// first is when the rule was first called either way, 0 for never.
func (x *experiment) first() int {
	if x.helps == 0 || x.harms > 0 && x.harms < x.helps {
		return x.harms
	}
	return x.helps
}
