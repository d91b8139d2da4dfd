package match

import (
	"math/rand/v2"
	"slices"
)

// vectors are the unit vectors of texts, by feature.
type vectors struct {
	start []int32 // of each text, and the end
	feat  []int32 // dense feature numbers
	value []float32
	feats int
}

// newVectors makes the vectors of texts; features are entries of the lexicon.
func newVectors(lex *lexicon, texts []string) *vectors {
	v := &vectors{start: make([]int32, 0, len(texts)+1), feats: len(lex.entries)}
	var s scratch
	for _, t := range texts {
		v.start = append(v.start, int32(len(v.feat)))
		norm := lex.resolve(&s, t)
		for i := range s.feats {
			if f := &s.feats[i]; f.slot >= 0 {
				v.feat = append(v.feat, f.slot)
				v.value = append(v.value, termWeight(f)*s.block[f.space]*norm)
			}
		}
	}
	v.start = append(v.start, int32(len(v.feat)))
	return v
}

// dense numbers the features anew, without those that one text alone has, since
// they say nothing about groups.
func (v *vectors) dense() {
	seen := make([]int32, v.feats)
	for _, f := range v.feat {
		seen[f]++
	}
	number := make([]int32, len(seen))
	v.feats = 0
	for e, n := range seen {
		if n > 1 {
			v.feats++
			number[e] = int32(v.feats)
		}
	}
	v.renumber(number)
	v.strongest(clusterFeatures)
}

// subset returns the vectors of some of the texts.
func (v *vectors) subset(texts []int32) *vectors {
	out := &vectors{feats: v.feats}
	for _, t := range texts {
		out.start = append(out.start, int32(len(out.feat)))
		fs, xs := v.text(int(t))
		out.feat, out.value = append(out.feat, fs...), append(out.value, xs...)
	}
	out.start = append(out.start, int32(len(out.feat)))
	return out
}

// strongest keeps the n features of each text that weigh most.
func (v *vectors) strongest(n int) {
	out := int32(0)
	var sorted []float32
	for t := range len(v.start) - 1 {
		from, to := v.start[t], v.start[t+1]
		v.start[t] = out
		least := float32(0)
		if int(to-from) > n {
			sorted = append(sorted[:0], v.value[from:to]...)
			slices.Sort(sorted)
			least = sorted[len(sorted)-n]
		}
		for i := from; i < to; i++ {
			if v.value[i] >= least {
				v.feat[out], v.value[out] = v.feat[i], v.value[i]
				out++
			}
		}
	}
	v.start[len(v.start)-1] = out
	v.feat, v.value = v.feat[:out], v.value[:out]
}

// renumber replaces features by number-1 and drops those with number 0.
func (v *vectors) renumber(number []int32) {
	out := int32(0)
	for t := range len(v.start) - 1 {
		from, to := v.start[t], v.start[t+1]
		v.start[t] = out
		for i := from; i < to; i++ {
			if n := number[v.feat[i]]; n > 0 {
				v.feat[out], v.value[out] = n-1, v.value[i]
				out++
			}
		}
	}
	v.start[len(v.start)-1] = out
	v.feat, v.value = v.feat[:out], v.value[:out]
}

func (v *vectors) text(t int) ([]int32, []float32) {
	return v.feat[v.start[t]:v.start[t+1]], v.value[v.start[t]:v.start[t+1]]
}

// clusters are the centroids of groups of texts; by feature first, so that one
// text is compared with all of them in one pass.
type clusters struct {
	k        int
	centroid []float32
	of       []int32   // text to cluster; -1 for none
	near     []float32 // cosine with it
}

const (
	clusterRounds   = 5
	clusterFeatures = 24 // of a text; more cost time and part topics no better
)

// cluster groups the texts by spherical k-means. The start is drawn by k-means++
// with a fixed seed: the same texts give the same groups.
func (v *vectors) cluster(k int) *clusters {
	n := len(v.start) - 1
	c := &clusters{k: min(k, n), of: make([]int32, n), near: make([]float32, n)}
	c.centroid = make([]float32, v.feats*c.k)
	v.seed(c)
	for range clusterRounds {
		v.assign(c)
		v.update(c)
	}
	v.assign(c)
	return c
}

// seed draws texts far from those drawn before.
func (v *vectors) seed(c *clusters) {
	draw := rand.New(rand.NewPCG(1, uint64(c.k)))
	n := len(v.start) - 1
	far := make([]float32, n)
	for i := range far {
		far[i] = 1
	}
	dense := make([]float32, v.feats)
	for k := range c.k {
		var sum float32
		for _, x := range far {
			sum += x
		}
		pick, at := 0, draw.Float32()*sum
		for pick < n-1 && at > far[pick] {
			at -= far[pick]
			pick++
		}
		fs, xs := v.text(pick)
		for i, f := range fs {
			dense[f] = xs[i]
			c.centroid[int(f)*c.k+k] = xs[i]
		}
		for t := range n {
			gs, ys := v.text(t)
			var dot float32
			for i, g := range gs {
				dot += ys[i] * dense[g]
			}
			if d := (1 - dot) * (1 - dot); d < far[t] {
				far[t] = max(d, 0)
			}
		}
		far[pick] = 0
		for _, f := range fs {
			dense[f] = 0
		}
	}
}

// assign gives every text to the nearest centroid.
func (v *vectors) assign(c *clusters) {
	sims := make([]float32, c.k)
	for t := range c.of {
		clear(sims)
		fs, xs := v.text(t)
		for i, f := range fs {
			x := xs[i]
			row := c.centroid[int(f)*c.k : int(f)*c.k+c.k]
			for k, y := range row {
				sims[k] += x * y
			}
		}
		c.of[t], c.near[t] = -1, 0
		for k, sim := range sims {
			if sim > c.near[t] {
				c.of[t], c.near[t] = int32(k), sim
			}
		}
	}
}

// update moves each centroid to the mean direction of its texts.
func (v *vectors) update(c *clusters) {
	clear(c.centroid)
	for t, k := range c.of {
		if k < 0 {
			continue
		}
		fs, xs := v.text(t)
		for i, f := range fs {
			c.centroid[int(f)*c.k+int(k)] += xs[i]
		}
	}
	norm := make([]float32, c.k)
	for i, x := range c.centroid {
		norm[i%c.k] += x * x
	}
	for k := range norm {
		norm[k] = inverse(norm[k])
	}
	for i := range c.centroid {
		c.centroid[i] *= norm[i%c.k]
	}
}

// groups are the first n texts by cluster.
func (c *clusters) groups(n int) [][]int32 {
	out := make([][]int32, c.k)
	for t, k := range c.of[:n] {
		if k >= 0 {
			out[k] = append(out[k], int32(t))
		}
	}
	return out
}
