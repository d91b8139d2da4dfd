package learner

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"heed/store"
)

// A store that fails each second for five minutes is worth a line at once, then at
// doubling intervals of up to a minute, and one when it answers.
func TestSilence(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var s silence
	if _, over := s.answered(start); over {
		t.Error("it was never silent")
	}
	for round := range 2 { // the second outage like the first
		var said []int
		for n := range 300 {
			if s.failed(start.Add(time.Duration(n) * time.Second)) {
				said = append(said, n)
			}
		}
		if want := []int{0, 1, 3, 7, 15, 31, 63, 123, 183, 243}; !slices.Equal(said, want) {
			t.Errorf("round %d: said after %v seconds, want %v", round, said, want)
		}
		if lasted, over := s.answered(start.Add(300 * time.Second)); !over || lasted != 300*time.Second {
			t.Errorf("round %d: over %v after %v", round, over, lasted)
		}
		if _, over := s.answered(start.Add(301 * time.Second)); over {
			t.Errorf("round %d: it is over once", round)
		}
	}
}

// down is a store that does not answer for some calls.
type down struct {
	store.Store
	calls atomic.Int64
}

func (s *down) Apps(ctx context.Context) ([]string, error) {
	if s.calls.Add(-1) >= 0 {
		return nil, store.ErrDown
	}
	return s.Store.Apps(ctx)
}

// overheard is a log; over is closed when it says that the store answers again.
type overheard struct {
	bytes.Buffer
	over chan struct{}
}

func (o *overheard) Write(b []byte) (int, error) { // slog's handler locks it
	if bytes.Contains(b, []byte("store answers again")) {
		close(o.over) // a second time would panic
	}
	return o.Buffer.Write(b)
}

func TestLearner_Run_LogsAnOutageOnce(t *testing.T) {
	b := newBench(t)
	log := &overheard{over: make(chan struct{})}
	b.l.opt.Log, b.l.opt.Poll, b.l.opt.Now = slog.New(slog.NewTextHandler(log, nil)), time.Millisecond, time.Now
	d := &down{Store: b.store}
	d.calls.Store(100)
	b.l.opt.Store = d
	b.say(b.exchange("how do i return my shoes"), "u1", "Always mention the return window")
	ctx, stop := context.WithCancel(b.ctx)
	done := make(chan error, 1)
	start := time.Now()
	go func() { done <- b.l.Run(ctx) }() // ends with stop
	b.await("a proposal after the outage", func() bool { return len(b.proposals(store.Open)) == 1 })
	lasted := time.Since(start)
	select {
	case <-log.over:
	case <-time.After(30 * time.Second):
		t.Error("the end of the outage is not logged")
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	most := 1
	for every := sayFirst; lasted > every; every *= 2 { // on a machine that is slow
		most++
	}
	if n := strings.Count(log.String(), "level=ERROR"); n < 1 || n > most {
		t.Errorf("the outage is logged %d times in %v:\n%s", n, lasted, log)
	}
}
