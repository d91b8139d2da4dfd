package check

import (
	"regexp"
	"strings"
)

var (
	wishTo     = regexp.MustCompile(`(?i)^(?:i|we)(?:'d| would)? (?:really |also |just |rather |much |strongly |always |only )*(?:like|want|prefer|expect|wish|need|love|expected|wanted|like it if|prefer it if|love it if|appreciate it if|would like|would have liked|have liked|have preferred|ask|was hoping for|was expecting|would prefer)(?: for)? ` + subject + `(?: to| would| could| should)? (.+)$`)
	wishThat   = regexp.MustCompile(`(?i)^(?:i|we)(?:'d| would)? (?:wish|(?:like|prefer|love|appreciate) it (?:if|when)|like if|prefer if|hoped|expected|hope|want|was hoping|was expecting|were hoping|had hoped|thought)(?: that)? ` + subject + `(?: had| would have| would| could have| could| also)* (.+)$`)
	wishThing  = regexp.MustCompile(`(?i)^(?:i|we)(?:'d|'m|'re| am| are| would)? (?:really |also |just |rather |much |always |only |generally |usually |personally )*(?:like|rather have|rather see|rather get|love|prefer|want|expect|expected|wanted|have liked|have preferred|have loved|have expected|appreciate|have appreciated|was expecting|was hoping for|miss|missed|missing|am missing|would prefer|would like|need|was missing|were missing)(?: to (?:see|have|get|read|find|have seen))? (.+)$`)
	betterIf   = regexp.MustCompile(`(?i)^` + subject + `?(?:'d| would| might| could)(?: have)?(?: be| been)?(?: even| much| really| so| a lot)? ?(?:nice|nicer|good|better|great|helpful|more helpful|best|useful|more useful|cool|perfect|ideal|preferable|appreciated|help)(?: if ` + subject + `(?: also| had| would| could| always)*| to| when it| to have it) (.+)$`)
	betterWith = regexp.MustCompile(`(?i)^` + subject + `?(?:'d| would| might| could)(?: have)?(?: be| been)?(?: even| much| really)? ?(?:nice|nicer|good|better|great|helpful|more helpful|best|useful|more useful|easier to read|clearer)(?: to (?:have|see|get)| with) (.+)$`)
	asThing    = regexp.MustCompile(`(?i)^(?:i|we)(?:'d| would)? (?:prefer|like|rather have|have preferred) (?:the answers?|it|answers|repl(?:y|ies)|responses?)? ?(in|as|with|without) (.+)$`)
)

// wished is "I'd like you to mention X", "it would be better to say X", "I
// expected a link to X", "I prefer bullet points".
func wished(s string, _ bool) (string, bool) {
	if strings.HasSuffix(s, "?") {
		return "", false
	}
	if m := asThing.FindStringSubmatch(s); m != nil {
		return "answer " + strings.ToLower(m[1]) + " " + m[2], true
	}
	for _, re := range []*regexp.Regexp{wishThat, wishTo, betterIf} {
		if m := re.FindStringSubmatch(s); m != nil {
			if what, ok := strings.CutPrefix(m[1], "know "); ok && re == betterIf { // "it would be nice to know the fee"
				if clauseWord.MatchString(what) || personal.MatchString(what) {
					return "", false
				}
				return mention(what)
			}
			if a, ok := loose(m[1]); ok {
				return a, true
			}
		}
	}
	if m := betterWith.FindStringSubmatch(s); m != nil {
		return include(m[1], false)
	}
	if m := wishThing.FindStringSubmatch(s); m != nil && !praise.MatchString(s) {
		if aWord.MatchString(m[1]) {
			return mention(m[1])
		}
		if !holds.MatchString(m[1]) || strings.HasPrefix(strings.ToLower(m[1]), "to ") {
			return "", false
		}
		if prefers.MatchString(s) {
			return "prefer " + m[1], !emptyThing.MatchString(m[1])
		}
		return include(m[1], false)
	}
	return "", false
}

// loose makes an imperative of a verb phrase in base form or past tense.
func loose(vp string) (string, bool) {
	vp = looseHead.ReplaceAllStringFunc(vp, func(w string) string {
		if strings.HasPrefix(strings.ToLower(w), "not") {
			return "not "
		}
		return ""
	})
	verb, rest, _ := strings.Cut(vp, " ")
	low := strings.ToLower(verb)
	switch low {
	case "was", "were", "been":
		return verbPhrase("be "+rest, false)
	case "didn't", "did", "doesn't":
		rest = strings.TrimPrefix(rest, "not ")
		return verbPhrase(rest, true)
	case "always", "never", "not", "only", "also", "be":
		if b, _, _ := strings.Cut(rest, " "); low != "be" && !verbs[strings.ToLower(b)] && base(b) != "" {
			rest = base(b) + rest[len(b):]
		}
		return verbPhrase(strings.TrimSpace(low+" "+rest), false)
	}
	if verbs[low] {
		return verbPhrase(vp, false)
	}
	if b := base(low); b != "" {
		return verbPhrase(strings.TrimSpace(b+" "+rest), false)
	}
	if !holds.MatchString(vp) || nearWords.MatchString(vp) {
		return "", false
	}
	return include(vp, false)
}

var (
	praise    = regexp.MustCompile(`(?i)^(?:i|we) (?:really |just |also )*(?:like|love|appreciate) (?:the|your|this|that|these|those|how)\b`)
	prefers   = regexp.MustCompile(`(?i)\bprefer`)
	looseHead = regexp.MustCompile(`(?i)^(?:to|would|could|also|had|have|not to)\b ?`)
	nearWords = regexp.MustCompile(`(?i)^(?:in|as|by|on|at|now|today|tomorrow|until|before|after|asap|back|from|for|to|of)\b`)
	nounVerb  = regexp.MustCompile(`(?i)\b(is|was|are|were|does|than)\b`)
	beKind    = regexp.MustCompile(`(?i)^(?:formal|informal|concise|polite|friendly|technical|direct|specific|personal)\b`)
)

var (
	shorter  = regexp.MustCompile(`(?i)^(?:(?:a bit|a little|much|way) )?(shorter|longer|simpler|clearer|more|less|fewer|friendlier|no)(?: (.+))?$`)
	usefully = regexp.MustCompile(`(?i)\b(examples?|bullets?|bullet points?|emojis?|jargon|links?|words|sentences?|paragraphs?|detail|details|steps|sources?|marketing|apologies|formal|informal|concise|polite|friendly|answers?|repl(?:y|ies)|text|technical|tables?|exclamation marks?|lists?|headings|markdown|structure|small talk|abbreviations|repetition|direct|specific|specifics|personal|numbers|sales talk|filler|greeting|language|tone|wording|style)\b`)
)

// comparative is "shorter answers, please", "no emojis please", "more examples
// next time": it takes the please to make an instruction of it.
func comparative(s string, polite bool) (string, bool) {
	m := shorter.FindStringSubmatch(s)
	if m == nil || !polite || nounVerb.MatchString(s) {
		return "", false
	}
	word, rest := strings.ToLower(m[1]), m[2]
	switch {
	case word == "no":
		return "use no " + strings.TrimPrefix(rest, "more "), usefully.MatchString(rest)
	case rest == "" && word != "more" && word != "less" && word != "fewer":
		return "keep it " + word, true
	case style.MatchString(word + " " + rest):
		return "use " + word + " " + rest, true
	case usefully.MatchString(rest) && beKind.MatchString(rest):
		return "be " + word + " " + rest, true
	case usefully.MatchString(rest):
		return "give " + word + " " + rest, true
	}
	return "", false
}
