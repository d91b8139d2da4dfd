package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"heed/store"
)

// WriteExchanges implements store.Store. It packs in the caller's goroutine and
// holds the writer for the inserts only.
func (s *Store) WriteExchanges(ctx context.Context, xs []*store.Exchange) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	skipped := &store.SkippedError{}
	for len(xs) > 0 {
		part := xs[:min(len(xs), store.MaxBatchRecords)]
		xs = xs[len(part):]
		p := newPacker()
		if err := s.log.change(ctx, quiet, p.batch(part, skipped).insert); err != nil {
			return err // the change may still happen, and read what the packer holds
		}
		p.release()
		s.dirty.Store(true)
	}
	if len(skipped.IDs) > 0 {
		return skipped
	}
	return nil
}

// batch is what one transaction adds to the log.
type batch []appBatch

type appBatch struct {
	app    string
	chunks []*chunk
}

// batch packs the exchanges app by app, but for those that cannot be encoded. It
// shares nothing with them.
func (p *packer) batch(xs []*store.Exchange, skipped *store.SkippedError) batch {
	var order []string
	byApp := map[string][]slot{}
	known := make(map[[2]string]bool, len(xs))
	for _, x := range xs {
		s, err := p.newSlot(x)
		if err != nil {
			id := ""
			if x != nil {
				id = x.ID
			}
			skipped.IDs = append(skipped.IDs, id)
			skipped.Err = errors.Join(skipped.Err, err)
			continue
		}
		key := [2]string{x.App, x.ID}
		if known[key] {
			continue
		}
		known[key] = true
		if byApp[x.App] == nil {
			order = append(order, x.App)
			byApp[x.App] = make([]slot, 0, len(xs))
		}
		byApp[x.App] = append(byApp[x.App], s)
	}
	var b batch
	for _, app := range order {
		a := appBatch{app: app}
		for _, slots := range split(share(byApp[app])) {
			a.chunks = append(a.chunks, p.pack(slots))
		}
		b = append(b, a)
	}
	return b
}

// newSlot encodes an exchange; its row stands in p.rows.
func (p *packer) newSlot(x *store.Exchange) (slot, error) {
	if x == nil {
		return slot{}, errors.New("exchange is nil")
	}
	start := len(p.rows)
	var err error
	p.rows, err = x.AppendRow(p.rows)
	return slot{x: x, row: p.rows[start:len(p.rows):len(p.rows)]}, err
}

// split cuts slots that have been through share into runs that fit a chunk.
func split(slots []slot) [][]slot {
	var out [][]slot
	start, size := 0, 0
	for i := range slots {
		n := slots[i].size()
		if i > start && (i-start == chunkSlots || size+n > chunkBytes) {
			out = append(out, slots[start:i])
			start, size = i, slots[i].saved()
		}
		size += n
	}
	if start < len(slots) {
		out = append(out, slots[start:])
	}
	return out
}

