package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// trial is one experiment with a look at every observation.
type trial struct {
	control, treated float64 // shares of good outcomes
	propensity       float64 // of the treated arm
	looks            int

	better, worse int // first look at which the evidence called it so; 0 never
	missed        bool
}

// callAt is 1/0.025: that the treated arm is called better or worse although it
// is neither happens in at most one experiment of twenty.
const callAt = EvidenceCalls

func (tr trial) run(seed uint64) trial {
	r := rand.New(rand.NewPCG(7, seed))
	test, diff := NewTwoSample(), &Difference{}
	for i := 1; i <= tr.looks; i++ {
		o := Observation{Treated: r.Float64() < tr.propensity, Propensity: tr.propensity, Unit: fmt.Sprint(i)}
		p := tr.treated
		if !o.Treated {
			o.Propensity, p = 1-tr.propensity, tr.control
		}
		if r.Float64() < p {
			o.Y = 1
		}
		test.Add(o)
		diff.Add(o)
		better, worse := test.Evidence()
		if better >= callAt && tr.better == 0 {
			tr.better = i
		}
		if worse >= callAt && tr.worse == 0 {
			tr.worse = i
		}
		_, low, high := diff.Interval()
		tr.missed = tr.missed || tr.treated-tr.control < low || tr.treated-tr.control > high
	}
	return tr
}

// runs repeats a trial and returns how many called it better, worse, missed the
// truth, and the median first call.
func (tr trial) runs(n int) (better, worse, missed, median int) {
	var first []int
	for i := range n {
		got := tr.run(uint64(i))
		call := math.MaxInt
		if got.better > 0 {
			better++
			call = got.better
		}
		if got.worse > 0 {
			worse++
			call = min(call, got.worse)
		}
		if got.missed {
			missed++
		}
		first = append(first, call)
	}
	slices.Sort(first)
	return better, worse, missed, first[n/2]
}

func TestTwoSample_LooksAreFree(t *testing.T) {
	const n = 200
	for _, tr := range []trial{
		{control: .6, treated: .6, propensity: .5, looks: 800},
		{control: .6, treated: .6, propensity: .9, looks: 800},
		{control: .95, treated: .95, propensity: .9, looks: 800},
	} {
		better, worse, missed, _ := tr.runs(n)
		t.Logf("%+v: called better %d, worse %d, interval missed %d of %d", tr, better, worse, missed, n)
		if limit := n * 8 / 100; better+worse > limit || missed > limit { // 5 % and three standard errors
			t.Errorf("%+v: called better %d, worse %d, missed %d of %d", tr, better, worse, missed, n)
		}
	}
}

func TestTwoSample_FindsDifferences(t *testing.T) {
	const n = 200
	for _, c := range []struct {
		trial
		better bool
		median int // at most
	}{
		{trial{control: .6, treated: .8, propensity: .5, looks: 800}, true, 220},
		{trial{control: .8, treated: .5, propensity: .5, looks: 400}, false, 100},
		{trial{control: .8, treated: .4, propensity: .9, looks: 600}, false, 200},
	} {
		better, worse, missed, median := c.runs(n)
		t.Logf("%+v: called better %d, worse %d of %d, median after %d, interval missed %d", c.trial, better, worse, n, median, missed)
		right, wrong := worse, better
		if c.better {
			right, wrong = better, worse
		}
		if wrong > 0 || right < n*95/100 || median > c.median || missed > n*8/100 {
			t.Errorf("%+v: called better %d, worse %d of %d, median after %d, interval missed %d", c.trial, better, worse, n, median, missed)
		}
	}
}

// Whatever the share and the propensity are, the mean of a factor is 1 when the
// arms are equal: that is what makes the evidence valid at every look.
func TestTwoSample_FactorsHaveMeanOne(t *testing.T) {
	for _, share := range []float64{0, .03, .5, .8, 1} {
		for _, p := range []float64{.05, .5, .9} {
			for _, alt := range [][2]float64{{.1, .2}, {.3, .9}, {.9, .2}} {
				mean := 0.0
				for _, treated := range []bool{true, false} {
					arm := p
					if !treated {
						arm = 1 - p
					}
					for _, y := range []float64{0, 1} {
						w := arm * (y*share + (1-y)*(1-share))
						mean += w * math.Exp(term(Observation{Treated: treated, Propensity: arm, Y: y}, p, alt[0], alt[1]))
					}
				}
				if math.Abs(mean-1) > 1e-12 {
					t.Errorf("share %v, propensity %v, alternative %v: mean %v, want 1", share, p, alt, mean)
				}
			}
		}
	}
}

func TestTwoSample_CertainArmsTellNothing(t *testing.T) {
	test, diff := NewTwoSample(), &Difference{}
	for range 100 {
		test.Add(Observation{Treated: true, Propensity: 1, Y: 1})
		diff.Add(Observation{Treated: false, Propensity: 1, Y: 0})
	}
	if b, w := test.Evidence(); b != 1 || w != 1 {
		t.Errorf("evidence %v, %v, want 1 and 1", b, w)
	}
	if _, low, high := diff.Interval(); low != -1 || high != 1 {
		t.Errorf("interval %v to %v, want everything", low, high)
	}
}

func TestMargin_ClosedForm(t *testing.T) {
	// n = 100, v = 1/4, ρ = 0.2: a = 2, sqrt(2/(10^4·0.04)·ln(2/0.0025))
	if got, want := Margin(100, .25, .2, .05), math.Sqrt(2/400.0*math.Log(800)); math.Abs(got-want) > 1e-15 {
		t.Errorf("margin %v, want %v", got, want)
	}
	// Rho is where the margin at n is smallest, to a percent of the margin.
	at := Margin(200, 1, Rho(200, .05), .05)
	for f := .2; f < 5; f *= 1.05 {
		if m := Margin(200, 1, Rho(200, .05)*f, .05); m < 0.99*at {
			t.Errorf("ρ times %v gives margin %v at 200, less than %v", f, m, at)
		}
	}
	// It is wider than the interval of one look, by less than twice.
	if fixed := 1.96 / math.Sqrt(200); at < fixed || at > 2*fixed {
		t.Errorf("margin %v at 200, one look has %v", at, fixed)
	}
}

// Ten answers to one person are not ten people.
func TestDifference_Units(t *testing.T) {
	width := func(repeat int) float64 {
		var d Difference
		r := rand.New(rand.NewPCG(3, 3))
		for u := range 400 {
			o := Observation{Treated: r.IntN(2) == 1, Propensity: .5, Unit: fmt.Sprint(u), Y: float64(r.IntN(2))}
			for range repeat {
				d.Add(o)
			}
		}
		_, low, high := d.Interval()
		return high - low
	}
	if one, ten := width(1), width(10); ten < 0.8*one {
		t.Errorf("interval %v with each answer ten times, %v with each once", ten, one)
	}
}
