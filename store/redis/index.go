package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"heed/store"
)

// How the index follows the streams.
const (
	indexBatch   = 32              // chunks of one read
	indexRecords = 200             // feedback records of one read
	indexSave    = 2 * time.Second // how often its position is written
)

// indexer copies exchanges and comments into the index. Its position is written
// one turn late: what the index had not synced when the power went is read again,
// and is there once, because an exchange's id is.
type indexer struct {
	s    *Store
	path string
	wake chan struct{}

	turn  chan struct{} // holds one value while nobody reads; guards the position
	place map[string]position
	next  []byte // the position as it is written next
	saved string // as it is in the file
}

// position is how far an app was read.
type position struct {
	Chunk    string `json:"chunk"`    // id in the stream
	Last     uint64 `json:"last"`     // number of the last exchange
	Feedback int64  `json:"feedback"` // number of the last record
	Erased   uint64 `json:"erased"`   // number of the last erasure
}

func newIndexer(s *Store, path string) (*indexer, error) {
	x := &indexer{s: s, path: path, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), place: map[string]position{}}
	x.turn <- struct{}{}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return x, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the index's position: %w", err)
	}
	if err := json.Unmarshal(b, &x.place); err != nil {
		s.opt.Log.Error("the index's position is damaged; the streams are read from their start", "file", path, "error", err)
		x.place = map[string]position{}
	}
	return x, nil
}

func (x *indexer) kick() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// run follows the streams until ctx ends.
func (x *indexer) run(ctx context.Context) {
	save := time.NewTicker(indexSave)
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			x.save(false)
			return
		case <-x.wake:
			x.read(ctx)
		case <-save.C:
			x.read(ctx)
			x.save(true)
		}
	}
}

// save writes the position as it was a turn ago, or as it is.
func (x *indexer) save(late bool) {
	<-x.turn
	defer func() { x.turn <- struct{}{} }()
	now, err := json.Marshal(x.place)
	if err != nil {
		return // a map of plain values always encodes
	}
	due := now
	if late {
		due, x.next = x.next, now
	}
	if len(due) == 0 || string(due) == x.saved || string(due) == "{}" {
		return
	}
	if err := writeSynced(x.path, due); err != nil {
		x.s.opt.Log.Warn("the index's position is not saved; more is read again after a restart", "error", err)
		return
	}
	x.saved = string(due)
}

// catchUp reads what the streams hold now, so that a list shows what was written
// before it was asked for. During an outage, or when there is more than it can read
// within Options.Timeout, the index answers with what it has.
func (x *indexer) catchUp(ctx context.Context) {
	c, cancel := context.WithTimeout(ctx, x.s.opt.Timeout)
	defer cancel()
	x.read(c)
}

// read copies everything new.
func (x *indexer) read(ctx context.Context) {
	select {
	case <-x.turn:
		defer func() { x.turn <- struct{}{} }()
	case <-ctx.Done():
		return
	}
	states, err := x.s.appStates(ctx)
	if err != nil {
		return
	}
	for app, st := range states {
		if err := x.readApp(ctx, app, st); err != nil && ctx.Err() == nil {
			x.s.opt.Log.Warn("index does not follow", "app", app, "error", err)
		}
	}
}

func (x *indexer) readApp(ctx context.Context, app string, st appState) error {
	p := x.place[app]
	if st.logged < p.Last { // the server lost data and counts from below
		p.Chunk, p.Last = "", 0
	}
	if st.said < uint64(p.Feedback) {
		p.Feedback = 0
	}
	if err := x.follow(ctx, app, st.erased, &p); err != nil { // before what may be of the same people, said afterwards
		return err
	}
	for st.logged > p.Last {
		ms, err := x.s.readStream(ctx, app, cmp.Or(p.Chunk, "0-0"), indexBatch)
		if err != nil {
			return err
		}
		if len(ms) == 0 {
			break
		}
		for _, m := range ms {
			if err := x.chunk(ctx, app, m, &p); err != nil {
				return err
			}
			x.place[app] = p
		}
	}
	for st.said > uint64(p.Feedback) {
		fs, last, err := x.s.feedbackAfter(ctx, app, p.Feedback, indexRecords)
		if err != nil {
			return err
		}
		if last == p.Feedback {
			return nil
		}
		if err := x.comments(ctx, fs); err != nil {
			return err
		}
		p.Feedback = last
		x.place[app] = p
	}
	return nil
}

