package match

import (
	"math"
	"slices"
)

// MaxHits is how many rules one request gets at most, over its clauses.
const MaxHits = 6

// maxCandidates is how many classes the decision weighs against each other.
const maxCandidates = 16

// A group of counterexamples yields a little in a contest, since there are many
// of them beside the clusters on one topic and their claims add up: by tickDiscount
// to the rule that it was marked for, by strayDiscount to others.
//
// A cluster of other traffic yields, too, since some of its requests are the
// rule's; more so to a rule with few examples, by fewDiscount over their number,
// since those show little of what is the rule's.
const (
	tickDiscount     = 0.8
	tickDiscountWarm = 1.6 // with clusters, which take the same requests
	strayDiscount    = 2
	rivalDiscount    = 0.8
	fewDiscount      = 2
)

const maxMargin = 40 // keeps exp finite

// Buffer is reusable scratch space for [Index.Match]; its zero value is ready.
// One goroutine uses it at a time; it may be pooled and used with any Index.
type Buffer struct {
	scratch scratch
	acc     []accumulator // by class
	cands   [maxCandidates]candidate
	hits    [MaxHits]Hit
	union   [MaxHits]Hit
	whole   [MaxHits]Hit
}

// accumulator adds up one class's scores; the last element fills half a cache
// line.
type accumulator [scores + 1]float32

// candidate is a class in the running.
type candidate struct {
	class  uint32
	rank   float32 // what it was chosen by
	margin float32
	weight float32 // exp(margin)
}

// Match returns the rules that the query calls for, by descending probability,
// at most MaxHits. The query is what [Extract] found; an empty one calls for
// none. Rules that eligible refuses neither hit nor compete; nil allows all.
//
// The hits are valid until buf is used again; buf must not be nil. Match does not
// allocate once buf has seen requests of that size and their words.
func (ix *Index) Match(query string, eligible func(rule int) bool, buf *Buffer) []Hit {
	hits := ix.matchOne(query, eligible, buf)
	if len(query) > maxClauseBytes {
		return hits
	}
	return ix.addClauses(query, hits, eligible, buf)
}

// matchOne returns the rules that a text as a whole calls for.
func (ix *Index) matchOne(query string, eligible func(rule int) bool, buf *Buffer) []Hit {
	n := ix.weigh(query, eligible, buf)
	if n == 0 {
		return nil
	}
	return ix.decide(buf, n)
}

// weigh fills buf.cands with the best candidates and their weights and returns
// how many there are.
func (ix *Index) weigh(query string, eligible func(rule int) bool, buf *Buffer) int {
	s := &buf.scratch
	norm := ix.lex.resolve(s, query)
	if len(s.feats) == 0 || len(ix.classes) == 0 {
		return 0
	}
	ix.accumulate(buf, norm)
	n := ix.choose(buf, eligible)
	for i := range buf.cands[:n] {
		c := &buf.cands[i]
		c.margin = ix.margin(&ix.classes[c.class], &buf.acc[c.class], s)
		if k := &ix.classes[c.class]; k.rule < 0 && k.id != "" {
			c.margin -= strayDiscount
		} else if k.rule < 0 {
			c.margin -= rivalDiscount
		}
		c.weight = exp32(min(c.margin, maxMargin))
	}
	return n
}

// accumulate adds up the scores of every class that shares a feature.
func (ix *Index) accumulate(buf *Buffer, norm float32) {
	s := &buf.scratch
	if cap(buf.acc) < len(ix.classes) {
		buf.acc = make([]accumulator, len(ix.classes))
	}
	buf.acc = buf.acc[:len(ix.classes)]
	clear(buf.acc)
	comNorm := norm
	if s.block[spaceWord] > 0 {
		comNorm = s.block[spaceWord] // the words' block alone, at unit length
	}
	for i := range s.feats {
		f := &s.feats[i]
		if f.slot < 0 {
			continue
		}
		if f.idf == 0 && f.space == spaceGram {
			s.grams--
			continue
		}
		w := termWeight(f)
		list := ix.postings[ix.offsets[f.slot]:ix.offsets[f.slot+1]]
		v := w * s.block[f.space] * norm
		switch f.space {
		case spaceWord:
			buf.addWords(list, v)
			for _, c := range ix.comments[ix.comOffset[f.slot]:ix.comOffset[f.slot+1]] {
				buf.acc[c.class][scoreCom] += w * comNorm * c.weight
			}
		case spaceGram:
			buf.addGrams(list, v)
		default:
			buf.addBigrams(list, v)
		}
	}
}

func (b *Buffer) addBigrams(list []posting, v float32) {
	acc := b.acc
	for j := range list {
		p := &list[j]
		a := &acc[p.class]
		a[scoreCent] += v * p.cent
		a[scoreSoftCent] += v * p.softCent
	}
}

func (b *Buffer) addWords(list []posting, v float32) {
	acc := b.acc
	for j := range list {
		p := &list[j]
		a := &acc[p.class]
		a[scoreCent] += v * p.cent
		a[scoreWord] += p.likely
		a[scoreSoftWord] += p.soft
		a[scoreSoftCent] += v * p.softCent
	}
}

