package match

import (
	"unicode"

	"github.com/kljensen/snowball/french"
	"github.com/kljensen/snowball/hungarian"
	"github.com/kljensen/snowball/norwegian"
	"github.com/kljensen/snowball/russian"
	"github.com/kljensen/snowball/spanish"
	"github.com/kljensen/snowball/swedish"
)

// language is a coarse guess, good enough to choose a stemmer and to count which
// kinds of text an app's statistics rest on.
type language uint8

const (
	langEnglish language = iota // also Latin text without any hint of another
	langFrench
	langGerman
	langSpanish
	langPortuguese
	langItalian
	langDutch
	langSwedish
	langNorwegian
	langHungarian
	langPolish
	langTurkish
	langRussian
	langCyrillic
	langHan
	langKana
	langHangul
	langArabic
	langThai
	langOther
	languages
)

// function words that tell the languages of Latin script apart, folded as in text.
var stopWords = [...]struct {
	lang  language
	words string
}{
	{langEnglish, "the is my i to of what how can you do for a in and it this on are with me does have be please why would an that from not your was when where did if about need want tell"},
	{langFrench, "le la les des est je que une un pour dans pas mon ma mes vous et du sur avec comment quel quelle puis ce cette ne qui au est"},
	{langGerman, "der die das ist ich und nicht ein eine wie kann mein meine zu den mit fur auf von was wo warum bitte habe wird dem es sie bei mir"},
	{langSpanish, "el la los las es que una un para con por mi como puedo de no se del cual donde esta y en mis hay quiero cuando tengo"},
	{langPortuguese, "o os as que uma um para com por meu minha como posso de nao se do da qual onde em voce eu no na quero quando tenho"},
	{langItalian, "il lo gli che una un per con mio mia come posso di non si del della quale dove e in sono vorrei quando ho la"},
	{langDutch, "de het een is ik en niet hoe kan mijn voor met op van wat waar waarom naar ik heb er zijn dat je"},
	{langSwedish, "och att det som en pa ar av for med jag inte hur kan min mitt var vad har om ett till den"},
	{langNorwegian, "og at det som en pa er av for med jeg ikke hvordan kan min mitt hvor hva har om et til den"},
	{langHungarian, "a az es hogy nem egy van mi meg el kell ki ez mit hogyan tudom miert hol lehet"},
	{langPolish, "i w nie na jest sie z do to jak moge moja moj czy co gdzie dlaczego od po prosze"},
	{langTurkish, "ve bir bu ne icin nasil ile mi mu da de benim neden nerede cok var yok"},
}

// stopLanguages maps a function word's hash to the languages that have it.
var stopLanguages = func() map[uint64]uint16 {
	m := map[uint64]uint16{}
	for _, l := range stopWords {
		h := uint64(hashSeed)
		for _, r := range l.words + " " {
			if r != ' ' {
				h = hashRune(h, r)
				continue
			}
			m[h] |= 1 << l.lang
			h = hashSeed
		}
	}
	return m
}()

// guess names the language of a text by its script and function words. Ties and
// Latin text without any function word count as English.
func guess(tokens []token, runes []rune) language {
	var score [16]int
	var latin, other int
	script := langOther
	for i := range tokens {
		t := &tokens[i]
		r := runes[t.start]
		if r < 0x250 {
			latin += int(t.end - t.start)
			for set := stopLanguages[t.hash]; set != 0; set &= set - 1 {
				score[trailingZeros(set)]++
			}
			continue
		}
		other += 2 * int(t.end-t.start)
		if l := scriptOf(r); script == langOther || l == langKana {
			script = l
		}
	}
	if other > latin {
		if script == langRussian && notRussian(runes) {
			return langCyrillic
		}
		return script
	}
	best := langEnglish
	for l := range languages {
		if l <= langTurkish && score[l] > score[best] {
			best = l
		}
	}
	return best
}

func trailingZeros(x uint16) int {
	n := 0
	for ; x&1 == 0; x >>= 1 {
		n++
	}
	return n
}

func scriptOf(r rune) language {
	switch {
	case 0x3040 <= r && r <= 0x30ff:
		return langKana
	case unicode.Is(unicode.Han, r):
		return langHan
	case unicode.Is(unicode.Cyrillic, r):
		return langRussian
	case unicode.Is(unicode.Hangul, r):
		return langHangul
	case unicode.Is(unicode.Arabic, r):
		return langArabic
	case isDense(r):
		return langThai
	}
	return langOther
}

// notRussian looks for letters that other Cyrillic languages have.
func notRussian(runes []rune) bool {
	for _, r := range runes {
		switch r {
		case 'і', 'ї', 'є', 'ґ', 'ў', 'ј', 'љ', 'њ', 'ћ', 'ђ', 'ќ', 'ѓ', 'ѕ', 'ә', 'ғ', 'қ', 'ң', 'ө', 'ұ', 'ү', 'һ':
			return true
		}
	}
	return false
}

// stemCache remembers the word feature of recent tokens, since stemming costs
// time and, in languages other than English, allocates. Direct-mapped: a collision only costs another stemming.
type stemCache []struct {
	token uint64
	key   uint32
}

// stemCacheSize holds the words of some hundred requests, at 16 bytes each.
const stemCacheSize = 1 << 13

// stem returns the word feature of a token, by the stemmer of the text's language
// where there is one, and the token itself elsewhere.
func (s *scratch) stem(t *token) uint32 {
	lang := s.lang
	if !stems(lang) {
		return finish(hashRunes(s.runes[t.start:t.end]), spaceWord)
	}
	if s.stems == nil {
		s.stems = make(stemCache, stemCacheSize)
	}
	id := t.hash*31 + uint64(lang) + 1
	slot := &s.stems[(id^id>>32)%stemCacheSize]
	if slot.token == id {
		return slot.key
	}
	h := uint64(0)
	switch run := s.runes[t.start:t.end]; {
	case len(run) > maxStemRunes:
		h = hashRunes(run)
	case lang == langEnglish:
		h = hashRunes(s.stemmer.english(run))
	default:
		h = hashSeed
		for _, r := range stemIn(lang, string(run)) {
			h = hashRune(h, r)
		}
	}
	slot.token, slot.key = id, finish(h, spaceWord)
	return slot.key
}

// maxStemRunes: what is longer is no word, and stemmers are quadratic at worst.
const maxStemRunes = 40

func hashRunes(run []rune) uint64 {
	h := uint64(hashSeed)
	for _, r := range run {
		h = hashRune(h, r)
	}
	return h
}

func stems(l language) bool {
	switch l {
	case langEnglish, langFrench, langSpanish, langSwedish, langNorwegian, langHungarian, langRussian:
		return true
	}
	return false
}

func stemIn(l language, word string) string {
	switch l {
	case langFrench:
		return french.Stem(word, true)
	case langSpanish:
		return spanish.Stem(word, true)
	case langSwedish:
		return swedish.Stem(word, true)
	case langNorwegian:
		return norwegian.Stem(word, true)
	case langHungarian:
		return hungarian.Stem(word, true)
	case langRussian:
		return russian.Stem(word, true)
	}
	return word
}
