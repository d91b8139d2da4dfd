package learner

import (
	"context"
	"errors"
	"slices"

	"heed/rules"
	"heed/store"
)

// remeasuredOnce is how many proposals are measured again before the learner looks
// for feedback: as many as a person sees unfolded. It takes tens of milliseconds each.
const remeasuredOnce = 10

// remeasure brings open proposals up to date that show what is no longer so: what
// they would touch by word statistics of before, or a contradiction with what was
// decided meanwhile. Those that a person sees first come first.
func (l *Learner) remeasure(ctx context.Context, app string) error {
	a := l.app(app)
	if !a.unmeasured {
		return nil
	}
	s, err := l.load(ctx, app)
	if err != nil {
		return err
	}
	old := slices.DeleteFunc(slices.Clone(s.open), func(p *store.Proposal) bool { return !outdated(p, s.set, s.open) })
	slices.SortStableFunc(old, store.CompareRank)
	moved := false // else the rest waits, so that no two that disagree are measured for ever
	for _, p := range old[:min(len(old), remeasuredOnce)] {
		next := cloneProposal(p)
		if err := l.finish(ctx, s, next); err != nil {
			return err
		}
		if next.Digest() == p.Digest() {
			next.Title = p.Title // it may say more than finish knows
		}
		next.Updated = p.Updated // people sort by what was said
		moved = moved || next.Touch.Stats != p.Touch.Stats || next.Opposed != p.Opposed || !slices.Equal(next.Conflicts, p.Conflicts)
	}
	a.unmeasured = moved && len(old) > remeasuredOnce
	if len(s.order) == 0 {
		return nil
	}
	err = l.opt.Store.Commit(ctx, s.changes())
	if errors.Is(err, store.ErrConflict) {
		a.unmeasured = true // somebody changed one: look again
		return nil
	}
	return err
}

// outdated says whether an open proposal shows what is no longer so: its share was
// measured with other word statistics than the set's, what it contradicts is neither
// in force nor open any more, or others have asked for the opposite since.
func outdated(p *store.Proposal, set *rules.Set, open []*store.Proposal) bool {
	if p.Rule() == nil || len(p.Ops) == 0 {
		return false
	}
	switch p.Ops[0].Kind {
	case rules.Add, rules.Supersede, rules.Revise, rules.Merge:
	default:
		return false
	}
	return p.Touch.Stats != set.Stats || p.Opposed != opposed(p, open) || contradicted(p, open) || slices.ContainsFunc(p.Conflicts, func(c store.Conflict) bool {
		if c.Rule != "" {
			return set.Rule(c.Rule) == nil
		}
		return !slices.ContainsFunc(open, func(o *store.Proposal) bool { return o.ID == c.Proposal })
	})
}

// contradicted says whether an open proposal names p as its opposite, and p not it.
func contradicted(p *store.Proposal, open []*store.Proposal) bool {
	names := func(p, o *store.Proposal) bool {
		return slices.ContainsFunc(p.Conflicts, func(c store.Conflict) bool { return c.Proposal == o.ID })
	}
	return len(p.Conflicts) < maxConflicts && slices.ContainsFunc(open, func(o *store.Proposal) bool { return names(o, p) && !names(p, o) })
}
