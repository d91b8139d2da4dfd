package check

import (
	"regexp"
	"strings"
)

// formatNoun are formats that an answer as a whole can have.
const formatNoun = `(?:bullets|bullet points|bullet(?:ed)? lists?|bullet point lists?|numbered lists?|numbered steps|tables?|code blocks?|headings|json)`

// valueNouns are what an answer gives in one form or another.
const valueNouns = `(?:prices|costs|dates|numbers|amounts|times|units|temperatures|distances|weights|measurements|quantities|figures|sums|totals)`

var (
	// bareFormat is a format and no more than that: "a table", not "the tariff table".
	bareFormat = regexp.MustCompile(`(?i)^(?:an? |more |only )?(?:short |simple |clear |plain )*` + formatNoun + `(?: (?:instead of|rather than|and not|not|only|instead|everywhere|always|format)\b.*)?$`)
	inLanguage = regexp.MustCompile(`(?i)^(?:in )?(?:plain |simple |proper )?(\pL+)$`)
	// inForm is how it can be answered: "with sources", "as a table", "in short sentences".
	inForm    = regexp.MustCompile(`(?i)^(?:in|as|with|without) (?:(?:an?|the|only|just|no|any|more|clear|short|simple|plain|full|lower|upper|all|iso|metric|si|your|exact|concrete|numbered|bullet|code) )*(?:words?|terms|sentences?|language|steps?|tables?|lists?|bullets?|points|paragraphs?|json|code|blocks?|headings?|digits|units|format|case|letters|caps|capitals|text|examples?|links?|sources?|citations?|references?|emojis?|jargon|markdown|abbreviations|disclaimers?|apologies|euros?|dollars|pounds|(?:kilo)?met(?:er|re)s|kilomet(?:er|re)s|celsius|fahrenheit|(?:kilo)?grams|local time|utc|prose|details?|(?:format|form) \S+)$`)
	plainText = regexp.MustCompile(`(?i)^(?:only |just )?plain text(?: only)?$`)
	limitOnly = regexp.MustCompile(`(?i)^(?:(?:in|with|of) )?((?:max\.?|maximum|at most|no more than|not more than|(?:no|not) longer than|up to|under|below|less than|fewer than|at least|min\.?|minimum|exactly) ` + numberExpr + ` ` + unitExpr + `|` + numberExpr + ` ` + unitExpr + ` (?:max\.?|maximum|at most|or less|or fewer))(?: per answer)?$`)

	// unwanted things are never missed: "no emojis" forbids them, "no sources" complains.
	unwanted = regexp.MustCompile(`(?i)^(?:(?:silly|annoying|long|fancy|unnecessary|technical|marketing|corporate|legal) )*(?:emojis?|emoticons?|smileys?|jargon|small ?talk|chit.?chat|markdown|sales (?:talk|pitch)|marketing(?: talk| speak)?|filler(?: words)?|fluff|slang|abbreviations|acronyms|buzzwords|exclamation (?:marks|points)|apologi[sz]ing|jokes|sarcasm|puns|swearing|nicknames|legalese|repetitions?|repeating|flattery|hashtags|anglicisms|platitudes|pleasantries|preamble|long (?:sentences|paragraphs|answers|lists|words|intros)|walls? of text|technical terms|terms|advertising|speculation|guessing|moralizing|lecturing|introductions?|disclaimers)(?: (?:in|at|any ?more|again|whatsoever|here)\b.*)?$`)
	// unneeded are parts of an answer that somebody can do without.
	unneeded = regexp.MustCompile(`(?i)^(?:links?|urls?|examples?|sources|tables?|lists?|bullet points|bullets|headings?|warnings?|summar(?:y|ies)|introductions?|greetings?|code|explanations|advice|recommendations|ads|apologies|bold text|italics|disclaimers?)(?: (?:in|at)\b.*)?$`)

	noneOf    = regexp.MustCompile(`(?i)^(?:no|without|zero) (more )?(?:of (?:the|these|those) |any )?(.+)$`)
	dontWant  = regexp.MustCompile(`(?i)^(?:i|we) (?:do not|don't|dont|never) (?:really |ever )*(?:want|need|like|wish|care for)(?: to (?:see|have|get|read|hear))?(?: any| all these| all the| the| so many| these| your| an?)? (.+)$`)
	hates     = regexp.MustCompile(`(?i)^(?:i|we)(?:'m| am| are)? (?:really )?(?:hate|dislike|can't stand|cannot stand|tired of|sick of)(?: all these| all the| the| these| your| those| any)? (.+)$`)
	whenYou   = regexp.MustCompile(`(?i)^(?:it (?:when|if) |when |that )?(?:you|it|the bot|the assistant|answers)(?: to)? (.+)$`)
	wants     = regexp.MustCompile(`(?i)^(?:i|we)(?:'d| would)? (?:really |also |just |much |always |only |generally |usually |strongly )*(?:like|love|prefer|want|need|expect|wish|rather have|appreciate|would like)(?: to (?:see|have|get|read|find))?(?: (?:the|all|your|my|every|an?|these|each))?(?: (answers?|repl(?:y|ies)|responses?|it|this|that|things|everything|explanations?|` + valueNouns + `))? (.+)$`)
	givesMe   = regexp.MustCompile(`(?i)^(?:(?:just|only|always) )?(?:give|show|send|write)(?: it)?(?: to)? (?:me|us)(?: (?:the |your |all )*(?:answers?|repl(?:y|ies)|everything))? (.+)$`)
	answersMe = regexp.MustCompile(`(?i)^((?:(?:do not|don't|dont|never|always|only|just) )?(?:answer|reply|respond|write|talk|speak|explain))(?: to| with| it to)? (?:me|us) ((?:in|as|with|without|more|less|using|only) .+|briefly|politely|formally|informally|concisely)$`)
	shouldBe  = regexp.MustCompile(`(?i)^(?:all |the |any )*(` + valueNouns + `) (?:should|must|need to|have to|ought to)(?: always| only)* be(?: always| only| given| written| shown)* (.+)$`)
	possible  = regexp.MustCompile(`(?i)^(?:would it be|is it|could it be|is there a way)(?: also)?(?: possible)?(?: for you)? (?:to|that you) (?:(?:get|have|see) (?:(?:the|all) )*(answers?|it|everything|` + valueNouns + `)|((?:always )?(?:answer|reply|respond|write|use|mention|avoid|shorten|summari[sz]e))) (.+)$`)
	howAbout  = regexp.MustCompile(`(?i)^(?:how|what) about (?:using )?(.+?)\??$`)
	onlyThis  = regexp.MustCompile(`(?i)^(?:only |just )?(.+?)(?: only)?$`)
)

