package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/store"
	"heed/store/sqlite"
)

// testWait bounds every wait in these tests; it is generous because CI machines
// are slow, and never slept through.
const testWait = 60 * time.Second

// server is a redis-server of one test, on a socket in a folder of its own.
type server struct {
	tb   testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
	raw  *redis.Client // for the test's own looks
}

// startServer starts redis-server; without one the test is skipped, in CI it
// fails.
func startServer(tb testing.TB, args ...string) *server {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatal("redis-server is not installed")
		}
		tb.Skip("redis-server is not installed: the Redis store is NOT tested")
	}
	dir, err := os.MkdirTemp("", "heed") // a socket's path must be short
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{tb: tb, dir: dir, args: args}
	s.raw = redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket(), MaxRetries: -1})
	tb.Cleanup(func() {
		s.stop()
		_ = s.raw.Close()
		_ = os.RemoveAll(dir)
	})
	s.start()
	return s
}

func (s *server) socket() string { return filepath.Join(s.dir, "s") }
func (s *server) url() string    { return "unix://" + s.socket() }

// start runs the server, again after stop, and waits until it answers.
func (s *server) start() {
	s.tb.Helper()
	args := append([]string{"--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always"}, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	s.await("redis-server", func() bool {
		err := s.raw.Ping(context.Background()).Err()
		return err == nil || redis.IsAuthError(err) || redis.IsLoadingError(err)
	})
}

// stop kills the server, if it runs.
func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGCONT)
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) signal(sig syscall.Signal) {
	s.tb.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatal(err)
	}
}

// await polls over the network until ok.
func (s *server) await(what string, ok func() bool) {
	s.tb.Helper()
	deadline := time.Now().Add(testWait)
	for !ok() {
		if time.Now().After(deadline) {
			s.tb.Fatalf("%s: not within %s", what, testWait)
		}
		time.Sleep(5 * time.Millisecond) // between two looks from outside; no event crosses processes
	}
}

var prefixes atomic.Int64

// options are of a fresh store on the server: keys and folder of its own.
func (s *server) options(tb testing.TB) Options {
	return Options{URL: s.url(), Dir: tb.TempDir(), Prefix: fmt.Sprint("t", prefixes.Add(1)), Log: testLog(tb)}
}

// open opens a store and closes it with the test.
func open(tb testing.TB, opt Options) *Store {
	tb.Helper()
	s, err := Open(context.Background(), opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

// openIndex opens an index; it is closed after every store that was opened later.
func openIndex(tb testing.TB, dir string) *sqlite.Store {
	tb.Helper()
	x, err := sqlite.Open(context.Background(), dir, sqlite.Options{Log: testLog(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = x.Close() })
	return x
}

// withoutIndex are the options of a process that lists from the stream.
func withoutIndex(opt Options) Options {
	opt.Index = nil
	return opt
}
