package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"heed/rules"
	"heed/store"
	"heed/store/storetest"
)

// slowest is how long any call may take during an outage: its time limit, and
// that of a connection that was being made.
const slowest = 3 * time.Second

// outage breaks a running server and mends it again.
type outage struct {
	breaks, mends func(*server)
	silent        bool // the server answers nothing that helps: what is known of it gets old
	passing       bool // it is over at once
}

// secret is the server's password before it changes.
const secret = "first-secret-word"

var outages = map[string]outage{
	"stopped": {breaks: (*server).stop, mends: (*server).start, silent: true},
	"paused":  {breaks: func(s *server) { s.signal(syscall.SIGSTOP) }, mends: func(s *server) { s.signal(syscall.SIGCONT) }, silent: true},
	"read-only": {
		breaks: func(s *server) {
			s.do("CONFIG", "SET", "replica-serve-stale-data", "yes")
			s.do("REPLICAOF", "127.0.0.1", "1")
		},
		mends: func(s *server) { s.do("REPLICAOF", "NO", "ONE") },
	},
	"a replica without its primary": {
		breaks: func(s *server) {
			s.do("CONFIG", "SET", "replica-serve-stale-data", "no")
			s.do("REPLICAOF", "127.0.0.1", "1")
		},
		mends:  func(s *server) { s.do("REPLICAOF", "NO", "ONE") },
		silent: true,
	},
	"full": {
		breaks: func(s *server) { s.do("CONFIG", "SET", "maxmemory", "1") },
		mends:  func(s *server) { s.do("CONFIG", "SET", "maxmemory", "0") },
	},
	"unable to save": {
		breaks: func(s *server) {
			s.do("CONFIG", "SET", "save", "3600 1000000") // it asks only servers that save
			if err := os.MkdirAll(filepath.Join(s.dir, "dump.rdb", "in the way"), 0o700); err != nil {
				s.tb.Fatal(err)
			}
			s.save("err")
		},
		mends: func(s *server) {
			if err := os.RemoveAll(filepath.Join(s.dir, "dump.rdb")); err != nil {
				s.tb.Fatal(err)
			}
			s.save("ok")
		},
	},
	"loading": {
		breaks: func(s *server) {
			s.do("CONFIG", "SET", "rdbcompression", "no")
			for i := range 1000 { // it answers between two of them only
				s.do("SET", fmt.Sprint("ballast-", i), strings.Repeat("x", 2000))
			}
			s.do("BGREWRITEAOF")
			s.await("the rewritten file", func() bool {
				return s.raw.InfoMap(context.Background(), "persistence").Item("Persistence", "aof_rewrite_in_progress") == "0"
			})
			s.stop()
			s.args = append(s.args, "--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
			s.start()
		},
		mends:  func(s *server) { s.do("CONFIG", "SET", "key-load-delay", "0") },
		silent: true,
	},
	"asking for a password": {
		breaks: func(s *server) { s.do("CONFIG", "SET", "requirepass", "other"); s.cut() },
		mends:  func(s *server) { s.do("CONFIG", "SET", "requirepass", "") },
		silent: true,
	},
	"refusing the password": {
		breaks: func(s *server) { s.do("ACL", "SETUSER", "app", ">other", "<"+secret); s.cut() },
		mends:  func(s *server) { s.do("ACL", "SETUSER", "app", ">"+secret) },
		silent: true,
	},
	"taking back rights": {
		breaks: func(s *server) { s.do("ACL", "SETUSER", "app", "-@all", "+@connection") },
		mends:  func(s *server) { s.do("ACL", "SETUSER", "app", "+@all") },
	},
	"busy with a script": {
		breaks: func(s *server) {
			s.do("CONFIG", "SET", "busy-reply-threshold", "10")
			c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket(), MaxRetries: -1, ReadTimeout: -1})
			s.tb.Cleanup(func() { _ = c.Close() })
			go c.Eval(context.Background(), "while true do end", nil) // ends with SCRIPT KILL
			s.await("the script", func() bool { return redis.HasErrorPrefix(s.raw.Ping(context.Background()).Err(), "BUSY") })
		},
		mends:  func(s *server) { s.do("SCRIPT", "KILL") },
		silent: true,
	},
	"without its replica": {
		breaks: func(s *server) { s.do("CONFIG", "SET", "min-replicas-to-write", "1") },
		mends:  func(s *server) { s.do("CONFIG", "SET", "min-replicas-to-write", "0") },
	},
	"disconnecting":   {breaks: (*server).cut, mends: func(*server) {}, passing: true},
	"scripts flushed": {breaks: func(s *server) { s.do("SCRIPT", "FLUSH") }, mends: func(*server) {}, passing: true},
}

