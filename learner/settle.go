package learner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"time"

	"heed/store"
)

// work handles what is pending and due of the apps that this learner leads, a
// batch of each in turn. One record that fails does not hold up the others; a
// store that fails ends the round.
func (l *Learner) work(ctx context.Context) error {
	maps.DeleteFunc(l.retries, func(_ string, at time.Time) bool { return at.Before(l.now()) }) // due: Pending has them
	for left := true; left && ctx.Err() == nil; {
		apps, err := l.led(ctx)
		if err != nil {
			return err
		}
		left = false
		for _, app := range apps {
			lease := l.app(app).lease
			n, err := l.batch(ctx, app, lease)
			if errors.Is(err, store.ErrFenced) {
				l.lost(app, lease)
				continue
			}
			if err != nil {
				return err
			}
			left = left || n > 0
		}
	}
	return nil
}

// batch handles some of what is pending and due of the app and returns how many.
func (l *Learner) batch(ctx context.Context, app string, lease store.Lease) (int, error) {
	fs, err := l.opt.Store.Pending(ctx, app, lease, batchRecords)
	if err != nil {
		return 0, err
	}
	for _, f := range fs {
		if err := l.settle(ctx, f); err != nil {
			return 0, err
		}
	}
	return len(fs), nil
}

// settle handles one record, or puts it off, or puts it aside after maxTries. Its
// error is the store's, and no try of the record: it stays pending.
//
// A record may end the process (by its memory, say), and then nobody can note that
// it failed. So the try of a record that failed before, or that was given out and
// of which nothing came, is counted before it is made. One that is given out for
// the first time is not: a process that dies would spoil its whole batch, and
// every record would cost a commit more.
func (l *Learner) settle(ctx context.Context, f *store.Feedback) error {
	l.move()
	before := f.Tries // tries that came to an end, or ended a process
	if n, ok := l.begun[f.ID]; ok && f.Tries == n+1 {
		before = n // that was this process, which lives: the store failed
	}
	if before >= maxTries {
		return l.putAside(ctx, f, before, "it was begun so often and not finished: it may have ended the process")
	}
	if f.Given || f.Tries > 0 {
		if err := l.note(ctx, f, store.Handled{Feedback: f.ID, Begun: true, Tries: before + 1}); err != nil {
			return err
		}
		l.begun[f.ID] = before
	}
	c, cancel := context.WithTimeout(ctx, recordTime)
	err := l.attempt(c, f)
	cancel()
	switch {
	case err == nil:
		delete(l.begun, f.ID)
		return nil
	case ctx.Err() != nil:
		return l.giveBack(ctx, f, before)
	case outage(err) || errors.Is(err, store.ErrFenced):
		return err
	}
	l.opt.Log.Warn("learner: feedback not handled", "app", f.App, "feedback", f.ID, "error", err)
	why := oneLine(err.Error(), 200)
	if before+1 >= maxTries {
		return l.putAside(ctx, f, before+1, why)
	}
	return l.note(ctx, f, store.Handled{Feedback: f.ID, Tries: before + 1, RetryAt: l.now().Add(time.Duration(before+1) * firstRetry), Note: "will be tried again: " + why})
}

// outage says whether the error is about the store and not about what it was
// asked.
func outage(err error) bool {
	for _, e := range []error{store.ErrDown, store.ErrFull, store.ErrClosed, store.ErrLocked} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// putAside gives the record up, for a person to look at.
func (l *Learner) putAside(ctx context.Context, f *store.Feedback, tries int, why string) error {
	err := l.note(ctx, f, store.Handled{Feedback: f.ID, Aside: true, Tries: tries, Note: why},
		store.Audit{App: f.App, Time: l.now(), Actor: "learner", Action: "put-aside", Target: f.ID, Reason: fmt.Sprintf("after %d tries: %s", tries, why)})
	if err != nil {
		return err
	}
	l.metrics.putAside.Inc()
	l.opt.Log.Error("learner: feedback put aside", "app", f.App, "feedback", f.ID, "tries", tries, "reason", why)
	return nil
}

// giveBackTime is how long a learner that is told to end takes to say that the
// record it was at did not fail.
const giveBackTime = time.Second

// giveBack takes back that the record was begun: the learner is told to end.
func (l *Learner) giveBack(ctx context.Context, f *store.Feedback, before int) error {
	if _, begun := l.begun[f.ID]; !begun {
		return ctx.Err()
	}
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTime)
	defer cancel()
	return errors.Join(ctx.Err(), l.note(c, f, store.Handled{Feedback: f.ID, Tries: before, RetryAt: l.now(), Note: "the learner was stopped"}))
}

// note commits what became of one record by itself.
func (l *Learner) note(ctx context.Context, f *store.Feedback, h store.Handled, audits ...store.Audit) error {
	err := l.opt.Store.Commit(ctx, store.Changes{App: f.App, Lease: l.app(f.App).lease, Handled: []store.Handled{h}, Audits: audits})
	if err != nil {
		return fmt.Errorf("feedback %s: %w", f.ID, err)
	}
	if !h.Begun {
		l.putOff([]store.Handled{h})
		delete(l.begun, f.ID)
	}
	return nil
}

// attempt derives the changes from the record and commits them, anew when
// somebody else changed a proposal meanwhile. A panic becomes an error, so that a
// record that breaks something is put aside like any other.
func (l *Learner) attempt(ctx context.Context, f *store.Feedback) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.opt.Log.Error("BUG: learner panic", "feedback", f.ID, "stack", string(debug.Stack()))
			err = fmt.Errorf("BUG: %v", p)
		}
	}()
	for try := 1; ; try++ {
		s, err := l.load(ctx, f.App)
		if err != nil {
			return err
		}
		if err := l.derive(ctx, s, f); err != nil {
			return err
		}
		err = l.opt.Store.Commit(ctx, s.changes())
		if err == nil {
			l.committed(ctx, s, f)
			return nil
		}
		if !errors.Is(err, store.ErrConflict) || try == maxCommits {
			return fmt.Errorf("commit: %w", err)
		}
	}
}

// committed counts, and approves what the app's policy lets it.
func (l *Learner) committed(ctx context.Context, s *state, f *store.Feedback) {
	l.putOff(s.handled)
	for _, h := range s.handled {
		if h.RetryAt.IsZero() {
			l.metrics.seconds.Observe(max(0, l.now().Sub(f.Time).Seconds()))
		}
	}
	l.metrics.handled.WithLabelValues(s.outcome).Inc()
	a := l.app(f.App)
	a.dirty = true
	l.metrics.settling.Set(float64(l.settling()))
	if f.Rating != nil {
		a.rated = true
		a.ratings++
	}
	for _, id := range s.order {
		l.approve(ctx, s.policy, s.proposals[id])
	}
}
