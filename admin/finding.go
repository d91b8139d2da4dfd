package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"heed/rules"
	"heed/store"
)

// States of a finding.
const (
	findingOpen     = "open"
	findingResolved = "resolved"
)

// maxFindingExamples bounds how many judged queries become a proposal's examples.
const maxFindingExamples = 20

// resolve closes a finding; the learner opens it again when it comes back.
func (a *Admin) resolve(ctx context.Context, who person, app, id, reason string) (*store.Finding, error) {
	return a.moveFinding(ctx, app, id, findingResolved, store.Audit{Actor: who.Name, Action: "resolve", Reason: reason})
}

// reopen takes a resolution back.
func (a *Admin) reopen(ctx context.Context, who person, app, id, reason string) (*store.Finding, error) {
	return a.moveFinding(ctx, app, id, findingOpen, store.Audit{Actor: who.Name, Action: "reopen", Reason: reason})
}

// moveFinding brings a finding into a state that it is not in.
func (a *Admin) moveFinding(ctx context.Context, app, id, state string, audit store.Audit) (*store.Finding, error) {
	return a.changeFinding(ctx, app, id, func(f *store.Finding) (store.Audit, error) {
		if f.State == state {
			return audit, conflict(state, "the finding is "+state+" already")
		}
		f.State = state
		return audit, nil
	})
}

// maxOwner bounds the name of who sees to a finding, in bytes.
const maxOwner = 100

// changeFinding changes a finding as do says, with its audit entry, and starts again
// when somebody else changed it at the same moment.
func (a *Admin) changeFinding(ctx context.Context, app, id string, do func(*store.Finding) (store.Audit, error)) (*store.Finding, error) {
	for try := 0; ; try++ {
		f, err := a.store.Finding(ctx, app, id)
		if err != nil {
			return nil, err
		}
		audit, err := do(f)
		if err != nil {
			return nil, err
		}
		audit.App, audit.Target, audit.Time = app, id, time.Now().UTC()
		f.Version++
		err = a.store.Commit(ctx, store.Changes{App: app, Findings: []*store.Finding{f}, Audits: []store.Audit{audit}})
		if err == nil || !errors.Is(err, store.ErrConflict) || try == maxTries {
			return f, err
		}
	}
}

// assign says who sees to a finding; "" is nobody.
func (a *Admin) assign(ctx context.Context, who person, app, id, owner string) (*store.Finding, error) {
	if owner = oneLine(owner); len(owner) > maxOwner {
		return nil, badRequest("owner", fmt.Sprintf("owner: at most %d bytes", maxOwner))
	}
	return a.changeFinding(ctx, app, id, func(f *store.Finding) (store.Audit, error) {
		f.Owner = owner
		return store.Audit{Actor: who.Name, Action: "assign", Reason: owner}, nil
	})
}

// sentence is what an admin wants done about a finding.
type sentence struct {
	Action      string   `json:"action"`
	AppliesWhen string   `json:"applies_when"`
	Examples    []string `json:"examples"` // default: the judged queries
	Always      bool     `json:"always"`
	Holdout     *float64 `json:"holdout"`

	ValidTo time.Time `json:"valid_to"`
	Fact    *fact     `json:"fact"`
}

// propose turns a finding into a proposal in the admin's words, resting on the
// finding's evidence, and resolves the finding.
func (a *Admin) propose(ctx context.Context, who person, app, id string, in sentence) (*store.Proposal, error) {
	f, err := a.store.Finding(ctx, app, id)
	if err != nil {
		return nil, err
	}
	if f.State == findingResolved {
		return nil, conflict("resolved", "the finding is resolved already")
	}
	p, err := a.sentenceOf(ctx, who, app, f, in)
	if err != nil {
		return nil, err
	}
	r := p.Rule()
	for _, ev := range f.Evidence {
		if !slices.Contains(r.Sources, ev.Feedback) {
			r.Sources = append(r.Sources, ev.Feedback)
		}
	}
	p.Evidence, p.People = f.Evidence, f.People
	if err := a.remeasure(ctx, p); err != nil {
		return nil, err
	}
	f.State, f.Version = findingResolved, f.Version+1
	return p, a.store.Commit(ctx, store.Changes{
		App: app, Proposals: []*store.Proposal{p}, Findings: []*store.Finding{f},
		Audits: []store.Audit{{App: app, Time: p.Created, Actor: who.Name, Action: "propose", Target: p.ID, Reason: "from finding " + id, Ops: p.Ops}},
	})
}

// sentenceOf makes a proposal of an admin's sentence: of other words for the rule that
// the finding is about, where it is in force, else of a new rule.
func (a *Admin) sentenceOf(ctx context.Context, who person, app string, f *store.Finding, in sentence) (*store.Proposal, error) {
	_, set, err := store.Current(ctx, a.store, app)
	if err != nil {
		return nil, err
	}
	if old := set.Rule(f.Rule); old != nil {
		r := old.Clone()
		r.Version++
		(&edits{Action: &in.Action}).apply(r)
		if in.AppliesWhen != "" {
			r.Scope.AppliesWhen = oneLine(in.AppliesWhen)
		}
		if !in.ValidTo.IsZero() {
			r.ValidTo = in.ValidTo
		}
		if in.Fact != nil && in.Fact.Source != "" {
			in.Fact.of(r, who)
		}
		r.Authors = union(r.Authors, []string{who.Name}, len(r.Authors)+1)
		p := newProposal(app, r)
		p.Ops[0].Kind = rules.Revise
		return p, a.validateNew(r)
	}
	if in.Examples == nil && !in.Always {
		in.Examples = judgedQueries(f)
	}
	scope := rules.Scope{Always: in.Always}
	if f.Step != "" {
		scope.Hard.Steps = []string{f.Step}
	}
	r, err := a.rule(who, app, newRule{
		Action: in.Action, AppliesWhen: in.AppliesWhen, Examples: in.Examples, Scope: scope, Holdout: in.Holdout,
		ValidTo: in.ValidTo, Fact: in.Fact,
	})
	if err != nil {
		return nil, err
	}
	return newProposal(app, r), nil
}

// judgedQueries are the distinct queries of the finding's evidence, newest first.
func judgedQueries(f *store.Finding) []string {
	var out []string
	for _, ev := range f.Evidence {
		if ev.Query != "" && len(ev.Query) <= rules.MaxExampleBytes && !slices.Contains(out, ev.Query) && len(out) < maxFindingExamples {
			out = append(out, ev.Query)
		}
	}
	return out
}

// retract takes feedback back in the name of whoever gave it; the learner then
// re-derives what rested on it.
func (a *Admin) retract(ctx context.Context, who person, app, id, reason string) (*store.Feedback, error) {
	if _, err := a.store.FeedbackByID(ctx, app, id); err != nil {
		return nil, err
	}
	err := a.store.AddAudit(ctx, store.Audit{ // first: nothing is changed unseen
		App: app, Time: time.Now().UTC(), Actor: who.Name, Action: "retract", Target: id, Reason: reason,
	})
	if err != nil {
		return nil, err
	}
	if err := a.store.Retract(ctx, app, id); err != nil {
		return nil, err
	}
	return a.store.FeedbackByID(ctx, app, id)
}
