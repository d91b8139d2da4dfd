package match

import "math"

// The scores of a request against one class (a rule or a rival).
const (
	scoreCent     = iota // cosine with the sum of the examples' vectors
	scoreCom             // cosine with what the comments say, style words removed
	scoreWord            // likelihood ratio of the words, rule against background
	scoreGram            // the same over pieces of words
	scoreSoftWord        // the same with soft counts from the app's own traffic
	scoreSoftGram
	scoreSoftCent
	scores
)

// model is a conditional logit with "no rule" as one alternative: the margin of a
// class over it is a quadratic in its scores. The quadratic's slope depends on how
// many examples there are, since more of them make the same score mean more.
type model struct {
	alpha, beta, gamma [scores]float32
	reject, length     float32 // utility of "no rule": reject + length ln(1+tokens)
	threshold          float32 // default least probability of a hit
	softCent           float32 // its weight in the choice of candidates
}

// coldModel and warmModel were fitted on CLINC150 by the reference study (section
// 5) and hold on the sets that it kept aside; see docs/scope.md.
var coldModel = model{
	alpha:     [scores]float32{scoreCent: 2.305, scoreCom: 6.005, scoreWord: 1.823, scoreGram: 2.583},
	beta:      [scores]float32{scoreCent: -2.423, scoreCom: -0.738, scoreWord: -0.308, scoreGram: -0.336},
	gamma:     [scores]float32{scoreCent: 2.608, scoreCom: -0.837, scoreWord: 0.191, scoreGram: -0.453},
	reject:    5.308,
	length:    -0.595,
	threshold: 0.342,
}

var warmModel = model{
	alpha: [scores]float32{scoreCent: -1.375, scoreCom: 2.445, scoreWord: -1.147, scoreGram: -0.295,
		scoreSoftWord: 3.946, scoreSoftGram: 2.863, scoreSoftCent: 3.025},
	beta: [scores]float32{scoreCent: -1.699, scoreCom: 0.349, scoreWord: 0.335, scoreGram: 0.812,
		scoreSoftWord: 0.100, scoreSoftGram: -1.112, scoreSoftCent: -0.639},
	gamma: [scores]float32{scoreCent: 0.413, scoreCom: -0.312, scoreWord: 0.337, scoreGram: 0.157,
		scoreSoftWord: -0.350, scoreSoftGram: -0.519, scoreSoftCent: 2.153},
	reject:    5.024,
	length:    -0.488,
	threshold: 0.356,
	softCent:  0.7,
}

// A rule of which no comment says when it applies has no comment score; that is no
// evidence against it, as a score of zero would be where there is a comment. These
// make up for a part of it.
const (
	bareCold = 0.6
	bareWarm = 0.3
)

// trustMass is how many logged requests a rule must have been believed to apply
// to, on average over the rules, for what they taught to weigh half: below, the
// cold scores lead, so that little traffic does no harm (docs/scope.md).
const trustMass = 8

// Rules of an app, below which "no rule" weighs less, in proportion: each rule
// adds its own false injections, and their total is what is bounded. The constants
// were fitted with 50 rules and more. Without traffic the scores tell less, so
// that only fewer rules may be looser.
//
// A rule is looser only as long as people did not say otherwise: requests that it
// was applied to, and that they marked as none of its own, make up for rules that
// are not there, up to half the weight.
const (
	fewRulesCold = 20
	fewRulesWarm = 60
	leastReject  = 0.1
	manyAgainst  = 30 // counterexamples of the rule
	mostAgainst  = 0.5
)

// rivalThreshold is what the threshold is lower by where nothing but clusters of
// other traffic competes: the study had none in the denominator, and where every
// topic has a rule, none are left.
const rivalThreshold = 0.125

// thresholdOf is the least probability of a hit beside so many rules and clusters.
func thresholdOf(rules, clusters int, trust float32) float32 {
	share := float32(clusters) / float32(max(1, rules+clusters))
	return coldModel.threshold + trust*(warmModel.threshold-rivalThreshold*share-coldModel.threshold)
}

// rejectWeight is the weight of "no rule" against a rule with so many
// counterexamples, beside so many rules.
func rejectWeight(against, rules int, trust float32) float32 {
	few := fewRulesCold + trust*(fewRulesWarm-fewRulesCold)
	return max(leastReject, min(1, float32(rules)/few), min(mostAgainst, float32(against)/manyAgainst))
}

// margin is a class's utility less that of "no rule", for a request of n tokens.
func (m *model) margin(s *[scores]float32, logExamples float32, tokens int) float32 {
	u := -m.reject - m.length*float32(math.Log1p(float64(tokens)))
	for k, x := range s {
		u += x * (m.alpha[k] + m.beta[k]*x + m.gamma[k]*logExamples)
	}
	return u
}
