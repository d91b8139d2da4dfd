package check

import (
	"regexp"
	"slices"
)

// Claims reports whether an action has the agent assert a fact: "say that returns
// are free", "tell people returns are free", or just "returns are free". Whoever
// says so may be wrong, or lie, and what is true today may not be tomorrow; how an
// answer is to be worded is another matter. What the agent is to say of itself ("say
// that you do not know") is no fact.
func Claims(action string) bool {
	for _, s := range sentences(clip(action, 4<<10)) {
		s = straight.Replace(s)
		if m := claiming.FindStringSubmatch(s); m != nil && !ofItself.MatchString(m[1]) {
			return true
		}
		if m := claimingBare.FindStringSubmatch(s); m != nil && plainSubject(m[1]) {
			return true
		}
		if declares(s) {
			return true
		}
		for _, q := range quotes(s) { // the answer is to hold a sentence that does
			if !avoiding.MatchString(s) && slices.ContainsFunc(sentences(q), declares) {
				return true
			}
		}
	}
	return false
}

// declares says whether a sentence states how something is.
func declares(s string) bool {
	m := declaring.FindStringSubmatch(s)
	if m == nil || !plainSubject(m[1]) {
		return false
	}
	_, instructs := instruct(s)
	return !instructs
}

// plainSubject says whether what stands before a verb is a thing in the world: not
// a clause, and not the answer or who gives it.
func plainSubject(s string) bool { return !clauseWord.MatchString(s) && !ofAnswer.MatchString(s) }

const (
	adverbs = `(?:always |also |please |clearly |explicitly |immer |auch |bitte |toujours |siempre |make sure to |be sure to )*`
	listens = `(?:them|him|her|us|people|everyone|anyone|(?:the |all )?(?:customers?|users?|guests?|readers?|patients?|clients?|callers?|visitors?|students?|parents?|tenants?))`
	factual = `(?:is|are|was|were|costs? (?:\S*\d\S*|€\S*|\$\S*|nothing|extra|more|less|an?|one|two|three|five|ten)|takes?|lasts|closes|opens|expires?|can(?:not|'t)?(?: be)?|never|ist|sind|kostet|dauert|dauern|est|sont|coûte|es|son|está|están|cuesta)(?:[ .,!?]|$)`
)

var (
	claiming = regexp.MustCompile(`(?i)^` + adverbs + `(?:(?:say|mention|state|note|add|explain|emphasi[sz]e|stress|announce|confirm|assure|claim|write|answer|reply|be clear|make (?:it )?clear|point out|(?:tell|remind|inform|warn|advise|assure|let) ` + listens + `(?: know)?)(?: in the answer)?,? that|(?:erwähnen?|sagen?|sag|schreiben?|weise darauf hin|darauf hinweisen|teile mit),? dass|(?:mentionne[rz]?|dites|dis|dire|précise[rz]?|indique[rz]?|ajoute[rz]?) que|(?:menciona|mencione|di|diga|decir|indica|indique|añade|aclara)[nr]? que) (.+)$`)
	// claimingBare leaves out "that".
	claimingBare = regexp.MustCompile(`(?i)^` + adverbs + `(?:(?:say|mention|state|note)|(?:tell|remind|inform|warn|let) ` + listens + `(?: know)?) ((?:\S+ ){1,5}?)` + factual)
	// declaring sentences do not say "say": "The return window is 30 days."
	declaring = regexp.MustCompile(`(?i)^((?:\S+ ){1,5}?)` + factual)

	// avoiding instructions are about what an answer is not to hold.
	avoiding = regexp.MustCompile(`(?i)^(?:\S+ ){0,2}?(?:never|not|don't|avoid|stop|no|nie|niemals|nicht|jamais|nunca|instead of)\b`)

	ofItself   = regexp.MustCompile(`(?i)^(?:you|the (?:assistant|bot|answer|agent|model)|it (?:is|may be|might be) (?:unknown|not known|unclear|uncertain|only an? (?:estimate|guess))|(?:this|that) is (?:only )?(?:an? )?(?:estimate|opinion|guess|not (?:legal|medical|financial) advice)|du|sie selbst|tu|vous|usted)\b`)
	clauseWord = regexp.MustCompile(`(?i)\b(?:wh(?:at|en|ere|ether|ich|o|om|ose|y)|how|if|that|unless|before|after|until|because|as|to|only|wenn|falls|ob|was|wie|wer|si|quand|ce|cuando|que|qué)\b|[:;"(]`)
	ofAnswer   = regexp.MustCompile(`(?i)\b(?:answers?|repl(?:y|ies)|responses?|tone|style|language|wording|text|messages?|summar(?:y|ies)|greetings?|sentences?|paragraphs?|lists?|bullets?|format(?:ting)?|output|words?|it|this|these|you|they|i|we|assistant|bot|agent|model|antwort(?:en)?|ton|réponses?|respuestas?)\b`)
)
