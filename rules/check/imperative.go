package check

import (
	"regexp"
	"strings"
)

var (
	firstWords = regexp.MustCompile(`(?i)^((?:do not|don't|dont|never|ever|always|only|also|at least|not|just) )*([\pL'-]+)(?:[,:]? (.*))?$`)
	finite     = regexp.MustCompile(`(?i)^[^",:]*\b(is|was|are|were|isn't|wasn't|aren't|does|doesn't|did|didn't|has|had|hasn't|seems?|looks?|sounds?|contains?|makes?|should|would|could)\b`)
	whenever   = regexp.MustCompile(`(?i) (?:when|whenever|if|unless|until|because|once) .*$`)
	nounTail   = regexp.MustCompile(`(?i)^(?:wrong|too|incomplete|incorrect|not|missing|broken|unclear|bad|poor|useless|off|outdated|irrelevant|inaccurate|confusing|vague|good|ok|okay|fine|great|perfect|helpful|unhelpful|nonsense|rubbish|garbage|mismatch|dead|never|doesn.?t|does|is|was|are|were|to (?:my|the|this) question|quality|has|have|had|seems?|looks?|did|didn.?t|could|should|would|lacks|failed|fails|given|provided|of\b|only partially|cut off|made|makes|gave|nie|non|não|niet|ne|n'|nicht|funktioniert|geht|werkt|funziona|funciona|no funciona|marche|kaputt|çalış\pL*)\b`)
	selfTalk   = regexp.MustCompile(`(?i)^(?:me|us|my|i)\b`)
)

// imperative is a sentence that begins with one of our verbs, and is no
// sentence about a noun of the same form.
func imperative(s string, polite bool) (string, bool) {
	if strings.HasSuffix(s, "?") {
		return "", false
	}
	if m := dontForget.FindStringSubmatch(s); m != nil {
		if a, ok := bareVerb(m[1]); ok {
			return a, true
		}
		return mention(m[1])
	}
	if m := makeSure.FindStringSubmatch(s); m != nil {
		return loose(m[1])
	}
	if m := lessOf.FindStringSubmatch(s); m != nil && usefully.MatchString(m[1]) && !finite.MatchString(s) {
		return s, true
	}
	if m := insteadOf.FindStringSubmatch(s); m != nil {
		return bareVerb(m[2] + " instead of " + m[1])
	}
	return bareVerb(s)
}

var (
	dontForget = regexp.MustCompile(`(?i)^(?:do not|don't|never|dont) forget (?:to |about )?(.+)$`)
	makeSure   = regexp.MustCompile(`(?i)^(?:make sure|be sure|ensure|remember|try|see to it|take care)(?: that)?(?: you| it| to| the (?:answers?|bot|assistant))* (.+)$`)
	lessOf     = regexp.MustCompile(`(?i)^(?:less|fewer|no more|more) (.+)$`)
	insteadOf  = regexp.MustCompile(`(?i)^instead of (.+?), (.+)$`)
)

var (
	answerIn = regexp.MustCompile(`(?i)^(?:the|your|an) (?:answer|reply|response) (?:in|as|with)\b|^(?:it|this|that|things|everything|steps) (?:in|as) (?:\pL+ ){0,4}?(?:words?|terms|sentences?|language|steps|table|list|bullets?|points|paragraphs?|english|german|french|spanish|writing|detail|order)\b`)
	// moment are errands: what one person wants done now.
	moment = regexp.MustCompile(`(?i)^(?:close|open|check|update|send|track|change|delete) (?:the |this |an? )?(?:tickets?|accounts?|orders?|status|subscription|chat|case|parcel|invoice)\b|\bmy (?:order|account|parcel|package|e-?mail|invoice|ticket|refund)|\bto me$|^make it stop|^use less$|\bto nowhere$`)
)

// bareVerb accepts s when it is a verb phrase that instructs.
func bareVerb(s string) (string, bool) {
	m := firstWords.FindStringSubmatch(s)
	if m == nil || hopeless.MatchString(s) {
		return "", false
	}
	adverbs, verb, rest := strings.ToLower(m[1]), strings.ToLower(m[2]), m[3]
	if w := sayAbout.FindStringSubmatch(rest); w != nil && !emptyThing.MatchString(w[1]) && reporting[verb] {
		return s, true
	}
	if reporting[verb] && adverbs != "not " && toldThem.MatchString(rest) {
		return s, true
	}
	switch {
	case !verbs[verb] || verb == "never" || verb == "always" || verb == "don't":
		return alwaysThing(adverbs, s, rest)
	case rest == "" && !(verb == "apologize" || verb == "apologise"):
		return "", false
	case ambiguous[verb] && (nounTail.MatchString(rest) || adverbs == "" && finite.MatchString(whenever.ReplaceAllString(s, ""))) && !(verb == "use" && strings.HasPrefix(strings.ToLower(rest), "only")):
		return "", false
	case strings.HasPrefix(rest, "of "), adverbs == "" && moment.MatchString(s):
		return "", false
	case adverbs == "not ":
		return "", false
	case verb == "be" && adverbs == "" && !qualities.MatchString(strings.ToLower(rest)):
		return "", false
	case selfTalk.MatchString(rest) && (verb != "call" && verb != "address" && verb != "ask" || strings.HasPrefix(strings.ToLower(rest), "my")) && !strings.Contains(adverbs, "never") && !strings.Contains(adverbs, "always") && !strings.Contains(adverbs, "do"):
		return "", false
	case uselessVP.MatchString(strings.TrimSpace(verb+" "+rest)) && !strings.Contains(adverbs, "never") && !strings.Contains(adverbs, "always"):
		return "", false
	case adverbs == "" && emptyThing.MatchString(rest) && !answerIn.MatchString(rest) && verb != "keep" && verb != "make" && verb != "start" && verb != "end" && verb != "begin" && verb != "cut" && verb != "limit" && verb != "write" && verb != "format" && verb != "shorten" && verb != "translate" && verb != "put":
		return "", false
	}
	return s, true
}

// sayAbout is "something about X", which says as much as X.
var sayAbout = regexp.MustCompile(`(?i)^(?:something|a word|a few words|a bit|a line|a sentence|a note|more|a little) (?:about|on|regarding) (.+)$`)

// toldThem is what people are to be told: "tell them to bring a passport".
var toldThem = regexp.MustCompile(`(?i)^(?:them|him|her|the (?:customer|user|guest|patient|caller|client|reader)s?) (?:not )?(?:to|that|about|how to|where to|when to|which|what) \pL{2,}`)

// alwaysThing is "always a link to X", "never emojis", "only bullet points".
func alwaysThing(adverbs, s, rest string) (string, bool) {
	if finite.MatchString(s) || rest == "" {
		return "", false
	}
	if strings.Contains(s, " same ") || strings.Contains(s, " wrong ") {
		return "", false
	}
	if strings.HasPrefix(adverbs, "always ") || strings.HasPrefix(adverbs, "never ") || strings.HasPrefix(adverbs, "only ") {
		tail := strings.TrimSpace(s[len(adverbs):])
		if thingFirst.MatchString(tail) && (holds.MatchString(tail) || usefully.MatchString(tail)) {
			return s, true
		}
	}
	return "", false
}

var thingFirst = regexp.MustCompile(`(?i)^(?:an?|the|in|with|as|no|any|bullet|emojis?|json|links?|full|short|long)\b`)
