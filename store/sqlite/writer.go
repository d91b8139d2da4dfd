package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"heed/store"
)

// maxGroup is how many changes share one transaction, so one fsync, at most. The
// queue in front of the writer is as long; callers wait when it is full.
const maxGroup = 256

// kind says whether a change counts for Wait.
type kind uint8

const (
	counted kind = iota
	quiet
)

// op is one caller's change, waiting to be part of a transaction.
type op struct {
	ctx  context.Context
	kind kind
	fn   func(context.Context, *writer) error
	err  error // fn's error
	done chan error
}

// change runs fn inside a transaction, alone or with others' changes, and
// returns after the commit. When ctx ends first it returns at once: the change
// then happens as a whole or not at all. fn must only touch what it owns.
func (d *database) change(ctx context.Context, k kind, fn func(context.Context, *writer) error) error {
	o := &op{ctx: ctx, kind: k, fn: fn, done: make(chan error, 1)}
	if err := d.enqueue(o); err != nil {
		return err
	}
	select {
	case err := <-o.done:
		return d.failIn(ctx, err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enqueue waits for room in the writer's queue.
func (d *database) enqueue(o *op) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.shut != nil {
		return d.shut
	}
	select {
	case d.ops <- o:
		return nil
	case <-o.ctx.Done():
		return o.ctx.Err()
	}
}

// run is the writer's goroutine; it ends when ops is closed and empty.
func (d *database) run() {
	defer close(d.done)
	for o := range d.ops {
		group := []*op{o}
	gather:
		for len(group) < maxGroup {
			select {
			case o, ok := <-d.ops:
				if !ok {
					break gather
				}
				group = append(group, o)
			default:
				break gather
			}
		}
		d.w.commit(group)
	}
}

// writer is the one connection that changes a file.
type writer struct {
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt // bounded by the statements in the code
	counts bool
	after  func()       // called after a commit that counts
	there  func() error // why nobody would find what is written
}

func newWriter(ctx context.Context, db *sql.DB, counts bool, there func() error) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &writer{conn: conn, stmts: map[string]*sql.Stmt{}, counts: counts, after: func() {}, there: there}, nil
}

func (w *writer) close() error {
	for _, st := range w.stmts {
		st.Close()
	}
	return w.conn.Close()
}

// commit runs the group in one transaction. A change that fails is undone alone;
// if the commit fails, all fail.
func (w *writer) commit(group []*op) {
	err := w.transaction(group)
	for _, o := range group {
		o.done <- cmp.Or(err, o.err)
	}
	if err == nil {
		w.after()
	}
}

func (w *writer) transaction(group []*op) error {
	// The transaction does not belong to any one caller, so neither does its time.
	ctx := context.Background()
	if err := w.begin(ctx); err != nil {
		return err
	}
	changed, counted, err := w.apply(ctx, group)
	if !changed && err == nil {
		_, err := w.exec(ctx, `ROLLBACK`)
		return err
	}
	if err == nil {
		err = w.count(ctx, counted)
	}
	if err == nil {
		err = w.there()
	}
	if err == nil {
		_, err = w.exec(ctx, `COMMIT`)
	}
	if err != nil {
		_, _ = w.exec(ctx, `ROLLBACK`) // SQLite may have rolled back by itself
	}
	return err
}

// begin starts a transaction. Where one was left open, because its ROLLBACK
// failed, it is undone first: else no change would ever succeed again.
func (w *writer) begin(ctx context.Context) error {
	_, err := w.exec(ctx, `BEGIN IMMEDIATE`)
	if err == nil {
		return nil
	}
	if _, undo := w.exec(ctx, `ROLLBACK`); undo != nil {
		return err // none was open
	}
	_, err = w.exec(ctx, `BEGIN IMMEDIATE`)
	return err
}

// apply runs each change in a savepoint of its own. An error of the file itself
// (full, damaged, I/O) ends the whole group: SQLite may have rolled back all of
// it already.
func (w *writer) apply(ctx context.Context, group []*op) (changed, counts bool, err error) {
	for _, o := range group {
		if o.err = o.ctx.Err(); o.err != nil {
			continue
		}
		if len(group) > 1 {
			if _, o.err = w.exec(ctx, `SAVEPOINT change`); o.err != nil {
				continue
			}
		}
		o.err = o.fn(ctx, w)
		if len(group) > 1 {
			if o.err != nil {
				_, _ = w.exec(ctx, `ROLLBACK TO change`)
			}
			if _, err := w.exec(ctx, `RELEASE change`); err != nil {
				o.err = errors.Join(o.err, err)
			}
		}
		if ofFile(o.err) {
			return false, false, o.err
		}
		if o.err == nil {
			changed = true
			counts = counts || o.kind == counted
		}
	}
	return changed, counts, nil
}

// ofFile reports whether the error is about the file, not about one change.
func ofFile(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code()&0xff != sqlite3.SQLITE_CONSTRAINT
}

// count moves the sequence number that Wait follows.
func (w *writer) count(ctx context.Context, counted bool) error {
	if !counted || !w.counts {
		return nil
	}
	_, err := w.exec(ctx, `UPDATE meta SET v = v + 1 WHERE k = 'seq'`)
	return err
}

func (w *writer) prepare(ctx context.Context, q string) (*sql.Stmt, error) {
	if st := w.stmts[q]; st != nil {
		return st, nil
	}
	st, err := w.conn.PrepareContext(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", q, err)
	}
	w.stmts[q] = st
	return st, nil
}

// exec runs a statement of the code, prepared once.
func (w *writer) exec(ctx context.Context, q string, args ...any) (int64, error) {
	st, err := w.prepare(ctx, q)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// one reads a single row inside the transaction; store.ErrNotFound without one.
func (w *writer) one(ctx context.Context, dest []any, q string, args ...any) error {
	st, err := w.prepare(ctx, q)
	if err != nil {
		return err
	}
	err = st.QueryRowContext(ctx, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// each reads rows inside the transaction. row must not use the writer.
func (w *writer) each(ctx context.Context, row func(scan func(...any) error) error, q string, args ...any) error {
	st, err := w.prepare(ctx, q)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
