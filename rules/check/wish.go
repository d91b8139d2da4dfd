package check

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	wishTo     = regexp.MustCompile(`(?i)^(?:i|we)(?:'d| would)? (?:really |also |just |rather |much |strongly )*(?:like|want|prefer|expect|wish|need|love|expected|wanted|like it if|prefer it if|love it if|appreciate it if|would like|would have liked|have liked|have preferred|ask|was hoping for|was expecting|would prefer)(?: for)? (?:you|it|the (?:answers?|bot|assistant|repl(?:y|ies)|responses?)|answers|this|your (?:answers?|repl(?:y|ies)))(?: to| would| could| should)? (.+)$`)
	wishThat   = regexp.MustCompile(`(?i)^(?:i|we)(?:'d| would)? (?:wish|like it if|prefer it if|love it if|appreciate it if|like if|prefer if|hoped|expected|hope|want)(?: that)? (?:it|you|the (?:answers?|bot|assistant|repl(?:y|ies)|responses?)|this|answers)(?: had| would have| would| could have| could| also)* (.+)$`)
	wishThing  = regexp.MustCompile(`(?i)^(?:i|we)(?:'d| would)? (?:really |also |just |rather |much )*(?:like|love|prefer|want|expect|expected|wanted|have liked|have preferred|have loved|have expected|appreciate|have appreciated|was expecting|was hoping for|miss|missed|am missing|would prefer|would like|need|was missing|were missing)(?: to (?:see|have|get|read|find|have seen))? (.+)$`)
	betterIf   = regexp.MustCompile(`(?i)^(?:it|this|that|the answers?|answers)?(?:'d| would| might| could)(?: have)?(?: be| been)?(?: even| much| really| so| a lot)? ?(?:nice|nicer|good|better|great|helpful|more helpful|best|useful|more useful|cool|perfect|ideal|preferable|appreciated|help)(?: if (?:you|it|the (?:answers?|bot|assistant|repl(?:y|ies)|responses?)|answers)(?: also| had| would| could| always)*| to| when it| to have it) (.+)$`)
	betterWith = regexp.MustCompile(`(?i)^(?:it|this|that|the answers?|answers)?(?:'d| would| might| could)(?: have)?(?: be| been)?(?: even| much| really)? ?(?:nice|nicer|good|better|great|helpful|more helpful|best|useful|more useful|easier to read|clearer)(?: to (?:have|see|get)| with) (.+)$`)
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
			if a, ok := loose(m[1]); ok {
				return a, true
			}
		}
	}
	if m := betterWith.FindStringSubmatch(s); m != nil {
		return include(m[1], false)
	}
	if m := wishThing.FindStringSubmatch(s); m != nil {
		if !holds.MatchString(m[1]) || strings.HasPrefix(strings.ToLower(m[1]), "to ") {
			return "", false
		}
		if regexp.MustCompile(`(?i)\bprefer`).MatchString(s) {
			return "prefer " + m[1], !emptyThing.MatchString(m[1])
		}
		return include(m[1], false)
	}
	return "", false
}

// holds are noun phrases that name a part of an answer; "I want my parcel" has none.
var holds = regexp.MustCompile(`(?i)\b(links?|urls?|sources?|citations?|references?|examples?|steps?|step.by.step|bullet|bullets|list|lists|table|tables|numbers?|prices?|costs?|fees?|deadlines?|dates?|pages?|sections?|summary|summaries|explanations?|mention|details? (?:on|about|of)|instructions|contact|phone|e-?mail address|hours|policy|policies|warning|warnings|disclaimers?|screenshots?|code|sentences?|paragraphs?|words|shorter|short|brief|concise|longer|simpler|friendlier|formal|informal|polite|tone|language|german|english|french|spanish|format|json|greeting|sign.off|apology|alternatives?|options|comparison|units?|formula|definition|time ?frame|timeline|headings?|emojis?|names? of|addresses|conditions?|requirements|exceptions?|limits?|quotes?|percentages?|totals?|breakdown|note (?:on|about|that)|reminder|tips?|next steps?|overview|reasons? (?:for|why)|follow.up)\b`)