// follow erases the people from the index that were erased from the server since
// p was read.
func (x *indexer) follow(ctx context.Context, app string, number uint64, p *position) error {
	if number == p.Erased {
		return nil
	}
	if err := x.s.learnErased(ctx, app); err != nil {
		return err
	}
	known := x.s.erased.of(app)
	for user, u := range known.users {
		if !u.done || u.number <= p.Erased && p.Erased <= known.number {
			continue
		}
		// An index may have exchanges that the one where the person was erased never
		// had: feedback on these is blanked now.
		ids, err := x.s.indexed(ctx, app, user)
		if err != nil {
			return err
		}
		e := &store.Erasure{Gone: map[string]bool{}}
		for _, id := range ids {
			e.Gone[id] = true
		}
		if err := x.s.eraseSaid(ctx, app, e); err != nil {
			return err
		}
		if _, err := x.s.opt.Index.EraseUser(ctx, app, user, nil); err != nil {
			return err
		}
	}
	p.Erased = known.number
	x.place[app] = *p
	return nil
}

// eraseNow follows what was erased of an app.
func (x *indexer) eraseNow(ctx context.Context, app string) error {
	select {
	case <-x.turn:
		defer func() { x.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	p := x.place[app]
	return x.follow(ctx, app, x.s.erased.of(app).number, &p)
}

// chunk copies one chunk; exchanges that left the stream unread are a gap.
func (x *indexer) chunk(ctx context.Context, app string, c streamChunk, p *position) error {
	lost := int64(c.first) - int64(p.Last) - 1
	if c.data == "" {
		lost += int64(c.n)
	}
	if lost > 0 {
		if err := x.s.opt.Index.NoteGap(ctx, app, lost); err != nil {
			return err
		}
		x.s.metrics.unindexed.Add(float64(lost))
		x.s.opt.Log.Error("exchanges left the stream before they were indexed", "app", app, "count", lost)
		p.Last = c.first - 1
		x.place[app] = *p
	}
	xs, err := x.s.unpack(c.data)
	if err != nil {
		x.s.opt.Log.Error("a chunk of exchanges is damaged; it is left out", "app", app, "chunk", c.sid, "error", err)
		if err := x.s.opt.Index.NoteGap(ctx, app, int64(c.n)); err != nil {
			return err
		}
	} else if err := x.s.opt.Index.WriteExchanges(ctx, xs); err != nil {
		var skipped *store.SkippedError
		if !errors.As(err, &skipped) {
			return err
		}
		if err := x.s.opt.Index.NoteGap(ctx, app, int64(len(skipped.IDs))); err != nil {
			return err
		}
	}
	p.Chunk, p.Last = c.sid, c.first+c.n-1
	return nil
}

// comments mirrors records, together, so that they share the index's fsyncs.
func (x *indexer) comments(ctx context.Context, fs []*store.Feedback) error {
	errs := make([]error, len(fs))
	var wg sync.WaitGroup
	for i, f := range fs {
		wg.Go(func() { errs[i] = x.comment(ctx, f) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// comment mirrors a feedback record; one that is there already is fine.
func (x *indexer) comment(ctx context.Context, f *store.Feedback) error {
	own := *f
	own.Key, own.Digest = "", "" // the server has decided about them
	_, _, err := x.s.opt.Index.AddFeedback(ctx, &own)
	if errors.Is(err, store.ErrReused) {
		return nil
	}
	return err
}
