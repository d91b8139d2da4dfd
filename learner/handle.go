package learner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"heed/rules"
	"heed/store"
	"heed/wire"
)

// derive says what the record changes.
func (l *Learner) derive(ctx context.Context, s *state, f *store.Feedback) error {
	switch {
	case !f.Retracted.IsZero():
		return l.unlearn(ctx, s, f, "its author took it back")
	case f.SupersededBy != "":
		return l.unlearn(ctx, s, f, "its author said something newer")
	}
	x, err := l.exchange(ctx, f)
	if errors.Is(err, store.ErrNotFound) {
		s.waitOrGiveUp(f)
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the judged exchange: %w", err)
	}
	if err := l.forgetEarlier(ctx, s, f); err != nil {
		return err
	}
	link := LinkTo(x)
	c := Case{Feedback: f, Exchange: x, Answer: answerOf(x)}
	if f.Bad() && len(s.policy.Models[x.Facts.Alias].Targets) > 1 {
		if c.Ratings, err = l.opt.Store.Ratings(ctx, f.App); err != nil {
			return fmt.Errorf("read ratings: %w", err)
		}
	}
	d, old := s.replacing(f, x, Diagnose(c))
	switch d.Kind {
	case Instructs:
		return l.learn(ctx, s, f, x, link, d, old)
	case Rating, Routing:
		s.handle(f, link, string(d.Kind), "counted as a judgement of "+target(x)+": "+d.Reason)
	default:
		s.complain(f, link, d)
	}
	return nil
}

// exchange finds what was judged; ErrNotFound while it is not written yet.
func (l *Learner) exchange(ctx context.Context, f *store.Feedback) (*store.Exchange, error) {
	switch {
	case f.Link != nil && f.Link.ExchangeID != "":
		return l.opt.Store.Exchange(ctx, f.App, f.Link.ExchangeID)
	case f.ExchangeID != "":
		return l.opt.Store.Exchange(ctx, f.App, f.ExchangeID)
	case f.ResponseID != "":
		return l.opt.Store.ExchangeByResponse(ctx, f.App, f.ResponseID)
	case f.Session == "":
		return nil, store.ErrNotFound
	}
	xs, _, err := l.opt.Store.Exchanges(ctx, store.ExchangeFilter{App: f.App, Session: f.Session, Limit: 20})
	if err != nil {
		return nil, err
	}
	if len(xs) == 0 {
		return nil, store.ErrNotFound
	}
	i := max(0, slices.IndexFunc(xs, func(x *store.Exchange) bool { return x.Query != "" && x.Answer != "" }))
	return l.opt.Store.Exchange(ctx, f.App, xs[i].ID) // of a session, the newest answer to a person
}

// LinkTo is the feedback's own copy of what was judged.
func LinkTo(x *store.Exchange) *store.Link {
	return &store.Link{
		ExchangeID: x.ID, Time: x.Time, Step: x.Facts.Step, Alias: x.Facts.Alias, Unit: x.Facts.Unit,
		Query: cut(x.Query, store.MaxCopyBytes), Answer: cut(x.Answer, store.MaxCopyBytes),
		Rules: x.Decision.Rules, Target: x.Decision.Target, Failures: x.Failures,
	}
}

// answerOf reads the logged answer again, for its tool calls.
func answerOf(x *store.Exchange) *wire.Answer {
	if len(x.Response) == 0 {
		return nil
	}
	t := wire.NewTap(x.API, x.Stream, store.MaxCopyBytes)
	_, _ = t.Write(x.Response) // a Tap takes any bytes
	a := t.Answer()
	return &a
}

// waitOrGiveUp looks again later for an exchange that is not written yet: its
// answer may still be streaming. After linkPatience what was said is kept as a
// finding, because there is no request to learn a scope from.
func (s *state) waitOrGiveUp(f *store.Feedback) {
	age := s.now.Sub(f.Time)
	if age < linkPatience {
		s.outcome = "waiting"
		wait := min(max(age, firstRetry), longestRetry)
		s.handled = append(s.handled, store.Handled{Feedback: f.ID, RetryAt: s.now.Add(wait), Note: "waits for its exchange to be logged"})
		return
	}
	if strings.TrimSpace(f.Comment+f.Correction) == "" {
		s.handle(f, nil, "unlinked", "its exchange was never logged")
		return
	}
	d := Diagnosis{Kind: NoInstruction, Reason: "what was said about an answer that was never logged"}
	if a, _, ok := instruction(f); ok {
		d.Action = a
	}
	s.complain(f, nil, d)
	s.outcome = "unlinked"
}

