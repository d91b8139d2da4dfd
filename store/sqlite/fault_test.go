package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// life is a store's, from its first opening to its last closing, with what was
// acknowledged in it.
type life struct {
	mu      sync.Mutex // guards l, which a power cut reads
	l       *ledger
	batches [][]*store.Exchange // every batch that was tried
	errs    []error
}

func newLife() *life { return &life{l: newLedger()} }

// so is what was acknowledged so far.
func (f *life) so() *ledger {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := *f.l
	c.feedback, c.exchanges = maps.Clone(c.feedback), maps.Clone(c.exchanges)
	return &c
}

// ack notes what a call acknowledged, or its error.
func (f *life) ack(err error, note func(*ledger)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.errs = append(f.errs, err)
	} else {
		note(f.l)
	}
	return err == nil
}

// lifeOptions leave all upkeep to the play, so that its calls come in order.
var lifeOptions = Options{Readers: 1, Poll: time.Hour, Sync: time.Hour, Tidy: time.Hour, Retain: Retention{Age: 24 * time.Hour}}

// play does everything that a store does, once. Where a call fails it goes on
// with the next.
func (f *life) play(t testing.TB, dir string) {
	t.Helper()
	ctx := t.Context()
	s, err := Open(ctx, dir, lifeOptions)
	if !f.ack(err, func(*ledger) {}) {
		return
	}
	f.say(ctx, s, "before")
	f.log(ctx, s, time.Now().Add(-48*time.Hour))
	f.publish(ctx, s)
	f.learn(ctx, s, "before-1")
	f.log(ctx, s, time.Now())
	f.ack(s.Tidy(ctx, time.Now()), func(*ledger) {})
	_, _, err = s.Exchanges(ctx, store.ExchangeFilter{App: "shop", Text: "depot", Limit: 10, Bodies: true})
	f.ack(err, func(*ledger) {})
	f.ack(s.checkpoint(ctx), func(*ledger) {})
	f.publish(ctx, s)
	f.ack(s.NoteGap(ctx, "shop", 1), func(*ledger) {})
	f.say(ctx, s, "after")
	f.ack(s.Close(), func(*ledger) {})
}

// say gives feedback as a client that tries again once.
func (f *life) say(ctx context.Context, s *Store, what string) {
	for i := range 3 {
		key := fmt.Sprint(what, "-", i)
		for range 2 {
			in := &store.Feedback{ID: "id-" + key, App: "shop", Key: key, Digest: "d", Comment: "please be brief " + key}
			stored, _, err := s.AddFeedback(ctx, in)
			if f.ack(err, func(l *ledger) { l.feedback[key] = stored.ID }) {
				break
			}
		}
	}
}

// log writes a batch of two apps.
func (f *life) log(ctx context.Context, s *Store, at time.Time) {
	var xs []*store.Exchange
	for i := range 120 { // two chunks of the one app, one of the other
		x := benchExchange(i)
		x.Time = at.Add(time.Duration(i) * time.Second)
		if i%4 == 3 {
			x.App, x.Facts.App = "bank", "bank"
		}
		xs = append(xs, x)
	}
	f.batches = append(f.batches, xs)
	f.write(ctx, s, xs)
}

func (f *life) write(ctx context.Context, s *Store, xs []*store.Exchange) {
	f.ack(s.WriteExchanges(ctx, xs), func(l *ledger) {
		for _, x := range xs {
			if time.Since(x.Time) < lifeOptions.Retain.Age { // others expire
				l.exchanges[x.ID] = true
			}
		}
	})
}

func (f *life) publish(ctx context.Context, s *Store) {
	head, set, err := store.Current(ctx, s, "shop")
	if !f.ack(err, func(*ledger) {}) {
		return
	}
	r := rules.Rule{ID: rules.NewID(), Version: 1, App: "shop", State: rules.Active, Action: "Be brief.", Scope: rules.Scope{AppliesWhen: "asked"}}
	next, err := rules.Apply(set, []rules.Operation{{Kind: rules.Add, Rule: &r}})
	if err == nil {
		head, err = s.Publish(ctx, "shop", head.Epoch, next, store.Audit{Actor: "ann", Action: "publish"})
	}
	f.ack(err, func(l *ledger) { l.epoch = max(l.epoch, head.Epoch) })
}

