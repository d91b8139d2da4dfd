package admin

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"heed/rules"
	"heed/store"
)

// maxUserBytes is the longest name of a person that erase takes; the gateway cuts
// Heed-User there too.
const maxUserBytes = 256

func (a *Admin) apiBackup(c *call) (any, error) {
	var in struct {
		Dir string `json:"dir"`
	}
	if _, err := c.body(&in); err != nil {
		return nil, err
	}
	return a.backup(c.r.Context(), c.who, in.Dir)
}

// backup copies the whole store, with every app, into a folder of this machine.
func (a *Admin) backup(ctx context.Context, who person, dir string) (any, error) {
	b, ok := a.store.(store.Backuper)
	if !ok {
		return nil, &Error{Status: http.StatusNotImplemented, Code: "no_backup", Message: "this store has no backup of its own"}
	}
	if !filepath.IsAbs(dir) {
		return nil, badRequest("dir", "dir: want an absolute path of an empty or new folder on the machine where Heed runs")
	}
	apps, err := a.apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, app := range apps { // first, so that it is in the copy too
		if err := a.store.AddAudit(ctx, store.Audit{App: app, Time: time.Now().UTC(), Actor: who.Name, Action: "backup"}); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	if err := b.Backup(ctx, dir); err != nil {
		if errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrCorrupt) || ctx.Err() != nil {
			return nil, err
		}
		return nil, &Error{Status: http.StatusConflict, Code: "backup", Message: err.Error(), Param: "dir"}
	}
	return map[string]any{"dir": dir, "seconds": time.Since(start).Seconds()}, nil
}

func (a *Admin) apiErase(c *call) (any, error) {
	var in struct {
		User string `json:"user"`
	}
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	return a.erase(c.r.Context(), c.who, app, in.User)
}

// erase deletes everything of a person, named as the app's clients name them.
// Rules that rest on it go out of force at once; what other people said of the
// same becomes a proposal again, which somebody approves.
func (a *Admin) erase(ctx context.Context, who person, app, user string) (*store.Erased, error) {
	s, ok := a.store.(store.Eraser)
	if !ok {
		return nil, &Error{Status: http.StatusNotImplemented, Code: "no_erase", Message: "this store cannot erase a person; feedback can be retracted"}
	}
	if user == "" || len(user) > maxUserBytes {
		return nil, badRequest("user", "user: want the name that the app's clients send in Heed-User, at most 256 bytes")
	}
	hash := store.UserHash(app, user)
	traces, err := s.Traces(ctx, app, hash)
	if err != nil {
		return nil, err
	}
	audit := store.Audit{App: app, Time: time.Now().UTC(), Actor: who.Name, Action: "erase", Target: hash}
	if err := a.store.AddAudit(ctx, audit); err != nil { // first: nothing is changed unseen
		return nil, err
	}
	gone, again, err := a.takeOut(ctx, s, app, traces, audit)
	if err != nil {
		return nil, err
	}
	e, err := s.EraseUser(ctx, app, hash, again)
	if err != nil {
		return nil, err
	}
	// What was approved in between rests on it too.
	traces.Feedback, traces.Touched = append(traces.Feedback, e.Feedback...), append(traces.Touched, e.Touched...)
	late, _, err := a.takeOut(ctx, s, app, traces, audit)
	e.Rules = append(gone, late...)
	return &e, err
}

// takeOut retires the rules in force that rest on what is erased and makes the
// store forget them. again are the other people's records behind them.
func (a *Admin) takeOut(ctx context.Context, s store.Eraser, app string, e store.Erased, audit store.Audit) (gone, again []string, err error) {
	for try := 0; ; try++ {
		_, set, err := store.Current(ctx, a.store, app)
		if err != nil {
			return gone, again, err
		}
		var ids []string
		for i := range set.Rules {
			if r := &set.Rules[i]; e.Under(r) {
				ids = append(ids, r.ID)
				for _, id := range r.Sources {
					if !slices.Contains(e.Feedback, id) && !slices.Contains(e.Touched, id) {
						again = append(again, id)
					}
				}
			}
		}
		if len(ids) > 0 {
			retire := audit
			retire.Action, retire.Reason = "retire", "it rests on what an erased person said"
			retire.Ops = []rules.Operation{{Kind: rules.Retire, IDs: ids}}
			if _, err := a.publish(ctx, app, retire); err != nil {
				return gone, again, err
			}
			gone = append(gone, ids...)
		}
		err = s.Forget(ctx, app, e, audit)
		if !errors.Is(err, store.ErrConflict) || try == maxTries {
			return gone, again, err
		}
	}
}
