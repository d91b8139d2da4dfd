package redis

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"heed/store"
)

// decode reads a stored JSON document; store.ErrCorrupt when it is none.
func decode(doc, what string, v any) error {
	if err := json.Unmarshal([]byte(doc), v); err != nil {
		return fmt.Errorf("%s: %w: %v", what, store.ErrCorrupt, err)
	}
	return nil
}

// maxSearchWords bounds the words of one search; further ones are left out.
const maxSearchWords = 32

// words are the distinct words that a search text asks for.
func words(text string) []string {
	var out []string
	for w := range wordSet(text) {
		if len(out) < maxSearchWords {
			out = append(out, w)
		}
	}
	return out
}

// wordSet is the words of the texts in lower case: runs of letters and digits; in
// scripts that are written without spaces each character is a word.
func wordSet(texts ...string) map[string]bool {
	set := map[string]bool{}
	for _, text := range texts {
		start := -1 // of the word that is being read
		for i, r := range text {
			alone := unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
			inside := !alone && (unicode.IsLetter(r) || unicode.IsDigit(r) || start >= 0 && unicode.Is(unicode.Mn, r))
			if inside && start < 0 {
				start = i
			}
			if !inside && start >= 0 {
				set[strings.ToLower(text[start:i])] = true
				start = -1
			}
			if alone {
				set[string(r)] = true
			}
		}
		if start >= 0 {
			set[strings.ToLower(text[start:])] = true
		}
	}
	return set
}

func hasWords(want []string, have map[string]bool) bool {
	for _, w := range want {
		if !have[w] {
			return false
		}
	}
	return true
}

// unescaped is the text of JSON as it was sent, with its escapes read, so that
// its words are found. What is no JSON stays as it is.
func unescaped(b []byte) string {
	if !strings.Contains(string(b), `\`) {
		return string(b)
	}
	var out strings.Builder
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	for {
		t, err := d.Token()
		if err != nil {
			break
		}
		fmt.Fprintf(&out, "%v ", t)
	}
	if d.InputOffset() < int64(len(b)) {
		out.Write(b[d.InputOffset():]) // an event stream, or a body that was cut
	}
	return out.String()
}
