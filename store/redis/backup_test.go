package redis

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
	"heed/store/sqlite"
	"heed/store/storetest"
)

// everything reads all of an app as people and processes see it.
func everything(t *testing.T, s *Store, app string) map[string]string {
	t.Helper()
	ctx := t.Context()
	out := map[string]string{}
	note := func(what string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out[what] = string(b)
	}
	xs, _, err := s.Exchanges(ctx, store.ExchangeFilter{App: app, Limit: store.MaxPage, Bodies: true})
	note("exchanges", xs, err)
	for _, x := range xs {
		one, err := s.ExchangeByResponse(ctx, app, x.ResponseID)
		note("response "+x.ResponseID, one, err)
	}
	n, err := s.Gaps(ctx, app)
	note("gaps", n, err)
	for name, f := range map[string]store.FeedbackFilter{"all": {}, "of ann": {User: "ann"}, "on it": {Exchange: xs[0].ID}, "of a session": {Session: "s"}} {
		f.App, f.Limit = app, store.MaxPage
		fs, _, err := s.Feedback(ctx, f)
		note("feedback "+name, fs, err)
	}
	sums, err := s.Ratings(ctx, app)
	note("ratings", sums, err)
	for _, state := range []string{"", "open", "rejected", "resolved"} {
		ps, _, err := s.Proposals(ctx, store.ProposalFilter{App: app, State: store.ProposalState(state)})
		note("proposals "+state, ps, err)
		fs, _, err := s.Findings(ctx, store.FindingFilter{App: app, State: state})
		note("findings "+state, fs, err)
	}
	hs, err := s.Heads(ctx, app, 10)
	note("heads", hs, err)
	for _, h := range hs {
		set, err := s.Set(ctx, app, h.Head.Hash)
		note("set "+h.Head.Hash, set, err)
		if set.Stats != "" {
			b, err := s.Blob(ctx, app, set.Stats)
			note("blob "+set.Stats, b, err)
		}
	}
	vs, err := s.RuleVersions(ctx, app, "")
	note("rules", vs, err)
	as, _, err := s.Audits(ctx, store.AuditFilter{App: app})
	note("audits", as, err)
	bad, err := s.VerifyAudit(ctx, app)
	note("first bad entry", bad, err)
	return out
}

// fillApp puts something of every kind into an app.
func fillApp(t *testing.T, s *Store, app string) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	xs := traffic(app, 200)
	for i, x := range xs {
		x.ResponseID = fmt.Sprint("chatcmpl-", i)
	}
	must(s.WriteExchanges(ctx, xs[:150]))
	must(s.WriteExchanges(ctx, xs[150:]))
	must(s.NoteGap(ctx, app, 3))
	rating := -1.0
	var fs []*store.Feedback
	for i := range 20 {
		f, _, err := s.AddFeedback(ctx, &store.Feedback{
			App: app, Key: fmt.Sprint("k", i), Digest: "d", User: []string{"ann", "ben"}[i%2], Session: "s", Source: "api", ExchangeID: xs[199-i%5].ID,
			Rating: &rating, Comment: fmt.Sprint("no ", i),
		})
		must(err)
		fs = append(fs, f)
	}
	must(s.Retract(ctx, app, fs[3].ID))
	r := rule("Be brief.")
	link := &store.Link{ExchangeID: xs[199].ID, Alias: "support", Query: "q", Target: rules.TargetDecision{Upstream: "main", Model: "small"}}
	lease, err := s.Lead(ctx, app, store.Lease{Worker: "w"})
	must(err)
	_, err = s.Pending(ctx, app, lease, 2) // given out, and left to the restored server
	must(err)
	must(s.Commit(ctx, store.Changes{
		App: app, Handled: []store.Handled{{Feedback: fs[0].ID, Link: link}, {Feedback: fs[5].ID, Note: "done"},
			{Feedback: fs[6].ID, Aside: true, Tries: 5, Note: "it broke"}},
		Proposals: []*store.Proposal{{ID: "p1", App: app, Version: 1, State: store.Open}, {ID: "p2", App: app, Version: 1, State: store.Rejected}},
		Findings:  []*store.Finding{{ID: "f", App: app, Version: 1, State: "resolved"}},
		Audits:    []store.Audit{{Actor: "a", Action: "reject"}},
	}))
	blob, err := s.PutBlob(ctx, app, make([]byte, 3<<20))
	must(err)
	for base, stats := range []string{"", blob} {
		_, err := s.Publish(ctx, app, rules.Epoch(base), &rules.Set{App: app, Rules: []rules.Rule{r}, Stats: stats}, store.Audit{Actor: "a", Action: "publish"})
		must(err)
	}
}

