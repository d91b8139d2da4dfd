package learner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"heed/store"
)

// Limits of consulting a model.
const (
	modelPause   = time.Minute // after an outage, doubled up to modelLongest
	modelLongest = time.Hour
	modelTries   = 2   // of one finding whose answers are of no use; then it waits for new complaints
	modelFailing = 5   // answers of no use in a row, of any findings, that count as an outage
	modelLook    = 100 // findings looked at in one round
	modelFailed  = 500 // findings whose failures are remembered
	askFresh     = 3   // like complaints that must come, beside doubling, before a finding is asked about again
	saidLike     = 0.5 // overlap of words from which two complaints say the same
)

// consultation is one question to the model, and its answer.
type consultation struct {
	app     string
	lease   store.Lease // what was read for it was read under this one
	finding string
	count   int // complaints in the finding when it was asked about
	said    []Said
	drafts  []Draft
	err     error
}

// consult is the state of asking the model; Run's goroutine owns it. What was
// asked about is kept in the findings, so that a restart asks nothing again.
type consult struct {
	busy    bool
	answers chan consultation  // holds one
	failed  map[string]failure // by finding, until it was answered or given up; at most modelFailed
	useless int                // answers of no use in a row
	after   map[string]string  // by app: where the next round goes on in its findings
	pause   time.Duration
	next    time.Time // not before
}

// failure is what asking about one finding came to so far.
type failure struct {
	useless int // answers of no use
	outages int // those make others go first, and are not held against it
}

func newConsult() consult {
	return consult{answers: make(chan consultation, 1), failed: map[string]failure{}, after: map[string]string{}}
}

// drafting takes the model's answer in, and asks about the next finding that is
// worth it. One question is out at a time.
func (l *Learner) drafting(ctx context.Context, app string) error {
	c := &l.consult
	if l.opt.Model == nil {
		return nil
	}
	if err := l.takeIn(ctx); err != nil {
		return err
	}
	if c.busy || l.now().Before(c.next) {
		return nil
	}
	fs, next, err := l.opt.Store.Findings(ctx, store.FindingFilter{App: app, State: "open", Limit: modelLook, After: c.after[app]})
	if err != nil {
		delete(c.after, app)
		return fmt.Errorf("read findings: %w", err)
	}
	c.after[app] = next
	f := c.choose(fs)
	if f == nil {
		return nil
	}
	c.after[app] = "" // the newest first again
	said, err := l.said(ctx, f)
	if err != nil {
		return err
	}
	question := consultation{app: app, lease: l.app(app).lease, finding: f.ID, count: f.Count, said: said}
	if len(said) == 0 { // all of it was taken back
		return l.drafted(ctx, question)
	}
	c.busy = true
	l.side.Add(1)
	go l.ask(ctx, question)
	return nil
}

// choose returns the finding to ask about, nil for none: the first that is worth
// it, of those that were struck by the fewest outages.
func (c *consult) choose(fs []*store.Finding) *store.Finding {
	var best *store.Finding
	for _, f := range fs {
		if WorthAsking(f) && (best == nil || c.failed[f.ID].outages < c.failed[best.ID].outages) {
			best = f
		}
	}
	return best
}

// WorthAsking says whether a model should be asked about the finding: never yet,
// when it has twice the complaints that it had then (and askFresh more), or when
// a new complaint is unlike those that were sent. It is pure.
func WorthAsking(f *store.Finding) bool {
	fresh := min(f.Count-f.Asked, len(f.Evidence))
	switch {
	case Kind(f.Kind) != NoInstruction || fresh <= 0:
		return false
	case f.Asked == 0, f.Count >= max(2*f.Asked, f.Asked+askFresh):
		return true
	}
	sent := f.Evidence[fresh:min(len(f.Evidence), fresh+maxSaid)]
	for _, e := range f.Evidence[:fresh] {
		if said := saidWords(e); len(said) > 0 && !saysSame(said, sent) {
			return true
		}
	}
	return false
}

func saysSame(said map[string]bool, among []store.Evidence) bool {
	for _, e := range among {
		if dice(said, saidWords(e)) >= saidLike {
			return true
		}
	}
	return false
}

func saidWords(e store.Evidence) map[string]bool {
	return stemSet(e.Quote + " " + e.Correction + " " + e.When)
}

// ask runs in its own goroutine, which Run waits for; the end of Run's context or
// the model's timeout ends it.
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

// takeIn deals with the model's answer, if there is one. What an answer brought is
// committed also when Run is about to end.
func (l *Learner) takeIn(ctx context.Context) error {
	c := &l.consult
	var a consultation
	select {
	case a = <-c.answers:
	default:
		return nil
	}
	c.busy = false
	if a.err != nil && ctx.Err() != nil {
		return nil // cancelled with Run
	}
	if l.failedToAnswer(a) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	return l.drafted(ctx, a)
}

// failedToAnswer notes what asking came to, and says whether there is nothing to
// take in: after an outage the finding stays as it is and all wait; an answer of
// no use is asked for once more, and then the finding counts as asked about.
func (l *Learner) failedToAnswer(a consultation) bool {
	c := &l.consult
	if a.err == nil {
		c.pause, c.useless = 0, 0
		delete(c.failed, a.finding)
		return false
	}
	if errors.Is(a.err, ErrSpent) {
		y, m, d := l.now().Date()
		c.next = time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
		l.opt.Log.Info("learner: the model's daily limit is used up, complaints wait", "until", c.next)
		return true
	}
	l.metrics.modelFailures.Inc()
	var call *CallError
	outage := errors.As(a.err, &call) && call.Outage
	l.opt.Log.Warn("learner: model not of use, complaints wait", "app", a.app, "finding", a.finding, "error", a.err)
	f := c.failed[a.finding]
	if outage {
		f.outages++
	} else {
		f.useless++
		c.useless++
	}
	if outage || c.useless >= modelFailing {
		c.useless = 0
		c.pause = min(max(2*c.pause, modelPause), modelLongest)
		c.next = l.now().Add(c.pause)
	}
	if f.useless >= modelTries {
		delete(c.failed, a.finding)
		return false
	}
	if _, known := c.failed[a.finding]; !known && len(c.failed) >= modelFailed {
		clear(c.failed) // they are asked about once more
	}
	c.failed[a.finding] = f
	return true
}
