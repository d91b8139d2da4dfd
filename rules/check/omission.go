package check

import (
	"regexp"
	"strings"
)

var (
	forgotTo  = regexp.MustCompile(`(?i)^(?:` + subject + `|answer|and|but)?(?: also| again| completely| still| just)* ?(?:forgot|forget|forgets|failed|fails|neglected|neglects|omitted|forgotten) to (\w+) (.+)$`)
	forgot    = regexp.MustCompile(`(?i)^(?:` + subject + `|answer)(?: also| again| completely| still| just| have| has)* ?(?:forgot|forget|forgets|forgotten|omitted|omits|left out|leaves out|missed|misses|skipped|lacks)(?: about| mentioning| including| to mention)? (.+)$`)
	didNot    = regexp.MustCompile(`(?i)^(?:` + subject + `|answer)?(?: also| again| still)* ?(?:(?:did|does|do|has|have)(?: not|n't)|never)(?: even| actually| really| once| at all| clearly| explicitly)* (mention(?:s|ed)?|include[sd]?|list(?:s|ed)?|link(?:s|ed)? to|names?|points? out|states?|refers? to|cite[sd]?|provide[sd]?|warn(?:s|ed)? about|t(?:ells?|old) (?:me|us|people|the user|customers|users|the customer) about|sa(?:ys?|id) (?:anything|a word) about)\b(?: (?:any|anything about|the fact)\b)? ?(.+)$`)
	isMissing = regexp.MustCompile(`(?i)^(.{3,80}?) (?:(?:is|are|was|were) (?:also |still |completely )*(?:missing|not mentioned|not included|omitted|left out|not listed|never mentioned|absent)|(?:isn't|aren't|wasn't|weren't) (?:mentioned|included|listed))(?: (?:here|in the answer|from the answer|again|completely|in your answer))?$`)
	missing   = regexp.MustCompile(`(?i)^(?:missing|no mention of|nothing about|not a word about|no word about|lacks|lacking|there(?:'s| is| was| are| were) (?:(?:no|not any) mention of|nothing about)|no reference to|(?:not|without) a (?:single )?word about|(?:it |this |the answer )?sa(?:ys|id) nothing about|without mentioning|not mentioned:) ?[:–-]? ?(.+)$`)
)

// ordered is "do not mention X", which didNot would read as an omission; "never
// mentions X" is one.
var ordered = regexp.MustCompile(`(?i)^(?:please )?(?:do not|don't|dont|never)\b`)

// thereIsNo is as often about the world ("there is no delivery on Sundays", "no need
// to apologize") as about the answer: only what answers alone have is missed in it.
var (
	thereIsNo = regexp.MustCompile(`(?i)^there(?:'s| is| was| are| were) (?:no|not any) (.+)$`)
	ofAnswers = regexp.MustCompile(`(?i)^(?:(?:direct|clear|short|brief|real|concrete|working|single) )*(?:links?|urls?|examples?|sources?|citations?|references?|explanations?|summar(?:y|ies)|instructions|steps|lists?|tables?|bullet points|headings|greetings?|disclaimers?|follow-up|comparisons?|definitions?)\b| (?:here|in (?:the|your|this) (?:answer|reply|response))$`)
)

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
	if m := didNot.FindStringSubmatch(s); m != nil && (!ordered.MatchString(s) || neverDid(s, m[1])) {
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
	if m := thereIsNo.FindStringSubmatch(s); m != nil && ofAnswers.MatchString(m[1]) {
		return mention(m[1])
	}
	for _, re := range []*regexp.Regexp{forgot, missing} {
		if m := re.FindStringSubmatch(s); m != nil && (re != forgot || !mine.MatchString(m[1])) {
			return mention(m[1])
		}
	}
	if m := isMissing.FindStringSubmatch(s); m != nil && !mine.MatchString(m[1]) {
		return mention(lowerFirst(m[1]))
	}
	return "", false
}

// mine is what a person lacks in the world: "my card is missing", "you forgot my
// discount".
var mine = regexp.MustCompile(`(?i)^(?:my|mine)\b`)

// neverDid says whether "never" is followed by a form of the verb that tells what
// happened: "never mentions", but not "never mention".
func neverDid(s, verb string) bool {
	first, _, _ := strings.Cut(strings.ToLower(verb), " ")
	return strings.HasPrefix(strings.ToLower(s), "never") && !verbs[first]
}

