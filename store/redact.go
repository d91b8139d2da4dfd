package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Redact returns text with mail addresses, telephone, card (Luhn) and account
// (IBAN) numbers, keys, tokens and passwords, and what custom matches, replaced by
// markers of the same length in bytes, such as [email****]. It reads JSON as it
// was sent, or plain text: a secret that hides behind escapes, in digits of another
// script, or behind spaces and dashes that word processors put is found, and what
// was valid JSON stays so. The same text gives the same result. text is not changed;
// it is returned itself when there is nothing to replace. custom may not match the
// empty string.
//
// It is a net with holes: names and street addresses pass, and so do a secret that
// a stream cuts in two, a telephone number in one piece with no word beside it that
// says so, and a key whose start and name nobody knows.
func Redact(text []byte, custom []*regexp.Regexp) []byte {
	r := redactor{text: text}
	r.decode()
	for _, c := range custom {
		for _, m := range c.FindAllIndex(r.plain, -1) {
			r.add(m[0], m[1], "custom")
		}
	}
	r.normalize()
	r.mails()
	r.numbers()
	r.accounts()
	r.keys()
	if len(r.found) == 0 {
		return text
	}
	return r.replace()
}

// Redact takes what [Redact] finds out of the exchange's bodies, answer and
// queries. Slices are replaced, not written to: others may still read them.
func (x *Exchange) Redact(custom []*regexp.Regexp) {
	text := func(s string) string { return string(Redact([]byte(s), custom)) }
	x.Request, x.Response = Redact(x.Request, custom), Redact(x.Response, custom)
	x.Answer, x.Query = text(x.Answer), text(x.Query)
	queries := make([]string, len(x.Facts.Queries))
	for i, q := range x.Facts.Queries {
		queries[i] = text(q)
	}
	x.Facts.Queries = queries
}

// Redact takes what [Redact] finds out of all that was said. Slices and maps are
// replaced, not written to.
func (f *Feedback) Redact(custom []*regexp.Regexp) {
	text := func(s string) string { return string(Redact([]byte(s), custom)) }
	f.Comment, f.When, f.Correction = text(f.Comment), text(f.When), text(f.Correction)
	labels := make([]string, len(f.Labels))
	for i, l := range f.Labels {
		labels[i] = text(l)
	}
	answers := make(map[string]json.RawMessage, len(f.Answers))
	for id, a := range f.Answers {
		answers[id] = Redact(a, custom)
	}
	f.Labels, f.Answers = labels, answers
}

// redactor is one call of Redact.
type redactor struct {
	text  []byte
	plain []byte // text with JSON escapes decoded, then normalized
	at    []int  // where each byte of plain starts in text, and the end; nil when they are the same
	found []secret
}

// secret is a place in text.
type secret struct {
	lo, hi int
	kind   string
}

// add takes a place in plain.
func (r *redactor) add(lo, hi int, kind string) {
	if hi <= lo {
		return
	}
	if r.at != nil {
		lo, hi = r.at[lo], r.at[hi]
	}
	r.found = append(r.found, secret{lo, hi, kind})
}

// decode fills plain and at.
func (r *redactor) decode() {
	if bytes.IndexByte(r.text, '\\') < 0 {
		r.plain = r.text
		return
	}
	r.plain, r.at = make([]byte, 0, len(r.text)), make([]int, 0, len(r.text)+1)
	for i := 0; i < len(r.text); {
		c, size := escape(r.text[i:])
		for range utf8.RuneLen(c) {
			r.at = append(r.at, i)
		}
		if c < 0 { // no escape: the byte itself, valid or not
			r.plain, r.at = append(r.plain, r.text[i]), append(r.at, i)
		} else {
			r.plain = utf8.AppendRune(r.plain, c)
		}
		i += size
	}
	r.at = append(r.at, len(r.text))
}

