package store

import "math"

// Observation is one judged answer of a rule's experiment.
type Observation struct {
	Treated    bool
	Propensity float64 // probability of the arm that it is in, in (0, 1]
	Y          float64 // outcome in [0, 1]; 1 is good
	Unit       string
}

// treatment is the probability of the treated arm.
func (o Observation) treatment() float64 {
	if o.Treated {
		return o.Propensity
	}
	return 1 - o.Propensity
}

// TwoSample tests without end whether one arm's share of good outcomes is higher
// than the other's. Its evidence is an e-process: if the arms are equal, the
// chance that it ever reaches 1/α is at most α, however often one looks, whatever
// the propensities were and however they changed, as long as each was known when
// the arm was drawn. Zero is not ready: make it with NewTwoSample.
//
// Each term is p_A(y) / Σ_B π_B p_B(y), whose mean under equality is 1: the
// E-variable of Turner, Ly and Grünwald, "Generic E-variables for exact sequential
// k-sample tests that allow for optional stopping" (2024), with the block's counts
// replaced by the known propensities π of a randomized arm. The alternatives are
// mixed over a grid, so nothing is estimated and no burn-in is needed.
type TwoSample struct {
	up   []float64 // log evidence of each alternative in which the treated arm is better
	down []float64 // the same where it is worse
	alts [][2]float64
}

// NewTwoSample returns a test that saw nothing.
func NewTwoSample() *TwoSample {
	t := &TwoSample{}
	for base := 0.05; base < 0.9; base += 0.1 {
		for _, d := range []float64{0.1, 0.2, 0.35} {
			if base+d < 0.999 {
				t.alts = append(t.alts, [2]float64{base, base + d})
			}
		}
	}
	t.up, t.down = make([]float64, len(t.alts)), make([]float64, len(t.alts))
	return t
}

// Add takes one observation into account. One whose arm was certain tells
// nothing. Of units with several observations only one should be added, because
// answers to one person are alike.
func (t *TwoSample) Add(o Observation) {
	p := o.treatment()
	if !(p > 0 && p < 1) {
		return
	}
	for i, a := range t.alts {
		t.up[i] += term(o, p, a[1], a[0])
		t.down[i] += term(o, p, a[0], a[1])
	}
}

// term is the log of one factor when the treated arm is good with probability one
// and the other with zero.
func term(o Observation, p, one, zero float64) float64 {
	q := zero
	if o.Treated {
		q = one
	}
	mean := p*one + (1-p)*zero
	return o.Y*math.Log(q/mean) + (1-o.Y)*math.Log((1-q)/(1-mean))
}

// Evidence is how much speaks against equality: that the treated arm is better,
// and that it is worse.
func (t *TwoSample) Evidence() (better, worse float64) {
	return mix(t.up), mix(t.down)
}

// mix is the mean of the exponentials.
func mix(logs []float64) float64 {
	top := math.Inf(-1)
	for _, l := range logs {
		top = max(top, l)
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - top)
	}
	return math.Exp(min(top+math.Log(sum/float64(len(logs))), 700))
}

// Constants of the confidence sequence.
const (
	sequenceAlpha = 0.05
	sequenceTight = 200 // observations at which the interval is meant to be tightest
	sequenceStart = 50  // burn-in of each... of all observations: below, the interval is everything
	sequenceArm   = 25  // and of each arm
)

// Difference estimates how much better the treated arm is, with an interval that
// holds at all times at once (95 %).
//
// The estimate is the mean of augmented inverse-propensity terms with the running
// means as predictors; the interval is the asymptotic confidence sequence of
// Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit
// theory and asymptotic confidence sequences" (2024), theorem 2.2. The variance is
// at least that between units, because answers to one person are alike. Zero is
// ready.
type Difference struct {
	n        float64
	sum, sq  float64    // of the terms
	inv      [2]float64 // sums of 1/probability of each arm
	arms     [2]struct{ n, sum float64 }
	units    map[string]*struct{ n, sum float64 }
	clusters bool // a unit came twice
}

// maxUnits bounds the units that are told apart; later ones count as unlike.
const maxUnits = 50_000

// Add takes one observation into account.
func (d *Difference) Add(o Observation) {
	p := o.treatment()
	if !(p > 0 && p < 1) {
		return
	}
	m1, m0 := d.mean(1), d.mean(0) // before this observation
	psi := m1 - m0
	arm := 0
	if o.Treated {
		psi += (o.Y - m1) / p
		arm = 1
	} else {
		psi -= (o.Y - m0) / (1 - p)
	}
	d.n++
	d.sum += psi
	d.sq += psi * psi
	d.inv[0] += 1 / (1 - p)
	d.inv[1] += 1 / p
	d.arms[arm].n++
	d.arms[arm].sum += o.Y
	if d.units == nil {
		d.units = map[string]*struct{ n, sum float64 }{}
	}
	u := d.units[o.Unit]
	switch {
	case u != nil:
		d.clusters = true
	case len(d.units) >= maxUnits:
		return
	default:
		u = &struct{ n, sum float64 }{}
		d.units[o.Unit] = u
	}
	u.n++
	u.sum += psi
}

// mean of an arm's outcomes, drawn to a half while there are few.
func (d *Difference) mean(arm int) float64 {
	return (d.arms[arm].sum + 0.5) / (d.arms[arm].n + 1)
}

// Arm tells how many observations an arm has and their mean.
func (d *Difference) Arm(treated bool) (n int, mean float64) {
	a := d.arms[0]
	if treated {
		a = d.arms[1]
	}
	if a.n == 0 {
		return 0, 0
	}
	return int(a.n), a.sum / a.n
}

// Interval is the estimate and its bounds, [-1, 1] during the burn-in.
func (d *Difference) Interval() (estimate, low, high float64) {
	if d.n == 0 {
		return 0, -1, 1
	}
	mean := d.sum / d.n
	if d.n < sequenceStart || d.arms[0].n < sequenceArm || d.arms[1].n < sequenceArm {
		return mean, -1, 1
	}
	m := Margin(d.n, d.variance(mean), Rho(sequenceTight, sequenceAlpha), sequenceAlpha)
	return mean, max(-1, mean-m), min(1, mean+m)
}

// variance of one term: that of the terms, but at least what the arms' own means
// make of it (with one good and one bad outcome added to each, so that an arm in
// which nothing went wrong yet is not taken for certain), and at least that
// between units where some came more than once.
func (d *Difference) variance(mean float64) float64 {
	v := d.sq/d.n - mean*mean
	plain := 0.0
	for i, a := range d.arms {
		m := (a.sum + 1) / (a.n + 2)
		plain += m * (1 - m) * d.inv[i] / d.n
	}
	v = max(v, plain)
	if !d.clusters {
		return v
	}
	between := 0.0
	for _, u := range d.units {
		e := u.sum - u.n*mean
		between += e * e
	}
	return max(v, between/d.n)
}

// Margin is half the width of the asymptotic confidence sequence after n
// observations of that variance: sqrt((n·v·ρ²+1)/(n²·ρ²) · ln((n·v·ρ²+1)/α²)).
func Margin(n, variance, rho, alpha float64) float64 {
	a := n*variance*rho*rho + 1
	return math.Sqrt(a / (n * n * rho * rho) * math.Log(a/(alpha*alpha)))
}

// Rho makes the sequence tightest after n observations of unit variance:
// sqrt((-2 ln α + ln(1 - 2 ln α))/n), the same paper's appendix B.2.
func Rho(n, alpha float64) float64 {
	l := -2 * math.Log(alpha)
	return math.Sqrt((l + math.Log(l+1)) / n)
}
