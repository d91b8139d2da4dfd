package learner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"heed/rules"
	"heed/rules/match"
	"heed/store"
)

// appState is what the learner remembers of an app between records. It can be
// lost at any time: everything is read again from the store.
type appState struct {
	lease store.Lease // without an Epoch, which the store refuses, where the learner does not lead

	head  rules.Head
	set   *rules.Set
	stats *match.Stats

	known   Frequencies // of logged requests
	knownAt time.Time
	looked  time.Time // when tend last looked
	dirty   bool      // feedback was handled since
	rated   bool      // a rating was
	ratings int       // how many were, in this process
	watched map[string]*watched

	watching   bool         // effects are being read
	looks      chan []sight // what was read; holds one
	next       int          // index of the rule whose turn to be watched it is
	seenAt     time.Time
	expired    time.Time // when proposals were last looked through for old ones
	woken      time.Time // when snoozed proposals were last looked through
	unmeasured bool      // some open proposals may show what is no longer so
	settled    bool      // no open proposal waits for the policy's approval, as far as is known

	logged     []*store.Exchange // newest requests of loggedStep, for what proposals touch
	loggedStep string
	loggedAt   time.Time
	tended     rules.Head
	refreshed  refreshMark
	fitted     time.Time // when the last refresh began
	busy       bool      // a refresh is running; done tells its end
	stale      bool      // another is due after it
	fitTook    time.Duration
	done       chan refreshMark
}

func (l *Learner) app(name string) *appState {
	a := l.apps[name]
	if a == nil {
		a = &appState{lease: store.Lease{Worker: l.opt.Worker}, done: make(chan refreshMark, 1), looks: make(chan []sight, 1)}
		l.apps[name] = a
	}
	return a
}

// knownQueries is how many of the newest logged requests tell which words are
// common; knownFor how long that is good enough.
const (
	knownQueries = 2000
	knownFor     = 30 * time.Second
)

// current brings the app's set, word statistics and frequencies up to date.
func (l *Learner) current(ctx context.Context, app string) (*appState, error) {
	a := l.app(app)
	head, err := l.opt.Store.Head(ctx, app)
	if err != nil {
		return nil, fmt.Errorf("read head: %w", err)
	}
	if a.set == nil || head != a.head {
		h, set, err := store.Current(ctx, l.opt.Store, app)
		if err != nil {
			return nil, fmt.Errorf("read rule set: %w", err)
		}
		stats, err := store.StatsOf(ctx, l.opt.Store, set)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		a.head, a.set, a.stats = h, set, stats
	}
	if now := l.now(); a.knownAt.IsZero() || now.Sub(a.knownAt) > knownFor {
		logged, err := l.logged(ctx, app, knownQueries)
		if err != nil {
			return nil, err
		}
		queries := make([]string, len(logged))
		for i := range logged {
			queries[i] = logged[i].Query
		}
		a.known, a.knownAt = Count(queries), now
	}
	return a, nil
}

// logged lists the newest n logged requests that have a query.
func (l *Learner) logged(ctx context.Context, app string, n int) ([]match.Logged, error) {
	f := store.ExchangeFilter{App: app, Queries: true}
	var out []match.Logged
	for len(out) < n {
		f.Limit = min(store.MaxPage, n-len(out))
		xs, next, err := l.opt.Store.Exchanges(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("read logged requests: %w", err)
		}
		for _, x := range xs {
			out = append(out, match.Logged{Step: x.Facts.Step, Query: x.Query})
		}
		if next == "" {
			break
		}
		f.After = next
	}
	return out, nil
}

// state is one record's view of its app, and what is to change.
type state struct {
	app      string
	lease    store.Lease
	now      time.Time
	policy   AppPolicy
	set      *rules.Set
	stats    *match.Stats
	known    Frequencies
	open     []*store.Proposal // open and snoozed ones, as they will be
	findings []*store.Finding  // open ones and the newest resolved, as they will be

	stored    map[string]int // version in the store of proposals and findings
	proposals map[string]*store.Proposal
	order     []string // ids of changed proposals
	found     map[string]*store.Finding
	handled   []store.Handled
	audits    []store.Audit
	outcome   string
}

