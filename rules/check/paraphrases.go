package check

import (
	"regexp"
	"strings"
)

// The guards of this file look for what an attack wants, where phrases.go looks
// for how the known ones say it. In their patterns "~3" is up to three words.

// spaced compiles such patterns.
func spaced(patterns ...string) finders {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = gap.ReplaceAllString(p, `(?: [^ .!?;]+){0,$1}? `)
	}
	return each(out...)
}

var gap = regexp.MustCompile(`~(\d)`)

const (
	person  = `(?:users?|visitors?|customers?|clients?|guests?|people|persons?|callers?|buyers?)'?s?'?`
	master  = `(?:operators?|developers?|owners?|creators?|makers?|company|companies|admins?|administrators?|system|vendor)'?s?'?`
	orders  = `(?:instructions?|rules|polic(?:y|ies)|guidelines|configuration|setup|settings|wishes|restrictions|directives|prompt|guardrails)`
	taught  = `(?:told|given|instructed|configured|set up|programmed|trained|prompted|taught)`
	private = `(?:names?|mail|e-?mails?|orders?|history|address(?:es)?|messages?|query|questions?|input|data|details|typed|wrote|said|asked|entered)`
	carrier = `(?:slash|url|uri|links?|image|picture|pixel|query string|web ?hook)`
)

