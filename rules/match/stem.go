package match

// stemmer is a word on its way to its English stem: Porter's second algorithm
// (snowballstem.org/algorithms/english/stemmer.html) on runes in place, since a
// request must not allocate however many new words it has. It takes folded words,
// so without apostrophes. Its zero value is ready; it is reused.
type stemmer struct {
	w      []rune
	r1, r2 int // where the regions after the first and the second syllable start
}

// english returns the stem of a word; it is valid until the next call.
func (s *stemmer) english(word []rune) []rune {
	s.w = append(s.w[:0], word...)
	if len(word) <= 2 {
		return s.w
	}
	if len(word) <= maxIrregular { // so short a string does not allocate
		if stem, ok := irregular[string(word)]; ok {
			s.swap(len(s.w), stem)
			return s.w
		}
	}
	for i, r := range s.w {
		if r == 'y' && (i == 0 || vowel(s.w[i-1])) {
			s.w[i] = 'Y' // a consonant
		}
	}
	s.regions()
	s.plural()
	s.participle()
	if n := len(s.w); n > 2 && (s.w[n-1] == 'y' || s.w[n-1] == 'Y') && !vowel(s.w[n-2]) {
		s.w[n-1] = 'i'
	}
	s.replace(doubleSuffixes)
	s.replace(derivedSuffixes)
	s.lastSuffix()
	s.final()
	for i, r := range s.w {
		if r == 'Y' {
			s.w[i] = 'y'
		}
	}
	return s.w
}

func vowel(r rune) bool {
	switch r {
	case 'a', 'e', 'i', 'o', 'u', 'y':
		return true
	}
	return false
}

// ends reports whether the word ends in suffix, which is ASCII.
func (s *stemmer) ends(suffix string) bool {
	at := len(s.w) - len(suffix)
	if at < 0 {
		return false
	}
	for i := range len(suffix) {
		if s.w[at+i] != rune(suffix[i]) {
			return false
		}
	}
	return true
}

// swap replaces the last n runes.
func (s *stemmer) swap(n int, by string) {
	s.w = s.w[:len(s.w)-n]
	for i := range len(by) {
		s.w = append(s.w, rune(by[i]))
	}
	s.r1, s.r2 = min(s.r1, len(s.w)), min(s.r2, len(s.w))
}

func (s *stemmer) regions() {
	s.r1 = s.syllable(0)
	for _, prefix := range [...]string{"gener", "commun", "arsen"} {
		if len(s.w) >= len(prefix) && string(s.w[:len(prefix)]) == prefix {
			s.r1 = len(prefix)
		}
	}
	s.r2 = s.syllable(s.r1)
}

// syllable returns where the region behind the first consonant after a vowel starts.
func (s *stemmer) syllable(from int) int {
	for i := from + 1; i < len(s.w); i++ {
		if vowel(s.w[i-1]) && !vowel(s.w[i]) {
			return i + 1
		}
	}
	return len(s.w)
}

// plural is step 1a.
func (s *stemmer) plural() {
	switch {
	case s.ends("sses"):
		s.swap(2, "")
	case s.ends("ied"), s.ends("ies"):
		if len(s.w) > 4 {
			s.swap(2, "")
		} else {
			s.swap(1, "")
		}
	case s.ends("us"), s.ends("ss"):
	case s.ends("s") && s.hasVowel(len(s.w)-2):
		s.swap(1, "")
	}
}

func (s *stemmer) hasVowel(before int) bool {
	for _, r := range s.w[:max(before, 0)] {
		if vowel(r) {
			return true
		}
	}
	return false
}

// participle is step 1b.
func (s *stemmer) participle() {
	n := 0
	for _, suffix := range [...]string{"eedly", "ingly", "edly", "ing", "eed", "ed"} {
		if s.ends(suffix) {
			if suffix[:2] == "ee" {
				if len(suffix) <= len(s.w)-s.r1 {
					s.swap(len(suffix), "ee")
				}
				return
			}
			n = len(suffix)
			break
		}
	}
	if n == 0 || !s.hasVowel(len(s.w)-n) {
		return
	}
	r1, r2 := s.r1, s.r2
	s.swap(n, "")
	k := len(s.w)
	switch {
	case s.ends("at"), s.ends("bl"), s.ends("iz"):
		s.w = append(s.w, 'e')
	case k >= 2 && s.w[k-1] == s.w[k-2] && isDouble(s.w[k-1]):
		s.w = s.w[:k-1]
	case s.r1 >= k && s.short(k):
		s.w = append(s.w, 'e')
		s.r1, s.r2 = len(s.w), len(s.w)
		return
	}
	s.r1, s.r2 = min(r1, len(s.w)), min(r2, len(s.w))
}

