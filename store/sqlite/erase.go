package sqlite

import (
	"context"
	"fmt"
	"slices"

	"heed/store"
)

// Traces implements store.Eraser.
func (s *Store) Traces(ctx context.Context, app, user string) (store.Erased, error) {
	if err := s.erasable(ctx, app, user); err != nil {
		return store.Erased{}, err
	}
	gone, _, err := s.userExchanges(ctx, app, user)
	if err != nil {
		return store.Erased{}, err
	}
	find := store.Erasure{Gone: gone}
	e := store.Erased{Exchanges: len(gone)}
	err = s.main.query(ctx, func(scan func(...any) error) error {
		r, err := scanFeedback(scan)
		switch {
		case err != nil:
		case r.f.User == user:
			e.Feedback = append(e.Feedback, r.f.ID)
		case find.Shown(r.f):
			e.Touched = append(e.Touched, r.f.ID)
		}
		return err
	}, `SELECT `+feedbackColumns+` FROM feedback WHERE app = ?`, app)
	return e, err
}

func (s *Store) erasable(ctx context.Context, app, user string) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	if user == "" {
		return fmt.Errorf("erase user of app %q: the user's hash is empty", app)
	}
	return nil
}

// EraseUser implements store.Eraser. It can be called again after an error, and
// then returns only what it newly found.
func (s *Store) EraseUser(ctx context.Context, app, user string, again []string) (store.Erased, error) {
	if err := s.erasable(ctx, app, user); err != nil {
		return store.Erased{}, err
	}
	s.rewrite.Lock()
	defer s.rewrite.Unlock()
	// The log last: while it is there, a second call after an error finds the
	// exchanges again and blanks what quotes them.
	gone, chunks, err := s.userExchanges(ctx, app, user)
	if err != nil {
		return store.Erased{}, err
	}
	e := erasure{app: app, Erasure: store.Erasure{User: user, Gone: gone, Again: again, Erased: store.Erased{Exchanges: len(gone)}}}
	if err := s.eraseMain(ctx, &e); err != nil {
		return store.Erased{}, err
	}
	if err := s.eraseChunks(ctx, user, chunks); err != nil {
		return e.Erased, err
	}
	if err := s.unlead(ctx, app); err != nil {
		return e.Erased, err
	}
	// Once more, for what was learned while the log still had it.
	if e.Lost, err = s.lostSamples(ctx, app); err != nil {
		return e.Erased, err
	}
	if err := s.eraseMain(ctx, &e); err != nil {
		return e.Erased, err
	}
	// Pages that merging freed earlier, and the write-ahead logs, may still hold
	// what was there.
	if err := s.giveBack(ctx, 0, 0); err != nil {
		return e.Erased, err
	}
	return e.Erased, s.checkpoint(ctx)
}

// eraseMain takes what is erased out of heed.db, in one change.
func (s *Store) eraseMain(ctx context.Context, e *erasure) error {
	before := e.Erasure
	return s.main.change(ctx, counted, func(ctx context.Context, w *writer) error {
		e.Erasure = before // a group that fails is tried again, each change by itself
		e.Feedback, e.Touched, e.Again = slices.Clone(before.Feedback), slices.Clone(before.Touched), slices.Clone(before.Again)
		return e.fromMain(ctx, w)
	})
}

// lostSamples are the exchanges that proposals show and the log does not have.
func (s *Store) lostSamples(ctx context.Context, app string) (map[string]bool, error) {
	shown := map[string]bool{}
	err := s.main.query(ctx, func(scan func(...any) error) error {
		var doc []byte
		if err := scan(&doc); err != nil {
			return err
		}
		var p store.Proposal
		err := unsealJSON(doc, "proposal", &p)
		for _, v := range slices.Concat(p.Touch.Inside, p.Touch.Near) {
			shown[v.Exchange] = true
		}
		return err
	}, `SELECT doc FROM proposal WHERE app = ?`, app)
	if err != nil {
		return nil, err
	}
	for id := range shown {
		var n int
		err := s.log.one(ctx, []any{&n}, `SELECT 1 FROM exchange WHERE app = (SELECT n FROM app WHERE name = ?) AND id = ?`, app, exchangeKey(id))
		if err == nil {
			delete(shown, id)
		} else if !isNotFound(err) {
			return nil, err
		}
	}
	return shown, nil
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
		slots, err := openFacts(facts, c.count)
		if err != nil {
			return nil, nil, fmt.Errorf("chunk %d: %w", c.n, err)
		}
		found := false
		for _, s := range slots {
			if s.x.Facts.User == user {
				gone[s.x.ID], found = true, true
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

// erasure is one call of EraseUser, inside its transaction.
type erasure struct {
	store.Erasure
	app string
}

// fromMain deletes the user's feedback and everything in heed.db that quotes it.
func (e *erasure) fromMain(ctx context.Context, w *writer) error {
	var rows []row
	err := w.each(ctx, func(scan func(...any) error) error {
		r, err := scanFeedback(scan)
		if err == nil && (r.f.User == e.User || e.Shown(r.f)) {
			rows = append(rows, r)
		}
		return err
	}, `SELECT `+feedbackColumns+` FROM feedback WHERE app = ?`, e.app)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.f.User == e.User {
			err = e.deleteFeedback(ctx, w, r)
		} else {
			err = e.blankLink(ctx, w, r)
		}
		if err != nil {
			return err
		}
	}
	if err := e.cleanProposals(ctx, w); err != nil {
		return err
	}
	if err := e.cleanFindings(ctx, w); err != nil {
		return err
	}
	for _, id := range e.Again {
		_, err := w.exec(ctx, `UPDATE feedback SET `+again+` WHERE app = ? AND id = ?`, e.app, id)
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *erasure) deleteFeedback(ctx context.Context, w *writer, r row) error {
	e.Own(r.f)
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
func (e *erasure) blankLink(ctx context.Context, w *writer, r row) error {
	if !e.Blank(r.f) {
		return nil
	}
	doc, err := seal(r.f.Link)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, `UPDATE feedback SET link = ?, `+again+` WHERE n = ?`, doc, r.n)
	return err
}

// cleanProposals takes quotes and samples out of proposals, and all texts out of
// those whose rule rests on what is erased.
func (e *erasure) cleanProposals(ctx context.Context, w *writer) error {
	ps, err := learnedAll[store.Proposal](ctx, w, "proposal", e.app)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if !e.Proposal(p) {
			continue
		}
		enc, err := encodeProposal(p, e.app)
		if err != nil {
			return err
		}
		if err := (&turn{app: e.app}).put(ctx, w, "proposal", enc); err != nil {
			return err
		}
	}
	return nil
}

// cleanFindings takes quotes out of findings, and titles, which may be made of
// them.
func (e *erasure) cleanFindings(ctx context.Context, w *writer) error {
	fs, err := learnedAll[store.Finding](ctx, w, "finding", e.app)
	if err != nil {
		return err
	}
	for _, f := range fs {
		if !e.Finding(f) {
			continue
		}
		enc, err := encodeFinding(f, e.app)
		if err != nil {
			return err
		}
		if err := (&turn{app: e.app}).put(ctx, w, "finding", enc); err != nil {
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
