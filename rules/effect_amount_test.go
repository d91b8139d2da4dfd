package rules

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Theorem 2.2 by another road: the normal mixture's martingale is 1/α at the end
// of the interval. With S = n·margin, exp(ρ²S²/(2(nρ²+1)))/√(nρ²+1) = 1/α.
func TestAsymptoticMargin_IsWhereTheMixtureReachesAlpha(t *testing.T) {
	for _, n := range []int{50, 500, 5000} {
		for _, alpha := range []float64{0.05, 0.01} {
			l := -2 * math.Log(alpha)
			rho2 := (l + math.Log(l+1)) / tightest
			s, x := float64(n)*asymptoticMargin(n, alpha), float64(n)*rho2+1
			near(t, "mixture", math.Exp(rho2*s*s/(2*x))/math.Sqrt(x)*alpha, 1, 1e-9)
		}
	}
	best := asymptoticMargin(tightest, 0.05) * math.Sqrt(tightest)
	for _, n := range []int{tightest / 4, tightest * 4} {
		if got := asymptoticMargin(n, 0.05) * math.Sqrt(float64(n)); got <= best {
			t.Errorf("n %d: margin of %v standard errors is not above %v at %d", n, got, best, tightest)
		}
	}
}

func TestAmount_Interval_HoldsAtEveryLook(t *testing.T) {
	for _, c := range []struct{ p, effect float64 }{{0.5, 0}, {0.9, 0}, {0.9, 60}} {
		const runs, n = 400, 2000
		missed := 0
		var sum float64
		for seed := range uint64(runs) {
			rng := rand.New(rand.NewPCG(seed, 4))
			var a Amount
			held := true
			for range n {
				v := Trial{Treated: rng.Float64() < c.p, Propensity: c.p}
				v.Value = 200 * math.Exp(0.6*rng.NormFloat64()) // answers' lengths are skewed
				if v.Treated {
					v.Value += c.effect
				}
				if err := a.Add(v); err != nil {
					t.Fatal(err)
				}
				in, ok := a.Interval(0.05)
				held = held && (!ok || in.Low <= c.effect && c.effect <= in.High)
			}
			if !held {
				missed++
			}
			mean, _ := a.Mean()
			sum += mean
		}
		t.Logf("propensity %v, effect %v: missed in %d of %d runs", c.p, c.effect, missed, runs)
		if missed > runs*7/100 {
			t.Errorf("propensity %v, effect %v: missed in %d of %d runs", c.p, c.effect, missed, runs)
		}
		near(t, "mean estimate", sum/runs, c.effect, 2.5)
	}
}

func TestAmount_Add_WaitsAndRefuses(t *testing.T) {
	var a Amount
	for i := range 2*BurnIn - 1 {
		if err := a.Add(Trial{Treated: i%2 == 0, Propensity: 0.5, Value: float64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := a.Interval(0.05); ok {
		t.Error("an interval before the burn-in of each arm")
	}
	if err := a.Add(Trial{Propensity: 0.5}); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.Interval(0.05); !ok {
		t.Error("no interval after the burn-in")
	}
	for _, v := range []Trial{{Value: math.Inf(1), Propensity: 0.5}, {Value: math.NaN(), Propensity: 0.5}, {Propensity: 1}} {
		if err := a.Add(v); err == nil {
			t.Errorf("trial %+v was counted", v)
		}
	}
}
