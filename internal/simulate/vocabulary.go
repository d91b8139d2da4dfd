package simulate

import "regexp"

// re compiles a wording, case folded, anchored at the start.
func re(s string) *regexp.Regexp { return regexp.MustCompile(`(?i)^(?:` + s + `)`) }

const (
	numberWord = `(\d+|one|two|three|four|five|six|seven|eight|ten|twelve|fifteen|twenty|thirty|forty|fifty|hundred)`
	whom       = `(?: (?:them|people|customers?|the customers?|users?|the user|everyone|the person))?`
	answering  = `(?:answer|reply|respond|write|use|format|give|put|present|structure|return|output|be|keep|speak|do|turn|make|show|list|set)\b[^.]*?`
)

// replacing is read before negations, since its wordings contain them.
var replacing = []pattern{
	{re(`replace (.+?) (?:with|by) (.+)`), Instruction{Kind: Replace, Text: "\x00swap"}},
	{re(`(?:say|write|use|call it|call them) (.+?) (?:instead of|rather than|and not|, ?not|not) (.+)`), Instruction{Kind: Replace}},
}

// limits too: "no more than", "not longer than".
var limits = []pattern{
	{re(`[^.]*?(?:at most|no more than|not more than|under|max(?:imum)?(?: of)?|up to|fewer than|less than|limit(?:ed)?\b[^.]*? to|within|not (?:be )?longer than|never (?:be )?longer than|not exceed|never exceed|only|in) ` + numberWord + ` words?\b`), Instruction{Kind: Words}},
	{re(numberWord + ` words?(?: or (?:less|fewer)| at most| max(?:imum)?| tops)`), Instruction{Kind: Words}},
	{re(`[^.]*?(?:at most|no more than|not more than|under|max(?:imum)?(?: of)?|up to|limit(?:ed)?\b[^.]*? to|within|not (?:be )?longer than|never (?:be )?longer than|not exceed|never exceed|only|in|just|exactly) ` + numberWord + ` (?:short )?sentences?\b`), Instruction{Kind: Sentences}},
	{re(numberWord + ` sentences?(?: or (?:less|fewer)| at most| max(?:imum)?| tops)`), Instruction{Kind: Sentences}},
	{re(`(?:(?:keep|make)\b.*\b(?:short|shorter|brief|briefer|concise|crisp)|(?:be|answer|reply|respond|write|stay)\b.*\b(?:brief|briefly|concise|concisely|short|shorter|succinct|succinctly|to the point)|get to the point|shorter answers?|brief answers?|short answers?)`), Instruction{Kind: Sentences, N: shortSentences}},
	{re(`(?:not|don'?t|do not|never|avoid)\b.*\b(?:ramble|rambling|long answers|lengthy)`), Instruction{Kind: Sentences, N: shortSentences}},
}

