package learner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// unlearn takes back everything that rests on the record.
func (l *Learner) unlearn(ctx context.Context, s *state, f *store.Feedback, why string) error {
	if err := l.forget(ctx, s, f.ID, why); err != nil {
		return err
	}
	changed := len(s.order) + len(s.found)
	s.handle(f, f.Link, "retracted", fmt.Sprintf("%s: %s changed", why, plural(changed, "proposal or finding", "proposals and findings")))
	return nil
}

// forget removes one record from findings, open proposals and rules in force:
// proposals lose it as evidence and are closed when nothing is left; a rule whose
// sources are all gone gets a proposal to retire it, one with others left a
// proposal that derives it anew from them.
func (l *Learner) forget(ctx context.Context, s *state, id, why string) error {
	s.forgetIn(id)
	for _, p := range slices.Clone(s.open) {
		i := slices.IndexFunc(p.Evidence, func(e store.Evidence) bool { return e.Feedback == id })
		if i < 0 || p.Rule() == nil {
			continue
		}
		if err := l.loseEvidence(ctx, s, p, i, why); err != nil {
			return err
		}
	}
	f, err := l.opt.Store.FeedbackByID(ctx, s.app, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read what is taken back: %w", err)
	}
	query := ""
	if err == nil && f.Link != nil {
		query = cut(f.Link.Query, rules.MaxExampleBytes)
	}
	for i := range s.set.Rules {
		r := &s.set.Rules[i]
		switch {
		case slices.Contains(r.Sources, id):
			err = l.rederive(ctx, s, r, id, why)
		case query != "" && len(r.Sources) > 0 && slices.Contains(r.Scope.Examples, query):
			err = l.withoutExample(ctx, s, r, query)
		default:
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutExample proposes a rule without a request that it has from a rule whose
// place it took (inherit): its people did not give it.
func (l *Learner) withoutExample(ctx context.Context, s *state, r *rules.Rule, query string) error {
	left, _, err := l.sources(ctx, s, r, "")
	if err != nil {
		return err
	}
	if fromEvidence(left, query) {
		return nil
	}
	next := r.Clone()
	next.Version++
	next.Scope.Examples = slices.DeleteFunc(next.Scope.Examples, func(q string) bool { return q == query })
	p := &store.Proposal{ID: store.NewID(), State: store.Open, Evidence: left, People: store.People(left), Ops: []rules.Operation{{Kind: rules.Revise, Rule: next}}}
	if err := l.finish(ctx, s, p); err != nil {
		return err
	}
	p.Title = oneLine("Without what was taken back: "+p.Title, 160)
	return nil
}

// loseEvidence takes the i-th record from behind an open proposal.
func (l *Learner) loseEvidence(ctx context.Context, s *state, p *store.Proposal, i int, why string) error {
	next := cloneProposal(p)
	lost := next.Evidence[i]
	next.Evidence = slices.Delete(next.Evidence, i, i+1)
	next.People = store.People(next.Evidence)
	if len(next.Evidence) == 0 {
		next.State, next.DecidedBy, next.DecidedAt, next.Reason = store.Expired, "learner", s.now, "no evidence is left: "+why
		s.put(next)
		s.open = slices.DeleteFunc(s.open, func(o *store.Proposal) bool { return o.ID == p.ID })
		return nil
	}
	r := next.Rule()
	var keep []string
	if old := s.set.Rule(r.ID); old != nil {
		keep = old.Scope.Examples
		r.Sources, r.Authors = slices.Clone(old.Sources), slices.Clone(old.Authors)
	} else {
		r.Sources, r.Authors = nil, nil
		for _, q := range r.Scope.Examples { // ticked by an admin: from no record
			if q != cut(lost.Query, rules.MaxExampleBytes) && !fromEvidence(next.Evidence, q) {
				keep = append(keep, q)
			}
		}
	}
	s.reword(r, lost, next.Evidence)
	support(r, next.Evidence, keep, s.known)
	return l.finish(ctx, s, next)
}

func fromEvidence(evidence []store.Evidence, query string) bool {
	return slices.ContainsFunc(evidence, func(e store.Evidence) bool { return cut(e.Query, rules.MaxExampleBytes) == query })
}

// reword replaces words that were the lost record's own by those of the oldest
// record that is left: nobody's words stay after they took them back.
func (s *state) reword(r *rules.Rule, lost store.Evidence, left []store.Evidence) {
	own := func(e store.Evidence) (action, when string, ok bool) {
		action, when, ok = instruction(&store.Feedback{Comment: e.Quote, When: e.When})
		if c, changes := check.Replacement(e.Quote); changes && c.Now == r.Action {
			return c.Now, when, true
		}
		return action, when, ok
	}
	action, when, ok := own(lost)
	ok = ok && !slices.ContainsFunc(left, func(e store.Evidence) bool { a, _, _ := own(e); return a == action })
	if ok {
		r.Wordings = slices.DeleteFunc(slices.Clone(r.Wordings), func(w string) bool { return w == action })
	}
	if ok && action == r.Action {
		r.Fact = nil // an admin answered for other words
		for _, e := range left {
			if a, _, ok := own(e); ok {
				r.Action = oneLine(a, rules.MaxActionRunes)
				r.Wordings = slices.DeleteFunc(r.Wordings, func(w string) bool { return w == r.Action })
				break
			}
		}
		r.Checks = check.Compile(r.Action)
	}
	if when != "" && r.Scope.AppliesWhen == condition(when, lost.Query, s.known) {
		r.Scope.AppliesWhen = ""
		for _, e := range left {
			if _, w, _ := own(e); w != "" {
				r.Scope.AppliesWhen = condition(w, e.Query, s.known)
				return
			}
		}
		r.Scope.AppliesWhen = topicFrame // support makes it of the examples that are left
	}
}

// rederive proposes what is left of a rule in force without one of its sources.
func (l *Learner) rederive(ctx context.Context, s *state, r *rules.Rule, lost, why string) error {
	left, lostEvidence, err := l.sources(ctx, s, r, lost)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		return s.proposeRetire(r, why)
	}
	next := r.Clone()
	next.Version++
	next.Sources, next.Authors = nil, nil
	s.reword(next, lostEvidence, left)
	var keep []string
	for _, q := range r.Scope.Examples {
		if q != cut(lostEvidence.Query, rules.MaxExampleBytes) {
			keep = append(keep, q)
		}
	}
	support(next, left, keep, s.known)
	p := &store.Proposal{ID: store.NewID(), State: store.Open, Evidence: left, People: store.People(left),
		Ops: []rules.Operation{{Kind: rules.Revise, Rule: next}}}
	for _, o := range s.open { // one that is open for the rule starts from what was taken back
		if len(o.Ops) > 0 && o.Ops[0].Kind == rules.Revise && o.Rule().ID == r.ID {
			p.ID, p.Created = o.ID, o.Created
		}
	}
	if err := l.finish(ctx, s, p); err != nil {
		return err
	}
	p.Title = oneLine("Without what was taken back: "+p.Title, 160)
	return nil
}

// sources reads what a rule still rests on, oldest first, and what was lost.
func (l *Learner) sources(ctx context.Context, s *state, r *rules.Rule, lost string) (left []store.Evidence, gone store.Evidence, err error) {
	for _, id := range r.Sources {
		f, err := l.opt.Store.FeedbackByID(ctx, s.app, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, gone, fmt.Errorf("read the sources of rule %s: %w", r.ID, err)
		}
		switch {
		case id == lost:
			gone = evidenceOf(f, f.Link)
		case f.Retracted.IsZero() && f.SupersededBy == "":
			left = append(left, evidenceOf(f, f.Link))
		}
	}
	return left, gone, nil
}

// proposeRetire proposes that a rule goes that nobody stands behind any more.
// Rules that an admin wrote have no sources and are never proposed.
func (s *state) proposeRetire(r *rules.Rule, why string) error {
	p := &store.Proposal{ID: store.NewID(), State: store.Open, Evidence: []store.Evidence{}}
	for _, o := range s.open {
		if len(o.Ops) == 1 && o.Ops[0].Kind == rules.Retire && slices.Contains(o.Ops[0].IDs, r.ID) {
			return nil
		}
		if len(o.Ops) > 0 && o.Ops[0].Kind == rules.Revise && o.Rule().ID == r.ID {
			p.ID, p.Created = o.ID, o.Created
		}
	}
	p.Ops = []rules.Operation{{Kind: rules.Retire, IDs: []string{r.ID}}}
	p.Title = oneLine("Retire: everybody who asked for it took it back: "+r.Action, 160)
	p.Reason = why
	s.put(p)
	return nil
}