// A backup that is made while processes write brings everything back onto an empty
// server: as it was, and at work.
func TestBackup_RoundTripWhileRunning(t *testing.T) {
	from := startServer(t)
	opt := from.options(t)
	ctx := t.Context()
	opt.Index = openIndex(t, t.TempDir())
	s := open(t, opt)
	fillApp(t, s, "shop")
	want := everything(t, s, "shop")
	acked, stop := busy(t, open(t, withDir(withoutIndex(opt), t.TempDir())))
	dir := filepath.Join(t.TempDir(), "copy")
	if err := s.Backup(ctx, dir); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := s.Backup(ctx, dir); err == nil {
		t.Error("a backup was overwritten")
	}
	if keys, err := from.raw.Keys(ctx, opt.Prefix+":*}:bk:*").Result(); err != nil || len(keys) > 0 {
		t.Errorf("the server keeps %q, %v", keys, err)
	}

	to := startServer(t)
	next := to.options(t)
	restored := open(t, next)
	if err := restored.Restore(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if err := restored.Restore(ctx, dir); !errors.Is(err, store.ErrConflict) {
		t.Errorf("restored onto data: %v", err)
	}
	got := everything(t, restored, "shop")
	for what := range want {
		if what != "gaps" && got[what] != want[what] {
			t.Errorf("%s:\n got %.300s\nwant %.300s", what, got[what], want[what])
		}
	}
	worksAgain(t, restored, acked)

	next.Dir = t.TempDir()
	indexGoesOn(t, next, dir)
}

// busy writes feedback and exchanges until stop is called, and returns the ids of
// the feedback that was acknowledged until now.
func busy(t *testing.T, s *Store) (acked []string, stop func()) {
	t.Helper()
	ctx := t.Context()
	end, ended, enough := make(chan bool), make(chan bool), make(chan bool)
	go func() { // ends with stop
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			default:
			}
			f, _, err := s.AddFeedback(ctx, &store.Feedback{App: "busy", Source: "api", User: fmt.Sprint("u", i), Comment: "yes"})
			if err == nil {
				err = s.WriteExchanges(ctx, traffic("busy", 5))
			}
			if err != nil {
				t.Error(err)
				return
			}
			if i < 50 {
				acked = append(acked, f.ID)
			} else if i == 50 {
				close(enough)
			}
		}
	}()
	<-enough
	return acked, func() { close(end); <-ended }
}

// indexGoesOn checks that the index goes on where its copy stopped.
func indexGoesOn(t *testing.T, next Options, dir string) {
	t.Helper()
	ctx := t.Context()
	index, err := sqlite.Open(ctx, filepath.Join(dir, indexFolder), sqlite.Options{Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = index.Close() })
	next.Index = index
	b, err := os.ReadFile(filepath.Join(dir, indexFile))
	if err != nil || os.WriteFile(filepath.Join(next.Dir, indexFile), b, 0o600) != nil {
		t.Fatal(err)
	}
	admin := open(t, next)
	if xs, _, err := admin.Exchanges(ctx, store.ExchangeFilter{App: "shop", Limit: store.MaxPage}); err != nil || len(xs) != 264 {
		t.Errorf("the restored index lists %d exchanges, %v", len(xs), err)
	}
	if n, err := admin.Gaps(ctx, "shop"); err != nil || n != 3 {
		t.Errorf("the restored index has a gap of %d, %v; want what it was, 3", n, err)
	}
}

