package simulate

import (
	"regexp"
	"strconv"
	"strings"
)

// Kind is what an instruction demands of an answer.
type Kind string

// The kinds that the simulation can read, obey and check. What Text and N
// hold is said behind each.
const (
	Mention   Kind = "mention"   // Text: what to say
	Avoid     Kind = "avoid"     // Text: what not to say
	Replace   Kind = "replace"   // Text: what to say; Old: instead of what
	Begin     Kind = "begin"     // Text: the first words
	End       Kind = "end"       // Text: the last words
	Sign      Kind = "sign"      // Text: the signature
	Link      Kind = "link"      // Text: the page to point to
	Offer     Kind = "offer"     // Text: what to offer
	Ask       Kind = "ask"       // Text: what to ask the customer for
	Upper     Kind = "upper"     // capital letters only
	Lower     Kind = "lower"     // small letters only
	Bullets   Kind = "bullets"   // a bullet list
	Numbered  Kind = "numbered"  // a numbered list
	Table     Kind = "table"     // a Markdown table
	Words     Kind = "words"     // N: words at most
	Sentences Kind = "sentences" // N: sentences at most
	JSON      Kind = "json"      // one JSON object
	Language  Kind = "language"  // Text: german, french or spanish
	Polite    Kind = "polite"    // a polite tone: "please", thanks
	Apologise Kind = "apologise" // say sorry
	Greet     Kind = "greet"     // a greeting first
	Thank     Kind = "thank"     // thank the customer
	Metric    Kind = "metric"    // centimetres instead of inches
	Currency  Kind = "currency"  // Text: the sign to write before amounts
	Phone     Kind = "phone"     // a phone number
)

// Instruction is one demand read in a prompt.
type Instruction struct {
	Kind Kind
	Text string
	Old  string
	N    int

	When      string // its condition; empty is always
	Complaint bool   // said as a complaint, not as an instruction
	Learned   bool   // stands where rules are injected; the agent's own wins
	Source    string // the words it was read from
}

// shortSentences is what "keep it short" means.
const shortSentences = 2

// Read returns the instructions in a text that the simulation can follow, in
// order; what it cannot read it leaves out.
func Read(text string) []Instruction {
	var out []Instruction
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(bulletMark.ReplaceAllString(strings.TrimSpace(line), ""))
		when, action := splitCondition(line)
		for _, sentence := range splitSentences(action) {
			w, rest := when, sentence
			if w == "" {
				w, rest = splitCondition(sentence)
			}
			for _, clause := range splitClauses(rest) {
				if in, ok := readClause(clause); ok {
					in.When, in.Source = w, clause
					out = append(out, in)
				}
			}
		}
	}
	return out
}

var (
	bulletMark = regexp.MustCompile(`^(?:[-*•]|\(?\d{1,2}[.)])\s+|^#+\s+`)

	// A rule's own form, then the ways in which people put a condition.
	whenColon = regexp.MustCompile(`(?i)^(?:when|if|whenever)\s+(.{2,300}?):\s+(.+)$`)
	whenComma = regexp.MustCompile(`(?i)^(?:when|whenever|if|every time|any time|in case|as soon as)\s+([^:]{2,200}?),\s*(?:then\s+)?(.+)$`)
	forTopic  = regexp.MustCompile(`(?i)^(?:for|in|with|on)\s+((?:all |any |every |questions? |answers? |anything |requests? |replies |messages )?[^,:]{2,120}?)[,:]\s+(.+)$`)
	whenLast  = regexp.MustCompile(`(?i)^(.{4,}?),?\s+(?:when|whenever|if|every time|any time)\s+((?:some(?:one|body)|a customer|customers?|the customer|people|they|asked|the question|the user|users?|a user|it is about|it's about|talking|answering|questions?)\b.{2,150})$`)
	// anyTime is a condition that always holds.
	anyTime    = regexp.MustCompile(`(?i)^(?:always|where it fits the request|in every answer|in all answers|in general|generally):\s+|^(?:here|in this case|in this one|this time|next time),?\s+`)
	alwaysOnly = regexp.MustCompile(`(?i)^(?:always|any (?:question|request)|every (?:question|request|answer))$`)
)

