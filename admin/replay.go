package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"heed/rules"
	"heed/store"
)

// replay is what a proposal, or another set, would decide otherwise than the rules in
// force on the newest logged requests.
type replay struct {
	App      string     `json:"app"`
	Proposal string     `json:"proposal,omitempty"`
	Title    string     `json:"title,omitempty"` // the proposal's
	Set      rules.Head `json:"set,omitzero"`    // the other set, in its newest epoch
	Against  rules.Head `json:"against"`         // the rules in force
	store.Replay
	Share float64 `json:"share"`
}

// newestHeads is how many heads are searched for a set; older ones need their whole
// hash.
const newestHeads = 200

// replayProposal replays what approving a proposal would put in force.
func (a *Admin) replayProposal(ctx context.Context, app, id string, n int) (*replay, error) {
	p, err := a.store.Proposal(ctx, app, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("there is no proposal %q in app %s", id, app)
	}
	if err != nil {
		return nil, err
	}
	head, set, err := store.Current(ctx, a.store, app)
	if err != nil {
		return nil, err
	}
	next, err := rules.Apply(set, store.AsApproved(p.Ops, nil))
	if err != nil {
		return nil, conflict("does_not_fit", fmt.Sprintf("proposal %s is %s and does not fit the rules in force: %s", p.ID, p.State, err))
	}
	out := &replay{App: app, Proposal: p.ID, Title: p.Title, Against: head}
	return out, a.replayed(ctx, out, set, next, n)
}

// replaySet replays another set of the app, by its hash or, where it is one of the
// newest, by the beginning of it or its epoch.
func (a *Admin) replaySet(ctx context.Context, app, name string, n int) (*replay, error) {
	head, set, err := store.Current(ctx, a.store, app)
	if err != nil {
		return nil, err
	}
	heads, err := a.store.Heads(ctx, app, newestHeads)
	if err != nil {
		return nil, err
	}
	out := &replay{App: app, Set: rules.Head{Hash: name}, Against: head}
	for _, h := range heads {
		if fmt.Sprint(h.Head.Epoch) == name || len(name) >= 4 && strings.HasPrefix(h.Head.Hash, name) {
			out.Set = h.Head
			break
		}
	}
	other, err := a.store.Set(ctx, app, out.Set.Hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("there is no rule set %q in app %s: want its hash, the first characters of it, or its epoch", name, app)
	}
	if err != nil {
		return nil, err
	}
	return out, a.replayed(ctx, out, set, other, n)
}

func (a *Admin) replayed(ctx context.Context, out *replay, before, after *rules.Set, n int) error {
	is, err := a.compile(ctx, before)
	if err != nil {
		return err
	}
	will, err := a.compile(ctx, after)
	if err != nil {
		return err
	}
	xs, err := store.NewestRequests(ctx, a.store, out.App, "", n)
	if err != nil {
		return err
	}
	out.Replay = store.Replayed(is, will, xs, time.Now())
	out.Share = out.Replay.Share()
	return nil
}

// apiReplay answers ?proposal=ID or ?set=HASH, over the newest ?requests= (1000).
func (a *Admin) apiReplay(c *call) (any, error) {
	app, p, err := c.in("proposal", "set", "requests")
	if err != nil {
		return nil, err
	}
	n := p.number("requests", store.DefaultTouch, store.MaxTouch)
	if p.err != nil {
		return nil, p.err
	}
	proposal, set := p.text("proposal"), p.text("set")
	switch {
	case (proposal == "") == (set == ""):
		return nil, badRequest("proposal", "say what to replay: ?proposal=ID or ?set=HASH")
	case proposal != "":
		return a.replayProposal(c.r.Context(), app, proposal, n)
	}
	return a.replaySet(c.r.Context(), app, set, n)
}
