package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"heed/rules"
	"heed/store"
)

// The test binary runs itself again as a child that writes until it is killed,
// and tells on its standard output, line by line, what the store acknowledged.
const (
	childFolder = "HEED_TEST_CHILD" // the store's folder
	childCycle  = "HEED_TEST_CYCLE"
	childLimit  = "HEED_TEST_FILE_LIMIT" // bytes that a file may have before the disk counts as full
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// ledger is what a child said was acknowledged.
type ledger struct {
	feedback  map[string]string // key to id
	exchanges map[string]bool
	epoch     rules.Epoch
	refused   int // writes that the store refused
	recovered bool
	learned   bool
}

func newLedger() *ledger {
	return &ledger{feedback: map[string]string{}, exchanges: map[string]bool{}}
}

func (l *ledger) read(line string) error {
	f := strings.Fields(line)
	if len(f) == 0 {
		return nil
	}
	switch f[0] {
	case "feedback":
		if old := l.feedback[f[1]]; old != "" && old != f[2] {
			return fmt.Errorf("key %s was stored twice, as %s and %s", f[1], old, f[2])
		}
		l.feedback[f[1]] = f[2]
	case "exchange":
		l.exchanges[f[1]] = true
	case "head":
		n, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			return err
		}
		l.epoch = max(l.epoch, rules.Epoch(n))
	case "refused":
		l.refused++
	case "recovered":
		l.recovered = true
	}
	return nil
}

// child writes feedback, exchanges and rule sets for as long as it lives.
func child(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, dir, Options{})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	if limit := os.Getenv(childLimit); limit != "" {
		return childOnFullDisk(ctx, s, limit, say)
	}
	cycle := os.Getenv(childCycle)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%s-%d-%d", cycle, w, i/2) // each key twice, as a client that retries
				f, _, err := s.AddFeedback(ctx, &store.Feedback{App: "shop", Key: key, Digest: "d", Comment: "please be brief " + key})
				if err != nil {
					say("failed %v", err)
					os.Exit(1)
				}
				say("feedback %s %s", key, f.ID)
			}
		}()
	}
	go func() {
		for i := 0; ; i++ {
			xs := []*store.Exchange{benchExchange(i), benchExchange(i + 1)}
			if err := s.WriteExchanges(ctx, xs); err != nil {
				say("failed %v", err)
				os.Exit(1)
			}
			say("exchange %s\nexchange %s", xs[0].ID, xs[1].ID)
		}
	}()
	for {
		head, set, err := store.Current(ctx, s, "shop")
		if err != nil {
			return err
		}
		r := rules.Rule{ID: rules.NewID(), Version: 1, App: "shop", State: rules.Active, Action: "Be brief.", Scope: rules.Scope{AppliesWhen: "asked"}}
		ops := []rules.Operation{{Kind: rules.Add, Rule: &r}}
		for i := range set.Rules {
			if len(set.Rules) > 5 {
				ops = append(ops, rules.Operation{Kind: rules.Retire, IDs: []string{set.Rules[i].ID}})
			}
		}
		next, err := rules.Apply(set, ops)
		if err != nil {
			return err
		}
		if head, err = s.Publish(ctx, "shop", head.Epoch, next, store.Audit{Actor: "child", Action: "publish", Ops: ops}); err != nil {
			return err
		}
		say("head %d", head.Epoch)
	}
}

// run starts a child on the folder, lets it write for a while after its first
// word, and kills it; a child with a limit ends by itself.
func (l *ledger) run(t *testing.T, dir string, life time.Duration, env ...string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(append(os.Environ(), childFolder+"="+dir), env...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var kill *time.Timer
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err == nil { // a line that was cut off says nothing
			if strings.HasPrefix(line, "failed") {
				t.Error(line)
			}
			if err := l.read(line); err != nil {
				t.Error(err)
			}
		}
		if kill == nil && life > 0 {
			kill = time.AfterFunc(life, func() { cmd.Process.Kill() })
		}
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); life > 0 && (!ok || status.Signal() != syscall.SIGKILL) {
		t.Fatalf("the child ended by itself: %v %s", err, complaint.String())
	}
	if life == 0 && err != nil {
		t.Fatalf("the child failed: %v %s", err, complaint.String())
	}
}

