package simulate

import (
	_ "embed"
	"math"
	"strings"
	"sync"
)

// knowledge.txt holds, for each topic, "# id | words that name it",
// "fact:" phrases of which a right answer holds at least one, "a:" wordings
// of the answer and "q:" questions that people ask. The topic "*" holds the
// general answers ("a:", "fact:"), the wrong ones ("wrong:") and unrelated
// questions.
//
//go:embed knowledge.txt
var knowledgeText string

// topic is one thing that the shop is asked about.
type topic struct {
	id        string
	about     string // as people name it: "returns"
	facts     []string
	answers   []string
	questions []string
	keywords  map[string]bool
	words     map[string]bool
}

// knowledge is all that the model knows. It is never changed once read.
type knowledge struct {
	topics  []*topic
	general []string // answers to questions on no topic
	advice  []string // facts of these
	wrong   []string
	chat    []string // questions on no topic
	asked   map[string]*topic
	idf     map[string]float64
	rare    float64 // weight of a word never seen
}

// shopKnowledge is read once, at first use.
var shopKnowledge = sync.OnceValue(func() *knowledge { return readKnowledge(knowledgeText) })

func readKnowledge(text string) *knowledge {
	k := &knowledge{asked: map[string]*topic{}}
	var t *topic
	for _, line := range strings.Split(text, "\n") {
		key, value, _ := strings.Cut(line, " ")
		value = strings.TrimSpace(value)
		switch key {
		case "#":
			t = newTopic(value)
			if t.id != "*" {
				k.topics = append(k.topics, t)
			}
		case "fact:":
			t.facts = append(t.facts, strings.ToLower(value))
			if t.id == "*" {
				k.advice = t.facts
			}
		case "a:":
			t.answers = append(t.answers, value)
			if t.id == "*" {
				k.general = append(k.general, value)
			}
		case "wrong:":
			k.wrong = append(k.wrong, value)
		case "q:":
			t.questions = append(t.questions, value)
			if t.id == "*" {
				k.chat = append(k.chat, value)
				k.asked[normal(value)] = nil
			} else {
				k.asked[normal(value)] = t
			}
		}
	}
	k.weigh()
	return k
}

// newTopic reads "id | name | further words".
func newTopic(header string) *topic {
	parts := strings.SplitN(header+"||", "|", 3)
	t := &topic{id: strings.TrimSpace(parts[0]), about: strings.TrimSpace(parts[1]), keywords: map[string]bool{}, words: map[string]bool{}}
	for _, w := range contentWords(parts[1] + " " + strings.TrimRight(parts[2], "|")) {
		t.keywords[w] = true
	}
	return t
}

// weigh counts in how many topics a word occurs.
func (k *knowledge) weigh() {
	count := map[string]int{}
	for _, t := range k.topics {
		for w := range t.keywords {
			t.words[w] = true
		}
		for _, q := range t.questions {
			for _, w := range contentWords(q) {
				t.words[w] = true
			}
		}
		for w := range t.words {
			count[w]++
		}
	}
	k.idf = map[string]float64{}
	n := float64(len(k.topics))
	for w, c := range count {
		k.idf[w] = math.Log(1 + n/float64(c))
	}
	k.rare = math.Log(1 + n)
}

// topicShare is the least part of a question's weight that a topic's words
// must make up for the model to recognise it.
const topicShare = 0.45

// topicOf recognises a question's topic, or returns nil.
func (k *knowledge) topicOf(question string) *topic {
	if t, ok := k.asked[normal(question)]; ok {
		return t
	}
	words := contentWords(question)
	var best *topic
	var most, total float64
	for _, w := range words {
		total += k.weight(w)
	}
	for _, t := range k.topics {
		var sum float64
		for _, w := range words {
			switch {
			case t.keywords[w]:
				sum += 1.5 * k.weight(w)
			case t.words[w]:
				sum += 0.6 * k.weight(w)
			}
		}
		if sum > most {
			best, most = t, sum
		}
	}
	if total == 0 || most/total < topicShare {
		return nil
	}
	return best
}

func (k *knowledge) weight(w string) float64 {
	if x, ok := k.idf[w]; ok {
		return x
	}
	return k.rare
}

func (k *knowledge) rightAnswer(t *topic, h uint64) string {
	if t == nil {
		return pick(k.general, h)
	}
	return pick(t.answers, h)
}

// wrongAnswer gives up.
func (k *knowledge) wrongAnswer(h uint64) string { return pick(k.wrong, h) }

func pick(list []string, h uint64) string { return list[h%uint64(len(list))] }

// normal is a text without what people vary when they repeat it.
func normal(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), notWord), " ")
}

func notWord(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127)
}

// contentWords are the words that carry a text's topic, roughly stemmed.
func contentWords(text string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(text, "'", "")), notWord) {
		if !functionWords[w] {
			out = append(out, stem(w))
		}
	}
	return out
}

// stem takes off the commonest English endings.
func stem(w string) string {
	for _, end := range []string{"ations", "ation", "ings", "ing", "ments", "ment", "ies", "ied", "es", "ed", "s", "e", "y"} {
		if strings.HasSuffix(w, end) && len(w)-len(end) >= 3 {
			return w[:len(w)-len(end)]
		}
	}
	return w
}

// functionWords say nothing about the topic; among them are the words with
// which people put a condition ("when somebody asks a question about").
var functionWords = wordSet(`a an the i you he she it we they me him her us them my your his its our their mine yours this that these those
is are was were be been being am do does did done doing have has had having will would shall should can could may might must to of in on at by for
from with about into over after before under out up down off and or but if then than so as not no nor too very just also there here when where why how
what which who whom whose all any both each few more most other some such only own same again once please thanks thank hi hello hey im ive id dont
doesnt didnt cant wont isnt arent its lets ask asks asked asking question questions customer customers user users someone somebody anyone people
person talk talking talks concern concerns concerning regarding related relate topic want wants wanted know tell say says need needs like get got
gets whether still yet now really ever always never every whenever shop answer answers query queries request requests mention mentions`)

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}
