package check

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kljensen/snowball/english"
)

// maxText bounds what any function here looks at, in bytes.
const maxText = 64 << 10

// tokens are the words of s in lower case, apostrophes kept inside; runs of
// ideographs become overlapping pairs, because they have no spaces.
func tokens(s string) []string {
	var out []string
	runes := []rune(strings.ToLower(strings.ReplaceAll(s, "’", "'")))
	for i := 0; i < len(runes); {
		r := runes[i]
		if ideographic(r) {
			if i+1 < len(runes) && ideographic(runes[i+1]) {
				out = append(out, string(runes[i:i+2]))
			} else if i == 0 || !ideographic(runes[i-1]) {
				out = append(out, string(r))
			}
			i++
			continue
		}
		start := i
		for i < len(runes) && !ideographic(runes[i]) && (unicode.IsLetter(runes[i]) || unicode.IsNumber(runes[i]) || unicode.IsMark(runes[i]) ||
			i > start && i+1 < len(runes) && (runes[i] == '\'' || runes[i] == '.' && unicode.IsDigit(runes[i-1])) && (unicode.IsLetter(runes[i+1]) || unicode.IsDigit(runes[i+1]))) {
			i++
		}
		if i > start {
			out = append(out, string(runes[start:i]))
		} else {
			i++
		}
	}
	return out
}

// stem is the English stem of a Latin word; other words stay as they are.
func stem(word string) string {
	word = strings.TrimSuffix(word, "'s")
	if utf8.RuneCountInString(word) < 4 || strings.IndexFunc(word, func(r rune) bool { return r > 0x24F }) >= 0 {
		return word
	}
	return english.Stem(word, false)
}

func stems(s string) []string {
	words := tokens(s)
	for i, w := range words {
		words[i] = stem(w)
	}
	return words
}

// sentences splits at full stops, question and exclamation marks and line
// breaks outside quotes; the marks stay. Abbreviations and decimals hold.
func sentences(s string) []string {
	var out []string
	start, quoted := 0, false
	runes := []rune(s)
	for i, r := range runes {
		switch r {
		case '"', '“', '”', '„':
			quoted = !quoted
		case '\n':
			quoted = false
		}
		end := r == '\n' || strings.ContainsRune("。！？", r)
		if strings.ContainsRune(".!?…;", r) && !quoted && (i+1 == len(runes) || unicode.IsSpace(runes[i+1])) {
			end = r != '.' || !abbreviation.MatchString(string(runes[max(start, i-5):i+1]))
		}
		// A full stop inside the closing quote ends the sentence: … "Goodbye." Then …
		if (r == '"' || r == '”') && !quoted && i > 0 && strings.ContainsRune(".!?", runes[i-1]) && i+2 < len(runes) && unicode.IsSpace(runes[i+1]) && unicode.IsUpper(runes[i+2]) {
			end = true
		}
		if end {
			if t := strings.TrimSpace(string(runes[start : i+1])); t != "" {
				out = append(out, t)
			}
			start = i + 1
		}
	}
	if t := strings.TrimSpace(string(runes[start:])); t != "" {
		out = append(out, t)
	}
	return out
}

var abbreviation = regexp.MustCompile(`(?i)(^|\W)(e\.g|i\.e|z\.b|d\.h|etc|vs|no|nr|mr|mrs|dr|approx|ca|bzw|st|p\.ej|max|min)\.$`)

// quotes are the texts in double or single quotes in s.
func quotes(s string) []string {
	var out []string
	for _, m := range quotation.FindAllStringSubmatch(s, 8) {
		for _, g := range m[1:] {
			if g = strings.TrimSpace(g); g != "" {
				out = append(out, g)
			}
		}
	}
	return out
}

var quotation = regexp.MustCompile("[\"“”„«]([^\"“”„«»]{1,200})[\"“”»]|(?:^|[\\s(,:])['‘‚]([^'‘’]{1,200}(?:[’'][a-z]+[^'‘’]{0,100})?)['’](?:$|[\\s).,;:!?])|`([^`]{1,200})`")

// set makes a set of words.
func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// capitalize makes the first letter upper case.
func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// lowerFirst makes the first letter lower case where the word is no name.
func lowerFirst(s string) string {
	r := []rune(s)
	if len(r) > 1 && unicode.IsUpper(r[0]) && !unicode.IsUpper(r[1]) {
		if w, _, _ := strings.Cut(strings.ToLower(s), " "); functionWords[w] || w == "links" || w == "information" || w == "some" || values.MatchString(w) || w == "more" || len(w) < 3 {
			return strings.ToLower(string(r[0])) + string(r[1:])
		}
	}
	return s
}
