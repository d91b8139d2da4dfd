package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"heed/store"
)

// Retention says what the log of exchanges keeps. An exchange that feedback is
// about outlives both limits.
type Retention struct {
	Age   time.Duration // older exchanges expire; 0 keeps them
	Bytes int64         // the oldest expire when exchanges.db uses more, in bytes; 0 is no limit
}

// Tidy applies the retention as of now, merges small chunks, and gives free space
// back, in steps of milliseconds between which others write. The store calls it
// by itself once per Options.Tidy.
func (s *Store) Tidy(ctx context.Context, now time.Time) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	var errs []error
	if s.opt.Retain.Age > 0 {
		errs = append(errs, s.expire(ctx, now.Add(-s.opt.Retain.Age).UnixMilli(), 0))
	}
	if s.opt.Retain.Bytes > 0 {
		errs = append(errs, s.expire(ctx, math.MaxInt64, s.opt.Retain.Bytes))
	}
	errs = append(errs, s.merge(ctx), s.shrink(ctx))
	return errors.Join(errs...)
}

// expire deletes the chunks that ended before a time, oldest first, for as long
// as the file uses more than so many bytes.
func (s *Store) expire(ctx context.Context, before, bytes int64) error {
	for {
		used, _, err := s.usage(ctx)
		if err != nil || used <= bytes {
			return err
		}
		var c held
		err = s.log.one(ctx, []any{&c.n, &c.app, &c.name, &c.count}, `SELECT c.n, c.app, a.name, c.count FROM chunk c JOIN app a ON a.n = c.app
			WHERE c.kept = 0 AND c.last < ? ORDER BY c.last LIMIT 1`, before)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.expireChunk(ctx, c); err != nil {
			return fmt.Errorf("expire chunk %d: %w", c.n, err)
		}
	}
}

// usage is what exchanges.db uses, and what is free in it, in bytes.
func (s *Store) usage(ctx context.Context) (used, free int64, err error) {
	var pages, empty, size int64
	err = s.log.one(ctx, []any{&pages, &empty, &size},
		`SELECT p.page_count, f.freelist_count, s.page_size FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s`)
	return (pages - empty) * size, empty * size, err
}

// held is a chunk that is about to be taken apart.
type held struct {
	n, app int64
	name   string // of the app
	count  int
}

// slots reads the whole chunk. The caller holds s.rewrite, so it stays as it is.
func (s *Store) slots(ctx context.Context, c held) ([]slot, error) {
	var facts, bodies []byte
	err := s.log.one(ctx, []any{&facts, &bodies}, `SELECT f.data, b.data FROM facts f JOIN bodies b USING(chunk) WHERE chunk = ?`, c.n)
	if isNotFound(err) {
		return nil, errDamaged
	}
	if err != nil {
		return nil, err
	}
	return openSlots(facts, bodies, c.count)
}

// expireChunk deletes the chunk's exchanges but for those with feedback, which
// move to a chunk that is kept. No feedback is committed meanwhile, so that none
// finds its exchange gone that was there when it was given.
func (s *Store) expireChunk(ctx context.Context, c held) error {
	s.rewrite.Lock()
	defer s.rewrite.Unlock()
	slots, err := s.slots(ctx, c)
	if errors.Is(err, store.ErrCorrupt) {
		// It could never be deleted otherwise; what is damaged is named and goes.
		s.opt.Log.Error("expired exchanges could not be read", "chunk", c.n, "error", err)
		return s.log.change(ctx, quiet, func(ctx context.Context, w *writer) error { return dropWhole(ctx, w, c) })
	}
	if err != nil {
		return err
	}
	s.protect.Lock()
	defer s.protect.Unlock()
	var keep []slot
	for i := range slots {
		judged, err := s.judged(ctx, slots[i].x)
		if err != nil {
			return err
		}
		if judged {
			keep = append(keep, slots[i])
		}
	}
	return s.replace(ctx, c, keep, 1)
}

// judged reports whether feedback is about the exchange.
func (s *Store) judged(ctx context.Context, x *store.Exchange) (bool, error) {
	var n int
	err := s.main.one(ctx, []any{&n}, `SELECT
		EXISTS(SELECT 1 FROM feedback WHERE app = ?1 AND exchange = ?2) OR
		EXISTS(SELECT 1 FROM feedback WHERE app = ?1 AND linked = ?2) OR
		EXISTS(SELECT 1 FROM feedback WHERE app = ?1 AND response = ?3) OR
		EXISTS(SELECT 1 FROM feedback WHERE app = ?1 AND session = ?4)`, x.App, x.ID, x.ResponseID, x.Session)
	return n != 0, err
}

// replace puts a chunk of the slots in the place of c; of none, it deletes c. The
// exchanges that are left out are deleted.
func (s *Store) replace(ctx context.Context, c held, slots []slot, kept int64) error {
	var next *chunk
	if len(slots) > 0 {
		next = new(packer).pack(share(slots))
	}
	return s.log.change(ctx, quiet, func(ctx context.Context, w *writer) error {
		if err := dropWhole(ctx, w, c); err != nil || next == nil {
			return err
		}
		n, err := writeChunk(ctx, w, c.app, next, kept)
		if err != nil {
			return err
		}
		_, err = addKeys(ctx, w, c.app, n, next.ids)
		return err
	})
}

