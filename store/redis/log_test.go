package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// traffic makes n exchanges whose bodies do not compress.
func traffic(app string, n int) []*store.Exchange {
	xs := make([]*store.Exchange, n)
	for i := range xs {
		body := make([]byte, 2000)
		for j := range body {
			body[j] = byte(rand.N(256))
		}
		xs[i] = &store.Exchange{ID: store.NewID(), App: app, ResponseID: fmt.Sprint("resp_", i), Time: time.Now().Add(time.Duration(i) * time.Millisecond), Request: body, Query: fmt.Sprint("question ", i)}
	}
	return xs
}

// The stream stays within its limits, in number and in bytes, and keeps the newest.
func TestStore_WriteExchanges_Bounded(t *testing.T) {
	for name, set := range map[string]func(*Options){
		"number": func(o *Options) { o.LogExchanges = 200 },
		"bytes":  func(o *Options) { o.LogBytes = 400 << 10 },
	} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			opt := srv.options(t)
			set(&opt)
			s := open(t, opt)
			xs := traffic("shop", 640)
			for i := 0; i < len(xs); i += 64 {
				if err := s.WriteExchanges(t.Context(), xs[i:i+64]); err != nil {
					t.Fatal(err)
				}
			}
			got, _, err := s.Exchanges(t.Context(), store.ExchangeFilter{App: "shop", Limit: store.MaxPage})
			if err != nil || len(got) < 128 || len(got) > 200 || got[0].ID != xs[639].ID {
				t.Errorf("%d exchanges are listed: %v", len(got), err)
			}
			if n := srv.raw.XLen(t.Context(), s.base("shop")+"x").Val(); n > 3 {
				t.Errorf("the stream has %d chunks", n)
			}
			keys := srv.raw.DBSize(t.Context()).Val()
			if most := int64(2*len(got) + 10); keys > most {
				t.Errorf("%d keys for %d exchanges, at most %d", keys, len(got), most)
			}
			if n := srv.raw.MemoryUsage(t.Context(), s.base("shop")+"x").Val(); n > 600<<10 {
				t.Errorf("the stream has %d bytes", n)
			}
			if _, err := s.Exchange(t.Context(), "shop", xs[0].ID); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the oldest: %v, want %v", err, store.ErrNotFound)
			}
			if x, err := s.Exchange(t.Context(), "shop", xs[639].ID); err != nil || len(x.Request) != 2000 {
				t.Errorf("the newest: %v", err)
			}
		})
	}
}

// An index keeps what the stream has let go, counts what it did not see in time,
// and goes on after a restart where it stopped.
func TestIndex_FollowsAndCountsGaps(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	opt.LogExchanges = 128
	writer := open(t, opt)
	indexed := withDir(opt, t.TempDir())
	index := openIndex(t, t.TempDir())
	indexed.Index = index
	admin := open(t, indexed)
	count := func() int {
		n, after := 0, ""
		for {
			xs, next, err := admin.Exchanges(t.Context(), store.ExchangeFilter{App: "shop", Limit: store.MaxPage, After: after})
			if err != nil {
				t.Fatal(err)
			}
			n += len(xs)
			if after = next; next == "" {
				return n
			}
		}
	}
	write := func(n int) {
		t.Helper()
		for range n {
			if err := writer.WriteExchanges(t.Context(), traffic("shop", 64)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for want := 64; want <= 640; want += 64 { // read as it comes: nothing is lost
		write(1)
		if got := count(); got != want {
			t.Fatalf("listed %d, want %d", got, want)
		}
	}
	if err := admin.Close(); err != nil {
		t.Fatal(err)
	}
	write(5) // three of the five leave the stream unread
	admin = open(t, indexed)
	if got := count(); got != 640+128 {
		t.Errorf("listed %d after the restart, want %d", got, 640+128)
	}
	if n, err := admin.Gaps(t.Context(), "shop"); err != nil || n != 3*64 {
		t.Errorf("gaps %d %v, want %d", n, err, 3*64)
	}
	srv.stop() // and the index still answers
	if got := count(); got != 640+128 {
		t.Errorf("listed %d without the server", got)
	}
}

// A damaged copy of a rule set is not used; a head is served only with its set.
func TestCopies_DamageAndOrder(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	s := open(t, opt)
	first := publish(t, s, 0, "Be brief.")
	if _, err := inForce(s); err != nil {
		t.Fatal(err)
	}
	publish(t, s, 1, "Be kind.")
	if _, err := s.Head(t.Context(), "shop"); err != nil { // seen, but its set is not read
		t.Fatal(err)
	}
	srv.stop()
	if h, err := inForce(s); err != nil || h != first {
		t.Errorf("in force %v %v, want the one that is there as a whole: %v", h, err, first)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(opt.Dir, "rules", "app-shop", first.Hash+".set")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, opt)
	if h, err := s.Head(t.Context(), "shop"); err == nil {
		t.Errorf("a head without its set was served: %v", h)
	}
	srv.start()
	srv.await("the set from the server", func() bool { h, err := inForce(s); return err == nil && h.Epoch == 2 })
	if set, err := s.Set(t.Context(), "shop", first.Hash); err != nil || set.Rules[0].Action != "Be brief." {
		t.Errorf("the damaged copy's set: %v", err)
	}
}

// A set that was changed on the server is refused.
func TestStore_Set_ChangedOnTheServer(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	s := open(t, opt)
	h := publish(t, s, 0, "Be brief.")
	key := s.base("shop")
	doc := srv.raw.HGet(t.Context(), key+"s", h.Hash).Val()
	srv.do("HSET", key+"s", h.Hash, doc[:len(doc)-1])
	reader := open(t, withDir(opt, t.TempDir()))
	if _, err := reader.Set(t.Context(), "shop", h.Hash); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("got %v, want %v", err, store.ErrCorrupt)
	}
}

// Names of apps that mean something to a file system, to Redis or in a URL stay
// apart, and in their folder.
func TestStore_OddAppNames(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	s := open(t, opt)
	apps := []string{"..", ".", "a/../b", "{a:x}", "a}b", "*", "ä ö", "a\x00b", "A", "a"}
	for i, app := range apps {
		set := &rules.Set{App: app, Rules: []rules.Rule{rule(fmt.Sprint("Rule ", i, "."))}}
		set.Rules[0].App = app
		if _, err := s.Publish(t.Context(), app, 0, set, store.Audit{Actor: "ann", Action: "publish"}); err != nil {
			t.Fatalf("app %q: %v", app, err)
		}
	}
	for i, app := range apps {
		_, set, err := store.Current(context.Background(), s, app)
		if err != nil || set.Rules[0].Action != fmt.Sprint("Rule ", i, ".") {
			t.Errorf("app %q: %v %v", app, set, err)
		}
	}
	outside, err := filepath.Glob(filepath.Join(filepath.Dir(opt.Dir), "*"))
	if err != nil || len(outside) != 1 {
		t.Errorf("files beside the folder: %v %v", outside, err)
	}
	if names, err := s.Apps(t.Context()); err != nil || len(names) != len(apps) {
		t.Errorf("apps %q %v", names, err)
	}
}
