package rules

import (
	"math"
	"math/rand/v2"
	"testing"
)

func binomial(n, k int, p float64) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return math.Exp(a - b - c + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

// With one bet on each side, the evidence is the least of likelihood ratios, which
// can be computed plainly.
func TestBefore_Benefit_IsTheLeastProduct(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 60 {
		earlier, since := Tally{Of: 1 + rng.IntN(900)}, Tally{Of: 1 + rng.IntN(300)}
		earlier.Good, since.Good = rng.IntN(earlier.Of+1), rng.IntN(since.Of+1)
		d := -0.4 + 0.8*rng.Float64()
		got := NewBefore(earlier).At(d).Benefit(since)
		want := math.Inf(1)
		for p := 0.0002; p < 1; p += 0.0002 {
			if p+d <= 0 {
				continue
			}
			var first, later float64
			for j, c := range []float64{0, 1.5, 3, 6} {
				q := max(p-c*math.Sqrt(p*(1-p)/float64(earlier.Of)), p/10)
				first += []float64{0.2, 0.45, 0.25, 0.1}[j] * math.Exp(float64(earlier.Good)*math.Log(q/p)+float64(earlier.Of-earlier.Good)*math.Log((1-q)/(1-p)))
			}
			for j, size := range []float64{0, 0.05, 0.10, 0.20, 0.35} {
				r, ratio := min(p+d+size, 1-(1-p-d)/10), 1.0
				if p+d < 1 && size > 0 {
					ratio = math.Exp(float64(since.Good)*math.Log(r/(p+d)) + float64(since.Of-since.Good)*math.Log((1-r)/(1-p-d)))
				}
				later += []float64{0.05, 0.05, 0.20, 0.55, 0.15}[j] * ratio
			}
			want = min(want, math.Log(first)+math.Log(later))
		}
		if got < closer && want < closer {
			if got < want-0.02 {
				t.Errorf("%v, then %v, d %v: got %v, below the least product %v", earlier, since, d, got, want)
			}
			continue
		}
		near(t, "least product", got, want, 0.02)
	}
}

// If nothing changed, the expected capital is at most 1 after any number of later
// units: computed over all outcomes, not simulated.
func TestBefore_ExpectedCapitalIsAtMostOne(t *testing.T) {
	for _, p := range []float64{0.03, 0.3, 0.6, 0.9} {
		for _, n := range []int{1, 12, 40} {
			for _, m := range []int{1, 7, 30, 80} {
				var benefit, harm float64
				for k := range n + 1 {
					b := NewBefore(Tally{k, n})
					for g := range m + 1 {
						w := binomial(n, k, p) * binomial(m, g, p)
						benefit += w * math.Exp(b.Benefit(Tally{g, m}))
						harm += w * math.Exp(b.Harm(Tally{g, m}))
					}
				}
				if benefit > 1 || harm > 1 {
					t.Errorf("rate %v, %d before and %d since: expected capital %v for benefit, %v for harm, want at most 1", p, n, m, benefit, harm)
				}
			}
		}
	}
}

// Mirrored: what is evidence of benefit for good values is evidence of harm when
// good and bad change places.
func TestBefore_HarmMirrorsBenefit(t *testing.T) {
	b, m := NewBefore(Tally{30, 100}), NewBefore(Tally{70, 100})
	near(t, "harm", m.Harm(Tally{20, 50}), b.Benefit(Tally{30, 50}), 1e-9)
	if b.Benefit(Tally{30, 50}) < math.Log(100) || b.Harm(Tally{30, 50}) > 0 {
		t.Errorf("30 %% to 60 %%: benefit %v, harm %v", b.Benefit(Tally{30, 50}), b.Harm(Tally{30, 50}))
	}
	if none := NewBefore(Tally{}); none.Benefit(Tally{5, 5}) != 0 || none.Harm(Tally{0, 5}) != 0 || b.Benefit(Tally{}) != 0 {
		t.Error("nothing before, or nothing since, is evidence")
	}
}

func TestBefore_Interval_AgreesWithTheEvidence(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 25 {
		earlier, since := Tally{Of: 50 + rng.IntN(900)}, Tally{Of: 20 + rng.IntN(300)}
		earlier.Good, since.Good = rng.IntN(earlier.Of+1), rng.IntN(since.Of+1)
		b := NewBefore(earlier)
		in, mean := b.Interval(since, 200, 50), since.Share()-earlier.Share()
		if !(in.Low <= mean && mean <= in.High && in.Low >= -1 && in.High <= 1) {
			t.Errorf("%v, then %v: change %v is not in %v", earlier, since, mean, in)
		}
		if (in.Low > 0) != (b.Benefit(since) >= math.Log(200)) || (in.High < 0) != (b.Harm(since) >= math.Log(50)) {
			t.Errorf("%v, then %v: interval %v, benefit %v, harm %v", earlier, since, in, b.Benefit(since), b.Harm(since))
		}
	}
	if in := NewBefore(Tally{}).Interval(Tally{3, 4}, 200, 50); in != (Interval{-1, 1}) {
		t.Errorf("nothing before: interval %v, want everything", in)
	}
}

// Eight of ten before, four of ten with the rule, seven of eight without it: by hand
// (8.5/11)^7·(2.5/11) over (4.5/11)^7·(6.5/11).
func TestBefore_Odds_ByHand(t *testing.T) {
	got := NewBefore(Tally{8, 10}).Odds(Tally{4, 10}, Tally{7, 8})
	near(t, "odds", got, 7*math.Log(8.5/4.5)+math.Log(2.5/6.5), 1e-12)
	if got := NewBefore(Tally{8, 10}).Odds(Tally{4, 10}, Tally{}); got != 0 {
		t.Errorf("nobody without it: odds %v", got)
	}
}

// Over all looks, a rate that stays is called changed hardly ever, and the interval
// holds it.
func TestBefore_AtEveryLook(t *testing.T) {
	const runs, looks = 150, 300
	called, missed := 0, 0
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 8))
		var earlier, since Tally
		for range 100 {
			earlier.Add(rng.Float64() < 0.6)
		}
		null, shifted := NewBefore(earlier), NewBefore(earlier).At(0.2)
		calls, misses := false, false
		var moved Tally
		for range looks {
			since.Add(rng.Float64() < 0.6)
			moved.Add(rng.Float64() < 0.8)
			calls = calls || max(null.Benefit(since), null.Harm(since)) >= math.Log(20)
			misses = misses || max(shifted.Benefit(moved), shifted.Harm(moved)) >= math.Log(20)
		}
		if calls {
			called++
		}
		if misses {
			missed++
		}
	}
	if called > 15 || missed > 15 { // 10 % of 150 runs
		t.Errorf("of %d runs %d were called wrongly and %d intervals missed, at 10 %%", runs, called, missed)
	}
	t.Logf("of %d runs %d were called wrongly and %d intervals missed, at 10 %%", runs, called, missed)
}
