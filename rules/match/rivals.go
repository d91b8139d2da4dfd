package match

import (
	"fmt"
	"math"
	"slices"
)

// Rivals are clusters of an app's other traffic: what people ask that no rule is
// about. They compete with the rules as "no rule".
const (
	rivalExamples  = 4    // as how many examples a cluster's mean counts
	rivalMass      = 11   // and with soft counts
	manyTicks      = 30   // counterexamples a rule that halve the clusters: what people say is better
	rivalShare     = 0.75 // of the requests believed to be a rule's, that make a rival by default
	maxRivals      = 200  // before taken clusters are split; more cost recall and time
	claimedCluster = 0.3  // mean probability of one rule at which a cluster counts as the rule's
	sameTick       = 0.25 // cosine at which counterexamples of a rule are about the same
)

// rivals clusters the queries and returns those clusters in which no rule's
// example falls, and that no rule claims by its examples; a counterexample in it
// makes a cluster a rival in spite of the claim. Of the others those parts are
// returned that probably belong to no rule.
func (t *trainer) rivals(cold *Index, scopes []Scope, k int) []softClass {
	if k == 0 {
		k = t.countRivals(cold, scopes)
	}
	k = min(k, len(t.queries))
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
	f := t.newRefining(cold, scopes)
	var out []softClass
	for i, texts := range c.groups(ticks) {
		switch {
		case !taken[i]:
			out = f.rival(out, texts)
		case len(texts) >= 2*f.size:
			out = f.split(out, v, texts)
		}
	}
	return out
}

// countRivals is how many clusters to look for. Other topics are taken to be as
// large as the rules' own: with little traffic nearly every request is a rival of
// its own, with much of it each stands for a topic or two of a kind.
func (t *trainer) countRivals(cold *Index, scopes []Scope) int {
	var mass, rules float64
	for class, bs := range cold.believe(t.queries) {
		if cold.classes[class].rule < 0 {
			continue
		}
		rules++
		for _, b := range bs {
			mass += float64(b.p)
		}
	}
	k := float64(len(t.queries)) / (1 + rivalShare*mass/max(1, rules))
	return int(math.Ceil(min(maxRivals, k) / (1 + ticksARule(scopes)/manyTicks)))
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
// counterexamples and the clusters of other traffic in the statistics. It returns
// how many of the latter there are.
func (b *builder) rivals(scopes []Scope) (clusters int) {
	groups := b.tickGroups(scopes)
	if len(groups) > 0 {
		alone := b.index()
		var buf Buffer
		for i := range groups {
			b.counterexamples(&groups[i], alone, &buf)
		}
	}
	taken := b.holdingNew(scopes)
	for i := range b.stats.soft {
		if r := &b.stats.soft[i]; r.scope == "" && !taken[i] {
			b.cluster(r)
			clusters++
		}
	}
	return clusters
}

// holdingNew marks the clusters that are nearest to an example of a rule that the
// statistics do not know: until they are fitted again, the rule's own topic would
// compete with it.
func (b *builder) holdingNew(scopes []Scope) map[int]bool {
	taken := map[int]bool{}
	if !b.stats.warm {
		return taken
	}
	var near *nearest
	for i := range scopes {
		if b.soft[scopes[i].ID] != nil {
			continue
		}
		if near == nil {
			near = b.nearest()
		}
		for _, text := range limited(scopes[i].Examples) {
			if r := near.of(b, text); r >= 0 {
				taken[r] = true
			}
		}
	}
	return taken
}

// nearest finds the cluster nearest to a text; its lists are by lexicon entry.
type nearest struct {
	offsets []uint32
	lists   []near
	sum     []float32 // by soft class
}

type near struct {
	soft int32
	v    float32
}

func (b *builder) nearest() *nearest {
	n := &nearest{offsets: make([]uint32, len(b.lex.entries)+1), sum: make([]float32, len(b.stats.soft))}
	each := func(do func(soft int, e int32, v float32)) {
		for i := range b.stats.soft {
			r := &b.stats.soft[i]
			if r.scope != "" {
				continue
			}
			var norm float32
			for _, f := range r.feats {
				norm += f.v * f.v
			}
			for _, f := range r.feats {
				if e := b.lex.find(f.key, f.kind); e >= 0 {
					do(i, e, f.v*inverse(norm))
				}
			}
		}
	}
	each(func(_ int, e int32, _ float32) { n.offsets[e+1]++ })
	accumulate(n.offsets)
	n.lists = make([]near, n.offsets[len(b.lex.entries)])
	next := slices.Clone(n.offsets)
	each(func(soft int, e int32, v float32) {
		n.lists[next[e]] = near{int32(soft), v}
		next[e]++
	})
	return n
}

// sameTopic is the cosine with a cluster's centre from which a text may be one of
// its topic.
const sameTopic = 0.2

// of returns the number of the nearest cluster's soft class, or -1.
func (n *nearest) of(b *builder, text string) int {
	s := &b.scratch
	norm := b.lex.resolve(s, text)
	clear(n.sum)
	for i := range s.feats {
		f := &s.feats[i]
		if f.slot < 0 {
			continue
		}
		v := termWeight(f) * s.block[f.space] * norm
		for _, c := range n.lists[n.offsets[f.slot]:n.offsets[f.slot+1]] {
			n.sum[c.soft] += v * c.v
		}
	}
	best, sim := -1, float32(sameTopic)
	for i, x := range n.sum {
		if x > sim {
			best, sim = i, x
		}
	}
	return best
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
	b.end(class{rule: -1, owner: -1}, rivalExamples, 0, nil)
}
