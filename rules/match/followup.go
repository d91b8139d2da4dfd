package match

import (
	"strings"
	"unicode"
)

// Limits of a follow-up.
const (
	maxFollowUpWords = 8
	maxFollowUpOwn   = 2 // content words that it may bring along with a "that" or "and"
)

// isFollowUp reports a request that makes sense only after another: short, and
// nothing but function words, or opening like a continuation, or pointing back,
// without much of its own.
func isFollowUp(s string) bool {
	if wordCount(s) > maxFollowUpWords {
		return false
	}
	fields := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' && r != '’' })
	if len(fields) == 0 {
		return true
	}
	own, back, verb := 0, false, false
	for i, w := range fields {
		w = strings.NewReplacer("'s", "", "’s", "", "'", "", "’", "").Replace(w)
		verb = verb || i > 0 && auxiliary[w]
		switch {
		case pointers[w]:
			back = true
		case auxiliary[w], smallWords[w]:
		default:
			own++
		}
	}
	opens := continuations[fields[0]] || len(fields) > 1 && continuations[fields[0]+" "+fields[1]]
	switch {
	case own == 0:
		return true
	case opens && !verb:
		return own <= maxFollowUpOwn+1
	case back || opens && verb && own < 2:
		return own <= maxFollowUpOwn
	}
	return false
}
