package check

import (
	"regexp"
	"strings"
)

// Compile makes checks of an action that is of a checkable kind, at most 8; nil
// when it is not. It reads English closely and prefers no check to a wrong one:
// an action that hangs on a condition ("unless …") gets none.
func Compile(action string) []Spec {
	action = strings.TrimSpace(clip(action, 4<<10))
	if c, ok := Replacement(action); ok && c.Now != "" {
		return c.checks()
	}
	unquoted := quotation.ReplaceAllString(action, ` "" `)
	if conditional.MatchString(unquoted) {
		return nil
	}
	var out []Spec
	for _, s := range sentences(action) {
		for _, clause := range clauses(s) {
			spec, ok := compileClause(clause)
			if ok && spec.Validate() == nil && len(out) < maxArgs {
				out = append(out, spec)
			}
		}
	}
	return out
}

// maxFreeWords is how many words of an action's own wording a checkable action may
// put into answers: a name or a formula, no message.
const maxFreeWords = 6

// Checkable reports whether an action is nothing but what checks see: lengths,
// formats, languages, cases, and short words to say or not to say. All that it does
// to answers can be read off its checks; free text is for a person to judge.
func Checkable(action string) bool {
	action = strings.TrimSpace(clip(action, 4<<10))
	if c, ok := Replacement(action); ok && c.Now != "" {
		action = c.Now
	}
	if action == "" || conditional.MatchString(quotation.ReplaceAllString(action, ` "" `)) {
		return false
	}
	for _, s := range sentences(action) {
		for _, clause := range clauses(s) {
			spec, ok := compileClause(clause)
			if !ok || spec.Validate() != nil || spec.Kind == KindRegex {
				return false
			}
			if spec.Kind == KindHas && spec.Args[0] != "emoji" && spec.Args[0] != "markdown" && spec.Args[0] != "number" && !spec.Not {
				return false // which link, phone or address is free text
			}
			if arguments[spec.Kind].of == nil && len(tokens(strings.Join(spec.Args, " "))) > maxFreeWords {
				return false
			}
		}
	}
	return true
}

// conditional finds what a check cannot see: when it holds, or a choice.
var conditional = regexp.MustCompile(`(?i)^(?:once|before|after)\b|\b(if|unless|when|whenever|except|until|depending|instead of|rather than|where|whether|in case|provided|while|as long as|even|so often|less often|more often|too often|(?:but|,) (?:not|only) (?:for|to|in|on|with)|unsure|wenn|falls|si|cuando|either)\b`)

// clauses splits "do X and do Y" where what follows "and" is a verb of ours.
func clauses(s string) []string {
	s = strings.TrimRight(strings.TrimSpace(s), ".!…;")
	var out []string
	for {
		m := andVerb.FindStringIndex(s)
		if m == nil || strings.Count(s[:m[0]], `"`)%2 == 1 {
			return append(out, s)
		}
		out = append(out, s[:m[0]])
		s = andWord.ReplaceAllString(s[m[0]:], "")
	}
}

var (
	andWord = regexp.MustCompile(`(?i)^,? (and|then|but|and then) `)
	andVerb = regexp.MustCompile(`(?i),? (and|then|but|and then) (always |never |also |do not |don't )?(mention|include|add|say|use|avoid|keep|begin|start|end|finish|close|answer|reply|respond|write|limit|ask|link|format|open|put|state) `)
)

// A former recognizes one form of clause; build gets the submatches.
type former struct {
	re    *regexp.Regexp
	build func(m []string, negative bool) (Spec, bool)
}

// compileClause tries the forms in order, on the clause without its adverbs.
func compileClause(clause string) (Spec, bool) {
	c := strings.Join(strings.Fields(strings.ReplaceAll(clause, "’", "'")), " ")
	c = translated(leadForeign.ReplaceAllString(c, ""))
	c = leadWords.ReplaceAllString(c, "")
	c = useNo.ReplaceAllString(c, "do not $1 ")
	negative := false
	for {
		rest := negation.ReplaceAllString(c, "")
		if rest == c {
			break
		}
		if hedged.MatchString(rest) {
			return Spec{}, false
		}
		negative, c = true, leadWords.ReplaceAllString(rest, "")
	}
	for _, f := range formers {
		if m := f.re.FindStringSubmatch(c); m != nil {
			return f.build(m, negative)
		}
	}
	return Spec{}, false
}

var (
	leadWords = regexp.MustCompile(`(?i)^((please|always|also|and|then|just|kindly|only|make sure to|be sure to|remember to|ensure to|ensure you|make sure you|try to) )+`)
	// leadForeign are adverbs that change nothing in the languages of translations.
	leadForeign = regexp.MustCompile(`(?i)^(?:(?:bitte|immer|s'il vous plaît|toujours|por favor|siempre),? )+`)
	negation    = regexp.MustCompile(`(?i)^(do not|don't|dont|never|must not|avoid|stop|refrain from|without|no longer|under no circumstances) (ever )?`)
)

// hedged prohibitions let through what they name: "do not always …", "don't just …".
var hedged = regexp.MustCompile(`(?i)^(?:always|only|just|simply)\b`)

var useNo = regexp.MustCompile(`(?i)^(use|write|include|add|give) no `)
