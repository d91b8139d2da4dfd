package check

import (
	"regexp"
	"strings"
)

// requested is "can you always mention X", "would you mind adding X".
func requested(s string, polite bool) (string, bool) {
	s = strings.TrimRight(s, "?")
	if m := mindAdding.FindStringSubmatch(s); m != nil {
		if v := base(m[2]); v != "" {
			return bareVerb(unlessNot(m[1]) + v + m[3])
		}
	}
	if m := canYou.FindStringSubmatch(s); m != nil && (m[1] == "" || polite) { // "can you not read?" asks for nothing
		return bareVerb(unlessNot(m[1]) + m[2])
	}
	return "", false
}

var (
	canYou     = regexp.MustCompile(`(?i)^(?:can|could|would|will|can't|couldn't|shouldn't) (?:you|it|we|the (?:bot|assistant|answers?))(?: also| maybe| at least| kindly| perhaps| just| simply| please)*( not)? (.+)$`)
	mindAdding = regexp.MustCompile(`(?i)^(?:would|do) you mind( not)? (\w+ing)( .+)$`)
)

// unlessNot is what "not" makes of a request.
func unlessNot(not string) string {
	if not == "" {
		return ""
	}
	return "do not "
}

// answerNoun names the agent or its answer; subject is how people refer to it:
// "it", "this one", "the reply", "answers like this", "the bot here".
const (
	answerNoun = `(?:bot|assistant|agent|ai|system|chatbot|model|answers?|repl(?:y|ies)|responses?|texts?|messages?|output|summary)`
	subject    = `(?:(?:it|you|they|we|this|that|these|those|one|this one|that one|such ones?|(?:the|this|your|these|those|that|all|every|each|its|such|an?|our|any|such an?) ` + answerNoun + `|answers?|repl(?:y|ies)|responses?)(?: (?:like|such as|of) (?:this|that|these|those)(?: ones?| kind| sort| type)?)?(?: here)?)`
)

var (
	modalActive  = regexp.MustCompile(`(?i)^` + subject + `(?: also| really| probably| definitely| always| still| just| simply| at least| clearly)*(?:'d better| should(?:n't| not)?| must(?:n't| not)?| needs? to| has to| have to| ought to| could have| could| might want to| is supposed to| are supposed to| can also| needn't| shall)(?: (.+))$`)
	modalPassive = regexp.MustCompile(`(?i)^(.{2,120}?) (?:should|must|needs? to|has to|have to|ought to)( not|n't)?(?: always| also| never)? (?:be|have been|get)(?: always| clearly| also| explicitly)* (\w+)(?: (.+))?$`)
	thereShould  = regexp.MustCompile(`(?i)^there (?:should|must|needs? to|has to|ought to)(?: always| also)?( not|n't| never)?(?: always| also)? (?:be|have been) (.+)$`)
	uselessVP    = regexp.MustCompile(`(?i)^(?:know|learn|try$|try (?:again|harder)|read|work|do|go|get|see|think|improve|understand|stop existing|feel|be (?:able|ashamed|correct|right|better|good|accurate|helpful|useful|fixed|improved|clear|an? |the |easy|possible|obvious|enough|fine|great|true|aware|more (?:helpful|accurate|useful|correct)|kidding|there|about)|answer (?:the|my) question|address(?: (?:it|this|that|the (?:question|issue|problem|point|topic|matter|concern)s?|my|our|what)\b|$)|help|make sense|have known|have (?:been|answered|worked|understood|done)|look (?:into|at|like)|refund|cancel|pay|take|cost|arrive|not (?:be wrong|happen|exist|have to))\b`)
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
		what := notNeeded.ReplaceAllString(m[1], "") // "X doesn't need to be mentioned"
		out := v + " " + lowerFirst(what)
		if m[4] != "" {
			out += " " + m[4]
		}
		if m[2] != "" || what != m[1] || strings.Contains(m[0], " never ") {
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
	negative := notWord.MatchString(head)
	if strings.Contains(strings.ToLower(head), "could have") {
		vp = "have " + vp
	}
	return verbPhrase(vp, negative)
}

var notNeeded = regexp.MustCompile(`(?i) (?:does|do|did)(?:n't| not)(?: really| always)?$`)

var ownSubject = regexp.MustCompile(`(?i)^` + subject + `$`)

// verbPhrase makes an imperative of what follows "should": "not have mentioned
// X", "always say X", "be shorter".
func verbPhrase(vp string, negative bool) (string, bool) {
	prefix := ""
	for {
		word, rest, _ := strings.Cut(vp, " ")
		switch strings.ToLower(word) {
		case "not":
			if negative = !negative; prefix == "always " {
				prefix = ""
			}
		case "never":
			prefix, negative = "never ", false
		case "always", "only":
			prefix = strings.ToLower(word) + " "
			if negative { // "should not always mention X" lets X be mentioned
				prefix, negative = "do not "+prefix, false
			}
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

// Wrappings of a verb phrase that say nothing themselves.
var (
	seeTo     = regexp.MustCompile(`(?i)^(?:remember|make sure|be sure|take care|ensure|see to it|try|not forget|learn|start|begin|be able|do well)(?: to| that it| that you| it| you| that) `)
	tellMe    = regexp.MustCompile(`(?i)^(?:tell|inform|warn|remind|notify|show|give) (?:me|us) (about|of|on|that) (.+)$`)
	giveMe    = regexp.MustCompile(`(?i)^(?:tell|give|show|send|offer|provide|write|name) (?:me|us) (.+)$`)
	comeWith  = regexp.MustCompile(`(?i)^(?:(?:come|go|be accompanied|be followed) (?:along )?(?:with|by)|contain) (.+)$`)
	answered  = regexp.MustCompile(`(?i)^be (?:answered|written|given|formatted|phrased|worded|presented) (.+)$`)
	beWord    = regexp.MustCompile(`(?i)^be (.+)$`)
	mannerly  = regexp.MustCompile(`^(in|as|within|under|at most|no (more|longer)|politely|briefly|concisely)\b`)
	withParts = regexp.MustCompile(`^(?:with|using|without) (?:an?|the|our|some|more|fewer|bullet|short|simple|plain)\b`)
	notWord   = regexp.MustCompile(`(?i)n't|\bnot\b`)
	noSuchDay = regexp.MustCompile(`(?i)^(?:that|this|it|so)$|\b(?:earlier|sooner|before|yesterday)$`)
)

func asImperative(prefix, vp string, negative bool) (string, bool) {
	forbids := negative || strings.HasPrefix(prefix, "never") || strings.HasPrefix(prefix, "do not")
	if m := seeTo.FindString(vp); m != "" && !negative {
		return verbPhrase(prefix+vp[len(m):], false)
	}
	if m := tellMe.FindStringSubmatch(vp); m != nil && !forbids && !noSuchDay.MatchString(m[2]) {
		if strings.EqualFold(m[1], "that") {
			return "say that " + m[2], true
		}
		return mention(m[2])
	}
	if m := comeWith.FindStringSubmatch(vp); m != nil && parts.MatchString(m[1]) && !strings.HasPrefix(prefix, "do not") {
		return include(m[1], forbids)
	}
	if uselessVP.MatchString(vp) {
		return "", false
	}
	if m := beWord.FindStringSubmatch(vp); m != nil {
		return asQuality(prefix, vp, m[1], negative)
	}
	if m := giveMe.FindStringSubmatch(vp); m != nil && prefix == "" && !negative {
		if !parts.MatchString(m[1]) || personal.MatchString(m[1]) {
			return "", false
		}
		return mention(m[1])
	}
	verb, rest, _ := strings.Cut(vp, " ")
	verb = strings.ToLower(strings.Trim(verb, ",:"))
	switch {
	case prefix == "" && moment.MatchString(vp), !verbs[verb]:
		return "", false
	case rest == "" && !alone[verb]:
		return "", false
	case negative:
		return "do not " + vp, true
	}
	return prefix + vp, true
}

// asQuality is "be shorter" and "be in German".
func asQuality(prefix, vp, what string, negative bool) (string, bool) {
	if m := answered.FindStringSubmatch(vp); m != nil {
		what = m[1]
	}
	low := strings.ToLower(what)
	switch {
	case len(what) < len(vp)-3 && withParts.MatchString(low) && !negative:
		return prefix + "answer " + what, true
	case mannerly.MatchString(low) && !negative:
		return prefix + "answer " + what, true
	case qualities.MatchString(low) && negative:
		return "do not be " + what, true
	case qualities.MatchString(low):
		return prefix + "be " + what, true
	}
	return "", false
}

// alone are the verbs that instruct without an object.
var alone = set("apologize apologise greet summarize summarise")

// qualities are how an answer can be asked to be, checkable by a reader.
var qualities = regexp.MustCompile(`^(?:(?:a bit|a little|much|far|more|less|a lot|way|very|as|so|slightly|a tad) )*(?:short(?:er)?|brief(?:er)?|concise|long(?:er)?|detailed|polite(?:r)?|friendl(?:y|ier)|formal|informal|casual|simple(?:r)?|direct|specific|precise|structured|warm(?:er)?|professional|empathetic|personal|neutral|positive|explicit|technical|verbose|wordy|pushy|apologetic|repetitive|rude|nice(?:r)?|kind(?:er)?|careful|honest|cautious|consistent|factual|upfront|sarcastic|condescending|patronizing|vague|up ?front|to the point|chatty|understanding|humble|confident|respectful)\b`)
