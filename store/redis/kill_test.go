package redis

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"heed/store"
	"heed/store/storetest"
)

// asWriter makes the test binary a process that adds feedback and prints what was
// acknowledged until it is killed; its value is the options as JSON.
const asWriter = "HEED_TEST_REDIS_WRITER"

func TestMain(m *testing.M) {
	if opt := os.Getenv(asWriter); opt != "" {
		if err := write(opt); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

type writerOptions struct {
	URL, Dir, Prefix, Round string
}

func write(text string) error {
	var o writerOptions
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	s, err := Open(context.Background(), Options{
		URL: o.URL, Dir: o.Dir, Prefix: o.Prefix, Timeout: 200 * time.Millisecond, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return err
	}
	for w := range 4 { // together, so that they share fsyncs
		go func() {
			for i := 0; ; i++ {
				text := fmt.Sprint(o.Round, "-", w, "-", i)
				f, _, err := s.AddFeedback(context.Background(), &store.Feedback{App: "shop", Source: "api", Key: text, Digest: "d", Comment: text})
				if err == nil {
					fmt.Println(f.ID, text) // one write each: the ledger outside
				}
			}
		}()
	}
	select {} // until it is killed
}

// Killed at random moments, while the server comes and goes: what was acknowledged
// is there, once, and handled once.
func TestKill_AcknowledgedFeedbackIsThereOnce(t *testing.T) {
	rounds := 10
	if os.Getenv("HEED_SOAK") != "" {
		rounds = 300
	}
	srv := startServer(t)
	opt := srv.options(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	ledger := map[string]string{} // comment to id
	for round := range rounds {
		writeAndKill(t, srv, opt, fmt.Sprint(round), random, ledger)
	}
	s := open(t, opt) // delivers what the last one left
	srv.await("delivery", func() bool { _, n := s.out.oldest(); return n == 0 })
	reader := open(t, withDir(opt, t.TempDir()))
	seen := map[string]int{}
	for {
		fs := storetest.Pending(t, reader, "shop", store.MaxPage)
		if len(fs) == 0 {
			break
		}
		c := store.Changes{App: "shop"}
		for _, f := range fs {
			seen[f.Comment]++
			c.Handled = append(c.Handled, store.Handled{Feedback: f.ID})
			if id := ledger[f.Comment]; id != "" && id != f.ID {
				t.Errorf("feedback %s has id %s, acknowledged was %s", f.Comment, f.ID, id)
			}
		}
		if err := reader.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	lost, twice := 0, 0
	for text := range ledger {
		if seen[text] == 0 {
			lost++
		}
	}
	for _, n := range seen {
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d rounds: %d acknowledged, %d stored, %d lost, %d twice", rounds, len(ledger), len(seen), lost, twice)
	if lost > 0 || twice > 0 || len(ledger) == 0 {
		t.Errorf("%d of %d acknowledged are lost, %d are there twice", lost, len(ledger), twice)
	}
}

// writeAndKill runs a writer for a moment, with the server away for a part of it
// in some rounds, and adds what it acknowledged to the ledger.
func writeAndKill(t *testing.T, srv *server, opt Options, round string, random *rand.Rand, ledger map[string]string) {
	t.Helper()
	b, err := json.Marshal(writerOptions{opt.URL, opt.Dir, opt.Prefix, round})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asWriter+"="+string(b))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	count := 1 + random.IntN(150) // acknowledgements before the kill: an event, not a time
	outage := random.IntN(3)      // 0: none, 1: paused from the start, 2: killed halfway
	if outage == 1 {
		srv.signal(syscall.SIGSTOP)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		id, text, ok := strings.Cut(lines.Text(), " ")
		if ok && len(id) == 36 && strings.Count(text, "-") == 2 {
			ledger[text] = id
		}
		if n == count/2 && outage == 2 {
			srv.stop()
		}
		if n == count {
			_ = cmd.Process.Kill() // and read on what it printed before
		}
	}
	_ = cmd.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("writer: %s", &stderr)
	}
	switch outage {
	case 1:
		srv.signal(syscall.SIGCONT)
	case 2:
		srv.start()
	}
}
