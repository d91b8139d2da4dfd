package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"heed/store"
)

// AddAudit implements store.Store.
func (s *Store) AddAudit(ctx context.Context, a store.Audit) error {
	if err := s.check(ctx, a.App); err != nil {
		return err
	}
	own, err := a.Kept()
	if err != nil {
		return err
	}
	return s.main.change(ctx, counted, func(ctx context.Context, w *writer) error {
		if err := addApp(ctx, w, own.App); err != nil {
			return err
		}
		return appendAudit(ctx, w, own)
	})
}

// appendAudit numbers the entry, ties it to the one before, and appends it.
func appendAudit(ctx context.Context, w *writer, a store.Audit) error {
	var number int64
	var hash string
	err := w.one(ctx, []any{&number, &hash}, `SELECT number, hash FROM audit_head WHERE app = ?`, a.App)
	if err != nil && !isNotFound(err) {
		return err
	}
	a, b, err := a.Tied(number, hash)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, `INSERT INTO audit(app, number, target, action, hash, doc) VALUES(?, ?, ?, ?, ?, ?)`,
		a.App, a.Number, a.Target, a.Action, a.Hash, b)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, `INSERT OR REPLACE INTO audit_head(app, number, hash) VALUES(?, ?, ?)`, a.App, a.Number, a.Hash)
	return err
}

// Audits implements store.Store.
func (s *Store) Audits(ctx context.Context, f store.AuditFilter) ([]store.Audit, string, error) {
	if err := s.check(ctx, f.App); err != nil {
		return nil, "", err
	}
	at, _, more, err := store.ParseCursor(f.After)
	if err != nil {
		return nil, "", err
	}
	var w where
	w.add("app = ?", f.App)
	w.addIf(f.Target != "", "target = ?", f.Target)
	w.addIf(f.Action != "", "action = ?", f.Action)
	w.addIf(more, "number < ?", at)
	table := "audit"
	switch { // SQLite would walk the whole trail: it takes an index for dearer than it is
	case f.Target != "":
		table = "audit INDEXED BY audit_target"
	case f.Action != "":
		table = "audit INDEXED BY audit_action"
	}
	limit := store.PageSize(f.Limit)
	var out []store.Audit
	var next string
	err = s.main.query(ctx, func(scan func(...any) error) error {
		var a store.Audit
		var hash string
		var doc []byte
		if err := scan(&hash, &doc); err != nil {
			return err
		}
		if len(out) == limit {
			next = store.Cursor(out[limit-1].Number, "")
			return nil
		}
		if err := json.Unmarshal(doc, &a); err != nil {
			return fmt.Errorf("%s: audit entry: %w: %v", mainFile, store.ErrCorrupt, err)
		}
		a.Hash = hash
		out = append(out, a)
		return nil
	}, `SELECT hash, doc FROM `+table+` WHERE `+w.String()+` ORDER BY number DESC LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	return out, next, nil
}

// VerifyAudit implements store.Store.
func (s *Store) VerifyAudit(ctx context.Context, app string) (int64, error) {
	if err := s.check(ctx, app); err != nil {
		return 0, err
	}
	var head struct {
		number int64
		hash   string
	}
	err := s.main.one(ctx, []any{&head.number, &head.hash}, `SELECT number, hash FROM audit_head WHERE app = ?`, app)
	if err != nil && !isNotFound(err) {
		return 0, err
	}
	chain := store.Chain{App: app}
	err = s.main.query(ctx, func(scan func(...any) error) error {
		var n int64
		var target, action, hash string
		var doc []byte
		if err := scan(&n, &target, &action, &hash, &doc); err != nil {
			return err
		}
		if a := chain.Next(doc, hash); a != nil && (a.Number != n || a.Target != target || a.Action != action) {
			chain.Break()
		}
		return nil
	}, `SELECT number, target, action, hash, doc FROM audit WHERE app = ? AND number <= ? ORDER BY number`, app, max(head.number, 1))
	if err != nil {
		return 0, err
	}
	return chain.Broken(head.number, head.hash), nil
}