// escape reads the JSON escape that b begins with; -1 and 1 when it is none.
func escape(b []byte) (rune, int) {
	if b[0] != '\\' || len(b) < 2 {
		return -1, 1
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b', 'f', 'n', 'r', 't':
		return '\n', 2
	case 'u':
		if len(b) < 6 {
			return -1, 1
		}
		var c rune
		for _, h := range b[2:6] {
			d := hexDigit(h)
			if d < 0 {
				return -1, 1
			}
			c = c<<4 | rune(d)
		}
		if c >= 0xd800 && c < 0xe000 { // half of a pair: no secret is made of those
			c = utf8.RuneError
		}
		return c, 6
	}
	return -1, 1
}

// hexDigit is the value of a hexadecimal digit, -1 of anything else.
func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// replace writes markers over what was found.
func (r *redactor) replace() []byte {
	slices.SortStableFunc(r.found, func(a, b secret) int { return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(b.hi, a.hi)) })
	out := slices.Clone(r.text)
	end := 0
	for i := 0; i < len(r.found); {
		s := r.found[i]
		for i++; i < len(r.found) && r.found[i].lo < s.hi; i++ { // overlapping finds are one
			s.hi = max(s.hi, r.found[i].hi)
		}
		lo, hi := wholeRunes(r.text, max(s.lo, end), s.hi)
		marker(out[lo:hi], s.kind, bare(r.text, lo, hi))
		end = hi
	}
	return out
}

// wholeRunes widens a span so that it cuts no character in two, as a custom
// pattern on bytes could.
func wholeRunes(b []byte, lo, hi int) (int, int) {
	for lo > 0 && lo < len(b) && !utf8.RuneStart(b[lo]) {
		lo--
	}
	for hi < len(b) && !utf8.RuneStart(b[hi]) {
		hi++
	}
	return lo, hi
}

// marker overwrites b: "[kind***]", or as much as fits. A number that stands
// outside of JSON strings stays a number.
func marker(b []byte, kind string, number bool) {
	for i := range b {
		b[i] = '*'
		if number {
			b[i] = '9'
		}
	}
	if !number && len(b) >= len(kind)+2 {
		copy(b[1:], kind)
		b[0], b[len(b)-1] = '[', ']'
	}
}

// bare reports whether the span is nothing but digits between JSON's own
// punctuation.
func bare(b []byte, lo, hi int) bool {
	for _, c := range b[lo:hi] {
		if c < '0' || c > '9' {
			return false
		}
	}
	before, after := bytes.TrimRight(b[:lo], " \t\r\n-"), bytes.TrimLeft(b[hi:], " \t\r\n")
	open := len(before) == 0 || bytes.IndexByte([]byte(":,["), before[len(before)-1]) >= 0
	return open && (len(after) == 0 || bytes.IndexByte([]byte(",]}"), after[0]) >= 0)
}

// mails finds addresses from each @ outwards, which in a URL may be %40.
func (r *redactor) mails() {
	for i := 0; i < len(r.plain); i++ {
		if r.plain[i] == '@' {
			r.mail(i, i+1)
		} else if r.plain[i] == '%' && bytes.HasPrefix(r.plain[i:], []byte("%40")) {
			r.mail(i, i+len("%40"))
		}
	}
}

// mail adds the address around its sign, if it is one.
func (r *redactor) mail(lo, hi int) {
	sign, host := lo, hi
	for lo > 0 {
		c, size := utf8.DecodeLastRune(r.plain[:lo])
		if !isLetter(c) && !(c < utf8.RuneSelf && bytes.IndexByte([]byte("._%+-'!#$&*=?^`|~"), byte(c)) >= 0) {
			break
		}
		lo -= size
	}
	if host > sign+1 { // in a URL the address begins after "email="
		lo += bytes.LastIndexAny(r.plain[lo:sign], "=&?") + 1
	}
	for hi < len(r.plain) {
		c, size := utf8.DecodeRune(r.plain[hi:])
		if !isLetter(c) && c != '-' && c != '.' {
			break
		}
		hi += size
	}
	for hi > host && (r.plain[hi-1] == '.' || r.plain[hi-1] == '-') { // the end of the sentence
		hi--
	}
	if lo < sign && bytes.IndexByte(r.plain[host:hi], '.') > 0 {
		r.add(lo, hi, "email")
	}
}

// isLetter also takes digits, and accents that stand behind their letter.
func isLetter(c rune) bool {
	return unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.Is(unicode.Mn, c)
}
