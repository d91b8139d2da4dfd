package store

import (
	"unicode"
	"unicode/utf8"
)

// normalize replaces plain by what people mean by it: spaces and dashes of any kind
// are the plain ones, digits and letters of full width or of other scripts are
// ASCII's, and what nobody sees is left out. Numbers are typed by telephones and
// word processors, which use all of them.
func (r *redactor) normalize() {
	i := 0
	for i < len(r.plain) && r.plain[i] < utf8.RuneSelf {
		i++
	}
	if i == len(r.plain) {
		return
	}
	plain, at := append(make([]byte, 0, len(r.plain)), r.plain[:i]...), make([]int, 0, len(r.plain)+1)
	for j := range i {
		at = append(at, r.origin(j))
	}
	for i < len(r.plain) {
		c, size := utf8.DecodeRune(r.plain[i:])
		switch n := meant(c); {
		case n < 0:
		case n != c || n < utf8.RuneSelf:
			plain, at = append(plain, byte(n)), append(at, r.origin(i))
		default:
			plain = append(plain, r.plain[i:i+size]...)
			for j := range size {
				at = append(at, r.origin(i+j))
			}
		}
		i += size
	}
	r.plain, r.at = plain, append(at, len(r.text))
}

// origin is where a byte of plain starts in the text.
func (r *redactor) origin(i int) int {
	if r.at == nil {
		return i
	}
	return r.at[i]
}

// meant is the ASCII character that c stands for, c itself, or -1 for none.
func meant(c rune) rune {
	switch {
	case c < utf8.RuneSelf:
		return c
	case c >= '！' && c <= '～': // full width
		return c - '！' + '!'
	case c == '\u00ad', unicode.Is(unicode.Cf, c): // soft hyphens, zero width, direction marks
		return -1
	case unicode.Is(unicode.Zs, c):
		return ' '
	case unicode.Is(unicode.Pd, c), c == '\u2212':
		return '-'
	case unicode.Is(unicode.Nd, c):
		return '0' + digitOf(c)
	}
	return c
}

// digitOf is the value of a decimal digit: they stand in runs of ten that begin
// at zero (Unicode Standard, section 4.6).
func digitOf(c rune) rune {
	for _, t := range unicode.Nd.R16 {
		if c >= rune(t.Lo) && c <= rune(t.Hi) {
			return (c - rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if c >= rune(t.Lo) && c <= rune(t.Hi) {
			return (c - rune(t.Lo)) % 10
		}
	}
	return 0
}
