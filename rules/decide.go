package rules

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"heed/rules/check"
	"heed/rules/match"
)

// Limits of one request's block (DESIGN section 6). More rules are obeyed worse:
// IFScale, arXiv 2507.11538, reports the decay.
const (
	MaxInjectedRules  = 8
	MaxInjectedTokens = 800 // bytes/4
	MaxTurns          = 16  // newest person turns whose rules are united
)

// Compiled is a set ready for the request path: immutable, safe for concurrent
// use, swapped whole.
type Compiled struct {
	set    *Set
	head   Head
	index  *match.Index
	stats  *match.Stats
	always []int
	dated  []int // rules that are valid only for a time
}

// Compile makes the set that head names ready for the request path. A nil stats
// is the shipped word statistics. It takes milliseconds for a thousand rules, so
// it belongs off the request path.
func Compile(set *Set, head Head, stats *match.Stats) (*Compiled, error) {
	if stats == nil {
		stats = match.Shipped()
	}
	scopes, always := Scopes(set)
	index, err := match.Compile(scopes, stats)
	if err != nil {
		return nil, fmt.Errorf("compile rule set %s: %w", head, err)
	}
	c := &Compiled{set: set, head: head, index: index, stats: stats, always: always}
	for i := range set.Rules {
		if r := &set.Rules[i]; !r.ValidFrom.IsZero() || !r.ValidTo.IsZero() {
			c.dated = append(c.dated, i)
		}
	}
	return c, nil
}

// Scopes returns what the matcher learns from, one scope per rule in the set's
// order, and the indexes of the rules that apply always (their scopes are empty,
// so the matcher never proposes them).
func Scopes(set *Set) (scopes []match.Scope, always []int) {
	scopes = make([]match.Scope, len(set.Rules))
	for i := range set.Rules {
		r := &set.Rules[i]
		scopes[i].ID = r.ID
		if r.Scope.Always {
			always = append(always, i)
			continue
		}
		scopes[i] = match.Scope{
			ID: r.ID, AppliesWhen: r.Scope.AppliesWhen, Sources: r.Sources, Partition: r.Scope.Hard.Partition,
			Examples: r.Scope.Examples, Counterexamples: r.Scope.Counterexamples,
		}
	}
	return scopes, always
}

// Set is the compiled set; it must not be changed.
func (c *Compiled) Set() *Set { return c.set }

// Head is the head that the set was compiled for.
func (c *Compiled) Head() Head { return c.head }

// Stats are the word statistics that queries are extracted and matched with.
func (c *Compiled) Stats() *match.Stats { return c.stats }

// Memo remembers the hits of unchanged turns across requests. Keys name the
// compiled set, the hard facts and the query. Implementations are safe for
// concurrent use, bounded, and may forget; they must not keep hits from Put
// without copying them, nor let a caller of Get change them.
type Memo interface {
	Get(key uint64, query string) ([]match.Hit, bool)
	Put(key uint64, query string, hits []match.Hit)
}

// Buffer is the scratch memory of Decide. The zero value is ready; it may be
// pooled but serves one call at a time.
type Buffer struct {
	Memo  Memo // nil: every turn is matched
	match match.Buffer
	score []float32 // by rule
	hit   []int     // rules with a score
}

// Decide says which rules the request gets: those in scope of any of its person
// turns, at most MaxInjectedRules and MaxInjectedTokens of them by score, in
// injected order (priority, id). The choice of the target is Choose's part.
func (c *Compiled) Decide(f *Facts, buf *Buffer) Decision {
	var d Decision
	if f.Off || len(c.set.Rules) == 0 {
		return d
	}
	buf.reset(len(c.set.Rules))
	for _, i := range c.always {
		if c.eligible(i, f) {
			buf.add(i, 1)
		}
	}
	d.Abstained = c.matchTurns(f, buf)
	slices.SortFunc(buf.hit, func(a, b int) int {
		return cmp.Or(-cmp.Compare(buf.score[a], buf.score[b]), c.order(a, b))
	})
	chosen, tokens := buf.hit[:0], 0
	for _, i := range buf.hit {
		t := Tokens(&c.set.Rules[i])
		if len(chosen) == MaxInjectedRules || tokens+t > MaxInjectedTokens {
			continue
		}
		chosen, tokens = append(chosen, i), tokens+t
	}
	slices.SortFunc(chosen, c.order)
	for _, i := range chosen {
		d.Rules = append(d.Rules, assign(&c.set.Rules[i], f.Unit, buf.score[i]))
	}
	return d
}

