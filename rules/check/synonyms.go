package check

import "regexp"

var (
	// negatives: "never fail to mention" and "do not forget to" are no prohibitions: two hits cancel.
	negatives = regexp.MustCompile(`\b(never|not|don'?t|doesn'?t|shouldn'?t|mustn'?t|can'?t|cannot|no|none|without|avoid|avoiding|omit|omitting|leave out|leaving out|exclude|excluding|skip|refrain from|stop|forget|forgetting|fail|failing|nie|niemals|nicht|kein|keine|keinen|jamais|nunca|ne|pas|sin|sans|ohne)\b`)
	fillers   = set("always please also when answer answers answering response responses reply replies customer customers customer's user users user's guest guests visitor visitors client clients buyer buyers shopper shoppers people them they someone somebody everyone it you i we be is are should must will would can just only really very more that which there make sure ensure remember remembering every each any all some next time from now so then as if do does did have has too one both bitte immer toujours siempre auf im en in zu escalate connect transfer talk talking take giving")
	generic   = set("mention mentions mentioning mentioned include includes including included add adding state say saying tell telling name give giving provide list show write use using put point out note explain refer bring up inform inform let know warn remind direct send contain talk speak indicate output present format respond reply answer limit keep make sound quote cite lead warning spell erwähne erwähnen nenne nennen antworte mentionnez mentionner menciona mencione mencionar incluye call address by")
	// actFillers stand before the verb that counts.
	actFillers = set("please always also just only kindly make sure ensure remember to try you should must and then be we i would like want it the")
	// weak words stand beside anything: alone they make no difference.
	weak = stemmed("page pages section number numbers information info detail details note hint tone style language word words text way manner measurement measurements dimension dimensions system unit units value additional relevant full complete exact correct kind bit little whole entire possible contact own valid proper friendly format list agent send sending something anything customer understand show type length current")
)

// acts are the classes of verbs that do more than say.
var acts = map[string]string{
	"ask": "ask", "asks": "ask", "asking": "ask", "request": "ask", "requests": "ask", "requesting": "ask", "demand": "ask",
	"offer": "offer", "propose": "offer", "suggest": "offer", "recommend": "offer", "advise": "offer", "advises": "offer",
	"link": "link-to",
}

// classes are what phrasings make of whole acts.
var classes = set("apology greeting thanks goodbye empathy summary steps short long polite warm formal informal simple metric imperial british american human bullets reason")

// synonyms joins words that people use for one wish.
var synonyms = map[string]string{
	"shorter": "short", "brief": "short", "briefer": "short", "concise": "short", "succinct": "short", "terse": "short", "briefly": "short", "concisely": "short", "brevity": "short",
	"longer": "long", "detailed": "long", "elaborate": "long", "thorough": "long", "lengthy": "long",
	"politely": "polite", "politer": "polite", "courteous": "polite", "courteously": "polite", "respectful": "polite", "politeness": "polite",
	"friendlier": "warm", "friendly": "warm", "warmer": "warm", "kinder": "warm", "kindly": "warm", "warmly": "warm", "nicer": "warm",
	"casual": "informal", "informally": "informal", "formally": "formal", "simpler": "simple", "simply": "simple", "plain": "simple", "easy": "simple",
	"url": "link", "urls": "link", "links": "link", "hyperlink": "link", "telephone": "phone", "hotline": "phone",
	"emojis": "emoji", "emoticons": "emoji", "smileys": "emoji", "emoticon": "emoji", "smiley": "emoji",
	"costs": "price", "cost": "price", "prices": "price", "delivery": "shipping", "postage": "shipping", "shipment": "shipping",
	"guarantee": "warranty", "guarantees": "warranty", "warranties": "warranty", "bill": "invoice", "bills": "invoice",
	"picture": "photo", "pictures": "photo", "image": "photo", "images": "photo", "photograph": "photo", "photos": "photo",
	"rebate": "discount", "reduction": "discount", "discounts": "discount", "rivals": "competitor", "rival": "competitor", "competition": "competitor", "competitors": "competitor",
	"sources": "source", "citation": "source", "citations": "source", "references": "source",
	"why": "reason", "reasons": "reason", "because": "reason", "sample": "example", "examples": "example",
	"promises": "promise", "promising": "promise", "dates": "date", "deutsch": "german", "englisch": "english",
	"centre": "center", "colour": "color", "website": "site",
}