// maxListed bounds how many proposals or findings of an app are looked at.
const maxListed = 2000

// load reads what a record's handling depends on.
func (l *Learner) load(ctx context.Context, app string) (*state, error) {
	a, err := l.current(ctx, app)
	if err != nil {
		return nil, err
	}
	s := &state{
		app: app, lease: a.lease, now: l.now(), policy: l.policy(app), set: a.set, stats: a.stats, known: a.known,
		stored: map[string]int{}, proposals: map[string]*store.Proposal{}, found: map[string]*store.Finding{},
	}
	for _, st := range []store.ProposalState{store.Open, store.Snoozed} {
		ps, err := l.allProposals(ctx, store.ProposalFilter{App: app, State: st})
		if err != nil {
			return nil, err
		}
		s.open = append(s.open, ps...)
	}
	f := store.FindingFilter{App: app, Limit: store.MaxPage}
	for len(s.findings) < maxListed {
		fs, next, err := l.opt.Store.Findings(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("read findings: %w", err)
		}
		s.findings = append(s.findings, fs...)
		if next == "" {
			break
		}
		f.After = next
	}
	for _, p := range s.open {
		s.stored[p.ID] = p.Version
	}
	for _, f := range s.findings {
		s.stored[f.ID] = f.Version
	}
	return s, nil
}

func (l *Learner) allProposals(ctx context.Context, f store.ProposalFilter) ([]*store.Proposal, error) {
	var out []*store.Proposal
	f.Limit = store.MaxPage
	for len(out) < maxListed {
		ps, next, err := l.opt.Store.Proposals(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("read proposals: %w", err)
		}
		out = append(out, ps...)
		if next == "" {
			break
		}
		f.After = next
	}
	return out, nil
}

// put makes p part of what changes.
func (s *state) put(p *store.Proposal) {
	p.App, p.Updated, p.Version = s.app, s.now, s.stored[p.ID]+1
	if p.Version == 1 && p.Created.IsZero() {
		p.Created = s.now
	}
	if s.proposals[p.ID] == nil {
		s.order = append(s.order, p.ID)
	}
	s.proposals[p.ID] = p
	for i := range s.open {
		if s.open[i].ID == p.ID {
			s.open[i] = p
			return
		}
	}
	s.open = append(s.open, p)
}

// keep makes p, which was decided already, part of what changes.
func (s *state) keep(p *store.Proposal, version int) {
	p.Version = version + 1
	s.proposals[p.ID] = p
	s.order = append(s.order, p.ID)
}

// file makes f part of what changes.
func (s *state) file(f *store.Finding) {
	f.App, f.Updated, f.Version = s.app, s.now, s.stored[f.ID]+1
	if f.Version == 1 && f.Created.IsZero() {
		f.Created = s.now
	}
	s.found[f.ID] = f
	for i := range s.findings {
		if s.findings[i].ID == f.ID {
			s.findings[i] = f
			return
		}
	}
	s.findings = append(s.findings, f)
}

// handle notes what became of the record.
func (s *state) handle(f *store.Feedback, link *store.Link, outcome, note string) {
	s.outcome = outcome
	s.handled = append(s.handled, store.Handled{Feedback: f.ID, Link: link, Note: note})
}

func (s *state) changes() store.Changes {
	c := store.Changes{App: s.app, Lease: s.lease, Handled: s.handled, Audits: s.audits}
	for _, id := range s.order {
		c.Proposals = append(c.Proposals, s.proposals[id])
	}
	for _, f := range s.findings { // in a fixed order
		if s.found[f.ID] != nil {
			c.Findings = append(c.Findings, f)
		}
	}
	return c
}
