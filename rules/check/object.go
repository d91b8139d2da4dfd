package check

import (
	"regexp"
	"strings"
)

// include is "Include NP." or its negation for a noun phrase that names
// something an answer can hold.
func include(np string, negative bool) (string, bool) {
	np = strings.TrimSpace(strings.TrimRight(np, " .,!?"))
	if emptyThing.MatchString(np) || len(strings.Fields(np)) > 30 {
		return "", false
	}
	if bareFormat.MatchString(np) {
		return asFormat(np, negative), true
	}
	if style.MatchString(np) && !negative {
		return "use " + np, true
	}
	if negative || noThing.MatchString(np) {
		return "do not include " + noAny.ReplaceAllString(np, ""), true
	}
	if comparison.MatchString(np) {
		return "give " + np, true
	}
	return "include " + np, true
}

// asFormat is to use a format: who reads "include bullet points" may name them.
func asFormat(np string, negative bool) string {
	if negative {
		return "do not use " + np
	}
	if oneFormat.MatchString(np) {
		np = "a " + np
	}
	return "use " + np
}

// style is what an answer has from its first word to its last.
var style = regexp.MustCompile(`(?i)^(?:an? |more )?(?:\pL+ ){1,3}(?:tone|style|language|wording|units|sentences|paragraphs|words)$`)

var oneFormat = regexp.MustCompile(`(?i)^(?:(?:short|simple|clear|plain) )*(?:table|(?:bullet(?:ed)?|bullet point|numbered) list|code block)\b`)

var comparison = regexp.MustCompile(`(?i)^(?:(?:shorter|longer|simpler|clearer|more|less|fewer|friendlier)\b|(?:short|brief|concise|simple|formal|informal) (?:answers?|repl(?:y|ies)|responses?|explanations?)$)`)

// emptyThing finds objects that say nothing: "an answer", "the point", "it".
var emptyThing = regexp.MustCompile(`(?i)^(?:(?:the|a|an|my|any|some|more|much|enough|all|no|actual|real|right|correct|better|good|proper|useful|helpful|relevant|important|key|basic|full|complete|clear|whole|most|main|necessary|required|crucial|critical|needed|specific|further|additional|certain|part of the|half of the|to|straight|simple|most of the|half the) )*(?:answers?|questions?|point|points|info|information|everything|anything|something|nothing|it|this|that|them|context|details?|mark|boat|help|support|solution|results?|responses?|repl(?:y|ies)|content|data|facts?|way|idea|reason|sense|things?|stuff|refund|money|human|person|agent|job|work|order|package|parcel|quality|intent|task|topic|subject|me|us|what i (?:asked|wanted|need(?:ed)?|said|meant|was looking for)|what (?:was|is) asked|how to (?:answer|help)|accuracy|clarity|(?:any|every|some|no)thing .*|depth|effort|substance|mistakes?|errors?|problem|my (?:order|name|account|question|problem|issue|case)|one|ones|why|issue|mind)(?:$|[,.!?]| (?:to|for|about|on|in|of|i|at|that|here|entirely|completely|again|back|from|is|was|as)\b)`)

// holds are noun phrases that name a part of an answer; "I want my parcel" has none.
var holds = regexp.MustCompile(`(?i)\b(links?|urls?|sources?|citations?|references?|examples?|steps?|step.by.step|bullet|bullets|list|lists|table|tables|numbers?|prices?|costs?|fees?|deadlines?|dates?|pages?|sections?|summary|summaries|explanations?|mention|details? (?:on|about|of)|instructions|contact|phone|e-?mail address|hours|policy|policies|warning|warnings|disclaimers?|screenshots?|code|sentences?|paragraphs?|words|shorter|short|brief|concise|longer|simpler|friendlier|formal|informal|polite|tone|language|german|english|french|spanish|format|json|greeting|sign.off|apology|alternatives?|options|comparison|units?|formula|definition|time ?frame|timeline|headings?|emojis?|names? of|addresses|conditions?|requirements|exceptions?|limits?|quotes?|percentages?|totals?|breakdown|note (?:on|about|that)|reminder|tips?|next steps?|overview|reasons? (?:for|why)|follow.up)\b`)

// mention is "Mention NP." where NP says something.
func mention(np string) (string, bool) {
	np = mentioning.ReplaceAllString(strings.Trim(np, " -–—:"), "")
	np = nowhere.ReplaceAllString(np, "")
	if emptyThing.MatchString(np) || len(strings.Fields(np)) > 25 || strings.Contains(np, " because ") {
		return "", false
	}
	if what := strings.TrimPrefix(np, "the "); bareFormat.MatchString(what) {
		return asFormat(what, false), true
	}
	if m := partOf.FindStringSubmatch(np); m != nil {
		switch one := strings.ToLower(m[2]); {
		case m[1] != "" || strings.HasSuffix(one, "s"):
		case one == "example":
			np = "an " + np
		default:
			np = "a " + np
		}
		return "include " + np, true
	}
	return "mention " + np, true
}

var (
	noThing = regexp.MustCompile(`(?i)^no `)
	noAny   = regexp.MustCompile(`(?i)^(?:no|any) `)
	// mentioning is what stands around the thing itself: "the bit about X", "any mention of X".
	mentioning = regexp.MustCompile(`(?i)^(?:(?:any|to mention|mentioning) )?(?:(?:(?:an?|the|any|that|some|short|single|brief|little) )*(?:bits?|part|passage|hint|note|remark|word|words|mention|sentence|line|reference|pointer|something|anything) (?:about|on|of|to|regarding|that says) )?`)
	nowhere    = regexp.MustCompile(`(?i) (?:at all|again|here|anywhere|either|yet|in (?:the|your|this|all|every) (?:answers?|repl(?:y|ies)|responses?))$`)
)

// partOf finds what an answer has rather than mentions.
var partOf = regexp.MustCompile(`(?i)^(an? |the |any )?(links?|urls?|examples?|tables?|lists?|summary|greetings?|questions?|sources?|follow-up)\b`)

// parts are what an answer can hold, more of them than of holds: for sentences
// about the answer ("it needs a map"), not about the person ("I need a map").
var parts = regexp.MustCompile(holds.String() + `|(?i)\b(hints?|labels?|maps?|forms?|charts?|timetables?|diagrams?|intro(?:duction)?|conclusion|structure|exclamation marks?|mention|disclaimer|notice|timetable|photo|picture|total|headline|caveats?|explanation|closing|proof|rates?|tax|codes?|ids?|numbers?|periods?|rules|terms|taxes|surcharges?|guarantee|warranty|insurance)\b`)