// check compares the store with the ledger.
func (l *ledger) check(t *testing.T, s reopening) {
	t.Helper()
	ctx := t.Context()
	stored := map[string]string{}
	f := store.FeedbackFilter{App: "shop", Limit: store.MaxPage}
	for {
		fs, next, err := s.Feedback(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fs {
			if stored[f.Key] != "" {
				t.Errorf("key %s is stored twice", f.Key)
			}
			stored[f.Key] = f.ID
		}
		if f.After = next; next == "" {
			break
		}
	}
	for key, id := range l.feedback {
		if stored[key] != id {
			t.Errorf("feedback %s was acknowledged as %s, the store has %q", key, id, stored[key])
		}
	}
	head, set, err := store.Current(ctx, s, "shop")
	if err != nil || head.Epoch < l.epoch || set.Hash() != head.Hash && head.Epoch > 0 {
		t.Errorf("head %v (%v), epoch %d was acknowledged", head, err, l.epoch)
	}
	if bad, err := s.VerifyAudit(ctx, "shop"); bad != 0 || err != nil {
		t.Errorf("audit: entry %d does not fit, %v", bad, err)
	}
	for id := range l.exchanges { // kill -9 loses only what was not written yet
		if _, err := s.Exchange(ctx, "shop", id); err != nil {
			t.Errorf("exchange %s was written: %v", id, err)
		}
	}
}

// TestStore_Kill kills a writing process at random moments, ten times, or 300
// with HEED_SOAK set, and compares the folder with what was acknowledged.
func TestStore_Kill(t *testing.T) {
	cycles := 10
	if os.Getenv("HEED_SOAK") != "" {
		cycles = 300
	}
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	l := newLedger()
	var gaps int64
	for i := range cycles {
		l.run(t, dir, time.Duration(1+random.IntN(250))*time.Millisecond, fmt.Sprint(childCycle, "=", i))
		if i%10 != 9 && i != cycles-1 {
			continue // most starts are the child's own, on what the kill left
		}
		s := open(t, dir, Options{})
		l.check(t, s)
		n, err := s.Gaps(t.Context(), "shop")
		if err != nil || n <= gaps {
			t.Errorf("gap of %d after kills (%v), was %d", n, err, gaps)
		}
		gaps = n
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		l.exchanges = map[string]bool{} // checked; keep the list short
		if t.Failed() {
			t.Fatalf("seed %d, cycle %d", seed, i)
		}
	}
	t.Logf("%d kills, %d records acknowledged, %d heads", cycles, len(l.feedback), l.epoch)
	if len(l.feedback) < cycles || l.epoch == 0 {
		t.Errorf("only %d records and %d heads were acknowledged: the test proves nothing", len(l.feedback), l.epoch)
	}
}

// childOnFullDisk writes until the files may not grow any more, goes on for a
// while, gets room again, and writes on.
func childOnFullDisk(ctx context.Context, s *Store, limit string, say func(string, ...any)) error {
	signal.Ignore(unix.SIGXFSZ)
	bytes, err := strconv.ParseUint(limit, 10, 64)
	if err != nil {
		return err
	}
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: was.Max}); err != nil {
		return err
	}
	refused := 0
	for i := 0; refused < 20; i++ {
		x := benchExchange(i)
		x.Request = []byte(strings.Repeat(store.NewID(), 200))
		if err := s.WriteExchanges(ctx, []*store.Exchange{x}); err == nil {
			say("exchange %s", x.ID)
		}
		key := fmt.Sprint("full-", i)
		f, _, err := s.AddFeedback(ctx, &store.Feedback{App: "shop", Key: key, Digest: "d", Comment: strings.Repeat(key+" ", 300)})
		if err != nil {
			refused++
			say("refused %s", key)
			continue
		}
		say("feedback %s %s", key, f.ID)
	}
	if _, _, err := s.Feedback(ctx, store.FeedbackFilter{App: "shop"}); err != nil {
		return fmt.Errorf("reading on a full disk: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	for i := range 20 { // room again, without a restart
		key := fmt.Sprint("after-", i)
		f, _, err := s.AddFeedback(ctx, &store.Feedback{App: "shop", Key: key, Digest: "d", Comment: "yes"})
		if err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
		say("feedback %s %s", key, f.ID)
		x := benchExchange(i)
		if err := s.WriteExchanges(ctx, []*store.Exchange{x}); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
		say("exchange %s", x.ID)
	}
	if err := s.Health(ctx); err != nil {
		return err
	}
	say("recovered")
	return s.Close()
}

// TestStore_DiskFull lets a child's files hit a size limit at many places.
func TestStore_DiskFull(t *testing.T) {
	for _, limit := range []int{200_000, 331_776, 524_288, 700_001, 1_000_000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			dir := t.TempDir()
			l := newLedger()
			l.run(t, dir, 0, fmt.Sprint(childLimit, "=", limit))
			if l.refused == 0 || !l.recovered || len(l.feedback) < 21 {
				t.Fatalf("refused %d, recovered %v, acknowledged %d: the test proves nothing", l.refused, l.recovered, len(l.feedback))
			}
			l.check(t, open(t, dir, Options{}))
		})
	}
}

// TestStore_Full fills the files up to Options.MaxBytes.
func TestStore_Full(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{MaxBytes: 1 << 20})
	l := newLedger()
	var err error
	for i := 0; i < 10_000 && err == nil; i++ {
		var f *store.Feedback
		key := fmt.Sprint("k", i)
		f, _, err = s.AddFeedback(t.Context(), &store.Feedback{App: "shop", Key: key, Digest: "d", Comment: strings.Repeat(key+" ", 500)})
		if err == nil {
			l.feedback[key] = f.ID
		}
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("got %v after %d records, want %v", err, len(l.feedback), store.ErrFull)
	}
	l.check(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{})
	l.check(t, s)
	if _, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", Comment: "room again"}); err != nil {
		t.Fatal(err)
	}
}