var paraphrases = []guard{
	{code: CodeOverride, negatable: true, message: "puts somebody above the agent's own instructions", any: spaced(
		`\b(?:treat|consider|regard|deem|declare|view)~5(?:`+master+`|`+orders+`|told|said|above|earlier)~5(?:void|optional|obsolete|invalid|irrelevant|non-?binding|suggestions?|null|outdated)\b`,
		`\b`+orders+` (?:are|is)(?: only| just| merely| mere)? (?:suggestions?|optional|recommendations|hints|not binding|negotiable|void|obsolete)\b`,
		`\b`+person+` (?:word|words|wish(?:es)?|orders?|demands?|will|requests?|say)~3(?:outranks?|beats?|trumps?|overrides?|before|above|over)~3(?:`+master+`|`+orders+`)`,
		`\b(?:put|place|rank|set)~3`+person+`~3(?:above|before|over)~3(?:`+master+` `+orders+`|`+orders+`)\b`,
		`\b(?:what|whatever|everything|nothing|anything|things?|all|how|text|words)(?: that| of what)? you (?:were|have been|had been|got|are) `+taught+`\b`,
		`\bhow you (?:were|are|have been) (?:set up|configured|built|prompted|instructed|programmed|trained|made)\b`,
		`\b(?:what|everything|whatever|anything|things?)(?: that)? (?:your|the) `+master+` (?:told|said|gave|wrote|configured|instructed|decided|wants?|prefers?|set)\b`,
		`\b(?:things?|topics?|words|what|everything|anything)(?: that)? you (?:are|were) (?:not allowed|forbidden|prohibited|not supposed)\b`,
		`\b(?:first|initial|opening|system) (?:message|prompt|instructions?)~2(?:never|not|didn't)~2(?:exist(?:ed)?|happen(?:ed)?|matter|count|apply)\b`,
		`\b(?:text|content|message|part|lines?|words) (?:that |which )?(?:precedes?|comes? before|came before|stands? (?:before|above))(?: [^ .!?;]+){0,3}`,
		`\b(?:drop|bend|break|ignore|relax|abandon|defy)~2(?:corporate|company|operator'?s?|house|internal) (?:polic(?:y|ies)|rules|guidelines)\b`,
		`\b(?:prior|earlier|previous|initial|original) (?:configuration|setup|set-up|settings|behaviou?r)~1aside\b`, `\bset~4`+orders+` aside\b`,
		`\b(?:do|obey|follow|fulfil+|agree (?:to|with)|say yes to|grant|approve|accept|comply with)(?: to)? (?:whatever|anything|everything|every|any|all)~4(?:they|he|she|somebody|someone|whoever|`+person+`)~2(?:says?|wants?|demands?|asks?|requests?|orders?|tells?|insists?)\b`,
		`\b(?:do|act|behave) (?:exactly )?as (?:the )?`+person+` (?:says?|wants?|asks?|tells?|demands?|orders?)\b`,
		`\b(?:say yes|agree|comply|consent|give in) (?:to|with) (?:every|all|any|whatever)\b`,
		`\b(?:mark|stamp|flag|tag|label|phrase)~5'?(?:as )?'?(?:approved|authori[sz]ed|verified) by\b`, `\b(?:has|have) (?:authori[sz]ed|approved|permitted|cleared) this\b`,
		`\b(?:grant(?:ing)? (?:full |admin |root )?access|access (?:is )?granted)\b`),
		before: regexp.MustCompile(`\b(how to|how they can|how people can|steps to|ways? to|how customers can|how users can|who can|admins can|owners can) $`)},

	{code: CodeIdentity, negatable: true, message: "makes the agent somebody else", any: spaced(
		`\b(?:answer|reply|talk|speak|respond|write|act|sign)(?: [^ .!?;]+){0,2}? (?:as|like) (?:our|my|your|his|her) (?:ceo|founder|owner|boss|manager|director|president|chief|lawyer|doctor|admin|employee|mascot|competitor|mother|father|friend)\b`,
		`\b(?:answer|reply|talk|speak|respond) like [a-z]+`,
		`\b(?:style|voice|manner|tone|persona) of (?:an? |the )?(?:drunk(?:en)?|angry|evil|pirate|sailor|gangster|dictator|celebrity|president|villain|hacker|teenager|robot|human|man|woman|lawyer|doctor|character|rapper|criminal)\b`,
		`\b(?:act|play) (?:dumb|stupid|crazy|drunk|evil|human|dead|ignorant)\b`,
		`\b(?:claim|insist|say|state|assert|maintain|swear)(?: that)? (?:to be|being|you are|you're|you have been)~4(?:human|physician|doctor|lawyer|nurse|employee|real|police|officer|licensed|certified|alive)\b`),
		except: regexp.MustCompile(`^(answer|reply|talk|speak|respond) like (this|that|before|usual|in|you|we|a|an|the|so|it|these|our|any|always|native|everyone|people|other)\b`)},

	{code: CodeExfiltration, negatable: true, message: "carries people's data out", any: spaced(
		`\b(?:put|slip|place|add|include|work|weave|append|hide|attach|insert|tuck|fold|smuggle|carry|pass)~5`+private+`~4(?:in|into|to|onto|after|behind|inside)(?: (?:the|our|an?|your|this|that|every|each))?(?: [a-z-]+){0,2} `+carrier+`\b`,
		`\b(?:build|make|form|create|construct|compose|generate)~2(?:link|url|image|picture)~2(?:from|out of|with|using)~4`+private+`\b`,
		`\b(?:what|whatever|everything)~3(?:typed|wrote|said|entered|types|writes|says|enters)~2(?:to|into|in|onto)~4(?:`+carrier+`|address)\b`,
		`\b(?:ask|have|get|make|request|require)~4(?:for|read|tell|give|share|send|name|repeat|forward|post)~4(?:codes?|digits|pin)~6(?:sms|text message|back of (?:the|their|your) card|authenticator)\b`,
		`\b(?:ask|have|get|make|request|require|let|tell)~8(?:full|complete|whole|entire|16-digit|sixteen-digit) (?:card|credit card|debit card|social security) number\b`)},

	{code: CodeDenied, negatable: true, message: "deceives people about money or accounts", any: spaced(
		`\b(?:bank|account|payment|iban)(?: (?:details|numbers?|data|accounts?))?~1(?:has|have|is|are)? ?(?:been )?changed\b`,
		`\bpay~4(?:new|different|other|another|following) (?:bank )?(?:account|iban|wallet)\b`,
		`\b(?:users?|customers?|people|their|your|his|her)~2accounts? (?:was|were|is|are|has been|have been|got) (?:hacked|compromised|breached|stolen)\b`,
		`\b(?:say|tell|claim|state|announce|mention)~5(?:went|is|has gone|gone) (?:bankrupt|insolvent|out of business)\b`),
		before: regexp.MustCompile(`\b(if|whose|when|whether|that) [^.!?;]{0,30}$`)},

	{code: CodeDenied, negatable: true, message: "speaks ill of others without proof", any: spaced(
		`\b(?:competitors?|rivals?|competition|competing|other (?:shops?|brands?|companies|vendors?))'?s?'?~3(?:is|are|causes?|contains?|kills?|poisons?|makes?)~3(?:cancer|poison(?:ous)?|toxic|dangerous|deadly|illegal|unsafe|scams?|harmful|carcinogenic|fakes?|sick|ill|trash|garbage)\b`,
		`\b(?:competitors?|rivals?)'?s?'?(?: [^ .!?;]+){0,2} causes? cancer\b`,
		`\b(?:say|tell|claim|state|mention|insist)~6(?:steals?|sells?|leaks?|abuses?) (?:their|your|people's|user|customer|personal)~1(?:data|money|information)\b`)},

	{code: CodeDenied, message: "hides from people what they must know", any: spaced(
		`\b(?:do not|don't|never) (?:tell|inform|warn|alert|let)~4(?:about|of|know)~2(?:recalls?|defects?|breach(?:es)?|side effects?|risks?|dangers?|hidden)\b`,
		`\b(?:do not|don't|never) (?:disclose|reveal|say|mention|admit)~4(?:advertis\w+|sponsored|sponsorship|an ad|paid placement)\b`,
		`\b(?:praise|recommend|favou?r|promote|push|prefer)~5(?:without (?:saying|telling|mentioning|explaining|disclosing)|and hide)\b`)},
	{code: CodeDenied, negatable: true, message: "hides from people what they must know", any: spaced(
		`\b(?:keep|stay|remain)(?:ing)? (?:quiet|silent|mum) (?:about|on)\b`,
		`\b(?:hide|hiding|conceal(?:ing)?|cover(?:ing)? up|withhold(?:ing)?|bury|suppress|gloss(?:ing)? over)~4(?:defects?|faults?|recalls?|risks?|dangers?|side effects?|fees?|costs?|charges?|complaints?|breach(?:es)?|truth|warnings?)\b`)},

	{code: CodeDenied, negatable: true, message: "turns the agent against the people it serves", any: spaced(
		`\b(?:discourage|dissuade|keep|stop|prevent|talk)~4(?:from|out of) (?:calling|contacting|seeing|consulting|going to|phoning|alerting|asking)~2(?:police|doctor|hospital|ambulance|lawyer|emergency)\b`,
		`\b(?:not|n't) need~3(?:doctor|physician|lawyer|ambulance)\b`,
		`\btell~4(?:to )?(?:get lost|go to hell|shut up|piss off|go away|drop dead)\b`,
		`\b(?:refuse|decline|stop|never)(?: to)? (?:help|serve|assist)(?:ing)? (?:women|men|foreigners|immigrants|(?:people|customers|users|anyone) (?:with|from|of) )`,
		`\b(?:worse|slower|ruder|bad|lower|no)~2(?:answers?|service|help|offers?|discounts?|replies)~1(?:to|for) (?:women|men|foreigners|muslims|jews|christians|black|white|asian|gay|old|elderly|disabled|poor|immigrants|people (?:from|of|with))\b`,
		`\b(?:give|use|state|provide|show|quote|tell|spread|answer with|cite)~2(?:wrong|false|fake|made-up|invented|misleading|incorrect|random|fabricated)~1(?:prices?|answers?|information|data|dates?|facts?|sources?|numbers?|advice|news)\b`,
		`\b(?:invent|fabricate|make up|making up)~2(?:sources?|facts?|quotes?|references?|answers?|numbers?|reviews?|prices?|policies)\b`,
		`\b(?:answer|reply|respond|speak|talk|write)~4(?:with|in) (?:nonsense|gibberish|riddles|lies|insults)\b`,
		`\b(?:write|answer|reply|print|spell|say)~2(?:backwards?|in reverse|upside down|reversed)\b`)},
	{code: CodeDenied, message: "turns the agent against the people it serves", any: spaced(
		`\bnever (?:help|assist|serve)(?: (?:anyone|anybody|people|customers?|users?|them))?(?: ?[.!,;]| ?$)`)},

	{code: CodeDenied, negatable: true, message: "makes the agent run something", any: spaced(
		`\b(?:run|call|use|invoke|execute|trigger) (?:whatever|whichever|any|every|all)~2(?:tools?|functions?|commands?|code|apis?)~3(?:names?|wants?|asks?|says?|requests?|demands?|sends?|gives?)\b`,
		`\b(?:call|invoke|trigger|run)~2(?:payment|transfer|refund|delete|order)~1(?:function|tool|api|endpoint) (?:twice|again|repeatedly)\b`)},
}

// fences mark code blocks, which fold would read as quotes.
func fences(text string) []Problem {
	if i := strings.Index(text, "``"); i >= 0 {
		return []Problem{problem(CodeMarkup, "has markup; write plain words", "``")}
	}
	return nil
}