// loose makes an imperative of a verb phrase in base form or past tense.
func loose(vp string) (string, bool) {
	vp = regexp.MustCompile(`(?i)^(?:to|would|could|also|had|have|not to)\b ?`).ReplaceAllStringFunc(vp, func(w string) string {
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
	return include(vp, false)
}

var (
	forgotTo  = regexp.MustCompile(`(?i)^(?:you|it|they|the (?:bot|assistant|answers?|repl(?:y|ies)|responses?|ai)|this answer|answer|this|and|but)?(?: also| again| completely| still| just)* ?(?:forgot|forget|forgets|failed|fails|neglected|neglects|omitted|forgotten) to (\w+) (.+)$`)
	forgot    = regexp.MustCompile(`(?i)^(?:you|it|they|the (?:bot|assistant|answers?|repl(?:y|ies)|responses?|ai)|this answer|answer)(?: also| again| completely| still| just| have| has)* ?(?:forgot|forget|forgets|forgotten|omitted|omits|left out|leaves out|missed|misses|skipped|lacks)(?: about| mentioning| including| to mention)? (.+)$`)
	didNot    = regexp.MustCompile(`(?i)^(?:you|it|they|the (?:bot|assistant|answers?|repl(?:y|ies)|responses?|ai)|this answer|answer|this)?(?: also| again| still)* ?(?:(?:did|does|do|has|have)(?: not|n't)|never)(?: even| actually| really| once| at all| clearly| explicitly)* (mention|mentioned|include|included|list|listed|link to|linked to|name|point out|state|refer to|cite|cited|provide|provided|warn about|tell (?:me|people|the user|customers|users|the customer) about)(?: (?:any|anything about|the fact)\b)? ?(.+)$`)
	isMissing = regexp.MustCompile(`(?i)^(.{3,80}?) (?:(?:is|are|was|were) (?:also |still |completely )*(?:missing|not mentioned|not included|omitted|left out|not listed|never mentioned|absent)|(?:isn't|aren't|wasn't|weren't) (?:mentioned|included|listed))(?: (?:here|in the answer|from the answer|again|completely|in your answer))?$`)
	missing   = regexp.MustCompile(`(?i)^(?:missing|no mention of|nothing about|not a word about|no word about|lacks|lacking|there (?:is|was|are|were) (?:no|not any|nothing about)(?: mention of)?|there's no(?: mention of)?|no reference to|not mentioned:)[: ] ?(.+)$`)
)

// ordered is "do not mention X", which didNot would read as an omission.
var ordered = regexp.MustCompile(`(?i)^(?:please )?(?:do not|don't|dont|never)\b`)

// omitted is "you forgot the deadline", "no mention of X", "X is missing".
func omitted(s string, _ bool) (string, bool) {
	if strings.HasSuffix(s, "?") {
		return "", false
	}
	if m := forgotTo.FindStringSubmatch(s); m != nil {
		if !verbs[strings.ToLower(m[1])] || emptyThing.MatchString(m[2]) {
			return "", false
		}
		return verbPhrase(m[1]+" "+m[2], false)
	}
	if m := didNot.FindStringSubmatch(s); m != nil && !ordered.MatchString(s) {
		verb := strings.ToLower(m[1])
		switch {
		case strings.HasPrefix(verb, "link"):
			return "link to " + m[2], !emptyThing.MatchString(m[2])
		case strings.HasPrefix(verb, "warn"):
			return "warn about " + m[2], true
		case strings.HasPrefix(verb, "include"), strings.HasPrefix(verb, "provide"):
			return include(m[2], false)
		}
		return mention(m[2])
	}
	for _, re := range []*regexp.Regexp{forgot, missing} {
		if m := re.FindStringSubmatch(s); m != nil {
			return mention(m[1])
		}
	}
	if m := isMissing.FindStringSubmatch(s); m != nil {
		return mention(lowerFirst(m[1]))
	}
	return "", false
}

// mention is "Mention NP." where NP says something.
func mention(np string) (string, bool) {
	np = regexp.MustCompile(`(?i)^(?:any|to mention|mentioning) `).ReplaceAllString(strings.TrimSpace(np), "")
	np = regexp.MustCompile(`(?i) (?:at all|again|here|anywhere|either|in (?:the|your|this) (?:answer|reply|response))$`).ReplaceAllString(np, "")
	if emptyThing.MatchString(np) || len(strings.Fields(np)) > 25 || strings.Contains(np, " because ") {
		return "", false
	}
	if m := partOf.FindStringSubmatch(np); m != nil {
		if m[1] == "" {
			np = "a " + np
		}
		return "include " + np, true
	}
	return "mention " + np, true
}

// partOf finds what an answer has rather than mentions.
var partOf = regexp.MustCompile(`(?i)^(an? |the |any )?(?:links?|urls?|examples?|tables?|lists?|summary|greetings?|questions?|sources?|follow-up)\b`)

var (
	shorter  = regexp.MustCompile(`(?i)^(?:(?:a bit|a little|much|way) )?(shorter|longer|simpler|clearer|more|less|fewer|friendlier|no)(?: (.+))?$`)
	usefully = regexp.MustCompile(`(?i)\b(examples?|bullets?|bullet points?|emojis?|jargon|links?|words|sentences?|paragraphs?|detail|details|steps|sources?|marketing|apologies|formal|informal|concise|polite|friendly|answers?|repl(?:y|ies)|text|technical|tables?|exclamation marks?|lists?|headings|markdown|structure|small talk|abbreviations|repetition|direct|specific|specifics|personal|numbers|sales talk|filler|greeting)\b`)
)

// comparative is "shorter answers, please", "no emojis please", "more examples
// next time": it takes the please to make an instruction of it.
func comparative(s string, polite bool) (string, bool) {
	m := shorter.FindStringSubmatch(s)
	if m == nil || !polite || regexp.MustCompile(`(?i)\b(is|was|are|were|does|than)\b`).MatchString(s) {
		return "", false
	}
	word, rest := strings.ToLower(m[1]), m[2]
	switch {
	case word == "no":
		return "use no " + rest, usefully.MatchString(rest)
	case rest == "" && word != "more" && word != "less" && word != "fewer":
		return "keep it " + word, true
	case usefully.MatchString(rest) && regexp.MustCompile(`(?i)^(?:formal|informal|concise|polite|friendly|technical|direct|specific|personal)\b`).MatchString(rest):
		return "be " + word + " " + rest, true
	case usefully.MatchString(rest):
		return "give " + word + " " + rest, true
	}
	return "", false
}

func lowerFirst(s string) string {
	r := []rune(s)
	if len(r) > 1 && unicode.IsUpper(r[0]) && !unicode.IsUpper(r[1]) {
		if w, _, _ := strings.Cut(strings.ToLower(s), " "); functionWords[w] || w == "links" || w == "information" || len(w) < 3 {
			return strings.ToLower(string(r[0])) + string(r[1:])
		}
	}
	return s
}
