package check

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// AppliesWhen splits off the first condition that a comment states: "For return
// questions, always link the page" gives "someone asks return questions" and
// "always link the page". cond reads after "When", in the comment's language
// where that is German, French or Spanish. ok is false, and rest the comment,
// where there is none, or where its instructions are under different ones.
func AppliesWhen(comment string) (cond, rest string, ok bool) {
	if manyConditions(instructions(comment)) {
		return "", comment, false
	}
	parts := sentences(clip(comment, maxComment))
	for i, s := range parts {
		if c, r, found := splitCondition(s); found {
			parts[i] = r
			return c, strings.Join(parts, " "), true
		}
	}
	return "", comment, false
}

// maxConditional bounds a sentence that is searched for a condition, in characters.
const maxConditional = 600

// splitCondition splits one sentence by the first form that fits.
func splitCondition(s string) (cond, rest string, ok bool) {
	t := strings.TrimSpace(s)
	if utf8.RuneCountInString(t) > maxConditional {
		return "", s, false
	}
	t = straight.Replace(t)
	bald := strings.TrimRight(t, ".!")
	for _, f := range conditionForms {
		text := t
		if f.last {
			text = bald
		}
		m := f.re.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		if cond, rest, ok := f.split(m); ok {
			if f.last {
				rest = dangling.ReplaceAllString(rest, "") + "."
			}
			return cond, rest, true
		}
	}
	return "", s, false
}

var (
	straight = strings.NewReplacer("’", "'", "‘", "'")
	// dangling is what is left in front of a condition: "…, but only when".
	dangling = regexp.MustCompile(`(?i)[,;]?(?: (?:but|and|though))?(?: (?:only|just|solely|especially))?[,; ]*$`)
)

// A conditionForm is one way to state a condition. Those at the end of a
// sentence are matched without its full stop.
type conditionForm struct {
	last  bool
	re    *regexp.Regexp
	split func(m []string) (cond, rest string, ok bool)
}

const (
	topicWords = `((?:[^\s,;:]+ ?){1,8}?)`
	thenWords  = `(?:, ?(?:then |please |dann |alors |entonces )?| then |: ?)`
	lead       = `(?:(?:please|so|and|but|also|next time|in future|wrong|no)[, ]+)*`
	askNouns   = `(?:questions?|requests?|queries|inquiries|complaints|tickets|messages|chats|topics|cases|issues|emails)`
)

