package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"time"
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