// save makes the server save, and waits until it says that this ended so.
func (s *server) save(status string) {
	s.tb.Helper()
	s.do("BGSAVE")
	s.await("the end of saving", func() bool {
		info := s.raw.InfoMap(context.Background(), "persistence")
		return info.Item("Persistence", "rdb_bgsave_in_progress") == "0" && info.Item("Persistence", "rdb_last_bgsave_status") == status
	})
}

// do runs a command on the server's own connection.
func (s *server) do(args ...any) {
	s.tb.Helper()
	if err := s.raw.Do(context.Background(), args...).Err(); err != nil {
		s.tb.Fatalf("%v: %v", args, err)
	}
}

// cut ends every other client's connection.
func (s *server) cut() {
	s.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	s.do("CLIENT", "KILL", "TYPE", "pubsub")
}

// bounded fails when fn takes longer than an outage may make it.
func bounded(t *testing.T, what string, fn func() error) error {
	t.Helper()
	start := time.Now()
	err := fn()
	if took := time.Since(start); took > slowest {
		t.Errorf("%s took %s, at most %s", what, took, slowest)
	}
	return err
}

func rule(action string) rules.Rule {
	return rules.Rule{ID: "r_aaaaaaaaaaaaaaaaaaaaaaaaaa", Version: 1, App: "shop", State: rules.Active, Action: action, Scope: rules.Scope{Always: true}}
}

