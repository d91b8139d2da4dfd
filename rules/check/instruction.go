package check

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxComment bounds what is read of a comment, in bytes (DESIGN section 5).
const maxComment = 4 << 10

// Instruction reports whether a person's comment tells the agent what to do,
// and returns that as an action in the person's own words: without greeting,
// complaint, "please", "for me" or the frame of a wish ("I want you to mention X"
// is "Mention X."). Of several sentences it takes those that instruct, as many as
// fit into MaxLength. A condition stated in the comment is left out; AppliesWhen
// has it. Complaints ("wrong", "too long") and requests of the moment ("tell me
// the price", "I want a refund") are no instructions. Sentences under different
// conditions keep them.
//
// It reads English well, German, French and Spanish in their common forms.
func Instruction(comment string) (action string, ok bool) {
	said := instructions(comment)
	return joined(said, manyConditions(said))
}

// WholeInstruction is Instruction with the conditions left in, as they were said: for
// a comment that is under another condition already.
func WholeInstruction(comment string) (action string, ok bool) {
	return joined(instructions(comment), true)
}

// A told is one sentence that instructs.
type told struct{ cond, action, whole string }

func instructions(comment string) []told {
	var out []told
	for _, s := range sentences(clip(comment, maxComment)) {
		cond, rest, _ := splitCondition(s)
		a, found := instruct(rest)
		if plain := respelled(rest); !found && plain != rest {
			a, found = instruct(plain)
		}
		if !found {
			continue
		}
		t := told{cond, a, a}
		if cond != "" {
			if w, ok := sentence(tidy(s)); ok {
				t.whole = w
			}
		}
		out = append(out, t)
	}
	return out
}

// manyConditions says whether sentences are under different conditions. What follows a
// condition without one of its own is under that.
func manyConditions(said []told) bool {
	for i := 1; i < len(said); i++ {
		if said[i].cond != "" && said[i].cond != said[0].cond {
			return true
		}
	}
	return false
}

// joined is as many of the actions as fit into MaxLength.
func joined(said []told, whole bool) (string, bool) {
	var out []string
	length := 0
	for _, t := range said {
		a := t.action
		if whole {
			a = t.whole
		}
		n := utf8.RuneCountInString(a) + 1
		if length+n > MaxLength+1 {
			break
		}
		length += n
		out = append(out, a)
	}
	return strings.Join(out, " "), len(out) > 0
}

// instruct tries one sentence, then what follows a complaint in it ("wrong
// tone, please be polite"; "good, but mention the fee").
func instruct(s string) (string, bool) {
	polite := pleaseAnywhere.MatchString(s)
	s = tidy(betterNot.ReplaceAllString(withoutForMe(lastly(straight.Replace(s))), "do not $1"))
	if s == "" {
		return "", false
	}
	if a, ok := frame(s, polite); ok {
		return a, true
	}
	for _, m := range breaks.FindAllStringIndex(s, 8) {
		if strings.Count(s[:m[0]], `"`)%2 == 1 {
			continue
		}
		if tail := tidy(s[m[1]:]); tail != "" {
			if a, ok := frame(tail, polite); ok {
				if restricts.MatchString(s) {
					return sentence(s)
				}
				return a, true
			}
		}
	}
	return "", false
}

// restricts finds what is said in front of an instruction and is not to be lost.
var restricts = regexp.MustCompile(`(?i)^(?:unless|except|until|before|after|once|while|as long as|provided)\b`)

// lastly reads "next time give me X" as "give X": what is wanted from now on is no
// errand of the moment.
func lastly(s string) string {
	if !lasting.MatchString(s) {
		return s
	}
	s = tellsMe.ReplaceAllString(s, "state $1")
	return toMe.ReplaceAllString(s, "$1 ")
}

var (
	lasting = regexp.MustCompile(`(?i)\b(?:next time|in (?:the )?future|from now on|going forward|always|every time|each time)\b`)
	tellsMe = regexp.MustCompile(`(?i)\btell (?:me|us) (the|our|its|which|how|where)\b`)
	toMe    = regexp.MustCompile(`(?i)\b(give|show|list|offer|quote|explain)(?: to)? (?:me|us)\b ?`)
)

