package admin

import (
	"context"
	"errors"
	"slices"
	"time"

	"heed/rules"
	"heed/store"
)

// unmerging undoes the newest merge of a proposal.
type unmerging struct {
	Digest string `json:"digest"` // of the proposal, as it was shown; "" takes any
}

// unmerge takes a proposal apart again that a person merged by mistake: its rule is as
// it was before, with who joined it since, and the proposal that was closed is open
// again. What was ticked or edited since is undone too.
func (a *Admin) unmerge(ctx context.Context, who person, app, id string, in unmerging) (*store.Proposal, error) {
	for try := 0; ; try++ {
		p, err := a.unmergeOnce(ctx, who, app, id, in)
		if !errors.Is(err, store.ErrConflict) || try == maxTries {
			return p, err
		}
	}
}

func (a *Admin) unmergeOnce(ctx context.Context, who person, app, id string, in unmerging) (*store.Proposal, error) {
	p, err := a.store.Proposal(ctx, app, id)
	switch {
	case err != nil:
		return nil, err
	case p.State != store.Open && p.State != store.Snoozed:
		return nil, decided(p)
	case len(p.Merged) == 0:
		return nil, conflict("not_merged", "nobody merged this proposal with another")
	case in.Digest != "" && in.Digest != p.Digest():
		return nil, store.ErrStale
	}
	m := p.Merged[len(p.Merged)-1]
	merged := p.Rule()
	other, err := a.closedBy(ctx, p, m.With)
	if err != nil {
		return nil, err
	}
	p.Ops, p.Conflicts, p.Replaces, p.Merged = m.Ops, m.Conflicts, m.Replaces, p.Merged[:len(p.Merged)-1]
	changed := []*store.Proposal{p}
	if other != nil {
		changed = append(changed, other)
		of := other.Rule().Sources
		p.Evidence = slices.DeleteFunc(p.Evidence, func(e store.Evidence) bool {
			return slices.Contains(of, e.Feedback) && !slices.Contains(p.Rule().Sources, e.Feedback)
		})
		p.People = store.People(p.Evidence)
	}
	for _, c := range changed {
		if slices.ContainsFunc(c.Rule().Sources, func(s string) bool { return !slices.Contains(merged.Sources, s) }) {
			return nil, conflict("taken_back", "somebody behind it took their words back since the merge, so it cannot be undone: edit or reject it")
		}
	}
	joinSince(p)
	now := time.Now().UTC()
	var audits []store.Audit
	for _, c := range changed {
		if err := a.remeasure(ctx, c); err != nil {
			return nil, err
		}
		c.Version, c.Updated = c.Version+1, now
		from := m.With
		if c != p {
			from = p.ID
		}
		audits = append(audits, store.Audit{App: app, Time: now, Actor: who.Name, Action: "unmerge", Target: c.ID, Reason: "from " + from, Ops: c.Ops})
	}
	return p, a.store.Commit(ctx, store.Changes{App: app, Proposals: changed, Audits: audits})
}

// closedBy is the proposal that was closed when p was merged with it, open again; nil
// when p was merged with a rule, or the other is not as it was left.
func (a *Admin) closedBy(ctx context.Context, p *store.Proposal, id string) (*store.Proposal, error) {
	other, err := a.store.Proposal(ctx, p.App, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil || other.State != store.Expired || other.Reason != mergedInto+p.ID || other.Rule() == nil {
		return nil, err
	}
	other.State, other.DecidedBy, other.DecidedAt, other.Reason = store.Open, "", time.Time{}, ""
	return other, nil
}

// joinSince puts the records that joined a proposal after its rule was noted behind the
// rule.
func joinSince(p *store.Proposal) {
	r := p.Rule()
	for _, e := range p.Evidence {
		if slices.Contains(r.Sources, e.Feedback) {
			continue
		}
		r.Sources = append(r.Sources, e.Feedback)
		if e.User != "" {
			r.Authors = union(r.Authors, []string{e.User}, len(r.Authors)+1)
		}
		if e.Query != "" && len(e.Query) <= rules.MaxExampleBytes && !slices.Contains(r.Scope.Counterexamples, e.Query) {
			r.Scope.Examples = union(r.Scope.Examples, []string{e.Query}, rules.MaxExamples-len(r.Scope.Counterexamples))
		}
	}
}

func (a *Admin) apiUnmerge(c *call) (any, error) {
	var in unmerging
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	p, err := a.unmerge(c.r.Context(), c.who, app, c.id(), in)
	return shown(p), err
}

func (a *Admin) doUnmerge(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	if _, err := a.unmerge(c.r.Context(), c.who, app, c.id(), unmerging{Digest: c.field("digest")}); err != nil {
		return err
	}
	return c.done("/inbox", "The merge is undone.")
}