// publish puts a set with word statistics in force.
func publish(t *testing.T, s *Store, base rules.Epoch, action string) rules.Head {
	t.Helper()
	hash, err := s.PutBlob(t.Context(), "shop", []byte("words of "+action))
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.Publish(t.Context(), "shop", base, &rules.Set{App: "shop", Rules: []rules.Rule{rule(action)}, Stats: hash}, store.Audit{Actor: "ann", Action: "publish"})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// inForce reads all of what is in force, as a gateway does.
func inForce(s *Store) (rules.Head, error) {
	ctx := context.Background()
	h, err := s.Head(ctx, "shop")
	if err != nil {
		return h, err
	}
	set, err := s.Set(ctx, "shop", h.Hash)
	if err != nil {
		return h, err
	}
	_, err = s.Blob(ctx, "shop", set.Stats)
	return h, err
}

// With the server stopped, paused, read-only, full, loading, unable to save, or
// refusing the password: nothing hangs, feedback is acknowledged, what is in force stays (also across a
// restart of the process), and everything converges when the server is back.
func TestStore_Outages(t *testing.T) {
	for name, o := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, "--user", "app", "on", ">"+secret, "~*", "&*", "+@all")
			opt := srv.options(t)
			if name != "asking for a password" { // that is for those who have none
				opt.URL = "unix://app:" + secret + "@" + srv.socket()
			}
			var said syncBuffer
			opt.Log = slog.New(slog.NewTextHandler(&said, nil))
			reg := prometheus.NewRegistry()
			watched := opt
			watched.Registerer = reg
			s, other := open(t, watched), open(t, withDir(opt, t.TempDir()))
			want := publish(t, other, 0, "Be brief.")
			if h, err := inForce(s); err != nil || h != want {
				t.Fatalf("in force before: %v %v, want %v", h, err, want)
			}
			acked := say(t, s, 3, "before")
			o.breaks(srv)
			broken := time.Now()
			acked = append(acked, say(t, s, 5, "during")...)
			least := time.Since(broken).Seconds()
			if stale := metric(t, reg, "heed_redis_stale_seconds"); o.silent && stale < least {
				t.Errorf("stale for %v s, want %v or more", stale, least)
			}
			if n := metric(t, reg, "heed_redis_undelivered"); !o.passing && n != 5 {
				t.Errorf("undelivered %v, want 5", n)
			}
			checkInForce(t, s, want)
			err := bounded(t, "WriteExchanges", func() error { return s.WriteExchanges(context.Background(), []*store.Exchange{{ID: "x", App: "shop"}}) })
			if err == nil && !o.passing {
				t.Error("WriteExchanges: no error")
			}
			if err := bounded(t, "Health", func() error { return s.Health(context.Background()) }); (err == nil) != o.passing {
				t.Errorf("Health: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, watched)
			checkInForce(t, s, want)
			acked = append(acked, say(t, s, 5, "restarted")...)
			seq, _ := s.changes.now()
			o.mends(srv)
			if !o.passing {
				wait, cancel := context.WithTimeout(t.Context(), testWait)
				defer cancel()
				if _, err := s.Wait(wait, seq); err != nil {
					t.Errorf("Wait after the outage: %v", err)
				}
			}
			arrived(t, srv, other, acked)
			next := publish(t, other, 1, "Be kind.")
			srv.await("the next set", func() bool { h, err := inForce(s); return err == nil && h == next })
			srv.await("delivery", func() bool { return metric(t, reg, "heed_redis_undelivered") == 0 })
			if stale := metric(t, reg, "heed_redis_stale_seconds"); stale > slowest.Seconds() {
				t.Errorf("stale for %v s after the outage", stale)
			}
			if strings.Contains(said.String(), secret) {
				t.Errorf("the log tells the password: %s", said.String())
			}
		})
	}
}

