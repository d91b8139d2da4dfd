package match

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A message may ask for several things. What each clause calls for joins what the
// whole text does, at a stricter threshold, since a clause says less.
const (
	maxClauses       = 4
	maxClauseBytes   = 400 // of a query that is split: longer ones would cost twice the time
	leastClauseWords = 3   // fewer ask for nothing by themselves
	clauseThreshold  = 0.5 // least probability of a clause's rule
)

// clauseWords are words between two clauses, surrounded by spaces.
var clauseWords = [...]string{" and ", " also ", " then ", " plus ", " und ", " außerdem ", " y ", " et ", " och ", " og ", " és ", " и "}

// addClauses adds to hits what single clauses of the query call for, if at least two
// voices ask for a rule: two clauses, or one and the whole. A single one that asks
// where the whole does not is most often a piece of something else.
func (ix *Index) addClauses(query string, hits []Hit, eligible func(rule int) bool, buf *Buffer) []Hit {
	var ends [maxClauses]int
	n := clauses(query, &ends)
	if n < 2 {
		return hits
	}
	whole := append(buf.whole[:0], hits...) // matchOne writes where hits stand
	all := append(buf.union[:0], whole...)
	start, asking := 0, min(len(hits), 1)
	for _, end := range ends[:n] {
		asks := 0
		for _, h := range ix.matchOne(query[start:end], eligible, buf) {
			if h.P < max(clauseThreshold, ix.threshold) {
				continue
			}
			asks = 1
			if !slices.ContainsFunc(all, func(o Hit) bool { return o.Rule == h.Rule }) {
				all = insertHit(all, h)
			}
		}
		asking += asks
		start = end
	}
	if asking < 2 {
		return whole
	}
	return all
}

// clauses fills ends with where the query's clauses end and returns how many there
// are, 0 for one that is long or of too many.
func clauses(query string, ends *[maxClauses]int) int {
	n, start := 0, 0
	for i := 0; i < len(query); {
		end, next := boundary(query, i)
		if end < 0 {
			i = next
			continue
		}
		if wordCount(query[start:end]) >= leastClauseWords && wordCount(query[end:]) >= leastClauseWords {
			if n == maxClauses-1 {
				return 0
			}
			ends[n], start = next, next
			n++
		}
		i = next
	}
	ends[n] = len(query)
	return n + 1
}

// boundary reports where a clause ends and the next starts if one ends at i, and
// else -1 and where to look next.
func boundary(query string, i int) (end, next int) {
	r, size := utf8.DecodeRuneInString(query[i:])
	next = i + size
	switch r {
	case '。', '？', '！', '；', '\n', ';':
		return i, next
	case '.', '?', '!':
		if next == len(query) || query[next] == ' ' || query[next] == '\n' {
			return i, next
		}
	case ' ':
		for _, w := range clauseWords {
			if strings.HasPrefix(query[i:], w) {
				return i, i + len(w)
			}
		}
	}
	return -1, next
}
