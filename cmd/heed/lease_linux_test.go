package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"heed/internal/simulate"
	"heed/rules"
	"heed/store"
	"heed/store/redis"
	"heed/wire"
)

// pair is a Redis with what two learners have to learn from.
type pair struct {
	t        *testing.T
	url      string
	upstream string
	store    store.Store
	said     []string // ids of feedback
}

func newPair(t *testing.T) *pair {
	t.Helper()
	_, upstream := model(t, simulate.Options{OverApply: -1})
	url, _ := redisServer(t)
	s, err := redis.Open(t.Context(), redis.Options{URL: url, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &pair{t: t, url: url, upstream: upstream, store: s}
}

// learner starts one, stopped at a point or "".
func (p *pair) learner(point, policy string) *program {
	p.t.Helper()
	p.t.Setenv(stopAt, point)
	return startPart(p.t, withPolicy(p.t, sharedConfig(p.t, p.upstream, p.url), policy), "learner", func(*program) bool { return true })
}

// say has n further people wish for the same, all at once.
func (p *pair) say(n int) {
	p.t.Helper()
	ctx := p.t.Context()
	for range n {
		user := fmt.Sprint("user", len(p.said))
		query := fmt.Sprintf("how do I return the shoes of %s", user)
		x := &store.Exchange{
			ID: store.NewID(), App: "shop", Time: time.Now().UTC(), API: wire.Chat, Path: "/v1/chat/completions", Status: 200, Outcome: store.OK,
			Facts: rules.Facts{App: "shop", Step: "answer", Alias: "gpt-4o", Unit: user, User: user, Queries: []string{query}}, Query: query, Answer: "Please see our pages.",
		}
		if err := p.store.WriteExchanges(ctx, []*store.Exchange{x}); err != nil {
			p.t.Fatal(err)
		}
		bad := -1.0
		f, _, err := p.store.AddFeedback(ctx, &store.Feedback{App: "shop", Source: "widget", ExchangeID: x.ID, User: user, Rating: &bad,
			Comment: `Please always mention the "free label".`, When: "someone wants to return something"})
		if err != nil {
			p.t.Fatal(err)
		}
		p.said = append(p.said, f.ID)
	}
}

// handled reports whether all that was said is.
func (p *pair) handled() bool {
	fs, _, err := p.store.Feedback(p.t.Context(), store.FeedbackFilter{App: "shop", Limit: store.MaxPage})
	return err == nil && len(fs) == len(p.said) && !slices.ContainsFunc(fs, func(f *store.Feedback) bool { return f.Link == nil })
}

// once checks that one proposal, ever, rests on all that was said, each once.
func (p *pair) once(state store.ProposalState) {
	p.t.Helper()
	ps, _, err := p.store.Proposals(p.t.Context(), store.ProposalFilter{App: "shop"})
	if err != nil || len(ps) != 1 || ps[0].State != state {
		p.t.Fatalf("%d proposals %+v (%v), want one, %s", len(ps), ps, err, state)
	}
	if err := sameOnce(ps[0].Evidence, p.said); err != nil || ps[0].People != len(p.said) {
		p.t.Errorf("the proposal: %v; %d people", err, ps[0].People)
	}
}

// stopped waits until the process is stopped by a signal.
func (p *program) stopped() {
	p.t.Helper()
	p.eventually("stopped", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		_, rest, ok := strings.Cut(string(b), ") ")
		return err == nil && ok && strings.HasPrefix(rest, "T")
	})
}

// A learner that is stopped in the middle of a record, or of an approval, past its
// lease: another takes over, and what the first does when it goes on is refused.
// Everything has its effect once.
func TestLease_StoppedLearnerIsFenced(t *testing.T) {
	for point, c := range map[string]struct {
		policy string
		state  store.ProposalState
		says   string // by the first learner, when it goes on
		first  int    // said before it stops
	}{
		"Commit before":  {"learner: {approval: manual}\n", store.Open, "another learner leads the app by now", 12},
		"Publish before": {"learner: {approval: auto, quorum: 1, max_touch: 1}\n", store.Approved, "proposal not approved", 1},
	} {
		t.Run(point, func(t *testing.T) {
			p := newPair(t)
			p.say(c.first)
			first := p.learner(point, c.policy)
			first.stopped()
			second := p.learner("", c.policy)
			done := func() bool {
				ps, _, err := p.store.Proposals(t.Context(), store.ProposalFilter{App: "shop", State: c.state})
				return err == nil && len(ps) == 1 && p.handled()
			}
			second.eventually("the second learner takes over", done)
			p.once(c.state)
			if err := first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			first.eventually("the first is refused", func() bool { return strings.Contains(first.stderr.String(), c.says) })
			p.once(c.state)
			if c.state == store.Open {
				p.say(5)
				second.eventually("what was said later is handled", p.handled)
				p.once(c.state)
			}
			as, _, err := p.store.Audits(t.Context(), store.AuditFilter{App: "shop", Action: "approve"})
			if want := map[store.ProposalState]int{store.Approved: 1}[c.state]; err != nil || len(as) != want {
				t.Errorf("approved %d times (%v), want %d", len(as), err, want)
			}
			for _, l := range []*program{first, second} {
				if code := l.terminate(); code != 0 {
					t.Errorf("exit code %d\n%s", code, l.stderr)
				}
			}
		})
	}
}

// Two learners that are given many like wishes of one app at once write one
// proposal; when the one that leads is told to end, the other goes on at once.
func TestLease_TwoLearnersOneProposal(t *testing.T) {
	p := newPair(t)
	const policy = "learner: {approval: manual}\n"
	learners := []*program{p.learner("", policy), p.learner("", policy)}
	for range 4 {
		p.say(5)
	}
	learners[0].eventually("all is handled", p.handled)
	p.once(store.Open)
	best := time.Hour
	for range 3 { // a busy machine gets three tries
		start := time.Now()
		p.say(1)
		learners[0].eventually("it is handled", p.handled)
		best = min(best, time.Since(start))
	}
	t.Logf("from feedback to the proposal: %v", best)
	if best >= time.Second {
		t.Errorf("from feedback to the proposal it took %v, want less than a second", best)
	}
	leads := func(l *program) bool { return strings.Contains(l.stderr.String(), `"learner: leads" app=shop`) }
	at := slices.IndexFunc(learners, leads)
	if at < 0 || leads(learners[1-at]) {
		t.Fatalf("one learner must lead:\n%s\n%s", learners[0].stderr, learners[1].stderr)
	}
	if code := learners[at].terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	ended := time.Now()
	p.say(5)
	learners[1-at].eventually("what was said later is handled", p.handled)
	if took := time.Since(ended); took >= store.LeaseTime {
		t.Errorf("the other took over after %v: the lease was not given back", took)
	}
	p.once(store.Open)
	if code := learners[1-at].terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
