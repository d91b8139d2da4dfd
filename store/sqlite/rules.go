package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"heed/rules"
	"heed/store"
)

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// Head implements store.Store.
func (s *Store) Head(ctx context.Context, app string) (rules.Head, error) {
	if err := s.check(ctx, app); err != nil {
		return rules.Head{}, err
	}
	var h rules.Head
	err := s.main.one(ctx, []any{&h.Epoch, &h.Hash}, `SELECT epoch, hash FROM head WHERE app = ? ORDER BY epoch DESC LIMIT 1`, app)
	if isNotFound(err) {
		return rules.Head{}, nil
	}
	return h, err
}

// Heads implements store.Store.
func (s *Store) Heads(ctx context.Context, app string, limit int) ([]store.HeadRecord, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var out []store.HeadRecord
	err := s.main.query(ctx, func(scan func(...any) error) error {
		var h store.HeadRecord
		var at int64
		if err := scan(&h.Head.Epoch, &h.Head.Hash, &at, &h.Actor, &h.Action, &h.Rules); err != nil {
			return err
		}
		h.Time = time.UnixMilli(at).UTC()
		out = append(out, h)
		return nil
	}, `SELECT epoch, hash, at, actor, action, rules FROM head WHERE app = ? ORDER BY epoch DESC LIMIT ?`, app, store.PageSize(limit))
	return out, err
}

// Set implements store.Store.
func (s *Store) Set(ctx context.Context, app, hash string) (*rules.Set, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var doc []byte
	if err := s.main.one(ctx, []any{&doc}, `SELECT doc FROM rule_set WHERE app = ? AND hash = ?`, app, hash); err != nil {
		return nil, fmt.Errorf("rule set %q: %w", hash, err)
	}
	return openSet(doc, app, hash)
}

func openSet(doc []byte, app, hash string) (*rules.Set, error) {
	b, err := unseal(doc, mainFile+": rule set "+hash)
	if err != nil {
		return nil, err
	}
	set, err := rules.ParseSet(b)
	if err != nil {
		return nil, fmt.Errorf("rule set %s: %w", hash, err)
	}
	if set.App != app || set.Hash() != hash {
		return nil, fmt.Errorf("%s: rule set %s: %w: its content has another hash", mainFile, hash, store.ErrCorrupt)
	}
	return set, nil
}

// Publish implements store.Store. A snoozed proposal counts as open.
func (s *Store) Publish(ctx context.Context, app string, base rules.Epoch, set *rules.Set, a store.Audit) (rules.Head, error) {
	if err := s.check(ctx, app); err != nil {
		return rules.Head{}, err
	}
	p, err := newPublication(app, base, set, a)
	if err != nil {
		return rules.Head{}, err
	}
	if err := s.main.change(ctx, counted, p.apply); err != nil {
		return rules.Head{}, err
	}
	return p.head, nil
}

// publication is one Publish, encoded, sharing nothing with the caller.
type publication struct {
	app   string
	base  rules.Epoch
	head  rules.Head
	set   *rules.Set
	doc   []byte
	audit store.Audit
	lease store.Lease
}

func newPublication(app string, base rules.Epoch, set *rules.Set, a store.Audit) (*publication, error) {
	own, audit, err := store.Publication(app, base, set, a)
	if err != nil {
		return nil, err
	}
	return &publication{app: app, base: base, set: own, doc: sealBytes(own.JSON()), head: audit.Head, audit: audit, lease: a.Lease}, nil
}

func (p *publication) apply(ctx context.Context, w *writer) error {
	if err := fenced(ctx, w, p.app, p.lease); err != nil {
		return err
	}
	prev, err := p.previous(ctx, w)
	if err != nil {
		return err
	}
	if err := p.approve(ctx, w); err != nil {
		return err
	}
	if err := addApp(ctx, w, p.app); err != nil {
		return err
	}
	if _, err := w.exec(ctx, `INSERT OR REPLACE INTO rule_set(app, hash, doc) VALUES(?, ?, ?)`, p.app, p.head.Hash, p.doc); err != nil {
		return err
	}
	_, err = w.exec(ctx, `INSERT INTO head(app, epoch, hash, at, actor, action, rules) VALUES(?, ?, ?, ?, ?, ?, ?)`,
		p.app, int64(p.head.Epoch), p.head.Hash, p.audit.Time.UnixMilli(), p.audit.Actor, p.audit.Action, len(p.set.Rules))
	if err != nil {
		return err
	}
	for _, r := range rules.Changed(prev, p.set, p.audit.Ops) {
		if err := p.putRule(ctx, w, &r); err != nil {
			return err
		}
	}
	return appendAudit(ctx, w, p.audit)
}

// previous returns the set in force and checks that it still has the epoch base.
func (p *publication) previous(ctx context.Context, w *writer) (*rules.Set, error) {
	var h rules.Head
	var doc []byte
	err := w.one(ctx, []any{&h.Epoch, &h.Hash, &doc}, `SELECT epoch, hash, doc FROM head JOIN rule_set USING(app, hash)
		WHERE app = ? ORDER BY epoch DESC LIMIT 1`, p.app)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	if h.Epoch != p.base {
		return nil, fmt.Errorf("publish on epoch %d, the head has %d: %w", p.base, h.Epoch, store.ErrConflict)
	}
	if h.Epoch == 0 {
		return &rules.Set{App: p.app}, nil
	}
	return openSet(doc, p.app, h.Hash)
}