// learn handles a record, files two findings for it, and takes another back.
func (f *life) learn(ctx context.Context, s *Store, id string) {
	f.ack(s.Commit(ctx, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: "id-" + id, Note: "done"}},
		Findings: []*store.Finding{{ID: "d1", App: "shop", Version: 1, State: "open"}, {ID: "d2", App: "shop", Version: 1, State: "open"}}}),
		func(l *ledger) { l.learned = true })
	f.ack(s.Retract(ctx, "shop", "id-before-2"), func(*ledger) {})
}

// checkLog checks that of each batch an app's exchanges are there whole or not at
// all, as they were written, in lists and by id alike, and those of acked are there.
func (f *life) checkLog(t testing.TB, s *Store, acked map[string]bool) {
	t.Helper()
	for i, xs := range f.batches {
		if time.Since(xs[0].Time) > lifeOptions.Retain.Age {
			continue // it expires chunk by chunk
		}
		listed := listed(t, s, xs)
		there, of := map[string]int{}, map[string]int{}
		for k, x := range xs {
			of[x.App]++
			got := listed[x.ID]
			if got != nil {
				there[x.App]++
			}
			if got == nil && acked[x.ID] {
				t.Errorf("exchange %s was written and is gone", x.ID)
			}
			if got != nil && (got.App != x.App || !bytes.Equal(got.Request, x.Request) || !bytes.Equal(got.Response, x.Response)) {
				t.Errorf("exchange %s is not what was written", x.ID)
			}
			if k%8 > 0 && got != nil { // each opens a whole chunk
				continue
			}
			if _, err := s.Exchange(t.Context(), x.App, x.ID); (err == nil) != (got != nil) || err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("exchange %s by id: %v; listed: %v", x.ID, err, got != nil)
			}
		}
		for app, n := range there {
			if n != of[app] {
				t.Errorf("batch %d of app %s: %d of %d exchanges are there, want all or none", i, app, n, of[app])
			}
		}
	}
}

// listed lists what is there of the batch, and of what arrived meanwhile.
func listed(t testing.TB, s *Store, xs []*store.Exchange) map[string]*store.Exchange {
	t.Helper()
	out := map[string]*store.Exchange{}
	for _, app := range []string{"shop", "bank"} {
		list := store.ExchangeFilter{App: app, Bodies: true, Limit: store.MaxPage,
			Since: xs[0].Time.Truncate(time.Millisecond), Until: xs[len(xs)-1].Time.Add(time.Second)}
		for more := true; more; more = list.After != "" {
			page, next, err := s.Exchanges(t.Context(), list)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range page {
				out[x.ID] = x
			}
			list.After = next
		}
	}
	return out
}

// checkLearned checks that the learner's commit is there whole or not at all.
func (l *ledger) checkLearned(t testing.TB, s *Store) {
	t.Helper()
	_, err1 := s.Finding(t.Context(), "shop", "d1")
	_, err2 := s.Finding(t.Context(), "shop", "d2")
	if (err1 == nil) != (err2 == nil) || l.learned && err1 != nil {
		t.Errorf("findings of one commit (acknowledged: %v): %v, %v", l.learned, err1, err2)
	}
}

// diskFaults are the ways in which a disk is sick.
var diskFaults = []fault{
	{name: "one call fails"},
	{name: "all calls fail from one on", lasting: true},
	{name: "one write is torn", torn: true},
	{name: "the disk is full from one call on", lasting: true, full: true, torn: true},
}

