package check

import (
	"fmt"
	"slices"
	"strings"
)

// Conflict reports whether two actions for the same requests are opposite, with
// a reason for people: always and never the same thing, numbers, formats,
// languages or cases that exclude each other. The specs are those compiled from
// the actions (nil where there are none); the order does not matter.
func Conflict(a, b string, sa, sb []Spec) (string, bool) {
	for _, x := range sa {
		for _, y := range sb {
			if why := opposite(x, y); why != "" {
				return why, true
			}
			if why := opposite(y, x); why != "" {
				return why, true
			}
		}
	}
	return differ(a, b)
}

// opposite says why no answer can follow both, or "". It is asked both ways.
func opposite(x, y Spec) string {
	if x.Validate() != nil || y.Validate() != nil {
		return ""
	}
	if x.Kind == y.Kind {
		if why := sameKind(x, y); why != "" {
			return why
		}
	}
	switch {
	case (x.Kind == KindMention || x.Kind == KindSay || x.Kind == KindBegin || x.Kind == KindEnd) && !x.Not && (y.Kind == KindMention || y.Kind == KindSay) && y.Not:
		for _, p := range x.Args {
			for _, q := range y.Args {
				if x.Kind == KindMention && slices.Equal(content(p), content(q)) || x.Kind != KindMention && mentions(p, q) {
					return fmt.Sprintf("one asks for %q, the other forbids it", p)
				}
			}
		}
	case x.Kind == KindFormat && !x.Not && x.Args[0] == "json" && !y.Not && (y.Kind == KindBegin || y.Kind == KindEnd || y.Kind == KindQuestion || y.Kind == KindFormat && y.Args[0] != "json"):
		return "one asks for JSON, the other for a form that JSON cannot have"
	case x.Kind == KindHas && x.Args[0] == "markdown" && x.Not && y.Kind == KindFormat && !y.Not && y.Args[0] != "json":
		return fmt.Sprintf("one forbids markdown, the other asks for %s", y.Args[0])
	case x.Kind == KindQuestion && !x.Not && y.Kind == KindEnd && !y.Not && !strings.HasSuffix(strings.TrimSpace(y.Args[0]), "?"):
		return fmt.Sprintf("one asks to end with a question, the other with %q", y.Args[0])
	case (x.Kind == KindMin || x.Kind == KindExact) && (y.Kind == KindMax || y.Kind == KindExact) && x.Args[0] == y.Args[0] && !x.Not && !y.Not && x.N > y.N:
		return fmt.Sprintf("one asks for %d %s, the other for %d", x.N, x.Args[0], y.N)
	}
	return ""
}

func sameKind(x, y Spec) string {
	same := slices.EqualFunc(x.Args, y.Args, func(p, q string) bool { return bare(p) == bare(q) })
	switch {
	case x.Not != y.Not && same && x.N == y.N && x.Kind != KindMention && x.Kind != KindSay:
		return "one asks for it, the other forbids it"
	case x.Not || y.Not || same && x.N == y.N:
		return ""
	}
	switch x.Kind {
	case KindLanguage:
		return fmt.Sprintf("one asks for %s, the other for %s", languageWord[x.Args[0]], languageWord[y.Args[0]])
	case KindCase:
		return fmt.Sprintf("one asks for %s, the other for %s", x.Args[0], y.Args[0])
	case KindFormat:
		lists := []string{"json", "bullets", "numbered", "table"}
		if slices.Contains(lists, x.Args[0]) && slices.Contains(lists, y.Args[0]) {
			return fmt.Sprintf("one asks for %s, the other for %s", x.Args[0], y.Args[0])
		}
	case KindBegin:
		if p, q := bare(x.Args[0]), bare(y.Args[0]); !strings.HasPrefix(p, q) && !strings.HasPrefix(q, p) {
			return fmt.Sprintf("one begins with %q, the other with %q", x.Args[0], y.Args[0])
		}
	case KindEnd:
		if p, q := bare(x.Args[0]), bare(y.Args[0]); !strings.HasSuffix(p, q) && !strings.HasSuffix(q, p) {
			return fmt.Sprintf("one ends with %q, the other with %q", x.Args[0], y.Args[0])
		}
	case KindMax:
		if x.Args[0] == y.Args[0] {
			return fmt.Sprintf("one allows %d %s, the other %d", x.N, x.Args[0], y.N)
		}
	}
	return ""
}

// likeEnough is the similarity from which two wordings are about one thing.
const likeEnough = 0.75

// differ compares wordings: the same thing with and without a negation, with
// other numbers, or with a pair of opposite words.
func differ(a, b string) (string, bool) {
	x, y := gist(a), gist(b)
	if c, ok := Replacement(a); ok && Names(b, c.Old) {
		return fmt.Sprintf("one replaces %q, the other asks for it", c.Old), true
	}
	if c, ok := Replacement(b); ok && Names(a, c.Old) {
		return fmt.Sprintf("one replaces %q, the other asks for it", c.Old), true
	}
	alike := x.dice(y) >= likeEnough
	sameQuotes := slices.Equal(x.quotes, y.quotes)
	switch {
	case x.negative != y.negative && sameQuotes && (alike || len(x.words)+len(y.words) == 0 && len(x.quotes) > 0):
		return "one asks for what the other forbids", true
	case alike && sameQuotes && x.negative == y.negative && len(x.numbers) > 0 && len(y.numbers) > 0 && !disjointless(x.numbers, y.numbers):
		return "they give different numbers for the same thing", true
	}
	if x.negative == y.negative {
		for _, p := range antonyms {
			if pair(x.words, y.words, p[0], p[1]) || pair(x.words, y.words, p[1], p[0]) {
				return fmt.Sprintf("one asks for %s, the other for %s", p[0], p[1]), true
			}
		}
	}
	return "", false
}

// disjointless reports whether the sets are equal or one holds the other.
func disjointless(x, y map[string]bool) bool {
	if len(x) > len(y) {
		x, y = y, x
	}
	for w := range x {
		if !y[w] {
			return false
		}
	}
	return true
}

// antonyms are words of which an answer can follow only one, as gist has them.
var antonyms = [][2]string{{"short", "long"}, {"formal", "informal"}, {"first", "last"}, {"begin", "end"}, {"before", "after"}, {"metric", "imperial"}, {"simple", "technical"}, {"du", "sie"}, {"tu", "vous"}, {"tú", "usted"}, {"british", "american"}, {"gross", "net"}, {"celsius", "fahrenheit"}}

// pair reports whether x has p and y has q, neither has both, and they share
// what is left of them.
func pair(x, y map[string]bool, p, q string) bool {
	p, q = stem(p), stem(q)
	if !x[p] || !y[q] || x[q] || y[p] {
		return false
	}
	rest, shared := 0, 0
	for w := range x {
		if w != p {
			rest++
			if y[w] {
				shared++
			}
		}
	}
	smaller := min(rest, len(y)-1)
	return smaller == 0 || shared*2 >= smaller && shared > 0
}
