package match

import (
	"cmp"
	"slices"
)

// Logged is one request of an app's traffic.
type Logged struct {
	Step  string // its [Fingerprint]
	Text  string // the person's turn as it stood in the request
	Query string // what Extract made of it; may be empty
}

// FitOptions sets what [Fit] rests on; the zero value is ready.
type FitOptions struct {
	Background *Stats // word statistics to start from; nil is Shipped
	MaxQueries int    // distinct queries looked at, the latest first; default and most 20,000
	Rivals     int    // clusters of other traffic; 0 chooses by the amount of traffic, negative is none
}

const maxQueries = 20_000

// Fit learns Stats from an app's logged traffic: word statistics, rivals, and
// one round of self-training of the scopes' rules. Repeated queries count once,
// so that one busy source does not drown the rest. It takes seconds for 10,000
// queries; it belongs off the request path. The result does not depend on the
// order of scopes.
func Fit(scopes []Scope, traffic []Logged, opt FitOptions) *Stats {
	base := opt.Background
	if base == nil {
		base = Shipped()
	}
	queries := distinctQueries(traffic, opt.MaxQueries)
	s := Count(base, queries)
	s.steps = fitSteps(traffic)
	if len(queries) == 0 {
		return s
	}
	s.warm = true
	s.soft = selfTrain(scopes, queries, s, opt)
	return s
}

// distinctQueries returns the latest distinct queries, in the order of traffic.
func distinctQueries(traffic []Logged, limit int) []string {
	if limit <= 0 || limit > maxQueries {
		limit = maxQueries
	}
	seen := make(map[string]bool)
	var out []string
	for i := len(traffic) - 1; i >= 0 && len(out) < limit; i-- {
		q := cut(traffic[i].Query, maxTextBytes)
		if q == "" || seen[q] {
			continue
		}
		seen[q] = true
		out = append(out, q)
	}
	slices.Reverse(out)
	return out
}

// Self-training (reference study, section 5): a request counts for a rule with
// the probability that the rule applies, at half weight, and a rule learns from
// no more requests than a few times its examples.
const (
	leastSoft      = 0.02
	softShare      = 0.5
	softPerExample = 3
	softFree       = 2
)

// belief is the probability that a class applies to a query.
type belief struct {
	query int32
	p     float32
}

// selfTrain scores the queries with the rules' examples and returns soft counts.
func selfTrain(scopes []Scope, queries []string, s *Stats, opt FitOptions) []softClass {
	cold, err := Compile(scopes, &Stats{texts: s.texts, totals: s.totals, counts: s.counts, langs: s.langs})
	if err != nil {
		return nil
	}
	beliefs := cold.believe(queries)
	t := newTrainer(cold.lex, queries)
	var out []softClass
	for c, bs := range beliefs {
		rule := cold.classes[c].rule
		if rule < 0 || len(bs) == 0 {
			continue
		}
		n := len(limited(scopes[rule].Examples))
		out = append(out, t.train(softClass{scope: scopes[rule].ID}, bs, float32(softPerExample*n+softFree)))
	}
	slices.SortStableFunc(out, func(a, b softClass) int { return cmp.Compare(a.scope, b.scope) })
	return out
}

// believe returns, by class, the queries that it probably applies to.
func (ix *Index) believe(queries []string) [][]belief {
	out := make([][]belief, len(ix.classes))
	var buf Buffer
	for q, text := range queries {
		n := ix.weigh(text, nil, &buf)
		total := float32(1)
		for _, c := range buf.cands[:n] {
			total += c.weight
		}
		for _, c := range buf.cands[:n] {
			if p := c.weight / total; p >= leastSoft {
				out[c.class] = append(out[c.class], belief{int32(q), p})
			}
		}
	}
	return out
}

// trainer adds up soft counts; its dense arrays are by lexicon entry.
type trainer struct {
	lex     *lexicon
	queries []string
	scratch scratch
	sum     []weights
	touched []int32
}

func newTrainer(lex *lexicon, queries []string) *trainer {
	return &trainer{lex: lex, queries: queries, sum: make([]weights, len(lex.entries))}
}

// train adds what bs say, scaled so that they weigh at most half of limit.
func (t *trainer) train(c softClass, bs []belief, limit float32) softClass {
	var mass float32
	for _, b := range bs {
		mass += b.p
	}
	scale := softShare * min(1, limit/mass)
	for _, b := range bs {
		t.add(t.queries[b.query], scale*b.p)
	}
	for _, e := range t.touched {
		w := &t.sum[e]
		en := &t.lex.entries[e]
		c.feats = append(c.feats, softFeature{key: en.key, kind: en.kind, x: w.soft, v: w.softCent})
		*w = weights{}
	}
	t.touched = t.touched[:0]
	c.feats = strongest(c.feats)
	return c
}

// add counts one text with weight p.
func (t *trainer) add(text string, p float32) {
	s := &t.scratch
	s.features(text)
	norm := t.lex.resolve(s)
	for i := range s.feats {
		f := &s.feats[i]
		if f.slot < 0 {
			continue
		}
		w := &t.sum[f.slot]
		if !w.on {
			w.on = true
			t.touched = append(t.touched, f.slot)
		}
		w.softCent += p * termWeight(f) * s.block[f.space] * norm
		if f.space != spaceBigram {
			w.soft += p
		}
	}
}

// strongest keeps the features that matter, sorted by key.
func strongest(feats []softFeature) []softFeature {
	if len(feats) > maxSoftPerClass {
		slices.SortFunc(feats, func(a, b softFeature) int {
			return cmp.Or(cmp.Compare(b.v, a.v), cmp.Compare(a.key, b.key), cmp.Compare(a.kind, b.kind))
		})
		feats = slices.Clone(feats[:maxSoftPerClass])
	}
	slices.SortFunc(feats, func(a, b softFeature) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.kind, b.kind))
	})
	return feats
}