// terse is a wish whose verb says nothing, or that has none: "English only, please",
// "no emojis!", "max 3 sentences", "I always want answers in German", "I don't want
// any emojis", "answer me in German". polite says that somebody asked or exclaimed.
func terse(s string, polite bool) (string, bool) {
	s = strings.TrimRight(s, " ?")
	if a, ok := noun(s, polite); ok {
		return a, true
	}
	if m := noneOf.FindStringSubmatch(s); m != nil && (unwanted.MatchString(m[2]) || (m[1] != "" || polite) && unneeded.MatchString(m[2])) {
		return forbid(m[2])
	}
	for _, re := range []*regexp.Regexp{dontWant, hates} {
		if m := re.FindStringSubmatch(s); m != nil {
			return forbid(m[1])
		}
	}
	if m := answersMe.FindStringSubmatch(s); m != nil {
		return bareVerb(m[1] + " " + m[2])
	}
	if m := givesMe.FindStringSubmatch(s); m != nil {
		if a, ok := answerAs("", m[1]); ok {
			return a, true
		}
		if bareFormat.MatchString(m[1]) || comparison.MatchString(m[1]) {
			return include(m[1], false)
		}
	}
	if m := possible.FindStringSubmatch(s); m != nil {
		if m[2] != "" {
			return bareVerb(m[2] + " " + m[3])
		}
		return answerAs(m[1], m[3])
	}
	if m := shouldBe.FindStringSubmatch(s); m != nil {
		return answerAs(strings.ToLower(m[1]), m[2])
	}
	if m := wants.FindStringSubmatch(s); m != nil {
		return answerAs(m[1], m[2])
	}
	return "", false
}

// noun is a wish of one noun: a limit, a format or a language.
func noun(s string, polite bool) (string, bool) {
	if m := limitOnly.FindStringSubmatch(s); m != nil {
		return "answer in " + m[1], true
	}
	if m := howAbout.FindStringSubmatch(s); m != nil && bareFormat.MatchString(m[1]) {
		return include(m[1], false)
	}
	what := onlyThis.FindStringSubmatch(s)[1]
	only := len(what) < len(s)
	switch m := inLanguage.FindStringSubmatch(what); {
	case plainText.MatchString(s):
		return "answer in plain text", true
	case !polite:
		return "", false
	case m != nil && languageNames[strings.ToLower(m[1])] != "" && (only || m[1] != what || capitalize(m[1]) == m[1]):
		return "answer in " + strings.TrimPrefix(lowerIn.ReplaceAllString(what, ""), " "), true
	case bareFormat.MatchString(what):
		return include(what, false)
	}
	return "", false
}

var lowerIn = regexp.MustCompile(`(?i)^in `)

// answerAs is how what is asked for is to be given: an answer, or a value of it.
func answerAs(what, how string) (string, bool) {
	m := inLanguage.FindStringSubmatch(how)
	tongue := m != nil && lowerIn.MatchString(how) && languageNames[strings.ToLower(m[1])] != ""
	limit := limitOnly.FindStringSubmatch(how)
	switch {
	case values.MatchString(what) && (inForm.MatchString(how) || limit != nil):
		return "give " + what + " " + how, true
	case values.MatchString(what):
		return "", false
	case limit != nil:
		return "answer in " + limit[1], true
	case tongue || inForm.MatchString(how):
		return "answer " + how, true
	}
	return "", false
}

var values = regexp.MustCompile(`(?i)^` + valueNouns + `$`)

// forbid makes a prohibition of what somebody does not want.
func forbid(np string) (string, bool) {
	np = strings.TrimSpace(nowhere.ReplaceAllString(np, ""))
	if m := whenYou.FindStringSubmatch(np); m != nil {
		verb, rest, _ := strings.Cut(m[1], " ")
		if b := base(verb); b != "" {
			return verbPhrase(strings.TrimSpace(b+" "+rest), true)
		}
		return "", false
	}
	first, _, _ := strings.Cut(np, " ")
	switch {
	case unwanted.MatchString(np) && strings.HasSuffix(first, "ing") && !strings.HasPrefix(first, "market"):
		return "avoid " + np, true
	case unwanted.MatchString(np):
		return "use no " + np, true
	case bareFormat.MatchString(np), unneeded.MatchString(np):
		return include(np, true)
	}
	return "", false
}
