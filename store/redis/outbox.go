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

// line is a journal's record. With Refused it says that the server refused the
// record of that token before it was acknowledged. It is written without hurry.
type line struct {
	Token    string          `json:"tok"`
	Refused  bool            `json:"refused,omitempty"`
	App      string          `json:"app,omitempty"`
	Feedback json.RawMessage `json:"feedback,omitempty"`
	Retract  string          `json:"retract,omitempty"` // id
	Erased   uint64          `json:"er,omitempty"`      // erasures of the app that were known when it was said
}

func newItem(l line, f *store.Feedback) (*item, error) {
	rec, err := json.Marshal(&l)
	if err != nil {
		return nil, fmt.Errorf("feedback: %w", err)
	}
	return &item{line: l, f: f, rec: rec, synced: make(chan struct{}), parked: make(chan struct{}), settled: make(chan struct{})}, nil
}

// What was delivered stays in the journal for a while, and is delivered again
// when the server was away or this process was: a server without an append-only
// file, or one that took over before it had seen everything, may have lost it.
// What it still has changes nothing.
const (
	keepDelivered      = 10 * time.Minute
	keepDeliveredBytes = 16 << 20
)

// delivered is an item that the server has, or had.
type delivered struct {
	it *item
	at time.Time
}

// outbox is what is not delivered yet, in order. Delivery is one goroutine, so
// the order of one process stays.
type outbox struct {
	wake chan struct{} // there is something to deliver, or reason to try again

	mu     sync.Mutex
	order  []*item
	kept   []delivered         // oldest first
	keptN  int64               // bytes of kept
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
	refused := map[string]bool{}
	for _, rec := range records {
		var l line
		if err := json.Unmarshal(rec, &l); err != nil {
			return fmt.Errorf("journal: %w: a record with a good checksum is no JSON: %v", store.ErrUnknown, err)
		}
		if l.Refused {
			refused[l.Token] = true
		} else {
			lines = append(lines, l)
		}
	}
	for _, l := range lines {
		if refused[l.Token] {
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
	o.byID[[2]string{it.line.App, it.f.ID}] = it // an earlier delivery of the same record gives way
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
	if k := [2]string{it.line.App, it.f.ID}; o.byID[k] == it {
		delete(o.byID, k)
	}
	if k := [2]string{it.line.App, it.f.Key}; o.byKey[k] == it {
		delete(o.byKey, k)
	}
}

// records is what the journal must keep, oldest first.
func (o *outbox) records() ([][]byte, int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.prune(time.Now())
	recs := make([][]byte, 0, len(o.all)+len(o.kept))
	for _, d := range o.kept {
		recs = append(recs, d.it.rec)
	}
	for _, it := range o.order {
		recs = append(recs, it.rec)
	}
	for it := range o.all { // written to the journal, not queued yet
		if !it.queued {
			recs = append(recs, it.rec)
		}
	}
	return recs, o.bytes + o.keptN
}

// keep holds a delivered item for a while. The caller holds mu.
func (o *outbox) keep(it *item, now time.Time) {
	o.kept = append(o.kept, delivered{it, now})
	o.keptN += int64(len(it.rec) + recordHead)
	o.prune(now)
}

// prune forgets what was delivered long ago. The caller holds mu.
func (o *outbox) prune(now time.Time) {
	n := 0
	for n < len(o.kept) && (o.keptN > keepDeliveredBytes || now.Sub(o.kept[n].at) > keepDelivered) {
		o.keptN -= int64(len(o.kept[n].it.rec) + recordHead)
		n++
	}
	clear(o.kept[:n])
	o.kept = o.kept[n:]
}

// forget drops what was delivered of the people that known erases. It reports
// whether there was any.
func (o *outbox) forget(app string, known erasures) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	rest := o.kept[:0]
	for _, d := range o.kept {
		if d.it.f != nil && d.it.line.App == app && known.said(d.it.f, d.it.line.Erased) {
			o.keptN -= int64(len(d.it.rec) + recordHead)
			continue
		}
		rest = append(rest, d)
	}
	any := len(rest) < len(o.kept)
	clear(o.kept[len(rest):])
	o.kept = rest
	return any
}

// again queues what was delivered lately, in front of everything else.
func (o *outbox) again() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var front []*item
	for _, d := range o.kept {
		it, err := newItem(d.it.line, d.it.f)
		if err != nil {
			return err
		}
		close(it.synced)
		it.acked, it.queued = true, true
		o.reserve(it)
		front = append(front, it)
	}
	o.kept, o.keptN = nil, 0
	o.order = append(front, o.order...)
	if len(front) > 0 {
		o.kick()
	}
	return nil
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

// up notes that the server answers again, so that new items wait for its verdict.
func (o *outbox) up() {
	o.mu.Lock()
	o.down = false
	o.mu.Unlock()
	o.kick()
}

// settle notes the server's verdict on the first items of the queue and returns
// those that are through. A refusal of what was acknowledged meanwhile is no
// verdict: it stays and is sent again as acknowledged.
func (o *outbox) settle(batch []*item, verdicts [][]string, asAcked []bool) []*item {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = false
	now := time.Now()
	through := map[*item]bool{}
	var out []*item
	for i, it := range batch {
		if verdicts[i] == nil || it.acked && !asAcked[i] && verdicts[i][0] != "new" && verdicts[i][0] != "erased" {
			continue
		}
		it.verdict = verdicts[i]
		close(it.settled)
		o.drop(it)
		if it.verdict[0] != "erased" && (it.acked || it.verdict[0] == "new" || it.verdict[0] == "same") {
			o.keep(it, now)
		}
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
