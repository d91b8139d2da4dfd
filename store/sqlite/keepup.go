package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"heed/store"
)

// keepUp syncs the log once per Options.Sync and tidies it once per
// Options.Tidy; it ends with ctx.
func (s *Store) keepUp(ctx context.Context) {
	defer s.upkeep.Done()
	sync, tidy := time.NewTicker(s.opt.Sync), time.NewTicker(s.opt.Tidy)
	defer sync.Stop()
	defer tidy.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sync.C:
			if s.dirty.Swap(false) {
				if err := s.syncLog(); err != nil {
					s.opt.Log.Warn("log of exchanges not synced", "error", err)
				}
			}
		case <-tidy.C:
			if err := s.Tidy(ctx, time.Now()); err != nil && ctx.Err() == nil {
				s.opt.Log.Warn("log of exchanges not tidied", "error", err)
			}
		}
	}
}

// syncLog makes the batches in the write-ahead log survive a power cut, which
// synchronous=NORMAL leaves to the next checkpoint. SQLite keeps its locks on
// other files, so opening and closing this one loses none.
func (s *Store) syncLog() error {
	f, err := os.OpenFile(filepath.Join(s.dir, logFile+"-wal"), os.O_RDWR, 0)
	if err != nil {
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}
	defer f.Close()
	return f.Sync()
}

// noteCrash counts a gap for every app that wrote exchanges in a run that did not
// end with Close: what waited in memory, or in a write-ahead log that was not
// synced yet, is gone. How much is not known, so 1 stands for at least one.
func (s *Store) noteCrash(ctx context.Context) error {
	return s.log.change(ctx, quiet, func(ctx context.Context, w *writer) error {
		var clean int64
		err := w.one(ctx, []any{&clean}, `SELECT v FROM meta WHERE k = 'clean'`)
		if err != nil && !isNotFound(err) {
			return err
		}
		if err == nil && clean == 0 {
			if _, err := w.exec(ctx, `UPDATE app SET gap = gap + 1 WHERE run = 1`); err != nil {
				return err
			}
		}
		if _, err := w.exec(ctx, `UPDATE app SET run = 0 WHERE run = 1`); err != nil {
			return err
		}
		return setClean(ctx, w, 0)
	})
}

// lostLog returns the apps whose exchanges are gone because exchanges.db is not
// there any more; it may have been moved away for being damaged. One that is there
// and empty is damaged: nothing of Heed's empties it.
func (s *Store) lostLog(ctx context.Context) ([]string, error) {
	path := filepath.Join(s.dir, logFile)
	st, err := os.Stat(path)
	if err == nil && st.Size() > 0 {
		return nil, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open store: %w", err)
	}
	apps, aerr := column[string](ctx, s.main, `SELECT name FROM app`)
	if aerr != nil || len(apps) == 0 { // none yet: both files are being made
		return nil, aerr
	}
	if err == nil {
		return nil, fmt.Errorf("%s: %w: it is empty; restore it from a backup or move it away", path, store.ErrCorrupt)
	}
	s.opt.Log.Warn("the log of exchanges is gone; a new one is begun, with a gap for each app", "file", path, "apps", len(apps))
	return apps, nil
}

// noteGaps counts a gap of 1, for at least one, for each of the apps.
func (s *Store) noteGaps(ctx context.Context, apps []string) error {
	for _, app := range apps {
		if err := s.NoteGap(ctx, app, 1); err != nil {
			return err
		}
	}
	return nil
}

// noteClean says that nothing was lost.
func (s *Store) noteClean() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return s.log.change(ctx, quiet, func(ctx context.Context, w *writer) error { return setClean(ctx, w, 1) })
}

func setClean(ctx context.Context, w *writer, v int) error {
	_, err := w.exec(ctx, `INSERT INTO meta(k, v) VALUES('clean', ?1) ON CONFLICT(k) DO UPDATE SET v = ?1`, v)
	return err
}
