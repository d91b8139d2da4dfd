package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"heed/store"
)

// item is feedback (or a retraction) that is, or is about to be, in the journal
// and not yet on the server.
type item struct {
	line line
	f    *store.Feedback // nil for a retraction
	rec  []byte          // the journal's record

	synced  chan struct{} // closed when the journal has it, or when syncErr is set
	syncErr error
	parked  chan struct{} // closed when the server does not answer: nobody waits for it
	settled chan struct{} // closed when verdict is set
	queued  bool          // the fields from here are guarded by the outbox
	isPark  bool
	acked   bool // somebody was told that it is kept
	verdict []string
}

// line is a journal's record. With Done it says that the record of that token was
// delivered or refused; it is written without hurry: what is delivered again
// changes nothing.
type line struct {
	Token    string          `json:"tok"`
	Done     bool            `json:"done,omitempty"`
	App      string          `json:"app,omitempty"`
	Feedback json.RawMessage `json:"feedback,omitempty"`
	Retract  string          `json:"retract,omitempty"` // id
}

func newItem(l line, f *store.Feedback) (*item, error) {
	rec, err := json.Marshal(&l)
	if err != nil {
		return nil, fmt.Errorf("feedback: %w", err)
	}
	return &item{line: l, f: f, rec: rec, synced: make(chan struct{}), parked: make(chan struct{}), settled: make(chan struct{})}, nil
}

// outbox is what is not delivered yet, in order. Delivery is one goroutine, so
// the order of one process stays.
type outbox struct {
	wake chan struct{} // there is something to deliver, or reason to try again

	mu     sync.Mutex
	order  []*item
	byID   map[[2]string]*item // app, id; feedback only
	byKey  map[[2]string]*item // app, idempotency key
	all    map[*item]bool      // also those that are not in the journal yet
	bytes  int64
	down   bool // the last delivery failed
	closed bool
}

func newOutbox() *outbox {
	return &outbox{wake: make(chan struct{}, 1), byID: map[[2]string]*item{}, byKey: map[[2]string]*item{}, all: map[*item]bool{}}
}

// restore queues what the journal held. What was in it may have been
// acknowledged.
func (o *outbox) restore(records [][]byte) error {
	var lines []line
	done := map[string]bool{}
	for _, rec := range records {
		var l line
		if err := json.Unmarshal(rec, &l); err != nil {
			return fmt.Errorf("journal: %w: a record with a good checksum is no JSON: %v", store.ErrUnknown, err)
		}
		if l.Done {
			done[l.Token] = true
		} else {
			lines = append(lines, l)
		}
	}
	for _, l := range lines {
		if done[l.Token] {
			continue
		}
		var f *store.Feedback
		if l.Feedback != nil {
			f = new(store.Feedback)
			if err := json.Unmarshal(l.Feedback, f); err != nil {
				return fmt.Errorf("journal: %w: feedback: %v", store.ErrUnknown, err)
			}
		}
		it, err := newItem(l, f)
		if err != nil {
			return err
		}
		it.acked = true
		close(it.synced)
		o.mu.Lock()
		o.reserve(it)
		o.queue(it)
		o.mu.Unlock()
	}
	return nil
}

// reserve makes the item known before it is on disk. The caller holds mu.
func (o *outbox) reserve(it *item) {
	o.all[it] = true
	o.bytes += int64(len(it.rec) + recordHead)
	if it.f == nil {
		return
	}
	o.byID[[2]string{it.line.App, it.f.ID}] = it
	if it.f.Key != "" {
		if _, taken := o.byKey[[2]string{it.line.App, it.f.Key}]; !taken {
			o.byKey[[2]string{it.line.App, it.f.Key}] = it
		}
	}
}

// queue hands the item to delivery. The caller holds mu.
func (o *outbox) queue(it *item) {
	it.queued = true
	o.order = append(o.order, it)
	if o.down {
		o.park(it)
	}
	o.kick()
}

func (o *outbox) park(it *item) {
	if !it.isPark {
		it.isPark = true
		close(it.parked)
	}
}

func (o *outbox) kick() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// drop forgets the item. The caller holds mu.
func (o *outbox) drop(it *item) {
	if !o.all[it] {
		return
	}
	delete(o.all, it)
	o.bytes -= int64(len(it.rec) + recordHead)
	if it.f == nil {
		return
	}
	delete(o.byID, [2]string{it.line.App, it.f.ID})
	if k := [2]string{it.line.App, it.f.Key}; o.byKey[k] == it {
		delete(o.byKey, k)
	}
}

// records is what the journal must keep, oldest first.
func (o *outbox) records() ([][]byte, int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	recs := make([][]byte, 0, len(o.all))
	for _, it := range o.order {
		recs = append(recs, it.rec)
	}
	for it := range o.all { // written to the journal, not queued yet
		if !it.queued {
			recs = append(recs, it.rec)
		}
	}
	return recs, o.bytes
}

// failed notes that the server did not take what waits: nobody waits for it any
// more.
func (o *outbox) failed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = true
	for _, it := range o.order {
		o.park(it)
	}
}

// settle notes the server's verdict on the first items of the queue and returns
// those that are through. A refusal of what was acknowledged meanwhile is no
// verdict: it stays and is sent again as acknowledged.
func (o *outbox) settle(batch []*item, verdicts [][]string, asAcked []bool) []*item {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = false
	through := map[*item]bool{}
	var out []*item
	for i, it := range batch {
		if verdicts[i] == nil || it.acked && !asAcked[i] && verdicts[i][0] != "new" {
			continue
		}
		it.verdict = verdicts[i]
		close(it.settled)
		o.drop(it)
		through[it] = true
		out = append(out, it)
	}
	rest := o.order[:0]
	for _, it := range o.order {
		if !through[it] {
			rest = append(rest, it)
		}
	}
	clear(o.order[len(rest):])
	o.order = rest
	return out
}

// await waits for the verdict on an item that is on disk. nil means that it was
// acknowledged without one, because the server does not answer, limit is over, or
// the caller left.
func (o *outbox) await(ctx context.Context, it *item, limit time.Duration) []string {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-it.settled:
	case <-it.parked:
	case <-timer.C:
	case <-ctx.Done():
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if it.verdict == nil {
		it.acked = true
	}
	return it.verdict
}

// close lets nobody wait any more.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for it := range o.all {
		o.park(it)
	}
}

// oldest is the time of the oldest undelivered feedback, zero when there is none.
func (o *outbox) oldest() (t time.Time, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, it := range o.order {
		if it.f != nil {
			t = it.f.Time
			break
		}
	}
	return t, len(o.order)
}
