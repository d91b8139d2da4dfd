package check

import (
	"regexp"
	"strconv"
	"strings"
)

// Compile makes checks of an action that is of a checkable kind, at most 8; nil
// when it is not. It reads English closely and prefers no check to a wrong one:
// an action that hangs on a condition ("unless …") gets none.
func Compile(action string) []Spec {
	action = strings.TrimSpace(clip(action, 4<<10))
	unquoted := quotation.ReplaceAllString(action, ` "" `)
	if conditional.MatchString(unquoted) {
		return nil
	}
	var out []Spec
	for _, s := range sentences(action) {
		for _, clause := range clauses(s) {
			spec, ok := compileClause(clause)
			if ok && spec.Validate() == nil && len(out) < maxArgs {
				out = append(out, spec)
			}
		}
	}
	return out
}

// conditional finds what a check cannot see: when it holds, or a choice.
var conditional = regexp.MustCompile(`(?i)\b(if|unless|when|whenever|except|until|depending|instead of|rather than|where|whether|in case|provided|unsure|wenn|falls|si|cuando|either)\b`)

// clauses splits "do X and do Y" where what follows "and" is a verb of ours.
func clauses(s string) []string {
	s = strings.TrimRight(strings.TrimSpace(s), ".!…;")
	var out []string
	for {
		m := andVerb.FindStringIndex(s)
		if m == nil || strings.Count(s[:m[0]], `"`)%2 == 1 {
			return append(out, s)
		}
		out = append(out, s[:m[0]])
		s = andWord.ReplaceAllString(s[m[0]:], "")
	}
}

var (
	andWord = regexp.MustCompile(`(?i)^,? (and|then|but|and then) `)
	andVerb = regexp.MustCompile(`(?i),? (and|then|but|and then) (always |never |also |do not |don't )?(mention|include|add|say|use|avoid|keep|begin|start|end|finish|close|answer|reply|respond|write|limit|ask|link|format|open|put|state) `)
)

// A former recognizes one form of clause; build gets the submatches.
type former struct {
	re    *regexp.Regexp
	build func(m []string, negative bool) (Spec, bool)
}

// compileClause tries the forms in order, on the clause without its adverbs.
func compileClause(clause string) (Spec, bool) {
	c := strings.Join(strings.Fields(strings.ReplaceAll(clause, "’", "'")), " ")
	c = leadWords.ReplaceAllString(c, "")
	c = useNo.ReplaceAllString(c, "do not $1 ")
	negative := false
	for {
		rest := negation.ReplaceAllString(c, "")
		if rest == c {
			break
		}
		negative, c = true, leadWords.ReplaceAllString(rest, "")
	}
	for _, f := range formers {
		if m := f.re.FindStringSubmatch(c); m != nil {
			return f.build(m, negative)
		}
	}
	return Spec{}, false
}

var (
	leadWords = regexp.MustCompile(`(?i)^((please|always|also|and|then|just|kindly|only|make sure to|be sure to|remember to|ensure to|ensure you|make sure you|try to) )+`)
	negation  = regexp.MustCompile(`(?i)^(do not|don't|dont|never|must not|avoid|stop|refrain from|without|no longer|under no circumstances) (ever )?`)
)

var useNo = regexp.MustCompile(`(?i)^(use|write|include|add|give) no `)

// The number words that people use for limits.
var numberWords = map[string]int{"one": 1, "a": 1, "an": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100}

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

