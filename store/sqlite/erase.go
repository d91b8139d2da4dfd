package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"heed/rules"
	"heed/store"
)

// Erased says what EraseUser took away.
type Erased struct {
	Exchanges int      // of the user, deleted
	Feedback  []string // ids of the user's records, deleted; rules that rest on them must be derived again
	Touched   []string // ids of others' records on the user's exchanges: their copies of query and answer were blanked, and they are pending again
	Records   int      // proposals and findings that lost quotes or samples
}

// EraseUser deletes what the app's user, by hash, said and asked: exchanges,
// feedback, and quotes in proposals and findings; deleted bytes are overwritten.
// What rules learned from it is not the store's to change: the caller derives the
// rules again that rest on the ids returned, then calls Forget. It can be called
// again after an error, and then returns only what it newly found.
func (s *Store) EraseUser(ctx context.Context, app, user string) (Erased, error) {
	if err := s.check(ctx, app); err != nil {
		return Erased{}, err
	}
	if user == "" {
		return Erased{}, fmt.Errorf("erase user of app %q: the user's hash is empty", app)
	}
	s.rewrite.Lock()
	defer s.rewrite.Unlock()
	// The log last: while it is there, a second call after an error finds the
	// exchanges again and blanks what quotes them.
	gone, chunks, err := s.userExchanges(ctx, app, user)
	if err != nil {
		return Erased{}, err
	}
	e := Erased{Exchanges: len(gone)}
	err = s.main.change(ctx, counted, func(ctx context.Context, w *writer) error {
		e.Feedback, e.Touched, e.Records = nil, nil, 0
		return e.fromMain(ctx, w, app, user, gone)
	})
	if err != nil {
		return Erased{}, err
	}
	if err := s.eraseChunks(ctx, user, chunks); err != nil {
		return e, err
	}
	// Pages that merging freed earlier, and the write-ahead logs, may still hold
	// what was there.
	if err := s.giveBack(ctx, 0, 0); err != nil {
		return e, err
	}
	return e, s.checkpoint(ctx)
}

// userExchanges finds the ids of the user's exchanges and the chunks they are in.
func (s *Store) userExchanges(ctx context.Context, app, user string) (map[string]bool, []held, error) {
	gone := map[string]bool{}
	var chunks []held
	want := []uint64{attribute(byUser, user)}
	var all []held
	err := s.log.query(ctx, func(scan func(...any) error) error {
		c := held{name: app}
		var seen []byte
		if err := scan(&c.n, &c.app, &c.count, &seen); err != nil {
			return err
		}
		if mayHave(seen, want) {
			all = append(all, c)
		}
		return nil
	}, `SELECT n, app, count, seen FROM chunk WHERE app = (SELECT n FROM app WHERE name = ?)`, app)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range all {
		var facts []byte
		if err := s.log.one(ctx, []any{&facts}, `SELECT data FROM facts WHERE chunk = ?`, c.n); err != nil {
			return nil, nil, err
		}
		xs, err := openFacts(facts, c.count)
		if err != nil {
			return nil, nil, fmt.Errorf("chunk %d: %w", c.n, err)
		}
		found := false
		for _, x := range xs {
			if x.Facts.User == user {
				gone[x.ID], found = true, true
			}
		}
		if found {
			chunks = append(chunks, c)
		}
	}
	return gone, chunks, nil
}

// eraseChunks rewrites the chunks without the user's exchanges.
func (s *Store) eraseChunks(ctx context.Context, user string, chunks []held) error {
	for _, c := range chunks {
		slots, err := s.slots(ctx, c)
		if err != nil {
			return fmt.Errorf("erase from chunk %d: %w", c.n, err)
		}
		keep := slices.DeleteFunc(slots, func(sl slot) bool { return sl.x.Facts.User == user })
		if err := s.overwriting(ctx, func() error { return s.replace(ctx, c, keep, 0) }); err != nil {
			return fmt.Errorf("erase from chunk %d: %w", c.n, err)
		}
	}
	return nil
}

// overwriting runs fn while the log overwrites what it deletes, which it does not
// for what only expires.
func (s *Store) overwriting(ctx context.Context, fn func() error) error {
	set := func(mode string) error {
		return s.log.change(context.WithoutCancel(ctx), quiet, func(ctx context.Context, w *writer) error {
			return drain(ctx, w, `PRAGMA secure_delete = `+mode)
		})
	}
	if err := set("ON"); err != nil {
		return err
	}
	err := fn()
	if serr := set(logSchema.secureDelete); err == nil {
		err = serr
	}
	return err
}

// checkpoint takes the write-ahead logs over into the files and empties them.
func (s *Store) checkpoint(ctx context.Context) error {
	for _, d := range []*database{s.main, s.log} {
		var busy, pages, done int
		// On a reader's connection: the writer's is inside a transaction when it
		// works. Readers of long lists may keep it from finishing; the next
		// checkpoint does the rest then.
		if err := d.one(ctx, []any{&busy, &pages, &done}, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
			return err
		}
	}
	return nil
}

