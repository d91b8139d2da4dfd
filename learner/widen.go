package learner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// unlikeTopics is how many rules in force must ask for the same on unlike topics
// before one rule for all requests is proposed: learning starts narrow (issue 6).
const unlikeTopics = 3

// Generalize finds rules of a set that ask for the same on topics that do not
// overlap, unlikeTopics or more, and returns the groups by id. It is pure.
func Generalize(set *rules.Set) [][]*rules.Rule {
	var groups [][]*rules.Rule
	taken := map[string]bool{}
	for i := range set.Rules {
		r := &set.Rules[i]
		if taken[r.ID] || r.Scope.Always {
			continue
		}
		group := []*rules.Rule{r}
		for j := i + 1; j < len(set.Rules); j++ {
			o := &set.Rules[j]
			if !taken[o.ID] && !o.Scope.Always && sameHard(&r.Scope.Hard, &o.Scope.Hard) && check.SameAction(r.Action, o.Action) >= nearlySame {
				group = append(group, o)
			}
		}
		if len(group) >= unlikeTopics {
			for _, o := range group {
				taken[o.ID] = true
			}
			groups = append(groups, group)
		}
	}
	return groups
}

// generalize proposes one rule for every request of the step in place of several
// that ask for the same on unlike topics. A person decides: it applies always.
func (l *Learner) generalize(ctx context.Context, app string) error {
	a, err := l.current(ctx, app)
	if err != nil {
		return err
	}
	groups := Generalize(a.set)
	if len(groups) == 0 {
		return nil
	}
	s, err := l.load(ctx, app)
	if err != nil {
		return err
	}
	rejected, _, err := l.opt.Store.Proposals(ctx, store.ProposalFilter{App: app, State: store.Rejected, Limit: rejectedKept})
	if err != nil {
		return fmt.Errorf("read rejected proposals: %w", err)
	}
	for _, group := range groups {
		p, err := l.together(ctx, s, group)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(slices.Concat(s.open, rejected), func(o *store.Proposal) bool {
			return len(o.Ops) > 0 && o.Ops[0].Kind == rules.Merge && slices.Equal(o.Ops[0].IDs, p.Ops[0].IDs)
		}) {
			continue
		}
		if err := l.finish(ctx, s, p); err != nil {
			return err
		}
		p.Title = oneLine(fmt.Sprintf("Asked for on %d topics, so perhaps always: %s", len(group), p.Rule().Action), 160)
	}
	if len(s.order) == 0 {
		return nil
	}
	err = l.opt.Store.Commit(ctx, s.changes())
	if errors.Is(err, store.ErrConflict) {
		return nil // at the next change
	}
	return err
}

// together is the proposal to make one rule of the group.
func (l *Learner) together(ctx context.Context, s *state, group []*rules.Rule) (*store.Proposal, error) {
	r := group[0].Clone()
	r.ID, r.Version, r.State, r.Ramp, r.ApprovedBy = rules.NewID(), 1, rules.Active, 0, ""
	r.Scope.Always, r.Scope.AppliesWhen, r.Scope.Examples, r.Scope.Counterexamples = true, "", nil, nil
	r.Holdout = s.policy.Holdout
	p := &store.Proposal{ID: store.NewID(), State: store.Open, Ops: []rules.Operation{{Kind: rules.Merge, Rule: r}}}
	for _, o := range group {
		p.Ops[0].IDs = append(p.Ops[0].IDs, o.ID)
		left, _, err := l.sources(ctx, s, o, "")
		if err != nil {
			return nil, err
		}
		p.Evidence = append(p.Evidence, left...)
		for _, id := range o.Sources {
			if !slices.Contains(r.Sources, id) {
				r.Sources = append(r.Sources, id)
			}
		}
		for _, name := range o.Authors {
			if !slices.Contains(r.Authors, name) {
				r.Authors = append(r.Authors, name)
			}
		}
	}
	slices.SortFunc(p.Ops[0].IDs, strings.Compare)
	p.Evidence = p.Evidence[:min(len(p.Evidence), maxEvidence)]
	p.People = store.People(p.Evidence)
	return p, nil
}
