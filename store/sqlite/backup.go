package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"heed/store"
)

// Backup writes a copy of the store into dir, which must not hold one already,
// while the store goes on being used. The copy is compact, checked, synced, and
// opens like any store; feedback that was acknowledged before Backup was called is
// in it. It needs room for both files; it reads the whole log, so it takes about a
// second for every few hundred megabytes. On an error nothing of it is left.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, name := range []string{mainFile, logFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("backup: %s holds a store already; choose another folder", dir)
		}
	}
	// The log first: then no feedback is in the copy without the exchange that
	// was there when it was given.
	for _, d := range []*database{s.log, s.main} {
		if err := d.copyTo(ctx, dir); err != nil {
			for _, name := range []string{mainFile, logFile} {
				err = errors.Join(err, removeIf(filepath.Join(dir, name)), removeIf(filepath.Join(dir, name+".part")))
			}
			return fmt.Errorf("backup of %s: %w", filepath.Base(d.path), err)
		}
	}
	return syncFolder(dir)
}

func removeIf(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// copyTo makes a compact copy under another name, checks it, and gives it its
// name last, so that a copy that was broken off is never taken for one.
func (d *database) copyTo(ctx context.Context, dir string) error {
	name := filepath.Base(d.path)
	part := filepath.Join(dir, name+".part")
	if err := removeIf(part); err != nil {
		return err
	}
	from, err := connect(d.path, "deferred", []string{"busy_timeout(5000)"}, 1)
	if err != nil {
		return err
	}
	defer from.Close()
	if _, err := from.ExecContext(ctx, `VACUUM INTO ?`, part); err != nil {
		return d.failIn(ctx, err)
	}
	if err := finishCopy(ctx, part); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Chmod(0o600), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, filepath.Join(dir, name))
}

// finishCopy checks the copy and says in it that nothing was lost.
func finishCopy(ctx context.Context, path string) error {
	to, err := connect(path, "immediate", []string{"journal_mode(DELETE)"}, 1)
	if err != nil {
		return err
	}
	defer to.Close()
	var found string
	if err := to.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", store.ErrCorrupt, found)
	}
	_, err = to.ExecContext(ctx, `UPDATE meta SET v = 1 WHERE k = 'clean'`)
	return err
}

// syncFolder makes the names in a folder survive a power cut.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
