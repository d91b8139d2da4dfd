package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
	"heed/store/sqlite"
)

// openStore opens an empty store that is closed with the test.
func openStore(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func testExchange(app string) *store.Exchange {
	now := time.Now()
	return &store.Exchange{ID: store.NewID(), App: app, Time: now, Facts: rules.Facts{App: app, Unit: "u", Now: now}, Request: []byte("{}"), Outcome: store.OK}
}

// sick is a store whose writes wait for a turn and fail as long as they are told
// to.
type sick struct {
	store.ExchangeStore
	turn chan struct{} // a write waits for one, if not nil
	fail atomic.Bool
	mu   sync.Mutex
	size []int // of each batch that was written
}

func (s *sick) WriteExchanges(ctx context.Context, xs []*store.Exchange) error {
	if s.turn != nil {
		select {
		case <-s.turn:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.fail.Load() {
		return errors.New("the disk is on fire")
	}
	s.mu.Lock()
	s.size = append(s.size, len(xs))
	s.mu.Unlock()
	return s.ExchangeStore.WriteExchanges(ctx, xs)
}

func (s *sick) NoteGap(ctx context.Context, app string, n int64) error {
	if s.fail.Load() {
		return errors.New("the disk is on fire")
	}
	return s.ExchangeStore.NoteGap(ctx, app, n)
}

// expect compares what the store has of the app with what is right.
func expect(t *testing.T, s store.Store, app string, exchanges int, gap int64) {
	t.Helper()
	xs, _, err := s.Exchanges(t.Context(), store.ExchangeFilter{App: app, Limit: store.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Gaps(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	if len(xs) != exchanges || n != gap {
		t.Errorf("app %s has %d exchanges and a gap of %d, want %d and %d", app, len(xs), n, exchanges, gap)
	}
}

var silent = slog.New(slog.DiscardHandler)

func TestQueue_Record(t *testing.T) {
	s := openStore(t)
	prepared := 0
	q := store.NewQueue(s, store.QueueOptions{MaxBatch: 50, Prepare: func(batch []*store.Exchange) {
		for _, x := range batch {
			prepared++
			x.Request = append(x.Request, make([]byte, 5000)...) // what Prepare adds is not taken off the count
		}
	}})
	for range 320 {
		if !q.Record(testExchange("shop")) {
			t.Fatal("an exchange was dropped")
		}
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if q.Written() != 320 || q.Dropped() != 0 || q.Bytes() != 0 || prepared != 320 {
		t.Errorf("written %d, dropped %d, bytes %d, prepared %d", q.Written(), q.Dropped(), q.Bytes(), prepared)
	}
	expect(t, s, "shop", 320, 0)
	if q.Record(testExchange("shop")) {
		t.Error("a closed queue took an exchange")
	}
	if err := q.Close(t.Context()); err != nil {
		t.Errorf("close again: %v", err)
	}
}

// TestQueue_Record_Wait shows that a lone exchange is written without company.
func TestQueue_Record_Wait(t *testing.T) {
	s := &sick{ExchangeStore: openStore(t), turn: make(chan struct{})}
	q := store.NewQueue(s, store.QueueOptions{MaxWait: time.Millisecond})
	q.Record(testExchange("shop"))
	select {
	case s.turn <- struct{}{}:
	case <-time.After(10 * time.Second):
		t.Fatal("the exchange still waits")
	}
	if err := q.Close(t.Context()); err != nil || q.Written() != 1 {
		t.Errorf("written %d, %v", q.Written(), err)
	}
}

func TestQueue_Full(t *testing.T) {
	real := openStore(t)
	s := &sick{ExchangeStore: real, turn: make(chan struct{})}
	q := store.NewQueue(s, store.QueueOptions{MaxBytes: 64 << 10, MaxBatch: 8, MaxWait: time.Millisecond, Log: silent})
	taken := 0
	for i := range 500 { // more than fits, while nothing is written
		started := time.Now()
		if q.Record(testExchange(fmt.Sprint("app", i%2))) {
			taken++
		}
		if d := time.Since(started); d > time.Second {
			t.Fatalf("Record took %v", d)
		}
		if q.Bytes() > 64<<10 {
			t.Fatalf("%d bytes wait, at most %d may", q.Bytes(), 64<<10)
		}
	}
	if taken < 32 || taken > 64 || q.Dropped() != int64(500-taken) {
		t.Errorf("taken %d, dropped %d", taken, q.Dropped())
	}
	close(s.turn) // the store answers again
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, b := taken-taken/2, taken/2
	expect(t, real, "app0", a, int64(250-a))
	expect(t, real, "app1", b, int64(250-b))
	for _, n := range s.size {
		if n > 8 {
			t.Errorf("a batch of %d, at most 8 were asked for", n)
		}
	}
}

func TestQueue_StoreFails(t *testing.T) {
	real := openStore(t)
	s := &sick{ExchangeStore: real, turn: make(chan struct{})}
	s.fail.Store(true)
	q := store.NewQueue(s, store.QueueOptions{MaxBatch: 10, MaxWait: time.Millisecond, Log: silent})
	for range 10 {
		q.Record(testExchange("shop"))
	}
	s.turn <- struct{}{} // fails
	lost := 10
	for q.Dropped() == 0 {
		time.Sleep(time.Millisecond) // the count is all there is to wait for
	}
	if lost = int(q.Dropped()); lost > 10 {
		t.Fatalf("dropped %d of 10", lost)
	}
	s.fail.Store(false)
	close(s.turn)
	q.Record(testExchange("shop"))
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, real, "shop", 11-lost, int64(lost))
	if q.Bytes() != 0 {
		t.Errorf("%d bytes still wait", q.Bytes())
	}
}

// TestQueue_Skipped shows that one exchange that cannot be encoded costs only
// itself.
func TestQueue_Skipped(t *testing.T) {
	s := openStore(t)
	q := store.NewQueue(s, store.QueueOptions{Log: silent})
	bad := testExchange("shop")
	bad.Decision.Target.Propensity = math.Inf(1)
	for _, x := range []*store.Exchange{testExchange("shop"), bad, testExchange("shop")} {
		q.Record(x)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "shop", 2, 1)
	if q.Written() != 2 || q.Dropped() != 1 {
		t.Errorf("written %d, dropped %d", q.Written(), q.Dropped())
	}
}

func TestQueue_Close_Deadline(t *testing.T) {
	s := &sick{ExchangeStore: openStore(t), turn: make(chan struct{})}
	q := store.NewQueue(s, store.QueueOptions{MaxWait: time.Millisecond, Log: silent})
	q.Record(testExchange("shop"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	close(s.turn)
	if err := q.Close(t.Context()); err != nil {
		t.Errorf("close with time: %v", err)
	}
}

func TestQueue_Concurrent(t *testing.T) {
	s := openStore(t)
	q := store.NewQueue(s, store.QueueOptions{MaxBatch: 16, MaxWait: time.Millisecond})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				q.Record(testExchange("shop"))
			}
		})
	}
	wg.Wait()
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "shop", 800, 0)
}
