package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"heed/internal/simulate"
	"heed/store"
	"heed/store/sqlite"
)

// imported opens a store that a command filled.
func imported(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// everything reads all exchanges, by id, and all feedback, oldest first.
func everything(t *testing.T, s *sqlite.Store) (map[string]*store.Exchange, []*store.Feedback) {
	t.Helper()
	xs, next, err := s.Exchanges(t.Context(), store.ExchangeFilter{App: "shop", Bodies: true, Limit: store.MaxPage})
	if err != nil || next != "" {
		t.Fatalf("exchanges: %v, next %q", err, next)
	}
	fs, next, err := s.Feedback(t.Context(), store.FeedbackFilter{App: "shop", Limit: store.MaxPage})
	if err != nil || next != "" {
		t.Fatalf("feedback: %v, next %q", err, next)
	}
	out := map[string]*store.Exchange{}
	for _, x := range xs {
		out[x.ID] = x
	}
	return out, fs
}

// exported runs a program with exchanges and feedback of every kind, exports it
// while it runs, and returns the file and the program's data folder after its end.
func exported(t *testing.T) (file, data string) {
	t.Helper()
	_, upstream := model(t, simulate.Options{})
	p := start(t, config(t, t.TempDir(), upstream, ""))
	var last reply
	for i, q := range simulate.Questions("shipping") {
		last = p.ask("gpt-4o", shopPrompt, q, i%2 == 0, as("ann"))
	}
	other := p.ask("gpt-4o", shopPrompt, "Do you have <b>ümläuts</b>?", true, as("ben"))
	p.say(last, map[string]any{"rating": 1})
	p.say(last, map[string]any{"rating": -1, "comment": "Never say soon."}) // supersedes the thumb
	_, taken := p.say(other, map[string]any{"rating": -1, "correction": "Yes.", "labels": []string{"short"}})
	if err := p.api().call(t.Context(), http.MethodPost, "feedback/"+taken["id"].(string)+"/retract", appQuery("shop"), map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	p.logged("ann", len(simulate.Questions("shipping")))
	p.logged("ben", 1)
	file = filepath.Join(t.TempDir(), "all.jsonl")
	if code, out := p.command("export", "--app", "shop", "-o", file); code != 0 {
		t.Fatalf("export: exit code %d, %s", code, out)
	}
	if code := p.terminate(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, p.stderr)
	}
	return file, filepath.Join(p.dir, "data")
}

// importFile runs heed import.
func importFile(t *testing.T, file, dir string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := run(context.Background(), []string{"import", "--app", "shop", "--store", dir, file}, &out, &out)
	return code, out.String()
}

// What a running program exports is, imported into a fresh store, the same
// exchanges, bodies and feedback; importing it twice adds nothing, and an import
// that broke off is completed by the next (issue 4).
func TestExportImport_RoundTrip(t *testing.T) {
	file, data := exported(t)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left beside the file: %q, %v", left, err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "fresh")
	torn := filepath.Join(t.TempDir(), "torn.jsonl")
	if err := os.WriteFile(torn, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := importFile(t, torn, dir); code != 1 || !strings.Contains(out, "run it again") {
		t.Errorf("half a file: exit code %d, %s", code, out)
	}
	for range 2 {
		if code, out := importFile(t, file, dir); code != 0 {
			t.Fatalf("import: exit code %d, %s", code, out)
		}
	}
	from, to := imported(t, data), imported(t, dir)
	defer from.Close()
	defer to.Close()
	wantX, wantF := everything(t, from)
	gotX, gotF := everything(t, to)
	if len(gotX) != len(wantX) || len(gotF) != 3 || len(wantF) != 3 {
		t.Fatalf("%d exchanges and %d records, want %d and %d", len(gotX), len(gotF), len(wantX), len(wantF))
	}
	for id, want := range wantX {
		if len(want.Request) == 0 || len(want.Response) == 0 {
			t.Fatalf("exchange %s was logged without bodies", id)
		}
		if got := gotX[id]; !reflect.DeepEqual(got, want) {
			t.Errorf("exchange %s:\n got %+v\nwant %+v", id, got, want)
		}
	}
	for i, want := range wantF {
		want.Key, want.Link = gotF[i].Key, gotF[i].Link // an imported record has a key, and no link before it is learned from
		if !want.Retracted.IsZero() && !gotF[i].Retracted.IsZero() {
			want.Retracted = gotF[i].Retracted // taken back when imported
		}
		if !reflect.DeepEqual(gotF[i], want) {
			t.Errorf("feedback:\n got %+v\nwant %+v", gotF[i], want)
		}
	}
}

// An export that breaks off leaves no file.
func TestExport_NoTornFile(t *testing.T) {
	p := &program{t: t, dir: t.TempDir(), admin: "http://127.0.0.1:1"}
	if err := os.MkdirAll(filepath.Join(p.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HEED_ADMIN_TOKEN", "a-token-of-the-test")
	dir := t.TempDir()
	if code, out := p.command("export", "-o", filepath.Join(dir, "all.jsonl")); code != 1 || !strings.Contains(out, "is Heed running?") {
		t.Errorf("exit code %d, %s", code, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A team starts from its history: OpenAI chat logs with thumbs become proposals
// as soon as heed serves, with rules observed only, before any traffic moves.
func TestImport_ChatLogsWithThumbsBecomeProposals(t *testing.T) {
	m, upstream := model(t, simulate.Options{})
	conf := config(t, t.TempDir(), upstream, "")
	replaceIn(t, conf, "holdout: 0}", "holdout: 0, rules: observe}")
	file := filepath.Join(t.TempDir(), "history.jsonl")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	enc := json.NewEncoder(f)
	message := func(role, text string) map[string]string { return map[string]string{"role": role, "content": text} }
	lines := 0
	log := func(user, question, answer string, judged map[string]any) {
		line := map[string]any{"model": "gpt-4o", "user": user,
			"messages": []any{message("system", shopPrompt), message("user", question), message("assistant", answer)}}
		for k, v := range judged {
			line[k] = v
		}
		if err := enc.Encode(line); err != nil {
			t.Fatal(err)
		}
		lines++
	}
	for _, q := range simulate.Questions("shipping") {
		log("", q, "It is on its way.", map[string]any{"rating": 1})
	}
	for i, q := range simulate.Questions("returns")[:3] {
		log(fmt.Sprint("person-", i), q, "Send it back.", map[string]any{"rating": -1, "comment": `Please always mention the "free label".`})
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var out bytes.Buffer
		if code := run(context.Background(), []string{"--config", conf, "import", "--app", "shop", file}, &out, &out); code != 0 {
			t.Fatalf("import: exit code %d, %s", code, out.String())
		}
	}
	p := start(t, conf)
	var all page[store.Exchange]
	if err := p.api().call(t.Context(), http.MethodGet, "exchanges", appQuery("shop"), nil, &all); err != nil || len(all.Items) != lines {
		t.Fatalf("%d exchanges, %v; want %d", len(all.Items), err, lines)
	}
	var card store.Proposal
	p.eventually("a proposal of all three people", func() bool {
		for _, pr := range p.proposals() {
			if pr.People == 3 {
				card = pr
			}
		}
		return card.ID != ""
	})
	if len(card.Evidence) != 3 || !strings.Contains(card.Rule().Action, "free label") {
		t.Errorf("the proposal: %+v", card)
	}
	for i := range 3 { // known by the hash that erasing them would look for
		user := store.UserHash("shop", fmt.Sprint("person-", i))
		if !slices.ContainsFunc(card.Evidence, func(e store.Evidence) bool { return e.User == user }) {
			t.Errorf("person %d is not behind the proposal: %+v", i, card.Evidence)
		}
	}
	p.approve(card)
	q := appQuery("shop")
	q.Set("rule", card.Rule().ID)
	p.eventually("a decision that is only observed", func() bool {
		p.ask("gpt-4o", shopPrompt, simulate.Questions("returns")[0], false)
		var ruled page[store.Exchange]
		if err := p.api().call(t.Context(), http.MethodGet, "exchanges", q, nil, &ruled); err != nil {
			t.Fatal(err)
		}
		return len(ruled.Items) > 0 && ruled.Items[0].Decision.Observed
	})
	sent := m.Requests()
	if last := sent[len(sent)-1]; bytes.Contains(last.Body, []byte("free label")) {
		t.Errorf("observed rules were injected: %s", last.Body)
	}
}
