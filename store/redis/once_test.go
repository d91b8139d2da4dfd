package redis

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/rules"
	"heed/store"
	"heed/store/storetest"
)

// lossy stands between a store and its server: armed with a script's hash it lets
// that script through once and loses the reply, or all but its first half. It can
// also hold up every reply.
type lossy struct {
	armed atomic.Pointer[string]
	torn  atomic.Bool
	delay atomic.Int64 // of each reply
	lost  atomic.Int64
	wg    sync.WaitGroup
}

// startLossy listens on a socket in front of the server.
func startLossy(t *testing.T, srv *server) (*lossy, string) {
	t.Helper()
	l := &lossy{}
	path := filepath.Join(srv.dir, "p")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.wg.Go(func() { // ends with the listener
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			l.wg.Go(func() { l.relay(client, srv.socket()) })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); l.wg.Wait() }) // the store is closed by then
	return l, "unix://" + path
}

// relay copies both ways until one side ends, or a reply is lost.
func (l *lossy) relay(client net.Conn, socket string) {
	defer client.Close()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer server.Close()
	var losing atomic.Bool
	l.wg.Go(func() { // ends with the client's connection
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if err != nil {
				_ = server.Close()
				return
			}
			if sha := l.armed.Load(); sha != nil && bytes.Contains(buf[:n], []byte(*sha)) && l.armed.CompareAndSwap(sha, nil) {
				losing.Store(true)
			}
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil || losing.Load() {
			if err == nil {
				l.lost.Add(1)
				if l.torn.Load() {
					_, _ = client.Write(buf[:n/2])
				}
			}
			return
		}
		time.Sleep(time.Duration(l.delay.Load())) // this is the latency under test
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A change whose reply is lost is sent again and happens once.
func TestStore_LostReply_ChangesOnce(t *testing.T) {
	for _, torn := range []bool{false, true} {
		t.Run(fmt.Sprintf("torn=%v", torn), func(t *testing.T) { loseReplies(t, torn) })
	}
}

func loseReplies(t *testing.T, torn bool) {
	srv := startServer(t)
	proxy, url := startLossy(t, srv)
	proxy.torn.Store(torn)
	opt := srv.options(t)
	opt.URL = url
	s := open(t, opt)
	ctx := t.Context()
	changes := []struct {
		name   string
		script *redis.Script
		call   func() error
	}{
		{"NoteGap", countScript, func() error { return s.NoteGap(ctx, "shop", 3) }},
		{"AddAudit", auditScript, func() error { return s.AddAudit(ctx, store.Audit{App: "shop", Actor: "ann", Action: "look"}) }},
		{"AddFeedback", addScript, func() error {
			_, created, err := s.AddFeedback(ctx, &store.Feedback{App: "shop", Source: "api", Key: "k", Digest: "d", Comment: "once"})
			if err == nil && !created {
				err = errors.New("not created")
			}
			return err
		}},
		{"Commit", commitScript, func() error {
			return s.Commit(ctx, store.Changes{App: "shop", Findings: []*store.Finding{{ID: "f", App: "shop", Version: 1, State: "open"}}})
		}},
		{"Publish", publishScript, func() error {
			h, err := s.Publish(ctx, "shop", 0, &rules.Set{App: "shop", Rules: []rules.Rule{rule("Be brief.")}}, store.Audit{Actor: "ann", Action: "publish"})
			if err == nil && h.Epoch != 1 {
				err = fmt.Errorf("epoch %d", h.Epoch)
			}
			return err
		}},
		{"EraseUser", unsayScript, func() error {
			f, _, err := s.AddFeedback(ctx, &store.Feedback{App: "other", Source: "api", User: "ann", Comment: "once"})
			if err != nil {
				return err
			}
			if e, err := s.EraseUser(ctx, "other", "ann", nil); err != nil || len(e.Feedback) != 1 || e.Feedback[0] != f.ID {
				return fmt.Errorf("erased %+v, %v", e, err)
			}
			return nil
		}},
		{"WriteExchanges", logScript, func() error { return s.WriteExchanges(ctx, []*store.Exchange{{ID: "x", App: "shop"}}) }},
	}
	for _, c := range changes {
		if err := c.script.Load(ctx, srv.raw).Err(); err != nil { // so that the first reply is not NOSCRIPT
			t.Fatal(err)
		}
		before := proxy.lost.Load()
		sha := c.script.Hash()
		proxy.armed.Store(&sha)
		if err := c.call(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		proxy.armed.Store(nil)
		if proxy.lost.Load() == before {
			t.Errorf("%s: no reply was lost: the case tests nothing", c.name)
		}
	}
	changedOnce(t, s)
}

// changedOnce checks that every change of loseReplies is there once.
func changedOnce(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	if n, err := s.Gaps(ctx, "shop"); err != nil || n != 3 {
		t.Errorf("gaps %d %v, want 3", n, err)
	}
	as, _, err := s.Audits(ctx, store.AuditFilter{App: "shop"})
	if err != nil || len(as) != 2 {
		t.Errorf("%d audit entries %v, want one and the publication's", len(as), err)
	}
	if first, err := s.VerifyAudit(ctx, "shop"); err != nil || first != 0 {
		t.Errorf("the chain breaks at %d: %v", first, err)
	}
	if fs, _, err := s.Feedback(ctx, store.FeedbackFilter{App: "shop"}); err != nil || len(fs) != 1 {
		t.Errorf("%d feedback records %v, want 1", len(fs), err)
	}
	if xs, _, err := s.Exchanges(ctx, store.ExchangeFilter{App: "shop"}); err != nil || len(xs) != 1 {
		t.Errorf("%d exchanges %v, want 1", len(xs), err)
	}
}

// A learner that is gone, or was paused, loses its lease to a peer; when it comes
// back, what it was about to do is refused, also after the peer is through.
func TestStore_Lead_TakesOverFromDeadPeer(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	paused, peer := open(t, opt), open(t, withDir(opt, t.TempDir()))
	f, _, err := paused.AddFeedback(t.Context(), &store.Feedback{App: "shop", Source: "api", Comment: "once"})
	if err != nil {
		t.Fatal(err)
	}
	first := storetest.Lead(t, paused, "shop", "paused")
	if fs, err := paused.Pending(t.Context(), "shop", first, 10); err != nil || len(fs) != 1 || fs[0].Given {
		t.Fatalf("pending: %+v %v", fs, err)
	}
	var second store.Lease
	srv.await("the lease's end", func() bool {
		second, err = peer.Lead(t.Context(), "shop", store.Lease{Worker: "peer"})
		return err == nil && second.Epoch > 0
	})
	if second.Epoch != first.Epoch+1 {
		t.Errorf("lease %+v after %+v", second, first)
	}
	if fs, err := peer.Pending(t.Context(), "shop", second, 10); err != nil || len(fs) != 1 || !fs[0].Given {
		t.Fatalf("pending for the peer: %+v %v, want what the first had", fs, err)
	}
	commit := func(s *Store, l store.Lease) error {
		return s.Commit(t.Context(), store.Changes{App: "shop", Lease: l, Handled: []store.Handled{{Feedback: f.ID}},
			Findings: []*store.Finding{{ID: "of " + l.Worker, App: "shop", Version: 1, State: "open"}}})
	}
	if err := commit(paused, first); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the first learner commits what the peer has: %v", err)
	}
	if err := commit(peer, second); err != nil {
		t.Errorf("the peer: %v", err)
	}
	if err := commit(paused, first); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the first learner commits what the peer handled: %v", err)
	}
	if _, err := paused.Publish(t.Context(), "shop", 0, &rules.Set{App: "shop"}, store.Audit{Actor: "learner", Action: "refresh", Lease: first}); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the first learner publishes: %v", err)
	}
	if fs, _, err := peer.Findings(t.Context(), store.FindingFilter{App: "shop"}); err != nil || len(fs) != 1 {
		t.Errorf("%d findings %v: the effect must be there once", len(fs), err)
	}
}

// What a learner of an earlier version had claimed is pending.
func TestStore_Pending_AfterClaims(t *testing.T) {
	srv := startServer(t)
	s := open(t, srv.options(t))
	f, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", Source: "api", Comment: "once"})
	if err != nil {
		t.Fatal(err)
	}
	srv.do("ZREM", s.base("shop")+"fd", f.ID)
	srv.do("ZADD", s.base("shop")+"fc", fmt.Sprint(time.Now().Add(time.Hour).UnixMilli()), f.ID)
	srv.do("HSET", s.base("shop")+"fw", f.ID, "old")
	for range 2 {
		if fs := storetest.Pending(t, s, "shop", 10); len(fs) != 1 || fs[0].ID != f.ID {
			t.Fatalf("pending %+v, want the claimed record", fs)
		}
	}
	if n := srv.raw.Exists(t.Context(), s.base("shop")+"fc", s.base("shop")+"fw").Val(); n != 0 {
		t.Errorf("%d keys of claims are left", n)
	}
}

// Several learners on one server, of which each app has one at a time, handle
// every record once between them; 100,000 with HEED_SOAK.
func TestStore_Pending_ManyWorkersOnce(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	n := 320
	if os.Getenv("HEED_SOAK") != "" {
		n = 100_000
	}
	s := open(t, opt)
	const apps = 3
	start := time.Now()
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := w; i < n; i += 32 {
				if _, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: fmt.Sprint("app", i%apps), Source: "api", Comment: fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	added := time.Now()
	o := &once{seen: map[string]int{}}
	for w := range 4 {
		peer := open(t, withDir(opt, t.TempDir()))
		wg.Go(func() {
			for o.handled() < n && !t.Failed() {
				led := false
				for i := range apps {
					led = o.lead(t, peer, fmt.Sprint("app", (w+i)%apps), fmt.Sprint("w", w)) || led
				}
				if !led {
					time.Sleep(10 * time.Millisecond) // between two looks for a lease: nothing tells
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d records added in %v, handled in %v", n, added.Sub(start), time.Since(added))
	for text, k := range o.seen {
		if k != 1 {
			t.Errorf("record %s was handled %d times", text, k)
		}
	}
	if len(o.seen) != n {
		t.Errorf("%d records were handled, want %d", len(o.seen), n)
	}
}

// once counts how often each record was handled.
type once struct {
	mu   sync.Mutex
	seen map[string]int
}

func (o *once) handled() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seen)
}

// lead handles what is pending of the app if the worker gets its lease, gives that
// back, and reports whether it got it.
func (o *once) lead(t *testing.T, s *Store, app, worker string) bool {
	l, err := s.Lead(t.Context(), app, store.Lease{Worker: worker})
	if err != nil {
		t.Error(err)
	}
	for left := l.Epoch > 0; left; {
		left = o.batch(t, s, app, l)
		if renewed, err := s.Lead(t.Context(), app, l); err != nil || renewed != l {
			t.Errorf("lease %+v renewed as %+v: %v", l, renewed, err)
		}
	}
	if err := s.Yield(t.Context(), app, l); err != nil {
		t.Error(err)
	}
	return l.Epoch > 0
}

// batch handles some of what is pending and reports whether there was any.
func (o *once) batch(t *testing.T, s *Store, app string, l store.Lease) bool {
	fs, err := s.Pending(t.Context(), app, l, 64)
	if err != nil {
		t.Error(err)
	}
	for _, f := range fs {
		if err := s.Commit(t.Context(), store.Changes{App: app, Lease: l, Handled: []store.Handled{{Feedback: f.ID}}}); err != nil {
			t.Errorf("commit: %v", err)
		}
		o.mu.Lock()
		o.seen[f.Comment]++
		o.mu.Unlock()
	}
	return len(fs) > 0 && !t.Failed()
}

// Two publishers on one server: one wins each epoch, and the audit trail holds
// both's entries in one chain.
func TestStore_Publish_Races(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	var wg sync.WaitGroup
	var won atomic.Int64
	s := open(t, opt)
	for w := range 3 {
		peer := open(t, withDir(opt, t.TempDir()))
		wg.Go(func() {
			for i := range 15 {
				h, err := peer.Head(t.Context(), "shop")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = peer.Publish(t.Context(), "shop", h.Epoch, &rules.Set{App: "shop", Rules: []rules.Rule{rule(fmt.Sprint("Rule ", w, i, "."))}}, store.Audit{Actor: "ann", Action: "publish"})
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
				if err := peer.AddAudit(t.Context(), store.Audit{App: "shop", Actor: "ben", Action: "look"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	h, err := s.Head(t.Context(), "shop")
	if err != nil || int64(h.Epoch) != won.Load() {
		t.Errorf("epoch %d after %d publications: %v", h.Epoch, won.Load(), err)
	}
	if first, err := s.VerifyAudit(t.Context(), "shop"); err != nil || first != 0 {
		t.Errorf("the chain breaks at %d: %v", first, err)
	}
	as, _, err := s.Audits(t.Context(), store.AuditFilter{App: "shop", Limit: store.MaxPage})
	if err != nil || int64(len(as)) != won.Load()+45 {
		t.Errorf("%d entries, want %d and 45: %v", len(as), won.Load(), err)
	}
}

// A changed, deleted or moved entry of the audit trail is named.
func TestStore_VerifyAudit_NamesTheFirstBad(t *testing.T) {
	for name, tamper := range map[string]struct {
		how  func(srv *server, key string)
		want int64
	}{
		"edited": {func(srv *server, key string) {
			v := srv.raw.HGet(srv.tb.Context(), key+"au", "3").Val()
			srv.do("HSET", key+"au", "3", strings.Replace(v, "ann", "bob", 1))
		}, 3},
		"deleted": {func(srv *server, key string) { srv.do("HDEL", key+"au", "4") }, 4},
		"swapped": {func(srv *server, key string) {
			a, b := srv.raw.HGet(srv.tb.Context(), key+"au", "2").Val(), srv.raw.HGet(srv.tb.Context(), key+"au", "3").Val()
			srv.do("HSET", key+"au", "2", b, "3", a)
		}, 2},
		"cut off": {func(srv *server, key string) {
			v := srv.raw.HGet(srv.tb.Context(), key+"au", "4").Val()
			hash, _, _ := strings.Cut(v, " ")
			srv.do("SET", key+"ah", "4 "+hash)
		}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			s := open(t, srv.options(t))
			for range 5 {
				if err := s.AddAudit(t.Context(), store.Audit{App: "shop", Actor: "ann", Action: "look"}); err != nil {
					t.Fatal(err)
				}
			}
			tamper.how(srv, s.base("shop"))
			if first, err := s.VerifyAudit(t.Context(), "shop"); err != nil || first != tamper.want {
				t.Errorf("got %d %v, want %d", first, err, tamper.want)
			}
		})
	}
}
