package match

import (
	"fmt"
	"math"
	"slices"
)

// Index is the compiled scopes of all rules of an app: one inverted index over
// their features. It is immutable and safe for concurrent use.
type Index struct {
	lex       *lexicon
	offsets   []uint32 // by entry: where its postings start
	postings  []posting
	comOffset []uint32 // by entry: where its comment postings start
	comments  []comment
	classes   []class
	threshold float32
	chosen    bool    // the threshold is the caller's
	ownTick   float32 // weight of counterexamples against their own rule, beside that against others
	trust     float32 // weight of the warm scores beside the cold ones
}

// posting is what one feature says about one class. The likelihood weights are
// relative to the class's own baseline, so that unseen features need no posting.
type posting struct {
	class                        uint32
	cent, likely, softCent, soft float32
}

// comment is a comment stem's weight for a class.
type comment struct {
	class  uint32
	weight float32
}

// class is a rule or a rival as compiled.
type class struct {
	id          string // scope ID, "!" and a hash for counterexamples, empty for a cluster
	rule        int    // index into the scopes; -1 for a rival
	owner       int    // the rule that counterexamples were marked for; -1 elsewhere
	local       bool   // they compete with that rule alone
	examples    int
	logExamples float32    // log2 of the number of examples
	reject      float32    // weight of "no rule" against a rule
	yield       float32    // weight of clusters of other traffic against a rule
	base        [4]float32 // baselines of the word, gram, soft word and soft gram likelihoods
	bare        bool       // no comment says when it applies
	warm        bool       // has soft counts
	sources     []uint32
	partition   string
}

// Limits of a compiled index.
const (
	MaxScopes          = 20_000 // rules of one app; Compile refuses more
	MaxExamples        = 64     // of one scope, and as many counterexamples; later ones are ignored
	maxCommentBytes    = 1500
	maxCommentShare    = 0.06 // a stem in more of the comments than that is style, not topic
	fewTexts           = 200  // of a language: below, the statistics say too little
	strictThreshold    = 0.5
	commentWeight      = 0.4 // of the comment score in the choice of candidates
	commonFeatureShare = 4   // a gram in more than a quarter of many classes tells nothing
	manyClasses        = 200
)

// Compile makes the index of scopes, with the word statistics of an app's traffic
// or, where stats is nil, those of [Shipped]. It keeps no reference to scopes. It
// fails only on more than MaxScopes.
func Compile(scopes []Scope, stats *Stats) (*Index, error) {
	if len(scopes) > MaxScopes {
		return nil, fmt.Errorf("compile scopes: %d rules, at most %d: retire or merge some", len(scopes), MaxScopes)
	}
	if stats == nil {
		stats = Shipped()
	}
	b := newBuilder(stats)
	b.countExamples(scopes)
	b.comments(scopes)
	for i := range scopes {
		b.rule(i, &scopes[i])
	}
	rules := len(b.ix.classes)
	for i := range b.ix.classes {
		c := &b.ix.classes[i]
		c.reject = rejectWeight(len(limited(scopes[c.rule].Counterexamples)), rules, b.ix.trust)
	}
	clusters := b.rivals(scopes)
	b.ix.threshold = thresholdOf(rules, clusters, b.ix.trust)
	return b.index(), nil
}

// WithThreshold returns the index with another least probability of a hit, in
// (0, 1). Higher is more precise; the probabilities are calibrated, so at t about
// that share of the weakest hits is right. It holds for requests of every
// language. Out of range, it returns ix itself.
func (ix *Index) WithThreshold(t float32) *Index {
	if !(t > 0 && t < 1) {
		return ix
	}
	out := *ix
	out.threshold, out.chosen = t, true
	return &out
}

// Threshold is the least probability of a hit.
func (ix *Index) Threshold() float32 { return ix.threshold }

// builder compiles scopes. Its dense arrays are by lexicon entry.
type builder struct {
	ix       *Index
	stats    *Stats
	scratch  scratch
	lex      *lexicon
	soft     map[string]*softClass
	interned map[string]uint32
	sum      []weights
	touched  []int32
	style    map[uint32]int // comment stems: in how many scopes
	styleMax int
	found    []located
	foundCom []locatedComment
}

// weights is what a class's texts add up to at one feature.
type weights struct {
	on               bool
	cent, x, comment float32
	softCent, soft   float32
}

type located struct {
	entry int32
	posting
}

type locatedComment struct {
	entry int32
	comment
}

