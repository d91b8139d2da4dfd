package check

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// A finder is a regular expression with literals that any match must hold, so
// that most texts are dismissed by substring scans: the expressions here name
// hundreds of words each, which RE2 takes milliseconds for. The literals are
// read off the expression itself (after Cox, "Regular Expression Matching with a
// Trigram Index", 2012), so the two cannot disagree.
type finder struct {
	re   *regexp.Regexp
	need [][]string // of each group at least one stands in every match
}

// finders are alternatives that are looked for one by one.
type finders []finder

// each makes a finder of every pattern. Patterns and texts are in one case.
func each(patterns ...string) finders {
	fs := make(finders, len(patterns))
	for i, p := range patterns {
		parsed, err := syntax.Parse(p, syntax.Perl)
		if err != nil {
			panic("BUG: pattern: " + err.Error())
		}
		need := literalsOf(parsed).groups()
		slices.SortStableFunc(need, func(a, b []string) int { return len(a) - len(b) })
		fs[i] = finder{re: regexp.MustCompile(p), need: need}
	}
	return fs
}

// A sight is a text and which pairs of neighbouring bytes stand in it (a Bloom
// filter of one hash), so that most literals are dismissed without a scan.
type sight struct {
	text  string
	pairs [128]uint64
}

func look(text string) *sight {
	v := &sight{text: text}
	for i := 1; i < len(text); i++ {
		h := pairHash(text[i-1], text[i])
		v.pairs[h>>6] |= 1 << (h & 63)
	}
	return v
}

func pairHash(a, b byte) uint16 { return (uint16(a)*211 + uint16(b)) & 8191 }

// has reports whether w stands in the text.
func (v *sight) has(w string) bool {
	for i := 1; i < len(w); i++ {
		if h := pairHash(w[i-1], w[i]); v.pairs[h>>6]&(1<<(h&63)) == 0 {
			return false
		}
	}
	return strings.Contains(v.text, w)
}

// maybe reports whether the text can hold a match.
func (f *finder) maybe(v *sight) bool {
	for _, group := range f.need {
		if !slices.ContainsFunc(group, v.has) {
			return false
		}
	}
	return true
}

// all are the first n matches of f in the text.
func (f *finder) all(v *sight, n int) [][]int {
	if !f.maybe(v) {
		return nil
	}
	return f.re.FindAllStringIndex(v.text, n)
}

// find is the first match of the first pattern that matches, or "".
func (fs finders) find(v *sight) string {
	for i := range fs {
		if fs[i].maybe(v) {
			if s := fs[i].re.FindString(v.text); s != "" {
				return s
			}
		}
	}
	return ""
}

// Limits of the literals kept of a pattern.
const (
	maxExact = 400 // strings that a part of a pattern may stand for
	maxCross = 40  // strings that two neighbouring parts may stand for together
	leastLen = 2   // bytes of a literal worth a scan
)

// literals is what a part of a pattern matches: exactly one of exact (unless it
// is nil), and text that holds at least one of each group of need.
type literals struct {
	exact []string
	need  [][]string
}

// groups are the groups of l, with what it exactly matches as one more.
func (l literals) groups() [][]string {
	if g, ok := worthwhile(l.exact); ok {
		return append(slices.Clip(l.need), g)
	}
	return l.need
}

// worthwhile drops from a group what holds another of its literals; a group
// with a literal too short to tell anything is none.
func worthwhile(group []string) ([]string, bool) {
	if len(group) == 0 || slices.ContainsFunc(group, func(w string) bool { return len(w) < leastLen }) {
		return nil, false
	}
	short := slices.Clone(group)
	slices.SortFunc(short, func(a, b string) int { return len(a) - len(b) })
	var out []string
	for _, w := range short {
		if !slices.ContainsFunc(out, func(o string) bool { return strings.Contains(w, o) }) {
			out = append(out, w)
		}
	}
	return out, true
}

func literalsOf(re *syntax.Regexp) literals {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return literals{exact: []string{""}}
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return literals{}
		}
		return literals{exact: []string{string(re.Rune)}}
	case syntax.OpCharClass:
		return literals{exact: members(re.Rune)}
	case syntax.OpCapture:
		return literalsOf(re.Sub[0])
	case syntax.OpQuest:
		if l := literalsOf(re.Sub[0]); l.exact != nil {
			return literals{exact: append(slices.Clip(l.exact), "")}
		}
	case syntax.OpPlus:
		return literals{need: literalsOf(re.Sub[0]).groups()}
	case syntax.OpRepeat:
		if re.Min > 0 {
			return literals{need: literalsOf(re.Sub[0]).groups()}
		}
	case syntax.OpConcat:
		return concatenated(re.Sub)
	case syntax.OpAlternate:
		return alternated(re.Sub)
	}
	return literals{}
}

// members are the characters of a small class.
func members(ranges []rune) []string {
	var out []string
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if len(out) == 8 {
				return nil
			}
			out = append(out, string(r))
		}
	}
	return out
}

func concatenated(parts []*syntax.Regexp) literals {
	var out literals
	run := []string{""}
	whole := true
	flush := func() {
		if g, ok := worthwhile(run); ok {
			out.need = append(out.need, g)
		}
		run, whole = []string{""}, false
	}
	for _, p := range parts {
		l := literalsOf(p)
		out.need = append(out.need, l.need...)
		switch {
		case l.exact == nil:
			flush()
		case len(run) == 1 || len(l.exact) == 1 || len(run)*len(l.exact) <= maxCross:
			run = crossed(run, l.exact)
		default:
			flush()
			run = l.exact
		}
	}
	if whole {
		return literals{exact: run, need: out.need}
	}
	flush()
	return out
}

func crossed(heads, tails []string) []string {
	out := make([]string, 0, len(heads)*len(tails))
	for _, h := range heads {
		for _, t := range tails {
			out = append(out, h+t)
		}
	}
	return out
}

// alternated has one group where every alternative has one: the group with the
// longest shortest literal of each.
func alternated(parts []*syntax.Regexp) literals {
	var exact, group []string
	allExact, allNeed := true, true
	for _, p := range parts {
		l := literalsOf(p)
		allExact = allExact && l.exact != nil
		exact = append(exact, l.exact...)
		best := bestGroup(l.groups())
		allNeed = allNeed && best != nil
		group = append(group, best...)
	}
	switch {
	case allExact && len(exact) <= maxExact:
		return literals{exact: exact}
	case allNeed:
		if g, ok := worthwhile(group); ok {
			return literals{need: [][]string{g}}
		}
	}
	return literals{}
}

func bestGroup(groups [][]string) []string {
	shortest := func(g []string) int {
		n := len(g[0])
		for _, w := range g {
			n = min(n, len(w))
		}
		return n
	}
	var best []string
	for _, g := range groups {
		if best == nil || shortest(g) > shortest(best) {
			best = g
		}
	}
	return best
}
