package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"heed/rules"
	"heed/store"
)

// merging names what a proposal is to become one with.
type merging struct {
	Digest string `json:"digest"` // of the proposal, as it was shown; "" takes any
	With   string `json:"with"`   // an open proposal for a new rule, or the id of a rule in force
}

// merge makes a proposal one with another that says the same in other words, which no
// program sees: another language, a paraphrase. With an open proposal, its people,
// sources and examples join this one, whose words stay, and it is closed; with a rule
// in force, this one becomes a further version of that rule. The other wording is kept
// with the rule, so that the learner knows it again.
func (a *Admin) merge(ctx context.Context, who person, app, id string, in merging) (*store.Proposal, error) {
	for try := 0; ; try++ {
		p, err := a.mergeOnce(ctx, who, app, id, in)
		if !errors.Is(err, store.ErrConflict) || try == maxTries {
			return p, err
		}
	}
}

func (a *Admin) mergeOnce(ctx context.Context, who person, app, id string, in merging) (*store.Proposal, error) {
	p, err := a.mergeable(ctx, app, id)
	if err != nil {
		return nil, err
	}
	before := store.Merged{With: in.With, Ops: rules.CloneOperations(p.Ops), Conflicts: slices.Clone(p.Conflicts), Replaces: p.Replaces}
	changes := store.Changes{App: app, Proposals: []*store.Proposal{p}}
	now := time.Now().UTC()
	switch {
	case in.With == "":
		return nil, badRequest("with", "say what to merge it with: an open proposal, or a rule in force")
	case in.Digest != "" && in.Digest != p.Digest():
		return nil, store.ErrStale
	case in.With == id:
		return nil, badRequest("with", "a proposal cannot be merged with itself")
	case strings.HasPrefix(in.With, "r_"):
		err = a.mergeIntoRule(ctx, p, in.With)
	default:
		var other *store.Proposal
		if other, err = a.mergeable(ctx, app, in.With); err != nil {
			return nil, err
		}
		err = mergeProposals(p, other)
		other.State, other.DecidedBy, other.DecidedAt, other.Reason = store.Expired, who.Name, now, mergedInto+p.ID
		other.Version, other.Updated = other.Version+1, now
		changes.Proposals = append(changes.Proposals, other)
		changes.Audits = []store.Audit{{App: app, Time: now, Actor: who.Name, Action: "merge", Target: other.ID, Reason: "into " + p.ID}}
	}
	if err != nil {
		return nil, err
	}
	if err := a.validateNew(p.Rule()); err != nil {
		return nil, err
	}
	if err := a.remeasure(ctx, p); err != nil {
		return nil, err
	}
	p.Merged = append(p.Merged, before)
	p.Merged = p.Merged[max(0, len(p.Merged)-maxMerged):]
	p.Version, p.Updated = p.Version+1, now
	changes.Audits = append(changes.Audits, store.Audit{App: app, Time: now, Actor: who.Name, Action: "merge", Target: id, Reason: "with " + in.With, Ops: p.Ops})
	return p, a.store.Commit(ctx, changes)
}

const (
	mergedInto = "merged into proposal " // why a proposal was closed
	maxMerged  = 10                      // merges of one proposal that can be undone
)

// mergeable reads an open proposal for one new rule.
func (a *Admin) mergeable(ctx context.Context, app, id string) (*store.Proposal, error) {
	p, err := a.store.Proposal(ctx, app, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, notFound("there is no proposal %q in app %s", id, app)
	case err != nil:
		return nil, err
	case p.State != store.Open && p.State != store.Snoozed:
		return nil, decided(p)
	case !forNewRule(p):
		return nil, conflict("no_rule", "only proposals for a new rule can be merged")
	}
	return p, nil
}

func forNewRule(p *store.Proposal) bool {
	return len(p.Ops) > 0 && (p.Ops[0].Kind == rules.Add || p.Ops[0].Kind == rules.Supersede)
}

// mergeProposals joins other's rule, evidence and contradictions to p's.
func mergeProposals(p, other *store.Proposal) error {
	if err := joinRules(p.Rule(), other.Rule()); err != nil {
		return err
	}
	for _, e := range other.Evidence {
		if !slices.ContainsFunc(p.Evidence, func(o store.Evidence) bool { return o.Feedback == e.Feedback }) {
			p.Evidence = append(p.Evidence, e)
		}
	}
	p.People = store.People(p.Evidence)
	p.Conflicts = slices.DeleteFunc(p.Conflicts, func(c store.Conflict) bool { return c.Proposal == other.ID })
	for _, c := range other.Conflicts {
		if c.Proposal != p.ID && !slices.ContainsFunc(p.Conflicts, func(o store.Conflict) bool { return o.Rule == c.Rule && o.Proposal == c.Proposal }) {
			p.Conflicts = append(p.Conflicts, c)
		}
	}
	return nil
}

