package sqlite

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heed/store"
)

// TestOpenReader_Beside reads beside the owner: what that commits is seen, also by
// who waits, nothing can be changed, and the owner goes on when the reader leaves.
func TestOpenReader_Beside(t *testing.T) {
	dir := t.TempDir()
	owner := open(t, dir, Options{})
	first := owner.write(t, "shop", 3, time.Now(), 10)
	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("a second owner: %v", err)
	}
	r, err := OpenReader(t.Context(), dir, Options{Poll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	seen := func(want int) {
		t.Helper()
		xs, _, err := r.Exchanges(t.Context(), store.ExchangeFilter{App: "shop"})
		if err != nil || len(xs) != want {
			t.Fatalf("%d exchanges, %v; want %d", len(xs), err, want)
		}
	}
	seen(len(first))
	owner.write(t, "shop", 2, time.Now(), 10)
	seen(len(first) + 2)

	moved := make(chan error, 1)
	go func() { // ends when the first change is seen, or with the test
		_, err := r.Wait(t.Context(), 0)
		moved <- err
	}()
	f, _, err := owner.AddFeedback(t.Context(), &store.Feedback{App: "shop", Comment: "please be brief"})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-moved; err != nil {
		t.Fatal(err)
	}
	if _, err := r.FeedbackByID(t.Context(), "shop", f.ID); err != nil {
		t.Error(err)
	}

	if _, _, err := r.AddFeedback(t.Context(), &store.Feedback{App: "shop", Comment: "no"}); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "for reading only") {
		t.Errorf("a change by a reader: %v", err)
	}
	if err := r.WriteExchanges(t.Context(), first); !errors.Is(err, store.ErrLocked) {
		t.Errorf("exchanges by a reader: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	owner.write(t, "shop", 1, time.Now(), 10)
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, Options{})
	if gaps, err := again.Gaps(t.Context(), "shop"); err != nil || gaps != 0 {
		t.Errorf("%d gaps after a reader left, %v", gaps, err)
	}
}

// TestOpenReader_Refuses what is not there and what another version wrote, and makes
// no file.
func TestOpenReader_Refuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReader(t.Context(), dir, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it left %v, %v", left, err)
	}
	if err := open(t, dir, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, logFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`PRAGMA user_version = 99`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReader(t.Context(), dir, Options{}); !errors.Is(err, store.ErrUnknown) || !strings.Contains(err.Error(), logFile) {
		t.Errorf("another version: %v", err)
	}
}
