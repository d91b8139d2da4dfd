package check

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// charset reports what a reviewer could not see or would misread: control and
// format characters, tags, stray variation selectors, piled-up marks, styled
// alphabets, and words that mix scripts (security.md L7; Unicode TR 39).
func charset(text string) []Problem {
	if !utf8.ValidString(text) {
		return []Problem{problem(CodeCharset, "is not valid UTF-8", "")}
	}
	var out []Problem
	runes := []rune(text)
	marks := 0
	for i, r := range runes {
		if why := forbidden(runes, i); why != "" {
			out = append(out, problem(CodeCharset, why, fmt.Sprintf("U+%04X", r)))
		}
		if unicode.In(r, unicode.Mn, unicode.Me) && !unicode.Is(unicode.Variation_Selector, r) {
			marks++
		} else {
			marks = 0
		}
		if marks == 3 {
			out = append(out, problem(CodeCharset, "piles up combining marks", fmt.Sprintf("U+%04X", r)))
		}
		if len(out) >= maxProblems {
			return out
		}
	}
	return append(out, scripts(runes)...)
}

// forbidden says why the rune at i may not stand there, or "".
func forbidden(runes []rune, i int) string {
	r := runes[i]
	switch {
	case r == '\n' || r == '\r' || r == 0x2028 || r == 0x2029 || r == 0x85:
		return "has more than one line; write it as one"
	case r == '\t':
		return ""
	case unicode.Is(unicode.Cc, r):
		return "has a control character"
	case r >= 0xE0000 && r <= 0xE01EF:
		return "has an invisible tag character"
	case r == 0x200C || r == 0x200D:
		// Persian and the Indic scripts are spelled with joiners (RFC 5892 appendix A).
		if joins(runes, i-1) && joins(runes, i+1) {
			return ""
		}
		return "has an invisible joiner"
	case unicode.Is(unicode.Cf, r):
		return "has an invisible format character"
	case r == 0xFE0F:
		if i > 0 && (unicode.Is(unicode.So, runes[i-1]) || strings.ContainsRune("0123456789#*‼⁉↔©®", runes[i-1])) {
			return ""
		}
		return "has a variation selector"
	case unicode.Is(unicode.Variation_Selector, r):
		return "has a variation selector"
	case r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0 || r == 0x2800 || r == 0x034F:
		return "has an invisible filler"
	case unicode.Is(unicode.Co, r):
		return "has a private character"
	case r == utf8.RuneError || !unicode.IsPrint(r) && !unicode.IsSpace(r):
		return "has an unassigned character"
	}
	return ""
}

func joins(runes []rune, i int) bool {
	return i >= 0 && i < len(runes) && unicode.In(runes[i], unicode.Arabic, unicode.Devanagari, unicode.Bengali,
		unicode.Gujarati, unicode.Gurmukhi, unicode.Kannada, unicode.Malayalam, unicode.Oriya, unicode.Sinhala,
		unicode.Tamil, unicode.Telugu)
}

// scripts reports styled letters and words that look like other words.
func scripts(runes []rune) []Problem {
	var out []Problem
	latin, foreign, cjk := 0, 0, 0
	for _, r := range runes {
		switch {
		case unicode.Is(unicode.Latin, r):
			latin++
		case ideographic(r):
			cjk++
		case unicode.IsLetter(r):
			foreign++
		}
	}
	for start := 0; start < len(runes); {
		if !unicode.IsLetter(runes[start]) && !styled(runes[start], cjk > 0) {
			start++
			continue
		}
		end := start
		for end < len(runes) && (unicode.IsLetter(runes[end]) || unicode.IsMark(runes[end]) || styled(runes[end], cjk > 0)) {
			end++
		}
		if why := odd(runes[start:end], latin > foreign, cjk > 0); why != "" && len(out) < maxProblems {
			out = append(out, problem(CodeCharset, why, string(runes[start:end])))
		}
		start = end
	}
	return out
}

// odd says what is wrong with the letters of one word, or "".
func odd(word []rune, mostlyLatin, cjk bool) string {
	latin, lookalike, other, phonetic := 0, 0, 0, 0
	for _, r := range word {
		switch {
		case styled(r, cjk):
			return "has styled letters; write plain ones"
		case r == 'µ' || r == 'μ' || r == '\u03a9' || r == '\u2126' || unicode.IsMark(r) || ideographic(r):
			continue // units (µm, kΩ); ideographs stand beside any script
		case r >= 0x1D00 && r <= 0x1D7F || r >= 0x0250 && r <= 0x02AF && r != 'ə':
			phonetic++
			latin++
		case unicode.Is(unicode.Latin, r):
			latin++
		case confusable[r] != 0:
			lookalike++
		case unicode.IsLetter(r):
			other++
		}
	}
	switch {
	case latin > 0 && lookalike+other > 0:
		return "has a word of mixed scripts"
	case phonetic > 1:
		return "has phonetic letters; write plain ones"
	case mostlyLatin && lookalike > 1 && other == 0:
		return "has a word of look-alike letters"
	}
	return ""
}