func (b batch) insert(ctx context.Context, w *writer) error {
	for _, a := range b {
		app, err := appNumber(ctx, w, a.app)
		if err != nil {
			return err
		}
		for _, c := range a.chunks {
			if err := insertChunk(ctx, w, app, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// appNumber finds or makes the app's row, marked as written to in this run.
func appNumber(ctx context.Context, w *writer, name string) (n int64, err error) {
	err = w.one(ctx, []any{&n}, `SELECT n FROM app WHERE name = ? AND run = 1`, name)
	if isNotFound(err) {
		err = w.one(ctx, []any{&n}, `INSERT INTO app(name, run) VALUES(?, 1) ON CONFLICT(name) DO UPDATE SET run = 1 RETURNING n`, name)
	}
	return n, err
}

// insertChunk writes the chunk, without those of its exchanges that are there
// already.
func insertChunk(ctx context.Context, w *writer, app int64, c *chunk) error {
	n, err := writeChunk(ctx, w, app, c, 0)
	if err != nil {
		return err
	}
	added, err := addKeys(ctx, w, app, n, c.ids)
	if err != nil || added == int64(len(c.ids)) {
		return err
	}
	slots, err := openSlots(c.facts, c.bodies, len(c.ids))
	if err != nil {
		return err
	}
	var fresh []slot
	for i := range slots {
		var at int64
		err := w.one(ctx, []any{&at}, `SELECT chunk FROM exchange WHERE app = ? AND id = ?`, app, c.ids[i])
		if err != nil {
			return err
		}
		if at == n {
			fresh = append(fresh, slots[i])
		}
	}
	if err := dropChunk(ctx, w, n); err != nil {
		return err
	}
	for i := range c.ids {
		if _, err := w.exec(ctx, `DELETE FROM exchange WHERE app = ? AND id = ? AND chunk = ?`, app, c.ids[i], n); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	again := new(packer).pack(share(fresh))
	if n, err = writeChunk(ctx, w, app, again, 0); err != nil {
		return err
	}
	_, err = addKeys(ctx, w, app, n, again.ids)
	return err
}

// writeChunk writes all of a chunk but its keys. kept marks one that retention
// has looked at and left because of feedback.
func writeChunk(ctx context.Context, w *writer, app int64, c *chunk, kept int64) (n int64, err error) {
	err = w.one(ctx, []any{&n}, `INSERT INTO chunk(app, first, last, count, bytes, packed, kept, seen) VALUES(?, ?, ?, ?, ?, ?, ?, ?) RETURNING n`,
		app, c.first, c.last, len(c.ids), c.plain, c.packed(), kept, c.seen)
	if err != nil {
		return 0, err
	}
	for _, part := range []struct {
		q    string
		data []byte
	}{
		{`INSERT INTO words(chunk, filter) VALUES(?, ?)`, c.words},
		{`INSERT INTO facts(chunk, data) VALUES(?, ?)`, c.facts},
		{`INSERT INTO bodies(chunk, data) VALUES(?, ?)`, c.bodies},
	} {
		if _, err := w.exec(ctx, part.q, n, part.data); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// dropChunk deletes all of a chunk but its keys.
func dropChunk(ctx context.Context, w *writer, n int64) error {
	for _, q := range []string{
		`DELETE FROM chunk WHERE n = ?`, `DELETE FROM words WHERE chunk = ?`,
		`DELETE FROM facts WHERE chunk = ?`, `DELETE FROM bodies WHERE chunk = ?`,
	} {
		if _, err := w.exec(ctx, q, n); err != nil {
			return err
		}
	}
	return nil
}

// addKeys notes where each exchange is, in as few statements as powers of two
// allow, and returns how many were new.
func addKeys(ctx context.Context, w *writer, app, chunk int64, ids []any) (added int64, err error) {
	for slot := 0; slot < len(ids); {
		n := chunkSlots
		for n > len(ids)-slot {
			n /= 2
		}
		k, err := w.exec(ctx, keysQuery[n], append([]any{app, chunk, slot}, ids[slot:slot+n]...)...)
		if err != nil {
			return added, err
		}
		added, slot = added+k, slot+n
	}
	return added, nil
}

// keysQuery inserts n keys from a slot on, for each power of two up to
// chunkSlots.
var keysQuery = func() map[int]string {
	out := map[int]string{}
	for n := 1; n <= chunkSlots; n *= 2 {
		var b strings.Builder
		b.WriteString(`INSERT INTO exchange(app, chunk, slot, id) VALUES`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`(?1, ?2, ?3 + ` + strconv.Itoa(i) + `, ?)`) // the 4th and on; ?4 would be a name, which the driver looks up
		}
		b.WriteString(` ON CONFLICT DO NOTHING`)
		out[n] = b.String()
	}
	return out
}()

// exchangeKey is the id as it stands in the file: a UUID in 16 bytes, anything
// else as text.
func exchangeKey(id string) any {
	if key, ok := appendUUID(nil, id); ok {
		return key
	}
	return id
}

// appendUUID appends the 16 bytes of a UUID in its usual form; of anything else
// nothing. Upper case is not usual: the bytes must give back the same letters.
func appendUUID(b []byte, id string) ([]byte, bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return b, false
	}
	var key [16]byte
	for i, at := range uuidBytes {
		high, low := hexValues[id[at]], hexValues[id[at+1]]
		if high > 15 || low > 15 {
			return b, false
		}
		key[i] = high<<4 | low
	}
	return append(b, key[:]...), true
}

// uuidBytes is where the bytes of a UUID stand in its text.
var uuidBytes = [16]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

// hexValues are the values of lower-case hexadecimal digits; 255 for any other
// byte.
var hexValues = func() (v [256]byte) {
	for i := range v {
		v[i] = 255
		if n := strings.IndexByte("0123456789abcdef", byte(i)); n >= 0 {
			v[i] = byte(n)
		}
	}
	return v
}()

// Exchange implements store.Store.
func (s *Store) Exchange(ctx context.Context, app, id string) (*store.Exchange, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var xs []*store.Exchange
	err := s.snapshot(ctx, func(tx *sql.Tx) error {
		var n, count, slot int64
		err := tx.QueryRowContext(ctx, `SELECT e.chunk, e.slot, c.count FROM exchange e JOIN chunk c ON c.n = e.chunk
			WHERE e.app = (SELECT n FROM app WHERE name = ?) AND e.id = ?`, app, exchangeKey(id)).Scan(&n, &slot, &count)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("exchange %q: %w", id, store.ErrNotFound)
		}
		if err != nil {
			return err
		}
		rows, err := chunkRows(ctx, tx, n, int(count))
		if err != nil {
			return err
		}
		x := new(store.Exchange)
		if slot >= count || json.Unmarshal(rows[slot], x) != nil || x.ID != id || x.App != app {
			return fmt.Errorf("exchange %q: %w", id, errDamaged)
		}
		xs = []*store.Exchange{x}
		return fillBodies(ctx, tx, []place{{xs[0], n, int(slot), int(count)}})
	})
	if err != nil {
		return nil, err
	}
	return xs[0], nil
}

// snapshot runs reads that all see the same state of the log.
func (s *Store) snapshot(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.log.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s.log.failIn(ctx, err)
	}
	defer tx.Rollback()
	return s.log.failIn(ctx, fn(tx))
}

func chunkRows(ctx context.Context, tx *sql.Tx, n int64, count int) ([][]byte, error) {
	var data []byte
	if err := tx.QueryRowContext(ctx, `SELECT data FROM facts WHERE chunk = ?`, n).Scan(&data); err != nil {
		return nil, missing(err)
	}
	return openRows(data, count)
}

// chunkBodies opens the bodies of a chunk, whose rows they may quote.
func chunkBodies(ctx context.Context, tx *sql.Tx, n int64, rows [][]byte) ([][]byte, error) {
	var data []byte
	if err := tx.QueryRowContext(ctx, `SELECT data FROM bodies WHERE chunk = ?`, n).Scan(&data); err != nil {
		return nil, missing(err)
	}
	return openBodies(data, rows)
}

// missing turns a part that is not there into damage: parts come and go with
// their chunk.
func missing(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return errDamaged
	}
	return err
}

// place is where an exchange was found.
type place struct {
	x     *store.Exchange
	chunk int64
	slot  int
	count int
}

// fillBodies gives the exchanges copies of their bodies, opening each chunk once.
func fillBodies(ctx context.Context, tx *sql.Tx, ps []place) error {
	opened := map[int64][][]byte{}
	for i, p := range ps {
		bodies := opened[p.chunk]
		if bodies == nil {
			rows, err := chunkRows(ctx, tx, p.chunk, p.count)
			if err != nil {
				return err
			}
			if bodies, err = chunkBodies(ctx, tx, p.chunk, rows); err != nil {
				return err
			}
			opened[p.chunk] = bodies
		}
		p.x.Request, p.x.Response = copied(bodies[2*p.slot]), copied(bodies[2*p.slot+1])
		if i+1 < len(ps) && ps[i+1].chunk != p.chunk && len(opened) > 8 {
			clear(opened) // a page may touch many chunks; do not hold them all
		}
	}
	return nil
}

func copied(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

// Gaps implements store.Store.
func (s *Store) Gaps(ctx context.Context, app string) (int64, error) {
	if err := s.check(ctx, app); err != nil {
		return 0, err
	}
	var n int64
	err := s.log.one(ctx, []any{&n}, `SELECT gap FROM app WHERE name = ?`, app)
	if isNotFound(err) {
		return 0, nil
	}
	return n, err
}

// NoteGap implements store.Store.
func (s *Store) NoteGap(ctx context.Context, app string, n int64) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	if n < 0 {
		return fmt.Errorf("gap of %d exchanges: want 0 or more", n)
	}
	return s.log.change(ctx, quiet, func(ctx context.Context, w *writer) error {
		_, err := w.exec(ctx, `INSERT INTO app(name, gap) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET gap = gap + excluded.gap`, app, n)
		return err
	})
}
