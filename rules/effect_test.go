package rules

import (
	"math"
	"math/rand/v2"
	"testing"
)

// experiment is a simulated rule: shares of good values without and with it.
type experiment struct {
	propensity func(i int) float64
	without    func(i int) float64
	effect     float64
}

func always(x float64) func(int) float64 { return func(int) float64 { return x } }

func (x experiment) trial(i int, rng *rand.Rand) Trial {
	t := Trial{Propensity: x.propensity(i)}
	t.Treated = rng.Float64() < t.Propensity
	q := x.without(i)
	if t.Treated {
		q += x.effect
	}
	if rng.Float64() < q {
		t.Value = 1
	}
	return t
}

// run adds n trials and reports after which one benefit and harm were first
// certain enough, 0 for never.
func (x experiment) run(t testing.TB, seed uint64, n int, alpha float64) (e *Effect, benefit, harm int) {
	t.Helper()
	rng, enough := rand.New(rand.NewPCG(seed, 6)), math.Log(2/alpha)
	e = &Effect{}
	for i := 1; i <= n; i++ {
		if err := e.Add(x.trial(i-1, rng)); err != nil {
			t.Fatal(err)
		}
		if benefit == 0 && e.Benefit() >= enough {
			benefit = i
		}
		if harm == 0 && e.Harm() >= enough {
			harm = i
		}
	}
	return e, benefit, harm
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %v, want %v ± %v", what, got, want, tolerance)
	}
}

// The first trial by hand: guesses 1/2, so f = (1−1/2)/(1/2) = 1, variance
// 1/4/(1/2)·2 = 1, least value −1, and every stake is min(0.9/2, θ/(1+θ²)).
func TestEffect_Add_FirstTrialByHand(t *testing.T) {
	var e Effect
	if e.Benefit() != 0 || e.Harm() != 0 || e.Interval(40, 40) != (Interval{-1, 1}) {
		t.Errorf("no trial: got benefit %v, harm %v, interval %v", e.Benefit(), e.Harm(), e.Interval(40, 40))
	}
	if err := e.Add(Trial{Treated: true, Propensity: 0.5, Value: 1}); err != nil {
		t.Fatal(err)
	}
	var up, down float64
	for i, size := range sizes {
		stake := min(0.45, size/(1+size*size))
		up += stakes[i] * (1 + stake)
		down += stakes[i] * (1 - stake)
	}
	near(t, "benefit", e.Benefit(), math.Log(up), 1e-12)
	near(t, "harm", e.Harm(), math.Log(down), 1e-12)
}

// Whatever happened before, a bet on the true effect is fair: the mean of the
// capital after one more trial, over arms and values, is the capital before.
func TestEffect_Against_IsFairAtTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var e Effect
		for range rng.IntN(40) {
			v := Trial{Treated: rng.IntN(2) == 0, Propensity: 0.02 + 0.96*rng.Float64(), Value: rng.Float64()}
			if err := e.Add(v); err != nil {
				t.Fatal(err)
			}
		}
		p, q0, q1 := 0.02+0.96*rng.Float64(), rng.Float64(), rng.Float64()
		above, below := e.Against(q1 - q0)
		var meanAbove, meanBelow float64
		for _, o := range []struct {
			treated bool
			value   float64
			weight  float64
		}{{true, 1, p * q1}, {true, 0, p * (1 - q1)}, {false, 1, (1 - p) * q0}, {false, 0, (1 - p) * (1 - q0)}} {
			next := e
			next.scores = append([]score(nil), e.scores...)
			if err := next.Add(Trial{Treated: o.treated, Propensity: p, Value: o.value}); err != nil {
				t.Fatal(err)
			}
			a, b := next.Against(q1 - q0)
			meanAbove += o.weight * math.Exp(a-above)
			meanBelow += o.weight * math.Exp(b-below)
		}
		near(t, "growth of the bet above", meanAbove, 1, 1e-5) // scores are kept in 32 bits
		near(t, "growth of the bet below", meanBelow, 1, 1e-5)
	}
}

func TestEffect_Interval_AgreesWithTheEvidence(t *testing.T) {
	x := experiment{always(0.5), always(0.6), 0.2}
	for seed := range uint64(20) {
		e, _, _ := x.run(t, seed, 300, 0.05)
		in := e.Interval(40, 25) // benefit and harm need not be as hard to call
		mean, ok := e.Mean()
		if !ok || !(in.Low <= mean && mean <= in.High) {
			t.Errorf("seed %d: mean %v (%v) is not in %v", seed, mean, ok, in)
		}
		if certain := e.Benefit() >= math.Log(40); certain != (in.Low > 0) {
			t.Errorf("seed %d: benefit is certain: %v, but the interval is %v", seed, certain, in)
		}
		above, _ := e.Against(in.Low)
		_, below := e.Against(in.High)
		near(t, "evidence at the low end", above, math.Log(40), 1e-3)
		near(t, "evidence at the high end", below, math.Log(25), 1e-3)
		if certain := e.Harm() >= math.Log(25); certain != (in.High < 0) {
			t.Errorf("seed %d: harm is certain: %v, but the interval is %v", seed, certain, in)
		}
		wide := e.Interval(200, 200)
		if !(wide.Low < in.Low && in.High < wide.High) {
			t.Errorf("seed %d: 99 %% interval %v does not hold %v", seed, wide, in)
		}
	}
}

