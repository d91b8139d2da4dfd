package main

import (
	"slices"
	"strings"
	"sync"
)

// approach answers a question in one way: through Heed, or as a baseline does.
type approach struct {
	name string
	ask  func(question string) (reply, error)
}

// heedSystem is Heed's name among the systems.
const heedSystem = "heed"

// systems are Heed and what people do without it.
func (w *world) systems() []approach {
	return []approach{
		{heedSystem, func(q string) (reply, error) { return w.ask(q, false) }},
		{"no learning", w.pasting(func(string) []saying { return nil })},
		{"paste every comment", w.pasting(func(string) []saying { return w.said })},
		{"three nearest comments", w.pasting(w.nearest)},
		{"exact match", w.pasting(w.exact)},
		{"inject all", w.injecting},
	}
}

// pasting is a baseline that puts the chosen comments, in the people's words,
// into the system prompt.
func (w *world) pasting(choose func(question string) []saying) func(string) (reply, error) {
	return func(q string) (reply, error) {
		var b strings.Builder
		b.WriteString(agentPrompt)
		chosen := choose(q)
		for i, s := range chosen {
			if i == 0 {
				b.WriteString("\n\nPeople said about earlier answers:")
			}
			if s.comment != "" {
				b.WriteString("\n- " + s.comment)
			}
		}
		a, err := w.askDirect(b.String(), q)
		a.touched = len(chosen) > 0
		return a, err
	}
}

// injecting puts every saying as a conditional rule into the prompt.
func (w *world) injecting(q string) (reply, error) {
	var b strings.Builder
	b.WriteString(agentPrompt + "\n\n<learned_guidelines>\n")
	for _, s := range w.said {
		if s.comment == "" {
			continue
		}
		when := s.when
		if when == "" {
			when = "the request is like an earlier one"
		}
		if s.wish != nil {
			w.conditions.add(when, s.wish)
		}
		b.WriteString("- When " + when + ": " + s.comment + "\n")
	}
	b.WriteString("</learned_guidelines>")
	a, err := w.askDirect(b.String(), q)
	a.touched = len(w.said) > 0
	return a, err
}

func (w *world) exact(q string) []saying {
	var out []saying
	for _, s := range w.said {
		if s.query == q {
			out = append(out, s)
		}
	}
	return out
}

// nearest are the three sayings whose judged queries share the most words with q,
// by the Jaccard index; what a vector store of comments does, without one.
func (w *world) nearest(q string) []saying {
	words := wordSet(q)
	type scored struct {
		s saying
		x float64
	}
	var best []scored
	for _, s := range w.said {
		both, all := 0, len(words)
		for v := range wordSet(s.query) {
			if words[v] {
				both++
			} else {
				all++
			}
		}
		best = append(best, scored{s, ratio(float64(both), float64(all))})
	}
	var out []saying
	for range min(3, len(best)) {
		at := 0
		for i := range best {
			if best[i].x > best[at].x {
				at = i
			}
		}
		out = append(out, best[at].s)
		best[at].x = -1
	}
	return out
}

func wordSet(s string) map[string]bool {
	out := map[string]bool{}
	for _, v := range strings.Fields(strings.ToLower(s)) {
		out[strings.Trim(v, ".,?!'\"")] = true
	}
	return out
}

// conditions is the truth about when a rule applies: which wishes each condition
// in a prompt stands for. The simulated model asks it, as a real model would
// judge a condition by its own understanding.
type conditions struct {
	mu     sync.Mutex
	wishes map[string][]*wish
}

func newConditions() *conditions { return &conditions{wishes: map[string][]*wish{}} }

func (c *conditions) add(condition string, e *wish) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key := normal(condition); !slices.Contains(c.wishes[key], e) {
		c.wishes[key] = append(c.wishes[key], e)
	}
}

func (c *conditions) fit(condition, topic string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.wishes[normal(condition)], func(e *wish) bool { return e.covers(topic) })
}

func normal(s string) string {
	s = strings.ToLower(strings.Trim(s, " .:,;"))
	return strings.TrimPrefix(s, "when ")
}
