package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// newRule is a rule that an admin writes.
type newRule struct {
	App         string      `json:"app"`
	Action      string      `json:"action"`
	AppliesWhen string      `json:"applies_when"`
	Examples    []string    `json:"examples"`
	Scope       rules.Scope `json:"scope"`
	Holdout     *float64    `json:"holdout"`
	Priority    int         `json:"priority"`
	ValidTo     time.Time   `json:"valid_to"`
	Fact        *fact       `json:"fact"`
	Reason      string      `json:"reason"`
}

// rule makes the first version of a rule in the admin's words.
func (a *Admin) rule(who person, app string, in newRule) (*rules.Rule, error) {
	r := &rules.Rule{
		ID: rules.NewID(), Version: 1, App: app, State: rules.Active, Scope: in.Scope,
		Action: oneLine(in.Action), Priority: in.Priority, Authors: []string{who.Name},
		ValidTo: in.ValidTo, Holdout: a.app(app).holdout(), Origin: "admin",
	}
	if in.AppliesWhen != "" {
		r.Scope.AppliesWhen = oneLine(in.AppliesWhen)
	}
	r.Scope.Examples = append(r.Scope.Examples, in.Examples...)
	r.Checks = check.Compile(r.Action)
	set(&r.Holdout, in.Holdout)
	in.Fact.of(r, who)
	return r, a.validateNew(r)
}

// addRule puts an admin's rule in force at once.
func (a *Admin) addRule(ctx context.Context, who person, app string, in newRule) (*rules.Rule, rules.Head, error) {
	r, err := a.rule(who, app, in)
	if err != nil {
		return nil, rules.Head{}, err
	}
	r.ApprovedBy = who.Name
	head, err := a.publish(ctx, app, store.Audit{
		Actor: who.Name, Action: "add", Target: r.ID, Reason: in.Reason,
		Ops: []rules.Operation{{Kind: rules.Add, Rule: r}},
	})
	return r, head, err
}

// proposeRule makes an open proposal of an admin's rule, for another person to
// approve.
func (a *Admin) proposeRule(ctx context.Context, who person, app string, in newRule) (*store.Proposal, error) {
	r, err := a.rule(who, app, in)
	if err != nil {
		return nil, err
	}
	p := newProposal(app, r)
	if err := a.remeasure(ctx, p); err != nil {
		return nil, err
	}
	return p, a.store.Commit(ctx, store.Changes{App: app, Proposals: []*store.Proposal{p}, Audits: []store.Audit{
		{App: app, Time: p.Created, Actor: who.Name, Action: "propose", Target: p.ID, Reason: in.Reason, Ops: p.Ops}}})
}

// newProposal is an open proposal to add a rule.
func newProposal(app string, r *rules.Rule) *store.Proposal {
	now := time.Now().UTC()
	return &store.Proposal{ID: store.NewID(), App: app, Version: 1, State: store.Open, Created: now, Updated: now,
		Ops: []rules.Operation{{Kind: rules.Add, Rule: r}}}
}

// publish applies the audit entry's operations to the app's head; it starts again
// when somebody else published at the same moment.
func (a *Admin) publish(ctx context.Context, app string, audit store.Audit) (rules.Head, error) {
	for try := 0; ; try++ {
		head, set, err := store.Current(ctx, a.store, app)
		if err != nil {
			return head, err
		}
		next, err := rules.Apply(set, audit.Ops)
		if err != nil {
			return head, conflict("does_not_fit", err.Error())
		}
		audit.App, audit.Time = app, time.Now().UTC()
		published, err := a.store.Publish(ctx, app, head.Epoch, next, audit)
		if !errors.Is(err, store.ErrConflict) || try == maxTries {
			return published, err
		}
	}
}

// newestVersion is the rule in its newest version and state.
func (a *Admin) newestVersion(ctx context.Context, app, id string) (*rules.Rule, []rules.Rule, error) {
	all, err := a.store.RuleVersions(ctx, app, id)
	if err != nil {
		return nil, nil, err
	}
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("rule %s: %w", clip(id, 60), store.ErrNotFound)
	}
	return &all[0], all, nil
}

