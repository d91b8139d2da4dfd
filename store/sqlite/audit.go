package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"heed/store"
)

// AddAudit implements store.Store.
func (s *Store) AddAudit(ctx context.Context, a store.Audit) error {
	if err := s.check(ctx, a.App); err != nil {
		return err
	}
	own, err := cloneAudit(a)
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
	a.Number, a.Previous, a.Hash = 0, "", "" // whatever the caller wrote there
	err := w.one(ctx, []any{&a.Number, &a.Previous}, `SELECT number, hash FROM audit_head WHERE app = ?`, a.App)
	if err != nil && !isNotFound(err) {
		return err
	}
	a.Number++
	b, err := json.Marshal(&a)
	if err != nil {
		return err
	}
	a.Hash = chainHash(a.Previous, b)
	_, err = w.exec(ctx, `INSERT INTO audit(app, number, target, action, hash, doc) VALUES(?, ?, ?, ?, ?, ?)`,
		a.App, a.Number, a.Target, a.Action, a.Hash, b)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, `INSERT OR REPLACE INTO audit_head(app, number, hash) VALUES(?, ?, ?)`, a.App, a.Number, a.Hash)
	return err
}

// chainHash is the hash of an entry: hex SHA-256 over the hash before and the
// entry's JSON without its own hash (security reference, section 7.4).
func chainHash(previous string, b []byte) string {
	h := sha256.New()
	h.Write([]byte("heed-audit-v1\n" + previous + "\n"))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// Audits implements store.Store.
func (s *Store) Audits(ctx context.Context, f store.AuditFilter) ([]store.Audit, string, error) {
	if err := s.check(ctx, f.App); err != nil {
		return nil, "", err
	}
	at, _, more, err := parseCursor(f.After)
	if err != nil {
		return nil, "", err
	}
	var w where
	w.add("app = ?", f.App)
	w.addIf(f.Target != "", "target = ?", f.Target)
	w.addIf(f.Action != "", "action = ?", f.Action)
	w.addIf(more, "number < ?", at)
	limit := page(f.Limit)
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
			next = cursor(out[limit-1].Number, "")
			return nil
		}
		if err := json.Unmarshal(doc, &a); err != nil {
			return fmt.Errorf("%s: audit entry: %w: %v", mainFile, store.ErrCorrupt, err)
		}
		a.Hash = hash
		out = append(out, a)
		return nil
	}, `SELECT hash, doc FROM audit WHERE `+w.String()+` ORDER BY number DESC LIMIT ?`, append(w.args, limit+1)...)
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
	var number, bad int64
	var previous string
	emptied := map[int64]bool{} // entries whose texts were erased, until a later one vouches for it
	err = s.main.query(ctx, func(scan func(...any) error) error {
		var n int64
		var target, action, hash string
		var doc []byte
		if err := scan(&n, &target, &action, &hash, &doc); err != nil || bad != 0 {
			return err
		}
		number++
		var a store.Audit
		ok := json.Unmarshal(doc, &a) == nil && n == number && a.Number == n && a.App == app && a.Target == target &&
			a.Action == action && a.Previous == previous && (a.Emptied || chainHash(previous, doc) == hash)
		if a.Emptied {
			emptied[n] = true
		} else {
			for _, e := range a.Empties {
				delete(emptied, e)
			}
		}
		if !ok {
			bad = number
		}
		previous = hash
		return nil
	}, `SELECT number, target, action, hash, doc FROM audit WHERE app = ? AND number <= ? ORDER BY number`, app, max(head.number, 1))
	if err != nil {
		return 0, err
	}
	if bad == 0 && (number != head.number || previous != head.hash) {
		bad = number + 1 // the end was cut off, or the head was changed
	}
	for n := range emptied { // nobody said that they were
		if bad == 0 || n < bad {
			bad = n
		}
	}
	return bad, nil
}

// cloneAudit copies an entry so that the caller's stays the caller's.
func cloneAudit(a store.Audit) (store.Audit, error) {
	a.Time = store.Kept(a.Time)
	b, err := json.Marshal(&a)
	if err != nil {
		return a, fmt.Errorf("audit entry %q: %w", a.Action, err)
	}
	var c store.Audit
	err = json.Unmarshal(b, &c)
	return c, err
}
