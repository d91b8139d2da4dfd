package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"heed/store"
)

// AddFeedback implements store.Store. A record without a time gets the present.
func (s *Store) AddFeedback(ctx context.Context, f *store.Feedback) (*store.Feedback, bool, error) {
	if err := s.check(ctx, f.App); err != nil {
		return nil, false, err
	}
	r, err := newRecord(f)
	if err != nil {
		return nil, false, err
	}
	s.protect.RLock()
	defer s.protect.RUnlock()
	if err := s.main.change(ctx, counted, r.insert); err != nil {
		return nil, false, err
	}
	if r.first != "" {
		stored, err := s.FeedbackByID(ctx, f.App, r.first)
		return stored, false, err
	}
	return &r.f, true, nil
}

// record is feedback on its way into the file; it shares nothing with what the
// caller gave.
type record struct {
	f     store.Feedback
	doc   []byte
	words []uint64
	first string // id of the record that had the key before
}

func newRecord(f *store.Feedback) (*record, error) {
	own, doc, err := f.Kept()
	if err != nil {
		return nil, err
	}
	r := &record{f: *own, doc: sealBytes(doc)}
	r.words = feedbackWords(&r.f)
	return r, nil
}

// insert adds the record unless its key is known, and marks what it supersedes.
func (r *record) insert(ctx context.Context, w *writer) error {
	f := &r.f
	if f.Key != "" {
		var id, digest string
		err := w.one(ctx, []any{&id, &digest}, `SELECT id, digest FROM feedback WHERE app = ? AND key = ?`, f.App, f.Key)
		switch {
		case err == nil && digest == f.Digest:
			r.first = id
			return nil
		case err == nil:
			return f.Reused()
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	if err := addApp(ctx, w, f.App); err != nil {
		return err
	}
	var n int64
	err := w.one(ctx, []any{&n}, `INSERT INTO feedback(app, id, at, key, digest, exchange, response, session, user, source, bad, rating, doc, due)
		VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT(app, id) DO NOTHING RETURNING n`,
		f.App, f.ID, f.Time.UnixMilli(), null(f.Key), f.Digest, null(f.ExchangeID), null(f.ResponseID), null(f.Session),
		null(f.User), f.Source, f.Bad(), f.Rating, r.doc)
	if errors.Is(err, store.ErrNotFound) {
		return f.Reused()
	}
	if err != nil {
		return err
	}
	for _, h := range r.words {
		if _, err := w.exec(ctx, `INSERT OR IGNORE INTO word(app, hash, n) VALUES(?, ?, ?)`, f.App, int64(h), n); err != nil {
			return err
		}
	}
	return supersede(ctx, w, f.App, f.ExchangeID, n)
}

// supersede settles which of the records of record n's person on the exchange
// hold: n ends the ones before it, and the first after it ends n. The same person
// is the same user, or none from the same source.
func supersede(ctx context.Context, w *writer, app, exchange string, n int64) error {
	if exchange == "" {
		return nil
	}
	const same = ` o.app = f.app AND o.exchange = f.exchange AND o.user IS f.user AND (o.user IS NOT NULL OR o.source = f.source) `
	_, err := w.exec(ctx, `UPDATE feedback AS o SET superseded = f.id FROM feedback AS f
		WHERE f.n = ?1 AND o.app = ?2 AND o.exchange = ?3 AND o.n < ?1 AND o.superseded IS NULL AND`+same, n, app, exchange)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, `UPDATE feedback AS f SET superseded = (SELECT o.id FROM feedback o
			WHERE o.app = ?2 AND o.exchange = ?3 AND o.n > ?1 AND`+same+`ORDER BY o.n LIMIT 1)
		WHERE f.n = ?1 AND f.superseded IS NULL`, n, app, exchange)
	return err
}

func addApp(ctx context.Context, w *writer, app string) error {
	_, err := w.exec(ctx, `INSERT OR IGNORE INTO app(name) VALUES(?)`, app)
	return err
}

const feedbackColumns = `app, id, at, doc, retracted, coalesce(superseded, ''), link, n, revision,
	claim IS NOT NULL, tries, CASE WHEN aside THEN note ELSE '' END`

// row is a record as read, with its place in the file.
type row struct {
	f        *store.Feedback
	at       int64
	n        int64
	revision int64
	given    bool // out
}

func scanFeedback(scan func(...any) error) (row, error) {
	var r row
	var app, id, superseded, aside string
	var doc, link []byte
	var retracted int64
	var tries int
	if err := scan(&app, &id, &r.at, &doc, &retracted, &superseded, &link, &r.n, &r.revision, &r.given, &tries, &aside); err != nil {
		return r, err
	}
	r.f = new(store.Feedback)
	if err := unsealJSON(doc, "feedback "+id, r.f); err != nil {
		return r, err
	}
	if r.f.App != app || r.f.ID != id {
		return r, fmt.Errorf("%s: feedback %s: %w: it names %s", mainFile, id, store.ErrCorrupt, r.f.ID)
	}
	r.f.SupersededBy, r.f.Tries, r.f.Aside = superseded, tries, aside
	if retracted != 0 {
		r.f.Retracted = time.UnixMilli(retracted).UTC()
	}
	if link != nil {
		r.f.Link = new(store.Link)
		return r, unsealJSON(link, "link of feedback "+id, r.f.Link)
	}
	return r, nil
}

// FeedbackByID implements store.Store.
func (s *Store) FeedbackByID(ctx context.Context, app, id string) (*store.Feedback, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var out *store.Feedback
	err := s.main.query(ctx, func(scan func(...any) error) error {
		r, err := scanFeedback(scan)
		out = r.f
		return err
	}, `SELECT `+feedbackColumns+` FROM feedback WHERE app = ? AND id = ?`, app, id)
	if err == nil && out == nil {
		err = fmt.Errorf("feedback %q: %w", id, store.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// where collects the conditions of a list.
type where struct {
	conds []string
	args  []any
}

func (w *where) add(cond string, args ...any) {
	w.conds = append(w.conds, cond)
	w.args = append(w.args, args...)
}

func (w *where) addIf(ok bool, cond string, args ...any) {
	if ok {
		w.add(cond, args...)
	}
}

func (w *where) String() string { return strings.Join(w.conds, " AND ") }

// Feedback implements store.Store.
func (s *Store) Feedback(ctx context.Context, f store.FeedbackFilter) ([]*store.Feedback, string, error) {
	if err := s.check(ctx, f.App); err != nil {
		return nil, "", err
	}
	var w where
	w.add("app = ?", f.App)
	w.addIf(f.Exchange != "", "(exchange = ?)", f.Exchange)
	w.addIf(f.Session != "", "session = ?", f.Session)
	w.addIf(f.User != "", "user = ?", f.User)
	w.addIf(!f.Since.IsZero(), "at >= ?", f.Since.UnixMilli())
	w.addIf(f.Bad, "bad")
	w.addIf(f.Aside, "aside")
	terms := textTerms(f.Text)
	for _, h := range terms {
		w.add("n IN (SELECT n FROM word WHERE app = ? AND hash = ?)", f.App, int64(h))
	}
	if f.Text != "" && len(terms) == 0 {
		return nil, "", nil
	}
	at, id, more, err := store.ParseCursor(f.After)
	if err != nil {
		return nil, "", err
	}
	w.addIf(more, "(at, id) < (?, ?)", at, id)
	limit := store.PageSize(f.Limit)
	var out []*store.Feedback
	var next string
	err = s.main.query(ctx, func(scan func(...any) error) error {
		r, err := scanFeedback(scan)
		if err != nil {
			return err
		}
		if len(out) == limit {
			next = store.Cursor(out[limit-1].Time.UnixMilli(), out[limit-1].ID)
			return nil
		}
		out = append(out, r.f)
		return nil
	}, `SELECT `+feedbackColumns+` FROM feedback WHERE `+w.String()+` ORDER BY at DESC, id DESC LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	return out, next, nil
}

// again makes a record pending, whoever had it and whatever came of it.
const again = `due = 0, tries = 0, aside = 0, revision = revision + 1`

// Retract implements store.Store.
func (s *Store) Retract(ctx context.Context, app, id string) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	return s.main.change(ctx, counted, func(ctx context.Context, w *writer) error {
		var retracted int64
		if err := w.one(ctx, []any{&retracted}, `SELECT retracted FROM feedback WHERE app = ? AND id = ?`, app, id); err != nil {
			return fmt.Errorf("feedback %q: %w", id, err)
		}
		if retracted != 0 {
			return nil
		}
		_, err := w.exec(ctx, `UPDATE feedback SET retracted = ?, `+again+`
			WHERE app = ? AND id = ?`, now, app, id)
		return err
	})
}

// Ratings implements store.Store.
func (s *Store) Ratings(ctx context.Context, app string) ([]store.TargetRating, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var out []store.TargetRating
	err := s.main.query(ctx, func(scan func(...any) error) error {
		var r store.TargetRating
		if err := scan(&r.Alias, &r.Step, &r.Upstream, &r.Model, &r.Good, &r.Bad); err != nil {
			return err
		}
		out = append(out, r)
		return nil
	}, `SELECT alias, step, upstream, model, sum(rating > 0), sum(rating < 0) FROM feedback
		WHERE app = ? AND linked IS NOT NULL AND retracted = 0 AND superseded IS NULL AND rating <> 0
		GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`, app)
	return out, err
}
