package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/rules/match"
)

// step is the fingerprint of the one step that the simulated deployment has.
const benchStep = "benchmark0001"

// deployment is one app of the benchmark: its rules, its statistics, its index.
type deployment struct {
	sample
	set    *dataset
	wrap   wrapper
	scopes []match.Scope
	stats  *match.Stats
	index  *match.Index
	logged []match.Logged
	opt    match.FitOptions
	warm   bool
	order  []int           // in which people see the traffic
	marked map[string]bool // rules and requests that were ticked
	ticked int             // ticks a rule, so far
	least  float32         // threshold of what is reported, not of what people mark; 0 is the matcher's own
}

// deploy makes the rules of a setting and fits the matcher, through the same
// functions as the product.
func (c *scopeCommand) deploy(d *dataset, s setting, comments commenter) (*deployment, error) {
	p := &deployment{sample: d.draw(s, c.Traffic), set: d, warm: s.Warm, least: float32(c.Threshold), marked: map[string]bool{}}
	p.order = rand.New(rand.NewPCG(s.Seed, 23)).Perm(len(p.traffic))
	p.wrap = newWrapper(c.Wrap, d, s.Seed)
	p.opt.Rivals = c.Rivals
	if len(d.background) > 0 {
		p.opt.Background = match.Count(match.Shipped(), d.background)
	}
	p.stats = p.opt.Background
	if s.Warm {
		p.log()
		p.stats = match.Fit(nil, p.logged, match.FitOptions{Background: p.opt.Background, Rivals: -1}) // what steps repeat
	}
	for i, label := range p.rules {
		sc := match.Scope{ID: fmt.Sprintf("r_%04d", i), Comment: comments.of(label, s.Seed), Sources: []string{label}}
		for _, t := range p.examples[i] {
			sc.Examples = append(sc.Examples, p.extract(t))
		}
		p.scopes = append(p.scopes, sc)
	}
	return p, p.fit()
}

// log fills in the deployment's traffic as the gateway would have logged it.
func (p *deployment) log() {
	for _, t := range p.traffic {
		text := p.wrap.one(t.text)
		p.logged = append(p.logged, match.Logged{Step: benchStep, Text: text,
			Query: match.Extract(benchStep, []string{text}, p.opt.Background)[0]})
	}
}

// extract is what the gateway makes of a request.
func (p *deployment) extract(text string) string {
	q := match.Extract(benchStep, []string{p.wrap.one(text)}, p.stats)
	return q[len(q)-1]
}

func (p *deployment) fit() error {
	if p.warm {
		p.stats = match.Fit(p.scopes, p.logged, p.opt)
	}
	ix, err := match.Compile(p.scopes, p.stats)
	if err != nil {
		return err
	}
	p.index = ix
	return nil
}

// ticksPerRound is how many wrong hits of a rule are marked before the matcher is
// fitted again: people answer what they see.
const ticksPerRound = 5

// tick lets people mark wrong hits on the logged traffic, in the order in which it
// came, until they have marked up to n of each rule.
func (p *deployment) tick(n int) error {
	for p.ticked < n {
		round := min(ticksPerRound, n-p.ticked)
		p.ticked += round
		left := slices.Repeat([]int{round}, len(p.scopes))
		var buf match.Buffer
		for _, i := range p.order {
			t := p.traffic[i]
			q := p.extract(t.text)
			for _, h := range p.index.Match(q, nil, &buf) {
				mark := fmt.Sprint(h.Rule, q)
				if p.rules[h.Rule] == t.label || left[h.Rule] == 0 || p.marked[mark] {
					continue
				}
				p.marked[mark] = true
				left[h.Rule]--
				p.scopes[h.Rule].Counterexamples = append(p.scopes[h.Rule].Counterexamples, q)
			}
		}
		if err := p.fit(); err != nil {
			return err
		}
	}
	return nil
}

// system is anything that chooses rules for a request: Heed or a baseline. It
// returns at most as many as it would inject, with scores; what scores below
// threshold is not injected.
type system struct {
	name      string
	threshold float32
	choose    func(text string) []match.Hit
}

// heed returns the matcher as a system that also reports weaker hits, so that
// other thresholds can be judged afterwards.
func (p *deployment) heed() system {
	loose := p.index.WithThreshold(0.02)
	var buf match.Buffer
	least := p.index.Threshold()
	if p.least > 0 {
		least = p.least
	}
	return system{name: "heed", threshold: least, choose: func(text string) []match.Hit {
		return loose.Match(p.extract(text), nil, &buf)
	}}
}

// commenter writes the comments of the feedback.
type commenter struct {
	named bool
	lines []string
}

// The comments of simulated people. Named ones say the topic, as %s.
var (
	namedComments = []string{
		"For %s questions please keep the answer short and link the help page.",
		"Wrong tone: for anything related to %s be polite and apologise.",
		"When somebody asks about %s, answer in numbered steps.",
		"This should end with the phone number of the team that handles %s.",
		"Too long. %s needs one sentence only.",
		"Please always mention the deadline in answers on %s.",
		"Don't guess with %s, ask which account it is first.",
		"The answer about %s misses the example we agreed on.",
	}
	freeComments = []string{
		"Please keep the answer short and link the help page.",
		"Wrong tone, be polite and apologise.",
		"Answer in numbered steps.",
		"This should end with the phone number of the team.",
		"Too long. One sentence is enough.",
		"Please always mention the deadline.",
		"Don't guess, ask first.",
		"The answer misses the example we agreed on.",
	}
)

// newCommenter takes "topicfree", "named" or the name of a file with a comment a
// line, in which %s stands for the topic.
func newCommenter(kind string) (commenter, error) {
	switch kind {
	case "topicfree":
		return commenter{lines: freeComments}, nil
	case "named":
		return commenter{lines: namedComments, named: true}, nil
	}
	lines, err := readLines(kind)
	if err != nil {
		return commenter{}, fmt.Errorf("comments: %w (topicfree, named or a file)", err)
	}
	return commenter{lines: lines, named: slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "%s") })}, nil
}

// of returns the comment on a label's answers; always the same for a seed.
func (c commenter) of(label string, seed uint64) string {
	h := seed
	for _, b := range []byte(label) {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	line := c.lines[(h>>17)%uint64(len(c.lines))]
	return strings.ReplaceAll(line, "%s", strings.NewReplacer("_", " ", "-", " ", ".", " ").Replace(label))
}

func sortHits(hits []match.Hit) {
	slices.SortFunc(hits, func(a, b match.Hit) int { return cmp.Or(cmp.Compare(b.P, a.P), cmp.Compare(a.Rule, b.Rule)) })
}
