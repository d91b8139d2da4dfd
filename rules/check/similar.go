package check

import (
	"maps"
	"slices"
	"strings"
)

// SameThreshold is the SameAction from which two actions for the same requests
// are one wish. There, of labelled pairs nothing was tuned on, 62 % of the same
// ones are found and none of the different ones (TestFresh); of those written
// before tuning and never looked at, 94 % and 2.5 %.
const SameThreshold = 0.7

// literalMatch is how alike an action in literal words is to one that asks for
// what those words say: `End with "Our VAT number is …"`, "Mention our VAT number".
const literalMatch = 0.8

// Factors on the likeness of two actions that do different things with the same
// words: ask for it or mention it, begin with it or end with it.
const (
	otherAct  = 0.5
	otherEdge = 0.3
)

// SameAction is how alike two actions are, in [0, 1]: a weighted Dice
// coefficient of what they are about, with wordings that mean one thing joined
// and words that say little (page, number, details) weighing little. It is 0
// unless negation, numbers and quoted texts agree, and 1 where both are one
// length, language, case or closing question by their checks. SameThreshold is
// the value to compare it with.
func SameAction(a, b string) float64 {
	sa, sb := Compile(a), Compile(b)
	if s, ok := sameSpec(sa, sb); ok {
		return s
	}
	if len(sa) > 0 && sameSpecs(sa, sb) && Checkable(a) && Checkable(b) {
		return 1 // whatever the language: all that they do is in their checks
	}
	x, y := gist(a), gist(b)
	if x.negative != y.negative || !maps.Equal(x.numbers, y.numbers) || !x.replaceSame(y) {
		return 0
	}
	if !slices.Equal(x.quotes, y.quotes) {
		return max(literally(x, y, sb), literally(y, x, sa))
	}
	if len(x.words) == 0 && len(y.words) == 0 {
		if len(x.quotes)+len(x.numbers) > 0 && x.act == y.act || flat(a) == flat(b) {
			return 1
		}
		return 0
	}
	s := x.alike(y)
	if x.act != y.act {
		s *= otherAct
	}
	if apart(x, y) {
		s *= otherEdge
	}
	return s
}

// sameSpec compares actions that are nothing but one check of a closed kind.
func sameSpec(a, b []Spec) (float64, bool) {
	if len(a) != 1 || len(b) != 1 || a[0].Kind != b[0].Kind {
		return 0, false
	}
	switch a[0].Kind {
	case KindMax, KindMin, KindExact, KindLanguage, KindCase, KindQuestion:
	case KindHas:
		if a[0].Args[0] != "emoji" && a[0].Args[0] != "markdown" {
			return 0, false // which link is not in the check
		}
	default:
		return 0, false
	}
	if slices.Equal(a[0].Args, b[0].Args) && a[0].N == b[0].N && a[0].Not == b[0].Not {
		return 1, true
	}
	return 0, true
}

// sameSpecs says whether two lists of checks are the same, in this order.
func sameSpecs(a, b []Spec) bool {
	return slices.EqualFunc(a, b, func(x, y Spec) bool {
		return x.Kind == y.Kind && x.N == y.N && x.Not == y.Not && slices.EqualFunc(x.Args, y.Args, func(p, q string) bool { return bare(p) == bare(q) })
	})
}

// literally compares an action of one quotation at an edge of the answer with
// one without quotations, whose checks are given.
func literally(quoted, plain meaning, checks []Spec) float64 {
	if len(quoted.quotes) != 1 || len(plain.quotes) > 0 || !quoted.words[classBegin] && !quoted.words[classEnd] || apart(quoted, plain) || plain.negative {
		return 0
	}
	text := quoted.quotes[0]
	if len(checks) == 1 && checks[0].Kind == KindQuestion && quoted.words[classEnd] && quoted.asks {
		return literalMatch
	}
	said := gist(text).words
	total, found := 0.0, 0.0
	for w := range plain.words {
		if w == classBegin || w == classEnd {
			continue
		}
		total += weight(w)
		if said[w] {
			found += weight(w)
		}
	}
	if found < 1 {
		return 0
	}
	return literalMatch * found / total
}

// apart reports whether one begins with what the other ends with.
func apart(x, y meaning) bool {
	return x.words[classBegin] && y.words[classEnd] && !x.words[classEnd] && !y.words[classBegin] ||
		x.words[classEnd] && y.words[classBegin] && !x.words[classBegin] && !y.words[classEnd]
}

// meaning is what SameAction and Conflict compare of an action.
type meaning struct {
	words    map[string]bool // stemmed content words and classes
	numbers  map[string]bool
	quotes   []string // flattened, sorted; what is to be said instead of with a "-" in front
	act      string   // what to do with them; "" for saying
	negative bool
	asks     bool     // the one quotation ends with a question mark
	old      *meaning // what is to be replaced; nil: nothing is said to be
}

// replaceSame reports whether what both say is replaced, if both do, can be one thing.
func (m meaning) replaceSame(o meaning) bool {
	return m.old == nil || o.old == nil || slices.Equal(m.old.quotes, o.old.quotes) && (len(m.old.words)+len(o.old.words) == 0 || m.old.dice(*o.old) >= likeEnough)
}

// alike is 2·both / (2·both + the rest of either), by weight. Words that stand
// on one side only may be decoration ("VAT", "VAT number"); where both sides
// have some of their own they are what differs, and weigh in full.
func (m meaning) alike(o meaning) float64 {
	both, left, right := 0.0, rest(m, o, 0), rest(o, m, 0)
	for w := range m.words {
		if o.words[w] {
			both += weight(w)
		}
	}
	if left > 0 && right > 0 {
		left, right = rest(m, o, 1), rest(o, m, 1)
	}
	if both == 0 {
		return 0
	}
	return 2 * both / (2*both + left + right)
}

// rest is the weight of the words of m that o has not, each at least least.
func rest(m, o meaning, least float64) float64 {
	sum := 0.0
	for w := range m.words {
		switch {
		case o.words[w]:
		case w == classBegin || w == classEnd || strings.HasPrefix(w, afterMark):
			if least == 0 {
				sum += weight(w)
			}
		default:
			sum += max(weight(w), least)
		}
	}
	return sum
}

// dice is 2·|both| / (|x| + |y|) over the content words.
func (m meaning) dice(o meaning) float64 {
	if len(m.words)+len(o.words) == 0 {
		return 0
	}
	both := 0
	for w := range m.words {
		if o.words[w] {
			both++
		}
	}
	return 2 * float64(both) / float64(len(m.words)+len(o.words))
}
