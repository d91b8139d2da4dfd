package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// edits are changes of a proposal's rule; nil fields stay.
type edits struct {
	Version     int        `json:"version"` // the one that was shown; 0 takes any
	Digest      string     `json:"digest"`  // the same, for whom only the words matter; "" takes any
	Action      *string    `json:"action"`
	AppliesWhen *string    `json:"applies_when"`
	Always      *bool      `json:"always"`
	Examples    *[]string  `json:"examples"`
	Steps       *[]string  `json:"steps"` // [] widens to every step
	Alias       *string    `json:"alias"`
	User        *string    `json:"user"` // "" widens to everybody
	Holdout     *float64   `json:"holdout"`
	ValidTo     *time.Time `json:"valid_to"`
	Fact        *fact      `json:"fact"`
	Supersede   *[]string  `json:"supersede"` // ids of rules in force that it is to replace; [] replaces none
}

// edit changes what a proposal would put in force. Its digest and version change
// with it, so that nobody approves it unseen.
func (a *Admin) edit(ctx context.Context, who person, app, id string, in edits) (*store.Proposal, error) {
	return a.change(ctx, app, id, shownAs{in.Version, in.Digest}, func(p *store.Proposal) (store.Audit, error) {
		r := p.Rule()
		if r == nil {
			return store.Audit{}, conflict("no_rule", "this proposal has no words to edit: approve or reject it")
		}
		before, words := p.Digest(), r.Text()
		in.apply(r)
		in.Fact.of(r, who)
		if err := a.supersede(ctx, p, in.Supersede); err != nil {
			return store.Audit{}, err
		}
		if r.Fact != nil && r.Text() != words {
			r.Fact.Author = who.Name // of these words
		}
		if err := a.validateNew(r); err != nil {
			return store.Audit{}, err
		}
		if r.Text() != words {
			if !slices.Contains(r.Authors, who.Name) {
				r.Authors = append(r.Authors, who.Name)
			}
			p.Conflicts = slices.DeleteFunc(p.Conflicts, func(c store.Conflict) bool { return !contradicts(r, c.Action) })
		}
		p.Problems = nil // validate found none
		if p.Digest() == before {
			return store.Audit{}, badRequest("", "nothing was changed")
		}
		if err := a.remeasure(ctx, p); err != nil {
			return store.Audit{}, err
		}
		return store.Audit{Time: time.Now().UTC(), Actor: who.Name, Action: "edit", Ops: p.Ops}, nil
	})
}

// supersede makes the proposal's addition of a rule replace rules in force, or
// again replace none; nil changes nothing.
func (a *Admin) supersede(ctx context.Context, p *store.Proposal, ids *[]string) error {
	if ids == nil {
		return nil
	}
	if len(p.Ops) == 0 || p.Ops[0].Kind != rules.Add && p.Ops[0].Kind != rules.Supersede {
		return conflict("no_rule", "only a proposal that adds one rule can replace others")
	}
	p.Ops[0].Kind, p.Ops[0].IDs = rules.Supersede, *ids
	if len(*ids) == 0 {
		p.Ops[0].Kind, p.Ops[0].IDs = rules.Add, nil
	}
	p.Ops = slices.DeleteFunc(p.Ops, func(op rules.Operation) bool { // what goes is not changed first
		return op.Kind == rules.Revise && slices.Contains(*ids, op.Rule.ID)
	})
	_, set, err := store.Current(ctx, a.store, p.App)
	if err != nil {
		return err
	}
	if _, err := rules.Apply(set, p.Ops); err != nil {
		return conflict("does_not_fit", err.Error())
	}
	p.Replaces = *ids
	p.Conflicts = slices.DeleteFunc(p.Conflicts, func(c store.Conflict) bool { return slices.Contains(*ids, c.Rule) })
	return nil
}

func contradicts(r *rules.Rule, action string) bool {
	_, yes := check.Conflict(r.Action, action, r.Checks, check.Compile(action))
	return yes
}