// order is the injected order: by priority, then id.
func (c *Compiled) order(a, b int) int {
	return cmp.Or(cmp.Compare(c.set.Rules[a].Priority, c.set.Rules[b].Priority), cmp.Compare(a, b))
}

// matchTurns adds the hits of the newest MaxTurns person turns and reports
// whether none of them held a query short enough to match.
func (c *Compiled) matchTurns(f *Facts, buf *Buffer) (abstained bool) {
	if len(c.always) == len(c.set.Rules) {
		return false
	}
	abstained = len(f.Queries) > 0
	eligible := func(i int) bool { return !c.set.Rules[i].Scope.Always && c.eligible(i, f) }
	var key uint64
	if buf.Memo != nil {
		key = c.memoKey(f)
	}
	for _, q := range f.Queries[max(0, len(f.Queries)-MaxTurns):] {
		if q == "" {
			continue
		}
		abstained = false
		if buf.Memo != nil {
			if hits, ok := buf.Memo.Get(key, q); ok {
				buf.addAll(hits)
				continue
			}
		}
		hits := c.index.Match(q, eligible, &buf.match)
		if buf.Memo != nil {
			buf.Memo.Put(key, q, hits)
		}
		buf.addAll(hits)
	}
	return abstained
}

// eligible says whether the rule's hard filters and validity let it into the
// request. A strict request takes only rules learned on that very step, because
// others could break its format.
func (c *Compiled) eligible(i int, f *Facts) bool {
	r := &c.set.Rules[i]
	h := &r.Scope.Hard
	switch {
	case !r.ValidFrom.IsZero() && f.Now.Before(r.ValidFrom), r.RanOut(f.Now):
		return false
	case len(h.Steps) > 0 && !slices.Contains(h.Steps, f.Step):
		return false
	case f.Strict && (len(h.Steps) == 0 || r.changesFormat()):
		return false
	case h.Alias != "" && h.Alias != f.Alias, h.User != "" && h.User != f.User, h.Partition != "" && h.Partition != f.Partition:
		return false
	}
	for k, v := range h.Tags {
		if f.Tags[k] != v {
			return false
		}
	}
	return true
}

// changesFormat says whether following the rule could break a response schema.
func (r *Rule) changesFormat() bool {
	return slices.ContainsFunc(r.Checks, check.Spec.ChangesFormat)
}

// memoKey hashes what a turn's hits depend on besides its query.
func (c *Compiled) memoKey(f *Facts) uint64 {
	h := fnv.New64a()
	for _, s := range []string{c.head.Hash, f.Step, f.Alias, f.User, f.Partition} {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	k := h.Sum64()
	for name, v := range f.Tags { // any order: the pairs are summed
		k += hash64(name, v)
	}
	if f.Strict {
		k = ^k
	}
	for _, i := range c.dated { // a rule's validity begins or ends without a new set
		if c.eligible(i, f) {
			k = k*31 + uint64(i) + 1
		}
	}
	return k
}

// assign puts the unit into an arm of the rule's experiment. The arm depends on
// the rule's id and the unit only, so a unit keeps it for life, through versions
// and ramps: the lowest Holdout share of the hash line never gets the rule, and a
// canary reaches the Ramp share of the rest.
func assign(r *Rule, unit string, score float32) RuleDecision {
	d := RuleDecision{ID: r.ID, Version: r.Version, Score: score}
	gets := 1 - r.Holdout
	if r.State == Canary {
		gets *= r.Ramp
	}
	if Point("arm", r.ID, unit) >= 1-gets {
		d.Propensity = gets
	} else {
		d.Withheld, d.Propensity = true, 1-gets
	}
	return d
}

// Point hashes the strings to a point in [0, 1), evenly.
func Point(parts ...string) float64 {
	return float64(hash64(parts...)>>11) / (1 << 53)
}

func hash64(parts ...string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, p := range parts {
		for i := range len(p) {
			h = (h ^ uint64(p[i])) * prime
		}
		h = (h ^ 0xff) * prime
	}
	// FNV mixes its high bits badly for short inputs; finish as MurmurHash3 does.
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (b *Buffer) reset(n int) {
	if cap(b.score) < n {
		b.score = make([]float32, n)
	}
	b.score = b.score[:n]
	clear(b.score)
	b.hit = b.hit[:0]
}

func (b *Buffer) add(rule int, score float32) {
	if b.score[rule] == 0 {
		b.hit = append(b.hit, rule)
	}
	b.score[rule] = float32(math.Max(float64(b.score[rule]), float64(score)))
}

func (b *Buffer) addAll(hits []match.Hit) {
	for _, h := range hits {
		b.add(h.Rule, h.P)
	}
}
