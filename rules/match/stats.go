package match

import (
	"cmp"
	"math"
	"slices"
)

// Stats is what an app's traffic taught: how common words are, which requests
// probably belong to which rule, what else people ask (rivals), and what each
// step's template repeats. It is immutable and safe for concurrent use.
//
// Soft counts are kept by scope ID, so a set with new or retired rules still
// works with older Stats: a rule without soft counts is scored by its examples
// alone.
type Stats struct {
	texts  float64    // how many texts the counts rest on
	totals [2]float64 // scaled occurrences of word and gram features
	counts []count    // by key
	langs  [languages]uint32
	soft   []softClass
	steps  []stepTemplate
	warm   bool // fitted on an app's own traffic
}

// count is one feature's statistics.
type count struct {
	key  uint32
	kind space
	df   uint32  // texts that contain it
	cf   float32 // occurrences, those of long texts scaled down
}

// softClass is what self-training found for one rule, or one rival.
type softClass struct {
	scope    string  // scope ID; empty for a rival
	examples float32 // how many texts x and v stand for: a rule's believed requests, a rival's examples
	feats    []softFeature
}

// taught reports whether traffic said anything; a rule that Fit knew but found in
// no request is scored by its examples alone.
func (c *softClass) taught() bool { return c != nil && len(c.feats) > 0 }

// trust is how much the warm scores count, from 0 to 1.
func (s *Stats) trust() float32 {
	var mass, rules float32
	for i := range s.soft {
		if c := &s.soft[i]; c.scope != "" && c.scope[0] != '!' {
			mass += c.examples
			rules++
		}
	}
	if !s.warm || rules == 0 {
		return 0
	}
	return mass / (mass + trustMass*rules)
}

// softFeature is a feature's soft count and its share of the soft centroid.
type softFeature struct {
	key  uint32
	kind space
	x, v float32
}

// The pseudo-counts of the likelihood ratios, as in the reference study, section
// 5; the vocabulary sizes are fixed there so that scores do not drift with them.
const (
	wordMu, gramMu       = 10, 100
	wordTypes, gramTypes = 23_000, 150_000
	longTextWords        = 40
)

// Limits of what Stats keep; see also the limits in blob.go.
const (
	maxCounts       = 1 << 19 // distinct features; the rarest go first
	maxSoftFeatures = 1 << 21 // over all rules and rivals
	maxSoftPerClass = 1 << 10
)

// Count returns Stats with nothing but word statistics: those of base, if any,
// and of the texts, each distinct one counted once. It is how a background is
// made; [Fit] does it for an app's traffic.
func Count(base *Stats, texts []string) *Stats {
	l, s := newLexicon(base), new(scratch)
	seen := make(map[string]bool, len(texts))
	for _, t := range texts {
		if t = cut(t, maxTextBytes); !seen[t] {
			seen[t] = true
			s.features(t)
			l.count(s)
		}
	}
	return l.stats()
}

// lexicon is word statistics by feature, with open addressing. It first counts
// texts, then [lexicon.finish] turns the counts into what scoring reads.
type lexicon struct {
	slots   []int32
	entries []entry
	texts   float64
	totals  [2]float64 // scaled occurrences of words and grams
	langs   [languages]uint32
	unseen  float32    // idf of a feature never seen
	rare    [2]float32 // background probability of a word or gram never seen
}

// entry is one known feature. Before finish, idf holds the number of texts with
// it and bg its scaled occurrences.
type entry struct {
	key  uint32
	kind space
	idf  float32
	bg   float32 // background probability; zero for bigrams
}

func newLexicon(base *Stats) *lexicon {
	l := &lexicon{}
	if base == nil {
		l.reserve(1 << 8)
		return l
	}
	l.texts, l.totals, l.langs = base.texts, base.totals, base.langs
	l.entries = make([]entry, 0, len(base.counts)*5/4)
	l.reserve(2*len(base.counts) + 1<<12)
	for _, c := range base.counts {
		l.insert(entry{key: c.key, kind: c.kind, idf: float32(c.df), bg: c.cf})
	}
	return l
}

// count adds one text's features.
func (l *lexicon) count(s *scratch) {
	if len(s.feats) == 0 {
		return
	}
	l.langs[s.lang]++
	l.texts++
	scale := float32(1)
	if n := len(s.tokens); n > longTextWords {
		scale = longTextWords / float32(n)
	}
	for i := range s.feats {
		f := &s.feats[i]
		at := l.find(f.key, f.space)
		if at < 0 {
			at = l.insert(entry{key: f.key, kind: f.space})
		}
		e := &l.entries[at]
		e.idf++
		if f.space != spaceBigram {
			e.bg += float32(f.tf) * scale
			l.totals[totalOf(f.space)] += float64(float32(f.tf) * scale)
		}
	}
}

