package admin

import (
	"context"
	"time"

	"heed/store"
)

// stateAside is the state by which lists of feedback ask for what the learner gave
// up.
const stateAside = "aside"

// tryAgain makes a record that the learner gave up pending anew, as if it had
// never been tried.
func (a *Admin) tryAgain(ctx context.Context, who person, app, id, reason string) (*store.Feedback, error) {
	f, err := a.store.FeedbackByID(ctx, app, id)
	if err != nil {
		return nil, err
	}
	if f.Aside == "" {
		return nil, conflict("not_aside", "the feedback is not put aside")
	}
	now := time.Now().UTC()
	err = a.store.Commit(ctx, store.Changes{
		App: app, Handled: []store.Handled{{Feedback: f.ID, RetryAt: now, Note: "to be tried again, says " + who.Name}},
		Audits: []store.Audit{{App: app, Time: now, Actor: who.Name, Action: "try-again", Target: f.ID, Reason: reason}},
	})
	if err != nil {
		return nil, err
	}
	return a.store.FeedbackByID(ctx, app, f.ID)
}

func (a *Admin) apiTryAgain(c *call) (any, error) {
	var in because
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	return a.tryAgain(c.r.Context(), c.who, app, c.id(), in.Reason)
}

func (a *Admin) doTryAgain(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	if _, err := a.tryAgain(c.r.Context(), c.who, app, c.id(), c.field("reason")); err != nil {
		return err
	}
	return c.done("/feedback", "The learner tries it again.")
}
