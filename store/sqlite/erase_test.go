package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"heed/store"
	"heed/store/storetest"
)

// TestStore_EraseUser erases a user, looks for the words in the bytes of the files,
// and empties another entry of the trail behind the store's back.
func TestStore_EraseUser(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	storetest.RunErase(t, storetest.Erasing{
		Store: s, Eraser: s.Store,
		Settle: func(t testing.TB) {
			if err := errors.Join(s.Tidy(t.Context(), time.Now()), s.checkpoint(t.Context())); err != nil {
				t.Fatal(err)
			}
		},
		Holds: func(t testing.TB, text string) []string { return inFiles(t, dir, text) },
	})
	ctx := t.Context()
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

// Who read a person's exchange before it was erased may show it in a proposal
// afterwards: erasing again takes it out. A learner's is refused (storetest).
func TestStore_EraseUser_Again(t *testing.T) {
	const word = "unforgettable-zq81"
	dir := t.TempDir()
	s := open(t, dir, Options{})
	ann, ben := benchExchange(1), benchExchange(2)
	ann.Facts.User, ben.Facts.User = "ann-hash", "ben-hash"
	if err := s.WriteExchanges(t.Context(), []*store.Exchange{ann, ben}); err != nil {
		t.Fatal(err)
	}
	erase := func() {
		t.Helper()
		if _, err := s.EraseUser(t.Context(), "shop", "ann-hash", nil); err != nil {
			t.Fatal(err)
		}
	}
	erase()
	shown := []store.Sample{{Exchange: ann.ID, Query: word}, {Exchange: ben.ID, Query: "of ben"}}
	late := &store.Proposal{ID: "p1", App: "shop", Version: 1, State: store.Open, Touch: store.Touch{Inside: shown, Near: shown[:1]}}
	if err := s.Commit(t.Context(), store.Changes{App: "shop", Proposals: []*store.Proposal{late}}); err != nil {
		t.Fatal(err)
	}
	erase()
	p, err := s.Proposal(t.Context(), "shop", "p1")
	if err != nil || len(p.Touch.Inside) != 1 || p.Touch.Inside[0].Exchange != ben.ID || len(p.Touch.Near) != 0 || p.State != store.Open {
		t.Errorf("the proposal shows %+v, %v", p, err)
	}
	if left := inFiles(t, dir, word); len(left) > 0 {
		t.Errorf("left in %v", left)
	}
}

// Who learns while the log is still being erased may write of what is there: it is
// erased too.
func TestStore_EraseUser_LearnsMeanwhile(t *testing.T) {
	const word = "unforgettable-zq82"
	dir := t.TempDir()
	s := open(t, dir, Options{})
	ann := benchExchange(1)
	ann.Facts.User, ann.Query = "ann-hash", word
	if err := s.WriteExchanges(t.Context(), []*store.Exchange{ann}); err != nil {
		t.Fatal(err)
	}
	say := func(user string) *store.Feedback {
		f, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", ExchangeID: ann.ID, User: user, Comment: "no"})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	say("ann-hash")
	others := say("ben-hash")
	seen, err := s.Wait(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	busy, free := make(chan bool), make(chan bool)
	erased := make(chan error, 1)
	var e store.Erased
	go func() { // ends with free
		erased <- s.log.change(t.Context(), quiet, func(context.Context, *writer) error { close(busy); <-free; return nil })
	}()
	<-busy
	go func() { // ends with free
		var err error
		e, err = s.EraseUser(t.Context(), "shop", "ann-hash", nil)
		erased <- err
	}()
	if _, err := s.Wait(t.Context(), seen); err != nil { // heed.db is done, the log is not
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), storetest.LearnsMeanwhile(storetest.Lead(t, s, "shop", "w"), ann, others)); err != nil {
		t.Error(err)
	}
	close(free)
	if err := errors.Join(<-erased, <-erased); err != nil {
		t.Fatal(err)
	}
	storetest.LearnedIsGone(t, s, e, others)
	if left := inFiles(t, dir, word); len(left) > 0 {
		t.Errorf("left in %v", left)
	}
}

// inFiles lists places in the files of the folder that hold the text.
func inFiles(t testing.TB, dir, text string) (found []string) {
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
		for at := 0; len(found) < 10; at++ {
			i := bytes.Index(b[at:], []byte(text))
			if i < 0 {
				break
			}
			at += i
			found = append(found, fmt.Sprint(filepath.Base(name), " at ", at))
		}
	}
	return found
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
