package check

import (
	"strings"
)

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
	{form(`(?:include|add|prefer)(?: an?| the| some| more)? ?(?:short |simple |valid |markdown )*(json|bullet points?|bullets|bullet lists?|bulleted lists?|numbered lists?|numbered steps|tables?|code blocks?|headings|headers)`),
		func(m []string, negative bool) (Spec, bool) {
			return Spec{Kind: KindFormat, Args: []string{formatName(m[1])}, Not: negative}, true
		}},
	{form(`(?:use |write |answer |reply |respond |keep ` + whole + ` |put ` + whole + ` |everything )?(?:only |entirely |all )?(?:in |with )?(?:all |only )?(upper ?case|lower ?case|capital letters|capitals|caps|all caps|small letters)(?: letters)?(?: only| everywhere)?`),
		func(m []string, negative bool) (Spec, bool) {
			low := strings.ToLower(m[1])
			return Spec{Kind: KindCase, Args: []string{map[bool]string{true: "lower", false: "upper"}[strings.HasPrefix(low, "lower") || strings.HasPrefix(low, "small")]}, Not: negative}, true
		}},
	{form(`(?:answer|reply|respond|write|give ` + whole + `|keep ` + whole + `) in plain text(?: only)?`), func(_ []string, negative bool) (Spec, bool) {
		return Spec{Kind: KindHas, Args: []string{"markdown"}, Not: true}, !negative
	}},
	{form(`(?:answer|reply|respond|write|speak|be|give ` + whole + `|keep ` + whole + `)(?: ` + whole + `)?(?: only| always| back)? in (?:plain |simple |proper )?([\pL]+)(?: only| language|, always)?`), languageForm},
	{form(`(?:auf|antworte(?:n sie)?(?: immer)? auf|réponds? en|répondez en|responde(?:r)? en|responda en) ([\pL]+)`), languageForm},
	{form(`(?:end|finish|close|conclude|ending|finishing)(?: ` + whole + `)?(?: by asking| with)? (?:an? |asking an? )?(?:\w+ ){0,2}question(?: mark)?`), question},
	{form(`ask (?:an? )?(?:\w+ )?question at the end(?: of ` + whole + `)?`), question},
	{form(`(?:begin|start|open|beginning|starting|opening)(?: ` + whole + `)?(?: off)?(?: with| by saying| by writing|:)(?: the (?:words?|phrase|sentence|line))? (.+)`), edge(KindBegin)},
	{form(`(?:end|finish|close|conclude|sign off|ending|finishing|closing)(?: ` + whole + `)?(?: with| by saying| by writing|:)(?: the (?:words?|phrase|sentence|line))? (.+)`), edge(KindEnd)},
	{form(`(?:(?:use|using|add|adding|include|including|put|write|with) ?(?:any |an |a |some |so many )?|(?:any |so many )?)(emojis?|emoticons?|smileys?|exclamation (?:marks?|points?)|markdown)(?: (?:in|at|any ?more|again|ever|please|here|for|on|to|when|everywhere)\b.{0,20})?`),
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
