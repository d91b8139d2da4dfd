package check

import (
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"
)

// Kinds of Spec, a closed vocabulary after the verifiers of IFEval
// (google-research/instruction_following_eval).
const (
	KindMention  = "mention"  // the words of each of Args stand together in one sentence
	KindSay      = "say"      // each of Args stands there word for word, case aside
	KindBegin    = "begin"    // the answer begins with Args[0]
	KindEnd      = "end"      // the answer ends with Args[0]
	KindFormat   = "format"   // Args[0]: json, bullets, numbered, table, code, headings, bold
	KindMax      = "max"      // at most N of Args[0]: words, sentences, characters, paragraphs, bullets
	KindMin      = "min"      // at least N of Args[0]
	KindExact    = "exact"    // N of Args[0]
	KindLanguage = "language" // written in Args[0], an ISO 639-1 code
	KindCase     = "case"     // all letters are Args[0]: upper, lower
	KindRegex    = "regex"    // Args[0] matches somewhere (RE2)
	KindQuestion = "question" // ends with a question
	KindHas      = "has"      // contains a Args[0]: link, phone, email, emoji, number, markdown
)

// Limits of a Spec.
const (
	maxArgs     = 8
	maxArgChars = 300
	maxPattern  = 200 // characters of a regular expression
	maxN        = 100_000
)

// Spec is one deterministic check of an answer. Its JSON is stable: new kinds
// may come, the meaning of one never changes. The zero value is invalid.
type Spec struct {
	Kind string   `json:"kind"`
	Args []string `json:"args,omitempty"`
	N    int      `json:"n,omitempty"`
	Not  bool     `json:"not,omitempty"` // the answer must not do it; for several Args: none of them
}

// arguments says for each kind how many Args it takes and which, if a fixed set.
var arguments = map[string]struct {
	least, most int
	of          []string
}{
	KindMention:  {least: 1, most: maxArgs},
	KindSay:      {least: 1, most: maxArgs},
	KindBegin:    {least: 1, most: 1},
	KindEnd:      {least: 1, most: 1},
	KindFormat:   {1, 1, []string{"json", "bullets", "numbered", "table", "code", "headings", "bold"}},
	KindMax:      {1, 1, units},
	KindMin:      {1, 1, units},
	KindExact:    {1, 1, units},
	KindLanguage: {1, 1, languageCodes},
	KindCase:     {1, 1, []string{"upper", "lower"}},
	KindRegex:    {least: 1, most: 1},
	KindQuestion: {},
	KindHas:      {1, 1, []string{"link", "phone", "email", "emoji", "number", "markdown"}},
}

var units = []string{"words", "sentences", "characters", "paragraphs", "bullets"}

// Validate returns an error that says what is wrong with the spec, for specs
// that come from outside: an unknown kind, missing or foreign arguments, a
// pattern that does not compile or is too long.
func (s Spec) Validate() error {
	a, ok := arguments[s.Kind]
	if !ok {
		return fmt.Errorf("check: unknown kind %q", s.Kind)
	}
	if len(s.Args) < a.least || len(s.Args) > a.most {
		return fmt.Errorf("check %s: has %d arguments, takes %d to %d", s.Kind, len(s.Args), a.least, a.most)
	}
	for _, arg := range s.Args {
		if n := utf8.RuneCountInString(arg); n == 0 || n > maxArgChars {
			return fmt.Errorf("check %s: argument of %d characters, takes 1 to %d", s.Kind, n, maxArgChars)
		}
		if a.of != nil && !slices.Contains(a.of, arg) {
			return fmt.Errorf("check %s: unknown argument %q, takes one of %q", s.Kind, arg, a.of)
		}
	}
	counts := s.Kind == KindMax || s.Kind == KindMin || s.Kind == KindExact
	if counts && (s.N < 1 || s.N > maxN) || !counts && s.N != 0 {
		return fmt.Errorf("check %s: n is %d, must be 1 to %d for counts and 0 for others", s.Kind, s.N, maxN)
	}
	if s.Kind == KindRegex {
		if utf8.RuneCountInString(s.Args[0]) > maxPattern {
			return fmt.Errorf("check regex: pattern is longer than %d characters", maxPattern)
		}
		if _, err := regexp.Compile(s.Args[0]); err != nil {
			return fmt.Errorf("check regex: %w", err)
		}
	}
	return nil
}

// ChangesFormat reports whether an answer that follows the spec has another
// outward form than one that does not: such a rule must stay away from answers
// that a schema or a tool call shapes (DESIGN section 6).
func (s Spec) ChangesFormat() bool {
	switch s.Kind {
	case KindMention, KindSay:
		return false
	case KindHas:
		return s.Args != nil && s.Args[0] == "markdown"
	}
	return true
}
