package match

import (
	"fmt"
	"slices"
)

// Rivals are clusters of an app's other traffic: what people ask that no rule is
// about. They compete with the rules as "no rule".
const (
	rivalExamples  = 4    // as how many examples a cluster's mean counts
	rivalMass      = 11   // and with soft counts
	manyTicks      = 12   // counterexamples a rule that halve the clusters: what people say is better
	leastCluster   = 5    // texts: fewer are no topic
	queriesARival  = 65   // of traffic, by default
	maxRivals      = 200  // more cost recall and time
	claimedCluster = 0.3  // mean probability of one rule at which a cluster counts as the rule's
	sameTick       = 0.25 // cosine at which counterexamples of a rule are about the same
)

// rivals clusters the queries and returns those clusters in which no rule's
// example falls, and that no rule claims by its examples; a counterexample in it
// makes a cluster a rival in spite of the claim.
func (t *trainer) rivals(cold *Index, scopes []Scope, k int) []softClass {
	if k == 0 {
		k = int(float64(min(len(t.queries)/queriesARival, maxRivals)) / (1 + ticksARule(scopes)/manyTicks))
	}
	if k <= 0 {
		return nil
	}
	texts := slices.Clone(t.queries)
	for i := range scopes {
		texts = append(texts, limited(scopes[i].Examples)...)
	}
	ticks := len(texts)
	for i := range scopes {
		texts = append(texts, limited(scopes[i].Counterexamples)...)
	}
	v := newVectors(t.lex, texts)
	v.dense()
	c := v.cluster(k)
	taken, ticked := c.holding(len(t.queries), ticks), c.holding(ticks, len(texts))
	for i, claimed := range c.claimed(cold, t.queries) {
		taken[i] = taken[i] || claimed && !ticked[i]
	}
	members := make([][]belief, c.k)
	for q, of := range c.of[:len(t.queries)] {
		if of >= 0 && !taken[of] {
			members[of] = append(members[of], belief{int32(q), 1})
		}
	}
	var out []softClass
	for _, m := range members {
		if len(m) >= leastCluster {
			out = append(out, t.mean(softClass{examples: rivalExamples}, m))
		}
	}
	return out
}

// ticksARule is how many counterexamples a rule has, on average.
func ticksARule(scopes []Scope) float64 {
	n := 0
	for i := range scopes {
		n += len(limited(scopes[i].Counterexamples))
	}
	return float64(n) / float64(max(1, len(scopes)))
}

// holding marks the clusters of the texts from and up to to.
func (c *clusters) holding(from, to int) []bool {
	out := make([]bool, c.k)
	for _, of := range c.of[from:to] {
		if of >= 0 {
			out[of] = true
		}
	}
	return out
}

// claimed marks the clusters whose queries a rule's examples mostly explain.
func (c *clusters) claimed(cold *Index, queries []string) []bool {
	out := make([]bool, c.k)
	size := make([]float32, c.k)
	for _, of := range c.of[:len(queries)] {
		if of >= 0 {
			size[of]++
		}
	}
	for class, bs := range cold.believe(queries) {
		if cold.classes[class].rule < 0 {
			continue
		}
		mass := make([]float32, c.k)
		for _, b := range bs {
			if of := c.of[b.query]; of >= 0 {
				mass[of] += b.p
			}
		}
		for i, m := range mass {
			out[i] = out[i] || m > claimedCluster*size[i]
		}
	}
	return out
}

// rivals compiles what competes with the rules without being one: the scopes'
// counterexamples and the clusters of other traffic in the statistics.
func (b *builder) rivals(scopes []Scope) {
	groups := b.tickGroups(scopes)
	if len(groups) > 0 {
		alone := b.index()
		var buf Buffer
		for i := range groups {
			b.counterexamples(&groups[i], alone, &buf)
		}
	}
	for i := range b.stats.soft {
		if r := &b.stats.soft[i]; r.scope == "" {
			b.cluster(r)
		}
	}
}

// tickGroup is counterexamples of one rule that are about the same.
type tickGroup struct {
	rule   int
	texts  []string
	vector map[int32]float32
}

// tickGroups groups each rule's counterexamples around the earliest of them, so
// that a later one never changes the groups before it. A text that is another
// rule's example is no counterexample to anything but its own rule, which its
// example already outweighs, and is left out.
func (b *builder) tickGroups(scopes []Scope) []tickGroup {
	examples := map[string]bool{}
	for i := range scopes {
		for _, t := range limited(scopes[i].Examples) {
			examples[t] = true
		}
	}
	var out []tickGroup
	for i := range scopes {
		first := len(out)
		for _, text := range limited(scopes[i].Counterexamples) {
			if examples[text] {
				continue
			}
			out = b.group(out, first, i, text)
		}
	}
	return out
}

func (b *builder) group(groups []tickGroup, first, rule int, text string) []tickGroup {
	s := &b.scratch
	norm := b.lex.resolve(s, text)
	best, sim := -1, float32(sameTick)
	for g := first; g < len(groups); g++ {
		var dot float32
		for i := range s.feats {
			f := &s.feats[i]
			dot += groups[g].vector[f.slot] * termWeight(f) * s.block[f.space] * norm
		}
		if dot > sim {
			best, sim = g, dot
		}
	}
	if best >= 0 {
		groups[best].texts = append(groups[best].texts, text)
		return groups
	}
	v := make(map[int32]float32, len(s.feats))
	for i := range s.feats {
		if f := &s.feats[i]; f.slot >= 0 {
			v[f.slot] = termWeight(f) * s.block[f.space] * norm
		}
	}
	return append(groups, tickGroup{rule: rule, texts: []string{text}, vector: v})
}

// counterexamples compiles a group. It competes with every rule, since what one
// rule's people call off topic is mostly nobody's; but where another rule claims
// the text, only with the rule that it was marked for.
func (b *builder) counterexamples(g *tickGroup, alone *Index, buf *Buffer) {
	c := class{rule: -1, owner: g.rule, id: fmt.Sprintf("!%016x", hashString(hashSeed, g.texts[0]))}
	for _, h := range alone.Match(g.texts[0], nil, buf) {
		if h.Rule != g.rule {
			c.local = true
		}
	}
	b.begin()
	for _, t := range g.texts {
		b.example(t)
	}
	b.end(c, len(g.texts), 0, b.soft[c.id])
}

// cluster compiles a rival from the mean of its texts.
func (b *builder) cluster(r *softClass) {
	b.begin()
	for _, f := range r.feats {
		if e := b.lex.find(f.key, f.kind); e >= 0 {
			w := b.at(e)
			w.x, w.soft = rivalExamples*f.x, rivalMass*f.x
			w.cent, w.softCent = f.v, f.v
		}
	}
	var soft *softClass
	if b.stats.warm {
		soft = &softClass{}
	}
	b.end(class{rule: -1, owner: -1}, rivalExamples, 0, soft)
}
