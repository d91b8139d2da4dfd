package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// A line that is no record ends the import with its number; what editors add to a
// file is no such line.
func TestImport_OddLines(t *testing.T) {
	const chat = `{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]`
	for _, c := range []struct{ file, want string }{
		{"\ufeff" + chat + "}\r\n\r\n  \n" + chat + "}", "2 records"},
		{chat + "}\n\n" + `{"exchange":{"query":"no id"}}`, "line 3: exchange \"\" of app"},
		{`{"feedback":{"rating":-1,"comment":"no id"}}`, "line 1: feedback: want its id"},
		{`{"feedback":{"id":"f1","rating":1.5}}`, "line 1: rating 1.5"},
		{chat + "}\n" + chat + `,"rating":5}`, "line 2: rating 5"},
		{chat + "}\n" + chat + `,"rating":"up"}`, "line 2: json"},
		{chat + "}\n" + chat + `,"comment":"` + strings.Repeat("x", store.MaxTextBytes+1) + `"}`, "line 2: feedback comment has 4097 bytes"},
		{chat + "}\n" + `{"a":"` + strings.Repeat("x", maxLine) + `"}`, "line 2: longer than 8 MiB"},
		{chat + "}\n[1]", "line 2: json"},
		{chat + "}\n" + chat + "} and more", "line 2: invalid character"},
		{chat + "}\n" + `{"messages":[]}`, "line 2: messages: empty"},
		{chat + "}\n{}", "line 2: want one of"},
	} {
		path := filepath.Join(t.TempDir(), "odd.jsonl")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out := importFile(t, path, t.TempDir())
		if !strings.Contains(out, c.want) || (code == 0) != strings.HasSuffix(c.want, "records") {
			t.Errorf("%.120q: exit code %d, %s; want %s", c.file, code, out, c.want)
		}
	}
}
