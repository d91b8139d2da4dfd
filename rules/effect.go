package rules

import (
	"fmt"
	"math"
)

// Trial is what came of one unit in a rule's experiment. A unit counts once,
// with its first exchange in scope: arms are drawn by unit, so a unit's exchanges
// are one draw however many there are, and whether there is a second one may
// itself be an effect of the rule.
type Trial struct {
	Treated    bool
	Propensity float64 // probability of being treated, as recorded; 0 or 1 compares nothing
	Value      float64 // what came of it, in [0, 1]; 1 is good
}

// Trial makes a trial of what the log says was decided. ok is false when the
// decision left nothing to chance, so that it compares nothing.
func (d RuleDecision) Trial(value float64) (t Trial, ok bool) {
	p := d.Propensity
	if d.Withheld {
		p = 1 - p
	}
	return Trial{Treated: !d.Withheld, Propensity: p, Value: value}, p >= minPropensity && p <= 1-minPropensity
}

// minPropensity keeps one unit from counting as more than a thousand.
const minPropensity = 0.001

// Interval holds the true difference, with minus without, with the probability
// it was asked for, at all times together: it may be looked at after every trial.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Effect compares the units that got a rule with those that did not, by values in
// [0, 1]. The zero value is ready. It is exact: it assumes nothing but that arms
// were drawn with the recorded propensities, which may change from unit to unit
// (ramps), and that units are independent. What a value would have been may
// change over time in any way; the interval then holds for an effect that stays.
//
// Each trial becomes a score whose mean is the effect whatever the propensity:
// the augmented inverse propensity weighted score f = m1 − m0 + Z(Y−m1)/p −
// (1−Z)(Y−m0)/(1−p), with m1 and m0 guessed from the trials before it (Robins,
// Rotnitzky & Zhao, JASA 89, 1994; predictable guesses: Waudby-Smith et al.,
// Annals of Statistics 52, 2024, section 4). Against "the effect is at most d" one
// bets on every score: the capital Π(1 + λ(f−d)) is a nonnegative supermartingale
// if that is true, so it ever reaches 1/α with probability at most α (Ville 1939;
// Waudby-Smith & Ramdas, JRSS B 86, 2024, Theorem 3; for logged propensities
// Waudby-Smith, Wu, Ramdas, Karampatziakis & Mineiro, ACM/JMS 1, 2024). The capital
// is spread over several λ, each the best for one size of effect.
type Effect struct {
	arms   [2]arm // without, with
	scores []score
	up     wager // against an effect of at most 0
	down   wager // against an effect of at least 0
	ratio  Ratio
}

// arm sums the values of an arm, plainly and each by one over its probability.
type arm struct {
	n           int
	sum         float64
	weight      float64
	weightedSum float64
}

// score is one trial as the bets see it.
type score struct {
	f        float32 // its mean is the effect
	variance float32 // of f, guessed before the trial
	low      float32 // least and greatest value that f could have had
	high     float32
}

// wager is the logarithm of the capital of each bet.
type wager [len(sizes)]float64

// sizes are the effects for which the bets are the best, and stakes their share
// of the capital at the start. Most is on the sizes that a rule is made for; the
// small ones keep the interval shrinking for as long as the rule lives.
var (
	sizes  = [...]float64{0.02, 0.05, 0.10, 0.20, 0.35}
	stakes = [...]float64{0.02, 0.03, 0.10, 0.60, 0.25}
)

// guesses is how many trials the guess of an arm's mean counts what is known of
// both arms together; without them it is 1/2.
const guesses = 4

// maxStake is the share of its capital that a bet may lose in one trial.
const maxStake = 0.9

// Add takes one more trial. A value outside [0, 1], or a propensity that leaves
// nothing to chance, is an error and not counted.
func (e *Effect) Add(t Trial) error {
	if !(t.Value >= 0 && t.Value <= 1) {
		return fmt.Errorf("value %v of a trial: want a number between 0 and 1", t.Value)
	}
	if !(t.Propensity >= minPropensity && t.Propensity <= 1-minPropensity) {
		return fmt.Errorf("propensity %v of a trial: want a share between %v and %v", t.Propensity, minPropensity, 1-minPropensity)
	}
	s := e.score(t)
	e.scores = append(e.scores, s)
	e.up.bet(s, 0)
	e.down.bet(s.negative(), 0)
	if t.Treated {
		e.arms[1].add(t.Value, 1/t.Propensity)
	} else {
		e.arms[0].add(t.Value, 1/(1-t.Propensity))
	}
	e.ratio.Add(t.Treated, t.Propensity)
	return nil
}

func (a *arm) add(value, weight float64) {
	a.n++
	a.sum += value
	a.weight += weight
	a.weightedSum += weight * value
}

// guess is the expected value of an arm by the trials so far.
func (e *Effect) guess(i int) float64 {
	prior := (e.arms[0].sum + e.arms[1].sum + 1) / float64(e.arms[0].n+e.arms[1].n+2)
	return (e.arms[i].sum + guesses*prior) / (float64(e.arms[i].n) + guesses)
}

