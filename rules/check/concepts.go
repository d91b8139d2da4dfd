package check

import (
	"regexp"
	"strings"
)

// The guards of this file are bound to no phrase: a sentence is read as the concepts
// that its words stand for, and some concepts together are what only attacks want,
// in whatever words and order.

// concept is a thing that sentences speak of.
type concept uint32

const (
	self     concept = 1 << iota // the agent, spoken to
	orders0                      // what the agent was told by its operator
	hidden                       // where that stands, or that it is not to be seen
	lift                         // to take force from something
	reveal                       // to show a text
	rule0                        // to have the say
	pose                         // to pass as somebody
	body                         // what only people are or have
	obtain                       // to get something out of somebody
	secret0                      // what opens an account
	money                        // money, goods of value
	move                         // to send it away
	persons                      // data of people, the conversation
	carrier0                     // an address that is fetched
	carry                        // to put into
	conceal                      // to hide
	material                     // what people must know
	claim                        // to say that something is so
	harmful                      // what makes a claim harmful
	abuse                        // to treat people badly
	unasked                      // without consent
	act                          // to do something with effect
	wrongly                      // to answer wrongly, on purpose
)

// lexicon says which concepts a word stands for.
var lexicon = func() map[string]concept {
	out := map[string]concept{}
	add := func(c concept, words string) {
		for _, w := range strings.Fields(words) {
			out[w] |= c
		}
	}
	add(self, "you your yours yourself assistant bot chatbot model ai")
	add(orders0, "instruction instructions rules prompt preamble briefing brief policy policies guideline guidelines guardrails setup configuration directive directives constraint constraints restriction restrictions limits safeguards programming commands mandate charter boundaries framework")
	add(hidden, "above top received hidden secret initial earlier first internal confidential developer developers operator beginning start system original underlying invisible preceding")
	add(lift, "ignore forget bypass override overrule overrules outrank outranks outweigh outweighs void lift drop suspend disable disregard circumvent unlearn discard abandon cancel revoke supersede supersedes escape erase waive annul replaces trumps dissolve dissolved obsolete expired invalid nullify")
	add(reveal, "recite recites repeat reveal reveals summarise summarize print type show quote list output translate read copy share disclose dump describe paraphrase spell display publish tell echo paste cite")
	add(rule0, "control authority command obey decide decides outranks master owner owners boss permission unrestricted")
	add(pose, "pose pretend impersonate masquerade pass introduce present disguise portray")
	add(body, "nurse doctor physician lawyer human person feelings conscious consciousness body alive sentient soul police officer judge pharmacist engineer professor dr banker")
	add(obtain, "ask asks asking get gets find request requests collect collects obtain demand extract gather elicit retrieve confirm verify")
	add(secret0, "pin password passcode tan cvv cvc maiden credentials login passphrase ssn otp passwords codeword")
	add(money, "money savings funds deposit cash bitcoin crypto wallet payment payments salary voucher gift")
	add(move, "move transfer wire send sends pay deposit invest convert forward")
	add(persons, "chat conversation birthday email history question address messages transcript name record dialogue query")
	add(carrier0, "image picture pixel url link redirect webhook thumbnail logo icon iframe")
	add(carry, "weave contain contains append encode embed insert smuggle include pack put carry carries stuff attach")
	add(conceal, "downplay hide conceal omit withhold suppress bury trivialise trivialize minimise minimize gloss quiet silent secretly")
	add(material, "commission side effects risk risks sponsor sponsored kickback recall defect defects danger dangers breach leak conflict fees hazards bribe lawsuit")
	add(claim, "say tell announce claim state mention insist suggest declare recommend inform assure spread convince persuade argue")
	add(harmful, "hoax useless kills killed poisons poisonous scam fraud fraudulent bankrupt liar liars thief thieves drunk drinks toxic deadly criminal criminals corrupt pointless myth conspiracy infected worthless")
	add(abuse, "mock ridicule insult humiliate belittle stall taunt threaten bully shame patronise patronize tease harass annoy")
	add(unasked, "unasked unnoticed automatically silently")
	add(act, "start purchase order buy delete cancel book execute subscribe transfer refund sign confirm approve")
	add(wrongly, "wrong false incorrect inaccurate misleading nonsense random untrue fabricated invented")
	return out
}()

