package learner

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kljensen/snowball/english"
)

// maxWordsText bounds what is split into words, in bytes.
const maxWordsText = 64 << 10

// words are the lower-case words of s, apostrophes kept inside.
func words(s string) []string {
	s = strings.ToLower(strings.ReplaceAll(cut(s, maxWordsText), "’", "'"))
	return strings.FieldsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && r != '\''
	})
}

// stemOf is the English stem of a Latin word; other words stay as they are.
func stemOf(word string) string {
	word = strings.Trim(strings.TrimSuffix(word, "'s"), "'")
	if utf8.RuneCountInString(word) < 4 || strings.IndexFunc(word, func(r rune) bool { return r > 0x24F }) >= 0 {
		return word
	}
	return english.Stem(word, false)
}

// contentWords are the words of s that carry meaning, in order, each once by its
// stem.
func contentWords(s string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range unspaced(words(s)) {
		w = strings.Trim(w, "'")
		if plainWords[w] || plainWords[strings.ReplaceAll(w, "'", "")] || utf8.RuneCountInString(w) < 2 && w < "\u0100" {
			continue
		}
		if st := stemOf(w); !seen[st] {
			seen[st] = true
			out = append(out, w)
		}
	}
	return out
}

// unspaced takes the hiragana out of words: in Japanese, which has no spaces, it is
// what stands around the words that carry meaning.
func unspaced(words []string) []string {
	out := make([]string, 0, len(words))
	for _, w := range words {
		if strings.IndexFunc(w, hiragana) < 0 {
			out = append(out, w)
			continue
		}
		out = append(out, strings.FieldsFunc(w, hiragana)...)
	}
	return out
}

func hiragana(r rune) bool { return unicode.Is(unicode.Hiragana, r) }

// stemSet is the set of stems of the content words of s.
func stemSet(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range contentWords(s) {
		out[stemOf(w)] = true
	}
	return out
}

// plainWords tell nothing about the topic of a request.
var plainWords = set(`a about after again all also am an and any anyone anything are around as ask asked at back be because been before being
but by came can cannot cant come could couldnt did didnt do does doesnt doing dont down each else ever every everything explain few find for from
further gave get gets getting give given go goes going gone got had has hasnt have havent having he hello help helped her here hers hey hi him his
how however i id if ill im in into is isnt it its ive just keep know known last let like little look looking lot made make makes many may maybe me mean might mine
more most much must my myself need needed needs never new next no none not nothing now of off okay ok on once one only or other others our ours out over own
please possible pretty put question questions quite really right said same say says see seem seems several shall she should show shows so some someone something
still such sure take tell tells than thank thanks that thats the their theirs them then there theres these they theyre thing things think this those though through to
today together told tomorrow too tried try trying two under understand until up upon us use used uses using very via want wanted wants was wasnt way we well went were werent what whats
when whenever where whether which while who whom whos whose why will with within without wont work working works would wouldnt yes yet you youre your yours yourself
der die das und ist nicht ein eine einen einem einer sie ihr ihre ich wir mit auf für zu den dem des von im auch kann können haben werden bitte oder wenn es sind mein meine wie was wo warum
le la les et est des une un vous votre nous pour dans que qui pas sur avec sont par ce cette au du de je il elle mon ma mes comment pourquoi
el los las y es una su para en con por del se como mi mis cómo qué dónde por
ما هي هو هل كيف في من على إلى أن عن كم متى أين هذا هذه لا لم`)

func set(text string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(text) {
		out[w] = true
	}
	return out
}

// Frequencies counts in how many distinct logged requests a stem stands. The
// zero value knows no traffic. It is not changed once it is shared.
type Frequencies struct {
	queries int
	stems   map[string]int
}

// Count makes Frequencies of logged requests; each distinct one counts once.
func Count(queries []string) Frequencies {
	f := Frequencies{stems: map[string]int{}}
	seen := make(map[string]bool, len(queries))
	for _, q := range queries {
		if q == "" || seen[q] {
			continue
		}
		seen[q] = true
		f.queries++
		for st := range stemSet(q) {
			f.stems[st]++
		}
	}
	return f
}

// idf is how much a stem tells about a topic, 0 for one in every request.
func (f Frequencies) idf(stem string) float64 {
	return math.Log((float64(f.queries) + 2) / (float64(f.stems[stem]) + 1))
}

// Limits of derived topic words.
const (
	topicWords   = 4  // at most
	longestHan   = 8  // ideographs of a word; more are a sentence, since Chinese has no spaces
	enoughLogged = 50 // requests from which on a word that stands in one only is taken for a name or a typo
	topicFrame   = "the request is about "
)

// Topic says in a few words what the requests are about, for a rule whose
// condition nobody worded: "the request is about refund, order". The words are
// those that tell most against the logged traffic and stand in most of the
// requests; words with digits are left out, because they belong to one case. It
// never quotes: at most four words, "" when there are none.
func Topic(queries []string, f Frequencies) string {
	type word struct {
		text   string
		weight float64
		order  int
	}
	found := map[string]*word{}
	for _, q := range queries {
		for _, w := range contentWords(q) {
			if n := utf8.RuneCountInString(w); strings.ContainsFunc(w, unicode.IsNumber) || n > 24 || n > longestHan && strings.ContainsFunc(w, han) {
				continue
			}
			st := stemOf(w)
			gain := f.idf(st)
			if f.queries >= enoughLogged && f.stems[st] < 2 {
				gain /= 4
			}
			if found[st] == nil {
				found[st] = &word{text: w, order: len(found)}
			}
			found[st].weight += gain
		}
	}
	var all []*word
	for _, w := range found {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *word) int {
		if a.weight != b.weight {
			if a.weight > b.weight {
				return -1
			}
			return 1
		}
		return a.order - b.order
	})
	all = all[:min(len(all), topicWords)]
	slices.SortFunc(all, func(a, b *word) int { return a.order - b.order })
	var out []string
	for _, w := range all {
		out = append(out, w.text)
	}
	if len(out) == 0 {
		return ""
	}
	return topicFrame + strings.Join(out, ", ")
}

func han(r rune) bool { return unicode.Is(unicode.Han, r) }

// derived reports whether the condition was made by Topic and not worded by a
// person.
func derived(when string) bool { return strings.HasPrefix(when, topicFrame) }

// quotes reports whether text repeats n or more words of source in a row.
func quotes(text, source string, n int) bool {
	t, s := words(text), words(source)
	for i := 0; i+n <= len(t); i++ {
		for j := 0; j+n <= len(s); j++ {
			if slices.Equal(t[i:i+n], s[j:j+n]) {
				return true
			}
		}
	}
	return false
}

// cut shortens s to at most n bytes at a character's boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// oneLine makes one line of s, at most n characters.
func oneLine(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return strings.TrimSpace(string(r[:n-1])) + "…"
	}
	return s
}