// splitCondition takes the condition off a sentence, if it has one.
func splitCondition(s string) (when, action string) {
	s = anyTime.ReplaceAllString(s, "")
	for _, re := range []*regexp.Regexp{whenColon, whenComma, forTopic} {
		if m := re.FindStringSubmatch(s); m != nil {
			if alwaysOnly.MatchString(m[1]) {
				return "", m[2]
			}
			return strings.TrimSpace(m[1]), m[2]
		}
	}
	if m := whenLast.FindStringSubmatch(s); m != nil && !strings.Contains(m[1], ". ") {
		return strings.Trim(m[2], " .!"), m[1]
	}
	return "", s
}

// splitSentences cuts at sentence ends and semicolons that stand outside of
// quotes.
func splitSentences(s string) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '`':
			quoted = !quoted
		case !quoted && (c == ';' || c == '.' || c == '!' || c == '?') && (i+1 == len(s) || s[i+1] == ' '):
			end := i + 1
			if c == ';' {
				end = i
			}
			out = append(out, strings.TrimSpace(s[start:end]))
			start = i + 1
		}
	}
	if rest := strings.TrimSpace(s[start:]); rest != "" {
		out = append(out, rest)
	}
	return out
}

// clauseJoin stands before a verb of the vocabulary that starts a new demand.
var clauseJoin = regexp.MustCompile(`(?i)(?:,\s*|\s+)(?:and|but|then|and then|and also|plus)\s+((?:please |always |never |also |do not |don't )*(?:mention|include|add|link|point|refer|direct|say|tell|never|avoid|don't|do not|use|write|end|begin|start|close|finish|sign|keep|answer|reply|respond|apologi[sz]e|greet|thank|offer|suggest|recommend|ask|state|note|give|provide|explain|remind|be|leave|format|list|name|quote|put|open)\b)`)

func splitClauses(s string) []string {
	var out []string
	for {
		at := clauseJoin.FindStringSubmatchIndex(s)
		if at == nil || strings.Count(s[:at[0]], `"`)%2 == 1 {
			return append(out, strings.TrimSpace(s))
		}
		out = append(out, strings.TrimSpace(s[:at[0]]))
		s = s[at[2]:]
	}
}

var (
	// lead is what may stand before the verb and changes nothing.
	lead = regexp.MustCompile(`(?i)^(?:(?:(?:we|i)(?:'d| would)? (?:like|want|expect|need|prefer) (?:you |it |the answer |the bot |answers )?to|please|always|also|just|kindly|again|really|must|should|shall|need to|needs to|have to|has to|ought to|has got to|can you|could you|would you|next time|in future|in the future|from now on|going forward|here|then|so|hey|ok|okay|it|this one|you|we|they|the (?:assistant|bot|agent|answers?|repl(?:y|ies)|responses?)|(?:your|our|all|every|any|these|this|such) (?:answers?|repl(?:y|ies)|responses?)|answers|replies|responses|make sure (?:to|that|you|it|the answer|answers|we)|make sure|be sure to|remember to|try to|don'?t forget to|do not forget to|never forget to|it is important to|will|would|could|better)[,:]?\s+)+`)
	// negation is what turns the verb around.
	negation = regexp.MustCompile(`(?i)^(?:never(?: ever)?|do not|don'?t|must not|mustn'?t|should not|shouldn'?t|avoid(?: ever)?|stop|no longer|refrain from|leave out|leave off|omit|skip|drop|exclude|not|cannot|can'?t|no|without|cut out|get rid of|remove)\b\s*`)
	// saying is the verb that a negation leaves over: "never [mention] X".
	saying = regexp.MustCompile(`(?i)^(?:ever\s+)?(?:mention(?:ing)?|say(?:ing)?|talk(?:ing)? about|includ(?:e|ing)|us(?:e|ing)|writ(?:e|ing)|bring(?:ing)? up|refer(?:ring)? to|speak(?:ing)? of|the words?|the phrases?|the terms?|any mention of|mentions? of|add(?:ing)?|offer(?:ing)?|recommend(?:ing)?|suggest(?:ing)?|promis(?:e|ing)|tell(?:ing)? (?:them|people|customers)(?: about| that)?|name|naming|quot(?:e|ing)|discuss(?:ing)?)\s+(?:(?:the )?(?:words?|phrases?|terms?)\s+)?`)
)