// withoutForMe takes "for me" off a wish: whom a rule is for is its scope. "What is
// best for me" stays.
func withoutForMe(s string) string {
	m := forMe.FindStringSubmatchIndex(s)
	if m == nil || goodForMe.MatchString(s[:m[0]]) {
		return s
	}
	return s[:m[0]] + s[m[2]:]
}

var (
	forMe     = regexp.MustCompile(`(?i),?(?: just| only| at least)? for me((?:,? please)?(?:[,.!:;].*)?)$`)
	goodForMe = regexp.MustCompile(`(?i)\b(?:works?|best|better|good|right|easy|easier|hard|harder|enough|fine|ok|okay|important|matters?|relevant|useful|possible|impossible|difficult|nothing|anything|something|what|that|is|are|was|were)$`)
)

// betterNot is a prohibition: "better not mention X", "try not to use X".
var betterNot = regexp.MustCompile(`(?i)^(?:please )?(?:try|(?:you(?:'d| had)? |it(?:'s| is|'d be| would be) )?better) not (?:to )?(\pL+)`)

var breaks = regexp.MustCompile(`(?i)(?:[,:;.)] | - | – | — |, ?)(?:(?:but|and|so|aber|mais|pero|also|instead|rather) )?|\b(?:but|aber|mais|pero|instead|so) `)

// tidy straightens quotes and spaces and strips what people say first.
func tidy(s string) string {
	s = strings.NewReplacer("’", "'", "‘", "'", "“", `"`, "”", `"`, "„", `"`).Replace(s)
	s = strings.Join(strings.Fields(s), " ")
	s = strings.TrimLeft(s, "-*•>– ,.:;")
	for {
		rest := strings.TrimLeft(leadIn.ReplaceAllString(s, ""), " ,:;-–—!.")
		if rest == s {
			return s
		}
		s = rest
	}
}

var leadIn = regexp.MustCompile(`(?i)^(?:instead, |(?:here|in this case|in that case|in such a case|in cases like this|this time|hier|in diesem fall|ici|dans ce cas|aquí|aqui|en este caso)\b,? |(?:hi|hello|hey|dear|hallo|bonjour|hola|salut)(?: there| bot| team| all| assistant)?[,!. ]|(?:thanks|thank you|ok|okay|well|also|and|but|so|then|just|again|rather|better(?: to)?|best to|try to|try and|ideally|kindly|pls|plz|please|bitte|svp|por favor|s'il vous plait|s'il te plaît|s'il vous plaît|und|aber|et|mais|y|pero|additionally|furthermore|moreover|suggestion|feedback|tip|note|hint|nb|ps)\b[,:!.]?(?: |$)|(?:in (?:the )?future|for (?:the )?future|next time|from now on|going forward|in general|generally|as a rule|the next time|nächstes mal|beim nächsten mal|in zukunft|künftig|la prochaine fois|à l'avenir|la próxima vez|en el futuro|in such cases|in these cases|for next time|at the end of the day|one thing|my suggestion)\b[,:]? ?|(?:i think|i feel|i believe|i guess|imo|imho|in my opinion|maybe|perhaps|i suggest|i'd suggest|i would suggest|we think|honestly|actually|really|personally)(?: that)?,? |for me(?: personally)?,? )`)

// frame recognizes one way of instructing and returns the action; polite says
// that there was a "please" in the sentence.
func frame(s string, polite bool) (string, bool) {
	s = quits.ReplaceAllString(refrains.ReplaceAllString(s, "avoid $1"), "stop $1")
	exclaimed := strings.HasSuffix(s, "!")
	s = strings.TrimSpace(strings.TrimRight(s, " .!"))
	s = strings.TrimSpace(pleaseAnywhere.ReplaceAllString(s, ""))
	if s == "" {
		return "", false
	}
	if a, ok := asked(s); ok {
		return sentence(a)
	}
	if wishful.MatchString(s) {
		s = "I " + s
	}
	if a, ok := terse(s, polite || exclaimed); ok {
		return sentence(a)
	}
	if hopeless.MatchString(s) {
		return "", false
	}
	if headless.MatchString(s) {
		s = "it " + s
	}
	if a, ok := indirect(s); ok {
		return sentence(a)
	}
	for _, try := range []func(string, bool) (string, bool){requested, foreign, omitted, lacking, modal, wished, comparative, imperative} {
		if a, ok := try(s, polite); ok {
			return sentence(a)
		}
	}
	return "", false
}

