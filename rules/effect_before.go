package rules

import "math"

// Tally counts values that are 0 or 1.
type Tally struct {
	Good int `json:"good"`
	Of   int `json:"of"`
}

// Add counts one more value.
func (t *Tally) Add(good bool) {
	t.Of++
	if good {
		t.Good++
	}
}

// Share is Good/Of, 0 of none.
func (t Tally) Share() float64 {
	if t.Of == 0 {
		return 0
	}
	return float64(t.Good) / float64(t.Of)
}

func (t Tally) flipped() Tally { return Tally{t.Of - t.Good, t.Of} }

// Before compares units that get a rule with units from before it. It is quicker
// than Effect, because the earlier units are many where a holdout is small, and it
// says less: whatever else changed at that time looks like the rule's doing (see
// Odds). The earlier units must all be known before the first later one; the later
// ones may be looked at after every one.
//
// It is exact for independent values 0 or 1 with the rates p before and q since.
// Against "q is at most p+d" one bets twice, for every p that there could be: on
// the earlier rate being below p, and on the later one being above p+d. For the
// true p both bets are fair or worse, so their product is a nonnegative
// supermartingale, and the least product over all p, which is what counts, is
// below one: an e-process (Ramdas, Ruf, Larsson & Koolen, arXiv 2009.03167,
// section 5; Ville 1939). The bets are mixtures of likelihood ratios (Robbins, Annals
// of Mathematical Statistics 41, 1970; Waudby-Smith & Ramdas, JRSS B 86, 2024).
type Before struct {
	earlier  Tally
	d        float64
	up, down contest
}

// NewBefore makes the comparison with what was counted before.
func NewBefore(earlier Tally) *Before { return newBefore(earlier, 0) }

func newBefore(earlier Tally, d float64) *Before {
	return &Before{earlier, d, newContest(earlier, d), newContest(earlier.flipped(), -d)}
}

// At is the same comparison against a change of d, in (-1, 1), instead of none:
// its Benefit is evidence that the rate rose by more than d.
func (b *Before) At(d float64) *Before { return newBefore(b.earlier, d) }

// Earlier is what was counted before.
func (b *Before) Earlier() Tally { return b.earlier }

// Benefit is the logarithm of the evidence that the rate is higher than before: it
// reaches ln(1/α) with probability at most α, ever, if it is not.
func (b *Before) Benefit(since Tally) float64 { return b.up.evidence(since) }

// Harm is the same for a lower rate.
func (b *Before) Harm(since Tally) float64 { return b.down.evidence(since.flipped()) }

// Interval is of the change of the rate what Effect.Interval is of the effect.
func (b *Before) Interval(since Tally, helps, harms float64) Interval {
	return Interval{
		Low:  -edge(func(d float64) bool { return b.At(-d).Benefit(since) < math.Log(helps) }),
		High: edge(func(d float64) bool { return b.At(d).Harm(since) < math.Log(harms) }),
	}
}

// Odds is the logarithm of how many times likelier the units are that run without
// the rule at the same time if their rate is the earlier one than if it is that of
// the units with the rule. It is what tells the rule's doing from a change that
// came to everybody at that time: after such a change it ever exceeds ln(k) in
// about one case of k or less (Ville 1939, as far as the two rates are known).
func (b *Before) Odds(with, without Tally) float64 {
	p, q := b.earlier.rate(), with.rate()
	return float64(without.Good)*math.Log(p/q) + float64(without.Of-without.Good)*math.Log((1-p)/(1-q))
}

// rate is the share with the prior of Krichevsky & Trofimov (1981): never 0 or 1.
func (t Tally) rate() float64 { return (float64(t.Good) + 0.5) / (float64(t.Of) + 1) }

// Bets on the later rate: the distance of the alternative from p+d, and the share
// of the capital. The part at 0 keeps its stake, so that a p which the earlier
// units rule out does not spoil the least product. The part at 0.10 is large because
// the p that counts lies between the earlier rate and the later one.
var (
	laterSizes  = [...]float64{0, 0.05, 0.10, 0.20, 0.35}
	laterStakes = [...]float64{0.05, 0.05, 0.20, 0.55, 0.15}
)

// Bets on the earlier rate: the distance of the alternative from p in standard
// deviations of the earlier share, whose number of units is known at the start. The
// later units pull the p that counts away from the earlier rate by one or two of
// them, so the best bet is there; that at 0 keeps a p on the other side from winning.
var (
	earlierSizes  = [...]float64{0, 1.5, 3, 6}
	earlierStakes = [...]float64{0.2, 0.45, 0.25, 0.1}
)

// steps is how many values of p a contest looks at before it looks closer.
const steps = 200