// forgetEarlier unlearns what the same person said before about the exchange.
func (l *Learner) forgetEarlier(ctx context.Context, s *state, f *store.Feedback) error {
	if f.User == "" || f.ExchangeID == "" {
		return nil
	}
	fs, _, err := l.opt.Store.Feedback(ctx, store.FeedbackFilter{App: f.App, Exchange: f.ExchangeID, User: f.User, Limit: store.DefaultPage})
	if err != nil {
		return fmt.Errorf("read earlier feedback: %w", err)
	}
	for _, o := range fs {
		if o.ID != f.ID && o.SupersededBy == f.ID {
			if err := l.forget(ctx, s, o.ID, "its author said something newer"); err != nil {
				return err
			}
		}
	}
	return nil
}

// learn makes or strengthens a proposal of an instruction; old is the rule in force
// whose place it takes, nil for none.
func (l *Learner) learn(ctx context.Context, s *state, f *store.Feedback, x *store.Exchange, link *store.Link, d Diagnosis, old *rules.Rule) error {
	cand := Distill(f, d, link, s.policy, s.known)
	if cand == nil {
		d.Kind, d.Reason = NoInstruction, "nothing says when, or for whom, this would apply"
		s.complain(f, link, d)
		return nil
	}
	e := evidenceOf(f, link)
	if r := s.inForce(cand); r != nil {
		if done := s.alreadySaid(f, x, link, d, r); done {
			return nil
		}
		return l.widen(ctx, s, f, link, cand, r, e)
	}
	if p := s.like(cand, s.open); p != nil {
		next := MergeInto(p, e, cand, s.known)
		if err := l.finish(ctx, s, next); err != nil {
			return err
		}
		s.handle(f, link, string(Instructs), "joined proposal "+p.ID+" as evidence")
		return nil
	}
	behind, err := l.rejectedBefore(ctx, s, f, link, cand, e)
	if err != nil || behind == nil {
		return err
	}
	if len(s.open) >= maxOpen {
		d.Kind, d.Reason = NoInstruction, fmt.Sprintf("%d proposals are open: decide some first", len(s.open))
		s.complain(f, link, d)
		return nil
	}
	cand.ID = rules.NewID()
	p := &store.Proposal{ID: store.NewID(), State: store.Open, Evidence: behind, People: store.People(behind),
		Ops: []rules.Operation{{Kind: rules.Add, Rule: cand}}}
	if old == nil {
		old = s.contradicted(cand)
	}
	var keep []string
	if old != nil {
		p.Ops[0].Kind, p.Ops[0].IDs = rules.Supersede, []string{old.ID}
		keep = inherit(cand, old)
	}
	support(cand, behind, keep, s.known)
	if err := l.finish(ctx, s, p); err != nil {
		return err
	}
	if len(behind) > 1 {
		p.Title = oneLine("Asked for again: "+p.Title, 160)
	}
	s.handle(f, link, string(Instructs), "became proposal "+p.ID)
	return nil
}

// inForce returns the rule in force that says the same, nil when none does.
func (s *state) inForce(cand *rules.Rule) *rules.Rule {
	all := make([]*rules.Rule, len(s.set.Rules))
	for i := range s.set.Rules {
		all[i] = &s.set.Rules[i]
	}
	if same := Same(cand, all, s.stats); len(same) > 0 {
		return all[same[0]]
	}
	return nil
}

// like returns the proposal of the same new rule, nil when there is none.
func (s *state) like(cand *rules.Rule, among []*store.Proposal) *store.Proposal {
	all := make([]*rules.Rule, len(among))
	for i, p := range among {
		if len(p.Ops) > 0 && (p.Ops[0].Kind == rules.Add || p.Ops[0].Kind == rules.Supersede) {
			all[i] = p.Rule()
		}
	}
	if same := Same(cand, all, s.stats); len(same) > 0 {
		return among[same[0]]
	}
	return nil
}

// askAgain is how many times as many distinct people as were behind a rejected
// proposal bring it again, so that one that is rejected again and again comes ever
// less often; askAgainUnknown how many records do where nobody is known;
// rejectedKept is how many rejections are remembered.
const (
	askAgain        = 2
	askAgainUnknown = 3
	rejectedKept    = 200
)