// allRules lists the newest version of every rule that was ever in force: in force
// first, then by id, newest first.
func (a *Admin) allRules(ctx context.Context, app string) ([]rules.Rule, error) {
	all, err := a.store.RuleVersions(ctx, app, "")
	if err != nil {
		return nil, err
	}
	newest := map[string]rules.Rule{}
	for _, r := range all {
		if r.Version > newest[r.ID].Version {
			newest[r.ID] = r
		}
	}
	out := make([]rules.Rule, 0, len(newest))
	for _, r := range newest {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b rules.Rule) int {
		return cmp.Or(cmp.Compare(stateOrder(a.State), stateOrder(b.State)), b.ValidFrom.Compare(a.ValidFrom), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

func stateOrder(s rules.State) int {
	return slices.Index([]rules.State{rules.Active, rules.Canary, rules.Paused, rules.Superseded, rules.Retired}, s)
}

// setState retires, pauses or resumes a rule.
func (a *Admin) setState(ctx context.Context, who person, app, id, action, reason string) (*rules.Rule, rules.Head, error) {
	r, _, err := a.newestVersion(ctx, app, id)
	if err != nil {
		return nil, rules.Head{}, err
	}
	op := rules.Operation{IDs: []string{id}}
	inForce := r.State == rules.Active || r.State == rules.Canary
	switch {
	case action == "resume" && !inForce:
		back := r.Clone()
		back.State = rules.Active
		if back.Ramp > 0 {
			back.State = rules.Canary
		}
		if err := a.validate(back); err != nil {
			return nil, rules.Head{}, err
		}
		if err := a.replaced(ctx, r); err != nil {
			return nil, rules.Head{}, err
		}
		op = rules.Operation{Kind: rules.Resume, Rule: back}
	case action == "retire" && r.State == rules.Paused:
		op.Kind, op.Rule = rules.Retire, r
	case action == "resume", !inForce:
		return nil, rules.Head{}, conflict("state", fmt.Sprintf("the rule is %s already", r.State))
	case action == "pause":
		op.Kind = rules.Pause
	default:
		op.Kind = rules.Retire
	}
	head, err := a.publish(ctx, app, store.Audit{
		Actor: who.Name, Action: action, Target: id, Reason: reason, Ops: []rules.Operation{op},
	})
	if err != nil {
		return nil, head, err
	}
	r, _, err = a.newestVersion(ctx, app, id)
	return r, head, err
}

// replaced refuses to bring back a rule whose place another took, as long as that one is
// in force: most such pairs contradict each other. It is found in the newest MaxPage
// audit entries.
func (a *Admin) replaced(ctx context.Context, r *rules.Rule) error {
	if r.State != rules.Superseded {
		return nil
	}
	_, set, err := store.Current(ctx, a.store, r.App)
	if err != nil {
		return err
	}
	entries, _, err := a.store.Audits(ctx, store.AuditFilter{App: r.App, Limit: store.MaxPage})
	if err != nil {
		return err
	}
	for i := range entries {
		for _, op := range entries[i].Ops {
			if entries[i].Head.Epoch > 0 && slices.Contains(op.IDs, r.ID) && op.Rule != nil && set.Rule(op.Rule.ID) != nil {
				return conflict("replaced", fmt.Sprintf("rule %s took its place and is in force: %q. Pause or retire that one first, or roll back", op.Rule.ID, clip(op.Rule.Action, 100)))
			}
		}
	}
	return nil
}

// activate makes a set that was in force before the head again, as a new epoch. It
// starts again when the learner published newer word statistics at the same moment;
// other changes of the rules, which the person has not seen, are a conflict.
func (a *Admin) activate(ctx context.Context, who person, app, hash, reason string) (rules.Head, error) {
	set, err := a.store.Set(ctx, app, hash)
	if err != nil {
		return rules.Head{}, err
	}
	var seen *rules.Set
	for try := 0; ; try++ {
		head, now, err := store.Current(ctx, a.store, app)
		switch {
		case err != nil:
			return head, err
		case head.Hash == hash:
			return head, conflict("in_force", "this rule set is in force already")
		case seen != nil && !onlyRefreshed(seen, now):
			return head, fmt.Errorf("roll back: the rules changed: %w", store.ErrConflict)
		}
		published, err := a.store.Publish(ctx, app, head.Epoch, set, store.Audit{
			App: app, Time: time.Now().UTC(), Actor: who.Name, Action: "activate", Target: hash, Reason: reason,
		})
		if !errors.Is(err, store.ErrConflict) || try == maxTries {
			return published, err
		}
		seen = now
	}
}

// onlyRefreshed says whether two sets differ in their word statistics at most.
func onlyRefreshed(a, b *rules.Set) bool {
	x, y := *a, *b
	x.Stats, y.Stats = "", ""
	return x.Hash() == y.Hash()
}

// tuning changes how a rule in force is rolled out; nil fields stay. Its words
// change by a proposal only.
type tuning struct {
	Holdout  *float64   `json:"holdout"` // [0, 0.5]
	Ramp     *float64   `json:"ramp"`    // share of the other units, (0, 1]; 1 makes it active
	Priority *int       `json:"priority"`
	ValidTo  *time.Time `json:"valid_to"` // later than now renews a rule that ran out
	Fact     *fact      `json:"fact"`
	Reason   string     `json:"reason"`
}

// tune publishes a further version of a rule in force.
func (a *Admin) tune(ctx context.Context, who person, app, id string, in tuning) (*rules.Rule, rules.Head, error) {
	if in.Ramp != nil && !(*in.Ramp > 0 && *in.Ramp <= 1) {
		return nil, rules.Head{}, badRequest("ramp", "ramp: want a share above 0, up to 1")
	}
	old, _, err := a.newestVersion(ctx, app, id)
	if err != nil {
		return nil, rules.Head{}, err
	}
	if old.State != rules.Active && old.State != rules.Canary {
		return nil, rules.Head{}, conflict("state", fmt.Sprintf("the rule is %s: resume it first", old.State))
	}
	r := old.Clone()
	set(&r.Holdout, in.Holdout)
	set(&r.Priority, in.Priority)
	set(&r.ValidTo, in.ValidTo)
	in.Fact.of(r, who)
	if in.Ramp != nil {
		r.State, r.Ramp = rules.Canary, *in.Ramp
		if r.Ramp == 1 {
			r.State, r.Ramp = rules.Active, 0
		}
	}
	if reflect.DeepEqual(r, old) {
		return nil, rules.Head{}, badRequest("", "nothing was changed")
	}
	r.Version++
	validate := a.validate
	if in.ValidTo != nil || in.Fact != nil {
		validate = a.validateNew
	}
	if err := validate(r); err != nil {
		return nil, rules.Head{}, err
	}
	head, err := a.publish(ctx, app, store.Audit{
		Actor: who.Name, Action: "tune", Target: id, Reason: in.Reason, Ops: []rules.Operation{{Kind: rules.Revise, Rule: r}},
	})
	return r, head, err
}

// rollBack tells what making an old set the head again would change.
type rollBack struct {
	Head    rules.Head   // the old one, in its newest epoch
	Now     rules.Head   // in force
	Back    []rules.Rule // would come back
	Gone    []rules.Rule // would go
	Changed []rules.Rule // would be in another version: that of the old set
	Same    []rules.Rule
	Routing bool // the shares differ
	Replay  *replay
}

func (a *Admin) rollBackTo(ctx context.Context, app, hash string) (*rollBack, error) {
	old, err := a.store.Set(ctx, app, hash)
	if err != nil {
		return nil, err
	}
	head, now, err := store.Current(ctx, a.store, app)
	if err != nil {
		return nil, err
	}
	out := &rollBack{Head: rules.Head{Hash: hash}, Now: head, Routing: !reflect.DeepEqual(old.Routing, now.Routing)}
	for _, r := range old.Rules {
		switch is := now.Rule(r.ID); {
		case is == nil:
			out.Back = append(out.Back, r)
		case is.Version != r.Version || is.State != r.State:
			out.Changed = append(out.Changed, r)
		default:
			out.Same = append(out.Same, r)
		}
	}
	for _, r := range now.Rules {
		if old.Rule(r.ID) == nil {
			out.Gone = append(out.Gone, r)
		}
	}
	heads, err := a.store.Heads(ctx, app, 200)
	for _, h := range heads {
		if h.Head.Hash == hash {
			out.Head.Epoch = max(out.Head.Epoch, h.Head.Epoch)
		}
	}
	return out, err
}
