package redis

import (
	"cmp"
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

var (
	//go:embed scripts/due.lua
	dueLua string
	//go:embed scripts/claim.lua
	claimLua string
	//go:embed scripts/commit.lua
	commitLua string

	dueScript    = script(dueLua)
	claimScript  = script(claimLua)
	commitScript = script(commitLua)
)

// candidate is a record that the worker may have.
type candidate struct {
	app, id string
	at      int64
}

// Pending implements store.Store. A record given out stays with its worker for
// Options.Claim; then it goes to whoever asks, and the first worker's Commit of it
// is store.ErrConflict once another has it or handled it.
func (s *Store) Pending(ctx context.Context, worker string, limit int) ([]*store.Feedback, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	limit = store.PageSize(limit)
	apps, err := s.appsWithWork(ctx)
	if err != nil {
		return nil, err
	}
	var all []candidate
	for _, app := range apps {
		cs, err := s.due(ctx, app, worker, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, cs...)
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
	all = all[:min(len(all), limit)]
	byApp := map[string][]string{}
	for _, c := range all {
		byApp[c.app] = append(byApp[c.app], c.id)
	}
	got := map[candidate]*store.Feedback{}
	for app, ids := range byApp {
		if err := s.claim(ctx, app, worker, ids, got); err != nil {
			return nil, err
		}
	}
	var out []*store.Feedback
	for _, c := range all {
		if f := got[candidate{app: c.app, id: c.id}]; f != nil {
			out = append(out, f)
		}
	}
	return out, nil
}

// appsWithWork lists the apps that have anything pending, in one round trip.
func (s *Store) appsWithWork(ctx context.Context) ([]string, error) {
	var out []string
	err := s.call(ctx, "pending", func(ctx context.Context) error {
		out = nil
		apps, err := s.client.SMembers(ctx, s.opt.Prefix+":apps").Result()
		if err != nil || len(apps) == 0 {
			return err
		}
		cmds := make([]*redis.IntCmd, len(apps))
		_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, app := range apps {
				cmds[i] = p.Exists(ctx, s.base(app)+"fd", s.base(app)+"fc", s.base(app)+"fr")
			}
			return nil
		})
		for i, app := range apps {
			if cmds[i].Val() > 0 {
				out = append(out, app)
			}
		}
		return err
	})
	return out, err
}

func (s *Store) due(ctx context.Context, app, worker string, limit int) ([]candidate, error) {
	flat, err := s.list(ctx, "pending", dueScript, app, map[string]any{"worker": worker, "limit": limit})
	if err != nil {
		return nil, err
	}
	var out []candidate
	for i := 0; i+1 < len(flat); i += 2 {
		at, err := strconv.ParseFloat(flat[i+1], 64)
		if err != nil {
			return nil, fmt.Errorf("pending: %w: time %q", store.ErrCorrupt, flat[i+1])
		}
		out = append(out, candidate{app, flat[i], int64(at)})
	}
	return out, nil
}

func (s *Store) claim(ctx context.Context, app, worker string, ids []string, got map[candidate]*store.Feedback) error {
	flat, err := s.list(ctx, "claim", claimScript, app, map[string]any{"worker": worker, "ids": ids, "claim": s.opt.Claim.Milliseconds()})
	if err != nil {
		return err
	}
	for i := 0; i+3 < len(flat); i += 4 {
		f, err := decodeFeedback(flat[i], flat[i+1], flat[i+2], flat[i+3])
		if err != nil {
			return err
		}
		got[candidate{app: app, id: f.ID}] = f
	}
	return nil
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
	Worker    string    `json:"worker"`
	Handled   []handled `json:"handled,omitempty"`
	Proposals []learned `json:"p,omitempty"`
	Findings  []learned `json:"g,omitempty"`
	Again     []string  `json:"again,omitempty"` // ids of records that become pending
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
	case "held":
		return fmt.Errorf("feedback %q: %w: worker %q has it", reply[1], store.ErrConflict, reply[2])
	case "version":
		return fmt.Errorf("%s %q: not the version after %s: %w", kindNames[reply[1]], reply[2], reply[3], store.ErrConflict)
	}
	s.changes.kick()
	return nil
}

var kindNames = map[string]string{"p": "proposal", "g": "finding"}

func (s *Store) newTurn(c store.Changes) (*turn, error) {
	t := &turn{arguments: s.arguments(c.App), Worker: c.Worker}
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
