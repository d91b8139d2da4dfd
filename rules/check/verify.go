package check

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Followed reports whether the answer did what the spec says; of a long answer
// the first 64 KiB are looked at (its end for end and question). An invalid
// spec is never followed. Safe for concurrent use.
func (s Spec) Followed(answer string) bool {
	if s.Validate() != nil {
		return false
	}
	switch s.Kind {
	case KindMention, KindSay:
		return s.said(clip(answer, maxText))
	case KindMax, KindMin, KindExact:
		return s.counted(clip(answer, maxText)) != s.Not
	}
	return s.holds(strings.TrimSpace(answer)) != s.Not
}

func (s Spec) said(answer string) bool {
	found := mentions
	if s.Kind == KindSay {
		answer, found = flat(answer), says
	}
	for _, arg := range s.Args {
		if found(answer, arg) == s.Not {
			return false
		}
	}
	return true
}

func (s Spec) counted(answer string) bool {
	n := count(answer, s.Args[0])
	switch s.Kind {
	case KindMax:
		return n <= s.N
	case KindMin:
		return n >= s.N
	}
	return n == s.N
}

func (s Spec) holds(answer string) bool {
	head, arg := clip(answer, maxText), ""
	if len(s.Args) > 0 {
		arg = s.Args[0]
	}
	switch s.Kind {
	case KindBegin:
		return strings.HasPrefix(bare(clip(answer, 4<<10)), bare(arg))
	case KindEnd:
		return strings.HasSuffix(bare(clipStart(answer, 4<<10)), bare(arg))
	case KindFormat:
		return formatted(head, arg)
	case KindLanguage:
		got := Language(head)
		return got == arg || got == "" && !s.Not
	case KindCase:
		if arg == "upper" {
			return strings.ToUpper(head) == head
		}
		return strings.ToLower(head) == head
	case KindRegex:
		re, err := regexp.Compile(arg)
		return err == nil && re.MatchString(head)
	case KindQuestion:
		end := strings.TrimRight(answer, " \n\t\"'”*_)")
		return strings.HasSuffix(end, "?") || strings.HasSuffix(end, "？") || strings.HasSuffix(end, "؟")
	case KindHas:
		return has(head, arg)
	}
	return false
}

// mentions reports whether the stems of phrase all stand in one sentence of the
// answer, in any order: "returns page" is mentioned by "our page on returns".
// A phrase without letters or digits must stand there as it is.
func mentions(answer, phrase string) bool {
	want := content(phrase)
	if len(want) == 0 {
		return strings.Contains(flat(answer), flat(phrase))
	}
	for _, s := range sentences(answer) {
		have := map[string]bool{}
		for _, w := range stems(s) {
			have[w] = true
		}
		if !slices.ContainsFunc(want, func(w string) bool { return !have[w] }) {
			return true
		}
	}
	return false
}

// content are the stems of s without articles and the like, or all of them
// where nothing else is left.
func content(s string) []string {
	all := stems(s)
	kept := slices.DeleteFunc(slices.Clone(all), func(w string) bool { return functionWords[w] })
	if len(kept) == 0 {
		return all
	}
	return kept
}

var functionWords = set("the a an our your their its his her this that these those of to for on in at by with about and or der die das den dem des ein eine einen le la les un une des du de el los las una il lo gli")

// says reports whether phrase stands in the flattened answer as whole words.
func says(answer, phrase string) bool {
	phrase = flat(phrase)
	for from := 0; from <= len(answer); {
		i := strings.Index(answer[from:], phrase)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(phrase)
		before, _ := utf8.DecodeLastRuneInString(answer[:start])
		after, _ := utf8.DecodeRuneInString(answer[end:])
		first, size := utf8.DecodeRuneInString(phrase)
		last, _ := utf8.DecodeLastRuneInString(phrase)
		if !(wordy(before) && wordy(first)) && !(wordy(last) && wordy(after)) {
			return true
		}
		from = start + max(size, 1)
	}
	return false
}

