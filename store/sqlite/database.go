package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"heed/store"
)

// database is one file: a writer, and readers that never wait for it.
type database struct {
	path  string
	reads *sql.DB
	write *sql.DB // one connection; nil in a store opened for reading, like all below
	w     *writer
	done  chan struct{} // run has ended

	mu   sync.RWMutex // guards closing ops against sending
	shut error        // why nothing can be changed, nil while it can
	ops  chan *op
}

// openDatabase opens the file and brings its schema forward.
func openDatabase(ctx context.Context, path string, sc schema, opt Options) (*database, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	var layout []string // of a new file; a connection that sets it later waits for the writer
	if st, err := os.Stat(path); err != nil || st.Size() == 0 {
		layout = append(layout, fmt.Sprintf("page_size(%d)", sc.pageBytes), "auto_vacuum(INCREMENTAL)")
	}
	pragmas := append(commonPragmas(opt), "journal_mode(WAL)", "synchronous("+sc.synchronous+")", "foreign_keys(0)",
		fmt.Sprintf("journal_size_limit(%d)", 16<<20), "secure_delete("+sc.secureDelete+")")
	if opt.MaxBytes > 0 {
		pragmas = append(pragmas, fmt.Sprintf("max_page_count(%d)", max(16, opt.MaxBytes/sc.pageBytes)))
	}
	write, err := connect(path, "immediate", append(layout, pragmas...), 1)
	if err != nil {
		return nil, err
	}
	d := &database{path: path, write: write, ops: make(chan *op, maxGroup), done: make(chan struct{})}
	if err := sc.migrate(ctx, write); err != nil {
		if errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrUnknown) {
			err = fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		return nil, errors.Join(d.fail(err), write.Close())
	}
	opened, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	if d.w, err = newWriter(ctx, write, sc.counts, func() error { return there(path, opened) }); err != nil {
		return nil, errors.Join(d.fail(err), write.Close())
	}
	if d.reads, err = connect(path, "deferred", append(pragmas, "query_only(1)"), opt.Readers); err != nil {
		return nil, errors.Join(d.fail(err), write.Close())
	}
	go d.run()
	return d, nil
}

// commonPragmas are those of every connection, also one that only reads.
func commonPragmas(opt Options) []string {
	return []string{"busy_timeout(5000)", fmt.Sprintf("cache_size(-%d)", opt.CacheKB), "temp_store(MEMORY)", "cell_size_check(1)"}
}

// there fails when the file under path is not the one that was opened: SQLite would
// go on writing to one without a name, which is gone with the process.
func there(path string, opened os.FileInfo) error {
	now, err := os.Stat(path)
	if err == nil && os.SameFile(opened, now) {
		return nil
	}
	return fmt.Errorf("%s was removed or replaced while it was open; stop this process, put it back and start again", filepath.Base(path))
}

// create makes the file, for its owner only, if it is missing: SQLite would make
// it readable for all. Its journals take the same mode.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	return f.Close()
}

// connect opens a pool of connections that all carry the pragmas.
func connect(path, lock string, pragmas []string, n int) (*sql.DB, error) {
	q := url.Values{"_pragma": pragmas, "_txlock": {lock}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// close ends the writer after what is queued, and closes the connections.
func (d *database) close() error {
	if d.write == nil {
		return d.fail(d.reads.Close())
	}
	d.mu.Lock()
	d.shut = store.ErrClosed
	close(d.ops)
	d.mu.Unlock()
	<-d.done
	return d.fail(errors.Join(d.reads.Close(), d.w.close(), d.write.Close()))
}

// fail names the file and gives the driver's errors their meaning in the
// contract. nil stays nil.
func (d *database) fail(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, driver.ErrBadConn) || strings.Contains(err.Error(), "database is closed") {
		return store.ErrClosed
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return err
	}
	name := filepath.Base(d.path)
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s: %w: %v; restore it from a backup or move it away", name, store.ErrCorrupt, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%s: %w: %v", name, store.ErrFull, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%s: %w: %v", name, store.ErrLocked, err)
	case sqlite3.SQLITE_INTERRUPT:
		return context.Canceled
	}
	return fmt.Errorf("%s: %w", name, err)
}

// maxChecked is the largest file whose pages are all looked at when it is opened,
// in bytes: at most about a second.
const maxChecked = 256 << 20

// quickCheck looks at every page of the file. The log is not checked like that:
// its chunks carry checksums, which are looked at when they are read.
func (d *database) quickCheck(ctx context.Context) error {
	if st, err := os.Stat(d.path); err != nil || st.Size() > maxChecked {
		return err
	}
	var found string
	if err := d.one(ctx, []any{&found}, `PRAGMA quick_check(1)`); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%s: %w: %s; restore it from a backup or move it away", filepath.Base(d.path), store.ErrCorrupt, found)
	}
	return nil
}

// query runs a read and calls row for each result; row's error ends it.
func (d *database) query(ctx context.Context, row func(scan func(...any) error) error, q string, args ...any) error {
	rows, err := d.reads.QueryContext(ctx, q, args...)
	if err != nil {
		return d.failIn(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return d.failIn(ctx, err)
		}
	}
	return d.failIn(ctx, rows.Err())
}

// failIn is fail, preferring the caller's own error when its time is over.
func (d *database) failIn(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return d.fail(err)
}

// one runs a read for a single row; it returns store.ErrNotFound when there is
// none.
func (d *database) one(ctx context.Context, dest []any, q string, args ...any) error {
	err := d.reads.QueryRowContext(ctx, q, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return d.failIn(ctx, err)
}

// column reads the first column of every row.
func column[T any](ctx context.Context, d *database, q string, args ...any) ([]T, error) {
	var out []T
	err := d.query(ctx, func(scan func(...any) error) error {
		var v T
		if err := scan(&v); err != nil {
			return err
		}
		out = append(out, v)
		return nil
	}, q, args...)
	return out, err
}

func sortedUnion(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// checkFiles refuses a folder from which heed.db is gone or emptied while the
// log is still there: opening it would silently start a new record.
func checkFiles(dir string) error {
	size := func(name string) int64 {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return -1
		}
		return st.Size()
	}
	if size(mainFile) <= 0 && (size(logFile) > 0 || size(mainFile+"-wal") > 0) {
		return fmt.Errorf("%s: %w: it is missing or empty, but %s or its journal is not; restore it from a backup or move the others away",
			filepath.Join(dir, mainFile), store.ErrCorrupt, logFile)
	}
	return checkJournal(dir)
}
