package check

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SameAction is how alike two actions are, in [0, 1]: the Dice coefficient of
// their stemmed content words, with verbs that mean "mention" as one and common
// synonyms joined. It is 0 unless negation, numbers and quoted texts agree.
func SameAction(a, b string) float64 {
	x, y := gist(a), gist(b)
	if x.negative != y.negative || !maps.Equal(x.numbers, y.numbers) || !slices.Equal(x.quotes, y.quotes) {
		return 0
	}
	if len(x.words) == 0 && len(y.words) == 0 {
		if len(x.quotes)+len(x.numbers) > 0 || flat(a) == flat(b) {
			return 1
		}
		return 0
	}
	return x.dice(y)
}

// meaning is what SameAction and Conflict compare of an action.
type meaning struct {
	words    map[string]bool // stemmed content words
	numbers  map[string]bool
	quotes   []string // flattened, sorted
	negative bool
}

// dice is 2·|both| / (|x| + |y|) over the content words.
func (m meaning) dice(o meaning) float64 {
	if len(m.words)+len(o.words) == 0 {
		return 0
	}
	both := 0
	for w := range m.words {
		if o.words[w] {
			both++
		}
	}
	return 2 * float64(both) / float64(len(m.words)+len(o.words))
}

func gist(action string) meaning {
	action = clip(action, 4<<10)
	m := meaning{words: map[string]bool{}, numbers: map[string]bool{}}
	for _, q := range quotes(action) {
		m.quotes = append(m.quotes, bare(q))
	}
	slices.Sort(m.quotes)
	text := strings.ToLower(strings.ReplaceAll(quotation.ReplaceAllString(action, " "), "’", "'"))
	for range negatives.FindAllString(text, -1) {
		m.negative = !m.negative
	}
	text = negatives.ReplaceAllString(text, " ")
	for _, w := range tokens(text) {
		if w[0] >= '0' && w[0] <= '9' {
			m.numbers[w] = true
			continue
		}
		if n, ok := numberWords[w]; ok && n > 1 {
			m.numbers[strconv.Itoa(n)] = true
			continue
		}
		if functionWords[w] || fillers[w] || generic[w] {
			continue
		}
		if s := synonyms[w]; s != "" {
			w = s
		}
		m.words[stem(w)] = true
	}
	return m
}

var (
	// "never fail to mention" and "do not forget to" are no prohibitions: two hits cancel.
	negatives = regexp.MustCompile(`\b(never|not|don'?t|doesn'?t|shouldn'?t|mustn'?t|can'?t|cannot|no|none|without|avoid|avoiding|omit|omitting|leave out|leaving out|skip|refrain from|stop|forget|forgetting|fail|failing|nie|niemals|nicht|kein|keine|keinen|jamais|nunca|ne|pas|sin|sans|ohne)\b`)
	fillers   = set("always please also when answer answers answering response responses reply replies customer customers user users people them they it you i we be is are should must will would can just only really very more that which there make sure ensure remember every each any all some next time from now so then as if do does did have has bitte immer toujours siempre")
	generic   = set("mention mentions mentioning mentioned include includes including included add adding state say saying tell telling name give giving provide list show write use using put point out note explain refer bring up erwähne erwähnen nenne nennen mentionnez mentionner menciona mencione mencionar incluye")
)

// synonyms joins words that people use for one wish.
var synonyms = map[string]string{
	"shorter": "short", "brief": "short", "briefer": "short", "concise": "short", "succinct": "short", "terse": "short", "briefly": "short", "concisely": "short", "brevity": "short",
	"longer": "long", "detailed": "long", "elaborate": "long", "thorough": "long", "lengthy": "long", "detail": "long", "details": "long",
	"polite": "polite", "politely": "polite", "courteous": "polite", "friendly": "friendly", "friendlier": "friendly", "warmer": "friendly",
	"casual": "informal", "informally": "informal", "formally": "formal", "bulleted": "bullet", "bullets": "bullet", "simpler": "simple", "simply": "simple", "plain": "simple",
	"url": "link", "urls": "link", "hyperlink": "link", "start": "begin", "open": "begin", "finish": "end", "close": "end", "conclude": "end",
	"telephone": "phone", "emojis": "emoji", "emoticons": "emoji", "smileys": "emoji", "costs": "price", "cost": "price", "prices": "price",
}
