package match

import (
	"math"
	"unicode"
	"unicode/utf8"
)

// maxTextBytes is how much of a text is looked at: longer ones are not requests
// but material, and the cost of a request must not depend on their length.
const maxTextBytes = 1500

// Long texts keep the words of highest idf only; the limits cost at most .003 F1
// and halve the time (reference study, section 4.3).
const (
	maxWords = 32
	maxGrams = 96
)

// space is one of the feature spaces of a text.
type space uint8

const (
	spaceWord   space = iota // stems, or the pieces of a script without spaces
	spaceBigram              // neighbouring stems
	spaceGram                // pieces of 3, 4 and 5 characters inside a token
	spaces
)

// weight of each space's normalised block in a text's vector (reference study,
// section 5).
var spaceWeight = [spaces]float32{1, 0.4, 0.8}

// feature is one distinct feature of a text.
type feature struct {
	key   uint32 // hash, which includes the space
	space space
	tf    uint16
	word  uint16 // for a gram: which distinct word it came from first
	idf   float32
	slot  int32 // in an index's or table's features; -1 where unknown
}

const (
	hashSeed  = 0xcbf29ce484222325
	hashPrime = 0x100000001b3
)

func hashByte(h uint64, b byte) uint64 { return (h ^ uint64(b)) * hashPrime }

func hashRune(h uint64, r rune) uint64 { return (h ^ uint64(r)) * hashPrime }

func hashString(h uint64, s string) uint64 {
	for i := range len(s) {
		h = hashByte(h, s[i])
	}
	return h
}

// finish folds a running hash to a feature key of a space; the mixer is
// MurmurHash3's 64-bit finaliser.
func finish(h uint64, s space) uint32 {
	h ^= uint64(s+1) << 56
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return uint32(h ^ h>>33)
}

// token is a run of letters and digits of one kind of script.
type token struct {
	start, end int32  // in scratch.runes
	dense      bool   // a script written without spaces
	word       uint16 // its place among the distinct words, once known
	hash       uint64
}

// scratch is what turning a text into features needs; it is reused.
type scratch struct {
	runes   []rune // folded runes of all tokens
	tokens  []token
	lang    language
	feats   []feature
	table   []int32 // open addressing over feats, counted from 1; 0 is empty
	words   int     // distinct word features
	grams   int     // distinct gram features
	stems   stemCache
	stemmer stemmer
	keep    []float32
	kept    []bool          // of a long text: which words stay; empty means all
	block   [spaces]float32 // what makes each space's block a unit of its weight
}

// features fills s.feats with all distinct features of text, words first, then
// bigrams, then grams.
func (s *scratch) features(text string) {
	s.tokenize(text)
	s.addWords()
	s.kept = s.kept[:0]
	s.addPieces()
}

// tokenize splits text into folded tokens: case and Latin accents are folded,
// apostrophes deleted, everything but letters, marks and digits separates.
func (s *scratch) tokenize(text string) {
	s.runes, s.tokens = s.runes[:0], s.tokens[:0]
	text = cut(text, maxTextBytes)
	start, dense, open := 0, false, false
	closeToken := func() {
		if open {
			s.tokens = append(s.tokens, token{start: int32(start), end: int32(len(s.runes)), dense: dense})
		}
		open = false
	}
	for _, r := range text {
		var ok, d bool
		if r < utf8.RuneSelf {
			r, ok = asciiFold(r)
			if r == '\'' {
				continue
			}
		} else {
			r, ok, d = fold(r)
			if r == 0 {
				continue
			}
		}
		if !ok {
			closeToken()
			continue
		}
		if open && d != dense {
			closeToken()
		}
		if !open {
			start, dense, open = len(s.runes), d, true
		}
		s.runes = append(s.runes, r)
	}
	closeToken()
	s.hashTokens()
}

func (s *scratch) hashTokens() {
	for i := range s.tokens {
		t := &s.tokens[i]
		h := uint64(hashSeed)
		for _, r := range s.runes[t.start:t.end] {
			h = hashRune(h, r)
		}
		t.hash = h
	}
	s.lang = guess(s.tokens, s.runes)
}

func asciiFold(r rune) (rune, bool) {
	switch {
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		return r, true
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A', true
	}
	return r, false
}

// fold returns the folded rune, whether it belongs to a token, and whether its
// script is written without spaces. A zero rune is to be left out.
func fold(r rune) (_ rune, ok, dense bool) {
	switch {
	case r == '’' || r == 'ʼ' || r == '\u00ad' || r == '\u200b' || r == '\u200c' || r == '\u200d':
		return 0, false, false // apostrophes, soft hyphen, zero-width marks
	case 0x300 <= r && r <= 0x36f:
		return 0, false, false // combining accents: folded like the composed letters
	case 0xff01 <= r && r <= 0xff5e: // full-width ASCII
		r, ok = asciiFold(r - 0xff01 + '!')
		return r, ok, false
	case 0xc0 <= r && r <= 0x17f:
		if base := latinBase[r-0xc0]; base != 0 {
			return base, true, false
		}
	}
	if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
		return r, false, false
	}
	return unicode.ToLower(r), true, isDense(r)
}

