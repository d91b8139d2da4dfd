package check

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// AppliesWhen splits off the first condition that a comment states: "For return
// questions, always link the page" gives "someone asks return questions" and
// "always link the page". cond reads after "When"; rest is the comment without
// it. ok is false, and rest the comment, where there is none.
func AppliesWhen(comment string) (cond, rest string, ok bool) {
	parts := sentences(clip(comment, maxComment))
	for i, s := range parts {
		if c, r, found := splitCondition(s); found {
			parts[i] = r
			return c, strings.Join(parts, " "), true
		}
	}
	return "", comment, false
}

var (
	whenFirst = regexp.MustCompile(`(?i)^(?:(?:please|so|and|but|also|next time|in future)[, ]+)*(when|whenever|if|every time|each time|any time|wenn|falls|quand|lorsque|si|cuando)((?: [^\s,;:]+){1,25}?)(?:, ?(?:then |please |dann |alors |entonces )?| then |: )(.+)$`)
	forFirst  = regexp.MustCompile(`(?i)^(?:(?:please|so|and|but|also)[, ]+)*(?:in case of|for|on|in|regarding|with|about|concerning|bei|für|pour|en cas de|para|en) ((?:[^\s,;:]+ ?){1,8}?)(?:, ?|: )(.+)$`)
	forBare   = regexp.MustCompile(`(?i)^(?:for|on|with) ((?:[^\s,;:]+ ){1,6}?(?:questions|requests|queries|inquiries|topics|cases|issues|complaints|emails|tickets))(?: |: |, )((?:always|never|please|do not|don't|you should|it should|\pL+) .+)$`)
	whenLast  = regexp.MustCompile(`(?i)^(.{6,200}?),? (when|whenever|if|every time|each time|wenn|falls|quand|lorsque|cuando) ((?:some(?:one|body)|any(?:one|body)|people|users?|customers?|they|the (?:user|customer|person|client|question|request|item|order|package|product|topic|answer)|a (?:user|customer|person|client|question)|you|asked|asking|it(?:'s| is| comes)|jemand|kunden|on|un client|un cliente|alguien|there|we)\b[^,;:]{2,140})$`)
	forLast   = regexp.MustCompile(`(?i)^(.{6,200}?),? (?:for|in|on|with) ((?:[^\s,;:]+ ){1,5}?(?:questions|requests|queries|inquiries|complaints|tickets))$`)
	asker     = regexp.MustCompile(`(?i)\b(questions|requests|queries|inquiries|complaints|fragen|anfragen|preguntas|demandes)\b`)
	notTopic  = regexp.MustCompile(`(?i)^(?:the )?(?:future|next|now|once|example|instance|general|short|addition|my opinion|particular|fact|the end|that|this|it|me|us|god'?s sake|contrast|zukunft|zukünftig|other words|my case|this case|general|a|an|the last|the first|first|summary|conclusion|german|english|french|spanish|start|begin|page|time|both)\b|\b(?:is|was|are|were|did|does|should|must|be)\b`)
)

// splitCondition splits one sentence.
func splitCondition(s string) (cond, rest string, ok bool) {
	t := strings.TrimSpace(s)
	if n := utf8.RuneCountInString(t); n > 600 {
		return "", s, false
	}
	t = strings.NewReplacer("’", "'", "‘", "'").Replace(t)
	if m := whenFirst.FindStringSubmatch(t); m != nil && !idle.MatchString(m[2]) {
		return tidyCondition(m[2]), m[3], true
	}
	for _, re := range []*regexp.Regexp{forBare, forFirst} {
		if m := re.FindStringSubmatch(t); m != nil && !notTopic.MatchString(m[1]) {
			return about(m[1]), m[2], true
		}
	}
	if m := whenLast.FindStringSubmatch(strings.TrimRight(t, ".!")); m != nil && !idle.MatchString(" "+m[3]) && !asksForIt.MatchString(m[1]) {
		return tidyCondition(m[3]), m[1] + ".", true
	}
	if m := forLast.FindStringSubmatch(strings.TrimRight(t, ".!")); m != nil && !notTopic.MatchString(m[2]) {
		return about(m[2]), m[1] + ".", true
	}
	return "", s, false
}

var (
	// idle conditions say nothing about the request.
	idle = regexp.MustCompile(`(?i)^ (?:possible|you can|you could|you don't know|you are not sure|not|needed|necessary|in doubt|so|i am|i'm|i ask|applicable|möglich|nötig|possible|posible|you must|you ask me|you want my|it had|it would|it was|it were|you had|you would)\b`)
	// asksForIt are frames whose "if" belongs to the wish: "would be nice if it …".
	asksForIt = regexp.MustCompile(`(?i)\b(?:nice|nicer|better|great|good|helpful|best|useful|like it|prefer it|love it|appreciate it|appreciated|cool|perfect|ideal|like|prefer|preferred|help|wonder(?:ing)?|know|see|check|ask|tell me)$`)
)

func tidyCondition(c string) string {
	c = strings.Trim(c, " ,.;:")
	c = regexp.MustCompile(`(?i)^(?:asked|asking) `).ReplaceAllString(c, "someone asks ")
	c = regexp.MustCompile(`(?i)^i (ask|am|have|want|say|write|need|mention)\b`).ReplaceAllStringFunc(c, func(w string) string {
		verb := strings.ToLower(strings.Fields(w)[1])
		if v := map[string]string{"am": "is", "have": "has"}[verb]; v != "" {
			return "someone " + v
		}
		return "someone " + verb + "s"
	})
	return lowerFirst(c)
}

// about makes a condition of a topic: "return questions", "returns".
func about(topic string) string {
	topic = strings.Trim(topic, " ,.;:")
	topic = regexp.MustCompile(`(?i)^(?:all|any|every|each|such|these|those) `).ReplaceAllString(topic, "")
	if m := regexp.MustCompile(`(?i)^(?:the )?(?:questions?|requests?|queries|inquiries|fragen|anfragen|preguntas|les questions) (?:about|on|regarding|for|concerning|zu|zur|zum|über|sobre|sur) (.+)$`).FindStringSubmatch(topic); m != nil {
		return "someone asks about " + m[1]
	}
	if asker.MatchString(topic) {
		return "someone asks " + lowerFirst(topic)
	}
	return "someone asks about " + lowerFirst(topic)
}
