package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/rules/match"
)

// Several rules a request: messages of two or three requests, and wide rules that
// hold for all topics whose names share a word, beside the rules of the topics.

// wideRule prefixes the label of a wide rule.
const wideRule = "every "

// message is one test message and the labels of the rules that it calls for.
type message struct {
	text   string
	labels []string
}

// How people put several requests into one message.
var joints = []string{" and ", ". ", "? ", ", also ", " and then ", "; ", ". also, ", "\n"}

// widen adds a wide rule for every word that two or more topics with a rule share
// in their names; it takes half of its examples from those topics' own rules.
func (p *deployment) widen(n int, comments commenter, seed uint64) map[string][]string {
	wide := map[string][]string{} // topic to its wide rules
	members := map[string][]int{}
	for i, label := range p.rules {
		for _, word := range strings.FieldsFunc(label, func(r rune) bool { return r == '_' || r == '-' || r == '.' || r == ' ' }) {
			members[word] = append(members[word], i)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 37))
	labels := make([]string, 0, len(members))
	for word, topics := range members {
		if len(topics) > 1 {
			labels = append(labels, word)
		}
	}
	slices.Sort(labels)
	for _, word := range labels {
		sc := match.Scope{ID: fmt.Sprintf("r_wide_%s", word), Comment: comments.of(word, seed), Sources: []string{wideRule + word}}
		for i := range n {
			topic := members[word][rng.IntN(len(members[word]))]
			if i%2 == 0 {
				sc.Examples = append(sc.Examples, p.scopes[topic].Examples[rng.IntN(len(p.scopes[topic].Examples))])
			} else {
				texts := p.set.byLabel[p.rules[topic]]
				sc.Examples = append(sc.Examples, p.extract(texts[rng.IntN(len(texts))]))
			}
		}
		for _, topic := range members[word] {
			wide[p.rules[topic]] = append(wide[p.rules[topic]], wideRule+word)
		}
		p.scopes = append(p.scopes, sc)
	}
	for _, word := range labels {
		p.rules = append(p.rules, wideRule+word)
	}
	return wide
}

// messages joins test requests, two or three at a time.
func (p *deployment) messages(wide map[string][]string, seed uint64) []message {
	rng := rand.New(rand.NewPCG(seed, 41))
	order := rng.Perm(len(p.set.test))
	topical := len(p.rules)
	for topical > 0 && strings.HasPrefix(p.rules[topical-1], wideRule) {
		topical--
	}
	var out []message
	for len(order) >= 3 {
		k := 2 + rng.IntN(2)
		var m message
		for i, at := range order[:k] {
			t := p.set.test[at]
			if i > 0 {
				m.text += joints[rng.IntN(len(joints))]
			}
			m.text += strings.TrimRight(t.text, "?.! ")
			if _, has := slices.BinarySearch(p.rules[:topical], t.label); has {
				m.labels = append(m.labels, t.label)
				m.labels = append(m.labels, wide[t.label]...)
			}
		}
		slices.Sort(m.labels)
		m.labels = slices.Compact(m.labels)
		order = order[k:]
		out = append(out, m)
	}
	return out
}

// several measures requests that call for several rules: single requests under
// wide rules, and messages of two or three requests.
func (p *deployment) several(s setting, comments commenter) ([]result, error) {
	wide := p.widen(s.N, comments, s.Seed)
	if err := p.fit(); err != nil {
		return nil, err
	}
	var singles []message
	for _, t := range p.set.test {
		m := message{text: t.text}
		if slices.Contains(p.rules, t.label) {
			m.labels = append([]string{t.label}, wide[t.label]...)
		}
		singles = append(singles, m)
	}
	return []result{p.judgeSeveral(s, "heed, single requests", singles), p.judgeSeveral(s, "heed, joined requests", p.messages(wide, s.Seed))}, nil
}

// judgeSeveral counts rules, not requests: recall of those called for, precision of
// those given, and per 100 messages that call for none, those that get one.
func (p *deployment) judgeSeveral(s setting, name string, ms []message) result {
	sys := p.heed()
	var want, got, right, none, wrong, touched, touchedRight float64
	for _, m := range ms {
		n, ok := 0.0, 0.0
		for _, h := range sys.choose(m.text) {
			if h.P >= sys.threshold {
				n++
				ok += one(slices.Contains(m.labels, p.rules[h.Rule]))
			}
		}
		want, got, right = want+float64(len(m.labels)), got+n, right+ok
		none += one(len(m.labels) == 0)
		wrong += one(len(m.labels) == 0 && n > 0)
		touched += one(n > 0)
		touchedRight += one(n > 0 && ok == n)
	}
	r := result{setting: s, System: name, Threshold: sys.threshold, Unrelated: map[string]float64{}}
	r.Recall, r.Precision, r.Wrong = ratio(right, want), ratio(right, got), 100*ratio(wrong, none)
	r.F1 = ratio(2*r.Recall*r.Precision, r.Recall+r.Precision)
	r.TouchPrecision, r.Touched, r.Injected = ratio(touchedRight, touched), ratio(touched, float64(len(ms))), ratio(got, float64(len(ms)))
	return r
}