func newBuilder(stats *Stats) *builder {
	b := &builder{ix: &Index{}, stats: stats, lex: newLexicon(stats), soft: map[string]*softClass{}, interned: map[string]uint32{}}
	for i := range stats.soft {
		if id := stats.soft[i].scope; id != "" {
			b.soft[id] = &stats.soft[i]
		}
	}
	b.ix.trust = stats.trust()
	b.ix.threshold = thresholdOf(0, 0, b.ix.trust)
	b.ix.ownTick = exp32(strayDiscount - tickDiscount - b.ix.trust*(tickDiscountWarm-tickDiscount))
	return b
}

// countExamples adds the scopes' own texts to the statistics: a word that many
// rules' examples have tells little between them.
func (b *builder) countExamples(scopes []Scope) {
	seen := map[string]bool{}
	add := func(text string) {
		if !seen[text] {
			seen[text] = true
			b.scratch.features(text)
			b.lex.count(&b.scratch)
		}
	}
	for i := range scopes {
		for _, t := range limited(scopes[i].Examples) {
			add(t)
		}
		for _, t := range limited(scopes[i].Counterexamples) {
			add(t)
		}
	}
	for i := range scopes {
		b.scratch.features(commentOf(&scopes[i]))
		for j := range b.scratch.feats {
			b.known(&b.scratch.feats[j])
		}
	}
	for i := range b.stats.soft {
		for _, f := range b.stats.soft[i].feats {
			if b.lex.find(f.key, f.kind) < 0 {
				b.lex.insert(entry{key: f.key, kind: f.kind})
			}
		}
	}
	b.lex.finish()
	b.sum = make([]weights, len(b.lex.entries))
}

func (b *builder) known(f *feature) {
	if b.lex.find(f.key, f.space) < 0 {
		b.lex.insert(entry{key: f.key, kind: f.space})
	}
}

func limited(texts []string) []string { return texts[:min(len(texts), MaxExamples)] }

// commentOf is what people said about when a rule applies.
func commentOf(s *Scope) string {
	return cut(s.AppliesWhen, maxCommentBytes/2) + "\n" + cut(s.Comment, maxCommentBytes/2)
}

// comments counts in how many scopes' comments each stem stands.
func (b *builder) comments(scopes []Scope) {
	b.style = map[uint32]int{}
	n := 0
	for i := range scopes {
		b.scratch.features(commentOf(&scopes[i]))
		if b.scratch.words > 0 {
			n++
		}
		for _, f := range b.scratch.feats[:b.scratch.words] {
			b.style[f.key]++
		}
	}
	b.styleMax = max(2, int(maxCommentShare*float64(n)))
}

// rule compiles one scope. One without anything to go by becomes no class.
func (b *builder) rule(i int, s *Scope) {
	examples := limited(s.Examples)
	b.begin()
	for _, t := range examples {
		b.example(t)
	}
	comment := b.comment(commentOf(s))
	if len(b.touched) == 0 {
		return
	}
	c := class{id: s.ID, rule: i, owner: -1, partition: s.Partition}
	for _, id := range s.Sources {
		c.sources = append(c.sources, b.intern("s"+id))
	}
	for _, t := range examples {
		c.sources = append(c.sources, b.intern("q"+t))
	}
	slices.Sort(c.sources)
	b.end(c, len(examples), comment, b.soft[s.ID])
}

func (b *builder) intern(s string) uint32 {
	n, ok := b.interned[s]
	if !ok {
		n = uint32(len(b.interned))
		b.interned[s] = n
	}
	return n
}

func (b *builder) begin() {
	for _, e := range b.touched {
		b.sum[e] = weights{}
	}
	b.touched = b.touched[:0]
}

func (b *builder) at(e int32) *weights {
	w := &b.sum[e]
	if !w.on {
		w.on = true
		b.touched = append(b.touched, e)
	}
	return w
}

// example adds one text of the class being built.
func (b *builder) example(text string) {
	s := &b.scratch
	norm := b.lex.resolve(s, text)
	for i := range s.feats {
		f := &s.feats[i]
		if f.slot < 0 {
			continue
		}
		w := b.at(f.slot)
		v := termWeight(f) * s.block[f.space] * norm
		w.cent += v
		w.softCent += v
		if f.space != spaceBigram {
			w.x++
			w.soft++
		}
	}
}

// comment adds what the comment says of the topic and returns its length.
func (b *builder) comment(text string) float32 {
	s := &b.scratch
	b.lex.resolve(s, text)
	var topical [maxTextBytes]bool
	var sum float32
	for i, f := range s.feats[:s.words] {
		if b.style[f.key] > b.styleMax || f.slot < 0 {
			continue
		}
		topical[i] = true
		w := b.at(f.slot)
		w.x++
		w.comment = f.idf
		sum += f.idf * f.idf
	}
	for _, f := range s.feats {
		if f.space == spaceGram && topical[f.word] && f.slot >= 0 {
			b.at(f.slot).x++
		}
	}
	return sqrt32(sum)
}