var (
	refrains = regexp.MustCompile(`(?i)^(?:refrain|abstain) from (\pL+ing)\b`)
	quits    = regexp.MustCompile(`(?i)^(?:quit|cease) (?:to )?(\pL+ing)\b`)
)

// sentence makes an action of what a reader returned.
func sentence(a string) (string, bool) {
	a = strings.TrimRight(strings.TrimSpace(a), " .,;:!?。！？")
	a = strings.TrimRight(asides.ReplaceAllString(a, ""), " ,")
	stop, least := ".", 4
	if r, _ := utf8.DecodeLastRuneInString(a); ideographic(r) && !unicode.Is(unicode.Hangul, r) {
		stop, least = "。", 3
	}
	if n := utf8.RuneCountInString(a); n < least || n > MaxLength-1 {
		return "", false
	}
	return capitalize(a) + stop, true
}

// asides end a sentence and say nothing about the answer.
var asides = regexp.MustCompile(`(?i)(?:,? (?:imo|imho|tho|though|lol|as well|too))+$`)

// headless sentences leave out "it" in front of the modal verb.
var headless = regexp.MustCompile(`(?i)^(?:should|must|needs|has to|ought to|could have|could do with|could use|would (?:be|have|help)|might be|might have|didn't|doesn't|did not|does not|says nothing|said nothing|lacks)\b`)

// wishful sentences leave out "I".
var wishful = regexp.MustCompile(`(?i)^(?:would|'d) (?:prefer|like|love|expect|appreciate|have (?:liked|preferred|expected|loved))\b`)

var pleaseAnywhere = regexp.MustCompile(`(?i),? ?\b(?:please|pls|plz|thanks|thank you|next time|in (?:the )?future|going forward|from now on|for once|bitte|s'il vous plaît|s'il te plaît|svp|por favor|beim nächsten mal|la prochaine fois|la próxima vez)\b,?`)

// hopeless finds what sounds like an instruction and helps nobody: insults,
// "do better", sarcasm, questions to the bot about itself.
var hopeless = regexp.MustCompile(`(?i)^(?:(?:just |simply |at least |actually )*(?:answer(?: (?:the|my|this|me|it|what|properly|correctly|questions?))?$|answer (?:the|my|this|me|it|what|properly|correctly)|address (?:my|the (?:question|issue|problem)|this|it)|report (?:this|it|you)|read|understand|listen|try|fix|do (?:better|something|it|that|this|your|you)|get|go|stop (?:lying|guessing|being|wasting|it|this|that|hallucinating|making)|learn|check your|look (?:it|again)|think|improve|give up|shut|wake|quit|wait|come on|help|work|use your|be (?:better|smarter|correct|right|accurate|serious|ashamed|useful|helpful)|make (?:sense|it (?:work|right|better|correct))|don't (?:bother|waste|lie|guess|make (?:things|stuff|me)|you|be (?:stupid|silly))|never (?:mind|again|works?|seen|heard|had|got|use(?:d)? this|mentioned that i)|keep (?:trying|up|it up|dreaming|going|your day job)|see (?:above|my|the)|look (?:at|up)|tell me|give me|show me|send me|let me|find me|get me|say that again|use (?:google|a (?:dictionary|calculator|brain))|ask (?:someone|your|google|chatgpt)|ask me(?: (?:if|again|later)\b|$)|explain yourself|call me(?: (?:back|when|on|at|if|crazy|old|an?|later|now|asap|today|tomorrow|by phone)\b|$)|note to self|refund|cancel)(?:\b.*)?)$|\b(?:ashamed|kidding|joking|a joke|idiot|stupid|embarrass|moron|fired|shut down|google it|get real|seriously\?|lol|lmao|wtf)\b|\b(?:can|could|do|did|will|are) you even\b|^(?:why|how|what|who|where|when|which|was soll|warum|wieso|pourquoi|por qué)\b.*`)