func wordy(r rune) bool {
	return r != utf8.RuneError && !ideographic(r) && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// flat is lower case with straight quotes and single spaces.
func flat(s string) string {
	s = strings.NewReplacer("’", "'", "‘", "'", "“", `"`, "”", `"`, "\u00a0", " ").Replace(strings.ToLower(s))
	return strings.Join(strings.Fields(s), " ")
}

// bare is flat without the punctuation and emphasis around it.
func bare(s string) string {
	return strings.Trim(flat(s), " .,!?:;*_#>\"'`()[]-…")
}

func count(answer, unit string) int {
	switch unit {
	case "words":
		n := 0
		for w := range strings.FieldsSeq(answer) {
			if strings.ContainsFunc(w, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
				n++
			}
		}
		return n
	case "sentences":
		n := 0
		for _, s := range sentences(answer) {
			if strings.ContainsFunc(s, unicode.IsLetter) {
				n++
			}
		}
		return n
	case "characters":
		return utf8.RuneCountInString(strings.TrimSpace(answer))
	case "paragraphs":
		n := 0
		for _, p := range blankLines.Split(answer, -1) {
			if strings.TrimSpace(p) != "" {
				n++
			}
		}
		return n
	}
	return len(bulletLines.FindAllStringIndex(answer, -1)) + len(numberedLines.FindAllStringIndex(answer, -1))
}

var (
	blankLines    = regexp.MustCompile(`\n[ \t]*\n`)
	bulletLines   = regexp.MustCompile(`(?m)^[ \t]*[-*•–][ \t]+\S`)
	numberedLines = regexp.MustCompile(`(?m)^[ \t]*\d{1,3}[.)][ \t]+\S`)
	tableLines    = regexp.MustCompile(`(?m)^[ \t]*\|?[ \t]*:?-{3,}:?[ \t]*\|[ \t|:-]*$`)
	headingLines  = regexp.MustCompile(`(?m)^#{1,6} \S`)
	boldText      = regexp.MustCompile(`\*\*[^*\n]+\*\*|__[^_\n]+__`)
	codeFence     = regexp.MustCompile("(?s)^```(?:json)?\\s*(.*?)\\s*```$")
	someLink      = regexp.MustCompile(`(?i)https?://\S+|\bwww\.\S+|\[[^\]]+\]\([^)\s]+\)|\b[a-z0-9-]+\.(com|org|net|io|de|co|dev|app|example|shop)(/\S*)?\b`)
	someEmail     = regexp.MustCompile(`[\pL\pN._%+-]+@[\pL\pN.-]+\.\pL{2,}`)
)

func formatted(answer, format string) bool {
	switch format {
	case "json":
		if m := codeFence.FindStringSubmatch(answer); m != nil {
			answer = m[1]
		}
		return (strings.HasPrefix(answer, "{") || strings.HasPrefix(answer, "[")) && json.Valid([]byte(answer))
	case "bullets":
		return bulletLines.MatchString(answer)
	case "numbered":
		return numberedLines.MatchString(answer)
	case "table":
		return tableLines.MatchString(answer) || strings.Contains(strings.ToLower(answer), "<table")
	case "code":
		return strings.Contains(answer, "```")
	case "headings":
		return headingLines.MatchString(answer)
	}
	return boldText.MatchString(answer)
}

func has(answer, what string) bool {
	switch what {
	case "link":
		return someLink.MatchString(answer)
	case "email":
		return someEmail.MatchString(answer)
	case "phone":
		for _, s := range numbers.FindAllString(answer, 64) {
			if n := len(onlyDigits(s)); n >= 7 && n <= 15 && !dates.MatchString(s) {
				return true
			}
		}
		return false
	case "number":
		return strings.ContainsFunc(answer, unicode.IsDigit)
	case "emoji":
		return strings.ContainsFunc(answer, emoji)
	}
	return bulletLines.MatchString(answer) || headingLines.MatchString(answer) || boldText.MatchString(answer) || tableLines.MatchString(answer) || strings.Contains(answer, "```")
}

func emoji(r rune) bool {
	return r >= 0x1F300 && r <= 0x1FAFF || r >= 0x2600 && r <= 0x27BF || r == 0x2B50 || r == 0x2764
}
