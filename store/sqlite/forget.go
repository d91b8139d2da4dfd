package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"heed/rules"
	"heed/store"
)

// Forget implements store.Eraser. A roll-back to a set that it deleted is
// ErrNotFound from then on. Audit entries keep their hashes, so that the chain
// holds; VerifyAudit takes an emptied entry only if a later one names it.
func (s *Store) Forget(ctx context.Context, app string, e store.Erased, a store.Audit) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	own, err := a.Kept()
	if err != nil {
		return err
	}
	own.App = app
	err = s.main.change(ctx, counted, func(ctx context.Context, w *writer) error {
		if err := forgetSets(ctx, w, app, e.Under); err != nil {
			return err
		}
		if err := forgetRules(ctx, w, app, e.Under); err != nil {
			return err
		}
		return emptyAudits(ctx, w, own, e.Under)
	})
	if err != nil {
		return err
	}
	return s.checkpoint(ctx)
}

// forgetSets deletes the sets with a rule that rests on what is forgotten.
func forgetSets(ctx context.Context, w *writer, app string, rests func(*rules.Rule) bool) error {
	var inForce string
	err := w.one(ctx, []any{&inForce}, `SELECT hash FROM head WHERE app = ? ORDER BY epoch DESC LIMIT 1`, app)
	if err != nil && !isNotFound(err) {
		return err
	}
	var hashes []string
	err = w.each(ctx, func(scan func(...any) error) error {
		var hash string
		var doc []byte
		if err := scan(&hash, &doc); err != nil {
			return err
		}
		set, err := openSet(doc, app, hash)
		if err != nil {
			return err
		}
		for i := range set.Rules {
			if !rests(&set.Rules[i]) {
				continue
			}
			if hash == inForce {
				return fmt.Errorf("rule %s in force rests on what is to be forgotten: %w", set.Rules[i].ID, store.ErrConflict)
			}
			hashes = append(hashes, hash)
			break
		}
		return nil
	}, `SELECT hash, doc FROM rule_set WHERE app = ?`, app)
	if err != nil {
		return err
	}
	for _, hash := range hashes {
		if _, err := w.exec(ctx, `DELETE FROM rule_set WHERE app = ? AND hash = ?`, app, hash); err != nil {
			return err
		}
	}
	return nil
}

// forgetRules deletes the rule versions that rest on what is forgotten.
func forgetRules(ctx context.Context, w *writer, app string, rests func(*rules.Rule) bool) error {
	var gone []rules.Rule
	err := w.each(ctx, func(scan func(...any) error) error {
		r, err := scanRule(scan)
		if err == nil && rests(&r) {
			gone = append(gone, r)
		}
		return err
	}, `SELECT id, version, doc FROM rule WHERE app = ?`, app)
	if err != nil {
		return err
	}
	for _, r := range gone {
		if _, err := w.exec(ctx, `DELETE FROM rule WHERE app = ? AND id = ? AND version = ?`, app, r.ID, r.Version); err != nil {
			return err
		}
	}
	return nil
}

// emptyAudits takes the texts of such rules out of the trail, and appends the
// entry that says so.
func emptyAudits(ctx context.Context, w *writer, by store.Audit, rests func(*rules.Rule) bool) error {
	var emptied []store.Audit
	err := w.each(ctx, func(scan func(...any) error) error {
		var a store.Audit
		var doc []byte
		if err := scan(&doc); err != nil {
			return err
		}
		if err := json.Unmarshal(doc, &a); err != nil {
			return fmt.Errorf("%s: audit entry: %w: %v", mainFile, store.ErrCorrupt, err)
		}
		if a.Empty(rests) {
			emptied = append(emptied, a)
		}
		return nil
	}, `SELECT doc FROM audit WHERE app = ?`, by.App)
	if err != nil || len(emptied) == 0 {
		return err
	}
	for _, a := range emptied {
		doc, err := json.Marshal(&a)
		if err != nil {
			return err
		}
		if _, err := w.exec(ctx, `UPDATE audit SET doc = ? WHERE app = ? AND number = ?`, doc, by.App, a.Number); err != nil {
			return err
		}
		by.Empties = append(by.Empties, a.Number)
	}
	return appendAudit(ctx, w, by)
}
