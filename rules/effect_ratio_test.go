package rules

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Under a Beta(a, b) belief the probability of two treated units is
// a(a+1)/((a+b)(a+b+1)).
func TestRatio_Evidence_ByHand(t *testing.T) {
	var r Ratio
	near(t, "no unit", r.Evidence(), 0, 0)
	r.Add(true, 0.9)
	near(t, "one unit", r.Evidence(), 0, 1e-9) // tells nothing about the share
	r.Add(true, 0.9)
	want := math.Log((45.0*46)/(50*51)) - 2*math.Log(0.9)
	near(t, "two treated units", r.Evidence(), want, 1e-9)
	r.Add(false, 0.5)
	r.Add(false, 0.5)
	near(t, "two strata", r.Evidence(), want+math.Log((25.0*26)/(50*51))-2*math.Log(0.5), 1e-9)
	expected, treated := r.Expected()
	near(t, "expected", expected, 2.8, 1e-12)
	if treated != 2 {
		t.Errorf("got %d treated units, want 2", treated)
	}
}

func TestRatio_Mismatch(t *testing.T) {
	const runs, n = 500, 3000
	count := func(lost float64) (wrong int) {
		for seed := range uint64(runs) {
			rng := rand.New(rand.NewPCG(seed, 9))
			var r Ratio
			for i := range n {
				p := 0.9 * []float64{0.25, 1}[min(1, i/1000)]
				treated := rng.Float64() < p
				if treated && rng.Float64() < lost {
					continue
				}
				if r.Add(treated, p); i%10 == 0 && r.Mismatch() {
					wrong++
					break
				}
			}
		}
		return wrong
	}
	if got := count(0); got > 3 { // 0.1 % of 500, and three standard errors
		t.Errorf("nothing lost: a mismatch in %d of %d runs", got, runs)
	}
	if got := count(0.3); got < runs*95/100 {
		t.Errorf("30 %% of the treated lost: a mismatch in %d of %d runs only", got, runs)
	}
}

func TestRatio_Add_Bounded(t *testing.T) {
	var r Ratio
	for i := range 1000 {
		r.Add(i%2 == 0, 0.3+float64(i)/10000)
	}
	if len(r.strata) != maxStrata {
		t.Errorf("got %d strata, want at most %d", len(r.strata), maxStrata)
	}
}

// A row of the other arm records 1−p, from which p comes back with an error in the
// last digit.
func TestRatio_Add_ArmsMeetInOneStratum(t *testing.T) {
	for holdout := 0.01; holdout < 0.5; holdout += 0.01 {
		for _, ramp := range []float64{0.1, 0.25, 0.5, 1} {
			var r Ratio
			rule := Rule{ID: "r_x", State: Canary, Holdout: holdout, Ramp: ramp}
			arms := map[bool]bool{}
			for i := range 200 {
				trial, _ := assign(&rule, string(rune('a'+i)), 1).Trial(0)
				r.Add(trial.Treated, trial.Propensity)
				arms[trial.Treated] = true
			}
			if len(r.strata) != 1 && len(arms) == 2 {
				t.Errorf("holdout %v, ramp %v: %d strata, want 1", holdout, ramp, len(r.strata))
			}
		}
	}
}