// formers are the forms of checkable clauses, the narrow before the wide.
var formers = []former{
	// "never use more than 50 words" reads here as "use more than 50 words", negated.
	{form(`(?:use|write|exceed|go over|go beyond|answer (?:in|with)|reply (?:in|with)|give|be|take|need|produce|longer than)?\s*(?:more than|over|longer than|exceed|above)? ?` + numberExpr + ` ` + unitExpr + `(?: (?:or more|long|per answer))?`),
		func(m []string, negative bool) (Spec, bool) {
			low := strings.ToLower(m[0])
			over := strings.Contains(low, "more than") || strings.Contains(low, "over") || strings.Contains(low, "exceed") || strings.Contains(low, "longer than") || strings.Contains(low, "beyond") || strings.Contains(low, "above")
			n := number(strings.TrimPrefix(m[1], "a "))
			switch {
			case negative && over:
				return Spec{Kind: KindMax, Args: []string{unit(m[2])}, N: n}, true
			case over:
				return Spec{Kind: KindMin, Args: []string{unit(m[2])}, N: n + 1}, true
			case !negative:
				return Spec{Kind: KindExact, Args: []string{unit(m[2])}, N: n}, !strings.Contains(low, "or more")
			}
			return Spec{}, false
		}},
	{form(`(?:.{0,40} )?(?:at most|no more than|not more than|up to|a maximum of|maximum|max\.?|under|below|fewer than|less than|within|no longer than|to) ` + numberExpr + ` ` + unitExpr + `(?: (?:or less|or fewer|at most|max|maximum|long|per answer|in total|each))?`), limit(KindMax)},
	{form(`(?:.{0,40} )?` + numberExpr + ` ` + unitExpr + ` (?:or less|or fewer|at most|max|maximum)`), limit(KindMax)},
	{form(`(?:.{0,40} )?(?:at least|no fewer than|not less than|no less than|a minimum of|minimum|min\.?) ` + numberExpr + ` ` + unitExpr), limit(KindMin)},
	{form(`(?:answer|reply|respond|write|keep ` + whole + `|use|summari[sz]e|limit ` + whole + `)(?: (?:only|always|everything|it|this))?(?: (?:in|with|to|using))? (?:exactly )?` + numberExpr + ` (?:short |brief |simple )?` + unitExpr + `(?: only)?`), limit(KindExact)},
	{form(`(?:answer|reply|respond|write|use|put ` + whole + `|return|output|give|format ` + whole + `|present|show|list|structure|do|produce|provide)(?: .{0,30}?)??(?: (?:in|as|with|using|to|only|into|an?))*? ?(?:short |simple |valid |raw |markdown |clean |compact |well-formed |pure )*(json|bullet points?|bullets|bullet lists?|bulleted lists?|bullet point lists?|numbered lists?|numbered steps|a numbered list|tables?|code blocks?|headings|headers|bold|bold text)(?: objects?| format| only|, always| please)*`),
		func(m []string, negative bool) (Spec, bool) {
			return Spec{Kind: KindFormat, Args: []string{formatName(m[1])}, Not: negative}, true
		}},
	{form(`(?:use |write |answer |reply |respond |keep ` + whole + ` |put ` + whole + ` |everything )?(?:only |entirely |all )?(?:in |with )?(?:all |only )?(upper ?case|lower ?case|capital letters|capitals|caps|all caps|small letters)(?: letters)?(?: only| everywhere)?`),
		func(m []string, negative bool) (Spec, bool) {
			low := strings.ToLower(m[1])
			return Spec{Kind: KindCase, Args: []string{map[bool]string{true: "lower", false: "upper"}[strings.HasPrefix(low, "lower") || strings.HasPrefix(low, "small")]}, Not: negative}, true
		}},
	{form(`(?:answer|reply|respond|write|speak|be|give ` + whole + `|keep ` + whole + `)(?: ` + whole + `)?(?: only| always| back)? in (?:plain |simple |proper )?([\pL]+)(?: only| language|, always)?`), languageForm},
	{form(`(?:auf|antworte(?:n sie)?(?: immer)? auf|réponds? en|répondez en|responde(?:r)? en|responda en) ([\pL]+)`), languageForm},
	{form(`(?:end|finish|close|conclude|ending|finishing)(?: ` + whole + `)?(?: by asking| with)? (?:an? |asking an? )?(?:\w+ ){0,2}question(?: mark)?`), question},
	{form(`ask (?:an? )?(?:\w+ )?question at the end(?: of ` + whole + `)?`), question},
	{form(`(?:begin|start|open|beginning|starting|opening)(?: ` + whole + `)?(?: off)?(?: with| by saying| by writing|:)(?: the (?:words?|phrase|sentence|line))? (.+)`), edge(KindBegin)},
	{form(`(?:end|finish|close|conclude|sign off|ending|finishing|closing)(?: ` + whole + `)?(?: with| by saying| by writing|:)(?: the (?:words?|phrase|sentence|line))? (.+)`), edge(KindEnd)},
	{form(`(?:use|using|add|adding|include|including|put|write|with)? ?(?:any |an |a |some |so many )?(emojis?|emoticons?|smileys?|exclamation (?:marks?|points?)|markdown)(?: .{0,20})?`),
		func(m []string, negative bool) (Spec, bool) {
			negative = negative || strings.HasPrefix(strings.ToLower(m[0]), "no ")
			if strings.HasPrefix(strings.ToLower(m[1]), "excl") {
				return Spec{Kind: KindSay, Args: []string{"!"}, Not: negative}, negative
			}
			what := "emoji"
			if strings.EqualFold(m[1], "markdown") {
				what = "markdown"
			}
			return Spec{Kind: KindHas, Args: []string{what}, Not: negative}, len(m[0]) < 40
		}},
	{form(`no (emojis?|emoticons?|smileys?|markdown)`), func(m []string, _ bool) (Spec, bool) {
		what := "emoji"
		if strings.EqualFold(m[1], "markdown") {
			what = "markdown"
		}
		return Spec{Kind: KindHas, Args: []string{what}, Not: true}, true
	}},
	{form(`no (bullet points?|bullets|tables?|headings|numbered lists?|bold text)`), func(m []string, _ bool) (Spec, bool) {
		return Spec{Kind: KindFormat, Args: []string{formatName(m[1])}, Not: true}, true
	}},
	{form(`(?:match(?:es)?|satisfy|fit)(?: the)? (?:regex|regular expression|pattern) (.+)`), func(m []string, negative bool) (Spec, bool) {
		q := quotes(m[1])
		if len(q) != 1 {
			return Spec{}, false
		}
		return Spec{Kind: KindRegex, Args: q, Not: negative}, true
	}},
	{form(`(?:include|add|give|provide|share|including|sharing|always link|mention|post|link)(?: (?:people|users|customers|them|the (?:user|customer)))? ?(?:an?|the|our|any|direct|all|relevant|working)* ?(links?|urls?|phone numbers?|telephone numbers?|hotline number|e-?mail address(?:es)?|support e-?mail)\b(?: (?:to|for|of|on|from) .{1,60})?`), func(m []string, negative bool) (Spec, bool) {
		low := strings.ToLower(m[1])
		what := "link"
		if strings.Contains(low, "number") {
			what = "phone"
		} else if strings.Contains(low, "mail") {
			what = "email"
		}
		return Spec{Kind: KindHas, Args: []string{what}, Not: negative}, true
	}},
	{form(`link (?:to )?(?:the |our |an? )?.{2,60}`), func(m []string, negative bool) (Spec, bool) {
		return Spec{Kind: KindHas, Args: []string{"link"}, Not: negative}, true
	}},
	{form(`(?:use|using|say|saying|write|writing|include|including|mention|mentioning|call (?:it|them))(?: the)?(?: (?:word|words|phrase|term|expression|exact words))? (["“„'‘` + "`" + `].+)`), spoken},
	{form(`(?:use|using|say|saying|write|writing|mention|mentioning|include|including)(?: the)? (?:word|term|phrase) ([\pL\pN -]{2,40})`), func(m []string, negative bool) (Spec, bool) {
		return Spec{Kind: KindSay, Args: []string{strings.TrimSpace(m[1])}, Not: negative}, len(strings.Fields(m[1])) <= 3
	}},
	{form(`(?:mention|mentioning|name|naming|bring up|bringing up|refer to|referring to|talk about|talking about|leave out|omit|include|including|state|point out|add)(?: also| always| explicitly| clearly)? (.+)`), mentioned},
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
	rest = regexp.MustCompile(`(?i)^(,|and|or|nor|at least once|in .{0,20}answers?| )*$`).ReplaceAllString(rest, "")
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
	for _, p := range regexp.MustCompile(`(?i) (?:and|or|nor|as well as) `).Split(phrase, 4) {
		p = regexp.MustCompile(`(?i)^(the|a|an|our|your|any|about|also|their) `).ReplaceAllString(strings.TrimSpace(p), "")
		if p == "" || len(content(p)) == 0 {
			return Spec{}, false
		}
		args = append(args, p)
	}
	return Spec{Kind: KindMention, Args: args, Not: negative}, true
}

var vague = regexp.MustCompile(`(?i)^(that|how|what|why|which|who|it|this|them|something|anything|everything|nothing|all|more|less|any other|other|some|each|every|his|her)\b|^(the |a |an |our |your |their |any |full |exact |current )*(prices?|costs?|dates?|times?|names?|amounts?|totals?|reasons?|details?|information|info|examples?|sources?|context|steps?|addresses?|numbers?|values?|facts?|options?|alternatives?|summary|personal opinions?|opinions?|irrelevant .*|unnecessary .*|related .*|relevant .*|steps .*|examples .*|names? of .*|list of .*|price of .*|cost of .*)$|\b(is|are|was|were|has|have|can|will|should|must|to be|before|after|first|last|beginning|end|at the|every time|only once|twice|briefly)\b`)