// TestStore_SickDisk makes calls of SQLite to the operating system fail, each in
// turn with HEED_SOAK set, else some. What was acknowledged is there, once and
// whole; errors name the file; with the fault gone the store works on.
func TestStore_SickDisk(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for _, fault := range diskFaults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			calls, _, _ := playSick(t, fault, math.MaxInt, seed)
			step := stride(calls)
			tried, refused, k := 0, 0, 1+int(seed%uint64(step))
			for ; ; k += step {
				_, failed, errs := playSick(t, fault, k, seed)
				if t.Failed() {
					t.Fatalf("seed %d, call %d: %v", seed, k, failed)
				}
				if len(failed) == 0 {
					break
				}
				if tried++; errs > 0 {
					refused++
				}
			}
			t.Logf("%d faults within %d calls, %d of them seen by the caller", tried, k-1, refused)
			if tried < 4 || refused == 0 {
				t.Errorf("%d faults, %d seen: the test proves nothing", tried, refused)
			}
		})
	}
}

// playSick plays a life in which the k-th call fails that the fault touches. It
// returns how many such calls there were, what failed, and how many errors the
// life saw.
func playSick(t *testing.T, f fault, k int, seed uint64) (calls int, failed []string, errs int) {
	t.Helper()
	d := newDisk(t, memoryFolder(t))
	defer os.RemoveAll(d.dir)
	defer d.remove()
	d.set(k, f, seed)
	l := newLife()
	l.play(t, d.dir)
	calls, failed = d.heal()
	for _, err := range l.errs {
		if !strings.Contains(err.Error(), ".db") && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%v: the error %q names no file", failed, err)
		}
	}
	if len(failed) == 0 && len(l.errs) > 0 {
		t.Errorf("errors without a fault: %v", l.errs)
	}
	errs = len(l.errs)
	s, err := Open(t.Context(), d.dir, lifeOptions)
	if err != nil {
		t.Errorf("%v: with the disk well again: %v", failed, err)
		return calls, failed, errs
	}
	defer s.Close()
	l.check(t, s)
	l.say(t.Context(), s, "before") // retries of what was refused, and of what was not
	l.say(t.Context(), s, "after")
	l.publish(t.Context(), s)
	for _, xs := range l.batches {
		l.write(t.Context(), s, xs)
	}
	for _, err := range l.errs[errs:] {
		t.Errorf("%v: with the disk well again: %v", failed, err)
	}
	l.check(t, s)
	return calls, failed, errs
}

// check compares the store with what was acknowledged.
func (f *life) check(t *testing.T, s *Store) {
	t.Helper()
	acked := f.so()
	f.checkLog(t, s, acked.exchanges)
	acked.exchanges = nil
	acked.check(t, reopening{s})
	acked.checkLearned(t, s)
}

// TestStore_WriteExchanges_WholeOrNot fails each call of SQLite to the disk while
// a batch of two apps is written, of which one takes two chunks: an app's
// exchanges are there whole or not at all, and whole when the batch is written
// again.
func TestStore_WriteExchanges_WholeOrNot(t *testing.T) {
	d := newDisk(t, memoryFolder(t))
	s := open(t, d.dir, lifeOptions)
	refused := 0
	for k := 1; ; k++ {
		l := newLife()
		d.set(k, fault{lasting: k%2 == 0}, 0)
		l.log(t.Context(), s.Store, time.Now().Add(time.Duration(-k)*2*time.Minute)) // apart from those before
		_, failed := d.heal()
		if l.checkLog(t, s.Store, l.l.exchanges); t.Failed() {
			t.Fatalf("call %d: %v, %v", k, failed, l.errs)
		}
		if len(l.errs) > 0 {
			refused++
			if l.write(t.Context(), s.Store, l.batches[0]); len(l.errs) > 1 {
				t.Fatalf("call %d: written again: %v", k, l.errs[1])
			}
			l.checkLog(t, s.Store, l.l.exchanges)
		}
		if len(failed) == 0 {
			break
		}
	}
	if refused < 3 {
		t.Errorf("%d batches were refused: the test proves nothing", refused)
	}
}
