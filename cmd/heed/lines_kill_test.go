package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"heed/store"
)

// An import that kill -9 ends at a random moment is completed by running it again:
// every record is there once (issue 4).
func TestImport_Killed(t *testing.T) {
	const records = 1000
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	var lines bytes.Buffer
	for i := range records {
		fmt.Fprintf(&lines, `{"messages":[{"role":"user","content":"Where is parcel %d?"},{"role":"assistant","content":"On its way."}],"rating":%d,"comment":"say when %d","user":"u%d"}`+"\n",
			i, i%2*2-1, i, i%9)
	}
	file, data := filepath.Join(t.TempDir(), "chats.jsonl"), t.TempDir()
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	killed := 0
	for range 6 {
		cmd := exec.Command(os.Args[0], "import", "--app", "shop", "--store", data, file)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(30+random.IntN(400))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		if kill.Stop(); cmd.ProcessState.ExitCode() == -1 {
			killed++
		}
	}
	if code, out := importFile(t, file, data); code != 0 || out != fmt.Sprintln(2*records, "records") {
		t.Fatalf("seed %d: import: exit code %d, %s", seed, code, out)
	}
	s := imported(t, data)
	defer s.Close()
	var xs, fs int
	judged := map[string]bool{}
	f := store.ExchangeFilter{App: "shop", Limit: 400}
	for {
		page, next, err := s.Exchanges(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		xs += len(page)
		if f.After = next; next == "" {
			break
		}
	}
	g := store.FeedbackFilter{App: "shop", Limit: 400}
	for {
		page, next, err := s.Feedback(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page {
			fs++
			judged[f.ExchangeID] = true
			if _, err := s.Exchange(t.Context(), "shop", f.ExchangeID); err != nil {
				t.Error(err)
			}
		}
		if g.After = next; next == "" {
			break
		}
	}
	if xs != records || fs != records || len(judged) != records {
		t.Errorf("seed %d: %d exchanges, %d records on %d of them, want %d of each", seed, xs, fs, len(judged), records)
	}
	if killed == 0 {
		t.Error("no import was killed: the test proves nothing")
	}
	t.Logf("%d of 6 imports were killed", killed)
}