func (in *edits) apply(r *rules.Rule) {
	if in.Action != nil {
		r.Action = oneLine(*in.Action)
		r.Checks = check.Compile(r.Action)
	}
	if in.AppliesWhen != nil {
		r.Scope.AppliesWhen = oneLine(*in.AppliesWhen)
	}
	set(&r.Scope.Always, in.Always)
	set(&r.Scope.Examples, in.Examples)
	set(&r.Scope.Hard.Steps, in.Steps)
	set(&r.Scope.Hard.Alias, in.Alias)
	set(&r.Scope.Hard.User, in.User)
	set(&r.Holdout, in.Holdout)
	set(&r.ValidTo, in.ValidTo)
}

func set[T any](field *T, v *T) {
	if v != nil {
		*field = *v
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// validate refuses a rule whose texts are unsafe or whose fields do not fit.
func (a *Admin) validate(r *rules.Rule) error {
	if problems := a.unsafe(r); strings.TrimSpace(r.Action) != "" && len(problems) > 0 {
		return errUnsafe(problems)
	}
	if err := r.Validate(); err != nil {
		return badRequest("", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}

// remeasure brings what a card shows up to date with the proposal's rule.
func (a *Admin) remeasure(ctx context.Context, p *store.Proposal) error {
	r := p.Rule()
	touch, err := store.TouchOfOps(ctx, a.store, p.App, p.Ops, 0)
	if err != nil {
		return err
	}
	mark(touch.Inside, r)
	mark(touch.Near, r)
	p.Touch, p.Tokens, p.Title = touch, rules.Tokens(r), r.Text()
	return nil
}

// Marks of a sample.
const (
	applies    = "applies"
	appliesNot = "does not apply"
)

// mark shows on the samples what people ticked.
func mark(samples []store.Sample, r *rules.Rule) {
	for i := range samples {
		switch {
		case slices.Contains(r.Scope.Examples, samples[i].Query):
			samples[i].Mark = applies
		case slices.Contains(r.Scope.Counterexamples, samples[i].Query):
			samples[i].Mark = appliesNot
		}
	}
}

// tick says that a proposal applies, or not, to a request: a logged one (with a Query
// too, the turn of its conversation that is meant), or one in words. Clear takes an earlier tick back.
type tick struct {
	Version  int    `json:"version"`
	Exchange string `json:"exchange"`
	Query    string `json:"query"`
	Applies  *bool  `json:"applies"`
	Clear    bool   `json:"clear"`
}

// tickSample refits the proposal's scope with one more example or counterexample.
func (a *Admin) tickSample(ctx context.Context, who person, app, id string, in tick) (*store.Proposal, error) {
	query := strings.TrimSpace(in.Query)
	if in.Exchange != "" && query == "" {
		x, err := a.store.Exchange(ctx, app, in.Exchange)
		if err != nil {
			return nil, err
		}
		query = x.Query
	}
	switch {
	case query == "":
		return nil, badRequest("query", "give a query, or an exchange that has one")
	case len(query) > rules.MaxExampleBytes:
		return nil, badRequest("query", fmt.Sprintf("query: at most %d bytes", rules.MaxExampleBytes))
	case in.Applies == nil && !in.Clear:
		return nil, badRequest("applies", "applies: want true or false")
	}
	return a.change(ctx, app, id, shownAs{version: in.Version}, func(p *store.Proposal) (store.Audit, error) {
		r := p.Rule()
		if r == nil || r.Scope.Always {
			return store.Audit{}, conflict("no_scope", "this proposal has no learned scope that an example could change")
		}
		same := func(s string) bool { return s == query }
		r.Scope.Examples = slices.DeleteFunc(r.Scope.Examples, same)
		r.Scope.Counterexamples = slices.DeleteFunc(r.Scope.Counterexamples, same)
		verdict := "cleared"
		switch {
		case in.Clear:
		case *in.Applies:
			r.Scope.Examples, verdict = append(r.Scope.Examples, query), applies
		default:
			r.Scope.Counterexamples, verdict = append(r.Scope.Counterexamples, query), appliesNot
		}
		if err := r.Validate(); err != nil {
			return store.Audit{}, badRequest("", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		if err := a.remeasure(ctx, p); err != nil {
			return store.Audit{}, err
		}
		return store.Audit{Time: time.Now().UTC(), Actor: who.Name, Action: "tick", Reason: verdict, Ops: p.Ops}, nil
	})
}
