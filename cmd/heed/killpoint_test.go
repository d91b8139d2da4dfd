package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"heed/internal/simulate"
	"heed/rules"
	"heed/store"
)

// killAt makes the test binary, running as heed, end itself with SIGKILL before or
// after a call of its learner: "Commit before" and the like. stopAt makes it stop
// itself there once, until somebody sends SIGCONT.
const (
	killAt = "HEED_TEST_KILL_AT"
	stopAt = "HEED_TEST_STOP_AT"
)

// asHeed runs heed itself, with a learner that is killed where killAt says.
func asHeed() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e := &env{ctx: ctx, out: os.Stdout, errs: os.Stderr}
	if call, when, ok := strings.Cut(os.Getenv(killAt), " "); ok {
		e.learnFrom = func(s store.Store) store.Store { return &deadly{Store: s, call: call, after: when == "after"} }
	}
	if call, when, ok := strings.Cut(os.Getenv(stopAt), " "); ok {
		e.learnFrom = func(s store.Store) store.Store {
			return &deadly{Store: s, call: call, after: when == "after", stops: true}
		}
	}
	if word := os.Getenv(poison); word != "" {
		e.learnFrom = func(s store.Store) store.Store { return &poisoned{Store: s, word: word} }
	}
	return runIn(e, os.Args[1:])
}

// deadly is a store whose user is killed at one call, once it was given work, or
// stopped.
type deadly struct {
	store.Store
	call  string
	after bool
	stops bool
	armed atomic.Bool
}

// at makes the call, and does not survive it if it is the one.
func (d *deadly) at(call string, fn func() error) error {
	if !d.armed.Load() || call != d.call {
		return fn()
	}
	var err error
	if d.after {
		if err = fn(); err != nil {
			return err
		}
	}
	if d.stops {
		d.armed.Store(false)
		d.call = ""
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) // it goes on with SIGCONT
		if d.after {
			return err
		}
		return fn()
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {}
}

func (d *deadly) Pending(ctx context.Context, app string, l store.Lease, limit int) (fs []*store.Feedback, err error) {
	fs, err = d.Store.Pending(ctx, app, l, limit)
	if len(fs) > 0 {
		d.armed.Store(true)
		err = d.at("Pending", func() error { return err })
	}
	return fs, err
}

func (d *deadly) Commit(ctx context.Context, c store.Changes) error {
	return d.at("Commit", func() error { return d.Store.Commit(ctx, c) })
}

func (d *deadly) Publish(ctx context.Context, app string, base rules.Epoch, set *rules.Set, a store.Audit) (h rules.Head, err error) {
	err = d.at("Publish", func() error {
		h, err = d.Store.Publish(ctx, app, base, set, a)
		return err
	})
	return h, err
}

func (d *deadly) PutBlob(ctx context.Context, app string, b []byte) (hash string, err error) {
	err = d.at("PutBlob", func() error {
		hash, err = d.Store.PutBlob(ctx, app, b)
		return err
	})
	return hash, err
}

// deaths is a Heed whose learner is killed and started again.
type deaths struct {
	t       *testing.T
	conf    string // of the process with the learner
	part    string // serve, or learner
	gateway *program
	admin   *program
	said    int // rounds so far
}

// start runs the process with the learner, to be killed at a point, or "".
func (d *deaths) start(point string) *program {
	d.t.Helper()
	d.t.Setenv(killAt, point)
	if d.part == "learner" {
		return startPart(d.t, d.conf, "learner", func(*program) bool { return true })
	}
	p := start(d.t, d.conf)
	d.gateway, d.admin = p, p
	return p
}

// round says something, has the learner killed at the point, starts it again, and
// checks that what was said has its effect once.
func (d *deaths) round(point, comment string, check func()) {
	d.t.Helper()
	p := d.start(point)
	asked := d.gateway.ask("gpt-4o", shopPrompt, question, false, as(fmt.Sprint("user", d.said)))
	d.admin.logged(fmt.Sprint("user", d.said), 1)
	d.said++
	d.trySay(asked, comment)
	p.ended(point)
	p = d.start("")
	d.admin.eventually("everything handled after "+point, func() bool { return d.handled() })
	check()
	p.kill()
}

// trySay posts feedback; the process may be killed before it answers, and has
// stored it all the same.
func (d *deaths) trySay(r reply, comment string) {
	body := fmt.Sprintf(`{"token": %q, "rating": -1, "comment": %q, "applies_when": "someone wants to return something"}`, r.header.Get("Heed-Feedback-Token"), comment)
	resp, err := http.Post(d.gateway.gateway+"/heed/feedback", "application/json", strings.NewReader(body))
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		d.t.Errorf("feedback: status %d", resp.StatusCode)
	}
}

// all lists what the admin API has.
func all[T any](d *deaths, what string) []T {
	d.t.Helper()
	q := appQuery("shop")
	q.Set("limit", "1000")
	var out page[T]
	if err := d.admin.api().call(context.Background(), http.MethodGet, what, q, nil, &out); err != nil {
		d.t.Fatalf("%s: %v", what, err)
	}
	return out.Items
}

