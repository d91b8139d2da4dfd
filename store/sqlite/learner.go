package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"heed/store"
)

// Pending implements store.Store.
func (s *Store) Pending(ctx context.Context, app string, l store.Lease, limit int) ([]*store.Feedback, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	var due int
	// Most of the time nothing is due: ask a reader before taking the writer.
	if err := leads(ctx, s.main, app, l); err != nil {
		return nil, err
	}
	err := s.main.one(ctx, []any{&due}, `SELECT count(*) FROM (SELECT 1 FROM feedback WHERE app = ? AND due <= ? LIMIT 1)`, app, now)
	if err != nil || due == 0 {
		return nil, err
	}
	var out []*store.Feedback
	err = s.main.change(ctx, quiet, func(ctx context.Context, w *writer) error {
		if err := leads(ctx, w, app, l); err != nil {
			return err
		}
		var rows []row
		err := w.each(ctx, func(scan func(...any) error) error {
			r, err := scanFeedback(scan)
			rows = append(rows, r)
			return err
		}, `SELECT `+feedbackColumns+` FROM feedback WHERE app = ? AND due <= ? ORDER BY at, n LIMIT ?`, app, now, store.PageSize(limit))
		for _, r := range rows {
			if err != nil {
				return err
			}
			r.f.Given = r.given
			_, err = w.exec(ctx, `UPDATE feedback SET claim = revision WHERE n = ? AND claim IS NOT revision`, r.n)
			out = append(out, r.f)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, c store.Changes) error {
	if err := s.check(ctx, c.App); err != nil {
		return err
	}
	t, err := newTurn(c)
	if err != nil {
		return err
	}
	return s.main.change(ctx, counted, t.apply)
}

// turn is what one Commit changes, encoded, sharing nothing with the caller.
type turn struct {
	app       string
	lease     store.Lease
	handled   []handled
	proposals []learned
	findings  []learned
	audits    []store.Audit
}

type handled struct {
	id, note string
	due      any // nil: done
	tries    int
	aside    bool
	begun    bool
	link     *store.Link
	doc      []byte // sealed link
}

type learned struct {
	id, state, rules string
	version          int
	doc              []byte
}

func newTurn(c store.Changes) (*turn, error) {
	t := &turn{app: c.App, lease: c.Lease}
	for _, h := range c.Handled {
		e := handled{id: h.Feedback, note: h.Note, tries: h.Tries, aside: h.Aside, begun: h.Begun}
		if !h.RetryAt.IsZero() {
			e.due = h.RetryAt.UnixMilli()
		}
		if h.Link != nil {
			e.link = h.Link.Kept()
			var err error
			if e.doc, err = seal(e.link); err != nil {
				return nil, fmt.Errorf("link of feedback %q: %w", h.Feedback, err)
			}
		}
		t.handled = append(t.handled, e)
	}
	for _, p := range c.Proposals {
		e, err := encodeProposal(p, c.App)
		if err != nil {
			return nil, err
		}
		t.proposals = append(t.proposals, e)
	}
	for _, f := range c.Findings {
		e, err := encodeFinding(f, c.App)
		if err != nil {
			return nil, err
		}
		t.findings = append(t.findings, e)
	}
	var err error
	t.audits, err = c.KeptAudits()
	return t, err
}

func encodeProposal(p *store.Proposal, app string) (learned, error) {
	c, err := p.Kept(app)
	if err != nil {
		return learned{}, err
	}
	doc, err := seal(c)
	if err != nil {
		return learned{}, fmt.Errorf("proposal %q: %w", p.ID, err)
	}
	return learned{id: p.ID, state: string(p.State), rules: " " + strings.Join(p.RuleIDs(), " ") + " ", version: p.Version, doc: doc}, nil
}

func encodeFinding(f *store.Finding, app string) (learned, error) {
	c, err := f.Kept(app)
	if err != nil {
		return learned{}, err
	}
	doc, err := seal(c)
	if err != nil {
		return learned{}, fmt.Errorf("finding %q: %w", f.ID, err)
	}
	return learned{id: f.ID, state: f.State, version: f.Version, doc: doc}, nil
}

func (t *turn) apply(ctx context.Context, w *writer) error {
	if err := fenced(ctx, w, t.app, t.lease); err != nil {
		return err
	}
	if err := addApp(ctx, w, t.app); err != nil {
		return err
	}
	for _, h := range t.handled {
		if err := t.handle(ctx, w, h); err != nil {
			return fmt.Errorf("feedback %q: %w", h.id, err)
		}
	}
	for _, p := range t.proposals {
		if err := t.put(ctx, w, "proposal", p); err != nil {
			return err
		}
	}
	for _, f := range t.findings {
		if err := t.put(ctx, w, "finding", f); err != nil {
			return err
		}
	}
	for _, a := range t.audits {
		if err := appendAudit(ctx, w, a); err != nil {
			return err
		}
	}
	return nil
}

// handle notes what became of a pending record. One that was retracted after it
// was given out stays pending.
func (t *turn) handle(ctx context.Context, w *writer, h handled) error {
	var n, revision, retracted int64
	var claim *int64 // revision at which it was given out
	err := w.one(ctx, []any{&n, &claim, &revision, &retracted}, `SELECT n, claim, revision, retracted FROM feedback WHERE app = ? AND id = ?`, t.app, h.id)
	if err != nil {
		return err
	}
	if h.begun {
		_, err := w.exec(ctx, `UPDATE feedback SET tries = ? WHERE n = ?`, h.tries, n)
		return err
	}
	due, stale := h.due, claim != nil && *claim != revision
	if stale {
		due, h.tries, h.aside = int64(0), 0, false
	}
	_, err = w.exec(ctx, `UPDATE feedback SET due = ?, note = ?, tries = ?, aside = ?, claim = NULL WHERE n = ?`,
		due, h.note, h.tries, h.aside, n)
	if err != nil {
		return err
	}
	if h.link == nil || stale && retracted == 0 {
		return nil // a stale link may show what was erased meanwhile
	}
	l := h.link
	_, err = w.exec(ctx, `UPDATE feedback SET link = ?, linked = ?, exchange = coalesce(exchange, ?), alias = ?, step = ?, upstream = ?, model = ?
		WHERE n = ?`, h.doc, l.ExchangeID, null(l.ExchangeID), l.Alias, l.Step, l.Target.Upstream, l.Target.Model, n)
	if err != nil {
		return err
	}
	return supersede(ctx, w, t.app, l.ExchangeID, n)
}

// put writes a proposal or finding if its version is the stored one plus one.
func (t *turn) put(ctx context.Context, w *writer, table string, e learned) error {
	var version int
	err := w.one(ctx, []any{&version}, `SELECT version FROM `+table+` WHERE app = ? AND id = ?`, t.app, e.id)
	if err != nil && !isNotFound(err) {
		return err
	}
	if e.version != version+1 {
		return fmt.Errorf("%s %q: version %d after %d: %w", table, e.id, e.version, version, store.ErrConflict)
	}
	changed, err := nextChange(ctx, w)
	if err != nil {
		return err
	}
	q := `INSERT OR REPLACE INTO finding(app, id, version, state, changed, doc) VALUES(?, ?, ?, ?, ?, ?)`
	args := []any{t.app, e.id, e.version, e.state, changed, e.doc}
	if table == "proposal" {
		q = `INSERT OR REPLACE INTO proposal(app, id, version, state, changed, doc, rules) VALUES(?, ?, ?, ?, ?, ?, ?)`
		args = append(args, e.rules)
	}
	_, err = w.exec(ctx, q, args...)
	return err
}

// nextChange numbers the changes of proposals and findings.
func nextChange(ctx context.Context, w *writer) (n int64, err error) {
	err = w.one(ctx, []any{&n}, `INSERT INTO meta(k, v) VALUES('change', 1) ON CONFLICT(k) DO UPDATE SET v = v + 1 RETURNING v`)
	return n, err
}

// Proposal implements store.Store.
func (s *Store) Proposal(ctx context.Context, app, id string) (*store.Proposal, error) {
	return learnedByID[store.Proposal](ctx, s, "proposal", app, id)
}

// Finding implements store.Store.
func (s *Store) Finding(ctx context.Context, app, id string) (*store.Finding, error) {
	return learnedByID[store.Finding](ctx, s, "finding", app, id)
}

func learnedByID[T any](ctx context.Context, s *Store, table, app, id string) (*T, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var doc []byte
	if err := s.main.one(ctx, []any{&doc}, `SELECT doc FROM `+table+` WHERE app = ? AND id = ?`, app, id); err != nil {
		return nil, fmt.Errorf("%s %q: %w", table, id, err)
	}
	v := new(T)
	if err := unsealJSON(doc, table+" "+id, v); err != nil {
		return nil, err
	}
	return v, nil
}

// Proposals implements store.Store.
func (s *Store) Proposals(ctx context.Context, f store.ProposalFilter) ([]*store.Proposal, string, error) {
	var w where
	w.add("app = ?", f.App)
	w.addIf(f.State != "", "state = ?", string(f.State))
	w.addIf(f.Rule != "", "instr(rules, ?)", " "+f.Rule+" ")
	return learnedPage[store.Proposal](ctx, s, "proposal", w, f.App, f.Limit, f.After)
}

// Findings implements store.Store.
func (s *Store) Findings(ctx context.Context, f store.FindingFilter) ([]*store.Finding, string, error) {
	var w where
	w.add("app = ?", f.App)
	w.addIf(f.State != "", "state = ?", f.State)
	return learnedPage[store.Finding](ctx, s, "finding", w, f.App, f.Limit, f.After)
}

func learnedPage[T any](ctx context.Context, s *Store, table string, w where, app string, limit int, after string) ([]*T, string, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, "", err
	}
	at, _, more, err := store.ParseCursor(after)
	if err != nil {
		return nil, "", err
	}
	w.addIf(more, "changed < ?", at)
	limit = store.PageSize(limit)
	var out []*T
	var last int64
	var next string
	err = s.main.query(ctx, func(scan func(...any) error) error {
		var id string
		var doc []byte
		var changed int64
		if err := scan(&id, &changed, &doc); err != nil {
			return err
		}
		if len(out) == limit {
			next = store.Cursor(last, "")
			return nil
		}
		v := new(T)
		if err := unsealJSON(doc, table+" "+id, v); err != nil {
			return err
		}
		out, last = append(out, v), changed
		return nil
	}, `SELECT id, changed, doc FROM `+table+` WHERE `+w.String()+` ORDER BY changed DESC LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	return out, next, nil
}
