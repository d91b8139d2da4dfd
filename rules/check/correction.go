package check

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Limits of what may follow from a correction without a model.
const (
	maxAdded    = 140 // characters added at either end
	maxReplaced = 40  // characters of a replaced phrase
)

// FromCorrection returns the action that follows from what a person says the
// answer should have been, where that is safe without a model: a short sentence
// appended or put in front, or one short phrase replaced by another with the
// rest the same. Numbers, names of the moment and rewritten answers give none.
func FromCorrection(answer, correction string) (action string, ok bool) {
	answer, correction = squash(clip(answer, maxText)), squash(clip(correction, maxText))
	if answer == "" || correction == "" || answer == correction {
		return "", false
	}
	if added, found := strings.CutPrefix(correction, answer); found {
		return atEdge("End with", added)
	}
	if trimmed := strings.TrimRight(answer, ".!?"); len(trimmed) > 10 && strings.HasPrefix(correction, trimmed+" ") {
		return "", false // the sentence goes on: a fact, not a form
	}
	if added, found := strings.CutSuffix(correction, answer); found {
		return atEdge("Begin with", added)
	}
	return replaced(answer, correction)
}

func squash(s string) string { return strings.Join(strings.Fields(s), " ") }

func atEdge(verb, added string) (string, bool) {
	added = strings.TrimSpace(added)
	if n := utf8.RuneCountInString(added); n < 3 || n > maxAdded || strings.ContainsAny(added, `"“”`) || ofTheMoment.MatchString(added) || len(sentences(added)) > 1 {
		return "", false
	}
	return verb + ` "` + added + `".`, true
}

// ofTheMoment finds what belongs to one case: numbers, money, dates, addresses.
var ofTheMoment = regexp.MustCompile(`[\d@€$£%]|https?:|(?i:\b(monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|june|july|august|september|october|november|december|today|tomorrow|yesterday)\b)`)

// replaced finds the one phrase that differs, on word boundaries, and every
// place where it does.
func replaced(answer, correction string) (string, bool) {
	a, c := strings.Fields(answer), strings.Fields(correction)
	head := 0
	for head < len(a) && head < len(c) && a[head] == c[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(c)-head && a[len(a)-1-tail] == c[len(c)-1-tail] {
		tail++
	}
	old, now := a[head:len(a)-tail], c[head:len(c)-tail]
	if head+tail < 3 || len(old) == 0 || len(now) == 0 || len(old) > 4 || len(now) > 5 || (head+tail)*2 < len(a) {
		return "", false
	}
	before, after := trimMarks(strings.Join(old, " ")), trimMarks(strings.Join(now, " "))
	switch {
	case before == "" || after == "" || strings.EqualFold(before, after), strings.ContainsAny(before+after, `"“”`),
		ofTheMoment.MatchString(before), ofTheMoment.MatchString(after),
		utf8.RuneCountInString(before) > maxReplaced, utf8.RuneCountInString(after) > maxReplaced,
		opposites.MatchString(before), opposites.MatchString(after), len(content(before)) == 0 || functionWords[strings.ToLower(before)] || functionWords[strings.ToLower(after)]:
		return "", false
	}
	return `Say "` + after + `" instead of "` + before + `".`, true
}

func trimMarks(s string) string { return strings.Trim(s, " .,;:!?()*_") }

// opposites change what is claimed, not how it is said: a fact, so a finding.
var opposites = regexp.MustCompile(`(?i)\b(yes|no|not|can|cannot|can't|never|always|is|isn't|are|aren't|must|may|before|after|more|less|free|true|false|will|won't|do|don't|does|doesn't|one|two|three|four|five|six|seven|eight|nine|ten|\pL+teen|days?|weeks?|months?|years?|hours?)\b`)
