package match

import (
	"os"
	"strings"
	"testing"

	"github.com/kljensen/snowball/english"
)

// TestStemmer_English_AsSnowball compares with the library's stemmer over the
// words of the background grammar, with the endings that English has, alone and
// in pairs.
func TestStemmer_English_AsSnowball(t *testing.T) {
	text, err := os.ReadFile("testdata/background.txt")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for w := range irregular {
		words[w] = true
	}
	for w := range strings.FieldsFuncSeq(strings.ToLower(string(text)), func(r rune) bool { return r < 'a' || r > 'z' }) {
		words[w] = true
	}
	for _, w := range strings.Fields("yy y say youth boyish gener generate communal arsenic bbed ed ing eed fee feed apply tie skiing lll rolled fall über straße naïve") {
		words[w] = true
	}
	endings := strings.Fields("s es ed ied ies ing eed eedly edly ingly ational fulness iveness ization ousness biliti lessli tional alism aliti " +
		"ation entli fulli iviti ousli anci abli alli ator enci izer bli ogi logi li ly y alize icate ative iciti ical ful ness ement ance ence able " +
		"ible ment ent ant ism ate iti ous ive ize ion sion al er ic e ll ss us")
	var s stemmer
	n := 0
	check := func(w string) {
		if got, want := string(s.english([]rune(w))), english.Stem(w, true); got != want {
			t.Errorf("stem of %q = %q, want %q", w, got, want)
		}
		n++
	}
	for w := range words {
		check(w)
		for _, a := range endings {
			check(w + a)
			if len(w)%3 == 0 {
				for _, b := range endings {
					check(w + a + b)
				}
			}
		}
	}
	if n < 100_000 {
		t.Errorf("compared %d words only", n)
	}
}
