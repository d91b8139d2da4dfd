package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"heed/rules/match"
)

// wrapper surrounds requests as agents do. It is a pure function of the text.
type wrapper struct {
	kind     string
	passages []string
	seed     uint64
}

func newWrapper(kind string, d *dataset, seed uint64) wrapper {
	w := wrapper{kind: kind, seed: seed}
	for _, label := range d.labels {
		for i := 0; i+2 < len(d.byLabel[label]); i += 3 {
			t := d.byLabel[label]
			w.passages = append(w.passages, passage(label, t[i], t[i+1]))
		}
	}
	return w
}

// passage makes a help article out of requests of a topic: its words are the
// topic's, so that a matcher which reads passages gets many rules wrong.
func passage(label, a, b string) string {
	topic := strings.ReplaceAll(label, "_", " ")
	return fmt.Sprintf("Article on %s. Customers often write %q or %q. The team for %s handles such cases within two working days and writes back.",
		topic, a, b, topic)
}

// A preamble as agents put before the person's words, 390 bytes.
const preamble = "You are helping a customer of our company. Read the message below carefully, think step by step about what the " +
	"customer really needs, and answer politely in at most three sentences. Never mention internal systems, prices of " +
	"competitors or the names of colleagues. If the message is about money, ask for the account first. If you are not sure, " +
	"say so and offer to hand over to a person.\n\n"

// one returns the person turn that carries a request.
func (w wrapper) one(text string) string {
	draw := rand.New(rand.NewPCG(w.seed, hashOf(text)))
	switch w.kind {
	case "template":
		return preamble + text
	case "rag":
		return w.rag(text, draw)
	case "typos":
		return typos(text, draw)
	}
	return text
}

// rag puts 600 bytes of passages of random topics before the request, or behind,
// in one of the usual shapes, which is the deployment's own.
func (w wrapper) rag(text string, draw *rand.Rand) string {
	var ps []string
	for size := 0; size < 600; {
		p := w.passages[draw.IntN(len(w.passages))]
		ps = append(ps, p)
		size += len(p)
	}
	body := strings.Join(ps, "\n\n")
	switch w.seed % 3 {
	case 0:
		return "Answer with the help of these passages.\n\n" + body + "\n\nQuestion: " + text
	case 1:
		return "Context:\n" + body + "\n\n" + text
	}
	return text + "\n\nUse only these articles:\n" + body
}

// typos changes about every eighth letter's place.
func typos(text string, draw *rand.Rand) string {
	b := []byte(text)
	for i := 0; i+1 < len(b); i++ {
		if b[i] >= 'a' && b[i+1] >= 'a' && draw.IntN(12) == 0 {
			b[i], b[i+1] = b[i+1], b[i]
			i++
		}
	}
	return string(b)
}

func hashOf(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return h
}

// What people say next, without naming the topic again.
var continuedTurns = []string{
	"and the blue one?", "what about the other one?", "and how long does that take?", "is it free?", "why is that?",
	"can you do it again?", "and for my wife?", "what else?", "are you sure about that?", "how much is it?",
	"and in english please", "ok and then?", "what if it does not work?", "and tomorrow?", "is that the only way?",
}

// followups measures two-turn conversations: a first turn that got its rule, then
// either a continuation, which should keep it, or a request of another topic,
// which should not be matched as if it were the first one's.
func (p *deployment) followups(s setting) []result {
	var buf match.Buffer
	draw := rand.New(rand.NewPCG(s.Seed, 31))
	var kept, keptOf, dropped, droppedOf float64
	hits := func(q string, rule int) bool {
		for _, h := range p.index.Match(q, nil, &buf) {
			if h.Rule == rule {
				return true
			}
		}
		return false
	}
	for _, t := range p.set.test {
		first := match.Extract(benchStep, []string{t.text}, p.stats)[0]
		got := p.index.Match(first, nil, &buf)
		if len(got) == 0 || p.rules[got[0].Rule] != t.label {
			continue
		}
		rule := got[0].Rule
		next := continuedTurns[draw.IntN(len(continuedTurns))]
		keptOf++
		kept += one(hits(match.Extract(benchStep, []string{t.text, next}, p.stats)[1], rule))
		other := p.set.test[draw.IntN(len(p.set.test))]
		if other.label == t.label {
			continue
		}
		droppedOf++
		dropped += one(!hits(match.Extract(benchStep, []string{t.text, other.text}, p.stats)[1], rule))
	}
	return []result{{setting: s, System: "heed", Threshold: p.index.Threshold(), Kept: ratio(kept, keptOf), Dropped: ratio(dropped, droppedOf)}}
}
