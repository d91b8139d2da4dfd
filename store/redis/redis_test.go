package redis

import (
	"io"
	"log/slog"
	"testing"

	"heed/store"
	"heed/store/storetest"
)

// testLog shows what the store logs when the test is run with -v.
func testLog(tb testing.TB) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(tb.Output(), nil))
	}
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

// suite is a store that the contract's suite can close and open again.
type suite struct {
	*Store
	opt Options
}

func (s suite) Reopen(tb testing.TB) store.Store {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return suite{open(tb, s.opt), s.opt}
}

func TestStore_Contract(t *testing.T) {
	srv := startServer(t)
	storetest.Run(t, func(tb testing.TB) store.Store {
		opt := srv.options(tb)
		return suite{open(tb, opt), opt}
	})
}

// The same contract where exchanges are listed from an index.
func TestStore_ContractWithIndex(t *testing.T) {
	srv := startServer(t)
	storetest.Run(t, func(tb testing.TB) store.Store {
		opt := srv.options(tb)
		opt.Index = openIndex(tb, tb.TempDir())
		return suite{open(tb, opt), opt}
	})
}
