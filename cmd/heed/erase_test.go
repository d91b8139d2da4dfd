package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3/option"

	"heed/internal/simulate"
	"heed/rules"
	"heed/store"
)

// as names the person who asks.
func as(user string) option.RequestOption { return option.WithHeader("Heed-User", user) }

// command runs one of heed's commands about the running program, as a person
// would in another terminal, and returns the exit code and everything printed.
func (p *program) command(args ...string) (int, string) {
	p.t.Helper()
	conf := filepath.Join(p.t.TempDir(), "heed.yaml")
	text := fmt.Sprintf("admin: {listen: %q}\nstore: {path: %q}\nupstreams: {main: {base_url: \"http://127.0.0.1:1/v1\"}}\n",
		strings.TrimPrefix(p.admin, "http://"), filepath.Join(p.dir, "data"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	var out bytes.Buffer
	code := run(context.Background(), append([]string{"--config", conf}, args...), &out, &out)
	return code, out.String()
}

// filesHolding lists the files below dir that hold the text.
func filesHolding(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(bytes.ToLower(b), []byte(text)) {
			found = append(found, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// logged waits until the log has n exchanges of the user.
func (p *program) logged(user string, n int) {
	p.t.Helper()
	q := appQuery("shop")
	q.Set("user", store.UserHash("shop", user))
	q.Set("limit", "1000")
	p.eventually(fmt.Sprintf("%d logged exchanges of %q", n, user), func() bool {
		var out page[store.Exchange]
		if err := p.api().call(context.Background(), http.MethodGet, "exchanges", q, nil, &out); err != nil {
			p.t.Fatal(err)
		}
		return len(out.Items) == n
	})
}

// What a person said becomes a rule; erasing the person takes the rule, the
// exchanges and the feedback, and leaves nothing of the words in any file
// (issue 4). What others said and asked stays.
func TestErase_NothingOfThePersonIsLeft(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	t.Run("sqlite", func(t *testing.T) { eraseAnn(t, config(t, t.TempDir(), upstream, "")) })
	t.Run("redis", func(t *testing.T) {
		redis, _ := redisServer(t)
		eraseAnn(t, sharedConfig(t, upstream, redis))
	})
}

func eraseAnn(t *testing.T, conf string) {
	const word = "xylophone-4711"
	p := start(t, conf)
	for _, q := range simulate.Questions("shipping") {
		p.ask("gpt-4o", shopPrompt, q, false, as("ben"))
	}
	r := p.ask("gpt-4o", shopPrompt, "How do I return my "+word+"?", false, as("ann"))
	p.ask("gpt-4o", shopPrompt, "Is the "+word+" in stock?", true, as("ann"))
	if status, answer := p.say(r, map[string]any{"rating": -1, "comment": `Please always mention the "` + word + `".`}); status != http.StatusCreated {
		t.Fatalf("feedback: %d %v", status, answer)
	}
	var card store.Proposal
	p.eventually("a proposal", func() bool {
		for _, pr := range p.proposals() {
			card = pr
		}
		return card.ID != ""
	})
	p.approve(card)
	p.logged("ann", 2)
	data := filepath.Join(p.dir, "data")
	if found := filesHolding(t, data, word); len(found) < 2 {
		t.Fatalf("before, only %q hold the word: the search proves nothing", found)
	}

	code, out := p.command("erase", "--app", "shop", "--user", "ann")
	if code != 0 || !strings.HasPrefix(out, "erased 2 exchanges and 1 feedback record;") || !strings.Contains(out, "retired 1 rule") {
		t.Fatalf("erase: exit code %d, %q", code, out)
	}
	var rs page[rules.Rule]
	if err := p.api().call(t.Context(), http.MethodGet, "rules", appQuery("shop"), nil, &rs); err != nil || len(rs.Items) != 0 {
		t.Errorf("rules %+v, %v", rs.Items, err)
	}
	var fs page[store.Feedback]
	if err := p.api().call(t.Context(), http.MethodGet, "feedback", appQuery("shop"), nil, &fs); err != nil || len(fs.Items) != 0 {
		t.Errorf("feedback %+v, %v", fs.Items, err)
	}
	p.logged("ann", 0)
	p.logged("ben", len(simulate.Questions("shipping")))
	for _, path := range []string{"proposals", "audit", "findings", "why/" + r.header.Get("Heed-Exchange-Id")} { // what was emptied still lists
		var v any
		err := p.api().call(t.Context(), http.MethodGet, path, appQuery("shop"), nil, &v)
		if strings.HasPrefix(path, "why") != (err != nil) {
			t.Errorf("%s: %v", path, err)
		}
	}
	var v struct {
		Bad int64 `json:"first_bad"`
	}
	if err := p.api().call(t.Context(), http.MethodGet, "audit/verify", appQuery("shop"), nil, &v); err != nil || v.Bad != 0 {
		t.Errorf("the audit trail breaks: %+v, %v", v, err)
	}
	if found := filesHolding(t, data, word); len(found) > 0 {
		t.Errorf("the word is still in %q", found)
	}
	if code := p.terminate(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.stderr)
	}
	if found := filesHolding(t, data, word); len(found) > 0 {
		t.Errorf("after the end the word is in %q", found)
	}
}

// heed backup copies a program in use; what heed restore makes of it has everything
// that was acknowledged, and a folder or server that holds data is refused.
func TestBackup_RestoresWhatWasAcknowledged(t *testing.T) {
	_, upstream := model(t, simulate.Options{})
	t.Run("sqlite", func(t *testing.T) {
		backUpAndRestore(t, config(t, t.TempDir(), upstream, ""), config(t, t.TempDir(), upstream, ""))
	})
	t.Run("redis", func(t *testing.T) {
		from, _ := redisServer(t)
		to, _ := redisServer(t)
		backUpAndRestore(t, sharedConfig(t, upstream, from), sharedConfig(t, upstream, to))
	})
}

func backUpAndRestore(t *testing.T, from, to string) {
	p := start(t, from)
	r := p.ask("gpt-4o", shopPrompt, "Where is my parcel?", false)
	status, answer := p.say(r, map[string]any{"rating": -1, "comment": "Never say soon."})
	if status != http.StatusCreated {
		t.Fatalf("feedback: %d %v", status, answer)
	}
	p.eventually("the exchange in the log", func() bool {
		var xs page[store.Exchange]
		return p.api().call(t.Context(), http.MethodGet, "exchanges", appQuery("shop"), nil, &xs) == nil && len(xs.Items) == 1
	})
	dir := filepath.Join(t.TempDir(), "copy")
	if code, out := p.command("backup", dir); code != 0 || !strings.Contains(out, dir) {
		t.Fatalf("backup: exit code %d, %q", code, out)
	}
	if code, out := p.command("backup", dir); code != 1 || !strings.Contains(out, "holds a store already") {
		t.Errorf("a second backup: exit code %d, %q", code, out)
	}
	restore := func() (int, string) {
		var out bytes.Buffer
		code := run(context.Background(), []string{"--config", to, "restore", "--part", "serve", dir}, &out, &out)
		return code, out.String()
	}
	if code, out := restore(); code != 0 {
		t.Fatalf("restore: exit code %d, %q", code, out)
	}
	if code, out := restore(); code != 1 || !strings.Contains(out, "already") {
		t.Errorf("a second restore: exit code %d, %q", code, out)
	}
	q := start(t, to)
	var f store.Feedback
	err := q.api().call(t.Context(), http.MethodGet, "feedback/"+answer["id"].(string), appQuery("shop"), nil, &f)
	if err != nil || f.Comment != "Never say soon." {
		t.Errorf("restored %+v, %v", f, err)
	}
	var xs page[store.Exchange]
	if err := q.api().call(t.Context(), http.MethodGet, "exchanges", appQuery("shop"), nil, &xs); err != nil || len(xs.Items) != 1 {
		t.Errorf("restored %d exchanges, %v", len(xs.Items), err)
	}
	q.ask("gpt-4o", shopPrompt, "And my other parcel?", false)
}