// saidWith lists the ids of feedback with that word in it; each user said it once.
func (d *deaths) saidWith(word string) (ids []string) {
	for _, f := range all[store.Feedback](d, "feedback") {
		if strings.Contains(f.Comment, word) {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// handled reports whether the learner is through with all that was said.
func (d *deaths) handled() bool {
	fs := all[store.Feedback](d, "feedback")
	return len(fs) == d.said && !slices.ContainsFunc(fs, func(f store.Feedback) bool { return f.Link == nil })
}

// The learner killed before and after each of its effects: proposals, their
// support, and findings are there once (issue 4). All of it many times with
// HEED_SOAK.
func TestKillPoints_EffectsExactlyOnce(t *testing.T) {
	rounds := 1
	if os.Getenv("HEED_SOAK") != "" {
		rounds = 15
	}
	_, upstream := model(t, simulate.Options{OverApply: -1})
	backends := map[string]func(t *testing.T, policy string) *deaths{
		"sqlite": func(t *testing.T, policy string) *deaths {
			return &deaths{t: t, part: "serve", conf: withPolicy(t, config(t, t.TempDir(), upstream, ""), policy)}
		},
		"redis": func(t *testing.T, policy string) *deaths {
			redis, _ := redisServer(t)
			d := &deaths{t: t, part: "learner", conf: withPolicy(t, sharedConfig(t, upstream, redis), policy)}
			d.gateway = startPart(t, sharedConfig(t, upstream, redis), "gateway", func(p *program) bool { return p.gateway != "" })
			d.admin = startPart(t, sharedConfig(t, upstream, redis), "admin", func(p *program) bool { return p.admin != "" })
			b, err := os.ReadFile(d.admin.dir + "/data/" + adminTokenFile)
			if err != nil {
				t.Fatal(err)
			}
			d.admin.token = strings.TrimSpace(string(b))
			return d
		},
	}
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			t.Run("proposed", func(t *testing.T) {
				d := open(t, "learner: {approval: manual}\n")
				for range rounds {
					for _, point := range []string{"Pending after", "Commit before", "Commit after"} {
						d.round(point, `Please always mention the "free label".`, d.proposedOnce)
						d.round(point, "This does not answer my question.", d.foundOnce)
					}
				}
			})
			t.Run("approved", func(t *testing.T) {
				for range rounds {
					d := open(t, "learner: {approval: auto, quorum: 1, max_touch: 1}\n")
					for i, point := range []string{"Commit after", "Publish before", "Publish after", "PutBlob before", "PutBlob after"} {
						d.round(point, fmt.Sprintf("Please always mention the %q.", things[i]), d.approvedOnce)
					}
				}
			})
		})
	}
}

// things are what rules are told to mention, each unlike the others.
var things = []string{"free label", "loyalty club", "gift receipt", "opening hours", "winter sale"}

// withPolicy appends to a configuration.
func withPolicy(t *testing.T, conf, text string) string {
	t.Helper()
	b, err := os.ReadFile(conf)
	if err == nil {
		err = os.WriteFile(conf, append(b, text...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

// proposedOnce checks that one proposal rests on every instruction, each once.
func (d *deaths) proposedOnce() {
	d.t.Helper()
	ps := d.admin.proposals()
	if len(ps) != 1 {
		d.t.Fatalf("%d proposals, want 1: %+v", len(ps), ps)
	}
	if err := sameOnce(ps[0].Evidence, d.saidWith("label")); err != nil || ps[0].People != len(ps[0].Evidence) {
		d.t.Errorf("the proposal: %v; %d people", err, ps[0].People)
	}
}

// foundOnce checks that findings count every complaint once.
func (d *deaths) foundOnce() {
	d.t.Helper()
	var evidence []store.Evidence
	count := 0
	for _, f := range all[store.Finding](d, "findings") {
		evidence = append(evidence, f.Evidence...)
		count += f.Count
	}
	if err := sameOnce(evidence, d.saidWith("answer my question")); err != nil || count != len(evidence) {
		d.t.Errorf("the findings: %v; they count %d", err, count)
	}
}

// approvedOnce checks that each instruction is one rule in force, approved once.
func (d *deaths) approvedOnce() {
	d.t.Helper()
	said := d.saidWith("mention")
	var sources []store.Evidence
	d.admin.eventually("every rule in force", func() bool {
		sources = nil
		for _, r := range all[rules.Rule](d, "rules") {
			for _, id := range r.Sources {
				sources = append(sources, store.Evidence{Feedback: id})
			}
		}
		return len(sources) >= len(said)
	})
	approved := 0
	for _, a := range all[store.Audit](d, "audit") {
		if a.Action == "approve" {
			approved++
		}
	}
	if want := len(said); len(sources) != want || approved != want {
		d.t.Errorf("%d rules with %d sources approved %d times, want %d", want, len(sources), approved, want)
	}
}

// sameOnce compares evidence with the feedback that it must be of.
func sameOnce(evidence []store.Evidence, said []string) error {
	var got []string
	for _, e := range evidence {
		got = append(got, e.Feedback)
	}
	slices.Sort(got)
	slices.Sort(said)
	if !slices.Equal(got, said) {
		return fmt.Errorf("evidence %q, want %q", got, said)
	}
	return nil
}
