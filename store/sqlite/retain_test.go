package sqlite

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"heed/store"
)

// write logs n exchanges that arrived minute by minute from start on.
func (r reopening) write(t testing.TB, app string, n int, start time.Time, batch int) []*store.Exchange {
	t.Helper()
	var all []*store.Exchange
	for len(all) < n {
		var xs []*store.Exchange
		for len(xs) < batch && len(all)+len(xs) < n {
			x := benchExchange(len(all) + len(xs))
			x.App, x.Facts.App, x.Time = app, app, start.Add(time.Duration(len(all)+len(xs))*time.Minute)
			x.ResponseID = fmt.Sprint(app, "-response-", len(all)+len(xs))
			xs = append(xs, x)
		}
		if err := r.WriteExchanges(t.Context(), xs); err != nil {
			t.Fatal(err)
		}
		all = append(all, xs...)
	}
	return all
}

// all lists the app's exchanges, oldest first.
func (r reopening) all(t testing.TB, app string) map[string]*store.Exchange {
	t.Helper()
	out := map[string]*store.Exchange{}
	f := store.ExchangeFilter{App: app, Limit: store.MaxPage, Bodies: true}
	for {
		xs, next, err := r.Exchanges(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range xs {
			out[x.ID] = x
		}
		if f.After = next; next == "" {
			return out
		}
	}
}

func TestStore_Tidy_Age(t *testing.T) {
	s := open(t, t.TempDir(), Options{Retain: Retention{Age: time.Hour}})
	start := time.Now().Add(-10 * time.Hour)
	xs := s.write(t, "shop", 600, start, 50)
	keep := map[string]bool{}
	judge := func(i int, f store.Feedback) {
		f.App, f.Comment = "shop", "no"
		if _, _, err := s.AddFeedback(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		keep[xs[i].ID] = true
	}
	judge(3, store.Feedback{ExchangeID: xs[3].ID})
	judge(60, store.Feedback{ResponseID: xs[60].ResponseID})
	for i := 120; i < 124; i++ { // four exchanges are one session
		judge(i, store.Feedback{Session: xs[i].Session})
	}
	for range 2 { // the second time, what was kept is kept again
		if err := s.Tidy(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	got := s.all(t, "shop")
	for i, x := range xs {
		young := x.Time.After(time.Now().Add(-59 * time.Minute))
		if young || keep[x.ID] {
			if got[x.ID] == nil || string(got[x.ID].Request) != string(x.Request) {
				t.Errorf("exchange %d is gone or changed", i)
			}
		} else if got[x.ID] != nil && i < 500 { // a chunk goes when all of it is too old
			t.Errorf("exchange %d is still there", i)
		}
		if _, err := s.Exchange(t.Context(), "shop", x.ID); (err == nil) != (got[x.ID] != nil) {
			t.Errorf("exchange %d: by id %v, in the list %v", i, err, got[x.ID] != nil)
		}
	}
}

func TestStore_Tidy_Size(t *testing.T) {
	const limit = 1 << 20
	s := open(t, t.TempDir(), Options{Retain: Retention{Bytes: limit}})
	xs := s.write(t, "shop", 8000, time.Now().Add(-time.Hour), 256)
	before, _, err := s.usage(t.Context())
	if err != nil || before <= limit {
		t.Fatalf("the log uses %d bytes (%v): too small to test a limit of %d", before, err, limit)
	}
	if err := s.Tidy(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	used, _, err := s.usage(t.Context())
	if err != nil || used > limit || used < limit/2 {
		t.Fatalf("uses %d bytes (%v), want just below %d", used, err, limit)
	}
	if _, err := s.Exchange(t.Context(), "shop", xs[len(xs)-1].ID); err != nil {
		t.Errorf("the newest went: %v", err)
	}
	if _, err := s.Exchange(t.Context(), "shop", xs[0].ID); err == nil {
		t.Error("the oldest stayed")
	}
}

func TestStore_Tidy_Merge(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	want := map[string]*store.Exchange{}
	start := time.Now().Add(-10 * time.Hour)
	for i, app := range []string{"shop", "other"} {
		for _, x := range s.write(t, app, 200, start, 1+i*2) {
			want[x.ID] = x
		}
	}
	chunks := func() (n int) {
		if err := s.log.one(t.Context(), []any{&n}, `SELECT count(*) FROM chunk`); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := chunks()
	if err := s.Tidy(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if after := chunks(); before < 250 || after > 20 {
		t.Errorf("%d chunks became %d", before, after)
	}
	for _, app := range []string{"shop", "other"} {
		for id, x := range s.all(t, app) {
			w := want[id]
			if w == nil || w.App != app || string(w.Request) != string(x.Request) || string(w.Response) != string(x.Response) || w.Query != x.Query {
				t.Fatalf("exchange %s changed", id)
			}
			if _, err := s.Exchange(t.Context(), app, id); err != nil {
				t.Fatal(err)
			}
			delete(want, id)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d exchanges are gone", len(want))
	}
}

// TestStore_Tidy_Concurrent tidies while others write, judge and read: nothing
// that was judged may go, and nothing may go wrong.
func TestStore_Tidy_Concurrent(t *testing.T) {
	s := open(t, t.TempDir(), Options{Retain: Retention{Age: time.Hour}})
	xs := s.write(t, "shop", 2000, time.Now().Add(-100*time.Hour), 100)
	done := make(chan map[string]bool)
	go func() {
		judged := map[string]bool{}
		for range 150 {
			x := xs[rand.IntN(len(xs))]
			_, there := s.Exchange(t.Context(), "shop", x.ID)
			if _, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", ExchangeID: x.ID, Comment: "no"}); err != nil {
				t.Error(err)
			}
			if _, err := s.Exchange(t.Context(), "shop", x.ID); err == nil {
				judged[x.ID] = true // there after the feedback: there for good
			} else if there == nil && !isNotFound(err) {
				t.Error(err)
			}
		}
		done <- judged
	}()
	var judged map[string]bool
	for judged == nil {
		if err := s.Tidy(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Exchanges(t.Context(), store.ExchangeFilter{App: "shop", Limit: 500, Text: "policy"}); err != nil {
			t.Fatal(err)
		}
		select {
		case judged = <-done:
		default:
		}
	}
	for id := range judged {
		if _, err := s.Exchange(t.Context(), "shop", id); err != nil {
			t.Errorf("a judged exchange went: %v", err)
		}
	}
}