func (b *Buffer) addGrams(list []posting, v float32) {
	acc := b.acc
	for j := range list {
		p := &list[j]
		a := &acc[p.class]
		a[scoreCent] += v * p.cent
		a[scoreGram] += p.likely
		a[scoreSoftGram] += p.soft
		a[scoreSoftCent] += v * p.softCent
	}
}

// choose fills buf.cands with the most promising classes and returns how many.
func (ix *Index) choose(buf *Buffer, eligible func(rule int) bool) int {
	n := 0
	least := float32(0)
	for c := range buf.acc {
		a := &buf.acc[c]
		rank := a[scoreCent] + commentWeight*a[scoreCom] + warmModel.softCent*a[scoreSoftCent]
		if rank <= least {
			continue
		}
		if r := ix.classes[c].rule; r >= 0 && eligible != nil && !eligible(r) {
			continue
		}
		if n < maxCandidates {
			n++
		}
		i := n - 1
		for ; i > 0 && buf.cands[i-1].rank < rank; i-- {
			buf.cands[i] = buf.cands[i-1]
		}
		buf.cands[i] = candidate{class: uint32(c), rank: rank}
		if n == maxCandidates {
			least = buf.cands[n-1].rank
		}
	}
	return n
}

// decide weighs the candidates against "no rule" and each other.
func (ix *Index) decide(buf *Buffer, n int) []Hit {
	s := &buf.scratch
	cands := buf.cands[:n]
	threshold := ix.least(s.lang)
	hits := buf.hits[:0]
	for i := range cands {
		a := &ix.classes[cands[i].class]
		if a.rule < 0 {
			continue
		}
		total := a.reject
		for j := range cands {
			switch b := &ix.classes[cands[j].class]; {
			case b.rule < 0 && b.owner == a.rule:
				total += cands[j].weight * ix.ownTick
			case b.rule < 0 && b.owner < 0:
				total += cands[j].weight * a.reject * a.yield
			case i == j || b.competes(a):
				total += cands[j].weight
			}
		}
		if p := cands[i].weight / total; p >= threshold {
			hits = insertHit(hits, Hit{Rule: a.rule, P: p})
		}
	}
	return hits
}

// least is the threshold for requests of a language: a stricter one until enough
// of it was seen to know which words are common, unless the caller chose one.
func (ix *Index) least(l language) float32 {
	if !ix.chosen && ix.lex.langs[l] < fewTexts {
		return max(ix.threshold, strictThreshold)
	}
	return ix.threshold
}

// insertHit keeps the best MaxHits in order; equal ones keep the order of rules.
func insertHit(hits []Hit, h Hit) []Hit {
	i := len(hits)
	for i > 0 && (hits[i-1].P < h.P || hits[i-1].P == h.P && hits[i-1].Rule > h.Rule) {
		i--
	}
	if i == MaxHits {
		return hits
	}
	if len(hits) == MaxHits {
		hits = hits[:MaxHits-1]
	}
	return slices.Insert(hits, i, h)
}

// competes reports whether c takes probability from the rule a.
func (c *class) competes(a *class) bool {
	if c.rule < 0 {
		return !c.local
	}
	return !apart(a, c)
}

// apart reports rules that do not compete: those that rest on the same feedback
// or query, and those whose partitions never meet.
func apart(a, b *class) bool {
	if a.partition != b.partition && a.partition != "" && b.partition != "" {
		return true
	}
	i, j := 0, 0
	for i < len(a.sources) && j < len(b.sources) {
		switch {
		case a.sources[i] == b.sources[j]:
			return true
		case a.sources[i] < b.sources[j]:
			i++
		default:
			j++
		}
	}
	return false
}

// margin finishes a class's sums to scores and weighs them: by the cold model, and
// as far as the traffic can be trusted by the warm one.
func (ix *Index) margin(c *class, a *accumulator, s *scratch) float32 {
	words, grams := float32(s.words), float32(s.grams)
	x := [scores]float32(a[:scores])
	x[scoreWord] = likelihood(x[scoreWord]+words*c.base[0], words, 4)
	x[scoreGram] = likelihood(x[scoreGram]+grams*c.base[1], grams, 10)
	warm := float32(0)
	if c.warm {
		x[scoreSoftWord] = likelihood(x[scoreSoftWord]+words*c.base[2], words, 4)
		x[scoreSoftGram] = likelihood(x[scoreSoftGram]+grams*c.base[3], grams, 10)
		warm = warmModel.margin(&x, c.logExamples, len(s.tokens))
	}
	x[scoreSoftWord], x[scoreSoftGram], x[scoreSoftCent] = 0, 0, 0
	cold := coldModel.margin(&x, c.logExamples, len(s.tokens))
	if c.bare && c.rule >= 0 {
		cold += bareCold
		warm += bareWarm
	}
	if !c.warm {
		return cold
	}
	return cold + ix.trust*(warm-cold)
}

// likelihood bounds a sum over n features: longer requests vary more.
func likelihood(sum, n, scale float32) float32 {
	return min(max(sum/(scale*sqrt32(n+1)), -1), 2)
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }
