package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"heed/store"
)

var generalCases = []Case{
	{"Concurrent", "Its methods are safe for concurrent use.", concurrent},
	{"Ownership", "What they return belongs to the caller; what they are given is not kept or changed after they return.", ownership},
	{"Isolation", "Every method that takes an app sees and changes that app's data only. An unknown id, or one of another app, is ErrNotFound.", isolation},
	{"Cancel", "All respect ctx: a cancelled call returns its error, and a change then either happened as a whole or not at all.", cancel},
	{"Times", "Times are kept in UTC to the millisecond.", times},
	{"EmptyApp", "An empty app is refused.", func(t *testing.T, s store.Store) {
		for _, c := range calls(s, "", "id") {
			refused(t, c.call(t.Context()), c.name)
		}
	}},
	{"Pages", "A list holds at most MaxPage items, DefaultPage when Limit is 0, and following its cursor visits every item once. A cursor that the store did not give is refused.", func(t *testing.T, s store.Store) {
		n := store.MaxPage + 30
		xs := make([]*store.Exchange, n)
		for i := range xs {
			xs[i] = exchange("shop", i)
		}
		ok(t, s.WriteExchanges(t.Context(), xs))
		for limit, want := range map[int]int{0: store.DefaultPage, -1: store.DefaultPage, 3: 3, n: store.MaxPage} {
			page, _, err := s.Exchanges(t.Context(), store.ExchangeFilter{App: "shop", Limit: limit})
			ok(t, err)
			same(t, len(page), want)
		}
		ids := exchangeIDs(list(t, s, store.ExchangeFilter{App: "shop", Limit: 333}))
		slices.Sort(ids)
		if len(slices.Compact(ids)) != n {
			t.Fatalf("the walk visited %d exchanges, want %d", len(ids), n)
		}
		for _, cursor := range []string{"x", "AAAA", "🙂", strings.Repeat("A", 1000)} {
			_, _, err := s.Exchanges(t.Context(), store.ExchangeFilter{App: "shop", After: cursor})
			refused(t, err, "exchanges after "+cursor)
			_, _, err = s.Feedback(t.Context(), store.FeedbackFilter{App: "shop", After: cursor})
			refused(t, err, "feedback after "+cursor)
			_, _, err = s.Audits(t.Context(), store.AuditFilter{App: "shop", After: cursor})
			refused(t, err, "audits after "+cursor)
			_, _, err = s.Proposals(t.Context(), store.ProposalFilter{App: "shop", After: cursor})
			refused(t, err, "proposals after "+cursor)
			_, _, err = s.Findings(t.Context(), store.FindingFilter{App: "shop", After: cursor})
			refused(t, err, "findings after "+cursor)
		}
	}},
	{"Wait/Blocks", "Wait blocks until something changed after the sequence number seen (0 at first) and returns the newest number, or ctx's error.", func(t *testing.T, s store.Store) {
		seq := changed(t, s)
		ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer stop()
		_, err := s.Wait(ctx, seq)
		is(t, err, context.DeadlineExceeded)
		type result struct {
			seq uint64
			err error
		}
		done := make(chan result, 1)
		go func() {
			n, err := s.Wait(t.Context(), seq)
			done <- result{n, err}
		}()
		add(t, s, said("shop", "", "ann", 1))
		select {
		case r := <-done:
			ok(t, r.err)
			if r.seq <= seq {
				t.Fatalf("got number %d after %d", r.seq, seq)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Wait did not wake")
		}
	}},
	{"Wait/Level", "It is level-triggered: a change between two calls is not missed; several may be reported as one.", func(t *testing.T, s store.Store) {
		seq := changed(t, s)
		for range 3 {
			add(t, s, said("shop", "", "ann", 1))
		}
		next := waits(t, s, seq)
		ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer stop()
		_, err := s.Wait(ctx, next)
		is(t, err, context.DeadlineExceeded)
		s = reopen(t, s)
		add(t, s, said("shop", "", "ann", 1))
		waits(t, s, next) // numbers go on growing
	}},
	{"Wait/Changes", "A change is any commit but that of exchanges: feedback, retraction, learner commits, proposals, published heads, blobs. " +
		"It wakes within a second also when another process made the change.", func(t *testing.T, s store.Store) {
		seq := changed(t, s)
		f := add(t, s, said("shop", "", "ann", 1))
		seq = waits(t, s, seq)
		for name, change := range map[string]func() error{
			"retraction": func() error { return s.Retract(t.Context(), "shop", f.ID) },
			"commit": func() error {
				return s.Commit(t.Context(), store.Changes{App: "shop", Handled: []store.Handled{{Feedback: f.ID}}})
			},
			"proposal": func() error {
				return s.Commit(t.Context(), store.Changes{App: "shop", Proposals: []*store.Proposal{proposal("shop", "p", 1)}})
			},
			"head": func() error {
				_, err := s.Publish(t.Context(), "shop", 0, set("shop"), store.Audit{Actor: "ann", Action: "publish"})
				return err
			},
			"blob": func() error { _, err := s.PutBlob(t.Context(), "shop", []byte("words")); return err },
		} {
			t.Log(name)
			ok(t, change())
			seq = waits(t, s, seq)
		}
		exchanges(t, s, "shop", 3)
		ok(t, s.NoteGap(t.Context(), "shop", 1))
		ok(t, s.Health(t.Context()))
		ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer stop()
		_, err := s.Wait(ctx, seq)
		is(t, err, context.DeadlineExceeded)
	}},
	{"Apps", "Apps lists every app that has any data, sorted.", func(t *testing.T, s store.Store) {
		apps, err := s.Apps(t.Context())
		ok(t, err)
		same(t, len(apps), 0)
		exchanges(t, s, "log", 1)
		add(t, s, said("feedback", "", "ann", 1))
		publish(t, s, "heads", 0, set("heads"))
		ok(t, s.AddAudit(t.Context(), store.Audit{App: "audit", Actor: "ann", Action: "edit"}))
		_, err = s.PutBlob(t.Context(), "blob", []byte("words"))
		ok(t, err)
		commit(t, s, store.Changes{App: "commit", Findings: []*store.Finding{finding("commit", "f", 1)}})
		apps, err = s.Apps(t.Context())
		ok(t, err)
		same(t, apps, []string{"audit", "blob", "commit", "feedback", "heads", "log"})
	}},
	{"Health", "Health returns nil if a change could be committed now.", func(t *testing.T, s store.Store) {
		ok(t, s.Health(t.Context()))
	}},
	{"Close", "Close flushes what was written and releases the files; later calls return ErrClosed.", func(t *testing.T, s store.Store) {
		waiting := make(chan error, 1)
		seq := changed(t, s)
		go func() { _, err := s.Wait(context.Background(), seq); waiting <- err }()
		ok(t, s.Close())
		for _, c := range calls(s, "shop", "id") {
			if err := c.call(t.Context()); !errors.Is(err, store.ErrClosed) {
				t.Errorf("%s after Close: got %v, want %v", c.name, err, store.ErrClosed)
			}
		}
		is(t, s.Health(t.Context()), store.ErrClosed)
		is(t, s.Close(), store.ErrClosed)
		select {
		case err := <-waiting:
			is(t, err, store.ErrClosed)
		case <-time.After(10 * time.Second):
			t.Fatal("Wait did not end with Close")
		}
	}},
}

// changed makes a change and returns its number.
func changed(t testing.TB, s store.Store) uint64 {
	t.Helper()
	add(t, s, said("shop", "", "ann", 1))
	return waits(t, s, 0)
}

// waits checks that a change after seq is reported, and how long it may take.
func waits(t testing.TB, s store.Store, seq uint64) uint64 {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	next, err := s.Wait(ctx, seq)
	ok(t, err)
	if next <= seq {
		t.Fatalf("got number %d after %d", next, seq)
	}
	return next
}