// end turns what was added up into postings.
func (b *builder) end(c class, examples int, comment float32, soft *softClass) {
	if c.warm = soft.taught() || c.rule < 0 && c.id == "" && b.stats.warm; c.warm && soft != nil {
		b.addSoft(soft)
	}
	var sum [4]float32
	var cent, softCent float32
	for _, e := range b.touched {
		w := &b.sum[e]
		cent += w.cent * w.cent
		softCent += w.softCent * w.softCent
		if k := b.lex.entries[e].kind; k != spaceBigram {
			sum[totalOf(k)] += w.x
			sum[2+totalOf(k)] += w.soft
		}
	}
	mu := [4]float32{wordMu, gramMu, wordMu, gramMu}
	for k := range sum {
		c.base[k] = log32(mu[k] / (sum[k] + mu[k]))
	}
	c.logExamples = log32(float32(max(examples, 1))) / math.Ln2
	c.examples = examples
	c.bare = comment == 0
	c.yield = exp32(-fewDiscount / float32(max(examples, 1)))
	n := uint32(len(b.ix.classes))
	for _, e := range b.touched {
		w := &b.sum[e]
		p := posting{class: n, cent: w.cent * inverse(cent)}
		if en := &b.lex.entries[e]; en.kind != spaceBigram {
			m := mu[totalOf(en.kind)] * en.bg
			p.likely = log32((w.x + m) / m)
			p.soft = log32((w.soft + m) / m)
		}
		if c.warm {
			p.softCent = w.softCent * inverse(softCent)
		}
		b.found = append(b.found, located{e, p})
		if w.comment > 0 {
			b.foundCom = append(b.foundCom, locatedComment{e, commentWeightOf(n, w.comment, comment)})
		}
	}
	b.ix.classes = append(b.ix.classes, c)
}

func commentWeightOf(class uint32, idf, norm float32) comment {
	return comment{class: class, weight: idf / norm}
}

// addSoft adds the soft counts. What the comment added to x is no evidence of
// how people ask, so the soft likelihoods go without it.
func (b *builder) addSoft(soft *softClass) {
	for _, f := range soft.feats {
		if e := b.lex.find(f.key, f.kind); e >= 0 {
			w := b.at(e)
			w.soft += f.x
			w.softCent += f.v
		}
	}
}

func inverse(sum float32) float32 {
	if sum == 0 {
		return 0
	}
	return 1 / sqrt32(sum)
}

func log32(x float32) float32 { return float32(math.Log(float64(x))) }

// index sorts the postings by feature.
func (b *builder) index() *Index {
	ix := b.ix
	ix.lex = b.lex
	ix.offsets = make([]uint32, len(b.lex.entries)+1)
	for _, f := range b.found {
		ix.offsets[f.entry+1]++
	}
	b.dropCommon()
	accumulate(ix.offsets)
	ix.postings = make([]posting, ix.offsets[len(b.lex.entries)])
	next := slices.Clone(ix.offsets)
	for _, f := range b.found {
		if b.lex.entries[f.entry].idf == 0 {
			continue
		}
		ix.postings[next[f.entry]] = f.posting
		next[f.entry]++
	}
	ix.comOffset = make([]uint32, len(b.lex.entries)+1)
	for _, f := range b.foundCom {
		ix.comOffset[f.entry+1]++
	}
	accumulate(ix.comOffset)
	ix.comments = make([]comment, len(b.foundCom))
	next = append(next[:0], ix.comOffset...)
	for _, f := range b.foundCom {
		ix.comments[next[f.entry]] = f.comment
		next[f.entry]++
	}
	return ix
}

// dropCommon takes the grams that a large share of many classes has out of play,
// since they tell nothing and cost most of the time. An idf of zero marks them.
func (b *builder) dropCommon() {
	limit := uint32(len(b.ix.classes) / commonFeatureShare)
	for e := range b.lex.entries {
		en := &b.lex.entries[e]
		if en.kind == spaceGram && len(b.ix.classes) >= manyClasses && b.ix.offsets[e+1] > limit {
			en.idf = 0
		}
		if en.idf == 0 {
			b.ix.offsets[e+1] = 0
		}
	}
}

func accumulate(counts []uint32) {
	for i := 1; i < len(counts); i++ {
		counts[i] += counts[i-1]
	}
}