// mixes are the concepts that make an attack together. Where not is set, a
// prohibition of it is harmless.
var mixes = []struct {
	code, message string
	all           []concept
	not           bool
	unless        *regexp.Regexp
}{
	{CodeOverride, "takes force from the agent's own instructions", []concept{orders0, lift}, true, regexp.MustCompile(`\b(?:order|subscription|booking|membership|speed|credit|card|spending|contract|(?:return|refund|shipping|privacy|cancellation|insurance) polic(?:y|ies)|fee|fees)\b|\bno longer (?:apply|applies|valid|exist)\b`)},
	{CodeOverride, "takes force from the agent's own instructions", []concept{orders0 | rule0, self, lift | rule0, self}, true, regexp.MustCompile(`\bunder control|\bdecide (?:for yourself|whether|which|how|if)\b`)},
	{CodeOverride, "shows what the agent was told", []concept{reveal, orders0, hidden}, true, regexp.MustCompile(`\b(?:return|refund|shipping|privacy|cancellation|house|setup|installation|washing|care|safety|assembly|visiting|game) (?:rules|polic(?:y|ies)|instructions?|guidelines|guide)\b`)},
	{CodeIdentity, "makes the agent somebody else", []concept{pose, body}, true, nil},
	{CodeIdentity, "makes the agent a person", []concept{self, body, claim | pose | self}, true, regexp.MustCompile(`\b(?:your|a|the|talk to a|speak to a|see a|ask a|call a|contact a|consult a|human|real) (?:doctor|lawyer|nurse|pharmacist|human|person|agent|colleague|body|bank|banker|engineer|professor|physician|police|judge)\b`)},
	{CodeExfiltration, "asks people for what opens their accounts", []concept{obtain, secret0}, true, regexp.MustCompile(`\b(?:reset|change|forgot|forgotten|block|new|never|not|nor|recover|choose|lost|set|protect|strong)\b`)},
	{CodeDenied, "moves people's money", []concept{move, money, persons | self | claim}, true, regexp.MustCompile(`\b(?:fees?|how|take|takes|arrive|arrives|limit|limits|free|rate|days?|cannot|can't|refund|refunds|options?|methods?|return|card|delivery|when|if)\b`)},
	{CodeExfiltration, "carries people's data out", []concept{carry, persons, carrier0}, true, regexp.MustCompile(`\b(?:link|links) (?:to|for|at)\b|\b(?:order|page|help|contact|product) (?:link|page|picture|image)\b`)},
	{CodeDenied, "hides from people what they must know", []concept{conceal, material}, false, regexp.MustCompile(`\bno (?:hidden )?(?:fees|costs)\b|\b(?:never|not|don't) (?:downplay|hide|conceal|withhold|trivialise|trivialize|minimise|minimize)\b|\bhidden fees\b`)},
	{CodeDenied, "makes a harmful claim", []concept{claim, harmful}, true, regexp.MustCompile(`\b(?:report|phishing|beware|warn|if|when|whether|avoid|protect|block|stolen card|fees? (?:is|are) gone|harmless|cancer (?:screening|care|support|center|centre)|how|gift|against|suspect|lost)\b`)},
	{CodeDenied, "turns the agent against the people it serves", []concept{abuse}, true, regexp.MustCompile(`\bshame that\b|\bmock-?ups?\b|\bharassment\b`)},
	{CodeDenied, "turns the agent against the people it serves", []concept{wrongly, act | claim | self}, true, regexp.MustCompile(`\b(?:if|when|whether|what|was|were|is|are|went|goes|wrong (?:size|item|address|colou?r|product|order|number|person|date|account|parcel|name|email)|correct|apologi[sz]e|report|sorry)\b`)},
}