// demands are the positive wordings, the specific ones first.
var demands = []pattern{
	{re(`(?:` + answering + `)?\b(?:json)\b`), Instruction{Kind: JSON}},
	{re(`(?:` + answering + `)?\b(?:all caps|upper ?case|capital letters|capitals)\b`), Instruction{Kind: Upper}},
	{re(`(?:` + answering + `)?\b(?:lower ?case|small letters)\b`), Instruction{Kind: Lower}},
	{re(`(?:` + answering + `)?\b(?:numbered (?:list|steps)|numbered|step by step|steps as a list|ordered list)\b`), Instruction{Kind: Numbered}},
	{re(`(?:` + answering + `)?\b(?:bullets?|bullet points?|bullet(?:ed)? lists?|bulleted)\b`), Instruction{Kind: Bullets}},
	{re(`(?:` + answering + `|include |add )?(?:as |in |with )?(?:an? )?(?:markdown )?table\b`), Instruction{Kind: Table}},
	{re(`(?:answer|reply|respond|write|speak|be|give|use|translate)\b.*\b(german|french|spanish|deutsch)\b`), Instruction{Kind: Language}},
	{re(`(?:use|give|state|write|convert|show|put|switch|sizes|measurements|measure)\b.*\b(?:metric|centimet(?:er|re)s?|cm)\b`), Instruction{Kind: Metric}},
	{re(`(?:use|give|state|write|show|quote|put|prices?)\b.*\b(?:in|use) (euros?|pounds|dollars|gbp|eur|usd)\b`), Instruction{Kind: Currency}},
	{re(`(?:include|add|give|provide|mention|state|quote|tell|show|list|put)\b.*\b(?:phone|telephone|hotline) ?(?:number)?\b[^"]*$`), Instruction{Kind: Phone}},
	{re(`(?:apologi[sz]e|say (?:that )?(?:you are|we are|you're|we're)? ?sorry|(?:start|begin|open|add|include|offer)\b.* apolog(?:y|ies)|express regret)`), Instruction{Kind: Apologise}},
	{re(`(?:greet|say hello|say hi\b|welcome the|(?:start|begin|open)\b.* (?:greeting|hello\b[^"]*$)|(?:add|include|use)\b.* greeting)`), Instruction{Kind: Greet}},
	{re(`(?:thank\b|say thank|say thanks|express thanks|(?:start|begin|open)\b.* (?:by thanking|thanks|thank-you))`), Instruction{Kind: Thank}},
	{re(`(?:be|sound|stay|remain|write|answer|reply|use|keep)\b.*\b(?:polite|politely|friendly|friendlier|courteous|kind|warm|warmer|nicer)\b`), Instruction{Kind: Polite}},
	{re(`(?:begin|start|open)(?: (?:your|the|every|each|all|with)[^"]*?)?(?: with| by saying| by writing| off with)(?: the (?:words?|phrase|sentence|line))?:? (.+)`), Instruction{Kind: Begin}},
	{re(`(?:sign)(?: off)?(?: (?:your|the|every|each|all) [a-z]+)?(?: as| with|:)? (.+)`), Instruction{Kind: Sign}},
	{re(`(?:end|close|finish|conclude)(?: (?:your|the|every|each|all|off)[^"]*?)?(?: with| by saying| by writing| on)(?: the (?:words?|phrase|sentence|line))?:? (.+)`), Instruction{Kind: End}},
	{re(`(?:(?:include|add|give|provide|put|share|post) (?:an? |the )?links? (?:to|for)|link(?: to)?|point` + whom + ` (?:to|at)|refer` + whom + ` to|direct` + whom + ` to|send` + whom + ` to) (.+)`), Instruction{Kind: Link}},
	{re(`(?:offer|suggest|recommend|propose)` + whom + ` (.+)`), Instruction{Kind: Offer}},
	{re(`ask` + whom + ` (?:for|about|to (?:give|send|provide)) (.+)`), Instruction{Kind: Ask}},
	{re(`(?:mention|include|contain|add|state|note|cite|name|quote|give|provide|list|specify|clarify|point out|bring up|refer to|talk about|explain|write|say|use the (?:words?|phrase|term))` + whom + `(?: (?:something|a word|a sentence|a line|a note|a hint) (?:about|on|of))?(?: about| of| the (?:words?|phrase|sentence|term))?:? (.+)`), Instruction{Kind: Mention}},
	{re(`(?:tell|remind|inform|let|warn|advise)` + whom + `(?: know)?(?: about| of| on)? (.+)`), Instruction{Kind: Mention}},
}

// complaints hint at a wish without instructing.
var complaints = []pattern{
	{re(`.*\b(?:too|way too|far too|so) (?:long|wordy|verbose|lengthy)\b`), Instruction{Kind: Sentences, N: shortSentences}},
	{re(`.*\b(?:too|so|was|is|sounds?|sounded) (?:rude|unfriendly|cold|impolite|harsh)\b`), Instruction{Kind: Polite}},
	{re(`.*\b(?:forgot|forgets|did not|didn'?t|does not|doesn'?t|failed to|fails to)\b(?: to)? (?:mention(?:ed)?|say|said|include(?:d)?|tell me|explain|talk about) (?:about |anything about )?(.+)`), Instruction{Kind: Mention}},
	{re(`.*\b(?:nothing about|not a word about|no word about|no mention of|where is|where's|what about|missing|lacks|i miss) (.+)`), Instruction{Kind: Mention}},
}

// complaining marks a sentence as being about an answer, not to the model.
var complaining = regexp.MustCompile(`(?i)^(?:the |this |that |your )?(?:answer|reply|response|bot|it|you|there (?:is|was)|this|that|nothing|not a word|no (?:word|mention)|where(?:'s| is)|what about|missing|i miss|far too|too|way too|so (?:rude|long)|forgot|didn'?t|did not)\b`)

func readComplaint(s string) (Instruction, bool) {
	if !complaining.MatchString(s) {
		return Instruction{}, false
	}
	in, ok := match(complaints, s)
	in.Complaint = true
	return in, ok
}
