package match

import "math"

// A cluster in which a rule's example falls may hold its neighbour, too, which
// shares its words: where nearly all wrong hits came from. It is clustered again,
// finer, and the parts that are hardly the rule's become rivals.
const (
	partShare = 0.25 // of the requests believed to be a rule's: the size of a part, at least
	leastPart = 8    // requests, since a smaller part's centre says little
	ownPart   = 0.2  // odds that a part is some rule's, above which it is left out
)

// refining splits clusters.
type refining struct {
	*trainer
	size     int        // of a part
	prior    float64    // odds that a request is some rule's, damped
	owner    []int32    // rule of the texts behind the queries, which are examples
	believed [][]belief // by rule
}

func (t *trainer) newRefining(cold *Index, scopes []Scope) *refining {
	f := &refining{trainer: t, believed: make([][]belief, len(scopes))}
	var mass, rules float64
	for class, bs := range cold.believe(t.queries) {
		r := cold.classes[class].rule
		if r < 0 {
			continue
		}
		f.believed[r] = bs
		rules++
		for _, b := range bs {
			mass += float64(b.p)
		}
	}
	for i := range scopes {
		for range limited(scopes[i].Examples) {
			f.owner = append(f.owner, int32(i))
		}
	}
	f.size = int(max(leastPart, partShare*mass/max(1, rules)))
	share := min(mass/float64(len(t.queries)), 0.95)
	// The square root, since the beliefs know part of it.
	f.prior = math.Sqrt(share / (1 - share))
	return f
}

// rival appends a rival made of the queries among texts, if any.
func (f *refining) rival(out []softClass, texts []int32) []softClass {
	var bs []belief
	for _, t := range texts {
		if int(t) < len(f.queries) {
			bs = append(bs, belief{t, 1})
		}
	}
	if len(bs) == 0 {
		return out
	}
	return append(out, f.mean(softClass{examples: rivalExamples}, bs))
}

// split clusters one cluster's texts again and appends the parts that belong to no
// rule: those without an example whose odds to be a rule's are small.
func (f *refining) split(out []softClass, v *vectors, texts []int32) []softClass {
	sub := v.subset(texts)
	sub.dense()
	c := sub.cluster((len(texts) + f.size - 1) / f.size)
	odds := f.odds(c, texts)
	for k, part := range c.groups(len(texts)) {
		if odds[k] > ownPart {
			continue
		}
		for i, at := range part {
			part[i] = texts[at]
		}
		out = f.rival(out, part)
	}
	return out
}

// odds are those of each part to be some rule's: what the rules believe of its
// requests, less for every example that fell into the cluster but not into this
// part, and all the less the larger the part is. They are infinite for a part with
// an example.
func (f *refining) odds(c *clusters, texts []int32) []float64 {
	part := make(map[int32]int32, len(texts)) // of a query
	size, out, total := make([]float64, c.k), make([]float64, c.k), make([]float64, c.k)
	examples := make(map[int]float64) // of a rule
	for i, t := range texts {
		k := c.of[i]
		if int(t) >= len(f.queries) {
			examples[int(f.owner[int(t)-len(f.queries)])]++
			if k >= 0 {
				out[k] = math.Inf(1)
			}
		}
		if k >= 0 {
			size[k]++
			part[t] = k
		}
	}
	mass := make([]float64, c.k)
	for r, bs := range f.believed {
		clear(mass)
		for _, b := range bs {
			if k, ok := part[b.query]; ok {
				mass[k] += float64(b.p)
			}
		}
		for k, m := range mass {
			if m > 0 {
				out[k] += m / size[k] * math.Pow(1-size[k]/float64(len(texts)), examples[r])
				total[k] += m / size[k]
			}
		}
	}
	for k := range out {
		out[k] *= f.prior / (1 - min(total[k], 0.95))
	}
	return out
}