// phrasings joins wordings of several words; applied in order to lower case
// text without its quotations, before negation is read.
var phrasings = []struct {
	finder
	class string
}{
	{phrasing(`(?:first|given)[- ]names?`), " firstname "},
	{phrasing(`(?:last|family)[- ]names?|surnames?`), " lastname "},
	// wishes that are worded by their opposite
	{phrasing(`(?:do not|don't|never|avoid|stop|not) (?:be |being |sound |sounding |use |using )?(?:so |too |overly |very |that )?(?:wordy|verbose|long|long-winded|lengthy|rambling|chatty|many words)|less (?:wordy|verbose|long|text|chatty)|fewer words|to the point|cut (?:it )?(?:down|short)`), " short "},
	{phrasing(`(?:do not|don't|never|avoid|stop|not) (?:be |being |sound |sounding )?(?:so |too )?(?:rude|impolite|disrespectful|harsh|brusque|snippy)|less (?:rude|harsh|brusque)`), " polite "},
	{phrasing(`(?:do not|don't|never|not) (?:be |sound )?(?:so |too )?(?:cold|unfriendly|robotic)`), " warm "},
	{phrasing(`(?:do not|don't|never|not) (?:be |sound )?(?:so |too )(?:formal|stiff)|less (?:formal|stiff)`), " informal "},
	{phrasing(`(?:do not|don't|never|not) (?:be |sound )?(?:so |too )(?:informal|casual)|less (?:informal|casual)`), " formal "},
	{phrasing(`(?:do not|don't|never|not) (?:be |keep it )?(?:so |too )(?:short|brief|terse)`), " long "},
	{phrasing(`(?:avoid|without|no|do not use|don't use|never use|leave out|stop using|skip|using no)(?: any| the| all| too much| so much)? (?:technical )?(?:jargon|technical (?:terms?|language|words?)|technicalities|buzzwords)`), " simple "},
	{phrasing(`(?:plain|simple|easy|everyday|common|clear) (?:language|words|terms|english|wording)`), " simple "},
	{phrasing(`(?:more|further|additional|extra) (?:details?|information|depth)|in (?:more |great |greater |full )?(?:detail|depth)|more (?:detailed|thorough|elaborate)|long(?:er)? answers?`), " long "},
	{phrasing(`more formal(?:ly)?|formal (?:address|language|tone|style|form)|formally`), " formal "},
	// rites
	{phrasing(`apologi[sz]\w*|apolog(?:y|ies)|(?:say(?:ing)? )?(?:that )?(?:you(?:'re| are) |we(?:'re| are) )?sorry|express(?:ing)? (?:your |our )?regrets?`), " apology "},
	{phrasing(`(?:say(?:ing)? )?(?:hello|hi|good day)|(?:friendly |short |warm |polite )?greet(?:ing|ings|s)?|welcom(?:e|ing) (?:the )?(?:people|customers?|guests?|users?|visitors?|them)|salutations?`), " greeting "},
	{phrasing(`(?:say(?:ing)? )?(?:thank you|thanks|thanking|thank|gratitude)(?: to)?`), " thanks "},
	{phrasing(`(?:say(?:ing)? )?(?:goodbye|good-bye|bye|farewell)|sign(?:ing)? off(?: politely)?`), " goodbye "},
	{phrasing(`(?:some |more )?(?:empath(?:y|etic|ise|ize|etically)|sympath(?:y|etic)|compassion(?:ate)?|understanding)`), " empathy "},
	// things
	{phrasing(`(?:return|produce)(?: only| valid| pure| proper)* json|valid json`), " json "},
	{phrasing(`(?:(?:sizes?|lengths?|measurements?|measures?|dimensions?|distances?|heights?) in )?(?:metric(?: units?| system| measures?| values)?|centimet(?:er|re)s?|kilomet(?:er|re)s?|met(?:er|re)s|si units)|\(?\bcm\b\)?`), " metric "},
	{phrasing(`imperial(?: units?| system)?|inch(?:es)?|feet`), " imperial "},
	{phrasing(`(?:british|uk)(?: english| spelling| style| way)?`), " british "},
	{phrasing(`(?:american|us) (?:english|spelling|style|way)`), " american "},
	{phrasing(`(?:opening|business|office|store|shop|working) (?:hours|times)|when (?:we|you|the shop|it) (?:are|is) open|hours of operation`), " openhours "},
	{phrasing(`(return|refund|notice|cancellation|trial)s? (?:window|period|deadline|time ?frame|time limit|term)s?( is| of)?`), " $1 period "},
	{phrasing(`other (?:brands?|companies|vendors|suppliers)`), " competitor "},
	{phrasing(`(?:contact )?(?:tele)?phone(?: numbers?)?|hotline numbers?`), " phone "},
	{phrasing(`e-?mail address(?:es)?|e-mails?`), " email "},
	{phrasing(`(?:human|live|real) (?:agent|person|being|colleague)s?|(?:to|with) a person`), " human "},
	{phrasing(`bullet(?:ed)?(?:[- ](?:points?|lists?))?s?`), " bullets "},
	{phrasing(`step[- ]by[- ]step(?: instructions| explanation| guide)?|one by one|steps?`), " steps "},
	{phrasing(`summari[sz](?:e|es|ing)|sum(?:ming)? (?:it |things )?up|(?:short |brief )?(?:summary|summaries|recap)`), " summary "},
	{phrasing(`price (?:reductions?|cuts?)`), " discount "},
	{phrasing(`(?:all|block) caps|capital letters|upper ?case`), " uppercase "},
	// places
	{phrasing(`(?:start|begin|open|lead|commence)(?:ing|s)?(?: \pL+){0,3}? (?:with|by)|first|up ?front|at the (?:very )?(?:top|start|beginning|outset)|before (?:anything|everything|all) else|initially|in the beginning`), " begin "},
	{phrasing(`(?:end|finish|close|conclude)(?:ing|s)?(?: \pL+){0,3}? (?:with|by)|at the (?:very )?(?:end|bottom|close)|lastly|finally|last`), " end "},
}

// phrasing compiles one wording, on word boundaries.
func phrasing(expr string) finder { return each(`\b(?:` + expr + `)(?:\b|$)`)[0] }

// stemmed makes a set of stems.
func stemmed(words string) map[string]bool {
	m := map[string]bool{}
	for w := range set(words) {
		m[stem(w)] = true
	}
	return m
}
