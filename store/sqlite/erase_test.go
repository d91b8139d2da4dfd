package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

const secret = "xylophone-4711" // what the user wrote, and nobody else

// fillUser puts the words of user3 into every place that may hold them. It returns
// the user's record, and another person's on the same exchange.
func fillUser(t *testing.T, s reopening) (own, others *store.Feedback) {
	t.Helper()
	ctx := t.Context()
	xs := make([]*store.Exchange, 200)
	for i := range xs {
		xs[i] = benchExchange(i)
		xs[i].Facts.User = fmt.Sprint("user", i%10)
		if i%10 == 3 {
			xs[i].Query, xs[i].Request = secret, fmt.Appendf(nil, `{"content":"%s %d"}`, secret, i)
		}
	}
	for i := 0; i < len(xs); i += 5 { // small chunks, which merge and leave free pages
		if err := s.WriteExchanges(ctx, xs[i:i+5]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Tidy(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	rating := -1.0
	own, _, err := s.AddFeedback(ctx, &store.Feedback{App: "shop", User: "user3", ExchangeID: xs[3].ID, Rating: &rating, Comment: secret})
	if err != nil {
		t.Fatal(err)
	}
	others, _, err = s.AddFeedback(ctx, &store.Feedback{App: "shop", User: "user4", ExchangeID: xs[3].ID, Comment: "I agree"})
	if err != nil {
		t.Fatal(err)
	}
	r := rules.Rule{ID: "r_" + "aaaaaaaaaaaaaaaaaaaaaaaaaa", Version: 1, App: "shop", State: rules.Active, Action: "Say " + secret + ".", Sources: []string{own.ID},
		Scope: rules.Scope{Examples: []string{secret}}}
	quote := []store.Evidence{{Feedback: own.ID, User: "user3", Quote: secret, Exchange: xs[3].ID}, {Feedback: others.ID, User: "user4", Quote: "I agree"}}
	err = s.Commit(ctx, store.Changes{
		App: "shop", Handled: []store.Handled{
			{Feedback: own.ID, Link: &store.Link{ExchangeID: xs[3].ID, Query: secret}}, {Feedback: others.ID, Link: &store.Link{ExchangeID: xs[3].ID, Query: secret, Answer: "x"}},
		},
		Proposals: []*store.Proposal{{ID: "p", App: "shop", Version: 1, State: store.Open, Evidence: quote, Touch: store.Touch{Inside: []store.Sample{{Exchange: xs[13].ID, Query: secret}}},
			Title: secret, Ops: []rules.Operation{{Kind: rules.Add, Rule: &r}}}},
		Findings: []*store.Finding{{ID: "f", App: "shop", Version: 1, State: "open", Title: secret, Evidence: quote}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Publish(ctx, "shop", 0, &rules.Set{App: "shop", Rules: []rules.Rule{r}},
		store.Audit{Actor: "ann", Action: "publish", Ops: []rules.Operation{{Kind: rules.Add, Rule: &r}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	return own, others
}

// TestStore_EraseUser erases a user and looks for the words in the bytes of the
// files.
func TestStore_EraseUser(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	ctx := t.Context()
	own, others := fillUser(t, s)
	if !inFiles(t, dir, secret) {
		t.Fatal("the words cannot be found in the files before: the search proves nothing")
	}

	e, err := s.EraseUser(ctx, "shop", "user3", nil)
	if err != nil {
		t.Fatal(err)
	}
	if e.Exchanges != 20 || len(e.Feedback) != 1 || e.Feedback[0] != own.ID || len(e.Touched) != 1 || e.Touched[0] != others.ID || e.Records != 2 {
		t.Errorf("erased %+v", e)
	}
	if err := s.Forget(ctx, "shop", e, store.Audit{Actor: "ann", Action: "erase"}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("forget with the rule in force: %v", err)
	}
	if _, err := s.Publish(ctx, "shop", 1, &rules.Set{App: "shop"}, store.Audit{Actor: "ann", Action: "publish"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(ctx, "shop", e, store.Audit{Actor: "ann", Action: "erase"}); err != nil {
		t.Fatal(err)
	}
	if inFiles(t, dir, secret) {
		t.Error("the user's words are still in the files")
	}
	s.emptiedTrailHolds(t)
	if got := s.all(t, "shop"); len(got) != 180 {
		t.Errorf("%d exchanges are left, want 180", len(got))
	}
	if again, err := s.EraseUser(ctx, "shop", "user3", nil); err != nil || again.Exchanges+len(again.Feedback)+len(again.Touched)+again.Records != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := s.EraseUser(ctx, "shop", "", nil); err == nil {
		t.Error("an empty user was erased")
	}
	if p, err := s.Proposal(ctx, "shop", "p"); err != nil || p.Version != 2 || p.State != store.Expired || len(p.Evidence)+len(p.Ops) != 0 {
		t.Errorf("proposal %+v, %v", p, err)
	}
	ps, err := s.Pending(ctx, "w", 10)
	if err != nil || len(ps) != 1 || ps[0].ID != others.ID {
		t.Errorf("pending %+v, %v", ps, err)
	}
}

// emptiedTrailHolds looks whether the trail says which entries were emptied, and
// whether it can tell one that was emptied behind its back.
func (s reopening) emptiedTrailHolds(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	as, _, err := s.Audits(ctx, store.AuditFilter{App: "shop"})
	if err != nil || len(as) != 3 || as[0].Action != "erase" || !slices.Equal(as[0].Empties, []int64{1}) || !as[2].Emptied {
		t.Fatalf("audits %+v, %v", as, err)
	}
	if n, err := s.VerifyAudit(ctx, "shop"); n != 0 || err != nil {
		t.Errorf("the emptied trail breaks at %d, %v", n, err)
	}
	empty := func(from, to string) {
		err := s.main.change(ctx, counted, func(ctx context.Context, w *writer) error {
			_, err := w.exec(ctx, `UPDATE audit SET doc = CAST(replace(CAST(doc AS TEXT), ?, ?) AS BLOB) WHERE app = 'shop' AND number = 2`, from, to)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	empty(`"previous"`, `"emptied":true,"previous"`)
	if n, err := s.VerifyAudit(ctx, "shop"); n != 2 || err != nil {
		t.Errorf("an entry that nobody said was emptied passes: %d, %v", n, err)
	}
	empty(`"emptied":true,"previous"`, `"previous"`)
	if n, err := s.VerifyAudit(ctx, "shop"); n != 0 || err != nil {
		t.Errorf("the mended trail breaks at %d, %v", n, err)
	}
}

// inFiles reports whether any file of the folder holds the text.
func inFiles(t *testing.T, dir, text string) bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			t.Logf("%s holds %q", filepath.Base(name), text)
			return true
		}
	}
	return false
}

func TestStore_Backup(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	ctx := t.Context()
	xs := s.write(t, "shop", 300, time.Now(), 50)
	f, _, err := s.AddFeedback(ctx, &store.Feedback{App: "shop", ExchangeID: xs[1].ID, Comment: "no"})
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan bool), make(chan bool)
	go func() { // the store goes on being used
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := s.WriteExchanges(ctx, []*store.Exchange{benchExchange(1000 + i)}); err != nil {
				t.Error(err)
			}
			if _, _, err := s.AddFeedback(ctx, &store.Feedback{App: "shop", Comment: "yes"}); err != nil {
				t.Error(err)
			}
		}
	}()
	to := filepath.Join(t.TempDir(), "copy")
	if err := s.Backup(ctx, to); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-stopped
	if err := s.Backup(ctx, to); err == nil {
		t.Error("a backup was overwritten")
	}
	c := open(t, to, Options{})
	for _, x := range xs {
		if got, err := c.Exchange(ctx, "shop", x.ID); err != nil || string(got.Request) != string(x.Request) {
			t.Fatalf("exchange %s: %v", x.ID, err)
		}
	}
	if got, err := c.FeedbackByID(ctx, "shop", f.ID); err != nil || got.Comment != "no" {
		t.Errorf("feedback %+v, %v", got, err)
	}
	if n, err := c.Gaps(ctx, "shop"); n != 0 || err != nil {
		t.Errorf("a backup has a gap of %d, %v", n, err)
	}
}