// mergeIntoRule makes of p a further version of a rule in force.
func (a *Admin) mergeIntoRule(ctx context.Context, p *store.Proposal, id string) error {
	_, set, err := store.Current(ctx, a.store, p.App)
	if err != nil {
		return err
	}
	old := set.Rule(id)
	if old == nil {
		return notFound("there is no rule %q in force in app %s", id, p.App)
	}
	next := old.Clone()
	next.Version++
	if err := joinRules(next, p.Rule()); err != nil {
		return err
	}
	p.Ops, p.Replaces = []rules.Operation{{Kind: rules.Revise, Rule: next}}, nil
	p.Conflicts = slices.DeleteFunc(p.Conflicts, func(c store.Conflict) bool { return c.Rule == id })
	return nil
}

// joinRules adds to r what other rests on and where it applies; r's words stay.
func joinRules(r, other *rules.Rule) error {
	h, o := &r.Scope.Hard, &other.Scope.Hard
	if h.Alias != o.Alias || h.User != o.User || h.Partition != o.Partition || !maps.Equal(h.Tags, o.Tags) || r.Scope.Always != other.Scope.Always {
		return conflict("apart", "they are for different people, models, tags or partitions, or one applies always: make them alike first (edit), then merge them")
	}
	if len(h.Steps) > 0 && len(o.Steps) > 0 {
		h.Steps = union(h.Steps, o.Steps, len(h.Steps)+len(o.Steps))
	} else {
		h.Steps = nil // one of them applies in every step
	}
	if r.Scope.AppliesWhen == "" {
		r.Scope.AppliesWhen = other.Scope.AppliesWhen
	}
	said := func(q string) bool {
		return slices.Contains(r.Scope.Counterexamples, q) || slices.Contains(r.Scope.Examples, q)
	}
	examples := slices.DeleteFunc(slices.Clone(other.Scope.Examples), said)
	counter := slices.DeleteFunc(slices.Clone(other.Scope.Counterexamples), said)
	r.Scope.Counterexamples = union(r.Scope.Counterexamples, counter, rules.MaxExamples-len(r.Scope.Examples))
	r.Scope.Examples = union(r.Scope.Examples, examples, rules.MaxExamples-len(r.Scope.Counterexamples))
	r.Sources = union(r.Sources, other.Sources, len(r.Sources)+len(other.Sources))
	r.Authors = union(r.Authors, other.Authors, len(r.Authors)+len(other.Authors))
	same := func(w string) bool { return w == r.Action }
	r.Wordings = union(r.Wordings, slices.DeleteFunc(append([]string{other.Action}, other.Wordings...), same), rules.MaxWordings)
	return nil
}

// union is the distinct values of both, at most most of them.
func union(a, b []string, most int) []string {
	out := slices.Clone(a)
	for _, v := range b {
		if len(out) < most && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func (a *Admin) apiMerge(c *call) (any, error) {
	var in merging
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	p, err := a.merge(c.r.Context(), c.who, app, c.id(), in)
	return shown(p), err
}

func (a *Admin) doMerge(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	p, err := a.merge(c.r.Context(), c.who, app, c.id(), merging{Digest: c.field("digest"), With: c.field("with")})
	if err != nil {
		return err
	}
	return c.done("/inbox", "Merged: %s stand behind it now. Look at it again, then approve it.", plural(p.People, "person", "people"))
}

// mate is something that a card's proposal can be merged with.
type mate struct{ ID, Text string }

// maxMates bounds the choice: who has more open proposals decides some first.
const maxMates = 100

// matesOf are the proposals for new rules, in their order, and the rules in force.
func matesOf(open []*store.Proposal, set *rules.Set) (proposals, inForce []mate) {
	for _, p := range open {
		if forNewRule(p) && len(proposals) < maxMates {
			proposals = append(proposals, mate{p.ID, p.Rule().Text()})
		}
	}
	for i := range set.Rules {
		if len(inForce) < maxMates {
			inForce = append(inForce, mate{set.Rules[i].ID, fmt.Sprint("in force: ", set.Rules[i].Text())})
		}
	}
	return proposals, inForce
}
