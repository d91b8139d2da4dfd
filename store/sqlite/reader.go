package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"heed/store"
)

// errReader is what a change of a store that OpenReader opened returns, errOlder
// what OpenReader does when the other process has not brought the schema forward.
var (
	errReader = fmt.Errorf("%w: it is open for reading only", store.ErrLocked)
	errOlder  = errors.New("an older version has the store open")
)

// OpenReader opens the store in dir beside the process that has it open: what that
// one commits is seen, nothing can be changed (store.ErrLocked), and Wait sees its
// changes by looking. Use it after Open returned store.ErrLocked; without another
// process nobody would have looked for damage. It returns store.ErrUnknown when a
// newer Heed has the store open.
func OpenReader(ctx context.Context, dir string, opt Options) (*Store, error) {
	s := &Store{dir: dir, opt: opt.withDefaults(), stop: func() {}}
	s.bell.load()
	var err error
	if s.main, err = readDatabase(ctx, filepath.Join(dir, mainFile), mainSchema, s.opt); err != nil {
		return nil, err
	}
	if s.log, err = readDatabase(ctx, filepath.Join(dir, logFile), logSchema, s.opt); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// readDatabase opens a file that another process has open.
func readDatabase(ctx context.Context, path string, sc schema, opt Options) (*database, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	reads, err := connect(path, "deferred", append(commonPragmas(opt), "query_only(1)"), opt.Readers)
	if err != nil {
		return nil, err
	}
	d := &database{path: path, reads: reads, shut: errReader}
	var version int
	if err := d.one(ctx, []any{&version}, `PRAGMA user_version`); err != nil {
		return nil, errors.Join(err, reads.Close())
	}
	if version == len(sc.steps) {
		return d, nil
	}
	whose := store.ErrUnknown
	if version < len(sc.steps) {
		whose = errOlder
	}
	err = fmt.Errorf("%s: %w: its schema is version %d, this Heed's %d; use the Heed that has it open", filepath.Base(path), whose, version, len(sc.steps))
	return nil, errors.Join(err, reads.Close())
}
