package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"heed/store"
)

// Exchanges implements store.Store. The order is arrival, then id. Chunks are
// visited newest first; filters rule out those that cannot hold a match, the rest
// are opened and checked exchange by exchange.
func (s *Store) Exchanges(ctx context.Context, f store.ExchangeFilter) ([]*store.Exchange, string, error) {
	return s.list(ctx, f, "")
}

// ExchangeByResponse implements store.Store.
func (s *Store) ExchangeByResponse(ctx context.Context, app, responseID string) (*store.Exchange, error) {
	if responseID == "" {
		return nil, fmt.Errorf("response %q: %w", responseID, store.ErrNotFound)
	}
	xs, _, err := s.list(ctx, store.ExchangeFilter{App: app, Limit: 1, Bodies: true}, responseID)
	if err == nil && len(xs) == 0 {
		err = fmt.Errorf("response %q: %w", responseID, store.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return xs[0], nil
}

func (s *Store) list(ctx context.Context, f store.ExchangeFilter, response string) ([]*store.Exchange, string, error) {
	if err := s.check(ctx, f.App); err != nil {
		return nil, "", err
	}
	q, err := s.newSearch(ctx, f, response)
	if err != nil || q.empty {
		return nil, "", err
	}
	var out []*store.Exchange
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		if err := q.run(ctx, tx); err != nil {
			return err
		}
		ps := q.found[:min(len(q.found), q.limit)]
		for _, p := range ps {
			out = append(out, p.x)
		}
		if f.Bodies {
			return fillBodies(ctx, tx, ps)
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(q.found) > q.limit {
		last := out[len(out)-1]
		next = store.Cursor(last.Time.UnixMilli(), last.ID)
	}
	return out, next, nil
}

// search is one walk over an app's chunks.
type search struct {
	s        *Store
	f        store.ExchangeFilter
	response string
	limit    int
	since    int64 // arrival, in milliseconds, inclusive
	until    int64 // exclusive
	afterAt  int64
	afterID  string
	more     bool
	empty    bool // nothing can match

	attrs    []uint64
	quoted   [][]byte // values that must stand in the facts, as JSON strings
	words    []uint64
	comments map[string]uint32 // exchange id to the words (bits) that comments on it have

	commented map[int64]bool // chunks that hold such exchanges
	found     []place        // newest first, up to limit+1 that are final
	waiting   []place        // matches that a later chunk may still precede
}

func (s *Store) newSearch(ctx context.Context, f store.ExchangeFilter, response string) (*search, error) {
	q := &search{s: s, f: f, response: response, limit: store.PageSize(f.Limit), since: math.MinInt64, until: math.MaxInt64}
	if !f.Since.IsZero() {
		q.since = f.Since.UnixMilli()
	}
	if !f.Until.IsZero() {
		q.until = f.Until.UnixMilli()
	}
	var err error
	if q.afterAt, q.afterID, q.more, err = store.ParseCursor(f.After); err != nil {
		return nil, err
	}
	for _, a := range []struct {
		field byte
		value string
	}{
		{byStep, f.Step}, {bySession, f.Session}, {byUnit, f.Unit}, {byUser, f.User}, {byAlias, f.Alias}, {byTarget, f.Target},
		{byRule, f.Rule}, {byOutcome, string(f.Outcome)}, {byFailure, f.Failure}, {byResponse, response},
	} {
		if a.value == "" {
			continue
		}
		q.attrs = append(q.attrs, attribute(a.field, a.value))
		if a.field == byTarget { // it stands there as two
			continue
		}
		value, err := json.Marshal(a.value)
		if err != nil {
			return nil, err
		}
		q.quoted = append(q.quoted, value)
	}
	if f.Queries {
		q.attrs = append(q.attrs, attribute(byQuery, ""))
	}
	if strings.TrimSpace(f.Text) != "" {
		q.words = textTerms(f.Text)
		q.empty = len(q.words) == 0
		q.comments, err = s.commentsWith(ctx, f.App, q.words)
	}
	return q, err
}

// maxCommented bounds how many commented exchanges one search considers, newest
// comments first.
const maxCommented = 1000

// commentsWith tells for each exchange which of the words its comments have.
func (s *Store) commentsWith(ctx context.Context, app string, words []uint64) (map[string]uint32, error) {
	out := map[string]uint32{}
	for i, h := range words {
		ids, err := column[string](ctx, s.main, `SELECT f.exchange FROM word w JOIN feedback f ON f.n = w.n
			WHERE w.app = ? AND w.hash = ? AND f.exchange IS NOT NULL ORDER BY w.n DESC LIMIT ?`, app, int64(h), maxCommented)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			out[id] |= 1 << i
		}
	}
	return out, nil
}

// header is what is known of a chunk before it is opened.
type header struct {
	n, first, last int64
	count          int
	seen, words    []byte
}

// headerPage is how many headers are read at a time.
const headerPage = 256

// run fills found with the first limit+1 matches.
func (q *search) run(ctx context.Context, tx *sql.Tx) error {
	var app int64
	err := tx.QueryRowContext(ctx, `SELECT n FROM app WHERE name = ?`, q.f.App).Scan(&app)
	if err == sql.ErrNoRows {
		return nil
	}
	if err != nil {
		return err
	}
	if err := q.placeComments(ctx, tx, app); err != nil {
		return err
	}
	last, n := int64(math.MaxInt64), int64(math.MaxInt64)
	for {
		hs, err := q.headers(ctx, tx, app, last, n)
		if err != nil {
			return err
		}
		for _, h := range hs {
			if q.settle(h.last); len(q.found) > q.limit || h.last < q.since {
				return nil
			}
			if err := q.visit(ctx, tx, h); err != nil {
				return err
			}
		}
		if len(hs) < headerPage {
			q.settle(math.MinInt64)
			return nil
		}
		last, n = hs[len(hs)-1].last, hs[len(hs)-1].n
	}
}

// placeComments finds the chunks of commented exchanges.
func (q *search) placeComments(ctx context.Context, tx *sql.Tx, app int64) error {
	q.commented = map[int64]bool{}
	for id := range q.comments {
		var n int64
		err := tx.QueryRowContext(ctx, `SELECT chunk FROM exchange WHERE app = ? AND id = ?`, app, exchangeKey(id)).Scan(&n)
		if err == nil {
			q.commented[n] = true
		} else if err != sql.ErrNoRows {
			return err
		}
	}
	return nil
}

func (q *search) headers(ctx context.Context, tx *sql.Tx, app, last, n int64) ([]header, error) {
	words := `x''`
	if len(q.words) > 0 {
		words = `(SELECT filter FROM words WHERE chunk = n)`
	}
	rows, err := tx.QueryContext(ctx, `SELECT n, first, last, count, seen, `+words+` FROM chunk
		WHERE app = ? AND (last, n) < (?, ?) AND first <= ? ORDER BY last DESC, n DESC LIMIT ?`, app, last, n, q.newest(), headerPage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var hs []header
	for rows.Next() {
		var h header
		if err := rows.Scan(&h.n, &h.first, &h.last, &h.count, &h.seen, &h.words); err != nil {
			return nil, err
		}
		hs = append(hs, h)
	}
	return hs, rows.Err()
}

// newest is the latest arrival that can match.
func (q *search) newest() int64 {
	if q.more {
		return min(q.until, q.afterAt)
	}
	return q.until
}

// visit opens the chunk, if it may hold a match, and collects the matches.
func (q *search) visit(ctx context.Context, tx *sql.Tx, h header) error {
	if !mayHave(h.seen, q.attrs) || !mayHave(h.words, q.words) && !q.commented[h.n] {
		return nil
	}
	rows, err := chunkRows(ctx, tx, h.n, h.count)
	if err != nil {
		return fmt.Errorf("chunk %d: %w", h.n, err)
	}
	var bodies [][]byte
	for i, row := range rows {
		x, err := q.candidate(row)
		if err != nil {
			return fmt.Errorf("chunk %d: %w", h.n, err)
		}
		if x == nil {
			continue
		}
		if len(q.words) > 0 {
			if bodies == nil {
				if bodies, err = chunkBodies(ctx, tx, h.n, rows); err != nil {
					return fmt.Errorf("chunk %d: %w", h.n, err)
				}
			}
			if !q.says(x, bodies[2*i], bodies[2*i+1]) {
				continue
			}
		}
		q.waiting = append(q.waiting, place{x, h.n, i, h.count})
	}
	return nil
}

// candidate decodes an exchange if it matches but for the words, else it returns
// nil. Most that do not match are told by the bytes that they lack.
func (q *search) candidate(row []byte) (*store.Exchange, error) {
	for _, value := range q.quoted {
		if !bytes.Contains(row, value) {
			return nil, nil
		}
	}
	x := new(store.Exchange)
	if err := json.Unmarshal(row, x); err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	if !q.matches(x) {
		return nil, nil
	}
	return x, nil
}

// matches checks everything but the words.
func (q *search) matches(x *store.Exchange) bool {
	at := x.Time.UnixMilli()
	return q.f.Matches(x) && (q.response == "" || x.ResponseID == q.response) &&
		(!q.more || at < q.afterAt || at == q.afterAt && x.ID < q.afterID)
}

// says checks that the exchange, with the comments on it, has every word.
func (q *search) says(x *store.Exchange, request, response []byte) bool {
	var t terms
	whole := *x
	whole.Request, whole.Response = request, response
	addExchangeWords(&t, &slot{x: &whole}, 0, false)
	commented := q.comments[x.ID]
	for i, h := range q.words {
		if commented&(1<<i) == 0 && !t.has(h) {
			return false
		}
	}
	return true
}

// settle moves the matches that nothing in chunks up to last can precede to
// found, newest first.
func (q *search) settle(last int64) {
	slices.SortFunc(q.waiting, func(a, b place) int {
		if c := b.x.Time.Compare(a.x.Time); c != 0 {
			return c
		}
		return strings.Compare(b.x.ID, a.x.ID)
	})
	n := 0
	for n < len(q.waiting) && len(q.found) <= q.limit && q.waiting[n].x.Time.UnixMilli() > last {
		q.found = append(q.found, q.waiting[n])
		n++
	}
	q.waiting = slices.Delete(q.waiting, 0, n)
}
