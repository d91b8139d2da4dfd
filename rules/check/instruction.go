package check

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxComment bounds what is read of a comment, in bytes (DESIGN section 5).
const maxComment = 4 << 10

// Instruction reports whether a person's comment tells the agent what to do,
// and returns that as an action in the person's own words: without greeting,
// complaint, "please" or the frame of a wish ("I want you to mention X" is
// "Mention X."). Of several sentences it takes those that instruct, as many as
// fit into MaxLength. A condition stated in the comment is left out; AppliesWhen
// has it. Complaints ("wrong", "too long") and requests of the moment ("tell me
// the price", "I want a refund") are no instructions.
//
// It reads English well, German, French and Spanish in their common forms.
func Instruction(comment string) (action string, ok bool) {
	var out []string
	length := 0
	for _, s := range sentences(clip(comment, maxComment)) {
		_, rest, _ := splitCondition(s)
		a, found := instruct(rest)
		if !found {
			continue
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
	s = tidy(s)
	if s == "" {
		return "", false
	}
	if a, ok := frame(s); ok {
		return a, true
	}
	for _, m := range breaks.FindAllStringIndex(s, 8) {
		if strings.Count(s[:m[0]], `"`)%2 == 1 {
			continue
		}
		if tail := tidy(s[m[1]:]); tail != "" {
			if a, ok := frame(tail); ok {
				return a, true
			}
		}
	}
	return "", false
}

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

var leadIn = regexp.MustCompile(`(?i)^(?:instead, |(?:hi|hello|hey|dear|hallo|bonjour|hola|salut)(?: there| bot| team| all| assistant)?[,!. ]|(?:thanks|thank you|ok|okay|well|also|and|but|so|then|just|again|rather|better|ideally|kindly|pls|plz|please|bitte|svp|por favor|s'il vous plait|s'il te plaît|s'il vous plaît|und|aber|et|mais|y|pero|additionally|furthermore|moreover|suggestion|feedback|tip|note|hint|nb|ps)\b[,:!.]?(?: |$)|(?:in (?:the )?future|for (?:the )?future|next time|from now on|going forward|in general|generally|as a rule|the next time|nächstes mal|beim nächsten mal|in zukunft|künftig|la prochaine fois|à l'avenir|la próxima vez|en el futuro|in such cases|in these cases|for next time|at the end of the day|one thing|my suggestion)\b[,:]? ?|(?:i think|i feel|i believe|i guess|imo|imho|in my opinion|maybe|perhaps|i suggest|i'd suggest|i would suggest|we think|honestly|actually|really)(?: that)?,? )`)

// frame recognizes one way of instructing and returns the action.
func frame(s string) (string, bool) {
	s = strings.TrimSpace(strings.TrimRight(s, " .!"))
	polite := pleaseAnywhere.MatchString(s)
	s = strings.TrimSpace(pleaseAnywhere.ReplaceAllString(s, ""))
	if s == "" || hopeless.MatchString(s) {
		return "", false
	}
	if headless.MatchString(s) {
		s = "it " + s
	}
	for _, try := range []func(string, bool) (string, bool){requested, foreign, omitted, modal, wished, comparative, imperative} {
		if a, ok := try(s, polite); ok {
			a = strings.TrimRight(strings.TrimSpace(a), " .,;:!?")
			if n := utf8.RuneCountInString(a); n < 4 || n > MaxLength-1 {
				return "", false
			}
			return capitalize(a) + ".", true
		}
	}
	return "", false
}

// headless sentences leave out "it" in front of the modal verb.
var headless = regexp.MustCompile(`(?i)^(?:should|must|needs to|has to|ought to|could have|didn't|doesn't|did not|does not)\b`)

var pleaseAnywhere = regexp.MustCompile(`(?i),? ?\b(?:please|pls|plz|thanks|thank you|next time|in (?:the )?future|going forward|from now on|for once|bitte|s'il vous plaît|s'il te plaît|svp|por favor|beim nächsten mal|la prochaine fois|la próxima vez)\b,?`)

// hopeless finds what sounds like an instruction and helps nobody: insults,
// "do better", sarcasm, questions to the bot about itself.
var hopeless = regexp.MustCompile(`(?i)^(?:(?:just |simply |at least |actually )*(?:answer(?: (?:the|my|this|me|it|what|properly|correctly|questions?))?$|answer (?:the|my|this|me|it|what|properly|correctly)|address (?:my|the (?:question|issue|problem)|this|it)|report (?:this|it|you)|read|understand|listen|try|fix|do (?:better|something|it|that|this|your|you)|get|go|stop (?:lying|guessing|being|wasting|it|this|that|hallucinating|making)|learn|check your|look (?:it|again)|think|improve|give up|shut|wake|quit|wait|come on|help|work|use your|be (?:better|smarter|correct|right|accurate|serious|ashamed|useful|helpful)|make (?:sense|it (?:work|right|better|correct))|don't (?:bother|waste|lie|guess|make (?:things|stuff|me)|you|be (?:stupid|silly))|never (?:mind|again|works?|seen|heard|had|got|use(?:d)? this|mentioned that i)|keep (?:trying|up|it up|dreaming|going|your day job)|see (?:above|my|the)|look (?:at|up)|tell me|give me|show me|send me|let me|find me|get me|say that again|use (?:google|a (?:dictionary|calculator|brain))|ask (?:someone|your|google|chatgpt|me)|call me|note to self|refund|cancel)(?:\b.*)?)$|\b(?:ashamed|kidding|joking|a joke|idiot|stupid|embarrass|moron|fired|shut down|google it|get real|seriously\?|lol|lmao|wtf)\b|\b(?:can|could|do|did|will|are) you even\b|^(?:why|how|what|who|where|when|which|was soll|warum|wieso|pourquoi|por qué)\b.*`)

// requested is "can you always mention X", "would you mind adding X".
func requested(s string, _ bool) (string, bool) {
	s = strings.TrimRight(s, "?")
	if m := mindAdding.FindStringSubmatch(s); m != nil {
		if v := base(m[1]); v != "" {
			return bareVerb(v + m[2])
		}
	}
	if m := canYou.FindStringSubmatch(s); m != nil {
		return bareVerb(m[1])
	}
	return "", false
}

var (
	canYou     = regexp.MustCompile(`(?i)^(?:can|could|would|will) (?:you|it|we|the (?:bot|assistant|answers?))(?: also| maybe| at least| kindly| perhaps)? (.+)$`)
	mindAdding = regexp.MustCompile(`(?i)^(?:would|do) you mind (\w+ing)( .+)$`)
)

// subject is how people name the agent or its answer.
const subject = `(?:it|you|they|we|this|that|one|the (?:bot|assistant|agent|ai|system|chatbot|model|answers?|repl(?:y|ies)|responses?|text|message|output|summary)|answers?|repl(?:y|ies)|responses?|(?:this|your|these|that|all|every|each|its|such) (?:answers?|repl(?:y|ies)|responses?|bot|assistant|message|text))`

var (
	modalActive  = regexp.MustCompile(`(?i)^` + subject + `(?: also| really| probably| definitely| always)*(?:'d better| should(?:n't| not)?| must(?:n't| not)?| needs? to| has to| have to| ought to| could have| could| might want to| is supposed to| are supposed to| can also| needn't| shall)(?: (.+))$`)
	modalWord    = regexp.MustCompile(`(?i) (should|must|need|needs|has|have|ought|could|might|is|are|can|shall|needn't|shouldn't|mustn't)\b| 'd better`)
	modalPassive = regexp.MustCompile(`(?i)^(.{2,120}?) (?:should|must|needs? to|has to|have to|ought to)( not|n't)?(?: always| also| never)? (?:be|have been|get)(?: always| clearly| also| explicitly)* (\w+)(?: (.+))?$`)
	thereShould  = regexp.MustCompile(`(?i)^there (?:should|must|needs? to|has to|ought to)(?: always| also)?( not|n't| never)?(?: always| also)? (?:be|have been) (.+)$`)
	uselessVP    = regexp.MustCompile(`(?i)^(?:know|learn|try|read|work|do|go|get|see|think|improve|understand|stop existing|feel|be (?:able|ashamed|correct|right|better|good|accurate|helpful|useful|fixed|improved|clear|an? |the |easy|possible|obvious|enough|fine|great|true|aware|more (?:helpful|accurate|useful|correct)|kidding|there|about)|answer (?:the|my) question|address|help|make sense|have known|have (?:been|answered|worked|understood|done)|look (?:into|at|like)|refund|cancel|pay|take|cost|arrive|not (?:be wrong|happen|exist|have to))\b`)
)

// modal is "it should mention X", "you should have mentioned X", "X must be
// mentioned", "there should be a link".
func modal(s string, _ bool) (string, bool) {
	if strings.HasSuffix(s, "?") {
		return "", false
	}
	if m := thereShould.FindStringSubmatch(s); m != nil {
		return include(m[2], m[1] != "")
	}
	if m := modalPassive.FindStringSubmatch(s); m != nil && !ownSubject.MatchString(m[1]) {
		v := base(m[3])
		if v == "" || !reporting[v] && v != "use" && v != "put" && v != "keep" && v != "avoid" && v != "ask" && v != "link" {
			return "", false
		}
		out := v + " " + lowerFirst(m[1])
		if m[4] != "" {
			out += " " + m[4]
		}
		if m[2] != "" || strings.Contains(m[0], " never ") {
			out = "do not " + out
		}
		return out, true
	}
	m := modalActive.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	vp := m[1]
	head := s[:len(s)-len(vp)]
	if strings.Contains(strings.ToLower(head), "needn't") {
		return "", false
	}
	negative := regexp.MustCompile(`(?i)n't|\bnot\b`).MatchString(head)
	if strings.Contains(strings.ToLower(head), "could have") {
		vp = "have " + vp
	}
	return verbPhrase(vp, negative)
}

var ownSubject = regexp.MustCompile(`(?i)^` + subject + `$`)

// verbPhrase makes an imperative of what follows "should": "not have mentioned
// X", "always say X", "be shorter".
func verbPhrase(vp string, negative bool) (string, bool) {
	prefix := ""
	for {
		word, rest, _ := strings.Cut(vp, " ")
		switch strings.ToLower(word) {
		case "not":
			negative = !negative
		case "never":
			prefix, negative = "never ", false
		case "always", "only":
			prefix = strings.ToLower(word) + " "
		case "also", "really", "just", "at", "least", "definitely", "probably", "better", "rather", "instead", "explicitly", "clearly":
			if strings.ToLower(word) == "clearly" {
				prefix = "clearly "
			}
		case "have":
			verb, tail, _ := strings.Cut(rest, " ")
			if verb == "been" {
				rest = "be " + tail
			} else if b := base(verb); b != "" {
				rest = strings.TrimSpace(b + " " + tail)
			} else {
				return "", false
			}
		default:
			return asImperative(prefix, vp, negative)
		}
		if rest == "" {
			return "", false
		}
		vp = rest
	}
}

func asImperative(prefix, vp string, negative bool) (string, bool) {
	if uselessVP.MatchString(vp) {
		return "", false
	}
	if m := regexp.MustCompile(`(?i)^be (.+)$`).FindStringSubmatch(vp); m != nil {
		low := strings.ToLower(m[1])
		switch {
		case regexp.MustCompile(`^(in|as|within|under|at most|no (more|longer)|written|formatted)\b`).MatchString(low) && !negative:
			rest := regexp.MustCompile(`(?i)^(written|formatted) `).ReplaceAllString(m[1], "")
			return prefix + "answer " + rest, true
		case qualities.MatchString(low):
			if negative {
				return "do not be " + m[1], true
			}
			return prefix + "be " + m[1], true
		}
		return "", false
	}
	verb, _, _ := strings.Cut(vp, " ")
	if prefix == "" && moment.MatchString(vp) {
		return "", false
	}
	if !verbs[strings.ToLower(strings.Trim(verb, ",:"))] {
		return "", false
	}
	if negative {
		return "do not " + vp, true
	}
	return prefix + vp, true
}

// qualities are how an answer can be asked to be, checkable by a reader.
var qualities = regexp.MustCompile(`^(?:(?:a bit|a little|much|far|more|less|a lot|way|very|as|so|slightly|a tad) )*(?:short(?:er)?|brief(?:er)?|concise|long(?:er)?|detailed|polite(?:r)?|friendl(?:y|ier)|formal|informal|casual|simple(?:r)?|direct|specific|precise|structured|warm(?:er)?|professional|empathetic|personal|neutral|positive|explicit|technical|verbose|wordy|pushy|apologetic|repetitive|rude|careful|honest|cautious|consistent|factual|upfront|sarcastic|condescending|patronizing|vague|up ?front|to the point|chatty|understanding|humble|confident|respectful)\b`)

// include is "Include NP." or its negation for a noun phrase that names
// something an answer can hold.
func include(np string, negative bool) (string, bool) {
	np = strings.TrimSpace(strings.TrimRight(np, " .,!?"))
	if emptyThing.MatchString(np) || len(strings.Fields(np)) > 30 {
		return "", false
	}
	if negative || regexp.MustCompile(`(?i)^no `).MatchString(np) {
		return "do not include " + regexp.MustCompile(`(?i)^(no|any) `).ReplaceAllString(np, ""), true
	}
	if comparison.MatchString(np) {
		return "give " + np, true
	}
	return "include " + np, true
}

var comparison = regexp.MustCompile(`(?i)^(?:shorter|longer|simpler|clearer|more|less|fewer|friendlier)\b`)

// emptyThing finds objects that say nothing: "an answer", "the point", "it".
var emptyThing = regexp.MustCompile(`(?i)^(?:(?:the|a|an|my|any|some|more|much|enough|all|no|actual|real|right|correct|better|good|proper|useful|helpful|relevant|important|key|basic|full|complete|clear|whole|most|main|necessary|required|crucial|critical|needed|specific|further|additional|certain|part of the|half of the|to|straight|simple|most of the|half the) )*(?:answers?|questions?|point|points|info|information|everything|anything|something|nothing|it|this|that|them|context|details?|mark|boat|help|support|solution|results?|responses?|repl(?:y|ies)|content|data|facts?|way|idea|reason|sense|things?|stuff|refund|money|human|person|agent|job|work|order|package|parcel|quality|intent|task|topic|subject|me|us|what i (?:asked|wanted|need(?:ed)?|said|meant|was looking for)|what (?:was|is) asked|how to (?:answer|help)|accuracy|clarity|(?:any|every|some|no)thing .*|depth|effort|substance|mistakes?|errors?|problem|my (?:order|name|account|question|problem|issue|case)|one|ones|why|issue|mind)(?:$|[,.!?]| (?:to|for|about|on|in|of|i|at|that|here|entirely|completely|again|back|from|is|was|as)\b)`)