func isDouble(r rune) bool {
	switch r {
	case 'b', 'd', 'f', 'g', 'm', 'n', 'p', 'r', 't':
		return true
	}
	return false
}

// short reports whether the first n runes end in a short syllable.
func (s *stemmer) short(n int) bool {
	switch {
	case n == 2:
		return vowel(s.w[0]) && !vowel(s.w[1])
	case n > 2:
		last := s.w[n-1]
		return !vowel(last) && last != 'w' && last != 'x' && last != 'Y' && vowel(s.w[n-2]) && !vowel(s.w[n-3])
	}
	return false
}

// suffixRule replaces a suffix in R1.
type suffixRule struct{ suffix, by string }

// Steps 2 and 3; the longest suffix of a word decides.
var (
	doubleSuffixes = []suffixRule{{"ational", "ate"}, {"fulness", "ful"}, {"iveness", "ive"}, {"ization", "ize"}, {"ousness", "ous"},
		{"biliti", "ble"}, {"lessli", "less"}, {"tional", "tion"}, {"alism", "al"}, {"aliti", "al"}, {"ation", "ate"}, {"entli", "ent"},
		{"fulli", "ful"}, {"iviti", "ive"}, {"ousli", "ous"}, {"anci", "ance"}, {"abli", "able"}, {"alli", "al"}, {"ator", "ate"},
		{"enci", "ence"}, {"izer", "ize"}, {"bli", "ble"}, {"ogi", "og"}, {"li", ""}}
	derivedSuffixes = []suffixRule{{"ational", "ate"}, {"tional", "tion"}, {"alize", "al"}, {"icate", "ic"}, {"ative", ""},
		{"iciti", "ic"}, {"ical", "ic"}, {"ful", ""}, {"ness", ""}}
)

func (s *stemmer) replace(rules []suffixRule) {
	for i := range rules {
		r := &rules[i]
		if !s.ends(r.suffix) {
			continue
		}
		n := len(r.suffix)
		if n <= len(s.w)-s.r1 && s.allowed(r.suffix) {
			s.swap(n, r.by)
		}
		return
	}
}

// allowed holds the conditions of single suffixes of steps 2 and 3.
func (s *stemmer) allowed(suffix string) bool {
	before := rune(0)
	if at := len(s.w) - len(suffix) - 1; at >= 0 {
		before = s.w[at]
	}
	switch suffix {
	case "li":
		switch before {
		case 'c', 'd', 'e', 'g', 'h', 'k', 'm', 'n', 'r', 't':
			return true
		}
		return false
	case "ogi":
		return before == 'l'
	case "ative":
		return len(s.w)-s.r2 >= len(suffix)
	}
	return true
}

// lastSuffix is step 4.
func (s *stemmer) lastSuffix() {
	for _, suffix := range [...]string{"ement", "ance", "ence", "able", "ible", "ment", "ent", "ant", "ism", "ate", "iti", "ous", "ive",
		"ize", "ion", "al", "er", "ic"} {
		if !s.ends(suffix) {
			continue
		}
		n := len(suffix)
		if n > len(s.w)-s.r2 {
			return
		}
		if at := len(s.w) - n - 1; suffix == "ion" && (at < 0 || s.w[at] != 's' && s.w[at] != 't') {
			return
		}
		s.swap(n, "")
		return
	}
}

// final is step 5.
func (s *stemmer) final() {
	last := len(s.w) - 1
	switch {
	case s.r1 > last:
	case s.w[last] == 'e':
		if s.r2 <= last || !s.short(last) {
			s.swap(1, "")
		}
	case s.r2 <= last && s.w[last] == 'l' && s.w[last-1] == 'l':
		s.swap(1, "")
	}
}

// irregular words and their stems; the longest has maxIrregular letters.
const maxIrregular = 10

var irregular = map[string]string{"skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "idly": "idl",
	"gently": "gentl", "ugly": "ugli", "early": "earli", "only": "onli", "singly": "singl", "sky": "sky", "news": "news", "howe": "howe",
	"atlas": "atlas", "cosmos": "cosmos", "bias": "bias", "andes": "andes", "inning": "inning", "innings": "inning", "outing": "outing",
	"outings": "outing", "canning": "canning", "cannings": "canning", "herring": "herring", "herrings": "herring", "earring": "earring",
	"earrings": "earring", "proceed": "proceed", "proceeds": "proceed", "proceeded": "proceed", "proceeding": "proceed", "exceed": "exceed",
	"exceeds": "exceed", "exceeded": "exceed", "exceeding": "exceed", "succeed": "succeed", "succeeds": "succeed", "succeeded": "succeed",
	"succeeding": "succeed"}
