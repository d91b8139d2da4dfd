package sqlite

import (
	"testing"

	"heed/store"
	"heed/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(tb testing.TB) store.Store { return open(tb, tb.TempDir(), Options{}) })
}

// reopening is a store that the suite can close and open again.
type reopening struct{ *Store }

// Reopen implements storetest.Reopener.
func (r reopening) Reopen(tb testing.TB) store.Store {
	tb.Helper()
	if err := r.Close(); err != nil {
		tb.Fatal(err)
	}
	return open(tb, r.dir, r.opt)
}

// open opens a store that is closed with the test.
func open(tb testing.TB, dir string, opt Options) reopening {
	tb.Helper()
	s, err := Open(tb.Context(), dir, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() }) // ErrClosed when the test closed it
	return reopening{s}
}