// styled reports whether r is a letter in disguise: mathematical, enclosed or
// full-width alphabets. Full-width letters are ordinary in East Asian text.
func styled(r rune, cjk bool) bool {
	switch {
	case r >= 0x1D400 && r <= 0x1D7FF, r >= 0x249C && r <= 0x24E9, r >= 0x1F110 && r <= 0x1F189, r >= 0x1F1E6 && r <= 0x1F1FF:
		return true
	case r >= 0xFF21 && r <= 0xFF3A, r >= 0xFF41 && r <= 0xFF5A:
		return !cjk
	}
	return false
}

func ideographic(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo) || r == 'ー'
}

// confusable maps letters of other scripts to the Latin letters they look
// like: the part of Unicode's confusables.txt that spells English words.
var confusable = map[rune]rune{
	'а': 'a', 'с': 'c', 'ԁ': 'd', 'е': 'e', 'һ': 'h', 'і': 'i', 'ј': 'j', 'ӏ': 'l', 'о': 'o', 'р': 'p', 'ԛ': 'q',
	'ѕ': 's', 'ԝ': 'w', 'х': 'x', 'у': 'y', 'ѵ': 'v', 'г': 'r', 'п': 'n', 'т': 't', 'м': 'm', 'к': 'k', 'в': 'b', 'н': 'h',
	'α': 'a', 'ε': 'e', 'ι': 'i', 'κ': 'k', 'ν': 'v', 'ο': 'o', 'ρ': 'p', 'τ': 't', 'υ': 'u', 'χ': 'x', 'γ': 'y', 'η': 'n', 'σ': 'o',
	'օ': 'o', 'ս': 'u', 'ո': 'n', 'հ': 'h', 'ց': 'g', 'ɡ': 'g', 'ı': 'i', 'ɩ': 'i', 'ⅰ': 'i', 'ł': 'l', 'ø': 'o', 'đ': 'd',
}

// fold is what the patterns read: NFKC, lower case, look-alikes and small
// capitals as plain letters, no marks, straight quotes, single spaces.
func fold(text string) string {
	cyrillic, latin := 0, 0
	for _, r := range text {
		if unicode.Is(unicode.Latin, r) {
			latin++
		} else if unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian) {
			cyrillic++
		}
	}
	var b strings.Builder
	space := false
	for _, r := range norm.NFKD.String(text) {
		r = unicode.ToLower(r)
		switch {
		case unicode.IsSpace(r):
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Variation_Selector):
			continue
		case latin > cyrillic && confusable[r] != 0:
			r = confusable[r]
		case smallCapitals[r] != 0:
			r = smallCapitals[r]
		case r == '’' || r == '‘' || r == '`' || r == '´' || r == 'ʼ':
			r = '\''
		case r == '“' || r == '”' || r == '„' || r == '«' || r == '»':
			r = '"'
		case r == '‐' || r == '‑' || r == '–' || r == '—' || r == '−':
			r = '-'
		case r == '。' || r == '｡' || r == '․' || r == '﹒':
			r = '.'
		case r == 'ß':
			b.WriteString("ss")
			space = false
			continue
		}
		space = false
		b.WriteRune(r)
	}
	return norm.NFC.String(strings.TrimSpace(b.String()))
}

var smallCapitals = map[rune]rune{
	'ᴀ': 'a', 'ʙ': 'b', 'ᴄ': 'c', 'ᴅ': 'd', 'ᴇ': 'e', 'ꜰ': 'f', 'ɢ': 'g', 'ʜ': 'h', 'ɪ': 'i', 'ᴊ': 'j', 'ᴋ': 'k', 'ʟ': 'l', 'ᴍ': 'm',
	'ɴ': 'n', 'ᴏ': 'o', 'ᴘ': 'p', 'ʀ': 'r', 'ꜱ': 's', 'ᴛ': 't', 'ᴜ': 'u', 'ᴠ': 'v', 'ᴡ': 'w', 'ʏ': 'y', 'ᴢ': 'z',
}

// leet reads digits and signs inside words as the letters they stand for.
// Numbers and words without a digit stay as they are.
func leet(folded string) string {
	words := strings.Fields(folded)
	for i, w := range words {
		letters := strings.IndexFunc(w, unicode.IsLetter) >= 0
		if letters && strings.ContainsAny(w, "013457@$!|") {
			tail := strings.TrimRight(w, "!.,?")
			words[i] = leetLetters.Replace(tail) + w[len(tail):]
		}
	}
	return strings.Join(words, " ")
}

var leetLetters = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i", "|", "l")

// squeeze keeps only letters, so that "i-g n.o r e" reads "ignore".
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
}

func reverse(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}
