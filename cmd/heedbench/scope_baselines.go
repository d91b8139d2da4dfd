package main

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"heed/rules/match"
)

// baselines are what simpler systems choose, for comparison. Where one needs a
// threshold, it is the score that one in a hundred of the unrelated background
// texts (or, without any, of the rules' own examples seen as strangers to the
// other rules) exceeds: no label is used.
func (p *deployment) baselines() []system {
	words := newWordIndex(p)
	all := make([]match.Hit, len(p.scopes))
	for i := range all {
		all[i] = match.Hit{Rule: i, P: 1}
	}
	exact := map[string]int{}
	for i, ex := range p.examples {
		for _, t := range ex {
			exact[t] = i
		}
	}
	one := func(text string) []match.Hit {
		if i, ok := exact[text]; ok {
			return []match.Hit{{Rule: i, P: 1}}
		}
		return nil
	}
	return []system{
		{name: "none", threshold: 1, choose: func(string) []match.Hit { return nil }},
		{name: "inject everything", threshold: 1, choose: func(string) []match.Hit { return all }},
		{name: "exact match", threshold: 1, choose: one},
		{name: "bm25", threshold: words.quantile(words.bm25), choose: words.best(words.bm25, match.MaxHits)},
		{name: "tf-idf centroid, top 1", threshold: words.quantile(words.cosine), choose: words.best(words.cosine, 1)},
		{name: "paste every comment", threshold: 1, choose: func(string) []match.Hit { return all }},
		{name: "three nearest comments", threshold: 0, choose: words.best(words.commentCosine, 3)},
	}
}

// wordIndex is what the baselines know: words, weighed by their rarity in the
// rules' examples and the background.
type wordIndex struct {
	docs       []map[string]float64 // by rule: word counts of its examples
	centroids  []map[string]float64
	comments   []map[string]float64
	length     []float64
	average    float64
	df         map[string]float64
	texts      float64
	background []string
	last       string // the text of lastVector: rules are scored one after the other
	lastVector map[string]float64
	lastCounts map[string]float64
}

// see makes text the one being scored.
func (x *wordIndex) see(text string) {
	if x.last != text || x.lastVector == nil {
		x.last, x.lastVector, x.lastCounts = text, x.vector(text), counts(text)
	}
}

func newWordIndex(p *deployment) *wordIndex {
	x := &wordIndex{df: map[string]float64{}, background: p.set.background}
	count := func(text string) {
		x.texts++
		for w := range counts(text) {
			x.df[w]++
		}
	}
	for _, ex := range p.examples {
		for _, t := range ex {
			count(t)
		}
	}
	for _, t := range x.background {
		count(t)
	}
	for i, ex := range p.examples {
		joined := counts(strings.Join(ex, " "))
		n := 0.0
		for _, c := range joined {
			n += c
		}
		x.docs, x.length = append(x.docs, joined), append(x.length, n)
		x.average += n / float64(len(p.examples))
		sum := map[string]float64{}
		for _, t := range ex {
			for w, v := range x.vector(t) {
				sum[w] += v
			}
		}
		x.centroids = append(x.centroids, unit(sum))
		x.comments = append(x.comments, x.vector(p.scopes[i].Comment))
	}
	if len(x.background) == 0 {
		for _, ex := range p.examples {
			x.background = append(x.background, ex[0])
		}
	}
	return x
}

func counts(text string) map[string]float64 {
	m := map[string]float64{}
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		m[w]++
	}
	return m
}

func (x *wordIndex) idf(w string) float64 { return math.Log((x.texts + 1) / (x.df[w] + 0.5)) }

func (x *wordIndex) vector(text string) map[string]float64 {
	v := counts(text)
	for w, c := range v {
		v[w] = (1 + math.Log(c)) * x.idf(w)
	}
	return unit(v)
}

func unit(v map[string]float64) map[string]float64 {
	sum := 0.0
	for _, w := range sortedKeys(v) {
		sum += v[w] * v[w]
	}
	for w := range v {
		v[w] /= math.Sqrt(sum)
	}
	return v
}

func sortedKeys(v map[string]float64) []string {
	keys := make([]string, 0, len(v))
	for w := range v {
		keys = append(keys, w)
	}
	slices.Sort(keys)
	return keys
}

// bm25 scores a rule's examples as one document (Robertson and Zaragoza 2009,
// equation 3.15, with the usual k1 = 1.2, b = 0.75).
func (x *wordIndex) bm25(text string, rule int) float64 {
	x.see(text)
	score := 0.0
	for _, w := range sortedKeys(x.lastCounts) {
		if tf := x.docs[rule][w]; tf > 0 {
			score += x.idf(w) * tf * 2.2 / (tf + 1.2*(0.25+0.75*x.length[rule]/x.average))
		}
	}
	return score
}

func (x *wordIndex) cosine(text string, rule int) float64 {
	x.see(text)
	return dot(x.lastVector, x.centroids[rule])
}

func (x *wordIndex) commentCosine(text string, rule int) float64 {
	x.see(text)
	return dot(x.lastVector, x.comments[rule])
}

func dot(a, b map[string]float64) float64 {
	sum := 0.0
	for _, w := range sortedKeys(a) {
		sum += a[w] * b[w]
	}
	return sum
}

// best returns a system's choice: the n rules of highest positive score.
func (x *wordIndex) best(score func(text string, rule int) float64, n int) func(text string) []match.Hit {
	return func(text string) []match.Hit {
		var hits []match.Hit
		for r := range x.docs {
			if s := score(text, r); s > 0 {
				hits = append(hits, match.Hit{Rule: r, P: float32(s)})
			}
		}
		sortHits(hits)
		return hits[:min(n, len(hits))]
	}
}

// quantile is the best score that one in a hundred background texts exceeds.
func (x *wordIndex) quantile(score func(text string, rule int) float64) float32 {
	var tops []float64
	for i := 0; i < len(x.background); i += 1 + len(x.background)/1000 {
		top := 0.0
		for r := range x.docs {
			top = max(top, score(x.background[i], r))
		}
		tops = append(tops, top)
	}
	slices.Sort(tops)
	return float32(tops[len(tops)*99/100])
}
