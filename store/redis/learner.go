package redis

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

var (
	//go:embed scripts/lead.lua
	leadLua string
	//go:embed scripts/yield.lua
	yieldLua string
	//go:embed scripts/pending.lua
	pendingLua string
	//go:embed scripts/commit.lua
	commitLua string

	leadScript    = script(leadLua)
	yieldScript   = script(yieldLua)
	pendingScript = script(pendingLua)
	commitScript  = script(commitLua)
)

// Lead implements store.Store. The clock is the server's.
func (s *Store) Lead(ctx context.Context, app string, l store.Lease) (store.Lease, error) {
	if err := s.check(ctx, app); err != nil {
		return store.Lease{}, err
	}
	if l.Worker == "" {
		return store.Lease{}, fmt.Errorf("lease of app %q: the worker's name is empty", app)
	}
	reply, err := s.list(ctx, "lead", leadScript, app, map[string]any{"lease": l, "time": store.LeaseTime.Milliseconds()})
	if err != nil || len(reply) == 0 {
		return store.Lease{}, err
	}
	return store.Lease{Worker: l.Worker, Epoch: number(reply[0])}, nil
}

// Yield implements store.Store.
func (s *Store) Yield(ctx context.Context, app string, l store.Lease) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	_, err := s.list(ctx, "yield", yieldScript, app, map[string]any{"lease": l})
	return err
}

// unlead ends the app's lease, whoever has it: what its learner read before is not
// to be written any more.
func (s *Store) unlead(ctx context.Context, app string) error {
	_, err := s.list(ctx, "yield", yieldScript, app, map[string]any{})
	return err
}

// errFenced says whose the lease is that a script refused l for.
func errFenced(l store.Lease, reply []string) error {
	return fmt.Errorf("lease %d of worker %q: %w: lease %s is worker %q's", l.Epoch, l.Worker, store.ErrFenced, reply[1], reply[2])
}

// Pending implements store.Store.
func (s *Store) Pending(ctx context.Context, app string, l store.Lease, limit int) ([]*store.Feedback, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	flat, err := s.list(ctx, "pending", pendingScript, app, map[string]any{"lease": l, "limit": store.PageSize(limit)})
	if err != nil {
		return nil, err
	}
	if len(flat) == 3 {
		return nil, errFenced(l, flat)
	}
	var out []*store.Feedback
	for i := 0; i+3 < len(flat); i += 4 {
		f, err := decodeFeedback(flat[i], flat[i+1], flat[i+2], flat[i+3])
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// list runs a script whose reply is a plain list.
func (s *Store) list(ctx context.Context, what string, sc *redis.Script, app string, arg any) ([]string, error) {
	b, err := json.Marshal(arg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	var reply []string
	err = s.call(ctx, what, func(ctx context.Context) error {
		var err error
		reply, err = sc.Run(ctx, s.client, []string{s.base(app)}, b).StringSlice()
		return err
	})
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	return reply, err
}

// turn is what one Commit changes, as the script takes it.
type turn struct {
	arguments
	Lease     *store.Lease `json:"lease,omitempty"`
	Handled   []handled    `json:"handled,omitempty"`
	Proposals []learned    `json:"p,omitempty"`
	Findings  []learned    `json:"g,omitempty"`
	Again     []string     `json:"again,omitempty"` // ids of records that become pending
	auditTail
}

type handled struct {
	ID    string `json:"id"`
	Note  string `json:"note"`
	Tries int    `json:"tries,omitempty"`
	Aside bool   `json:"aside,omitempty"`
	Begun bool   `json:"begun,omitempty"`
	Wait  *int64 `json:"wait,omitempty"` // milliseconds until it is due again, so that clocks need not agree
	Link  string `json:"link,omitempty"`
	Ex    string `json:"ex,omitempty"`
	Alias string `json:"alias"`
	Step  string `json:"step"`
	Up    string `json:"up"`
	Model string `json:"model"`
}

type learned struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	State   string `json:"state"`
	Doc     string `json:"doc"`
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, c store.Changes) error { return s.commit(ctx, c, nil) }

// commit is Commit that makes the records again pending besides.
func (s *Store) commit(ctx context.Context, c store.Changes, again []string) error {
	if err := s.check(ctx, c.App); err != nil {
		return err
	}
	t, err := s.newTurn(c)
	if err != nil {
		return err
	}
	t.Again = again
	audits, err := c.KeptAudits()
	if err != nil {
		return err
	}
	reply, err := s.audited(ctx, c.App, audits, func(tail auditTail) ([]string, error) {
		t.auditTail = tail
		return s.run(ctx, "commit", commitScript, c.App, t)
	})
	if err != nil {
		return err
	}
	switch reply[0] {
	case "unknown":
		return fmt.Errorf("feedback %q: %w", reply[1], store.ErrNotFound)
	case "fenced":
		return errFenced(c.Lease, reply)
	case "version":
		return fmt.Errorf("%s %q: not the version after %s: %w", kindNames[reply[1]], reply[2], reply[3], store.ErrConflict)
	}
	s.changes.kick()
	return nil
}

var kindNames = map[string]string{"p": "proposal", "g": "finding"}

// named is the lease as the scripts take it, nil for people's changes.
func named(l store.Lease) *store.Lease {
	if l == (store.Lease{}) {
		return nil
	}
	return &l
}

func (s *Store) newTurn(c store.Changes) (*turn, error) {
	t := &turn{arguments: s.arguments(c.App), Lease: named(c.Lease)}
	for _, h := range c.Handled {
		e := handled{ID: h.Feedback, Note: h.Note, Tries: h.Tries, Aside: h.Aside, Begun: h.Begun}
		if !h.RetryAt.IsZero() {
			wait := time.Until(h.RetryAt).Milliseconds()
			e.Wait = &wait
		}
		if h.Link != nil {
			l := h.Link.Kept()
			b, err := json.Marshal(l)
			if err != nil {
				return nil, fmt.Errorf("link of feedback %q: %w", h.Feedback, err)
			}
			e.Link, e.Ex, e.Alias, e.Step, e.Up, e.Model = string(b), l.ExchangeID, l.Alias, l.Step, l.Target.Upstream, l.Target.Model
		}
		t.Handled = append(t.Handled, e)
	}
	for _, p := range c.Proposals {
		e, err := encodeProposal(p, c.App)
		if err != nil {
			return nil, err
		}
		t.Proposals = append(t.Proposals, e)
	}
	for _, f := range c.Findings {
		e, err := encodeFinding(f, c.App)
		if err != nil {
			return nil, err
		}
		t.Findings = append(t.Findings, e)
	}
	return t, nil
}

func encodeProposal(p *store.Proposal, app string) (learned, error) {
	c, err := p.Kept(app)
	if err != nil {
		return learned{}, err
	}
	doc, err := json.Marshal(c)
	if err != nil {
		return learned{}, fmt.Errorf("proposal %q: %w", p.ID, err)
	}
	return learned{p.ID, p.Version, string(p.State), string(doc)}, nil
}

func encodeFinding(f *store.Finding, app string) (learned, error) {
	c, err := f.Kept(app)
	if err != nil {
		return learned{}, err
	}
	doc, err := json.Marshal(c)
	if err != nil {
		return learned{}, fmt.Errorf("finding %q: %w", f.ID, err)
	}
	return learned{f.ID, f.Version, f.State, string(doc)}, nil
}
