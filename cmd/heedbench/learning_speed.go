package main

import (
	"fmt"
	"slices"
	"time"
)

// speed measures the time from feedback to effect with automatic approval: from
// just before the feedback is posted until the first request is answered whose
// headers name the new rule. Such a rule begins with a tenth of the units, so
// every request is another unit's.
func (c *learningCommand) speed(b *bench) error {
	var took []time.Duration
	for seed := range c.Seeds {
		w, err := c.newWorld(b, topicWishes(b.d, c.Topics, uint64(seed)), uint64(seed), "approval: auto, quorum: 1, max_touch: 1")
		if err != nil {
			return err
		}
		ds, err := w.effects(c.Traffic)
		w.stop()
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
		took = append(took, ds...)
	}
	slices.Sort(took)
	p50, p95 := took[len(took)/2].Seconds(), took[len(took)*95/100].Seconds()
	fmt.Fprintf(b.out, "\ntrack speed (automatic approval)\n  feedback to the first request that carries the rule, %d rules: p50 %.3f s, p95 %.3f s\n", len(took), p50, p95)
	b.hold("feedback to effect, p50, s", p50, "<", 1, "")
	b.hold("feedback to effect, p95, s", p95, "<", 5, "learning.md section 6")
	return nil
}

func (w *world) effects(traffic int) ([]time.Duration, error) {
	if err := w.traffic(traffic); err != nil {
		return nil, err
	}
	var out []time.Duration
	for i := range w.wishes {
		texts := w.d.byLabel[w.wishes[i].ID]
		query := texts[w.rng.IntN(len(texts))]
		a, err := w.askAs(fmt.Sprint("person-", i), query)
		if err != nil {
			return nil, err
		}
		comment, when := w.comment(&w.wishes[i], 0) // free text waits for a person
		start := time.Now()
		if err := w.post(a, saying{query: query, comment: comment, when: when, wish: &w.wishes[i], rating: -1}, ""); err != nil {
			return nil, err
		}
		for asked := 0; ; asked++ {
			a, err := w.chat(w.gateway+"/v1", agentPrompt, query, false, fmt.Sprint("visitor-", i, "-", asked))
			if err != nil {
				return nil, err
			}
			if a.touched {
				break
			}
			if time.Since(start) > benchWait {
				return nil, errNotInTime
			}
		}
		out = append(out, time.Since(start))
		if err := w.settled(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
