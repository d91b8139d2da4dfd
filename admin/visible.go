package admin

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible writes what a reader cannot see, or would misread, as code points: it is
// the last step of every page, so that no text can hide anything from whoever
// approves it (security.md L7). What joins emoji, and letters of scripts that need
// it, stays.
func visible(page string) string {
	if strings.IndexFunc(page, hidden) < 0 {
		return page
	}
	var b strings.Builder
	before := ' '
	for i, r := range page {
		_, size := utf8.DecodeRuneInString(page[i:])
		switch {
		case !hidden(r):
			b.WriteString(page[i : i+size])
		case joins(before, r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		}
		before = r
	}
	return b.String()
}

func hidden(r rune) bool {
	if r < 0x7F {
		return r < 0x20 && r != '\n' && r != '\t' && r != '\r'
	}
	return r == 0x7F || unicode.In(r, unicode.Cf, unicode.Co, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Variation_Selector) ||
		r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0 // Hangul fillers are letters without ink
}

// joins says whether r belongs after before in honest text.
func joins(before, r rune) bool {
	emoji := unicode.Is(unicode.So, before) || before >= 0x1F3FB && before <= 0x1F3FF || before == 0xFE0F
	switch r {
	case 0xFE0F:
		return emoji
	case 0x200D:
		return emoji || unicode.In(before, unicode.Arabic, unicode.Devanagari, unicode.Bengali, unicode.Malayalam, unicode.Sinhala, unicode.Tamil)
	case 0x200C:
		return unicode.In(before, unicode.Arabic, unicode.Devanagari, unicode.Bengali, unicode.Malayalam, unicode.Kannada, unicode.Telugu)
	}
	return false
}
