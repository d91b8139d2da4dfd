package main

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// labelled is one text of a set and its topic.
type labelled struct{ label, text string }

// maxLineBytes bounds a line of a data file.
const maxLineBytes = 1 << 20

// readTSV reads "label TAB text" lines, gzipped where the name ends in .gz.
func readTSV(path string) ([]labelled, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("read %q: %w", path, err)
		}
		r = z
	}
	var out []labelled
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLineBytes)
	for n := 1; lines.Scan(); n++ {
		label, text, ok := strings.Cut(lines.Text(), "\t")
		if !ok {
			return nil, fmt.Errorf("read %q: line %d: want label TAB text", path, n)
		}
		if text = strings.TrimSpace(text); text != "" {
			out = append(out, labelled{label, text})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return out, nil
}

// dataset is what a run measures on.
type dataset struct {
	name        string
	labels      []string // topics, sorted
	train, test []labelled
	byLabel     map[string][]string // train texts
	groups      []group             // unrelated or near traffic, for which no rule is right
	background  []string
}

// group is out-of-scope traffic of one kind.
type group struct {
	name  string
	texts []string
}

func readSet(prefix, background string, oos []string) (*dataset, error) {
	d := &dataset{name: filepath.Base(prefix), byLabel: map[string][]string{}}
	var err error
	if d.train, err = readTSV(prefix + ".train.tsv.gz"); err != nil {
		return nil, err
	}
	if d.test, err = readTSV(prefix + ".test.tsv.gz"); err != nil {
		return nil, err
	}
	if len(d.train) == 0 || len(d.test) == 0 {
		return nil, errors.New("the set is empty")
	}
	for _, l := range d.train {
		if d.byLabel[l.label] == nil {
			d.labels = append(d.labels, l.label)
		}
		d.byLabel[l.label] = append(d.byLabel[l.label], l.text)
	}
	slices.Sort(d.labels)
	if background != "" {
		lines, err := readTSV(background)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			d.background = append(d.background, l.text)
		}
	}
	for _, path := range oos {
		lines, err := readTSV(path)
		if err != nil {
			return nil, err
		}
		d.addGroups(lines)
	}
	return d, nil
}

// half names the topics that may have rules: all, or every second one by a hash of
// their names, which is the same for every seed.
func (d *dataset) half(which string) []string {
	order := slices.Clone(d.labels)
	if which == "all" {
		return order
	}
	slices.SortFunc(order, func(a, b string) int { return cmp.Compare(hashOf(a), hashOf(b)) })
	if which == "first" {
		return order[:len(order)/2]
	}
	return order[len(order)/2:]
}

// addGroups files out-of-scope texts under the group that their label names.
func (d *dataset) addGroups(lines []labelled) {
	for _, l := range lines {
		i := slices.IndexFunc(d.groups, func(g group) bool { return g.name == l.label })
		if i < 0 {
			i = len(d.groups)
			d.groups = append(d.groups, group{name: l.label})
		}
		d.groups[i].texts = append(d.groups[i].texts, l.text)
	}
}

// setting is one cell of the benchmark.
type setting struct {
	Set      string  `json:"set"`
	Topics   string  `json:"topics"` // all, or which half of the set's
	Comments string  `json:"comments"`
	N        int     `json:"n"`
	Coverage float64 `json:"coverage"`
	Ticks    int     `json:"ticks"`
	Seed     uint64  `json:"seed"`
	Warm     bool    `json:"warm"`
}

// sample is a setting's draw: which topics have rules, from which requests, and
// what else the deployment has logged.
type sample struct {
	rules    []string // labels with a rule, sorted
	examples [][]string
	traffic  []labelled
}

// draw chooses topics, examples and traffic. The topics depend on the seed and
// the coverage only, so that settings are comparable.
func (d *dataset) draw(s setting, maxTraffic int) sample {
	rng := rand.New(rand.NewPCG(s.Seed, 17))
	labels := d.half(s.Topics)
	rng.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	k := min(max(1, int(s.Coverage*float64(len(d.labels))+0.5)), len(labels))
	out := sample{rules: slices.Sorted(slices.Values(labels[:k]))}
	used := map[string]bool{}
	for _, label := range out.rules {
		texts := d.byLabel[label]
		var ex []string
		for _, i := range rng.Perm(len(texts))[:min(s.N, len(texts))] {
			ex = append(ex, texts[i])
			used[texts[i]] = true
		}
		out.examples = append(out.examples, ex)
	}
	for _, i := range rng.Perm(len(d.train)) {
		if t := d.train[i]; !used[t.text] && len(out.traffic) < maxTraffic {
			out.traffic = append(out.traffic, t)
		}
	}
	return out
}
