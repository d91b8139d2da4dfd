package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"heed/internal/simulate"
	"heed/store"
)

// redisOutages break the server of a fleet, and mend it.
var redisOutages = map[string]struct {
	breaks, mends func(*redisUnderTest)
	silent        bool // it answers nothing that helps: what is known of it gets old
}{
	"stopped": {func(r *redisUnderTest) { r.kill() }, func(r *redisUnderTest) { r.run() }, true},
	"paused":  {func(r *redisUnderTest) { r.signal(syscall.SIGSTOP) }, func(r *redisUnderTest) { r.signal(syscall.SIGCONT) }, true},
	"loading": {func(r *redisUnderTest) {
		r.do("CONFIG", "SET", "rdbcompression", "no")
		r.do("EVAL", "for i = 1, 1000 do redis.call('SET', 'ballast-' .. i, string.rep('x', 2000)) end", "0") // it answers between two of them only
		r.do("BGREWRITEAOF")
		r.until("persistence", "aof_rewrite_in_progress:0")
		r.kill()
		r.run("--key-load-delay", "50000", "--loading-process-events-interval-bytes", "1024")
	}, func(r *redisUnderTest) { r.do("CONFIG", "SET", "key-load-delay", "0") }, true},
	"read-only": {func(r *redisUnderTest) { r.do("REPLICAOF", "127.0.0.1", "1") }, func(r *redisUnderTest) { r.do("REPLICAOF", "NO", "ONE") }, false},
	"full":      {func(r *redisUnderTest) { r.do("CONFIG", "SET", "maxmemory", "1") }, func(r *redisUnderTest) { r.do("CONFIG", "SET", "maxmemory", "0") }, false},
	"unable to save": {func(r *redisUnderTest) {
		r.do("CONFIG", "SET", "save", "3600 1000000") // it asks only servers that save
		if err := os.MkdirAll(filepath.Join(filepath.Dir(r.socket()), "dump.rdb", "in the way"), 0o700); err != nil {
			r.t.Fatal(err)
		}
		r.do("BGSAVE")
		r.until("persistence", "rdb_last_bgsave_status:err")
	}, func(r *redisUnderTest) { r.do("CONFIG", "SET", "stop-writes-on-bgsave-error", "no") }, false},
	"refusing the password": {func(r *redisUnderTest) {
		r.do("ACL", "SETUSER", "app", ">another-word", "<a-secret-word")
		r.do("CLIENT", "KILL", "USER", "app")
	}, func(r *redisUnderTest) { r.do("ACL", "SETUSER", "app", ">a-secret-word") }, true},
}

type redisUnderTest struct {
	t       *testing.T
	url     string
	process *os.Process
}

func (r *redisUnderTest) socket() string { return strings.TrimPrefix(r.url, "unix://") }

func (r *redisUnderTest) do(args ...string) {
	r.t.Helper()
	raw(r.t, r.url, args...)
}

// until waits until the server says so of itself.
func (r *redisUnderTest) until(section, line string) {
	r.t.Helper()
	(&program{t: r.t, stderr: &syncBuffer{}}).eventually(line, func() bool { return strings.Contains(raw(r.t, r.url, "INFO", section), line) })
}