// isDense reports scripts that are written without spaces between words.
func isDense(r rune) bool {
	switch {
	case r < 0x0e00:
		return false
	case r <= 0x0eff, // Thai, Lao
		0x1000 <= r && r <= 0x109f, // Myanmar
		0x1780 <= r && r <= 0x17ff, // Khmer
		0x3040 <= r && r <= 0x30ff, // Hiragana, Katakana
		0x3400 <= r && r <= 0x4dbf, 0x4e00 <= r && r <= 0x9fff, 0xf900 <= r && r <= 0xfaff,
		0x20000 <= r && r <= 0x3ffff: // Han
		return true
	}
	return false
}

// addWords starts s.feats with the distinct words.
func (s *scratch) addWords() {
	s.feats = s.feats[:0]
	s.reset()
	for i := range s.tokens {
		t := &s.tokens[i]
		if t.dense {
			s.denseWords(t)
			continue
		}
		h := s.stem(t)
		s.add(h, spaceWord, 0)
		t.hash = uint64(h)
	}
	s.words = len(s.feats)
}

// addPieces adds the bigrams and grams of the tokens; where s.kept is not empty,
// those of kept words alone.
func (s *scratch) addPieces() {
	last, lastKept := uint64(finish(hashByte(hashSeed, '^'), spaceWord)), true
	for i := range s.tokens {
		t := &s.tokens[i]
		kept := true
		if !t.dense {
			t.word = s.find(uint32(t.hash))
			kept = len(s.kept) == 0 || s.kept[t.word]
		}
		if !t.dense && (kept || lastKept) {
			s.add(finish((last<<32|t.hash&math.MaxUint32)*hashPrime, spaceBigram), spaceBigram, 0)
		}
		lastKept = kept
		last = t.hash & math.MaxUint32
	}
	first := len(s.feats)
	for i := range s.tokens {
		t := &s.tokens[i]
		if t.dense {
			s.denseGrams(t)
			continue
		}
		s.tokenGrams(t)
	}
	s.grams = len(s.feats) - first
}

// denseWords adds the overlapping pairs of a run without spaces as its words: the
// usual segmentation where no dictionary is at hand.
func (s *scratch) denseWords(t *token) {
	run := s.runes[t.start:t.end]
	if len(run) == 1 {
		s.add(finish(hashRune(hashSeed, run[0]), spaceWord), spaceWord, 0)
		return
	}
	for i := range len(run) - 1 {
		s.add(finish(hashRune(hashRune(hashSeed, run[i]), run[i+1]), spaceWord), spaceWord, 0)
	}
}

// denseGrams adds single characters and triples; pairs are words already.
func (s *scratch) denseGrams(t *token) {
	run := s.runes[t.start:t.end]
	for i, r := range run {
		h := hashRune(hashSeed, r)
		word := s.find(finish(h, spaceWord))
		if i+1 < len(run) {
			word = s.find(finish(hashRune(h, run[i+1]), spaceWord))
		}
		if len(s.kept) > 0 && !s.kept[word] {
			continue
		}
		s.add(finish(h, spaceGram), spaceGram, word)
		if i+2 < len(run) {
			s.add(finish(hashRune(hashRune(h, run[i+1]), run[i+2]), spaceGram), spaceGram, word)
		}
	}
}

// tokenGrams adds the 3, 4 and 5 character pieces of the token with a space on
// both sides.
func (s *scratch) tokenGrams(t *token) {
	run := s.runes[t.start:t.end]
	n := len(run) + 2
	word := t.word
	if len(s.kept) > 0 && !s.kept[word] {
		return
	}
	at := func(i int) rune {
		if i == 0 || i == n-1 {
			return ' '
		}
		return run[i-1]
	}
	for i := 0; i+3 <= n; i++ {
		h := hashRune(hashRune(hashRune(hashSeed, at(i)), at(i+1)), at(i+2))
		s.add(finish(h, spaceGram), spaceGram, word)
		if i+4 <= n {
			h = hashRune(h, at(i+3))
			s.add(finish(h, spaceGram), spaceGram, word)
		}
		if i+5 <= n {
			h = hashRune(h, at(i+4))
			s.add(finish(h, spaceGram), spaceGram, word)
		}
	}
}

func (s *scratch) reset() {
	if s.table == nil {
		s.table = make([]int32, 1<<9)
	}
	clear(s.table)
}

