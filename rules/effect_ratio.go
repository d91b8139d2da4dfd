package rules

import "math"

// MismatchAlpha is how sure a sample-ratio mismatch must be before it is called:
// it puts every other figure in doubt, so it must itself hardly ever be wrong
// (Fabijan et al., KDD 2019, use 0.0005 to 0.01).
const MismatchAlpha = 0.001

// Ratio checks whether units came in the arms as often as the recorded
// propensities say (sample-ratio mismatch): rows lost in one arm, answers in one
// arm that cannot be judged, a clock or hash that is not what it seems. The zero
// value is ready.
//
// The evidence is that of a Bayes factor which may be looked at after every unit
// (Lindon & Malek, NeurIPS 2022, equation 5, for two arms): the probability of the
// arms under a Beta(kp, k(1−p)) belief about the true share, over that under the
// recorded share p. Units of another propensity (ramps) are another factor; their
// product is a martingale as well.
type Ratio struct{ strata []stratum }

type stratum struct {
	p             float64
	treated, rest int
}

// ratioPrior is how many units the belief in the recorded share is worth: such a
// share is off by some percent when something is lost, not turned over.
const ratioPrior = 50

// maxStrata bounds how many propensities are told apart; later ones are left out
// of the check. A rule has one more with every step of its ramp.
const maxStrata = 64

// Add counts one unit that was treated with the probability p, in (0, 1).
func (r *Ratio) Add(treated bool, p float64) {
	p = math.Round(p*1e9) / 1e9 // 1−(1−p) need not be p, and both arms must meet in one stratum
	i := 0
	for i < len(r.strata) && r.strata[i].p != p {
		i++
	}
	if i == len(r.strata) {
		if i == maxStrata {
			return
		}
		r.strata = append(r.strata, stratum{p: p})
	}
	if treated {
		r.strata[i].treated++
	} else {
		r.strata[i].rest++
	}
}

// Evidence is the logarithm of the evidence of a mismatch: it reaches ln(1/α)
// with probability at most α, ever, if there is none.
func (r *Ratio) Evidence() float64 {
	var sum float64
	for _, s := range r.strata {
		a, b := ratioPrior*s.p, ratioPrior*(1-s.p)
		t, c := float64(s.treated), float64(s.rest)
		sum += logBeta(a+t, b+c) - logBeta(a, b) - t*math.Log(s.p) - c*math.Log1p(-s.p)
	}
	return sum
}

// P is an always-valid p-value of a mismatch, in (0, 1].
func (r *Ratio) P() float64 { return math.Exp(-max(0, r.Evidence())) }

// Mismatch says whether the arms are not what they are said to be, by
// MismatchAlpha.
func (r *Ratio) Mismatch() bool { return r.Evidence() >= -math.Log(MismatchAlpha) }

// Expected is how many units should have been treated, and how many were.
func (r *Ratio) Expected() (expected float64, treated int) {
	for _, s := range r.strata {
		expected += s.p * float64(s.treated+s.rest)
		treated += s.treated
	}
	return expected, treated
}

func logBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}