// dropWhole deletes a chunk with its keys.
func dropWhole(ctx context.Context, w *writer, c held) error {
	var facts []byte
	if err := w.one(ctx, []any{&facts}, `SELECT data FROM facts WHERE chunk = ?`, c.n); err != nil && !isNotFound(err) {
		return err
	}
	slots, err := openFacts(facts, c.count)
	if err != nil { // damaged: its keys are found the slow way
		if _, err := w.exec(ctx, `DELETE FROM exchange WHERE app = ? AND chunk = ?`, c.app, c.n); err != nil {
			return err
		}
	}
	for _, s := range slots {
		if _, err := w.exec(ctx, `DELETE FROM exchange WHERE app = ? AND id = ? AND chunk = ?`, c.app, exchangeKey(s.x.ID), c.n); err != nil {
			return err
		}
	}
	return dropChunk(ctx, w, c.n)
}

// Merging: an app with little traffic leaves chunks of one exchange or a few,
// which compress badly and slow lists down.
const (
	mergeLeast = 16            // chunks that are worth merging
	mergeSpan  = 6 * time.Hour // that a merged chunk covers at most, so that retention by age stays close
)

// merge joins small neighbouring chunks of each app.
func (s *Store) merge(ctx context.Context) error {
	apps, err := column[int64](ctx, s.log, `SELECT DISTINCT app FROM chunk INDEXED BY chunk_small WHERE kept = 0 AND count <= 16`)
	if err != nil {
		return err
	}
	for _, app := range apps {
		for more := true; more; {
			if more, err = s.mergeApp(ctx, app); err != nil {
				return err
			}
		}
	}
	return nil
}

// mergeApp merges the app's oldest run of small chunks, and reports whether there
// was one.
func (s *Store) mergeApp(ctx context.Context, app int64) (bool, error) {
	s.rewrite.Lock()
	defer s.rewrite.Unlock()
	cs, total, err := s.smallRun(ctx, app)
	if err != nil || len(cs) < mergeLeast && total < chunkSlots/2 || len(cs) < 2 {
		return false, err
	}
	var all []slot
	for _, c := range cs {
		slots, err := s.slots(ctx, c)
		if err != nil {
			return false, fmt.Errorf("merge chunk %d: %w", c.n, err)
		}
		all = append(all, slots...)
	}
	next := new(packer).pack(share(all))
	err = s.log.change(ctx, quiet, func(ctx context.Context, w *writer) error {
		for _, c := range cs {
			if err := dropWhole(ctx, w, c); err != nil {
				return err
			}
		}
		n, err := writeChunk(ctx, w, app, next, 0)
		if err != nil {
			return err
		}
		_, err = addKeys(ctx, w, app, n, next.ids)
		return err
	})
	return err == nil, err
}

// smallRun finds the app's oldest small chunks that fit into one. A chunk that
// begins a run too sparse to merge is passed over.
func (s *Store) smallRun(ctx context.Context, app int64) (run []held, total int, err error) {
	var first int64
	var size int
	full := false
	err = s.log.query(ctx, func(scan func(...any) error) error {
		var last int64
		var bytes int
		c := held{app: app}
		if err := scan(&c.n, &c.count, &last, &bytes); err != nil || full {
			return err
		}
		if len(run) > 0 && last-first > mergeSpan.Milliseconds() {
			if full = len(run) >= mergeLeast || total >= chunkSlots/2; full {
				return nil
			}
			run, total, size = nil, 0, 0
		}
		if len(run) == 0 {
			first = last
		}
		if full = total+c.count > chunkSlots || size+bytes > chunkBytes; full {
			return nil
		}
		run, total, size = append(run, c), total+c.count, size+bytes
		return nil
	}, `SELECT n, count, last, bytes FROM chunk INDEXED BY chunk_small WHERE app = ? AND kept = 0 AND count <= 16 ORDER BY last LIMIT 1000`, app)
	return run, total, err
}

// Shrinking: free pages are used again, so only a large share of them is worth
// giving back, and only so much at a time as takes milliseconds.
const (
	shrinkShare = 4        // when a quarter of the file is free
	shrinkLeast = 64 << 20 // bytes of free space that are left alone
	shrinkStep  = "64"     // pages of one step
	shrinkSteps = 256      // of one Tidy
)

// shrink gives free space back to the disk when there is much of it.
func (s *Store) shrink(ctx context.Context) error {
	used, _, err := s.usage(ctx)
	if err != nil {
		return err
	}
	return s.giveBack(ctx, max(shrinkLeast, used/shrinkShare), shrinkSteps)
}

// giveBack shortens the file until no more than so many bytes of it are free, in
// at most so many steps; 0 is no limit.
func (s *Store) giveBack(ctx context.Context, leave int64, steps int) error {
	before := int64(math.MaxInt64)
	for n := 0; steps == 0 || n < steps; n++ {
		_, free, err := s.usage(ctx)
		if err != nil || free <= leave || free >= before { // a page that is in use at the end may stop it
			return err
		}
		before = free
		err = s.log.change(ctx, quiet, func(ctx context.Context, w *writer) error {
			return drain(ctx, w, `PRAGMA incremental_vacuum(`+shrinkStep+`)`)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// drain runs a statement that does its work while its rows are read.
func drain(ctx context.Context, w *writer, q string) error {
	return w.each(ctx, func(func(...any) error) error { return nil }, q)
}