func (e *Effect) score(t Trial) score {
	m0, m1, p := e.guess(0), e.guess(1), t.Propensity
	f := m1 - m0
	s := score{
		variance: float32(m1*(1-m1)/p + m0*(1-m0)/(1-p)), // of values 0 and 1, which vary most
		low:      float32(f - max(m1/p, (1-m0)/(1-p))),
		high:     float32(f + max((1-m1)/p, m0/(1-p))),
	}
	if t.Treated {
		f += (t.Value - m1) / p
	} else {
		f -= (t.Value - m0) / (1 - p)
	}
	s.f = float32(f)
	return s
}

// negative is the score of the opposite effect.
func (s score) negative() score {
	return score{f: -s.f, variance: s.variance, low: -s.high, high: -s.low}
}

// bet stakes every part of the capital on s being above d, which is in [-1, 1].
// The part for the effect of size θ stakes θ/(variance + θ²), which makes its
// logarithm grow fastest if the effect is d + θ (Waudby-Smith & Ramdas 2024,
// section 5), and never so much that s.low could ruin it.
func (w *wager) bet(s score, d float64) {
	limit := maxStake / (1 - float64(s.low)) // d is at most 1
	for i, size := range sizes {
		stake := min(limit, size/(float64(s.variance)+size*size))
		w[i] += math.Log1p(stake * (float64(s.f) - d))
	}
}

// log is the logarithm of the whole capital.
func (w *wager) log() float64 {
	top := w[0]
	for _, x := range w[1:] {
		top = max(top, x)
	}
	var sum float64
	for i, x := range w {
		sum += stakes[i] * math.Exp(x-top)
	}
	return top + math.Log(sum)
}

// Benefit is the logarithm of the evidence that the rule does good: it reaches
// ln(1/α) with probability at most α, ever, if it does none. Harm is the same for
// harm.
func (e *Effect) Benefit() float64 { return e.up.started(len(e.scores)) }

// Harm is the logarithm of the evidence that the rule does harm.
func (e *Effect) Harm() float64 { return e.down.started(len(e.scores)) }

func (w *wager) started(n int) float64 {
	if n == 0 {
		return 0
	}
	return w.log()
}

// Against is the logarithm of the evidence that the effect is above d, and of
// that it is below, for d in [-1, 1]. It takes time in proportion to the trials.
func (e *Effect) Against(d float64) (above, below float64) {
	var up, down wager
	for _, s := range e.scores {
		up.bet(s, d)
		down.bet(s.negative(), -d)
	}
	return up.started(len(e.scores)), down.started(len(e.scores))
}

// Interval leaves out every effect of which the evidence says, helps times or more,
// that the true one is above it, or, harms times or more, that it is below. So it
// holds the effect with probability 1 − 1/helps − 1/harms at all times together, and
// excludes 0 exactly when Benefit reaches ln(helps) or Harm ln(harms). It is [-1, 1]
// at first.
func (e *Effect) Interval(helps, harms float64) Interval {
	return Interval{
		Low:  -edge(func(d float64) bool { up, _ := e.Against(-d); return up < math.Log(helps) }),
		High: edge(func(d float64) bool { _, down := e.Against(d); return down < math.Log(harms) }),
	}
}

// edge is the greatest d in [-1, 1] for which in holds, which is true below it and
// false above, within 1e-6.
func edge(in func(d float64) bool) float64 {
	low, high := -1.0, 1.0
	if in(high) {
		return high
	}
	for high-low > 1e-6 {
		if mid := (low + high) / 2; in(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// Held reports whether that interval held d at every look so far, one after every
// trial: what it promises for the true effect. For tests and benchmarks.
func (e *Effect) Held(d, helps, harms float64) bool {
	var up, down wager
	for _, s := range e.scores {
		up.bet(s, d)
		down.bet(s.negative(), -d)
		if up.log() >= math.Log(helps) || down.log() >= math.Log(harms) {
			return false
		}
	}
	return true
}

// Mean is the estimated effect: the difference of the arms' means, each trial
// weighted by one over the probability of its arm (Hájek 1971), so that a ramp does
// not mix up what changed over time with what the rule did. ok is false before
// both arms have a trial.
func (e *Effect) Mean() (mean float64, ok bool) {
	if e.arms[0].n == 0 || e.arms[1].n == 0 {
		return 0, false
	}
	return e.arms[1].weightedSum/e.arms[1].weight - e.arms[0].weightedSum/e.arms[0].weight, true
}

// Units is how many trials there are without and with the rule, and the mean of
// their values, 0 where there are none.
func (e *Effect) Units() (without, with int, meanWithout, meanWith float64) {
	return e.arms[0].n, e.arms[1].n, e.arms[0].mean(), e.arms[1].mean()
}

func (a arm) mean() float64 {
	if a.n == 0 {
		return 0
	}
	return a.sum / float64(a.n)
}

// Ratio is the check that trials came in both arms as their propensities say.
func (e *Effect) Ratio() *Ratio { return &e.ratio }
