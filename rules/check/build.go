package check

import (
	"regexp"
	"strconv"
	"strings"
)

// The number words that people use for limits.
var numberWords = map[string]int{"one": 1, "a": 1, "an": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12, "fourteen": 14, "fifteen": 15, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100}

// Number is the number that a word of small letters names, from two on: "a" and "one"
// seldom count.
func Number(word string) (n int, ok bool) {
	n = numberWords[word]
	return n, n > 1
}

func number(s string) int {
	if n, err := strconv.Atoi(strings.ReplaceAll(s, ",", "")); err == nil {
		return n
	}
	return numberWords[strings.ToLower(s)]
}

const (
	numberExpr = `(\d{1,6}|one|a|an|a single|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|fifty|hundred)`
	unitExpr   = `(words?|sentences?|characters?|chars|letters|paragraphs?|bullet points?|bullets|items|points)`
	whole      = `(?:your |the |all |every |each |its )?(?:answers?|repl(?:y|ies)|responses?|messages?|output|it|everything|text)`
)

func unit(s string) string {
	switch strings.TrimSuffix(strings.ToLower(s), "s") {
	case "word":
		return "words"
	case "sentence":
		return "sentences"
	case "paragraph":
		return "paragraphs"
	case "character", "char", "letter":
		return "characters"
	}
	return "bullets"
}

func limit(kind string) func([]string, bool) (Spec, bool) {
	return func(m []string, negative bool) (Spec, bool) {
		n := number(strings.TrimPrefix(m[1], "a "))
		if negative {
			// "never use more than 50 words" is itself a limit; "never write 50 words" none that we know.
			return Spec{}, false
		}
		return Spec{Kind: kind, Args: []string{unit(m[2])}, N: n}, n > 0
	}
}

// form anchors a clause's form, case aside.
func form(expr string) *regexp.Regexp { return regexp.MustCompile(`(?i)^` + expr + `$`) }

func question(_ []string, negative bool) (Spec, bool) {
	return Spec{Kind: KindQuestion, Not: negative}, true
}

func languageForm(m []string, negative bool) (Spec, bool) {
	code := languageNames[strings.ToLower(m[1])]
	return Spec{Kind: KindLanguage, Args: []string{code}, Not: negative}, code != ""
}

func formatName(s string) string {
	s = strings.ToLower(s)
	for _, f := range []string{"json", "bullet", "numbered", "table", "code", "head", "bold"} {
		if strings.Contains(s, f) {
			return map[string]string{"bullet": "bullets", "head": "headings"}[f] + map[bool]string{true: f}[f != "bullet" && f != "head"]
		}
	}
	return s
}

// edge makes begin and end: the quoted text, or the literal words where they
// are no description ("a summary", "the next step").
func edge(kind string) func([]string, bool) (Spec, bool) {
	return func(m []string, negative bool) (Spec, bool) {
		rest := strings.TrimSpace(m[1])
		if q := quotes(rest); len(q) == 1 && len(q[0])+8 >= len(rest) {
			return Spec{Kind: kind, Args: q, Not: negative}, true
		}
		if description.MatchString(rest) || len(quotes(rest)) > 0 || len(strings.Fields(rest)) > 12 {
			return Spec{}, false
		}
		// Without quotes only a text that is written as one: capital first, or closed by a mark.
		if r := []rune(rest); r[0] >= 'A' && r[0] <= 'Z' {
			return Spec{Kind: kind, Args: []string{rest}, Not: negative}, true
		}
		return Spec{}, false
	}
}

var description = regexp.MustCompile(`(?i)^(an?|the|your|their|his|her|its|some|any|asking|saying|what|how|why|which|more|one|two|three|this|that|something|thanks to|information|details)\b|\b(name|their|greeting|summary|the user|the customer)\b`)

func spoken(m []string, negative bool) (Spec, bool) {
	q := quotes(m[1])
	rest := strings.Trim(quotation.ReplaceAllString(m[1], ""), " ,.")
	rest = betweenQuotes.ReplaceAllString(rest, "")
	if len(q) == 0 || rest != "" {
		return Spec{}, false
	}
	return Spec{Kind: KindSay, Args: q, Not: negative}, true
}

// mentioned makes a check of a short noun phrase; clauses ("that …"), values
// ("the price") and kinds of things ("details") are no words to look for.
func mentioned(m []string, negative bool) (Spec, bool) {
	low := strings.ToLower(m[0])
	if strings.HasPrefix(low, "leave out") || strings.HasPrefix(low, "omit") {
		negative = !negative
	}
	phrase := strings.Trim(m[1], " .,!")
	if q := quotes(phrase); len(q) > 0 {
		return spoken([]string{m[0], phrase}, negative)
	}
	if vague.MatchString(phrase) || len(content(phrase)) > 4 || strings.ContainsAny(phrase, ",:;()\"") {
		return Spec{}, false
	}
	args := []string{}
	for _, p := range listed.Split(phrase, 4) {
		p = article.ReplaceAllString(strings.TrimSpace(p), "")
		if p == "" || len(content(p)) == 0 {
			return Spec{}, false
		}
		args = append(args, p)
	}
	return Spec{Kind: KindMention, Args: args, Not: negative}, true
}

var vague = regexp.MustCompile(`(?i)^(that|how|what|why|which|who|it|this|them|something|anything|everything|nothing|all|more|less|any other|other|some|each|every|his|her)\b|^(the |a |an |our |your |their |any |full |exact |current )*(prices?|costs?|dates?|times?|names?|amounts?|totals?|reasons?|details?|information|info|examples?|sources?|context|steps?|addresses?|numbers?|values?|facts?|options?|alternatives?|summary|personal opinions?|opinions?|irrelevant .*|unnecessary .*|related .*|relevant .*|steps .*|examples .*|names? of .*|list of .*|price of .*|cost of .*|greetings?|disclaimers?|warnings?|apolog(?:y|ies)|screenshots?|comparisons?|code|(?:step.by.step |clear )*instructions|follow.up questions?|(?:short|long|brief|concise|simple|plain|formal|informal) .*|(?:customer|user|person)'s (?:first )?name|reasons? why)$|\bin (?:\S+ ){0,2}(?:format|form|style|notation|units?|currency|euros?|dollars|detail|full|bold|italics|digits|english|german|french|spanish)$|\b(is|are|was|were|has|have|can|will|should|must|to be|before|after|first|last|beginning|end|at the|every time|only once|twice|briefly)\b`)

var (
	betweenQuotes = regexp.MustCompile(`(?i)^(,|and|or|nor|at least once|in .{0,20}answers?| )*$`)
	listed        = regexp.MustCompile(`(?i) (?:and|or|nor|as well as) `)
	article       = regexp.MustCompile(`(?i)^(the|a|an|our|your|any|about|also|their) `)
)
