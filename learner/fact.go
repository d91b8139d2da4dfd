package learner

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"heed/rules/check"
	"heed/store"
)

// sharedWords is the share of the smaller claim's own words from which two claims
// without numbers are one; with the same numbers less is enough.
const (
	sharedWords   = 0.5
	besideNumbers = 0.25
)

// sameFact says whether two records claim the same: the same numbers, both or neither
// with a negation, and of the words that the judged requests do not have enough in
// common.
func sameFact(a, b store.Evidence) bool {
	x, y := claimOf(a), claimOf(b)
	m, n := numbersOf(x), numbersOf(y)
	if m != n || negation.MatchString(x) != negation.MatchString(y) {
		return false
	}
	asked := stemSet(a.Query + " " + b.Query)
	p, q := own(x, asked), own(y, asked)
	if len(p) > len(q) {
		p, q = q, p
	}
	if len(p) == 0 {
		return len(q) == 0 || m != ""
	}
	both := 0
	for w := range p {
		if q[w] {
			both++
		}
	}
	least := sharedWords
	if m != "" {
		least = besideNumbers
	}
	return float64(both) >= least*float64(len(p))
}

// claimOf is what a record says is so.
func claimOf(e store.Evidence) string {
	if e.Correction != "" {
		return e.Correction
	}
	if a, ok := check.Instruction(e.Quote); ok {
		return a
	}
	return e.Quote
}

// own are the words of a claim without numbers, the request's words and the verbs of
// saying.
func own(claim string, asked map[string]bool) map[string]bool {
	out := stemSet(claim)
	for w := range out {
		if asked[w] || sayingVerbs[w] || numberOf(w) != "" {
			delete(out, w)
		}
	}
	return out
}

// numbersOf are the numbers of a claim, in order.
func numbersOf(claim string) string {
	var out []string
	for _, w := range words(claim) {
		if n := numberOf(w); n != "" {
			out = append(out, n)
		}
	}
	return strings.Join(out, " ")
}

// numberOf is the number that a word is or names, "" where it does neither.
func numberOf(word string) string {
	if n, ok := check.Number(word); ok {
		return strconv.Itoa(n)
	}
	if strings.ContainsFunc(word, unicode.IsNumber) {
		return word
	}
	return ""
}

var (
	negation    = regexp.MustCompile(`(?i)\b(?:no|not|never|none|cannot|nicht|kein\pL*|nie|pas|jamais|nunca)\b|n't\b`)
	sayingVerbs = set("mention state note add inform remind answer write includ custom peopl pleas alway also user")
)