func totalOf(s space) int {
	if s == spaceGram {
		return 1
	}
	return 0
}

// stats returns what was counted, without the rarest features beyond the limit.
func (l *lexicon) stats() *Stats {
	s := &Stats{texts: l.texts, totals: l.totals, langs: l.langs, counts: make([]count, len(l.entries))}
	for i, e := range l.entries {
		s.counts[i] = count{key: e.key, kind: e.kind, df: uint32(e.idf), cf: e.bg}
	}
	if len(s.counts) > maxCounts {
		slices.SortFunc(s.counts, func(a, b count) int {
			return cmp.Or(cmp.Compare(b.df, a.df), compareCounts(a, b))
		})
		s.counts = s.counts[:maxCounts]
	}
	slices.SortFunc(s.counts, compareCounts)
	return s
}

func compareCounts(a, b count) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.kind, b.kind))
}

// finish turns counts into idf and background probabilities.
func (l *lexicon) finish() {
	l.unseen = float32(math.Log(l.texts + 1))
	types := [2]float64{wordTypes, gramTypes}
	for i := range l.entries {
		e := &l.entries[i]
		e.idf = float32(math.Log((l.texts + 1) / (float64(e.idf) + 1)))
		if e.kind != spaceBigram {
			t := totalOf(e.kind)
			e.bg = float32((float64(e.bg) + 0.5) / (l.totals[t] + 0.5*types[t]))
		}
	}
	for t := range l.rare {
		l.rare[t] = float32(0.5 / (l.totals[t] + 0.5*types[t]))
	}
}

// reserve makes room for n entries' slots at least.
func (l *lexicon) reserve(n int) {
	size := 1 << 8
	for size < n {
		size *= 2
	}
	l.slots = make([]int32, size)
	for i := range l.slots {
		l.slots[i] = -1
	}
	for i := range l.entries {
		l.place(int32(i))
	}
}

func (l *lexicon) place(at int32) {
	mask := uint32(len(l.slots) - 1)
	i := l.entries[at].key & mask
	for l.slots[i] >= 0 {
		i = (i + 1) & mask
	}
	l.slots[i] = at
}

func (l *lexicon) insert(e entry) int32 {
	l.entries = append(l.entries, e)
	at := int32(len(l.entries) - 1)
	if 3*len(l.entries) > 2*len(l.slots) {
		l.reserve(2 * len(l.slots))
		return at
	}
	l.place(at)
	return at
}

// find returns the entry of a feature, or -1.
func (l *lexicon) find(key uint32, kind space) int32 {
	mask := uint32(len(l.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		at := l.slots[i]
		if at < 0 {
			return -1
		}
		if e := &l.entries[at]; e.key == key && e.kind == kind {
			return at
		}
	}
}

// resolve fills s.feats with the features of text, those of a long one cut to the
// most telling, looks them up, and returns 1/|v| for the text's vector v.
func (l *lexicon) resolve(s *scratch, text string) (norm float32) {
	s.tokenize(text)
	s.addWords()
	for i := range s.feats {
		l.look(&s.feats[i])
	}
	s.chooseWords()
	s.addPieces()
	for i := s.words; i < len(s.feats); i++ {
		l.look(&s.feats[i])
	}
	s.prune()
	var sum [spaces]float32
	for i := range s.feats {
		f := &s.feats[i]
		w := termWeight(f)
		sum[f.space] += w * w
	}
	var total float32
	for k := range spaces {
		s.block[k] = 0
		if sum[k] > 0 {
			s.block[k] = spaceWeight[k] / sqrt32(sum[k])
			total += spaceWeight[k] * spaceWeight[k]
		}
	}
	if total == 0 {
		return 0
	}
	return 1 / sqrt32(total)
}

func (l *lexicon) look(f *feature) {
	f.slot = l.find(f.key, f.space)
	f.idf = l.unseen
	if f.slot >= 0 {
		f.idf = l.entries[f.slot].idf
	}
}

// termWeight is (1 + ln tf) idf.
func termWeight(f *feature) float32 {
	if f.tf == 1 {
		return f.idf
	}
	return (1 + float32(math.Log(float64(f.tf)))) * f.idf
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }
