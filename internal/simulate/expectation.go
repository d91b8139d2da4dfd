package simulate

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Expectation is what a person silently expects of the answers to some
// questions.
type Expectation struct {
	ID     string
	Topics []string // ids of knowledge.txt; nil is every question
	Kind   Kind
	Text   string // see the kinds
	Old    string // of Replace
	N      int    // of Words and Sentences

	// Contains is what Met looks for instead of Text, of Mention, Link, Offer
	// and Ask: every part must be in the answer, case ignored.
	Contains []string
	// Phrases are the person's own wordings of the demand. Nil means the
	// usual wordings of the kind.
	Phrases []string
}

// Covers tells whether the expectation concerns questions on the topic.
func (e Expectation) Covers(topic string) bool {
	return e.Topics == nil || slices.Contains(e.Topics, topic)
}

// Met tells whether an answer is as expected. It looks at the answer alone
// and shares nothing with the code that obeys.
func (e Expectation) Met(answer string) bool {
	low := strings.ToLower(strings.TrimSpace(answer))
	text := strings.ToLower(e.Text)
	switch e.Kind {
	case Mention, Offer, Ask:
		return e.contained(low)
	case Link:
		return strings.Contains(low, "://") && e.contained(low)
	case Avoid:
		return !strings.Contains(low, strings.ToLower(bareNoun(e.Text)))
	case Replace:
		return strings.Contains(low, text) && !strings.Contains(low, strings.ToLower(e.Old))
	case Begin:
		return strings.HasPrefix(low, text)
	case End:
		return strings.HasSuffix(strings.TrimRight(low, ".!"), strings.TrimRight(text, ".!"))
	case Sign:
		lines := strings.Split(low, "\n")
		return strings.Contains(lines[len(lines)-1], text)
	case Words:
		return len(strings.Fields(answer)) <= e.N
	case Sentences:
		return len(sentenceEnd.FindAllString(low+"\n", -1)) <= e.N
	case JSON:
		var o map[string]any
		return json.Unmarshal([]byte(answer), &o) == nil
	}
	return metForm(e.Kind, text, answer, low)
}

// metForm checks the kinds that a pattern decides.
func metForm(kind Kind, text, answer, low string) bool {
	switch kind {
	case Upper:
		return answer == strings.ToUpper(answer) && low != strings.ToUpper(low)
	case Lower:
		return answer == strings.ToLower(answer) && low != strings.ToUpper(low)
	case Language:
		n := 0
		for _, w := range markers[text] {
			if strings.Contains(low, w) {
				n++
			}
		}
		return n >= 2
	case Currency:
		return strings.Contains(answer, map[string]string{"euros": "€", "euro": "€", "pounds": "£", "dollars": "$"}[text])
	case Metric:
		return !strings.Contains(low, "inch") && forms[Metric].MatchString(low)
	}
	re := forms[kind]
	return re != nil && re.MatchString(low)
}

func (e Expectation) contained(low string) bool {
	parts := e.Contains
	if parts == nil {
		parts = []string{bareNoun(e.Text)}
	}
	for _, p := range parts {
		if !strings.Contains(low, strings.ToLower(p)) {
			return false
		}
	}
	return true
}

// bareNoun is a phrase without the article that people put before it.
func bareNoun(s string) string {
	for _, a := range []string{"the ", "a ", "an ", "our ", "your "} {
		if rest, ok := strings.CutPrefix(strings.ToLower(s), a); ok {
			return rest
		}
	}
	return s
}

var (
	sentenceEnd = regexp.MustCompile(`[.!?]+\s`)

	// forms are checked on the answer in small letters.
	forms = map[Kind]*regexp.Regexp{
		Bullets:   regexp.MustCompile(`(?m)^\s*[-*•] `),
		Numbered:  regexp.MustCompile(`(?m)^\s*1[.)] `),
		Table:     regexp.MustCompile(`(?m)^\|.*\|\n\|[-: |]+\|`),
		Polite:    regexp.MustCompile(`\bwith pleasure\b|\bplease let us know\b|\bhappy to help\b|\bkindly\b`),
		Apologise: regexp.MustCompile(`\bsorry\b|\bapolog`),
		Greet:     regexp.MustCompile(`^\W*(?:hello|hi|dear|good (?:morning|day|evening)|welcome)\b`),
		Thank:     regexp.MustCompile(`\bthank`),
		Metric:    regexp.MustCompile(`\bcm\b|centimet`),
		Phone:     regexp.MustCompile(`\+?\d[\d ()-]{6,}\d`),
	}

	markers = map[string][]string{
		"german":  {"vielen dank", "ihre", "wir", "gerne"},
		"french":  {"merci", "votre", "nous", "question"},
		"spanish": {"gracias", "pregunta", "estamos", "ayudarle"},
	}
)

// wordings are how people put a demand of each kind: %s is Text, %o Old, %n N.
var wordings = map[Kind][]string{
	Mention:   {"mention %s", "always mention %s", "include %s in the answer", "tell customers about %s", "please say something about %s", "you should add %s", "make sure to mention %s", "don't forget to mention %s"},
	Avoid:     {"never mention %s", "do not mention %s", "don't talk about %s", "avoid mentioning %s", "leave out %s", "please stop mentioning %s"},
	Replace:   {"say %s instead of %o", "use %s rather than %o", "write %s, not %o"},
	Begin:     {`begin with "%s"`, `start the answer with "%s"`, `always open with "%s"`},
	End:       {`end with "%s"`, `finish the answer with "%s"`, `always close with "%s"`},
	Sign:      {"sign as %s", "sign with %s", "please sign off with %s"},
	Link:      {"link %s", "point people to %s", "include a link to %s", "refer customers to %s"},
	Offer:     {"offer %s", "please suggest %s", "recommend %s"},
	Ask:       {"ask for %s", "always ask customers for %s", "ask them for %s"},
	Upper:     {"write in capital letters", "answer in all caps", "use upper case"},
	Lower:     {"write in small letters", "use lower case only", "answer in lowercase"},
	Bullets:   {"use bullet points", "answer with a bulleted list", "please format it as bullets"},
	Numbered:  {"use a numbered list", "give numbered steps", "answer step by step"},
	Table:     {"answer with a table", "put it in a table", "use a table"},
	Words:     {"use at most %n words", "keep it under %n words", "no more than %n words"},
	Sentences: {"answer in at most %n sentences", "no more than %n sentences", "limit answers to %n sentences"},
	JSON:      {"answer in JSON", "return JSON", "format the answer as JSON"},
	Language:  {"answer in %s", "reply in %s", "please write in %s"},
	Polite:    {"be more polite", "sound friendlier", "use a warmer tone"},
	Apologise: {"apologise first", "say sorry", "start with an apology"},
	Greet:     {"greet the customer", "say hello first", "start with a greeting"},
	Thank:     {"thank the customer", "say thanks", "thank them first"},
	Metric:    {"use metric units", "give measurements in centimetres", "use cm"},
	Currency:  {"give prices in %s", "show amounts in %s", "quote it in %s"},
	Phone:     {"include the phone number", "give a phone number", "add our telephone number"},
}

// Demands returns all wordings of what is expected, as instructions.
func (e Expectation) Demands() []string {
	if e.Phrases != nil {
		return e.Phrases
	}
	var out []string
	for _, w := range wordings[e.Kind] {
		out = append(out, strings.NewReplacer("%s", e.Text, "%o", e.Old, "%n", itoa(e.N)).Replace(w))
	}
	return out
}
