package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"heed/rules"
)

// maxApproveTries bounds how often Approve starts again when somebody else
// publishes at the same moment.
const maxApproveTries = 5

// ErrStale means that a proposal is not what the approver was shown.
var ErrStale = errors.New("the proposal changed since it was shown: look at it again")

// ErrUnsafe means that a proposal has Problems: its texts must not become a rule.
var ErrUnsafe = errors.New("its texts must not become a rule: edit the proposal first")

// Approval is a decision to put a proposal in force.
type Approval struct {
	App, Proposal string
	Digest        string // Proposal.Digest of what the approver saw; binds the exact operations
	Actor         string
	Reason        string
	Now           time.Time
	Lease         Lease             // of a learner that approves; zero: a person does
	Adjust        func(*rules.Rule) // the approver's holdout and ramp; nil keeps them
}

// Approve publishes the proposal's operations on the app's head. It returns
// ErrStale when the proposal is no longer the one that was shown, ErrConflict
// when it was decided already, ErrUnsafe when it has Problems, whoever approves,
// and an error that names the operation when the
// rules in force moved so that it does not fit any more.
func Approve(ctx context.Context, s Store, a Approval) (rules.Head, error) {
	for try := 0; ; try++ {
		head, err := approveOnce(ctx, s, a)
		if !errors.Is(err, errLost) || try == maxApproveTries {
			return head, err
		}
	}
}

// errLost is a publish that lost the race for the head; the proposal may still
// be open, so it is worth another try.
var errLost = fmt.Errorf("%w: the head moved", ErrConflict)

func approveOnce(ctx context.Context, s Store, a Approval) (rules.Head, error) {
	// The head first: if somebody else approves after it was read, the proposal
	// says so below or Publish does; the rules never seem not to fit.
	head, set, err := Current(ctx, s, a.App)
	if err != nil {
		return rules.Head{}, err
	}
	p, err := s.Proposal(ctx, a.App, a.Proposal)
	if err != nil {
		return rules.Head{}, err
	}
	if p.State != Open && p.State != Snoozed {
		return rules.Head{}, fmt.Errorf("proposal %s is %s: %w", p.ID, p.State, ErrConflict)
	}
	if p.Digest() != a.Digest {
		return rules.Head{}, ErrStale
	}
	if len(p.Problems) > 0 {
		return rules.Head{}, fmt.Errorf("approve proposal %s: it %s: %w", p.ID, p.Problems[0].Message, ErrUnsafe)
	}
	ops := AsApproved(p.Ops, func(r *rules.Rule) {
		r.ApprovedBy = a.Actor
		if a.Adjust != nil {
			a.Adjust(r)
		}
	})
	next, err := rules.Apply(set, ops)
	if err != nil {
		return rules.Head{}, fmt.Errorf("proposal %s no longer fits the rules in force: %w", p.ID, err)
	}
	published, err := s.Publish(ctx, a.App, head.Epoch, next, Audit{
		App: a.App, Time: a.Now, Actor: a.Actor, Action: "approve", Target: p.ID, Reason: a.Reason,
		Ops: ops, Lease: a.Lease, Proposal: p.ID, ProposalVersion: p.Version,
	})
	if errors.Is(err, ErrConflict) {
		return rules.Head{}, errLost
	}
	return published, err
}

// AsApproved copies the operations with their rules as approval makes them: active,
// then as adjust changes them. A nil adjust changes nothing.
func AsApproved(ops []rules.Operation, adjust func(*rules.Rule)) []rules.Operation {
	out := slices.Clone(ops)
	for i := range out {
		if out[i].Rule == nil || out[i].Kind == rules.Retire {
			continue
		}
		out[i].Rule = out[i].Rule.Clone()
		out[i].Rule.State = rules.Active
		if adjust != nil {
			adjust(out[i].Rule)
		}
	}
	return out
}

// Current returns the app's head and its set; an empty set before the first
// Publish.
func Current(ctx context.Context, s Store, app string) (rules.Head, *rules.Set, error) {
	head, err := s.Head(ctx, app)
	if err != nil {
		return head, nil, err
	}
	if head.Epoch == 0 {
		return head, &rules.Set{App: app}, nil
	}
	set, err := s.Set(ctx, app, head.Hash)
	return head, set, err
}