// conditionForms, the narrow before the wide.
var conditionForms = []conditionForm{
	{re: cond(`^` + lead + `(when|whenever|if|every time|each time|any time|as soon as|wenn|falls|sobald|quand|lorsque|dès que|si|cuando)((?: [^\s,;:]+){1,25}?)` + thenWords + `(.+)$`), split: clauseFirst},
	{re: cond(`^s'(il(?: [^\s,;:]+){1,20}?)` + thenWords + `(.+)$`), split: asSaid(1, 2)},
	{re: cond(`^geht(?:'s| es) um ` + topicWords + thenWords + `(.+)$`), split: worded("es um % geht")},
	{re: cond(`^bei (?:allen? )?(?:fragen|rückfragen|anfragen|nachfragen) (zu|zur|zum|nach|über|wegen|rund um) ` + topicWords + `(?:, ?|: ?| (?:bitte) )(.+)$`), split: germanFirst},
	{re: cond(`^(?:bei|für) ` + topicWords + thenWords + `(.+)$`), split: worded("es um % geht")},
	{re: cond(`^(?:pour|dans|lors de) (?:toutes )?(?:les |des )?(?:questions|demandes) (?:sur|concernant|à propos de|relatives? à) ` + topicWords + thenWords + `(.+)$`), split: worded("quelqu'un pose des questions sur %")},
	{re: cond(`^(?:pour|concernant|en cas de|à propos de) ` + topicWords + thenWords + `(.+)$`), split: worded("la question porte sur %")},
	{re: cond(`^(?:en|para|con) (?:las |todas las )?(?:preguntas|consultas|dudas) (?:sobre|de|por|acerca de) ` + topicWords + thenWords + `(.+)$`), split: worded("alguien pregunta sobre %")},
	{re: cond(`^(?:para|en caso de|sobre) ` + topicWords + thenWords + `(.+)$`), split: worded("alguien pregunta sobre %")},
	{re: cond(`^` + lead + `(?:for|on|in|with|to) ((?:[^\s,;:]+ ){1,6}?` + askNouns + `)(?: |: |, )((?:always|never|please|do not|don't|you should|it should|\pL+) .+)$`), split: topicFirst},
	{re: cond(`^` + lead + `(?:for|with|on|in) (?:anything|everything|all things|whatever is) (?:about|related to|relating to|to do with|concerning|on|around|regarding) ` + topicWords + thenWords + `(.+)$`), split: topicFirst},
	{re: cond(`^` + lead + `(?:in (?:the )?cases? of|as for|as regards|as far as|with regard to|with respect to|when it comes to|for|on|in|regarding|with|about|concerning) ` + topicWords + `(?:, ?|: ?)(.+)$`), split: topicFirst},
	{re: cond(`^((?:all |any )?(?:answers?|repl(?:y|ies)|responses?)) (?:to ` + askNouns + ` )?(?:about|on|regarding|concerning) ((?:[^\s,;:]+ ){1,6}?)((?:should|must|needs?|has|have|ought)\b.+)$`), split: answersAbout},
	{last: true, re: cond(`^(.{6,200}?),? (when|whenever|if|every time|each time|as soon as|wenn|falls|quand|lorsque|cuando) ((?:some(?:one|body)|any(?:one|body)|people|users?|customers?|guests?|they|the (?:user|customer|guest|person|client|question|request|topic|item|order|package|product|answer)|a (?:user|customer|guest|person|client|question)|you|asked|asking|talking|it(?:'s| is| comes)|jemand|kunden|es um|on|un client|un cliente|alguien|there|we)\b[^,;:]{2,140})$`), split: clauseLast},
	{last: true, re: cond(`^(.{6,200}?)[,;]? \(?(?:but |and )?(?:only|just|solely) (?:for|about|regarding|concerning|in (?:the )?cases? of|in ` + askNouns + ` (?:about|on)|in answers (?:about|on)) ((?:[^\s,;:]+ ?){1,8}?)\)?$`), split: topicLast},
	{last: true, re: cond(`^(.{6,200}?) \((?:for|about|on|in case of|regarding) ((?:[^\s,;:]+ ?){1,8}?)\)$`), split: topicLast},
	{last: true, re: cond(`^(.{6,200}?),? (?:in|for|on|with) (?:all |any )?(?:` + askNouns + `|answers|replies|conversations) (?:about|on|regarding|concerning|to do with) ((?:[^\s,;:]+ ?){1,8}?)$`), split: topicLast},
	{last: true, re: cond(`^(.{6,200}?),? (?:for|in|on|with) ((?:[^\s,;:]+ ){1,5}?(?:questions|requests|queries|inquiries|complaints|tickets))$`), split: topicLast},
}

func cond(expr string) *regexp.Regexp { return regexp.MustCompile(`(?i)` + expr) }

func clauseFirst(m []string) (string, string, bool) {
	return tidyCondition(m[2]), m[3], !idle.MatchString(m[2])
}

func clauseLast(m []string) (string, string, bool) {
	return tidyCondition(m[3]), m[1], !idle.MatchString(" "+m[3]) && !asksForIt.MatchString(m[1])
}

func topicFirst(m []string) (string, string, bool) {
	return about(m[1]), m[2], !notTopic.MatchString(m[1])
}

func topicLast(m []string) (string, string, bool) {
	return about(m[2]), m[1], !notTopic.MatchString(m[2])
}

// answersAbout keeps the subject: "Answers about X should …".
func answersAbout(m []string) (string, string, bool) {
	return about(m[2]), m[1] + " " + m[3], !notTopic.MatchString(m[2])
}

// asSaid takes two groups as they are.
func asSaid(cond, rest int) func([]string) (string, string, bool) {
	return func(m []string) (string, string, bool) { return tidyCondition(m[cond]), m[rest], true }
}

// worded puts the topic into a clause of the comment's language.
func worded(clause string) func([]string) (string, string, bool) {
	return func(m []string) (string, string, bool) {
		topic := strings.Trim(m[1], " ,.;:")
		return strings.ReplaceAll(clause, "%", topic), m[2], !notTopic.MatchString(topic) && !notTopicAbroad.MatchString(topic)
	}
}

// germanFirst says "nach der Rechnung" for "zur Rechnung".
func germanFirst(m []string) (string, string, bool) {
	topic := strings.Trim(m[2], " ,.;:")
	if article := map[string]string{"zur": "der ", "zum": "dem "}[strings.ToLower(m[1])]; article != "" {
		topic = article + topic
	}
	rest := m[3]
	if strings.Contains(m[0], " bitte "+rest) {
		rest = "bitte " + rest
	}
	return "jemand nach " + topic + " fragt", rest, true
}
