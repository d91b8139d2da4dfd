package store

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Recorder takes exchanges for the log without ever making the caller wait.
type Recorder interface {
	// Record takes ownership of x. It returns false, and counts the loss, when the
	// queue has no room for it.
	Record(x *Exchange) bool
}

// QueueOptions bound a Queue. Zero fields take the defaults.
type QueueOptions struct {
	MaxBytes int64                   // bodies and overhead waiting to be written; default 64 MiB
	MaxBatch int                     // exchanges of one write; default 256
	MaxWait  time.Duration           // how long an exchange waits for company; default 100ms
	Write    time.Duration           // time limit of one write; default 30s
	Prepare  func(batch []*Exchange) // completes rows off the request path, before they are written; may be nil
	Log      *slog.Logger
}

// Queue is the Recorder in front of an ExchangeStore: bounded in bytes, written
// in batches by one goroutine. What does not fit is dropped, counted, and noted
// in the store as a gap of its app when the store answers again.
type Queue struct {
	opt   QueueOptions
	store ExchangeStore

	bytes   atomic.Int64
	dropped atomic.Int64
	written atomic.Int64

	wake   chan struct{}
	closed chan struct{} // ends run
	done   chan struct{} // run has ended

	mu      sync.Mutex // guards the fields below
	waiting []*Exchange
	gaps    map[string]int64 // by app, not yet noted in the store
	ended   bool
}

// NewQueue starts a queue that writes to s until Close.
func NewQueue(s ExchangeStore, opt QueueOptions) *Queue {
	setDefault(&opt.MaxBytes, 64<<20)
	setDefault(&opt.MaxBatch, 256)
	setDefault(&opt.MaxWait, 100*time.Millisecond)
	setDefault(&opt.Write, 30*time.Second)
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	q := &Queue{opt: opt, store: s, wake: make(chan struct{}, 1), closed: make(chan struct{}), done: make(chan struct{}), gaps: map[string]int64{}}
	go q.run()
	return q
}

func setDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// exchangeOverhead stands for the fields of a row besides bodies and texts, in
// bytes.
const exchangeOverhead = 1 << 10

func (x *Exchange) size() int64 {
	return int64(len(x.Request)+len(x.Response)+len(x.Query)+len(x.Answer)) + exchangeOverhead
}

// Record implements Recorder. After Close every exchange is dropped.
func (q *Queue) Record(x *Exchange) bool {
	n := x.size()
	q.mu.Lock()
	if q.ended || q.bytes.Load()+n > q.opt.MaxBytes {
		q.gaps[x.App]++
		q.mu.Unlock()
		q.dropped.Add(1)
		return false
	}
	q.bytes.Add(n)
	q.waiting = append(q.waiting, x)
	full := len(q.waiting) >= q.opt.MaxBatch
	first := len(q.waiting) == 1
	q.mu.Unlock()
	if full || first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// Bytes is how much waits now; Dropped and Written count since the start.
func (q *Queue) Bytes() int64   { return q.bytes.Load() }
func (q *Queue) Dropped() int64 { return q.dropped.Load() }
func (q *Queue) Written() int64 { return q.written.Load() }

// Close writes what waits, within ctx, and stops.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.ended {
		q.ended = true
		close(q.closed)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run writes batches until the queue is closed and empty.
func (q *Queue) run() {
	defer close(q.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		closing := false
		select {
		case <-q.wake:
			timer.Reset(q.opt.MaxWait)
			q.gather(timer)
		case <-q.closed:
			closing = true
		}
		for q.writeBatch() {
		}
		if closing {
			return
		}
	}
}

// gather waits until a batch is full, its time is over, or the queue closes.
func (q *Queue) gather(timer *time.Timer) {
	for {
		q.mu.Lock()
		full := len(q.waiting) >= q.opt.MaxBatch
		q.mu.Unlock()
		if full {
			return
		}
		select {
		case <-q.wake:
		case <-timer.C:
			return
		case <-q.closed:
			return
		}
	}
}

// writeBatch writes one batch and reports whether more waits. A batch that the
// store refuses is lost to the log, counted as a gap: waiting for a sick store
// would only fill the queue and lose newer exchanges instead.
func (q *Queue) writeBatch() bool {
	q.mu.Lock()
	n := min(len(q.waiting), q.opt.MaxBatch)
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	more := len(q.waiting) > 0
	if !more {
		q.waiting = nil
	}
	q.mu.Unlock()
	if n > 0 {
		q.write(batch)
	}
	q.noteGaps()
	return more
}

func (q *Queue) write(batch []*Exchange) {
	ctx, cancel := context.WithTimeout(context.Background(), q.opt.Write)
	defer cancel()
	var size int64
	for _, x := range batch { // before Prepare, which may change lengths
		size += x.size()
	}
	if q.opt.Prepare != nil {
		q.opt.Prepare(batch)
	}
	err := q.store.WriteExchanges(ctx, batch)
	lost := 0
	q.mu.Lock()
	for _, x := range batch {
		if isLost(x, err) {
			q.gaps[x.App]++
			lost++
		}
	}
	q.mu.Unlock()
	if err != nil {
		q.opt.Log.Error("exchanges not logged", "count", lost, "error", err)
	}
	q.bytes.Add(-size)
	q.dropped.Add(int64(lost))
	q.written.Add(int64(len(batch) - lost))
}

// isLost reports whether an exchange of a batch was not written, as the store's
// answer to the batch says.
func isLost(x *Exchange, err error) bool {
	var skipped *SkippedError
	if errors.As(err, &skipped) {
		return slices.Contains(skipped.IDs, x.ID)
	}
	return err != nil
}

// noteGaps tells the store what was dropped; what it does not take stays for the
// next time.
func (q *Queue) noteGaps() {
	q.mu.Lock()
	gaps := q.gaps
	if len(gaps) == 0 {
		q.mu.Unlock()
		return
	}
	q.gaps = map[string]int64{}
	q.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), q.opt.Write)
	defer cancel()
	for app, n := range gaps {
		if err := q.store.NoteGap(ctx, app, n); err != nil {
			q.mu.Lock()
			q.gaps[app] += n
			q.mu.Unlock()
		}
	}
}
