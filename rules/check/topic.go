package check

import (
	"regexp"
	"strings"
)

var (
	// asker tells a kind of question ("return questions") from a topic.
	asker = regexp.MustCompile(`(?i)\b(?:questions|requests|queries|inquiries|complaints|fragen|anfragen|preguntas|demandes)$`)

	// notTopic are turns of speech that begin like a topic: "in short", "for once".
	notTopic = regexp.MustCompile(`(?i)^(?:the )?(?:future|next|now|once|example|instance|general|short|addition|particular|fact|the end|end|that|this|it|me|us|god|goodness|heaven|crying|contrast|other words|this case|a|an|last|first|summary|conclusion|german|english|french|spanish|italian|start|begin|page|time|both|love|whole|sake|record|most|best|contrary|plus|other|one|bright|meantime|moment|same|long|second|further|starters|sure|real|all|any|clarity|consistency|completeness|what|top|behalf|due|fun|free|better|good|example|reference|your|the last|the first|principle|theory|practice|reality|essence|brief|total|detail|advance|place)\b|^(?:my|your|his|her|their|our) (?:view|opinion|information|mind|experience|case|eyes|taste|part|understanding|own|next|book)\b|\b(?:is|was|are|were|did|does|should|must|be)\b`)

	notTopicAbroad = regexp.MustCompile(`(?i)^(?:mich|mir|dich|die zukunft|das nächste mal|nächste|mal|weitem|gott|bedarf|dem|der|l'avenir|moi|la prochaine fois|une fois|résumer|finir|commencer|instant|l'instant|mí|la próxima|próxima|el futuro|empezar|terminar|siempre|nada|resumen|general)\b`)

	// idle conditions say nothing about the request.
	idle = regexp.MustCompile(`(?i)^ (?:possible|you can|you could|you don't know|you are not sure|not|needed|necessary|in doubt|so|i am|i'm|i were|i may|i might|i can|i could|i ask|applicable|möglich|nötig|posible|you must|you ask me|you want my|you like|you please|you will|it had|it would|it was|it were|it helps|it does|it works|you had|you would|we're honest|and when|only)\b`)

	// asksForIt are frames whose "if" belongs to the wish: "would be nice if it …";
	// "even if" and "as if" begin no condition either.
	asksForIt = regexp.MustCompile(`(?i)\b(?:even|as|hate it|dislike it|hate|annoying|nice|nicer|better|great|good|helpful|best|useful|like it|prefer it|love it|appreciate it|appreciated|cool|perfect|ideal|like|prefer|preferred|help|wonder(?:ing)?|know|see|check|ask|tell me)$`)

	askedTo     = regexp.MustCompile(`(?i)^(?:asked|asking) `)
	firstPerson = regexp.MustCompile(`(?i)^i (ask|am|have|want|say|write|need|mention)\b`)
	anyOf       = regexp.MustCompile(`(?i)^(?:all|any|every|each|such|these|those|the case of|case of) `)
	questionsOn = regexp.MustCompile(`(?i)^(?:the )?(?:questions?|requests?|queries|inquiries|complaints|answers|replies|messages|chats) (?:about|on|regarding|for|concerning|to do with) (.+)$`)
	anythingOn  = regexp.MustCompile(`(?i)^(?:anything|everything|all things) (?:about|on|regarding|related to|to do with|concerning) (.+)$`)
)

// tidyCondition makes a clause read after "When".
func tidyCondition(c string) string {
	c = strings.Trim(c, " ,.;:")
	c = askedTo.ReplaceAllString(c, "someone asks ")
	c = firstPerson.ReplaceAllStringFunc(c, func(w string) string {
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
	topic = strings.Trim(topic, " ,.;:()")
	topic = anyOf.ReplaceAllString(topic, "")
	for _, re := range []*regexp.Regexp{questionsOn, anythingOn} {
		if m := re.FindStringSubmatch(topic); m != nil {
			return "someone asks about " + lowerFirst(m[1])
		}
	}
	if asker.MatchString(topic) && strings.Contains(topic, " ") {
		return "someone asks " + lowerFirst(topic)
	}
	return "someone asks about " + lowerFirst(topic)
}
