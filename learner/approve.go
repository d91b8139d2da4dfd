package learner

import (
	"context"
	"fmt"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// approveLeft puts in force what the app's policy lets it and was not when it was
// proposed: the process ended in between, or the store failed.
func (l *Learner) approveLeft(ctx context.Context, app string) error {
	a, p := l.app(app), l.policy(app)
	if a.settled || p.Approval != "auto" {
		return nil
	}
	ps, err := l.allProposals(ctx, store.ProposalFilter{App: app, State: store.Open})
	if err != nil {
		return err
	}
	a.settled = true
	for _, prop := range ps {
		l.approve(ctx, p, prop)
	}
	return nil
}

// approve puts a proposal in force where the app's policy lets it.
func (l *Learner) approve(ctx context.Context, p AppPolicy, prop *store.Proposal) {
	if ok, why := Automatic(prop, p); !ok {
		if p.Approval == "auto" && prop.State == store.Open {
			l.opt.Log.Info("learner: proposal waits for a person", "app", prop.App, "proposal", prop.ID, "reason", why)
		}
		return
	}
	_, err := store.Approve(ctx, l.opt.Store, store.Approval{
		App: prop.App, Proposal: prop.ID, Digest: prop.Digest(), Actor: "auto",
		Reason: "within the limits of the app's policy", Now: l.now(), Lease: l.app(prop.App).lease,
		Adjust: func(r *rules.Rule) {
			r.Holdout = p.Holdout
			if p.Ramp < 1 {
				r.State, r.Ramp = rules.Canary, p.Ramp
			}
		},
	})
	if err != nil {
		l.app(prop.App).settled = false // look again
		l.opt.Log.Warn("learner: proposal not approved", "app", prop.App, "proposal", prop.ID, "error", err)
		return
	}
	l.metrics.approved.Inc()
}

// Automatic says whether the policy lets a proposal go in force without a
// person, and if not, why. Filters of words do not know attacks that nobody thought
// of, so only actions whose every effect a check sees do. It is pure.
func Automatic(p *store.Proposal, policy AppPolicy) (bool, string) {
	switch {
	case policy.Approval != "auto":
		return false, "approval is manual"
	case p.State != store.Open:
		return false, "it is " + string(p.State)
	case len(p.Ops) == 0:
		return false, "it changes nothing"
	case len(p.Problems) > 0:
		return false, "it has safety problems"
	case len(p.Conflicts) > 0:
		return false, "it contradicts another rule"
	}
	for _, op := range p.Ops {
		switch {
		case op.Kind == rules.Retire && !op.OfPaused() && p.Routing == nil:
			return true, "" // only unlearning proposes it, and less in force is never a risk
		case op.Kind != rules.Add && op.Kind != rules.Revise:
			return false, "a person decides on " + string(op.Kind)
		case op.Rule.Origin == "model":
			return false, "a model drafted it"
		case op.Rule.Scope.Always:
			return false, "it applies always"
		case op.Kind == rules.Add && !check.Checkable(op.Rule.Action):
			return false, "a person judges free text; only what checks can see goes in force by itself"
		}
	}
	known := map[string]bool{}
	for _, e := range p.Evidence {
		if e.User != "" {
			known[e.User] = true
		}
	}
	if len(known) < policy.Quorum && !(policy.Quorum == 1 && len(p.Evidence) > 0) {
		return false, fmt.Sprintf("%d known people stand behind it, the quorum is %d", len(known), policy.Quorum)
	}
	if p.Touch.Share() > policy.MaxTouch && p.Touch.Of >= leastTouch {
		return false, fmt.Sprintf("it would touch %.0f %% of the traffic, the limit is %.0f %%", 100*p.Touch.Share(), 100*policy.MaxTouch)
	}
	return true, ""
}

// leastTouch is how many logged requests it takes for a share to mean anything.
const leastTouch = 20
