package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"heed/rules"
	"heed/store"
)

// decide is the approver: an admin who sees the API only, and knows what the agent
// ought to do. They tick the card's examples, approve what is safe and wanted,
// follow the advice on conflicts, and are wrong in a share of all that.
func (w *world) decide() error {
	if err := w.handled(); err != nil {
		return err
	}
	if err := w.settled(); err != nil {
		return err
	}
	open, err := w.open()
	if err != nil {
		return err
	}
	for i := range open {
		if err := w.judge(&open[i]); err != nil {
			return err
		}
	}
	return w.settle()
}

// errs draws whether the approver decides wrongly: once in each ten decisions at a
// share of a tenth, at a place drawn by seed. Drawn one by one, five of 40 instead
// of four cost more adherence than what is to be measured.
func (w *world) errs() bool {
	if w.errors <= 0 {
		return false
	}
	round := max(1, int(math.Round(1/w.errors)))
	at := (w.decided - 1) % round
	if at == 0 {
		w.wrongAt = w.decisions.IntN(round)
	}
	return at == w.wrongAt
}

// misticks draws whether the approver ticks wrongly.
func (w *world) misticks() bool { return w.ticking.Float64() < w.errors }

func (w *world) judge(pr *store.Proposal) error {
	w.decided++
	e, wanted := w.wanted(pr)
	if (len(pr.Problems) == 0 && wanted) == w.errs() {
		return w.answer(pr, "reject", map[string]any{"reason": "not what we want"})
	}
	if w.ticks != "none" && e != nil && len(pr.Problems) == 0 && pr.Rule() != nil && !pr.Rule().Scope.Always {
		if err := w.tick(pr, e); err != nil {
			return err
		}
	}
	for range maxLooks {
		err := w.answer(pr, "approve", map[string]any{"digest": pr.Digest()})
		if !errors.Is(err, errStale) {
			return err
		}
		shown := pr.Version
		err = until(func() (bool, error) { // the learner puts on the card what came in force
			err := w.look(pr)
			return pr.Version != shown, err
		})
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("proposal %s changes as often as it is looked at", pr.ID)
}

// maxLooks is how often the approver looks at a card that changes.
const maxLooks = 10

func (w *world) look(pr *store.Proposal) error {
	ctx, cancel := limited()
	defer cancel()
	var now store.Proposal
	err := w.api(ctx, http.MethodGet, "proposals/"+pr.ID, nil, nil, &now)
	*pr = now
	return err
}

func (w *world) answer(pr *store.Proposal, verb string, in map[string]any) error {
	ctx, cancel := limited()
	defer cancel()
	err := w.api(ctx, http.MethodPost, "proposals/"+pr.ID+"/"+verb, nil, in, nil)
	if err != nil && len(pr.Problems) > 0 {
		return nil // an unsafe proposal cannot be approved, not even by mistake
	}
	return err
}

// wanted is what the proposal's first record asks for, and whether the agent ought
// to do it. One person's taste is wanted for that person only.
func (w *world) wanted(pr *store.Proposal) (*wish, bool) {
	for _, e := range pr.Evidence {
		if s := w.saying(e.Feedback); s != nil {
			r := pr.Rule()
			return s.wish, s.wish != nil || s.personal && r != nil && r.Scope.Hard.User != ""
		}
	}
	return nil, true // a proposal to retire, or a stranger's
}

// tick says of the examples on the card whether the rule applies to them.
func (w *world) tick(pr *store.Proposal, e *wish) error {
	shown := slices.Clone(pr.Touch.Inside)
	if w.ticks == "all" {
		shown = append(shown, pr.Touch.Near...)
	}
	for _, s := range shown {
		if s.Mark != "" || slices.Contains(pr.Rule().Scope.Examples, s.Query) {
			continue
		}
		in := map[string]any{"query": s.Query, "applies": e.covers(w.label[s.Query]) != w.misticks()}
		ctx, cancel := limited()
		err := w.api(ctx, http.MethodPost, "proposals/"+pr.ID+"/ticks", nil, in, pr)
		cancel()
		if err != nil {
			return err
		}
		w.ticked++
	}
	return nil
}

// settle waits until the gateway serves the head and the word statistics follow
// it, and learns the truth about the rules in force.
func (w *world) settle() error {
	if err := w.settled(); err != nil {
		return err
	}
	heads, err := list[store.HeadRecord](w.program, "rulesets", nil)
	if err != nil {
		return err
	}
	if len(heads) > 0 {
		err = until(func() (bool, error) {
			a, err := w.ask("hello", false)
			return a.epoch >= uint64(heads[0].Head.Epoch), err
		})
		if err != nil {
			return err
		}
	}
	rs, err := list[rules.Rule](w.program, "rules", nil)
	if err != nil {
		return err
	}
	clear(w.meant)
	for i := range rs {
		if rs[i].State != rules.Active && rs[i].State != rules.Canary {
			continue
		}
		w.meant[rs[i].ID] = nil
		for _, id := range rs[i].Sources {
			if s := w.saying(id); s != nil && s.wish != nil {
				w.meant[rs[i].ID] = s.wish
				w.conditions.add(rs[i].Scope.AppliesWhen, s.wish)
			}
		}
	}
	return nil
}

// calm is how many looks in a row must find the learner at rest: between a change
// in the store and the learner's first step about it there is a moment.
const calm = 10

// settled waits until the word statistics hold what was learned and decided.
func (p *program) settled() error {
	rest := 0
	return until(func() (bool, error) {
		n, err := p.metric("heed_learner_apps_settling")
		if rest++; n != 0 {
			rest = 0
		}
		return rest >= calm, err
	})
}

// metric reads one value without labels from the admin listener.
func (p *program) metric(name string) (float64, error) {
	ctx, cancel := limited()
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := p.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var all bytes.Buffer
	if _, err := all.ReadFrom(resp.Body); err != nil {
		return 0, err
	}
	for line := range bytes.Lines(all.Bytes()) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			return strconv.ParseFloat(string(bytes.TrimSpace(rest)), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s (status %d)", name, resp.StatusCode)
}

func (p *program) open() ([]store.Proposal, error) {
	return list[store.Proposal](p, "proposals", url.Values{"state": {"open"}})
}
