package learner

import (
	"context"
	"errors"
	"slices"
	"time"

	"heed/rules"
	"heed/store"
)

// tend does what is due besides feedback, app by app that it leads: routing proposals, proposals
// that no longer fit the rules in force, ramps, word statistics. An error is
// logged and tried again at the next round.
func (l *Learner) tend(ctx context.Context) {
	apps, err := l.led(ctx)
	if err != nil {
		l.fail(ctx, "", "list apps", err)
		return
	}
	for _, name := range apps {
		if ctx.Err() != nil {
			return
		}
		l.move()
		a, now := l.app(name), l.now()
		if a.rated { // ratings come a few at a time: look at once
			a.rated = false
			l.fail(ctx, name, "routing", l.route(ctx, name))
		}
		select {
		case a.refreshed = <-a.done:
			a.busy, a.fitTook = false, a.refreshed.took
			a.dirty = a.dirty || a.refreshed.rules == "" // it failed
		default:
		}
		l.fail(ctx, name, "approve what was left", l.approveLeft(ctx, name))
		l.fail(ctx, name, "drafts", l.drafting(ctx, name))
		l.fail(ctx, name, "judge rules", l.watchedAll(ctx, name))
		if due(a.seenAt, now, l.opt.RefreshEvery) {
			a.seenAt = now
			l.fail(ctx, name, "watch rules", l.watch(ctx, name))
		}
		l.fail(ctx, name, "measure proposals again", l.remeasure(ctx, name))
		if due(a.woken, now, wakeEvery) {
			a.woken = now
			l.fail(ctx, name, "wake proposals", l.wake(ctx, name))
		}
		if due(a.expired, now, expireEvery) {
			a.expired = now
			l.fail(ctx, name, "expire proposals", l.expire(ctx, name))
		}
		head, err := l.opt.Store.Head(ctx, name)
		if err != nil {
			l.fail(ctx, name, "read head", err)
			continue
		}
		moved := head != a.tended
		if a.stale && !a.busy { // the rules changed while a fit was running
			l.fail(ctx, name, "word statistics", l.refresh(ctx, name))
		}
		if !moved && !(a.dirty && due(a.looked, now, max(fitPause, fitRest*a.fitTook))) && !due(a.looked, now, fitIdle) {
			continue
		}
		a.looked, a.dirty, a.tended = now, false, head
		if moved {
			l.fail(ctx, name, "rebase proposals", l.rebase(ctx, name))
			l.fail(ctx, name, "generalize", l.generalize(ctx, name))
		}
		a.unmeasured = true
		l.fail(ctx, name, "measure proposals again", l.remeasure(ctx, name))
		l.fail(ctx, name, "word statistics", l.refresh(ctx, name))
	}
}

// fail logs an error of tend.
func (l *Learner) fail(ctx context.Context, app, doing string, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	if errors.Is(err, store.ErrFenced) {
		l.opt.Log.Warn("learner: another learner leads the app by now", "app", app, "doing", doing)
		return // renew sees it too
	}
	l.metrics.errors.Inc()
	l.opt.Log.Error("learner: "+doing, "app", app, "error", err)
}

// due says whether so much time has passed.
func due(last, now time.Time, every time.Duration) bool { return now.Sub(last) >= every }

// publish applies the operations that change makes for the set in force, and
// tries again when somebody else publishes at the same moment. No operations mean
// that there is nothing to do.
func (l *Learner) publish(ctx context.Context, app string, lease store.Lease, action, reason string, change func(*rules.Set) []rules.Operation) error {
	var err error
	for range fitPublish {
		head, set, e := store.Current(ctx, l.opt.Store, app)
		if e != nil {
			return e
		}
		ops := change(set)
		if len(ops) == 0 {
			return nil
		}
		next, e := rules.Apply(set, ops)
		if e != nil {
			return e
		}
		_, err = l.opt.Store.Publish(ctx, app, head.Epoch, next, store.Audit{
			App: app, Time: l.now(), Actor: "learner", Action: action, Target: changedRule(ops), Reason: reason, Ops: ops, Lease: lease,
		})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return err
}

// changedRule is the rule that the operations change, "" when it is not one.
func changedRule(ops []rules.Operation) string {
	switch {
	case len(ops) != 1:
	case ops[0].Rule != nil:
		return ops[0].Rule.ID
	case len(ops[0].IDs) == 1:
		return ops[0].IDs[0]
	}
	return ""
}

// rebase brings open proposals that no longer fit the rules in force up to date,
// and closes those whose rule is gone.
func (l *Learner) rebase(ctx context.Context, app string) error {
	s, err := l.load(ctx, app)
	if err != nil {
		return err
	}
	for _, p := range slices.Clone(s.open) {
		if len(p.Ops) == 0 || p.Ops[0].Kind == rules.Route {
			continue
		}
		fits, err := l.fits(ctx, s.set, p)
		if err == nil && !fits {
			err = l.refit(ctx, s, p)
		}
		if err != nil {
			return err
		}
	}
	if len(s.order) == 0 {
		return nil
	}
	err = l.opt.Store.Commit(ctx, s.changes())
	if errors.Is(err, store.ErrConflict) {
		l.app(app).tended = rules.Head{} // somebody changed one: look again
		return nil
	}
	return err
}

// fits says whether the proposal can be approved beside the rules in force: where it
// is about a paused rule, nobody has retired that meanwhile.
func (l *Learner) fits(ctx context.Context, set *rules.Set, p *store.Proposal) (bool, error) {
	if _, err := rules.Apply(set, store.AsApproved(p.Ops, nil)); err != nil {
		return false, nil
	}
	if !p.Ops[0].OfPaused() {
		return true, nil
	}
	vs, err := l.opt.Store.RuleVersions(ctx, p.App, p.Ops[0].Rule.ID)
	return err == nil && vs[0].State == rules.Paused, err
}

// refit makes a proposal fit the rules in force again.
func (l *Learner) refit(ctx context.Context, s *state, p *store.Proposal) error {
	next := cloneProposal(p)
	r := next.Rule()
	switch old := (*rules.Rule)(nil); {
	case r == nil, next.Ops[0].Kind == rules.Revise && s.set.Rule(r.ID) == nil:
		next.State, next.DecidedBy, next.DecidedAt, next.Reason = store.Expired, "learner", s.now, "the rules in force moved, so that it no longer changes anything"
		s.put(next)
		return nil
	case next.Ops[0].Kind == rules.Revise:
		old = s.set.Rule(r.ID)
		base := old.Clone()
		base.Version++
		base.Wordings = r.Wordings // a person joined them
		support(base, next.Evidence, old.Scope.Examples, s.known)
		next.Ops[0].Rule = base
	}
	return l.finish(ctx, s, next)
}
