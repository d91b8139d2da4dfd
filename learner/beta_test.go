package learner

import (
	"math"
	"testing"

	"heed/rules"
	"heed/store"
)

// exactGreater is P(X > Y) for X ~ Beta(a, b), Y ~ Beta(c, d) with whole c: the
// closed form Σ_{i<c} B(a+i', …) of J. Cook, "Exact calculation of beta
// inequalities" (2005), in the form of E. Miller: the sum over i < a of
// B(c+i, b+d) / ((b+i) B(1+i, b) B(c, d)).
func exactGreater(a, b, c, d int) float64 {
	sum := 0.0
	for i := range a {
		sum += math.Exp(logBeta(float64(c+i), float64(b+d)) - math.Log(float64(b+i)) - logBeta(float64(1+i), float64(b)) - logBeta(float64(c), float64(d)))
	}
	return sum
}

func TestGreater_ClosedForm(t *testing.T) {
	for _, c := range [][4]int{{1, 1, 1, 1}, {2, 1, 1, 1}, {21, 1, 7, 15}, {3, 9, 8, 4}, {101, 51, 90, 61}, {1, 40, 2, 40}, {1001, 900, 1000, 901}, {1, 1, 500, 3}} {
		want := exactGreater(c[0], c[1], c[2], c[3])
		got := Greater(Beta{float64(c[0]), float64(c[1])}, Beta{float64(c[2]), float64(c[3])})
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("P(Beta(%d,%d) > Beta(%d,%d)) = %.9f, want %.9f", c[0], c[1], c[2], c[3], got, want)
		}
	}
}

func TestBest_SumsToOne(t *testing.T) {
	for _, bs := range [][]Beta{{{1, 1}, {1, 1}, {1, 1}}, {{20, 5}, {18, 9}, {3, 2}, {1, 1}}, {{2.5, 7.5}, {1.2, 30}, {90, 10}}} {
		sum := 0.0
		for i := range bs {
			sum += Best(bs, i)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("probabilities of being best of %v sum to %.7f", bs, sum)
		}
	}
	if got := Best([]Beta{{1, 1}, {1, 1}, {1, 1}, {1, 1}}, 2); math.Abs(got-0.25) > 1e-6 {
		t.Errorf("one of four equals is best with %v, want a quarter", got)
	}
}

func TestBeta_CDF_ClosedForms(t *testing.T) {
	for _, x := range []float64{0, .01, .2, .5, .73, .99, 1} {
		for _, c := range []struct {
			b    Beta
			want float64
		}{
			{Beta{1, 1}, x}, {Beta{3, 1}, x * x * x}, {Beta{1, 4}, 1 - math.Pow(1-x, 4)},
			{Beta{2, 2}, x * x * (3 - 2*x)}, {Beta{.5, .5}, 2 / math.Pi * math.Asin(math.Sqrt(x))},
		} {
			if got := c.b.CDF(x); math.Abs(got-c.want) > 1e-12 {
				t.Errorf("%v.CDF(%v) = %v, want %v", c.b, x, got, c.want)
			}
		}
	}
}

func TestPropose(t *testing.T) {
	two := []rules.Share{{Upstream: "a", Model: "m", Weight: 3}, {Upstream: "b", Model: "m", Weight: 1}}
	rated := func(ag, ab, bg, bb int) []store.TargetRating {
		return []store.TargetRating{{Upstream: "a", Model: "m", Good: ag, Bad: ab}, {Upstream: "b", Model: "m", Good: bg, Bad: bb}}
	}
	for _, c := range []struct {
		name    string
		ratings []store.TargetRating
		before  []rules.Share
		ok      bool
		share   float64 // of b
	}{
		{"b is better", rated(10, 20, 25, 5), two, true, .6},
		{"a is better", rated(25, 5, 10, 20), two, true, .15},
		{"equal", rated(20, 10, 20, 10), two, false, 0},
		{"too few of b", rated(10, 20, 19, 0), two, false, 0},
		{"b has all it may have", rated(10, 20, 25, 5), []rules.Share{{Upstream: "a", Model: "m", Weight: .05}, {Upstream: "b", Model: "m", Weight: .95}}, false, 0},
		{"a target without ratings keeps its share", rated(10, 20, 25, 5), append([]rules.Share{{Upstream: "c", Model: "m", Weight: 1}}, two...), false, 0},
	} {
		m, ok := Propose(c.ratings, c.before, nil, 20)
		if ok != c.ok {
			t.Errorf("%s: proposed %v, want %v (%+v)", c.name, ok, c.ok, m)
			continue
		}
		if !ok {
			continue
		}
		sum := 0.0
		for _, s := range m.Shares {
			sum += s.Weight
			if s.Upstream == "b" && math.Abs(s.Weight-c.share) > 1e-9 {
				t.Errorf("%s: share of b %v, want %v", c.name, s.Weight, c.share)
			}
			if s.Weight < explorationMin {
				t.Errorf("%s: share %+v below the exploration floor", c.name, s)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s: shares sum to %v", c.name, sum)
		}
	}
}

func TestPriors_ShrinkToOtherSteps(t *testing.T) {
	p := priors([]store.TargetRating{{Upstream: "a", Model: "m", Good: 90, Bad: 10, Step: "s2"}, {Upstream: "b", Model: "m", Good: 2, Step: "s2"}})
	if got := p["a/m"]; math.Abs(got.A-8.2) > 1e-9 || math.Abs(got.B-1.8) > 1e-9 {
		t.Errorf("prior of a %v, want 8 pseudo-ratings at 0.9", got)
	}
	if got := p["b/m"]; got != (Beta{3, 1}) {
		t.Errorf("prior of b %v, want its 2 ratings", got)
	}
}
