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
	steps := &Stats{steps: fitSteps(traffic)}
	queries := distinctQueries(traffic, steps, opt.MaxQueries)
	s := Count(base, queries)
	s.steps = steps.steps
	if len(queries) == 0 {
		return s
	}
	s.warm = true
	s.soft = selfTrain(scopes, queries, s, opt)
	return s
}

// distinctQueries returns the latest distinct queries, in the order of traffic.
// Where a step's template is known by now, they are extracted again.
func distinctQueries(traffic []Logged, steps *Stats, limit int) []string {
	if limit <= 0 || limit > maxQueries {
		limit = maxQueries
	}
	seen := make(map[string]bool)
	var out []string
	for i := len(traffic) - 1; i >= 0 && len(out) < limit; i-- {
		q := cut(traffic[i].Query, maxTextBytes)
		if t := steps.template(traffic[i].Step); t != nil {
			q = request(traffic[i].Text, t)
		}
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

// selfTrain scores the queries with the rules' examples and returns soft counts
// of the rules, then the rivals.
func selfTrain(scopes []Scope, queries []string, s *Stats, opt FitOptions) []softClass {
	known := &Stats{texts: s.texts, totals: s.totals, counts: s.counts, langs: s.langs}
	cold, err := Compile(scopes, known)
	if err != nil {
		return nil
	}
	t := newTrainer(cold.lex, queries)
	rivals := t.rivals(cold, scopes, opt.Rivals)
	known.soft = rivals
	if cold, err = Compile(scopes, known); err != nil {
		return nil
	}
	for round := 1; ; round++ {
		known.soft = t.retrain(cold, rivals, round > 1)
		if round == trainRounds {
			return known.soft
		}
		known.warm = true
		if cold, err = Compile(scopes, known); err != nil {
			return nil
		}
	}
}

// trainRounds: in the second round the rivals, which learn too, keep the rules
// from drifting to their neighbours; a third gains nothing (docs/scope.md).
const trainRounds = 2

// retrain returns the soft counts that an index's beliefs about the queries come
// to. Clusters are as they were found unless relearn is set.
func (t *trainer) retrain(ix *Index, clusters []softClass, relearn bool) []softClass {
	var rules []softClass
	if relearn {
		clusters = nil
	}
	for c, bs := range ix.believe(t.queries) {
		cl := &ix.classes[c]
		switch {
		case len(bs) == 0:
			if cl.rule >= 0 {
				rules = append(rules, softClass{scope: cl.id})
			}
		case cl.rule < 0 && cl.id == "":
			if relearn {
				clusters = append(clusters, t.mean(softClass{examples: rivalExamples}, bs))
			}
		default:
			n := cl.examples
			rules = append(rules, t.train(softClass{scope: cl.id}, bs, float32(softPerExample*n+softFree)))
		}
	}
	slices.SortStableFunc(rules, func(a, b softClass) int { return cmp.Compare(a.scope, b.scope) })
	return append(rules, clusters...)
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
	vectors *vectors // of the queries
	sum     []weights
	touched []int32
}

func newTrainer(lex *lexicon, queries []string) *trainer {
	return &trainer{lex: lex, queries: queries, vectors: newVectors(lex, queries), sum: make([]weights, len(lex.entries))}
}

// train adds what bs say, and how many requests that is, scaled so that they weigh at most half of limit.
func (t *trainer) train(c softClass, bs []belief, limit float32) softClass {
	var mass float32
	for _, b := range bs {
		mass += b.p
	}
	c.examples = mass
	return t.scaled(c, bs, softShare*min(1, limit/mass))
}

// mean is the mean of what bs say.
func (t *trainer) mean(c softClass, bs []belief) softClass {
	var mass float32
	for _, b := range bs {
		mass += b.p
	}
	return t.scaled(c, bs, 1/mass)
}

func (t *trainer) scaled(c softClass, bs []belief, scale float32) softClass {
	for _, b := range bs {
		t.add(b.query, scale*b.p)
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

// add counts one query with weight p.
func (t *trainer) add(query int32, p float32) {
	feats, values := t.vectors.text(int(query))
	for i, e := range feats {
		w := &t.sum[e]
		if !w.on {
			w.on = true
			t.touched = append(t.touched, e)
		}
		w.softCent += p * values[i]
		if t.lex.entries[e].kind != spaceBigram {
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