// closer is the evidence from which the least product is looked for between the
// steps too: below, nobody needs it exactly.
const closer = 3

// contest bets that the rate rose by more than d.
type contest struct {
	earlier Tally
	d       float64
	first   [steps]float64                  // of each p, the logarithm of the bet on the earlier units
	stakes  [len(laterSizes)]float64        // logarithms of laterStakes
	good    [steps][len(laterSizes)]float64 // of each p, what a good later unit adds to each bet's logarithm
	bad     [steps][len(laterSizes)]float64
}

func newContest(earlier Tally, d float64) contest {
	c := contest{earlier: earlier, d: d}
	for j, stake := range laterStakes {
		c.stakes[j] = math.Log(stake)
	}
	for i := 1; i < steps; i++ {
		p := float64(i) / steps
		c.first[i] = betBelow(earlier, p)
		c.good[i], c.bad[i] = later(p + d)
	}
	return c
}

// later is what one good and one bad unit add to each bet's logarithm against a
// rate of at most p.
func later(p float64) (good, bad [len(laterSizes)]float64) {
	if p <= 0 || p >= 1 {
		return // at p ≥ 1 nothing can be bet; p ≤ 0 is not reached
	}
	for j, size := range laterSizes {
		q := min(p+size, 1-(1-p)*(1-maxStake))
		if size == 0 {
			q = p
		}
		good[j], bad[j] = math.Log(q/p), math.Log((1-q)/(1-p))
	}
	return good, bad
}

// betBelow is the logarithm of the capital that bets on the rate of t being below p.
func betBelow(t Tally, p float64) float64 {
	sd := math.Sqrt(p * (1 - p) / max(1, float64(t.Of)))
	var logs [len(earlierSizes)]float64
	for j, size := range earlierSizes {
		q := max(p-size*sd, p*(1-maxStake))
		logs[j] = math.Log(earlierStakes[j]) + t.log(math.Log(q/p), math.Log((1-q)/(1-p)))
	}
	return logSum(logs[:])
}

// log is the sum over the units of what each adds.
func (t Tally) log(good, bad float64) float64 {
	return float64(t.Good)*good + float64(t.Of-t.Good)*bad
}

func betAbove(t Tally, good, bad *[len(laterSizes)]float64) float64 {
	var logs [len(laterSizes)]float64
	for j := range logs {
		logs[j] = math.Log(laterStakes[j]) + t.log(good[j], bad[j])
	}
	return logSum(logs[:])
}

// evidence is the logarithm of the least product over all p.
func (c *contest) evidence(since Tally) float64 {
	if c.earlier.Of == 0 || since.Of == 0 {
		return 0
	}
	least, at := math.Inf(1), 0
	look := func(i int) {
		if i < 1 || i >= steps || float64(i)/steps+c.d <= 0 || c.first[i]+c.stakes[0] >= least {
			return // the bet of size 0 keeps its stake
		}
		var logs [len(laterSizes)]float64
		top := math.Inf(-1)
		for j := range logs {
			logs[j] = c.stakes[j] + since.log(c.good[i][j], c.bad[i][j])
			top = max(top, logs[j])
		}
		if c.first[i]+top >= least {
			return
		}
		if v := c.first[i] + logSum(logs[:]); v < least {
			least, at = v, i
		}
	}
	pooled := float64(c.earlier.Good+since.Good) / float64(c.earlier.Of+since.Of)
	look(int(pooled * steps)) // near the least: the others are passed over without exponentials
	for i := 1; i < steps; i++ {
		look(i)
	}
	if at == 0 || least < closer {
		return min(least, math.MaxFloat64)
	}
	return min(least, c.between(since, float64(at-1)/steps, float64(at+1)/steps))
}

// between is the least product for p in (low, high), in which it has one minimum.
func (c *contest) between(since Tally, low, high float64) float64 {
	at := func(p float64) float64 {
		if p <= 0 || p >= 1 || p+c.d <= 0 {
			return math.Inf(1)
		}
		good, bad := later(p + c.d)
		return betBelow(c.earlier, p) + betAbove(since, &good, &bad)
	}
	for range 25 { // 1/200 shrinks below 1e-6
		a, b := low+(high-low)/3, high-(high-low)/3
		if at(a) < at(b) {
			high = b
		} else {
			low = a
		}
	}
	return at((low + high) / 2)
}

// logSum is the logarithm of the sum of what xs are the logarithms of.
func logSum(xs []float64) float64 {
	top := xs[0]
	for _, x := range xs[1:] {
		top = max(top, x)
	}
	var sum float64
	for _, x := range xs {
		sum += math.Exp(x - top)
	}
	return top + math.Log(sum)
}