// worksAgain uses the restored server.
func worksAgain(t *testing.T, s *Store, acked []string) {
	t.Helper()
	ctx := t.Context()
	for _, id := range acked {
		if _, err := s.FeedbackByID(ctx, "busy", id); err != nil {
			t.Fatalf("acknowledged before the backup: %v", err)
		}
	}
	f, created, err := s.AddFeedback(ctx, &store.Feedback{App: "shop", Key: "k7", Digest: "d", Source: "api"})
	if err != nil || created || f.Comment != "no 7" {
		t.Errorf("the key of record 7 again: %+v %v %v", f, created, err)
	}
	seen := map[string]int{}
	for _, app := range []string{"shop", "busy"} {
		l := storetest.Lead(t, s, app, "w")
		if app == "shop" && l.Epoch != 2 {
			t.Errorf("the lease after that of the copy has epoch %d, want 2", l.Epoch)
		}
		fs, err := s.Pending(ctx, app, l, store.MaxPage)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fs {
			seen[f.App]++
			if err := s.Commit(ctx, store.Changes{App: f.App, Handled: []store.Handled{{Feedback: f.ID}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if seen["shop"] != 17 || seen["busy"] < len(acked) { // two of the twenty were handled, one put aside
		t.Errorf("pending %v, want 17 of shop and all of busy", seen)
	}
	aside, _, err := s.Feedback(ctx, store.FeedbackFilter{App: "shop", Aside: true})
	if err != nil || len(aside) != 1 || aside[0].Aside != "it broke" || aside[0].Tries != 5 {
		t.Errorf("put aside %+v %v, want one record with reason and tries", aside, err)
	}
	h, err := s.Publish(ctx, "shop", 2, &rules.Set{App: "shop"}, store.Audit{Actor: "a", Action: "publish"})
	if err != nil || h.Epoch != 3 {
		t.Errorf("published %v, %v", h, err)
	}
	if n, err := s.VerifyAudit(ctx, "shop"); n != 0 || err != nil {
		t.Errorf("the trail breaks at %d, %v", n, err)
	}
	if err := s.WriteExchanges(ctx, traffic("shop", 64)); err != nil {
		t.Error(err)
	}
	if xs, _, err := s.Exchanges(ctx, store.ExchangeFilter{App: "shop", Limit: store.MaxPage}); err != nil || len(xs) != 264 {
		t.Errorf("%d exchanges, %v; want 264", len(xs), err)
	}
}

// A file that is damaged or was cut off is refused before anything is written.
func TestRestore_DamagedFileIsRefused(t *testing.T) {
	srv := startServer(t)
	s := open(t, srv.options(t))
	fillApp(t, s, "shop")
	dir := t.TempDir()
	if err := s.Backup(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, backupFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), whole...)
	flipped[len(flipped)/2] ^= 1
	for name, b := range map[string][]byte{"empty": nil, "cut": whole[:len(whole)-40], "without checksum": whole[:len(whole)-4], "flipped": flipped} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		fresh := open(t, srv.options(t))
		if err := fresh.Restore(t.Context(), dir); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if found := fresh.holds(t, "brief"); len(found) > 0 {
			t.Errorf("%s: the server has %q", name, found)
		}
	}
}

// fillLarge adds n records of a thousand people.
func fillLarge(t *testing.T, s *Store, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := w; i < n; i += 32 {
				f := &store.Feedback{App: "shop", Source: "api", User: fmt.Sprint("user", i%1000), Key: fmt.Sprint("k", i), Digest: "d", Comment: fmt.Sprint("no ", i)}
				if _, _, err := s.AddFeedback(t.Context(), f); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// A very large app (100,000 records with HEED_SOAK) is backed up, restored and
// searched for a person while feedback goes on being acknowledged.
func TestStore_VeryLargeApp(t *testing.T) {
	n := 2000
	if os.Getenv("HEED_SOAK") != "" {
		n = 100_000
	}
	srv := startServer(t)
	opt := srv.options(t)
	s := open(t, opt)
	ctx := t.Context()
	fillLarge(t, s, n)
	timed := func(what string, fn func() error) {
		t.Helper()
		start := time.Now()
		if err := fn(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%s of %d records took %s", what, n, time.Since(start).Round(time.Millisecond))
	}
	dir := filepath.Join(t.TempDir(), "copy")
	speaker, stop, spoke := open(t, withDir(opt, t.TempDir())), make(chan bool), make(chan int)
	go func() { // ends with stop
		said := 0
		for ; ; said++ {
			select {
			case <-stop:
				spoke <- said
				return
			default:
			}
			if _, _, err := speaker.AddFeedback(ctx, &store.Feedback{App: "shop", Source: "api", Comment: "meanwhile"}); err != nil {
				t.Error(err)
			}
		}
	}()
	timed("backup", func() error { return s.Backup(ctx, dir) })
	timed("traces", func() error {
		e, err := s.Traces(ctx, "shop", "user7")
		if err == nil && len(e.Feedback) != n/1000 {
			err = fmt.Errorf("%d records, want %d", len(e.Feedback), n/1000)
		}
		return err
	})
	timed("erasing", func() error { _, err := s.EraseUser(ctx, "shop", "user7", nil); return err })
	close(stop)
	t.Logf("%d records were acknowledged meanwhile", <-spoke)
	to := open(t, startServer(t).options(t))
	timed("restoring", func() error { return to.Restore(ctx, dir) })
	timed("reading", func() error {
		for _, i := range []int{0, n / 2, n - 1} {
			f, created, err := to.AddFeedback(ctx, &store.Feedback{App: "shop", Source: "api", Key: fmt.Sprint("k", i), Digest: "d"})
			if err != nil || created || f.Comment != fmt.Sprint("no ", i) {
				return fmt.Errorf("record %d: %+v %v %v", i, f, created, err)
			}
		}
		fs, _, err := to.Feedback(ctx, store.FeedbackFilter{App: "shop", User: "user7", Limit: store.MaxPage})
		if err == nil && len(fs) != n/1000 {
			err = fmt.Errorf("%d records of the person, want %d", len(fs), n/1000)
		}
		return err
	})
}