// readClause reads one demand.
func readClause(s string) (Instruction, bool) {
	whole := strings.Trim(s, " ")
	if in, ok := readComplaint(whole); ok {
		return in, true
	}
	s = strings.TrimSpace(lead.ReplaceAllString(whole, ""))
	if in, ok := match(replacing, s); ok {
		return in, true
	}
	if in, ok := match(limits, s); ok {
		return in, true
	}
	if at := negation.FindStringIndex(s); at != nil {
		verb := s[:at[1]]
		rest := saying.ReplaceAllString(s[at[1]:], "")
		bare := len(rest) == len(s[at[1]:])
		if bare && !bareNegation.MatchString(verb) {
			return Instruction{}, false // "do not worry": no verb of saying
		}
		if rest = argument(rest); rest != "" {
			return Instruction{Kind: Avoid, Text: rest}, true
		}
		return Instruction{}, false
	}
	return match(demands, s)
}

// bareNegation needs no verb of saying behind it.
var bareNegation = regexp.MustCompile(`(?i)^(?:avoid|leave|omit|skip|drop|exclude|no\b|without|cut|get|remove)`)

// pattern reads one wording: its first group becomes Text (or N), its second
// Old.
type pattern struct {
	re   *regexp.Regexp
	make Instruction
}

func match(patterns []pattern, s string) (Instruction, bool) {
	for _, p := range patterns {
		m := p.re.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		in := p.make
		if len(m) > 1 && in.Text == "" {
			if n, ok := number(m[1]); ok && (in.Kind == Words || in.Kind == Sentences) {
				in.N = n
			} else {
				in.Text = argument(m[1])
			}
		}
		if len(m) > 2 {
			in.Old = argument(m[2])
		}
		if in.Text == "" && (in.Kind == Mention || in.Kind == Begin || in.Kind == End || in.Kind == Link || in.Kind == Offer || in.Kind == Ask || in.Kind == Sign) {
			continue
		}
		return in, true
	}
	return Instruction{}, false
}

// argument cleans what an instruction is about: quotes, end marks and filler.
func argument(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, "\"“"); i == 0 {
		if j := strings.IndexAny(s[1:], "\"”"); j > 0 {
			return strings.Trim(s[1:1+j], `"“”`)
		}
	}
	s = strings.TrimSpace(argumentTail.ReplaceAllString(s, ""))
	quote := strings.HasSuffix(s, `"`) || strings.HasSuffix(s, "'") || strings.HasSuffix(s, "”")
	if !quote {
		s = strings.TrimRight(s, " .!?;,")
	}
	return strings.Trim(s, "\"'“”` ")
}

var argumentTail = regexp.MustCompile(`(?i)(?:,? (?:please|every time|each time|at all|anymore|any more|too|as well|again|in (?:the|your|an?|every|each|such) (?:answers?|repl(?:y|ies)|responses?)|in there|there|here|next time|in (?:the )?future))+[.!]?$`)

func number(s string) (int, bool) {
	words := map[string]int{"one": 1, "a": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100}
	if n, ok := words[strings.ToLower(s)]; ok {
		return n, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0
}