// approve marks the proposal that the publication puts in force.
func (p *publication) approve(ctx context.Context, w *writer) error {
	a := &p.audit
	if a.Proposal == "" {
		return nil
	}
	var doc []byte
	err := w.one(ctx, []any{&doc}, `SELECT doc FROM proposal WHERE app = ? AND id = ?`, p.app, a.Proposal)
	if err != nil {
		return fmt.Errorf("proposal %q: %w", a.Proposal, err)
	}
	var pr store.Proposal
	if err := unsealJSON(doc, "proposal "+a.Proposal, &pr); err != nil {
		return err
	}
	if (pr.State != store.Open && pr.State != store.Snoozed) || pr.Version != a.ProposalVersion {
		return fmt.Errorf("proposal %q is %s at version %d, not open at %d: %w", pr.ID, pr.State, pr.Version, a.ProposalVersion, store.ErrConflict)
	}
	pr.State, pr.DecidedBy, pr.DecidedAt, pr.Reason = store.Approved, a.Actor, a.Time, a.Reason
	pr.Updated, pr.Version, pr.Until = a.Time, pr.Version+1, time.Time{}
	e, err := encodeProposal(&pr, p.app)
	if err != nil {
		return err
	}
	return (&turn{app: p.app}).put(ctx, w, "proposal", e)
}

// putRule writes a version in its newest state and takes the other versions of
// the rule out of force: older ones are superseded, newer ones (after a
// roll-back) paused.
func (p *publication) putRule(ctx context.Context, w *writer, r *rules.Rule) error {
	var others []rules.Rule
	err := w.each(ctx, func(scan func(...any) error) error {
		o, err := scanRule(scan)
		others = append(others, o)
		return err
	}, `SELECT id, version, doc FROM rule WHERE app = ? AND id = ? AND version <> ? AND state IN ('active', 'canary')`, p.app, r.ID, r.Version)
	if err != nil {
		return err
	}
	for i := range others {
		others[i].State = rules.Superseded
		if others[i].Version > r.Version {
			others[i].State = rules.Paused
		}
	}
	for _, v := range append(others, *r) {
		doc, err := seal(&v)
		if err != nil {
			return err
		}
		_, err = w.exec(ctx, `INSERT OR REPLACE INTO rule(app, id, version, state, doc) VALUES(?, ?, ?, ?, ?)`,
			p.app, v.ID, v.Version, string(v.State), doc)
		if err != nil {
			return err
		}
	}
	return nil
}

func scanRule(scan func(...any) error) (rules.Rule, error) {
	var r rules.Rule
	var id string
	var version int
	var doc []byte
	if err := scan(&id, &version, &doc); err != nil {
		return r, err
	}
	err := unsealJSON(doc, fmt.Sprintf("rule %s@%d", id, version), &r)
	return r, err
}

// RuleVersions implements store.Store.
func (s *Store) RuleVersions(ctx context.Context, app, id string) ([]rules.Rule, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var out []rules.Rule
	err := s.main.query(ctx, func(scan func(...any) error) error {
		r, err := scanRule(scan)
		out = append(out, r)
		return err
	}, `SELECT id, version, doc FROM rule WHERE app = ?1 AND (?2 = '' OR id = ?2) ORDER BY id, version DESC`, app, id)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PutBlob implements store.Store.
func (s *Store) PutBlob(ctx context.Context, app string, b []byte) (string, error) {
	if err := s.check(ctx, app); err != nil {
		return "", err
	}
	if len(b) > store.MaxBlobBytes {
		return "", fmt.Errorf("word statistics have %d bytes, at most %d: %w", len(b), store.MaxBlobBytes, store.ErrTooLarge)
	}
	hash := blobHash(b)
	packed := new(packer).squeeze(b)
	return hash, s.main.change(ctx, counted, func(ctx context.Context, w *writer) error {
		if err := addApp(ctx, w, app); err != nil {
			return err
		}
		_, err := w.exec(ctx, `INSERT OR REPLACE INTO stats(app, hash, doc) VALUES(?, ?, ?)`, app, hash, packed)
		return err
	})
}

// Blob implements store.Store.
func (s *Store) Blob(ctx context.Context, app, hash string) ([]byte, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var doc []byte
	if err := s.main.one(ctx, []any{&doc}, `SELECT doc FROM stats WHERE app = ? AND hash = ?`, app, hash); err != nil {
		return nil, fmt.Errorf("word statistics %q: %w", hash, err)
	}
	b, err := expand(doc, mainFile+": word statistics "+hash)
	if err != nil {
		return nil, err
	}
	if blobHash(b) != hash {
		return nil, fmt.Errorf("%s: word statistics %s: %w: their content has another hash", mainFile, hash, store.ErrCorrupt)
	}
	return b, nil
}

func blobHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:32]
}
