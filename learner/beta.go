package learner

import "math"

// Beta is a Beta distribution: what is believed of a share after so many good
// and bad judgements.
type Beta struct{ A, B float64 }

// Posterior is the belief after good and bad judgements.
func Posterior(good, bad int, prior Beta) Beta {
	return Beta{prior.A + float64(good), prior.B + float64(bad)}
}

// Mean is the expected share.
func (b Beta) Mean() float64 { return b.A / (b.A + b.B) }

// Density at x in (0, 1).
func (b Beta) Density(x float64) float64 {
	if x <= 0 || x >= 1 {
		return 0
	}
	return math.Exp((b.A-1)*math.Log(x) + (b.B-1)*math.Log1p(-x) - logBeta(b.A, b.B))
}

// CDF is the probability of a share of at most x: the regularized incomplete
// beta function, by Lentz's continued fraction (NIST DLMF 8.17.22).
func (b Beta) CDF(x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (b.A+1)/(b.A+b.B+2):
		return 1 - Beta{b.B, b.A}.CDF(1-x)
	}
	front := math.Exp(b.A*math.Log(x)+b.B*math.Log1p(-x)-logBeta(b.A, b.B)) / b.A
	const tiny = 1e-300
	c, d := 1.0, 1-(b.A+b.B)*x/(b.A+1)
	if math.Abs(d) < tiny {
		d = tiny
	}
	d = 1 / d
	f := d
	for i := 1; i <= 500; i++ {
		m := float64(i)
		step := func(coef float64) float64 {
			d = 1 + coef*d
			c = 1 + coef/c
			if math.Abs(d) < tiny {
				d = tiny
			}
			if math.Abs(c) < tiny {
				c = tiny
			}
			d = 1 / d
			f *= d * c
			return d * c
		}
		step(m * (b.B - m) * x / ((b.A + 2*m - 1) * (b.A + 2*m)))
		if math.Abs(step(-(b.A+m)*(b.A+b.B+m)*x/((b.A+2*m)*(b.A+2*m+1)))-1) < 1e-14 {
			break
		}
	}
	return front * f
}

func logBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

// Greater is the probability that a share believed to be a is greater than one
// believed to be b.
func Greater(a, b Beta) float64 { return Best([]Beta{a, b}, 0) }

// Best is the probability that the share believed to be bs[i] is greater than
// all others: ∫ f_i(x) Π F_j(x) dx, by Simpson's rule on thirty standard
// deviations around the mean of i. The error is below 1e-6 for a, b of 1 to 1,000.
func Best(bs []Beta, i int) float64 {
	b := bs[i]
	sd := math.Sqrt(b.A * b.B / ((b.A + b.B) * (b.A + b.B) * (b.A + b.B + 1)))
	lo, hi := max(0, b.Mean()-30*sd), min(1, b.Mean()+30*sd)
	at := func(x float64) float64 {
		v := b.at(x)
		for j := range bs {
			if j != i && v > 0 {
				v *= bs[j].CDF(x)
			}
		}
		return v
	}
	const n = 4096 // even
	h := (hi - lo) / n
	sum := at(lo) + at(hi)
	for k := 1; k < n; k++ {
		sum += float64(2+2*(k%2)) * at(lo+float64(k)*h)
	}
	return min(1, max(0, sum*h/3))
}

// at is the density with its limits at 0 and 1 where they are finite.
func (b Beta) at(x float64) float64 {
	switch {
	case x <= 0 && b.A == 1:
		return math.Exp(-logBeta(b.A, b.B))
	case x >= 1 && b.B == 1:
		return math.Exp(-logBeta(b.A, b.B))
	}
	return b.Density(x)
}
