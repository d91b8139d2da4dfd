package sqlite

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"heed/store"
)

// terms is a set of 64-bit hashes: open addressing, at most half full. The zero
// value is empty.
type terms struct {
	slots []uint64 // 0 is empty
	list  []uint64 // the same hashes, in the order they came
}

// Sizes of the table of terms: at first, and of the largest one that is kept for
// the next chunk.
const (
	minTermSlots  = 1 << 10
	maxTermsSlots = 1 << 15
)

func (t *terms) n() int { return len(t.list) }

// reset empties the set; one that grew beyond what most chunks need starts anew.
func (t *terms) reset() {
	if len(t.slots) > maxTermsSlots {
		*t = terms{}
		return
	}
	clear(t.slots)
	t.list = t.list[:0]
}

func (t *terms) add(h uint64) {
	h = max(h, 1)
	if n := len(t.slots); n > 0 && t.slots[h&uint64(n-1)] == h { // most words of a chunk come again
		return
	}
	t.insert(h)
}

func (t *terms) insert(h uint64) {
	if 2*len(t.list) >= len(t.slots) {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch t.slots[i] {
		case h:
			return
		case 0:
			t.slots[i] = h
			t.list = append(t.list, h)
			return
		}
	}
}

func (t *terms) has(h uint64) bool {
	if len(t.slots) == 0 {
		return false
	}
	h = max(h, 1)
	mask := uint64(len(t.slots) - 1)
	for i := h & mask; t.slots[i] != 0; i = (i + 1) & mask {
		if t.slots[i] == h {
			return true
		}
	}
	return false
}

func (t *terms) grow() {
	t.slots = make([]uint64, max(minTermSlots, 2*len(t.slots)))
	mask := uint64(len(t.slots) - 1)
	for _, h := range t.list {
		i := h & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = h
	}
}

// Bits per term and probes of a Bloom filter: about one false hit in a hundred
// (Bloom 1970; Mitzenmacher and Upfal, section 5.5.3: k = m/n ln 2).
const (
	filterBits   = 10
	filterProbes = 7
)

// filterLen is the size of a filter of n terms, in bytes.
func filterLen(n int) int { return (n*filterBits+7)/8 + 1 }

// filter makes f the Bloom filter of the set.
func (t *terms) filter(f []byte) {
	clear(f)
	for _, h := range t.list {
		for i := range uint64(filterProbes) {
			bit := probe(h, i, len(f))
			f[bit>>3] |= 1 << (bit & 7)
		}
	}
}

// mayHave reports whether the filter's set may hold all of the terms.
func mayHave(f []byte, hs []uint64) bool {
	if len(f) == 0 {
		return len(hs) == 0
	}
	for _, h := range hs {
		h = max(h, 1)
		for i := range uint64(filterProbes) {
			if bit := probe(h, i, len(f)); f[bit>>3]&(1<<(bit&7)) == 0 {
				return false
			}
		}
	}
	return true
}

// probe is the i-th bit of a term, by double hashing (Kirsch and Mitzenmacher
// 2006).
func probe(h, i uint64, size int) uint64 {
	x := uint32(h) + uint32(i)*(uint32(h>>32)|1)
	return uint64(x) * uint64(size*8) >> 32
}

// FNV-1a, 64 bits, and the finalizer of MurmurHash3 that spreads it. The values
// are in files: they never change.
const (
	hashStart = 14695981039346656037
	hashPrime = 1099511628211
)

func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// attribute is the term of a field's value.
func attribute(field byte, value string) uint64 {
	h := (uint64(hashStart) ^ uint64(field)) * hashPrime
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * hashPrime
	}
	return mix(h)
}

// Fields that have attributes.
const (
	byStep byte = iota + 1
	bySession
	byUnit
	byUser
	byAlias
	byTarget
	byRule
	byOutcome
	byFailure
	byResponse
	byQuery // some value: a query was matched
)

func addAttributes(t *terms, x *store.Exchange) {
	t.add(attribute(byStep, x.Facts.Step))
	t.add(attribute(bySession, x.Session))
	t.add(attribute(byUnit, x.Facts.Unit))
	t.add(attribute(byUser, x.Facts.User))
	t.add(attribute(byAlias, x.Facts.Alias))
	t.add(attribute(byTarget, x.Target()))
	t.add(attribute(byOutcome, string(x.Outcome)))
	t.add(attribute(byResponse, x.ResponseID))
	for i := range x.Decision.Rules {
		t.add(attribute(byRule, x.Decision.Rules[i].ID))
	}
	for _, f := range x.Failures {
		t.add(attribute(byFailure, f))
	}
	if x.Query != "" {
		t.add(attribute(byQuery, ""))
	}
}

// maxWordBytes is the longest word that can be searched; longer runs (encoded
// images, keys) are not words.
const maxWordBytes = 64