// rejectedBefore deals with an instruction that a person rejected: it is kept as
// evidence there, and proposed again when enough people ask for it. It returns
// the evidence for a new proposal, nil when there is to be none.
func (l *Learner) rejectedBefore(ctx context.Context, s *state, f *store.Feedback, link *store.Link, cand *rules.Rule, e store.Evidence) ([]store.Evidence, error) {
	ps, _, err := l.opt.Store.Proposals(ctx, store.ProposalFilter{App: s.app, State: store.Rejected, Limit: rejectedKept})
	if err != nil {
		return nil, fmt.Errorf("read rejected proposals: %w", err)
	}
	p := s.lastLike(cand, ps)
	if p == nil {
		return []store.Evidence{e}, nil
	}
	next := MergeInto(p, e, cand, s.known)
	next.Ops = p.Ops // what was rejected stays as it was
	if AskAgain(next.Evidence, p.DecidedAt) {
		return next.Evidence, nil
	}
	s.keep(next, p.Version)
	s.handle(f, link, string(Instructs), fmt.Sprintf("kept with proposal %s, which %s rejected; it is proposed again when %d times as many people ask for it", p.ID, p.DecidedBy, askAgain))
	return nil, nil
}

// lastLike is like for the proposal of the same rule that was decided last.
func (s *state) lastLike(cand *rules.Rule, among []*store.Proposal) *store.Proposal {
	among = slices.Clone(among)
	slices.SortStableFunc(among, func(a, b *store.Proposal) int { return b.DecidedAt.Compare(a.DecidedAt) })
	return s.like(cand, among)
}

// AskAgain says whether what was rejected at a time is worth a second look: askAgain
// times as many known people stand behind it now, or askAgainUnknown records came
// since from people nobody knows. It is pure.
func AskAgain(evidence []store.Evidence, rejected time.Time) bool {
	before, all, unknown := map[string]bool{}, map[string]bool{}, 0
	for _, e := range evidence {
		since := e.Time.After(rejected)
		switch {
		case e.User == "" && since:
			unknown++
		case e.User == "":
			before[""] = true
		default:
			all[e.User] = true
			if !since {
				before[e.User] = true
			}
		}
	}
	return len(all) >= askAgain*max(1, len(before)) || unknown >= askAgainUnknown
}

// alreadySaid deals with an instruction that a rule in force gave for this very
// answer: it was withheld from the unit, or the model did not follow it.
func (s *state) alreadySaid(f *store.Feedback, x *store.Exchange, link *store.Link, d Diagnosis, r *rules.Rule) bool {
	i := slices.IndexFunc(x.Decision.Rules, func(o rules.RuleDecision) bool { return o.ID == r.ID })
	if i < 0 {
		return false
	}
	if x.Decision.Rules[i].Withheld {
		s.handle(f, link, string(Instructs), "rule "+r.ID+" says it and was withheld from this unit, to measure its effect")
		return true
	}
	if x.Decision.Observed || x.Decision.Resent {
		s.handle(f, link, string(Instructs), "rule "+r.ID+" says it and was not injected into this request")
		return true
	}
	d.Kind, d.Detail, d.Reason = Reword, r.ID, "rule "+r.ID+" says this, was injected, and was not followed"
	s.complain(f, link, d)
	return true
}

// widen proposes the judged request as a further example of a rule in force.
func (l *Learner) widen(ctx context.Context, s *state, f *store.Feedback, link *store.Link, cand, r *rules.Rule, e store.Evidence) error {
	for _, p := range s.open {
		if len(p.Ops) > 0 && p.Ops[0].Kind == rules.Revise && p.Rule().ID == r.ID {
			next := MergeInto(p, e, cand, s.known)
			if err := l.finish(ctx, s, next); err != nil {
				return err
			}
			s.handle(f, link, string(Instructs), "joined proposal "+p.ID+" as evidence")
			return nil
		}
	}
	if len(cand.Scope.Examples) == 0 || slices.Contains(r.Scope.Examples, cand.Scope.Examples[0]) {
		s.handle(f, link, string(Instructs), "rule "+r.ID+" in force says it for this request")
		return nil
	}
	next := r.Clone()
	next.Version++
	p := &store.Proposal{ID: store.NewID(), State: store.Open, Evidence: []store.Evidence{e}, People: 1,
		Ops: []rules.Operation{{Kind: rules.Revise, Rule: next}}}
	support(next, p.Evidence, r.Scope.Examples, s.known)
	if err := l.finish(ctx, s, p); err != nil {
		return err
	}
	s.handle(f, link, string(Instructs), "became proposal "+p.ID+" to widen rule "+r.ID)
	return nil
}