// fromMain deletes the user's feedback and everything in heed.db that quotes it.
func (e *Erased) fromMain(ctx context.Context, w *writer, app, user string, gone map[string]bool) error {
	var rows []row
	err := w.each(ctx, func(scan func(...any) error) error {
		r, err := scanFeedback(scan)
		if err == nil && (r.f.User == user || gone[r.f.ExchangeID] || r.f.Link != nil && gone[r.f.Link.ExchangeID]) {
			rows = append(rows, r)
		}
		return err
	}, `SELECT `+feedbackColumns+` FROM feedback WHERE app = ?`, app)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.f.User == user {
			err = e.deleteFeedback(ctx, w, r)
		} else {
			err = e.blankLink(ctx, w, r)
		}
		if err != nil {
			return err
		}
	}
	said := map[string]bool{}
	for _, id := range e.Feedback {
		said[id] = true
	}
	quoted := func(v store.Evidence) bool { return v.User == user || said[v.Feedback] || gone[v.Exchange] }
	shown := func(v store.Sample) bool { return gone[v.Exchange] }
	return e.cleanLearned(ctx, w, app, quoted, shown)
}

func (e *Erased) deleteFeedback(ctx context.Context, w *writer, r row) error {
	e.Feedback = append(e.Feedback, r.f.ID)
	for _, q := range []string{`DELETE FROM word WHERE n = ?`, `DELETE FROM feedback WHERE n = ?`} {
		if _, err := w.exec(ctx, q, r.n); err != nil {
			return err
		}
	}
	// What the record superseded holds again only if the person said so; the
	// person is the same, so it was deleted with it.
	return nil
}

// blankLink takes the user's words out of another person's record.
func (e *Erased) blankLink(ctx context.Context, w *writer, r row) error {
	if r.f.Link == nil || r.f.Link.Query == "" && r.f.Link.Answer == "" && r.f.Link.Unit == "" {
		return nil
	}
	e.Touched = append(e.Touched, r.f.ID)
	r.f.Link.Query, r.f.Link.Answer, r.f.Link.Unit = "", "", ""
	doc, err := seal(r.f.Link)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, `UPDATE feedback SET link = ?, due = 0, worker = NULL, claimed = 0, revision = revision + 1 WHERE n = ?`, doc, r.n)
	return err
}

// cleanLearned takes quotes and samples out of proposals and findings.
func (e *Erased) cleanLearned(ctx context.Context, w *writer, app string, quoted func(store.Evidence) bool, shown func(store.Sample) bool) error {
	t := &turn{app: app}
	ps, err := learnedAll[store.Proposal](ctx, w, "proposal", app)
	if err != nil {
		return err
	}
	for _, p := range ps {
		n := len(p.Evidence) + len(p.Touch.Inside) + len(p.Touch.Near)
		p.Evidence = slices.DeleteFunc(p.Evidence, quoted)
		p.Touch.Inside, p.Touch.Near = slices.DeleteFunc(p.Touch.Inside, shown), slices.DeleteFunc(p.Touch.Near, shown)
		if len(p.Evidence)+len(p.Touch.Inside)+len(p.Touch.Near) == n {
			continue
		}
		p.Version, p.Updated = p.Version+1, time.Now()
		enc, err := encodeProposal(p, app)
		if err != nil {
			return err
		}
		e.Records++
		if err := t.put(ctx, w, "proposal", enc); err != nil {
			return err
		}
	}
	fs, err := learnedAll[store.Finding](ctx, w, "finding", app)
	if err != nil {
		return err
	}
	for _, f := range fs {
		n := len(f.Evidence)
		if f.Evidence = slices.DeleteFunc(f.Evidence, quoted); len(f.Evidence) == n {
			continue
		}
		f.Version, f.Updated = f.Version+1, time.Now()
		enc, err := encodeFinding(f, app)
		if err != nil {
			return err
		}
		e.Records++
		if err := t.put(ctx, w, "finding", enc); err != nil {
			return err
		}
	}
	return nil
}

func learnedAll[T any](ctx context.Context, w *writer, table, app string) ([]*T, error) {
	var out []*T
	err := w.each(ctx, func(scan func(...any) error) error {
		var doc []byte
		if err := scan(&doc); err != nil {
			return err
		}
		v := new(T)
		out = append(out, v)
		return unsealJSON(doc, table, v)
	}, `SELECT doc FROM `+table+` WHERE app = ?`, app)
	return out, err
}

// Forget deletes the rule versions and sets that rest on the feedback and are no
// longer in force; a roll-back to such a set is ErrNotFound from then on. Call it
// when the rules have been derived again after EraseUser. It returns
// store.ErrConflict while a rule in force still rests on the feedback. The audit
// trail keeps its operations: it is append-only.
func (s *Store) Forget(ctx context.Context, app string, feedback []string) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, id := range feedback {
		ids[id] = true
	}
	rests := func(r *rules.Rule) bool {
		return slices.ContainsFunc(r.Sources, func(id string) bool { return ids[id] })
	}
	err := s.main.change(ctx, counted, func(ctx context.Context, w *writer) error { return forget(ctx, w, app, rests) })
	if err != nil {
		return err
	}
	return s.checkpoint(ctx)
}

func forget(ctx context.Context, w *writer, app string, rests func(*rules.Rule) bool) error {
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
	var gone []rules.Rule
	err = w.each(ctx, func(scan func(...any) error) error {
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