func (r *redisUnderTest) signal(s os.Signal) {
	r.t.Helper()
	if err := r.process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

func (r *redisUnderTest) kill() {
	r.t.Helper()
	r.signal(os.Kill)
	_, _ = r.process.Wait()
}

func (r *redisUnderTest) run(args ...string) {
	r.t.Helper()
	r.process = runRedis(r.t, r.socket(), append(args, "--user", "app", "on", ">a-secret-word", "~*", "&*", "+@all")...)
}

// talks asks n times at the gateway and gives feedback each time. All is answered,
// in time and by the rule in force; the records that were acknowledged come back.
func talks(t *testing.T, g *program, n int, when string) (acked map[string]string) {
	t.Helper()
	acked = map[string]string{}
	slow := 0
	for i := range n {
		start := time.Now()
		r := g.ask("gpt-4o", shopPrompt, question, i%2 == 0)
		if took := time.Since(start); took > 800*time.Millisecond { // a call that waits for Redis takes a second
			slow++
		}
		if r.text == "" || r.header.Get("Heed-Rules") == "" {
			t.Errorf("%s: answer %q with the rules %q", when, r.text, r.header.Get("Heed-Rules"))
		}
		comment := fmt.Sprintf("Said %s as number %d.", when, i)
		status, answer := g.say(r, map[string]any{"rating": -1, "comment": comment})
		if status != http.StatusCreated { // 503 would be no lie, but the journal has room
			t.Errorf("%s: feedback: %d %v", when, status, answer)
			continue
		}
		acked[answer["id"].(string)] = comment
	}
	if slow > 1 { // one may be the machine's
		t.Errorf("%s: %d of %d calls took as long as one that waits for Redis", when, slow, n)
	}
	return acked
}

// Through every outage of Redis: model calls go on as before, by the rules in
// force, also at a gateway that is killed and started again meanwhile; feedback is
// acknowledged and none of it lost or doubled; how old the rules may be is a
// metric; afterwards everything converges (issue 4).
func TestRedis_Outages(t *testing.T) {
	for name, o := range redisOutages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, upstream := model(t, simulate.Options{OverApply: -1})
			url, process := redisServer(t)
			r := &redisUnderTest{t, url, process}
			r.do("ACL", "SETUSER", "app", "on", ">a-secret-word", "~*", "&*", "+@all")
			withUser := "unix://app:a-secret-word@" + r.socket()
			conf := sharedConfig(t, upstream, withUser)
			g := startGateway(t, conf)
			a := startPart(t, sharedConfig(t, upstream, withUser), "admin", func(p *program) bool { return p.admin != "" })
			a.token = tokenIn(t, a.dir)
			body := map[string]any{"app": "shop", "action": "Mention the free label.", "applies_when": "someone wants to return something", "examples": []string{question}}
			if err := a.api().call(context.Background(), http.MethodPost, "rules", appQuery("shop"), body, nil); err != nil {
				t.Fatal(err)
			}
			g.eventually("the rule", g.ruled)
			said := []map[string]string{talks(t, g, 2, "before")}
			g.eventually("delivery", func() bool { return g.metric(t, "heed_redis_undelivered") == 0 })
			o.breaks(r)
			broken := time.Now()
			said = append(said, talks(t, g, 8, "during"))
			if n := g.metric(t, "heed_redis_undelivered"); n != 8 {
				t.Errorf("undelivered %v, want 8", n)
			}
			least := time.Since(broken).Seconds()
			if stale := g.metric(t, "heed_redis_stale_seconds"); o.silent && stale < least {
				t.Errorf("stale for %v s, want %v or more", stale, least)
			}
			g.kill()
			g = startGateway(t, conf)
			g.eventually("the rule without redis", g.ruled)
			said = append(said, talks(t, g, 4, "restarted"))
			o.mends(r)
			arrivedOnce(t, a, said)
			g.eventually("delivery", func() bool {
				return g.metric(t, "heed_redis_undelivered") == 0 && g.metric(t, "heed_redis_stale_seconds") < 5
			})
			retire(t, a)
			g.eventually("the rule out of force", func() bool { return !g.ruled() })
			if strings.Contains(g.stderr.String()+a.stderr.String(), "a-secret-word") {
				t.Error("a log tells the password")
			}
		})
	}
}

// startGateway starts a gateway on its own, which shows its metrics.
func startGateway(t *testing.T, conf string) *program {
	t.Helper()
	b, err := os.ReadFile(conf)
	if err == nil && !strings.Contains(string(b), "metrics_listen") {
		err = os.WriteFile(conf, []byte(strings.Replace(string(b), "token_key:", `metrics_listen: "127.0.0.1:0", token_key:`, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	g := startPart(t, conf, "gateway", func(p *program) bool { return p.gateway != "" && p.admin != "" })
	g.token = tokenIn(t, g.dir)
	return g
}

func tokenIn(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "data", adminTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// arrivedOnce waits until admin has all that was said, and checks that it has each
// once and nothing else.
func arrivedOnce(t *testing.T, a *program, said []map[string]string) {
	t.Helper()
	want := map[string]string{}
	for _, acked := range said {
		for id, comment := range acked {
			want[id] = comment
		}
	}
	q := appQuery("shop")
	q.Set("limit", "1000")
	var fs page[store.Feedback]
	a.eventually("all feedback", func() bool {
		fs = page[store.Feedback]{}
		return a.api().call(context.Background(), http.MethodGet, "feedback", q, nil, &fs) == nil && len(fs.Items) >= len(want)
	})
	for _, f := range fs.Items {
		if want[f.ID] != f.Comment {
			t.Errorf("feedback %s %q: acknowledged was %q", f.ID, f.Comment, want[f.ID])
		}
		delete(want, f.ID) // a second one is then found wanting
	}
	for id, comment := range want {
		t.Errorf("feedback %s %q was acknowledged and is gone", id, comment)
	}
}

// retire takes the app's only rule out of force.
func retire(t *testing.T, a *program) {
	t.Helper()
	var rs page[struct{ ID string }]
	err := a.api().call(context.Background(), http.MethodGet, "rules", appQuery("shop"), nil, &rs)
	if err == nil && len(rs.Items) == 1 {
		err = a.api().call(context.Background(), http.MethodPost, "rules/"+rs.Items[0].ID+"/retire", appQuery("shop"), map[string]any{"reason": "test"}, nil)
	}
	if err != nil || len(rs.Items) != 1 {
		t.Fatalf("retire: %d rules, %v", len(rs.Items), err)
	}
}

// metric reads a metric without labels, as Prometheus does.
func (p *program) metric(t *testing.T, name string) float64 {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, p.admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
