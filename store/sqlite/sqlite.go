// Package sqlite is the embedded store: two SQLite files in one folder, owned by
// one process.
//
// Start with [Open] and [Store.Close]; between them a [Store] keeps the contract
// of store.Store. What must never be lost (feedback, proposals, findings, rule
// sets, audit) lives in heed.db: one writer, synchronous=FULL, and concurrent
// changes share one fsync. The log of exchanges lives in exchanges.db, so that
// its batches never delay an acknowledgement: packed into compressed chunks,
// written through the page cache and synced once a second. Readers have
// connections of their own, and WAL lets them read while the writer writes.
//
// A file that is damaged is refused with store.ErrCorrupt and left as it is.
package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"heed/store"
)

// Names of the files in the folder.
const (
	mainFile = "heed.db"
	logFile  = "exchanges.db"
	lockFile = "heed.lock"
)

// Options tune a Store. Zero fields take the defaults.
type Options struct {
	Readers  int           // connections that read, per file; default 4
	CacheKB  int           // page cache of each connection, in KiB; default 1024
	Poll     time.Duration // how often Wait looks for changes of other processes; default 500ms
	Tidy     time.Duration // how often the log is tidied: retention, merging of small chunks; default 1m
	Sync     time.Duration // how often exchanges.db is synced, the most a power cut may lose; default 1s
	Retain   Retention     // what the log of exchanges keeps; zero keeps everything
	MaxBytes int64         // cap on each file, in bytes; 0 is no cap. Beyond it writes are ErrFull
	Log      *slog.Logger  // default slog.Default()
}

func (o Options) withDefaults() Options {
	o.Readers = cmp.Or(o.Readers, 4)
	o.CacheKB = cmp.Or(o.CacheKB, 1024)
	o.Poll = cmp.Or(o.Poll, 500*time.Millisecond)
	o.Sync = cmp.Or(o.Sync, time.Second)
	o.Tidy = cmp.Or(o.Tidy, time.Minute)
	o.Log = cmp.Or(o.Log, slog.Default())
	return o
}

// Store is the record in one folder. It is safe for concurrent use.
type Store struct {
	dir  string
	opt  Options
	lock *os.File
	main *database // heed.db
	log  *database // exchanges.db

	bell   bell
	leases leases

	protect sync.RWMutex // read: feedback is being committed; write: expired exchanges are being deleted
	rewrite sync.Mutex   // held by who takes chunks apart: retention, merging, erasing
	dirty   atomic.Bool  // exchanges were written since the last sync
	closed  atomic.Bool
	stop    context.CancelFunc // ends the goroutines of upkeep
	upkeep  sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Open opens the store in dir, which it makes if it is missing, and brings older
// schemas forward. It returns store.ErrLocked when another process has it open,
// store.ErrUnknown when a newer Heed wrote it, and store.ErrCorrupt, naming the
// file, when one is damaged; nothing is changed then.
func Open(ctx context.Context, dir string, opt Options) (*Store, error) {
	opt = opt.withDefaults()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make store folder: %w", err)
	}
	lock, err := store.LockFolder(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, opt: opt, lock: lock}
	if err := s.open(ctx); err != nil {
		s.release()
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.upkeep.Add(1)
	go s.keepUp(background)
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := checkFiles(s.dir); err != nil {
		return err
	}
	var err error
	if s.main, err = openDatabase(ctx, filepath.Join(s.dir, mainFile), mainSchema, s.opt); err != nil {
		return err
	}
	if err := s.main.quickCheck(ctx); err != nil {
		return err
	}
	lost, err := s.lostLog(ctx)
	if err != nil {
		return err
	}
	if s.log, err = openDatabase(ctx, filepath.Join(s.dir, logFile), logSchema, s.opt); err != nil {
		return err
	}
	if err := s.noteGaps(ctx, lost); err != nil {
		return err
	}
	s.bell.load()
	s.main.w.after = s.bell.fire
	return s.noteCrash(ctx)
}

// Close flushes what was written and releases the files. Later calls return
// store.ErrClosed. It waits for changes under way.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return store.ErrClosed
	}
	s.stop()
	s.upkeep.Wait()
	s.bell.close()
	if s.lock == nil { // a reader
		return s.release()
	}
	return errors.Join(s.noteClean(), s.release())
}

// release closes what open opened, in reverse order.
func (s *Store) release() error {
	var errs []error
	for _, d := range []*database{s.log, s.main} {
		if d != nil {
			errs = append(errs, d.close())
		}
	}
	if s.lock != nil {
		errs = append(errs, store.UnlockFolder(s.lock))
	}
	return errors.Join(errs...)
}

// check is the first thing every method does: the caller's time, then whether
// the store is open, then the app.
func (s *Store) check(ctx context.Context, app string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if app == "" {
		return errors.New("app is empty")
	}
	return nil
}

func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	return nil
}

// Health implements store.Store: it commits to both files.
func (s *Store) Health(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	beat := func(ctx context.Context, w *writer) error {
		_, err := w.exec(ctx, `INSERT INTO meta(k, v) VALUES('health', 1) ON CONFLICT(k) DO UPDATE SET v = v + 1`)
		return err
	}
	if err := s.main.change(ctx, quiet, beat); err != nil {
		return err
	}
	return s.log.change(ctx, quiet, beat)
}

// Apps implements store.Store.
func (s *Store) Apps(ctx context.Context) ([]string, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	a, err := column[string](ctx, s.main, `SELECT name FROM app`)
	if err != nil {
		return nil, err
	}
	b, err := column[string](ctx, s.log, `SELECT name FROM app`)
	if err != nil {
		return nil, err
	}
	return sortedUnion(a, b), nil
}
