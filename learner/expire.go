package learner

import (
	"context"
	"errors"
	"time"

	"heed/rules"
	"heed/store"
)

// ProposalLife is how long an open proposal waits for a decision after its newest
// evidence; then it expires. Who says the same later begins a new one.
const ProposalLife = 30 * 24 * time.Hour

// expireEvery is how often proposals are looked through for old ones.
const expireEvery = time.Hour

// wakeEvery is how often snoozed proposals are looked through for those whose time
// has come.
const wakeEvery = time.Minute

// wake opens the snoozed proposals whose time has come, as people asked for.
func (l *Learner) wake(ctx context.Context, app string) error {
	ps, err := l.allProposals(ctx, store.ProposalFilter{App: app, State: store.Snoozed})
	if err != nil {
		return err
	}
	changes := store.Changes{App: app, Lease: l.app(app).lease}
	for _, p := range ps {
		if p.Until.After(l.now()) {
			continue
		}
		p.Version++
		p.State = store.Open // Until stays: it is not old yet
		changes.Proposals = append(changes.Proposals, p)
	}
	if len(changes.Proposals) == 0 {
		return nil
	}
	if err = l.opt.Store.Commit(ctx, changes); errors.Is(err, store.ErrConflict) {
		l.app(app).woken = time.Time{} // somebody changed one: look again
		return nil
	}
	return err
}

// Outlived says whether a proposal is to expire at now: it is open, and for
// ProposalLife nobody said anything for it, nor did it come back. A snoozed one waits as long as the
// person said; one to retire a rule that nobody stands behind waits for ever,
// because the rule is in force. It is pure.
func Outlived(p *store.Proposal, now time.Time) bool {
	if p.State != store.Open || len(p.Ops) > 0 && p.Ops[0].Kind == rules.Retire {
		return false
	}
	newest := p.Created
	if p.Routing != nil {
		newest = p.Updated // every rating changes it
	}
	if p.Until.After(newest) { // it was snoozed until then
		newest = p.Until
	}
	for _, e := range p.Evidence {
		if e.Time.After(newest) {
			newest = e.Time
		}
	}
	return now.Sub(newest) >= ProposalLife
}

// expire closes the proposals that outlived their evidence.
func (l *Learner) expire(ctx context.Context, app string) error {
	ps, err := l.allProposals(ctx, store.ProposalFilter{App: app, State: store.Open})
	if err != nil {
		return err
	}
	changes := store.Changes{App: app, Lease: l.app(app).lease}
	for _, p := range ps {
		if !Outlived(p, l.now()) {
			continue
		}
		p.Version++
		p.State, p.DecidedBy, p.DecidedAt, p.Updated = store.Expired, "learner", l.now(), l.now()
		p.Reason = "nobody said anything for it in 30 days"
		changes.Proposals = append(changes.Proposals, p)
	}
	if len(changes.Proposals) == 0 {
		return nil
	}
	err = l.opt.Store.Commit(ctx, changes)
	if errors.Is(err, store.ErrConflict) {
		l.app(app).expired = time.Time{} // somebody changed one: look again
		return nil
	}
	return err
}
