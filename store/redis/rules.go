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
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/rules"
	"heed/store"
)

var (
	//go:embed scripts/publish.lua
	publishLua string
	//go:embed scripts/changed.lua
	changedLua string

	publishScript = script(publishLua)
	changedScript = script(changedLua)
)

// Head implements store.Store. While the server does not tell it, and when it has
// lost the app's head, it is the newest one whose set and word statistics this
// process keeps locally.
func (s *Store) Head(ctx context.Context, app string) (rules.Head, error) {
	if err := s.check(ctx, app); err != nil {
		return rules.Head{}, err
	}
	h, err := s.serverHead(ctx, app)
	switch {
	case err == nil && h.Epoch > 0:
		s.copies.seen(app, h, s.opt.Log)
		return h, nil
	case errors.Is(err, store.ErrCorrupt), errors.Is(err, store.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return rules.Head{}, err
	}
	local, ok := s.copies.head(app)
	if !ok {
		return rules.Head{}, err
	}
	s.metrics.fallbacks.Inc()
	if err != nil {
		s.changes.resync()
	} else if s.copies.lost(app) {
		s.opt.Log.Error("redis has lost the rules in force; this process keeps its copy until a new set is published", "app", app, "ruleset", local.String())
	}
	return local, nil
}

func (s *Store) serverHead(ctx context.Context, app string) (rules.Head, error) {
	var h rules.Head
	var doc string
	err := s.call(ctx, "head", func(ctx context.Context) error {
		var err error
		doc, err = s.client.Get(ctx, s.base(app)+"hd").Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	err = decode(doc, "head of app "+strconv.Quote(app), &[]any{&h.Epoch, &h.Hash})
	return h, err
}

// Heads implements store.Store.
func (s *Store) Heads(ctx context.Context, app string, limit int) ([]store.HeadRecord, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	h, err := s.serverHead(ctx, app)
	if err != nil || h.Epoch == 0 {
		return nil, err
	}
	var epochs []string
	for e := h.Epoch; e > 0 && len(epochs) < store.PageSize(limit); e-- {
		epochs = append(epochs, strconv.FormatUint(uint64(e), 10))
	}
	var docs []any
	err = s.call(ctx, "heads", func(ctx context.Context) error {
		var err error
		docs, err = s.client.HMGet(ctx, s.base(app)+"h", epochs...).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []store.HeadRecord
	for i, d := range docs {
		doc, ok := d.(string)
		if !ok {
			continue // from before the server lost its data
		}
		var r store.HeadRecord
		if err := decode(doc, "head "+epochs[i], &r); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Set implements store.Store. A set never changes, so a local copy that fits its
// hash is as good as the server's.
func (s *Store) Set(ctx context.Context, app, hash string) (*rules.Set, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	if set := s.copies.set(app, hash); set != nil {
		return set, nil
	}
	doc, err := s.field(ctx, "rule set", app, "s", hash)
	if err != nil {
		return nil, err
	}
	set, err := openSet([]byte(doc), app, hash)
	if err != nil {
		return nil, err
	}
	s.copies.keepSet(app, hash, []byte(doc), set.Stats, s.opt.Log)
	return set, nil
}

func openSet(doc []byte, app, hash string) (*rules.Set, error) {
	set, err := rules.ParseSet(doc)
	if err != nil {
		return nil, fmt.Errorf("rule set %s: %w: %v", hash, store.ErrCorrupt, err)
	}
	if set.App != app || set.Hash() != hash {
		return nil, fmt.Errorf("rule set %s: %w: its content has another hash", hash, store.ErrCorrupt)
	}
	return set, nil
}

// publication is one Publish, as the script takes it.
type publication struct {
	arguments
	Base   rules.Epoch  `json:"base"`
	Lost   bool         `json:"lost,omitempty"` // the server has no head; base is that of the local copy
	Hash   string       `json:"hash"`
	Set    string       `json:"set"`
	Record string       `json:"record"`
	Rules  []ruleRecord `json:"rules,omitempty"`
	P      *learned     `json:"p,omitempty"`
	Lease  *store.Lease `json:"lease,omitempty"`
	auditTail

	set   *rules.Set
	audit store.Audit
}

type ruleRecord struct {
	Ref string `json:"ref"`
	Doc string `json:"doc"`
}

// Publish implements store.Store. A snoozed proposal counts as open. When the
// server has lost the app's head, the epoch of the local copy counts on.
func (s *Store) Publish(ctx context.Context, app string, base rules.Epoch, set *rules.Set, a store.Audit) (rules.Head, error) {
	if err := s.check(ctx, app); err != nil {
		return rules.Head{}, err
	}
	p, err := s.newPublication(app, base, set, a)
	if err != nil {
		return rules.Head{}, err
	}
	if err := s.changedRules(ctx, p); err != nil {
		return rules.Head{}, err
	}
	if err := s.approve(ctx, p); err != nil {
		return rules.Head{}, err
	}
	reply, err := s.audited(ctx, app, []store.Audit{p.audit}, func(tail auditTail) ([]string, error) {
		p.auditTail = tail
		return s.run(ctx, "publish", publishScript, app, p)
	})
	if err != nil {
		return rules.Head{}, err
	}
	switch reply[0] {
	case "fenced":
		return rules.Head{}, errFenced(a.Lease, reply)
	case "epoch":
		return rules.Head{}, fmt.Errorf("publish on epoch %d, the head has %s: %w", base, reply[1], store.ErrConflict)
	case "version":
		return rules.Head{}, fmt.Errorf("proposal %q: %w", reply[2], store.ErrConflict)
	}
	s.changes.kick()
	return p.audit.Head, nil
}

func (s *Store) newPublication(app string, base rules.Epoch, set *rules.Set, a store.Audit) (*publication, error) {
	own, audit, err := store.Publication(app, base, set, a)
	if err != nil {
		return nil, err
	}
	p := &publication{arguments: s.arguments(app), Base: base, Hash: own.Hash(), Set: string(own.JSON()), set: own, audit: audit, Lease: named(a.Lease)}
	rec, err := json.Marshal(store.HeadRecord{Head: audit.Head, Time: audit.Time, Actor: a.Actor, Action: a.Action, Rules: len(own.Rules)})
	p.Record = string(rec)
	return p, err
}

// changedRules works out the rule versions that the publication changes. They
// change with the head only, so they are right if the head still is.
func (s *Store) changedRules(ctx context.Context, p *publication) error {
	h, err := s.serverHead(ctx, p.App)
	if err != nil {
		return err
	}
	if h.Epoch == 0 && p.Base > 0 {
		local, ok := s.copies.head(p.App)
		p.Lost = ok && local.Epoch == p.Base
	}
	if h.Epoch != p.Base && !p.Lost {
		return fmt.Errorf("publish on epoch %d, the head has %d: %w", p.Base, h.Epoch, store.ErrConflict)
	}
	prev := &rules.Set{App: p.App}
	if h.Epoch > 0 {
		if prev, err = s.Set(ctx, p.App, h.Hash); err != nil {
			return err
		}
	}
	changed := rules.Changed(prev, p.set, p.audit.Ops)
	if len(changed) == 0 {
		return nil
	}
	known, err := s.RuleVersions(ctx, p.App, "")
	if err != nil {
		return err
	}
	for _, r := range changed {
		for _, o := range append(replaced(known, &r), r) {
			doc, err := json.Marshal(&o)
			if err != nil {
				return fmt.Errorf("rule %s: %w", o.Ref(), err)
			}
			p.Rules = append(p.Rules, ruleRecord{o.Ref(), string(doc)})
		}
	}
	return nil
}

// replaced takes the other versions of r out of force: older ones are superseded,
// newer ones (after a roll-back) paused.
func replaced(known []rules.Rule, r *rules.Rule) []rules.Rule {
	var out []rules.Rule
	for _, o := range known {
		if o.ID != r.ID || o.Version == r.Version || o.State != rules.Active && o.State != rules.Canary {
			continue
		}
		o.State = rules.Superseded
		if o.Version > r.Version {
			o.State = rules.Paused
		}
		out = append(out, o)
	}
	return out
}

// approve prepares the proposal that the publication puts in force.
func (s *Store) approve(ctx context.Context, p *publication) error {
	a := &p.audit
	if a.Proposal == "" {
		return nil
	}
	pr, err := s.Proposal(ctx, p.App, a.Proposal)
	if err != nil {
		return err
	}
	if (pr.State != store.Open && pr.State != store.Snoozed) || pr.Version != a.ProposalVersion {
		return fmt.Errorf("proposal %q is %s at version %d, not open at %d: %w", pr.ID, pr.State, pr.Version, a.ProposalVersion, store.ErrConflict)
	}
	pr.State, pr.DecidedBy, pr.DecidedAt, pr.Reason = store.Approved, a.Actor, a.Time, a.Reason
	pr.Updated, pr.Version, pr.Until = a.Time, pr.Version+1, time.Time{}
	e, err := encodeProposal(pr, p.App)
	p.P = &e
	return err
}

// RuleVersions implements store.Store.
func (s *Store) RuleVersions(ctx context.Context, app, id string) ([]rules.Rule, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var docs map[string]string
	err := s.call(ctx, "rules", func(ctx context.Context) error {
		var err error
		docs, err = s.client.HGetAll(ctx, s.base(app)+"r").Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []rules.Rule
	for ref, doc := range docs {
		if id != "" && !strings.HasPrefix(ref, id+"@") {
			continue
		}
		var r rules.Rule
		if err := decode(doc, "rule "+ref, &r); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b rules.Rule) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(b.Version, a.Version))
	})
	return out, nil
}