// syncBuffer is a bytes.Buffer that a log writes while a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// metric is the value of a counter or gauge.
func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	fs, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fs {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// A server that answers slowly serves; one slower than the time limit counts as
// gone, and everything converges when it is fast again.
func TestStore_SlowServer(t *testing.T) {
	srv := startServer(t)
	proxy, url := startLossy(t, srv)
	opt := srv.options(t)
	other := open(t, withDir(opt, t.TempDir()))
	reg := prometheus.NewRegistry()
	opt.URL, opt.Registerer = url, reg
	s := open(t, opt)
	want := publish(t, other, 0, "Be brief.")
	proxy.delay.Store(int64(50 * time.Millisecond))
	if h, err := inForce(s); err != nil || h != want {
		t.Fatalf("in force at 50 ms: %v %v, want %v", h, err, want)
	}
	acked := say(t, s, 3, "slow")
	if err := s.Health(t.Context()); err != nil {
		t.Errorf("health at 50 ms: %v", err)
	}
	if n := metric(t, reg, "heed_redis_local_rules_total"); n != 0 {
		t.Errorf("%v reads were served from the local copy", n)
	}
	proxy.delay.Store(int64(2 * opt.withDefaults().Timeout))
	acked = append(acked, say(t, s, 3, "too slow")...)
	checkInForce(t, s, want)
	proxy.delay.Store(0)
	arrived(t, srv, other, acked)
	next := publish(t, other, 1, "Be kind.")
	srv.await("the next set", func() bool { h, err := inForce(s); return err == nil && h == next })
}

func withDir(opt Options, dir string) Options {
	opt.Dir = dir
	return opt
}

// say adds n feedback records and returns those that were acknowledged: all, for
// the journal has room.
func say(t *testing.T, s *Store, n int, when string) said {
	t.Helper()
	var acked said
	for i := range n {
		text := fmt.Sprint(when, i)
		err := bounded(t, "AddFeedback", func() error {
			f, created, err := s.AddFeedback(context.Background(), &store.Feedback{App: "shop", Source: "api", Key: text, Digest: text, Comment: text})
			if err == nil && !created {
				return errors.New("not created")
			}
			if err == nil {
				acked = append(acked, [2]string{f.ID, text})
			}
			return err
		})
		if err != nil {
			t.Errorf("feedback %s: %v", text, err)
		}
	}
	return acked
}

// said are ids and comments of acknowledged feedback.
type said [][2]string

func checkInForce(t *testing.T, s *Store, want rules.Head) {
	t.Helper()
	err := bounded(t, "reading what is in force", func() error {
		h, err := inForce(s)
		if err == nil && h != want {
			err = fmt.Errorf("got %v, want %v", h, want)
		}
		return err
	})
	if err != nil {
		t.Errorf("in force during the outage: %v", err)
	}
}

// arrived waits until every acknowledged record is on the server, and checks
// that each is there once and pending once.
func arrived(t *testing.T, srv *server, s *Store, acked said) {
	t.Helper()
	for _, a := range acked {
		srv.await("feedback "+a[1], func() bool {
			f, err := s.FeedbackByID(context.Background(), "shop", a[0])
			return err == nil && f.Comment == a[1]
		})
	}
	fs := storetest.Pending(t, s, "shop", store.MaxPage)
	seen := map[string]int{}
	for _, f := range fs {
		seen[f.Comment]++
	}
	if len(fs) != len(acked) {
		t.Errorf("%d records are pending, %d were acknowledged", len(fs), len(acked))
	}
	for _, a := range acked {
		if seen[a[1]] != 1 {
			t.Errorf("feedback %s is pending %d times", a[1], seen[a[1]])
		}
	}
}

// Feedback whose key another process used during the outage: the same digest is
// one record that both ids lead to; another digest keeps both.
func TestStore_AddFeedback_SameKeyDuringOutage(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	a, b := open(t, opt), open(t, withDir(opt, t.TempDir()))
	srv.stop()
	add := func(s *Store, digest string) *store.Feedback {
		t.Helper()
		f, created, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", Source: "api", Key: "k" + digest[:1], Digest: digest, Comment: digest})
		if err != nil || !created {
			t.Fatalf("digest %s: created %v, %v", digest, created, err)
		}
		return f
	}
	one, two := add(a, "1"), add(b, "1")
	three, four := add(a, "2"), add(b, "2 other")
	_, _, err := a.AddFeedback(t.Context(), &store.Feedback{App: "shop", Source: "api", Key: "k1", Digest: "9"})
	if !errors.Is(err, store.ErrReused) {
		t.Errorf("a key that this process knows, with another digest: %v", err)
	}
	if f, created, err := a.AddFeedback(t.Context(), &store.Feedback{App: "shop", Source: "api", Key: "k1", Digest: "1"}); err != nil || created || f.ID != one.ID {
		t.Errorf("the same again: %v %v %v", f, created, err)
	}
	srv.start()
	third := open(t, withDir(opt, t.TempDir()))
	read := func(id string) *store.Feedback {
		t.Helper()
		var f *store.Feedback
		srv.await("feedback", func() (ok bool) {
			var err error
			f, err = third.FeedbackByID(t.Context(), "shop", id)
			return err == nil
		})
		return f
	}
	if x, y := read(one.ID), read(two.ID); x.ID != y.ID {
		t.Errorf("the same feedback twice: %s and %s", x.ID, y.ID)
	}
	if x, y := read(three.ID), read(four.ID); x.Comment != "2" || y.Comment != "2 other" {
		t.Errorf("got %q and %q: what was acknowledged is lost", x.Comment, y.Comment)
	}
	if err := third.Retract(t.Context(), "shop", two.ID); err != nil {
		t.Errorf("retract by the second id: %v", err)
	}
}

// A server that comes back without its data gets again what was delivered lately,
// and does not take the rules out of force.
func TestStore_ServerLosesItsData(t *testing.T) {
	srv := startServer(t, "--appendonly", "no")
	opt := srv.options(t)
	s := open(t, opt)
	want := publish(t, s, 0, "Be brief.")
	if _, err := inForce(s); err != nil {
		t.Fatal(err)
	}
	acked := say(t, s, 5, "early")
	srv.stop()
	srv.start()
	arrived(t, srv, open(t, withDir(opt, t.TempDir())), acked)
	checkInForce(t, s, want)
	next := publish(t, s, want.Epoch, "Be kind.")
	if next.Epoch != want.Epoch+1 {
		t.Errorf("epoch %d after %d: epochs only grow", next.Epoch, want.Epoch)
	}
	srv.await("the next set", func() bool { h, err := inForce(s); return err == nil && h == next })
	if hs, err := s.Heads(t.Context(), "shop", 0); err != nil || len(hs) != 1 {
		t.Errorf("heads %v %v", hs, err)
	}
	if rs, err := s.RuleVersions(t.Context(), "shop", ""); err != nil || len(rs) != 1 {
		t.Errorf("rule versions %v %v", rs, err)
	}
}

// Without pub/sub a change is seen by polling.
func TestStore_Wait_PubSubBlocked(t *testing.T) {
	srv := startServer(t)
	srv.do("ACL", "SETUSER", "default", "resetchannels")
	opt := srv.options(t)
	s, other := open(t, opt), open(t, withDir(opt, t.TempDir()))
	for base := range rules.Epoch(3) {
		start := time.Now()
		want := publish(t, other, base, fmt.Sprint("Rule ", base, "."))
		srv.await("the set", func() bool {
			seq, _ := s.changes.now()
			h, err := inForce(s)
			return seq > 0 && err == nil && h == want
		})
		seq, _ := s.changes.now()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("epoch %d was seen after %s (number %d)", want.Epoch, took, seq)
		}
	}
	seq, err := s.Wait(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	publish(t, other, 3, "Last.")
	ctx, cancel := context.WithTimeout(t.Context(), testWait)
	defer cancel()
	if _, err := s.Wait(ctx, seq); err != nil || time.Since(start) > 2*time.Second {
		t.Errorf("Wait: %v after %s", err, time.Since(start))
	}
}

// The rights that the package comment names are enough.
func TestStore_LeastRights(t *testing.T) {
	srv := startServer(t)
	srv.do("ACL", "SETUSER", "app", "on", ">secret-word", "~t*", "&t*", "-@all", "+@read", "+@write", "+@scripting", "+@pubsub", "+@connection", "+time")
	opt := srv.options(t)
	opt.URL = "unix://app:secret-word@" + srv.socket()
	opt.Index = openIndex(t, t.TempDir())
	s := open(t, opt)
	if err := s.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	publish(t, s, 0, "Be brief.")
	if _, err := inForce(s); err != nil {
		t.Error(err)
	}
	if err := s.WriteExchanges(t.Context(), traffic("shop", 3)); err != nil {
		t.Error(err)
	}
	if xs, _, err := s.Exchanges(t.Context(), store.ExchangeFilter{App: "shop"}); err != nil || len(xs) != 3 {
		t.Errorf("%d exchanges: %v", len(xs), err)
	}
	reader := opt
	reader.Index = nil
	arrived(t, srv, open(t, withDir(reader, t.TempDir())), say(t, s, 3, "acl"))
	if err := s.NoteGap(t.Context(), "shop", 1); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := s.Backup(t.Context(), dir); err != nil {
		t.Error(err)
	}
	next := reader
	next.Dir, next.Prefix = t.TempDir(), "t-restored"
	if err := open(t, next).Restore(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if _, err := s.EraseUser(t.Context(), "shop", "ann", nil); err != nil {
		t.Error(err)
	}
	if err := s.Forget(t.Context(), "shop", store.Erased{Feedback: []string{"f"}}, store.Audit{Actor: "ann", Action: "erase"}); err != nil {
		t.Error(err)
	}
}