// add counts one occurrence of a feature.
func (s *scratch) add(key uint32, sp space, word uint16) {
	mask := uint32(len(s.table) - 1)
	i := key & mask
	for s.table[i] > 0 {
		f := &s.feats[s.table[i]-1]
		if f.key == key && f.space == sp {
			f.tf++
			return
		}
		i = (i + 1) & mask
	}
	s.table[i] = int32(len(s.feats)) + 1
	s.feats = append(s.feats, feature{key: key, space: sp, tf: 1, word: word, slot: -1})
	if len(s.feats)*2 > len(s.table) {
		s.grow()
	}
}

// find returns the position of a word feature, which is below maxTextBytes.
func (s *scratch) find(key uint32) uint16 {
	mask := uint32(len(s.table) - 1)
	for i := key & mask; s.table[i] > 0; i = (i + 1) & mask {
		if f := &s.feats[s.table[i]-1]; f.key == key && f.space == spaceWord {
			return uint16(s.table[i] - 1)
		}
	}
	return 0
}

func (s *scratch) grow() {
	s.table = make([]int32, 2*len(s.table))
	mask := uint32(len(s.table) - 1)
	for j := range s.feats {
		i := s.feats[j].key & mask
		for s.table[i] > 0 {
			i = (i + 1) & mask
		}
		s.table[i] = int32(j) + 1
	}
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// latinBase maps the letters from U+00C0 to U+017F to their base letter, so that
// a request typed without accents meets its rule. Zero: not a letter, or its own.
var latinBase = func() (m [0x180 - 0xc0]rune) {
	for _, g := range []string{
		"aÀÁÂÃÅàáâãåĀāĂăĄą", "aÄä", "cÇçĆćĈĉĊċČč", "dĎďĐđ", "eÈÉÊËèéêëĒēĔĕĖėĘęĚě", "gĜĝĞğĠġĢģ", "hĤĥĦħ",
		"iÌÍÎÏìíîïĨĩĪīĬĭĮįİı", "jĴĵ", "kĶķ", "lĹĺĻļĽľĿŀŁł", "nÑñŃńŅņŇň", "oÒÓÔÕÖØòóôõöøŌōŎŏŐő", "rŔŕŖŗŘř",
		"sŚśŜŝŞşŠš", "tŢţŤťŦŧ", "uÙÚÛÜùúûüŨũŪūŬŭŮůŰűŲų", "wŴŵ", "yÝýÿŶŷŸ", "zŹźŻżŽž",
	} {
		runes := []rune(g)
		for _, r := range runes[1:] {
			m[r-0xc0] = runes[0]
		}
	}
	return m
}()

// chooseWords marks the maxWords words of highest idf in s.kept; it stays empty
// where there are no more than that.
func (s *scratch) chooseWords() {
	s.kept = s.kept[:0]
	if s.words <= maxWords {
		return
	}
	floor, n := s.floor(s.feats[:s.words], maxWords), 0
	for i := range s.feats[:s.words] {
		keep := s.feats[i].idf >= floor && n < maxWords
		if keep {
			n++
		}
		s.kept = append(s.kept, keep)
	}
}

// prune drops the words that were not kept and, of a long text, all but the
// maxGrams grams of highest idf.
func (s *scratch) prune() {
	if len(s.kept) == 0 {
		return
	}
	first := len(s.feats) - s.grams
	floor, grams := float32(-1), 0
	if s.grams > maxGrams {
		floor = s.floor(s.feats[first:], maxGrams)
	}
	out := s.feats[:0]
	var moved [maxTextBytes]uint16
	for i, f := range s.feats {
		switch {
		case i < s.words && !s.kept[i]:
			continue
		case i < s.words:
			moved[i] = uint16(len(out))
		case i >= first:
			if f.idf < floor || grams == maxGrams {
				continue
			}
			f.word = moved[f.word]
			grams++
		}
		out = append(out, f)
	}
	s.feats, s.words, s.grams = out, maxWords, grams
}

// floor returns the n-th highest idf of feats, by Hoare's selection.
func (s *scratch) floor(feats []feature, n int) float32 {
	s.keep = s.keep[:0]
	for i := range feats {
		s.keep = append(s.keep, feats[i].idf)
	}
	k := len(s.keep) - n
	for lo, hi := 0, len(s.keep)-1; lo < hi; {
		pivot := s.keep[(lo+hi)/2]
		i, j := lo, hi
		for i <= j {
			for s.keep[i] < pivot {
				i++
			}
			for s.keep[j] > pivot {
				j--
			}
			if i <= j {
				s.keep[i], s.keep[j] = s.keep[j], s.keep[i]
				i++
				j--
			}
		}
		if k <= j {
			hi = j
		} else if k >= i {
			lo = i
		} else {
			break
		}
	}
	return s.keep[k]
}