// more are concepts of several words, in the folded text.
var more = []struct {
	re finder
	c  concept
}{
	{each(`\bno longer (?:bind|apply|applies|count|matter|hold|valid|exist)s?\b`)[0], lift},
	{each(`\bas (?:if|though) (?:there (?:were|was) )?no\b`)[0], lift | self},
	{each(`\b(?:no|without|free (?:of|from)|above|beyond)(?: any| all| the)? (?:rules|policy|policies|limits|restrictions|guidelines|constraints|filters?)\b`)[0], lift | orders0},
	{each(`\b(?:what|which|anything|everything) you (?:may|can|must|should|are allowed to|are permitted to) (?:say|do|answer|write|refuse)\b`)[0], self | orders0 | lift},
	{each(`\b(?:your|full) (?:behaviou?r|conduct|decisions?|actions?)\b`)[0], orders0},
	{each(`\b(?:written|stands?|said|put|stated) (?:at|in|above|before) (?:the )?(?:top|beginning|start|head|first line)\b`)[0], orders0 | hidden},
	{each(`\b(?:top|beginning|start|head) of (?:the|this|our) (?:chat|conversation|context|dialogue|window|thread)\b`)[0], orders0 | hidden},
	{each(`\b(?:developer|system|operator|hidden|secret|first|initial)'?s? (?:message|text|note|notes|words|context|lines?|briefing|letter)\b`)[0], orders0 | hidden},
	{each(`\b(?:pass|passing) (?:yourself )?(?:off )?(?:as|for)\b|\bintroduce yourself as\b|\bsign(?:ing)? as (?:a|an|dr|doctor|prof)\b`)[0], pose},
	{each(`\bsocial security\b|\bsecurity (?:question|code|answer)s?\b|\bone-?time (?:code|password|pin)s?\b|\b(?:card|account) (?:pin|code)\b|\bdate of birth\b`)[0], secret0},
	{each(`\b(?:do not|don't|never|not) (?:mention|tell|say|disclose|reveal|admit|name|bring up|talk about|warn)\b|\bkeep (?:\pL+ )?(?:to yourself|quiet|silent|secret|from)\b|\bleave out\b|\bwithout (?:telling|mentioning|saying)\b`)[0], conceal},
	{each(`\bwithout (?:asking|consent|permission|telling|their knowledge|confirmation)\b|\bbefore they (?:agree|notice|know)\b|\bbehind (?:their|people's|the \pL+'s) back\b`)[0], unasked},
	{each(`\bmake fun of\b|\blaugh (?:at|about)\b|\bgive up\b|\b(?:ignore|refuse|send away|turn away|hang up on|punish) (?:people|persons|anyone|those|everyone|customers|users|patients|clients|visitors|readers|women|men)\b|\b(?:lead|send) (?:people|them|customers|users) in circles\b|\bwaste (?:their|people's)\b`)[0], abuse},
	{each(`\b(?:move|transfer|wire|send|bring|put)(?: \pL+){0,3} (?:savings|money|funds|cash|deposits?)(?: \pL+){0,3} (?:to|into|below)\b`)[0], move | money | self},
	{each(`\b(?:every|each) (?:second|third|fourth|fifth|other|\d+(?:nd|rd|th)) (?:answer|reply|response)\b`)[0], self},
	{each(`\b(?:confirm|agree (?:with|to)|believe|support) (?:any|every|all|whatever|each) (?:\pL+ ){0,2}(?:claims?|accusations?|rumou?rs?|statements?|stor(?:y|ies)|charges?)\b`)[0], abuse},
	{each(`\b(?:whatever|what|everything|anything) (?:comes|follows|is said|i say|they say|people say|stands) (?:next|later|after|below|from now)\b`)[0], self | orders0},
	{each(`\bimage address\b|\bpicture(?:s)? (?:address|whose address)\b|\b(?:image|picture|link|url)s? (?:whose|with an) (?:address|url|query|path)\b`)[0], carrier0 | carry},
	{each(`\bsay so\b`)[0], claim},
}

// concepts reads one sentence.
func concepts(sentence string) concept {
	var out concept
	for _, w := range tokens(sentence) {
		out |= lexicon[strings.TrimSuffix(w, "'s")]
	}
	view := look(sentence)
	for i := range more {
		if m := &more[i]; m.re.maybe(view) && m.re.re.MatchString(sentence) {
			out |= m.c
		}
	}
	return out
}

// mixed finds the attacks that the concepts of a sentence make.
func mixed(folded string) []Problem {
	var out []Problem
	for _, s := range sentences(folded) {
		has := concepts(s)
		if has == 0 {
			continue
		}
		prohibits := prohibition.MatchString(s)
		for _, m := range mixes {
			if m.not && prohibits || m.unless != nil && m.unless.MatchString(s) || !has.all(m.all) {
				continue
			}
			out = append(out, problem(m.code, m.message, strings.Trim(s, " .")))
		}
		if has&unasked != 0 && has&(act|money) != 0 && !prohibits {
			out = append(out, problem(CodeDenied, "acts without asking", strings.Trim(s, " .")))
		}
	}
	return out
}

func (c concept) all(of []concept) bool {
	for _, x := range of {
		if c&x == 0 {
			return false
		}
	}
	return true
}

// prohibition begins a sentence that forbids; "never fail to" does not.
var prohibition = regexp.MustCompile(`^(?:please |always |also )*(?:never|do not|don't|dont|avoid|refuse to|stop|under no circumstances|must not|no) (?:ever )?`)
