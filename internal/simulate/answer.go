package simulate

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"regexp"
	"slices"
	"strings"
)

// reply is a finished answer, before it takes the shape of an API.
type reply struct {
	text         string
	tool         string // the tool called; then text holds its JSON arguments
	cut          bool   // the token limit was reached
	hash         uint64
	prompt, used int // tokens
}

// answer is the model: what it says to a conversation. variant tells several
// choices of one request apart.
func (m *Model) answer(c *conversation, variant int) reply {
	h := c.hash(m.opts.Seed + uint64(variant)*0x9e3779b97f4a7c15)
	r := reply{hash: h, prompt: tokens(c.promptWords())}
	question, _ := c.question()
	if t, ok := c.forced(); ok {
		r.tool = t.name
		r.text = fillSchema(t.schema, question, h)
		r.used = tokens(len(strings.Fields(r.text)))
		return r
	}
	r.text = m.say(c, h)
	if c.json {
		r.text = asJSON(c.schema, r.text, h)
	}
	r.text, r.cut = cutTokens(r.text, c.maxTokens)
	r.used = tokens(len(strings.Fields(r.text)))
	return r
}

// say finds the answer's substance and edits it to obey.
func (m *Model) say(c *conversation, h uint64) string {
	question, before := c.question()
	topic := m.know.topicOf(question)
	follows := len(contentWords(question)) <= 3 && (topic == nil || followUp.MatchString(question))
	if follows && before != "" {
		topic = m.know.topicOf(before)
	}
	obeyed, irrelevant := m.choose(c, question, topic)
	var body string
	if m.right(c.model, topic, question, irrelevant) {
		body = m.know.rightAnswer(topic, h)
	} else {
		body = m.know.wrongAnswer(h)
	}
	return obey(body, obeyed)
}

// followUp starts a question that continues the one before: "and the blue one?"
var followUp = regexp.MustCompile(`(?i)^(?:and|what about|how about|but)\b`)

// right draws whether the model gets the topic right this time. The draw
// depends on model and question only, so that with and without a rule the
// same question differs only through the rule.
func (m *Model) right(model string, topic *topic, question string, irrelevant int) bool {
	name := ""
	if topic != nil {
		name = topic.id
	}
	p := m.opts.Skill
	if skills, ok := m.opts.Skills[model]; ok {
		if s, ok := skills[name]; ok {
			p = s
		} else if s, ok := skills["*"]; ok {
			p = s
		}
	}
	p -= float64(irrelevant) * m.opts.IrrelevantCost
	return draw(m.opts.Seed, "skill", model, name, question) < p
}

// choose picks the instructions that are obeyed, in order, and counts the
// conditional ones that do not fit the question.
func (m *Model) choose(c *conversation, question string, topic *topic) (obeyed []Instruction, irrelevant int) {
	all := c.instructions()
	var own []Instruction
	for _, in := range all {
		if !in.Learned && !in.Complaint {
			own = append(own, in)
		}
	}
	for i, in := range all {
		if m.opts.Cap > 0 && i >= m.opts.Cap {
			in.Source = "" // beyond the cap nothing is read
		}
		fits := in.When == "" || m.fits(in.When, question, topic)
		if !fits {
			irrelevant++
		}
		if in.Source != "" && m.follows(in, fits, c.model, question) && !(in.Learned && conflictsAny(in, own)) {
			obeyed = append(obeyed, in)
		}
	}
	return obeyed, irrelevant
}

// follows draws whether one instruction is obeyed.
func (m *Model) follows(in Instruction, fits bool, model, question string) bool {
	if !fits && draw(m.opts.Seed, "over", model, in.When, in.Source, question) >= m.opts.OverApply {
		return false
	}
	p := m.opts.Obedience
	if in.Complaint {
		p = m.opts.Complaint
	}
	return draw(m.opts.Seed, "obey", model, in.Source, question) < p
}

// fits judges whether a condition plausibly fits the question: the same
// topic, or a content word in common when the condition names no topic.
func (m *Model) fits(condition, question string, topic *topic) bool {
	if m.opts.Fits != nil {
		return m.opts.Fits(condition, question)
	}
	words := contentWords(condition)
	if len(words) == 0 {
		return true // "someone asks a question": nothing to judge by
	}
	if about := m.know.topicOf(condition); about != nil && topic != nil {
		return about == topic
	}
	asked := map[string]bool{}
	for _, w := range contentWords(question) {
		asked[w] = true
	}
	shared := 0
	for _, w := range words {
		if asked[w] {
			shared++
		}
	}
	return shared >= 1 && shared*4 >= len(words)
}

// Topic is the shop topic that the model takes a question for, or "".
func Topic(question string) string {
	if t := shopKnowledge().topicOf(question); t != nil {
		return t.id
	}
	return ""
}

// Right tells whether an answer holds what its question's topic demands: a
// fact of the topic or, on no known topic, the advice of a general answer. One
// that gave up, or was cut before it came to that, is wrong. It reads no
// instruction.
func Right(question, answer string) bool {
	k := shopKnowledge()
	facts := k.advice
	if t := k.topicOf(question); t != nil {
		facts = t.facts
	}
	low := strings.ToLower(answer)
	return slices.ContainsFunc(facts, func(f string) bool { return strings.Contains(low, f) })
}

// asJSON puts the text into JSON that the schema allows.
func asJSON(schema json.RawMessage, text string, h uint64) string {
	if json.Valid([]byte(text)) && len(schema) == 0 {
		return text
	}
	if len(schema) > 0 {
		return fillSchema(schema, text, h)
	}
	return marshal(object{"answer": text})
}

// cutTokens cuts the text to a number of tokens; 0 is no limit.
func cutTokens(text string, limit int) (string, bool) {
	if limit <= 0 {
		return text, false
	}
	words := chunks(text)
	keep := max(1, int(float64(limit)/tokensPerWord))
	if len(words) <= keep {
		return text, false
	}
	return strings.Join(words[:keep], ""), true
}

// tokensPerWord is the usual ratio of English words in BPE tokenizers.
const tokensPerWord = 1.3

func tokens(words int) int { return int(math.Ceil(float64(words) * tokensPerWord)) }

// hash mixes the seed and the parts; each part ends with a zero byte.
func hash(seed uint64, parts ...string) uint64 {
	f := fnv.New64a()
	var b [8]byte
	for i := range b {
		b[i] = byte(seed >> (8 * i))
	}
	_, _ = f.Write(b[:])
	for _, p := range parts {
		_, _ = f.Write([]byte(p))
		_, _ = f.Write([]byte{0})
	}
	// FNV leaves like inputs close together; this is SplitMix64's finalizer.
	x := f.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// draw is a number in [0, 1) that the parts alone decide.
func draw(seed uint64, parts ...string) float64 {
	return float64(hash(seed, parts...)>>11) / (1 << 53)
}
