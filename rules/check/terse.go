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
	inForm    = regexp.MustCompile(`(?i)^(?:in|as|with|without) (?:(?:an?|the|only|just|no|any|more|clear|short|simple|plain|full|lower|upper|all|iso|metric|si|your|exact|concrete|numbered|bullet|code) )*(?:words?|terms|sentences?|language|steps?|tables?|lists?|bullets?|points|paragraphs?|json|code|blocks?|headings?|digits|units|format|case|letters|caps|capitals|text|examples?|links?|sources?|citations?|references?|emojis?|jargon|markdown|abbreviations|disclaimers?|apologies|euros?|dollars|pounds|cents|francs|miles|feet|inches|ounces|lit(?:er|re)s|gallons|hours|minutes|percent|(?:kilo)?met(?:er|re)s|kilomet(?:er|re)s|celsius|fahrenheit|(?:kilo)?grams|local time|utc|prose|details?|(?:format|form) \S+)$`)
	plainText = regexp.MustCompile(`(?i)^(?:only |just )?plain text(?: only)?$`)
	limitOnly = regexp.MustCompile(`(?i)^(?:(?:in|with|of) )?((?:max\.?|maximum|at most|no more than|not more than|(?:no|not) longer than|up to|under|below|less than|fewer than|at least|min\.?|minimum|exactly) ` + numberExpr + ` ` + unitExpr + `|` + numberExpr + ` ` + unitExpr + ` (?:max\.?|maximum|at most|or less|or fewer))(?: per answer)?$`)

	// unwanted things are never missed: "no emojis" forbids them, "no sources" complains.
	unwanted = regexp.MustCompile(`(?i)^(?:(?:silly|annoying|long|fancy|unnecessary|technical|marketing|corporate|legal) )*(?:emojis?|emoticons?|smileys?|jargon|small ?talk|chit.?chat|markdown|sales (?:talk|pitch)|marketing(?: talk| speak)?|filler(?: words)?|fluff|slang|abbreviations|acronyms|buzzwords|exclamation (?:marks|points)|apologi[sz]ing|jokes|sarcasm|puns|swearing|nicknames|legalese|repetitions?|repeating|flattery|hashtags|anglicisms|platitudes|pleasantries|preamble|long (?:sentences|paragraphs|answers|lists|words|intros)|walls? of text|technical terms|terms|advertising|speculation|guessing|moralizing|lecturing|introductions?|disclaimers)(?: (?:in|at|any ?more|again|whatsoever|here)\b.*)?$`)
	// unneeded are parts of an answer that somebody can do without.
	unneeded = regexp.MustCompile(`(?i)^(?:an? |the |your |these |those )?(?:links?|urls?|examples?|sources|tables?|lists?|bullet points|bullets|headings?|warnings?|summar(?:y|ies)|introductions?|greetings?|code|explanations|advice|recommendations|ads|apologies|bold text|italics|disclaimers?)(?: (?:in|at)\b.*)?$`)

	noneOf    = regexp.MustCompile(`(?i)^(?:no|without|zero) (more )?(?:of (?:the|these|those) |any )?(.+)$`)
	dontWant  = regexp.MustCompile(`(?i)^(?:i|we) (?:do not|don't|dont|never) (?:really |ever )*(?:want|need|like|wish|care for)(?: to (?:see|have|get|read|hear))?(?: any| all these| all the| so many)? (.+)$`)
	hates     = regexp.MustCompile(`(?i)^(?:i|we)(?:'m| am| are)? (?:really )?(?:hate|dislike|can't stand|cannot stand|tired of|sick of)(?: all these| all the| any)? (.+)$`)
	whenYou   = regexp.MustCompile(`(?i)^(?:it (?:when|if) |when |that )?(?:you|it|the bot|the assistant|answers)(?: to)? (.+)$`)
	wants     = regexp.MustCompile(`(?i)^(?:i|we)(?:'d| would)? (?:really |also |just |much |always |only |generally |usually |strongly )*(?:like|love|prefer|want|need|expect|wish|rather have|appreciate|would like)(?: to (?:see|have|get|read|find))?(?: (?:the|all|your|my|every|an?|these|each))?(?: (answers?|repl(?:y|ies)|responses?|it|this|that|things|everything|explanations?|` + valueNouns + `))? (.+)$`)
	givesMe   = regexp.MustCompile(`(?i)^(?:(?:just|only|always) )?(?:give|show|send|write)(?: it)?(?: to)? (?:me|us)(?: (?:the |your |all )*(?:answers?|repl(?:y|ies)|everything))? (.+)$`)
	answersMe = regexp.MustCompile(`(?i)^((?:(?:do not|don't|dont|never|always|only|just) )?(?:answer|reply|respond|write|talk|speak|explain))(?: to| with| it to)? (?:me|us) ((?:in|as|with|without|more|less|using|only) .+|briefly|politely|formally|informally|concisely)$`)
	shouldBe  = regexp.MustCompile(`(?i)^(?:all |the |any )*(` + valueNouns + `) (?:should|must|need to|have to|ought to)(?: always| only)* be(?: always| only| given| written| shown)* (.+)$`)
	possible  = regexp.MustCompile(`(?i)^(?:would it be|is it|could it be|is there a way)(?: also)?(?: possible)?(?: for you)? (?:to|that you) (?:(?:get|have|see) (?:(?:the|all) )*(answers?|it|everything|` + valueNouns + `)|((?:always )?(?:answer|reply|respond|write|use|mention|avoid|shorten|summari[sz]e))) (.+)$`)
	toneIs    = regexp.MustCompile(`(?i)^(?:the |your )?(?:tone|style|language|wording) (?:should|must|needs to|has to|could) (not )?(?:always )?(be .+)$`)
	notSo     = regexp.MustCompile(`(?i)^not (?:so|that|too) (many|much) (.+)$`)
	toBe      = regexp.MustCompile(`(?i)^(?:i|we)(?:'d| would)? (do not |don't |dont |never )?(?:really |always |rather |like |want |prefer |wish |expect )+(not )?to be (called|addressed|greeted|asked|reminded) (.+)$`)
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
	if m := toBe.FindStringSubmatch(s); m != nil {
		if a := base(m[3]) + " me " + m[4]; !hopeless.MatchString(a) {
			return map[bool]string{true: "do not "}[m[1]+m[2] != ""] + a, true
		}
		return "", false
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
	if m := toneIs.FindStringSubmatch(s); m != nil {
		return verbPhrase(m[2], m[1] != "")
	}
	if m := notSo.FindStringSubmatch(s); m != nil && polite && usefully.MatchString(m[2]) {
		return "use " + map[bool]string{true: "fewer ", false: "less "}[strings.EqualFold(m[1], "many")] + m[2], true
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

var determined = regexp.MustCompile(`(?i)^(?:the|your|these|those|an?) `)

var notDone = regexp.MustCompile(`(?i)^(?:do(?:es)? not|did not|\pL+n't|never)\b`)

// forbid makes a prohibition of what somebody does not want.
func forbid(np string) (string, bool) {
	np = strings.TrimSpace(nowhere.ReplaceAllString(np, ""))
	if m := whenYou.FindStringSubmatch(np); m != nil {
		verb, rest, _ := strings.Cut(m[1], " ")
		if b := base(verb); b != "" && !notDone.MatchString(m[1]) { // "when you don't mention it" is an omission
			return verbPhrase(strings.TrimSpace(b+" "+rest), true)
		}
		return "", false
	}
	plain := determined.ReplaceAllString(np, "")
	first, _, _ := strings.Cut(plain, " ")
	switch {
	case unwanted.MatchString(plain) && strings.HasSuffix(first, "ing") && !strings.HasPrefix(first, "market"):
		return "avoid " + plain, true
	case unwanted.MatchString(plain):
		return "use no " + plain, true
	case bareFormat.MatchString(np), unneeded.MatchString(np):
		return include(np, true)
	}
	return "", false
}