var (
	needs    = regexp.MustCompile(`(?i)^(?:` + subject + ` )?(?:(?:also|really|still|just|clearly) )*(?:needs?|could do with|could use|can use|requires?|lacks|is lacking|wants|is missing|are missing) (.+)$`)
	wouldAid = regexp.MustCompile(`(?i)^(.{3,100}?) (?:would|might|could)(?: really| also| certainly)* (?:help|(?:be|have been)(?: really| very| more| so)* (?:nice|good|great|helpful|useful|better|appreciated|welcome|perfect|handy))(?: here| too)?$`)
	worth    = regexp.MustCompile(`(?i)^(?:it(?:'s| is| would be|'d be| might be| may be| could be) |(?:would|might|may|could) be )?(?:(?:probably|also|well|always|maybe) )*(?:worth|better(?: to)?|best(?: to)?) (\pL+)(?: (.+))$`)
	aWord    = regexp.MustCompile(`(?i)^(?:(?:an?|the|some|short|brief|quick|little) )*(?:words?|mention|hints?|notes?|lines?|sentences?|remarks?|bits?|part) (?:about|on|of) `)
)

// lacking is what the answer needs: "needs a link", "could do with an example",
// "a word about X would be good", "worth mentioning X".
func lacking(s string, _ bool) (string, bool) {
	if strings.HasSuffix(s, "?") {
		return "", false
	}
	for _, re := range []*regexp.Regexp{needs, wouldAid} {
		m := re.FindStringSubmatch(s)
		switch {
		case m == nil || strings.HasPrefix(strings.ToLower(m[1]), "to ") || re == needs && people.MatchString(s):
		case aWord.MatchString(m[1]):
			return mention(m[1])
		case parts.MatchString(m[1]) && !finite.MatchString(m[1]):
			return include(lowerFirst(m[1]), false)
		}
	}
	if m := worth.FindStringSubmatch(s); m != nil {
		if b := base(m[1]); b != "" && b != "be" {
			return bareVerb(b + " " + m[2])
		}
	}
	return "", false
}

// people need things of their own.
var people = regexp.MustCompile(`(?i)^(?:you|we|they)\b`)

var (
	whereIs  = regexp.MustCompile(`(?i)^(?:and |but |so )?where(?:'s| is| are| was| were) (?:the|your|our|any|an?) (.+?)\??$`)
	whyNot   = regexp.MustCompile(`(?i)^(?:and |but )?(?:why (?:is there |are there )?no|why not a(?:ny)?) (?:mention of |word about )?(.+?)\??$`)
	whyDid   = regexp.MustCompile(`(?i)^(?:and |but )?why (?:did|does|do|is|has|have)(?:n't| not)? ` + subject + `(?: not)? (\pL+) (.+?)\??$`)
	howOf    = regexp.MustCompile(`(?i)^(?:so |and )?(?:how|what) about (\pL+ing) (.+?)\??$`)
	whyVerb  = regexp.MustCompile(`(?i)^(?:so |and )?why (?:not|don't you|doesn't it|don't we) (\pL+) (.+?)\??$`)
	personal = regexp.MustCompile(`(?i)\b(?:my|mine|me|i|our)\b|^(?:refund|order|parcel|package|delivery|money|answer|logic|rest|point|sense|human|help|problem|number of)\b|\b(?:order|parcel|package|delivery|money|refund)$`)
)

// asked reads questions that are no questions: "where is the disclaimer?", "why
// no mention of X?", "how about adding X?". What a person misses in the answer
// is a part of an answer, never their parcel.
func asked(s string) (string, bool) {
	if m := whereIs.FindStringSubmatch(s); m != nil && !personal.MatchString(m[1]) && (parts.MatchString(m[1]) || aWord.MatchString(m[1])) {
		if strings.HasPrefix(strings.ToLower(m[1]), "link") {
			return "include a " + m[1], true
		}
		if aWord.MatchString(m[1]) {
			return mention(m[1])
		}
		return mention("the " + m[1])
	}
	if m := whyNot.FindStringSubmatch(s); m != nil && !personal.MatchString(m[1]) && (parts.MatchString(m[1]) || strings.Contains(strings.ToLower(s), "mention")) {
		return mention(m[1])
	}
	for _, re := range []*regexp.Regexp{howOf, whyVerb, whyDid} {
		m := re.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		b := base(m[1])
		if !reporting[b] || personal.MatchString(m[2]) || re == whyDid && !notWord.MatchString(s) {
			return "", false
		}
		return bareVerb(b + " " + m[2])
	}
	return "", false
}
