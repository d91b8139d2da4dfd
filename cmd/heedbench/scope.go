package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// scopeCommand measures which unseen requests get which rules.
type scopeCommand struct {
	Set        string    `required:"" help:"Prefix of the set: PREFIX.train.tsv.gz and PREFIX.test.tsv.gz hold label TAB text."`
	Background string    `help:"More text for the word statistics of a new app, label TAB text; without it the shipped statistics alone."`
	OOS        []string  `name:"oos" sep:"none" help:"Requests to which no rule applies, group TAB text; may be repeated."`
	Coverage   []float64 `default:"0.05,0.2,0.5,1" help:"Shares of the topics that have a rule; the others are the neighbouring traffic."`
	N          []int     `default:"1,2,4,8" help:"Feedback records a rule."`
	Ticks      []int     `default:"0,10,20" help:"Wrong hits a rule that people mark as not applying."`
	Seeds      int       `default:"3" help:"How many seeds; each draws its own topics, requests and order."`
	FirstSeed  int       `default:"100" help:"The first of them."`
	Half       string    `default:"all" enum:"all,first,second" help:"Topics that may have a rule: ${enum}; the halves never change, so that what was tuned on one can be confirmed on the other."`
	Warm       bool      `help:"Fit on the set's other train requests, without labels, as logged traffic."`
	Traffic    int       `default:"10000" help:"How many of them."`
	Comments   []string  `default:"topicfree" help:"What people write: topicfree, named (the topic is said) or a file with a comment a line, %s for the topic; several give several rows."`
	Wrap       string    `default:"none" enum:"none,template,rag,typos,followup" help:"What surrounds the requests: ${enum}."`
	JSON       string    `name:"json" type:"path" help:"Write the results there."`
	Decisions  string    `type:"path" help:"Write every decision there, as JSON lines."`
	Threshold  float64   `help:"Report at another threshold than the matcher's own; people mark what its own shows."`
	Rivals     int       `help:"Clusters of other traffic; 0 lets the matcher choose, -1 is none."`
	Multi      bool      `help:"Requests that call for several rules: messages of two or three requests, and rules for all topics whose names share a word."`
	HTTP       bool      `name:"http" help:"Learn through the running program (feedback API, approval, gateway) and compare its decisions with those in process."`
	Heed       string    `help:"With --http, the heed program; default: built from ./cmd/heed." placeholder:"FILE"`
	Queries    int       `default:"500" help:"With --http, how many test requests to ask."`
	Baselines  bool      `default:"true" negatable:"" help:"Show what simpler systems do."`
}

// Run measures every combination of the flags.
func (c *scopeCommand) Run(out io.Writer) error {
	d, err := readSet(c.Set, c.Background, c.OOS)
	if err != nil {
		return fmt.Errorf("scope: %w", err)
	}
	if c.HTTP {
		return c.overHTTP(out, d)
	}
	log, err := openDecisions(c.Decisions)
	if err != nil {
		return fmt.Errorf("scope: %w", err)
	}
	var results []result
	for _, kind := range c.Comments {
		comments, err := newCommenter(kind)
		if err != nil {
			return fmt.Errorf("scope: %w", err)
		}
		for _, s := range c.settings(d.name, kind) {
			r, err := c.measure(d, s, comments, log)
			if err != nil {
				return fmt.Errorf("scope: %w", err)
			}
			results = append(results, r...)
		}
	}
	if err := log.close(); err != nil {
		return fmt.Errorf("scope: write decisions: %w", err)
	}
	mean := average(results)
	if err := printResults(out, mean); err != nil {
		return err
	}
	return c.writeJSON(results, mean)
}

// settings are the deployments to make, without ticks.
func (c *scopeCommand) settings(set, comments string) []setting {
	var out []setting
	for _, cov := range c.Coverage {
		for _, n := range c.N {
			for seed := range c.Seeds {
				out = append(out, setting{Set: set, Topics: c.Half, Comments: comments, N: n, Coverage: cov, Seed: uint64(c.FirstSeed + seed), Warm: c.Warm})
			}
		}
	}
	return out
}

// measure runs Heed, after ever more ticks, and without them, which they cannot
// use, the baselines.
func (c *scopeCommand) measure(d *dataset, s setting, comments commenter, log *decisionLog) ([]result, error) {
	p, err := c.deploy(d, s, comments)
	if err != nil {
		return nil, err
	}
	if c.Wrap == "followup" {
		return p.followups(s), nil
	}
	if c.Multi {
		return p.several(s, comments)
	}
	said := make([]string, len(p.scopes))
	for i := range p.scopes {
		said[i] = p.scopes[i].Comment
	}
	var out []result
	for _, s.Ticks = range slices.Sorted(slices.Values(c.Ticks)) {
		if err := p.tick(s.Ticks); err != nil {
			return nil, err
		}
		sys := p.heed()
		ds := d.decide(sys)
		log.write(s, p.rules, ds, sys.threshold)
		out = append(out, score(s, sys, ds, p.rules, said))
		if c.Baselines && s.Ticks == 0 {
			for _, b := range p.baselines() {
				out = append(out, score(s, b, d.decide(b), p.rules, said))
			}
		}
	}
	return out, log.err
}

// decisionLog writes decisions as JSON lines, so that anybody can score them.
type decisionLog struct {
	file *os.File
	w    *bufio.Writer
	err  error
}

func openDecisions(path string) (*decisionLog, error) {
	if path == "" {
		return &decisionLog{}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &decisionLog{file: f, w: bufio.NewWriter(f)}, nil
}

// write adds one setting's decisions: its line, then one per request.
func (l *decisionLog) write(s setting, rules []string, ds []decision, threshold float32) {
	if l.file == nil {
		return
	}
	e := json.NewEncoder(l.w)
	e.SetEscapeHTML(false)
	l.note(e.Encode(struct {
		setting
		Rules []string `json:"rules"`
	}{s, rules}))
	for i := range ds {
		d := struct {
			Text     string    `json:"text"`
			Label    string    `json:"label"`
			Injected []string  `json:"injected"`
			P        []float32 `json:"p"`
		}{Text: ds[i].text, Label: ds[i].label, Injected: []string{}, P: []float32{}}
		for _, h := range ds[i].hits {
			if h.P >= threshold {
				d.Injected, d.P = append(d.Injected, rules[h.Rule]), append(d.P, h.P)
			}
		}
		l.note(e.Encode(d))
	}
}

func (l *decisionLog) note(err error) {
	if l.err == nil {
		l.err = err
	}
}

func (l *decisionLog) close() error {
	if l.file == nil {
		return nil
	}
	l.note(l.w.Flush())
	l.note(l.file.Close())
	return l.err
}

func readLines(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%q is empty", path)
	}
	return out, nil
}
