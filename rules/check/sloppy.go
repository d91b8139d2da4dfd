package check

import (
	"regexp"
	"strings"
)

// respelled writes out what people type in a hurry: "u shouldve said" is "you should
// have said". Other languages have some of these as words of their own, so it is for
// sentences that say nothing as they are written.
func respelled(s string) string {
	s = noApostrophe.ReplaceAllString(s, "${1}n't")
	s = haveTyped.ReplaceAllString(s, "$1 have ")
	return typedShort.ReplaceAllStringFunc(s, func(w string) string { return inFull[strings.ToLower(w)] })
}

var (
	noApostrophe = regexp.MustCompile(`(?i)\b(do|does|did|is|are|was|were|has|have|could|should|would|ca|wo)nt\b`)
	haveTyped    = regexp.MustCompile(`(?i)\b(should|could|would)(?:'?ve| of|a) `)
	typedShort   = regexp.MustCompile(`(?i)\b(?:u|ur|cud|shud|wud|ppl|thx|nxt|theres|wanna|gotta)\b`)
	inFull       = map[string]string{"u": "you", "ur": "your", "cud": "could", "shud": "should", "wud": "would", "ppl": "people", "thx": "thanks", "nxt": "next", "theres": "there's", "wanna": "want to", "gotta": "have to"}
)
