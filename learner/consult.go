package learner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// Limits of consulting a model.
const (
	modelPause    = time.Minute // after a failure, doubled up to modelLongest
	modelLongest  = time.Hour
	modelMaxTouch = 0.5 // share of traffic from which a drafted scope is too broad
)

// consultation is one question to the model, and its answer.
type consultation struct {
	app     string
	finding string
	count   int // complaints in the finding when it was asked about
	said    []Said
	drafts  []Draft
	err     error
}

// consult is the state of asking the model; Run's goroutine owns it.
type consult struct {
	busy    bool
	answers chan consultation // holds one
	asked   map[string]int    // complaints of a finding when it was last asked about
	pause   time.Duration
	next    time.Time // not before
}

// drafting takes the model's answer in, and asks about the next finding that grew.
// One question is out at a time.
func (l *Learner) drafting(ctx context.Context, app string) error {
	c := &l.consult
	if l.opt.Model == nil {
		return nil
	}
	select {
	case a := <-c.answers:
		c.busy = false
		if err := l.drafted(ctx, a); err != nil {
			return err
		}
	default:
	}
	if c.busy || l.now().Before(c.next) {
		return nil
	}
	fs, _, err := l.opt.Store.Findings(ctx, store.FindingFilter{App: app, State: "open", Limit: store.DefaultPage})
	if err != nil {
		return fmt.Errorf("read findings: %w", err)
	}
	for _, f := range fs {
		if Kind(f.Kind) != NoInstruction || f.Count <= c.asked[f.ID] {
			continue
		}
		said, err := l.said(ctx, f)
		if err != nil {
			return err
		}
		if len(said) == 0 {
			continue
		}
		c.busy = true
		l.side.Add(1)
		go l.ask(context.WithoutCancel(ctx), consultation{app: app, finding: f.ID, count: f.Count, said: said})
		return nil
	}
	return nil
}

// ask runs in its own goroutine, which Run waits for; the model's timeout ends it.
func (l *Learner) ask(ctx context.Context, c consultation) {
	defer l.side.Done()
	c.drafts, c.err = l.opt.Model.Draft(ctx, c.said, l.now())
	l.consult.answers <- c
}

// said reads the newest complaints of a finding that still stand.
func (l *Learner) said(ctx context.Context, f *store.Finding) ([]Said, error) {
	var out []Said
	for _, e := range f.Evidence[:min(len(f.Evidence), maxSaid)] {
		r, err := l.opt.Store.FeedbackByID(ctx, f.App, e.Feedback)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read feedback: %w", err)
		}
		if !r.Retracted.IsZero() || r.SupersededBy != "" {
			continue
		}
		s := Said{ID: r.ID, Comment: r.Comment, When: r.When, Correction: r.Correction}
		if r.Link != nil {
			s.Request, s.Answer = r.Link.Query, r.Link.Answer
		}
		out = append(out, s)
	}
	return out, nil
}

// drafted makes proposals of what passes, and remembers what was asked. A failure
// costs a pause and nothing else.
func (l *Learner) drafted(ctx context.Context, a consultation) error {
	c := &l.consult
	if a.err != nil {
		c.pause = min(max(2*c.pause, modelPause), modelLongest)
		c.next = l.now().Add(c.pause)
		l.metrics.modelFailures.Inc()
		l.opt.Log.Warn("learner: model not of use, complaints wait", "app", a.app, "error", a.err)
		return nil
	}
	c.pause = 0
	c.asked[a.finding] = a.count
	s, err := l.load(ctx, a.app)
	if err != nil {
		return err
	}
	for _, d := range a.drafts {
		why := Vet(d, a.said, s.policy.Domains)
		if why == "" {
			why, err = l.proposeDraft(ctx, s, a, d)
			if err != nil {
				return err
			}
		}
		if why != "" {
			l.metrics.modelRefused.Inc()
			l.opt.Log.Info("learner: draft refused", "app", a.app, "finding", a.finding, "reason", why)
		}
	}
	if len(s.order)+len(s.found) == 0 {
		return nil
	}
	err = l.opt.Store.Commit(ctx, s.changes(l.opt.Worker))
	if errors.Is(err, store.ErrConflict) {
		delete(c.asked, a.finding) // somebody changed one: ask again
		return nil
	}
	return err
}

// proposeDraft makes a proposal of a draft, or says why not.
func (l *Learner) proposeDraft(ctx context.Context, s *state, a consultation, d Draft) (string, error) {
	i := slices.IndexFunc(s.findings, func(f *store.Finding) bool { return f.ID == a.finding })
	if i < 0 {
		return "its finding is gone", nil
	}
	f := s.findings[i]
	var behind []store.Evidence
	for _, e := range slices.Backward(f.Evidence) { // oldest first
		if slices.Contains(d.Sources, e.Feedback) {
			behind = append(behind, e)
		}
	}
	if len(behind) == 0 {
		return "its sources were taken back", nil
	}
	r := &rules.Rule{ID: rules.NewID(), Version: 1, App: s.app, State: rules.Active, Origin: "model", Holdout: s.policy.Holdout,
		Action: oneLine(d.Action, rules.MaxActionRunes), Checks: check.Compile(d.Action)}
	r.Scope.AppliesWhen = condition(d.When, "", s.known)
	if f.Step != "" {
		r.Scope.Hard.Steps = []string{f.Step}
	}
	support(r, behind, nil, s.known)
	if s.inForce(r) != nil || s.like(r, s.open) != nil {
		return "it is known already", nil
	}
	p := &store.Proposal{ID: store.NewID(), State: store.Open, Evidence: behind, People: people(behind), Ops: []rules.Operation{{Kind: rules.Add, Rule: r}}}
	t, err := l.touch(ctx, s, p.Ops)
	if err != nil {
		return "", err
	}
	if t.Of >= leastTouch && t.Share() > modelMaxTouch {
		return fmt.Sprintf("it would touch %.0f %% of the traffic", 100*t.Share()), nil
	}
	if err := l.finish(ctx, s, p); err != nil {
		return "", err
	}
	p.Title = oneLine("Drafted by a model: "+p.Title, 160)
	next := *f
	next.Suggest = r.Action
	s.file(&next)
	return "", nil
}
