package redis

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"heed/store"
)

// decode reads a stored JSON document; store.ErrCorrupt when it is none.
func decode(doc, what string, v any) error {
	if err := json.Unmarshal([]byte(doc), v); err != nil {
		return fmt.Errorf("%s: %w: %v", what, store.ErrCorrupt, err)
	}
	return nil
}

// kept is a time as the store keeps it: UTC, whole milliseconds. The zero time
// stays zero.
func kept(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Millisecond)
}

// page is the number of items that a filter's limit asks for.
func page(limit int) int {
	if limit <= 0 {
		return store.DefaultPage
	}
	return min(limit, store.MaxPage)
}

// A cursor is where a page ended: a number and an id, opaque to callers.
func cursor(n int64, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(n, 36) + "." + id))
}

// parseCursor reads what cursor wrote; ok is false for "".
// What cursor did not write is store.ErrCursor.
func parseCursor(c string) (n int64, id string, ok bool, err error) {
	if c == "" {
		return 0, "", false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(c)
	if err == nil {
		var num string
		if num, id, ok = strings.Cut(string(b), "."); ok {
			n, err = strconv.ParseInt(num, 36, 64)
		}
	}
	if err != nil || !ok {
		return 0, "", false, fmt.Errorf("cursor %q: %w", c, store.ErrCursor)
	}
	return n, id, true, nil
}

// cut shortens s to at most n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
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