// Arms swapped and values turned over are other names for the same evidence.
func TestEffect_Add_IsSymmetric(t *testing.T) {
	x := experiment{always(0.9), always(0.7), -0.2}
	rng := rand.New(rand.NewPCG(3, 3))
	var e, swapped, turned Effect
	for i := range 200 {
		v := x.trial(i, rng)
		s, u := v, v
		s.Treated, s.Propensity = !v.Treated, 1-v.Propensity
		u.Value = 1 - v.Value
		for _, add := range []struct {
			to *Effect
			t  Trial
		}{{&e, v}, {&swapped, s}, {&turned, u}} {
			if err := add.to.Add(add.t); err != nil {
				t.Fatal(err)
			}
		}
	}
	near(t, "swapped arms", swapped.Benefit(), e.Harm(), 1e-4)
	near(t, "turned values", turned.Benefit(), e.Harm(), 1e-4)
}

// A look after every trial, at both usual holdouts, and under ramps and drift that
// make the plain difference of the arms wrong.
func TestEffect_Interval_HoldsAtEveryLook(t *testing.T) {
	ramp := func(i int) float64 { // of a canary beside a holdout of 10 %
		return 0.9 * []float64{0.1, 0.25, 0.5, 1}[min(i/100, 3)]
	}
	drift := func(i int) float64 { return 0.3 + 0.4*min(1, float64(i)/400) }
	for name, x := range map[string]experiment{
		"no effect, half":      {always(0.5), always(0.6), 0},
		"no effect, tenth":     {always(0.9), always(0.6), 0},
		"helpful, tenth":       {always(0.9), always(0.6), 0.2},
		"harmful, half":        {always(0.5), always(0.8), -0.3},
		"no effect, ramp":      {ramp, drift, 0},
		"helpful, ramp, drift": {ramp, drift, 0.25},
		"rare, tenth":          {always(0.9), always(0.01), 0.02},
	} {
		const runs, n = 400, 600
		missed, called := 0, 0
		var sum float64
		for seed := range uint64(runs) {
			e, benefit, harm := x.run(t, seed, n, 0.05)
			if !e.Held(x.effect, 40, 40) {
				missed++
			}
			if benefit+harm > 0 {
				called++
			}
			mean, _ := e.Mean()
			sum += mean
		}
		if missed > runs*7/100 { // 5 % and two standard errors
			t.Errorf("%s: the interval missed the truth at some look in %d of %d runs", name, missed, runs)
		}
		if x.effect == 0 && called > runs*7/100 {
			t.Errorf("%s: called wrongly in %d of %d runs", name, called, runs)
		}
		near(t, name+": mean estimate", sum/runs, x.effect, 0.012)
	}
}

func TestEffect_Benefit_FindsWhatIsThere(t *testing.T) {
	found, paused := 0, 0
	for seed := range uint64(200) {
		if _, benefit, _ := (experiment{always(0.5), always(0.6), 0.2}).run(t, seed, 150, 0.05); benefit > 0 {
			found++
		}
		if _, _, harm := (experiment{always(0.5), always(0.8), -0.4}).run(t, seed, 200, 0.05); harm > 0 {
			paused++
		}
	}
	if found < 90 || paused < 190 {
		t.Errorf("found %d of 200 helpful rules in 150 units (want 90), %d of 200 harmful ones in 200 (want 190)", found, paused)
	}
}

func TestEffect_Add_RefusesWhatComparesNothing(t *testing.T) {
	var e Effect
	for _, v := range []Trial{{Value: 1, Propensity: 1}, {Value: 1, Propensity: 0}, {Value: 1.01, Propensity: 0.5}, {Value: math.NaN(), Propensity: 0.5}, {Propensity: math.NaN()}} {
		if err := e.Add(v); err == nil {
			t.Errorf("trial %+v was counted", v)
		}
	}
	if without, with, _, _ := e.Units(); without+with != 0 {
		t.Errorf("got %d and %d units, want none", without, with)
	}
}

func TestRuleDecision_Trial(t *testing.T) {
	for _, c := range []struct {
		d    RuleDecision
		want Trial
		ok   bool
	}{
		{RuleDecision{Propensity: 0.9}, Trial{true, 0.9, 1}, true},
		{RuleDecision{Propensity: 0.75, Withheld: true}, Trial{false, 0.25, 1}, true},
		{RuleDecision{Propensity: 1}, Trial{true, 1, 1}, false},
		{RuleDecision{}, Trial{true, 0, 1}, false},
	} {
		if got, ok := c.d.Trial(1); ok != c.ok || got != c.want {
			t.Errorf("%+v: got %+v %v, want %+v %v", c.d, got, ok, c.want, c.ok)
		}
	}
}
