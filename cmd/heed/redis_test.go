package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"heed/internal/simulate"
	"heed/rules"
	"heed/store"
)

// redisServer runs a redis-server on a socket of its own until the test ends and
// returns its URL and process. Without redis-server the test is skipped, in CI it
// fails.
func redisServer(t *testing.T) (string, *os.Process) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed: separate processes are NOT tested")
	}
	dir, err := os.MkdirTemp("", "heed") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	return "unix://" + socket, runRedis(t, socket)
}

// runRedis runs a redis-server on the socket, with what is in its folder, until
// the test ends.
func runRedis(t *testing.T, socket string, args ...string) *os.Process {
	t.Helper()
	_ = os.Remove(socket) // of one that was killed
	cmd := exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", socket, "--dir", filepath.Dir(socket), "--save", "", "--appendonly", "yes"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(testWait); ; {
		c, err := net.Dial("unix", socket)
		if err == nil {
			_ = c.Close()
			return cmd.Process
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server did not start: %v", err)
		}
		time.Sleep(5 * time.Millisecond) // between two looks from outside the process; no event crosses it
	}
}

// sharedConfig writes the configuration of one process: all share the server and
// the key that signs tokens, each has a folder of its own.
func sharedConfig(t *testing.T, upstream, redis string) string {
	t.Helper()
	dir := t.TempDir()
	path := config(t, dir, upstream, "")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), `listen: "127.0.0.1:0"}`, `listen: "127.0.0.1:0", token_key: 0123456789abcdef0123456789abcdef}`, 1)
	text = strings.Replace(text, "store: {", fmt.Sprintf("store: {redis: %q, ", redis), 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// fleet is several processes of each kind on one server.
type fleet struct {
	gateways []*program
	learners []*program
	admin    *program
}

func startFleet(t *testing.T, upstream, redis string) *fleet {
	t.Helper()
	f := &fleet{}
	listening := func(p *program) bool { return p.gateway != "" }
	for range 2 {
		f.gateways = append(f.gateways, startPart(t, sharedConfig(t, upstream, redis), "gateway", listening))
		f.learners = append(f.learners, startPart(t, sharedConfig(t, upstream, redis), "learner", func(*program) bool { return true }))
	}
	f.admin = startPart(t, sharedConfig(t, upstream, redis), "admin", func(p *program) bool { return p.admin != "" })
	b, err := os.ReadFile(filepath.Join(f.admin.dir, "data", adminTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	f.admin.token = strings.TrimSpace(string(b))
	return f
}

// question is one that the rule of these tests is about.
const question = "How do I return shoes?"

// ruled reports whether a gateway applies the rule now. (Its epoch does not tell:
// the learner publishes epochs of its own.)
func (p *program) ruled() bool {
	p.t.Helper()
	return p.ask("gpt-4o", shopPrompt, question, false).header.Get("Heed-Rules") != ""
}

// applied waits until both gateways apply the rule, or do not, and returns how
// long it took.
func (f *fleet) applied(rule bool, since time.Time) time.Duration {
	for _, g := range f.gateways {
		g.eventually(fmt.Sprintf("rule applied: %v", rule), func() bool { return g.ruled() == rule })
	}
	return time.Since(since)
}

// Two gateways, two learners and one admin as processes on one Redis: feedback at
// one gateway becomes one proposal, its approval is in force at both within a
// second, a roll-back within five.
func TestRedis_FleetAppliesAndRollsBack(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	redis, _ := redisServer(t)
	f := startFleet(t, upstream, redis)
	for i, q := range simulate.Questions("shipping") {
		f.gateways[i%2].ask("gpt-4o", shopPrompt, q, false)
	}
	before := f.gateways[0].ask("gpt-4o", shopPrompt, question, false)
	// The token of one gateway's answer is good at the other.
	f.gateways[0].gateway, f.gateways[1].gateway = f.gateways[1].gateway, f.gateways[0].gateway
	status, answer := f.gateways[0].say(before, map[string]any{"rating": -1, "comment": `Please always mention the "free label".`, "applies_when": "someone wants to return something"})
	if status != http.StatusCreated {
		t.Fatalf("feedback: %d %v", status, answer)
	}
	var card store.Proposal
	f.admin.eventually("a proposal", func() bool {
		for _, pr := range f.admin.proposals() {
			card = pr
		}
		return card.ID != ""
	})
	if n := len(f.admin.proposals()); n != 1 || len(card.Evidence) != 1 || card.Touch.Of == 0 {
		t.Errorf("%d proposals, evidence %+v, looked at %d requests", n, card.Evidence, card.Touch.Of)
	}
	start := time.Now()
	f.admin.approve(card)
	took := f.applied(true, start)
	t.Logf("approved rule in force at both gateways after %s", took)
	if took > time.Second {
		t.Errorf("an approved rule was in force at both gateways after %s, want 1s", took)
	}
	for _, g := range f.gateways {
		if a := g.ask("gpt-4o", shopPrompt, question, false); !strings.Contains(a.text, "free label") {
			t.Errorf("the answer did not change: %q", a.text)
		}
	}
	f.rollBack(t)
	// The same without pub/sub: what a process may not hear, it sees by polling.
	raw(t, redis, "ACL", "SETUSER", "default", "resetchannels")
	raw(t, redis, "CLIENT", "KILL", "TYPE", "pubsub")
	f.rollBackUnheard(t)
	f.listed(t, answer["id"].(string), before.header.Get("Heed-Exchange-Id"))
}

// raw runs a command on the server with redis-cli and returns what it says.
func raw(t *testing.T, url string, args ...string) string {
	t.Helper()
	out, err := exec.Command("redis-cli", append([]string{"-s", strings.TrimPrefix(url, "unix://")}, args...)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "ERR") {
		t.Fatalf("%v: %v %s", args, err, out)
	}
	return string(out)
}

// rollBack retires the rule and activates the set that had it.
func (f *fleet) rollBack(t *testing.T) {
	t.Helper()
	ctx, c := context.Background(), f.admin.api()
	var rs page[struct{ ID string }]
	if err := c.call(ctx, http.MethodGet, "rules", appQuery("shop"), nil, &rs); err != nil || len(rs.Items) == 0 {
		t.Fatalf("rules: %v %v", rs, err)
	}
	var heads page[struct {
		Head struct{ Hash string } `json:"head"`
	}]
	if err := c.call(ctx, http.MethodGet, "rulesets", appQuery("shop"), nil, &heads); err != nil {
		t.Fatal(err)
	}
	if err := c.call(ctx, http.MethodPost, "rules/"+rs.Items[0].ID+"/retire", appQuery("shop"), map[string]any{"reason": "test"}, nil); err != nil {
		t.Fatal(err)
	}
	f.applied(false, time.Now())
	var start time.Time
	f.admin.eventually("the activation", func() bool { // the learner may publish word statistics at the same moment
		start = time.Now()
		return c.call(ctx, http.MethodPost, "rulesets/"+heads.Items[0].Head.Hash+"/activate", appQuery("shop"), map[string]any{}, nil) == nil
	})
	took := f.applied(true, start)
	t.Logf("roll-back in force at both gateways after %s", took)
	if took > 5*time.Second {
		t.Errorf("a roll-back was in force at both gateways after %s, want 5s", took)
	}
}

// rollBackUnheard goes back to another set that was in force.
func (f *fleet) rollBackUnheard(t *testing.T) {
	t.Helper()
	ctx, c := context.Background(), f.admin.api()
	var back struct {
		Ruleset rules.Head `json:"ruleset"`
	}
	var start time.Time
	f.admin.eventually("the activation", func() bool { // the learner may publish word statistics at the same moment
		var heads page[store.HeadRecord]
		if err := c.call(ctx, http.MethodGet, "rulesets", appQuery("shop"), nil, &heads); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(heads.Items, func(h store.HeadRecord) bool { return h.Head.Hash != heads.Items[0].Head.Hash })
		start = time.Now()
		return i > 0 && c.call(ctx, http.MethodPost, "rulesets/"+heads.Items[i].Head.Hash+"/activate", appQuery("shop"), map[string]any{}, &back) == nil
	})
	for _, g := range f.gateways {
		g.eventually("the roll-back", func() bool { // or what came after it
			n, _, _ := strings.Cut(g.ask("gpt-4o", shopPrompt, question, false).header.Get("Heed-Ruleset"), ":")
			epoch, err := strconv.ParseUint(n, 10, 64)
			return err == nil && rules.Epoch(epoch) >= back.Ruleset.Epoch
		})
	}
	took := time.Since(start)
	t.Logf("roll-back without pub/sub in force at both gateways after %s", took)
	if took > 5*time.Second {
		t.Errorf("a roll-back without pub/sub was in force at both gateways after %s, want 5s", took)
	}
}

// listed checks that admin's index has what both gateways logged, and finds an
// exchange by the words of a comment on it.
func (f *fleet) listed(t *testing.T, feedback string, judged string) {
	t.Helper()
	var said store.Feedback
	if err := f.admin.api().call(context.Background(), http.MethodGet, "feedback/"+feedback, appQuery("shop"), nil, &said); err != nil || said.Link == nil {
		t.Errorf("the feedback is not linked: %+v %v", said, err)
	}
	list := func(text string) (ids []string) {
		q := appQuery("shop")
		q.Set("limit", "1000")
		q.Set("text", text)
		var xs page[store.Exchange]
		if err := f.admin.api().call(context.Background(), http.MethodGet, "exchanges", q, nil, &xs); err != nil {
			t.Fatal(err)
		}
		for _, x := range xs.Items {
			ids = append(ids, x.ID)
		}
		return ids
	}
	want := len(simulate.Questions("shipping")) + 1
	f.admin.eventually("the log in admin's index", func() bool { return len(list("")) >= want })
	f.admin.eventually("the comment in admin's index", func() bool { return slices.Contains(list("always mention"), judged) })
}

// While Redis is paused model calls go on with the rules in force, also at a
// gateway that is started meanwhile, and feedback is acknowledged; all of it is
// there afterwards.
func TestRedis_OutageLeavesCallsAndFeedback(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	redis, process := redisServer(t)
	f := startFleet(t, upstream, redis)
	c := f.admin.api()
	body := map[string]any{"app": "shop", "action": "Mention the free label.", "applies_when": "someone wants to return something", "examples": []string{question}}
	if err := c.call(context.Background(), http.MethodPost, "rules", appQuery("shop"), body, nil); err != nil {
		t.Fatal(err)
	}
	f.applied(true, time.Now())
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	g := f.gateways[1]
	g.kill()
	conf := filepath.Join(g.dir, "heed.yaml")
	g = startPart(t, conf, "gateway", func(p *program) bool { return p.gateway != "" })
	f.gateways[1] = g
	g.eventually("the rules in force without redis", g.ruled)
	answer := g.ask("gpt-4o", shopPrompt, question, false)
	status, said := g.say(answer, map[string]any{"rating": -1, "comment": "Said while redis was away."})
	if status != http.StatusCreated {
		t.Fatalf("feedback during the outage: %d %v\n%s", status, said, g.stderr)
	}
	g.kill() // the journal is all there is of it
	if err := process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	startPart(t, conf, "gateway", func(p *program) bool { return p.gateway != "" })
	f.admin.eventually("the feedback after the outage", func() bool {
		var got store.Feedback
		err := c.call(context.Background(), http.MethodGet, "feedback/"+said["id"].(string), appQuery("shop"), nil, &got)
		return err == nil && got.Comment == "Said while redis was away."
	})
}

// One process with every part on Redis learns as one on SQLite does, and finds
// everything again after kill -9.
func TestRedis_ServeInOneProcess(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	redis, _ := redisServer(t)
	conf := sharedConfig(t, upstream, redis)
	p := start(t, conf)
	for _, q := range simulate.Questions("shipping") {
		p.ask("gpt-4o", shopPrompt, q, false)
	}
	answer := p.ask("gpt-4o", shopPrompt, question, true)
	status, said := p.say(answer, map[string]any{"rating": -1, "comment": `Please always mention the "free label".`, "applies_when": "someone wants to return something"})
	if status != http.StatusCreated {
		t.Fatalf("feedback: %d %v", status, said)
	}
	p.eventually("a proposal", func() bool { return len(p.proposals()) == 1 })
	p.kill()
	p = start(t, conf)
	cards := p.proposals()
	if len(cards) != 1 || len(cards[0].Evidence) != 1 {
		t.Fatalf("proposals after the restart: %+v", cards)
	}
	p.approve(cards[0])
	p.eventually("the changed answer", func() bool {
		return strings.Contains(p.ask("gpt-4o", shopPrompt, question, false).text, "free label")
	})
	if code := p.terminate(); code != 0 {
		t.Errorf("exit code %d after SIGTERM\n%s", code, p.stderr)
	}
}

// Two admins decide on the same card at the same moment: one approval counts, the
// other is told, and both show the same afterwards.
func TestRedis_TwoAdminsDecideOnce(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	redis, _ := redisServer(t)
	f := startFleet(t, upstream, redis)
	second := startPart(t, sharedConfig(t, upstream, redis), "admin", func(p *program) bool { return p.admin != "" })
	b, err := os.ReadFile(filepath.Join(second.dir, "data", adminTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	second.token = strings.TrimSpace(string(b))
	a := f.gateways[0].ask("gpt-4o", shopPrompt, question, false)
	f.gateways[0].say(a, map[string]any{"rating": -1, "comment": `Please always mention the "free label".`, "applies_when": "someone wants to return something"})
	admins := []*program{f.admin, second}
	cards := make([]store.Proposal, 2)
	for i, p := range admins {
		p.eventually("the card", func() bool {
			for _, cards[i] = range p.proposals() {
			}
			return cards[i].ID != "" && cards[i].Digest() == cards[0].Digest()
		})
	}
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, p := range admins {
		wg.Go(func() {
			errs[i] = p.api().call(context.Background(), http.MethodPost, "proposals/"+cards[i].ID+"/approve", appQuery("shop"), map[string]any{"digest": cards[i].Digest()}, nil)
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("approved by both or none: %v, %v", errs[0], errs[1])
	}
	for _, p := range admins {
		q := appQuery("shop")
		q.Set("action", "approve")
		var as page[store.Audit]
		if err := p.api().call(context.Background(), http.MethodGet, "audit", q, nil, &as); err != nil || len(as.Items) != 1 {
			t.Errorf("%d approvals, %v", len(as.Items), err)
		}
		p.logged("", 1) // also the one that did not take part in the exchange
	}
}

// The commands about a running Heed, and import before it runs, work on Redis as
// they do on SQLite.
func TestRedis_Commands(t *testing.T) {
	history, _ := exported(t)
	_, upstream := model(t, simulate.Options{OverApply: -1})
	redis, _ := redisServer(t)
	conf := sharedConfig(t, upstream, redis)
	for range 2 { // the second adds nothing
		var out bytes.Buffer
		if code := run(context.Background(), []string{"--config", conf, "import", "--part", "serve", "--app", "shop", history}, &out, &out); code != 0 {
			t.Fatalf("import: exit code %d, %s", code, &out)
		}
	}
	p := start(t, conf)
	p.logged("ann", len(simulate.Questions("shipping")))
	first := p.ask("gpt-4o", shopPrompt, question, false, as("carl"))
	p.say(first, map[string]any{"rating": -1, "comment": `Please always mention the "free label".`})
	p.eventually("the card", func() bool { // besides that of the history
		i := slices.IndexFunc(p.proposals(), func(pr store.Proposal) bool { return strings.Contains(pr.Title, "free label") })
		if i >= 0 {
			p.approve(p.proposals()[i])
		}
		return i >= 0
	})
	p.eventually("the rule", p.ruled)
	last := p.ask("gpt-4o", shopPrompt, question, false, as("carl"))
	p.logged("carl", 2)
	id := strings.Split(last.header.Get("Heed-Rules"), "@")[0]
	file := filepath.Join(t.TempDir(), "all.jsonl")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"rules", "list", "--app", "shop"}, id},
		{[]string{"rules", "show", "--app", "shop", id}, "free label"},
		{[]string{"why", "--app", "shop", last.header.Get("Heed-Exchange-Id")}, "free label"},
		{[]string{"why", "--app", "shop", first.header.Get("Heed-Exchange-Id")}, ""},
		{[]string{"audit", "verify", "--app", "shop"}, ""},
		{[]string{"export", "--app", "shop", "-o", file}, ""},
	} {
		if code, out := p.command(c.args...); code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("heed %s: exit code %d, %q; want %q in it", strings.Join(c.args, " "), code, out, c.want)
		}
	}
	var replayed bytes.Buffer
	if code := run(context.Background(), []string{"--config", conf, "replay", "--app", "shop"}, &replayed, &replayed); code != 0 || !strings.Contains(replayed.String(), " 0 differ") || strings.Contains(replayed.String(), " 0 with rules") {
		t.Errorf("heed replay: exit code %d, %s", code, &replayed)
	}
	b, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(b, []byte(last.header.Get("Heed-Exchange-Id"))) || bytes.Count(b, []byte(`{"feedback":`)) != 4 {
		t.Errorf("exported %d bytes with %d records of feedback, want 4; %v", len(b), bytes.Count(b, []byte(`{"feedback":`)), err)
	}
}

// A history that is longer than the log on Redis is in the index all the same
// (with HEED_SOAK: it is 80 MB).
func TestRedis_ImportLongerThanTheLog(t *testing.T) {
	if os.Getenv("HEED_SOAK") == "" {
		t.Skip("set HEED_SOAK=1: a history longer than the log is NOT tested")
	}
	const n = 80
	file, err := os.Create(filepath.Join(t.TempDir(), "history.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{4})
	enc := json.NewEncoder(file)
	for i := range n {
		body := make([]byte, store.MaxBodyBytes)
		_, _ = random.Read(body) // it never fails
		x := &store.Exchange{ID: store.NewID(), App: "shop", Time: time.Now().Add(time.Duration(i-n) * time.Minute), Request: body}
		if err := enc.Encode(record{Exchange: x}); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	redis, _ := redisServer(t)
	conf := sharedConfig(t, "http://127.0.0.1:1/v1", redis)
	var out bytes.Buffer
	if code := run(context.Background(), []string{"--config", conf, "import", "--app", "shop", file.Name()}, &out, &out); code != 0 {
		t.Fatalf("import: exit code %d, %s", code, &out)
	}
	p := startPart(t, conf, "admin", func(p *program) bool { return p.admin != "" })
	b, err := os.ReadFile(filepath.Join(p.dir, "data", adminTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	p.token = strings.TrimSpace(string(b))
	p.logged("", n)
}