// addExchangeWords adds the words that a search finds the exchange by. The first
// shared bytes of the request are those of the exchange before it in the chunk,
// whose words are in the set already: they are not read again. Nor is the query
// when it was asked as a string of the request.
func addExchangeWords(t *terms, s *slot, shared int, asked bool) {
	request := s.request()
	for shared > 0 && request[shared-1] != ' ' { // back to the start of the word
		shared--
	}
	addWords(t, request[shared:], true)
	if answer := store.Cut(s.x.Answer, store.MaxCopyBytes); answer != "" {
		addWords(t, []byte(answer), false)
	} else {
		addWords(t, s.response(), true)
	}
	if !asked {
		addWords(t, []byte(store.Cut(s.x.Query, store.MaxQueryBytes)), false)
	}
}

// classes says what an ASCII byte is to a word: 0 ends it, else the byte that
// stands for it. Bytes of other characters are 0.
var classes = func() (c [256]byte) {
	for b := range utf8.RuneSelf {
		if r := rune(b); unicode.IsLetter(r) || unicode.IsDigit(r) {
			c[b] = byte(unicode.ToLower(r))
		}
	}
	return c
}()

// addWords adds the words of text: runs of letters and digits, in lower case; in
// scripts that are written without spaces each character is a word. With escaped
// the text is JSON as it was sent, whose escapes are read.
func addWords(t *terms, text []byte, escaped bool) {
	h, n := uint64(hashStart), 0
	for i := 0; i < len(text); {
		start := i
		for ; i < len(text); i++ {
			c := classes[text[i]]
			if c == 0 {
				break
			}
			h = (h ^ uint64(c)) * hashPrime
		}
		if n += i - start; i == len(text) {
			break
		}
		b := text[i]
		if b < utf8.RuneSelf {
			if b != '\\' || !escaped || i+1 >= len(text) {
				if n > 0 && n <= maxWordBytes {
					t.add(mix(h))
				}
				h, n = hashStart, 0
				i++
				continue
			}
			if text[i+1] != 'u' {
				h, n = endWord(t, h, n)
				i += 2
				continue
			}
		}
		r, size := nextRune(text[i:], escaped)
		i += size
		h, n = addRune(t, h, n, r)
	}
	endWord(t, h, n)
}

// nextRune reads a character that is not plain ASCII, or a \u escape.
func nextRune(b []byte, escaped bool) (rune, int) {
	if b[0] >= utf8.RuneSelf || !escaped {
		return utf8.DecodeRune(b)
	}
	r, ok := hex4(b)
	if !ok {
		return ' ', 2
	}
	if utf16.IsSurrogate(r) {
		if low, ok := hex4(b[6:]); ok {
			return utf16.DecodeRune(r, low), 12
		}
	}
	return r, 6
}

// hex4 reads \uXXXX.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// addRune takes one character into the word that is being read.
func addRune(t *terms, h uint64, n int, r rune) (uint64, int) {
	if unicode.Is(unicode.Mn, r) && n > 0 {
		return h, n // accents that follow their letter: "é" in two characters
	}
	if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		return endWord(t, h, n)
	}
	r = fold(r)
	if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
		endWord(t, h, n)
		h, n = hashRune(hashStart, 0, r)
		return endWord(t, h, n)
	}
	return hashRune(h, n, r)
}

func hashRune(h uint64, n int, r rune) (uint64, int) {
	var buf [utf8.UTFMax]byte
	for _, b := range buf[:utf8.EncodeRune(buf[:], r)] {
		h, n = (h^uint64(b))*hashPrime, n+1
	}
	return h, n
}

// fold is the lower case of r without its accent, for the accents of Latin-1 and
// Latin Extended-A: a search for "cafe" finds "Café".
func fold(r rune) rune {
	r = unicode.ToLower(r)
	if i := strings.IndexRune(accented, r); i >= 0 {
		return rune(plain[utf8.RuneCountInString(accented[:i])])
	}
	return r
}

const (
	accented = "àáâãäåāăąçćĉċčďđèéêëēĕėęěĝğġģĥħìíîïĩīĭįıĵķĺļľłñńņňòóôõöøōŏőŕŗřśŝşšţťŧùúûüũūŭůűųŵýÿŷźżž"
	plain    = "aaaaaaaaacccccddeeeeeeeeegggghhiiiiiiiiijkllllnnnnooooooooorrrssssttt" + "uuuuuuuuuuwyyyzzz"
)

func endWord(t *terms, h uint64, n int) (uint64, int) {
	if n > 0 && n <= maxWordBytes {
		t.add(mix(h))
	}
	return hashStart, 0
}

// maxSearchWords bounds the words of one search; further ones are left out.
const maxSearchWords = 32

// textTerms are the distinct words that a search text asks for.
func textTerms(text string) []uint64 {
	var t terms
	addWords(&t, []byte(text), false)
	return t.list[:min(t.n(), maxSearchWords)]
}

// feedbackWords are the words that a search finds feedback by.
func feedbackWords(f *store.Feedback) []uint64 {
	var t terms
	for _, text := range []string{f.Comment, f.When, f.Correction} {
		addWords(&t, []byte(text), false)
	}
	return t.list
}
