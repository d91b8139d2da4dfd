package learner

import (
	"regexp"
	"strings"

	"heed/rules"
	"heed/rules/check"
)

// condition cleans the condition that a person gave, so that it reads after
// "When". One that repeats the request word for word, or says nothing, gives way
// to the request's topic.
func condition(when, query string, known Frequencies) string {
	when = oneLine(when, rules.MaxAppliesWhenRunes)
	question := strings.HasSuffix(strings.TrimRight(when, " "), "?")
	when = strings.TrimRight(when, " .!?,;:")
	if when == "" || strings.EqualFold(when, strings.TrimRight(query, " .!?,;:")) || len(words(when)) >= quoteWords && quotes(when, query, quoteWords) {
		return Topic([]string{query}, known)
	}
	if question && asking.MatchString(when) {
		return oneLine("someone asks "+strings.ToLower(when[:1])+when[1:], rules.MaxAppliesWhenRunes)
	}
	when = clause(when)
	if when == "" {
		return Topic([]string{query}, known)
	}
	return oneLine(when, rules.MaxAppliesWhenRunes)
}

// clause makes a clause of what people write into the field "when does this
// apply": "questions about X", "for returns", "when someone …", "refunds". What is
// a clause already stays, also in other languages. "" when it says nothing.
func clause(when string) string {
	when = ornament.ReplaceAllString(when, "")
	if nothing.MatchString(when) {
		return ""
	}
	if c, ok := asComment(when); ok {
		return c
	}
	if rest := conjunction.ReplaceAllString(when, ""); rest != when {
		when = someone(rest)
		if c, ok := asComment("when " + when); ok {
			return c
		}
		return when
	}
	when = someone(when)
	if m := topical.FindStringSubmatch(when); m != nil {
		return "someone asks about " + m[1]
	}
	switch {
	case subject.MatchString(when) || verb.MatchString(when) && !askNouns.MatchString(when):
		if c, ok := asComment("when " + when); ok {
			return c
		}
		return when
	case participle.MatchString(when):
		return when
	case situation.MatchString(when):
		return "the request is " + when
	}
	if c, ok := asComment("for " + when); ok {
		return c
	}
	return "someone asks about " + when
}

// someone says "someone" for the person who wrote "I": others will be meant too.
func someone(when string) string {
	m := firstPerson.FindStringSubmatch(when)
	if m == nil {
		return when
	}
	say := map[string]string{"'m": "is", " am": "is", "'ve": "has", " have": "has"}[strings.ToLower(m[1])]
	if say == "" {
		say = strings.ToLower(strings.TrimSpace(m[1])) + "s"
	}
	return "someone " + say + when[len(m[0]):]
}

// asComment has check.AppliesWhen read the condition as if it began a comment. It
// must be read to its end.
func asComment(when string) (string, bool) {
	const then = "say so."
	c, rest, ok := check.AppliesWhen(when + ", " + then)
	return c, ok && rest == then
}

var (
	// ornament stands before a condition and adds nothing to it.
	ornament = regexp.MustCompile(`(?i)^(?:(?:only|just|solely|mainly|especially|always|please|this applies|applies|apply it|to be used|use it)[ ,:]+)+`)
	nothing  = regexp.MustCompile(`(?i)^(?:(?:when|if|where|wherever|whenever) )?(?:possible|needed|necessary|appropriate|relevant|applicable|sensible|in doubt|it (?:fits|applies|makes sense)|n/?a|none|yes|no|never|nothing|-+|not sure|(?:i )?don'?t know|idk|dunno|no idea|see above|same)$`)
	// asking are the words with which people ask.
	asking = regexp.MustCompile(`(?i)^(?:how|what|where|which|who|why|when|can|could|do|does|did|is|are|will|may|should) `)
	// conjunction begins a clause; what follows is one.
	conjunction = regexp.MustCompile(`(?i)^(?:when(?:ever)?|if|in case(?: that)?|as soon as|every time|each time|any ?time|wenn|falls|sobald|quand|lorsque|cuando) +(?:that )?`)
	// topical are forms that name a topic and end with it.
	topical     = regexp.MustCompile(`(?i)^(?:(?:for|on|in|with|to) )?(?:(?:all|any|every|the) )?(?:(?:questions?|requests?|queries|inquiries|complaints|tickets|messages|chats|topics|cases|issues|emails|anything|everything|conversations|answers|replies) )?(?:about|regarding|concerning|related to|relating to|to do with|around|in (?:the )?cases? of|when it comes to|with (?:regard|respect) to|as for|for|on) (?:the topics? (?:of )?)?(.+)$`)
	firstPerson = regexp.MustCompile(`(?i)^i('m|'ve| (?:am|have|ask|want|need|say|write|mention|order|return|buy|book|pay|use))\b`)
	// subject begins a clause in the languages that check reads.
	subject = regexp.MustCompile(`(?i)^(?:(?:some|any)(?:one|body)|people|persons?|users|customers|guests|clients|they|it|i|we|you|he|she|there|nobody|(?:the|a|an|this|that|their|our|my) (?:\pL+ )?(?:user|customer|guest|person|client|caller|question|request|message|topic|conversation|answer|agent|assistant|model|order|parcel|package|item|product|tool)s?|jemand|es|kunden|der|die|das|man|ein kunde|quelqu'un|on|l[ae'] ?\pL+|un client|il|alguien|un cliente|se|el|la|preguntan?) +\S|(?i)^it's `)
	// verb finds a verb that is no noun, after a first word.
	verb       = regexp.MustCompile(`(?i)^\S+ (?:\S+ ){0,5}?(?:is|are|was|were|isn't|aren't|has|have|had|hasn't|does|do|doesn't|don't|asks?|wants?|needs?|gets?|got|sends?|writes?|wrote|says?|said|mentions?|arrives?|arrived|complains?|tries|tried|can|can't|cannot|could|will|won't|would|should|must|goes|comes|seems?|looks|fails|failed|breaks|broke|bought|buys|uses|speaks)\b`)
	askNouns   = regexp.MustCompile(`(?i)^[^,;]{2,100}\b(?:questions|requests|queries|inquiries|complaints|tickets|issues)$`)
	participle = regexp.MustCompile(`(?i)^(?:asking|asked|talking|answering|replying|speaking|writing|dealing|discussing|explaining|describing|using|buying|ordering|returning|travelling|traveling|booking|paying|cancelling|canceling|comparing|recommending|quoting)\b`)
	situation  = regexp.MustCompile(`(?i)^(?:in|from|at|during|after|before|without|within|outside|by|under) \S`)
)
