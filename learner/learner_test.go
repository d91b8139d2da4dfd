package learner

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
	"heed/store/sqlite"
	"heed/wire"
)

// bench is a learner on a store of its own.
type bench struct {
	testing.TB
	ctx    context.Context
	store  store.Store
	l      *Learner
	policy AppPolicy
	now    time.Time
}

func newBench(t testing.TB) *bench {
	t.Helper()
	ctx := t.Context()
	s, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "data"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b := &bench{TB: t, ctx: ctx, store: s, policy: DefaultPolicy(), now: time.Now().UTC()}
	b.l, err = New(Options{Store: &leased{s, t}, Log: slog.New(slog.DiscardHandler), Apps: func(string) AppPolicy { return b.policy }, Now: func() time.Time { return b.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.l.side.Wait) // before the store closes
	return b
}

// leased is a store on which all that is changed names a lease: it is a learner's.
type leased struct {
	store.Store
	tb testing.TB
}

func (s *leased) Commit(ctx context.Context, c store.Changes) error {
	if c.Lease == (store.Lease{}) {
		s.tb.Errorf("the learner commits without a lease: %+v", c)
	}
	return s.Store.Commit(ctx, c)
}

func (s *leased) Publish(ctx context.Context, app string, base rules.Epoch, set *rules.Set, a store.Audit) (rules.Head, error) {
	if a.Lease == (store.Lease{}) {
		s.tb.Errorf("the learner publishes without a lease: %+v", a)
	}
	return s.Store.Publish(ctx, app, base, set, a)
}

// work lets the learner handle what is due.
func (b *bench) work() {
	b.Helper()
	if err := b.l.work(b.ctx); err != nil {
		b.Fatal(err)
	}
}

// exchange logs an answered request and returns it.
func (b *bench) exchange(query string, change ...func(*store.Exchange)) *store.Exchange {
	b.Helper()
	x := &store.Exchange{
		ID: store.NewID(), App: "shop", Time: b.now, API: wire.Chat, Method: "POST", Path: "/v1/chat/completions",
		Facts:    rules.Facts{App: "shop", Step: "s1", Alias: "support", Unit: "u-" + query, Queries: []string{query}, Now: b.now},
		Decision: rules.Decision{Target: rules.TargetDecision{Upstream: "main", Model: "mini", Propensity: 1}},
		Status:   200, Outcome: store.OK, Finish: "stop", Query: query, Answer: "You can do that in your account.",
		Request:  fmt.Appendf(nil, `{"model":"support","messages":[{"role":"system","content":"You are a shop's assistant."},{"role":"user","content":%q}]}`, query),
		Response: []byte(`{"id":"chatcmpl-1","choices":[{"index":0,"message":{"role":"assistant","content":"You can do that in your account."},"finish_reason":"stop"}]}`),
	}
	for _, c := range change {
		c(x)
	}
	if err := b.store.WriteExchanges(b.ctx, []*store.Exchange{x}); err != nil {
		b.Fatal(err)
	}
	return x
}

// say posts feedback on x by user.
func (b *bench) say(x *store.Exchange, user, comment string, change ...func(*store.Feedback)) *store.Feedback {
	b.Helper()
	bad := -1.0
	f := &store.Feedback{App: "shop", Time: b.now, Source: "widget", ExchangeID: x.ID, User: user, Rating: &bad, Comment: comment}
	for _, c := range change {
		c(f)
	}
	stored, _, err := b.store.AddFeedback(b.ctx, f)
	if err != nil {
		b.Fatal(err)
	}
	return stored
}

func (b *bench) proposals(state store.ProposalState) []*store.Proposal {
	b.Helper()
	ps, _, err := b.store.Proposals(b.ctx, store.ProposalFilter{App: "shop", State: state})
	if err != nil {
		b.Fatal(err)
	}
	return ps
}

func (b *bench) findings(state string) []*store.Finding {
	b.Helper()
	fs, _, err := b.store.Findings(b.ctx, store.FindingFilter{App: "shop", State: state})
	if err != nil {
		b.Fatal(err)
	}
	return fs
}

// one returns the only open proposal.
func (b *bench) one() *store.Proposal {
	b.Helper()
	ps := b.proposals(store.Open)
	if len(ps) != 1 {
		var titles []string
		for _, p := range ps {
			titles = append(titles, p.Title)
		}
		b.Fatalf("%d open proposals, want 1: %q", len(ps), titles)
	}
	return ps[0]
}

func (b *bench) approve(p *store.Proposal) {
	b.Helper()
	if _, err := store.Approve(b.ctx, b.store, store.Approval{App: "shop", Proposal: p.ID, Digest: p.Digest(), Actor: "ann", Now: b.now}); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) set() *rules.Set {
	b.Helper()
	_, set, err := store.Current(b.ctx, b.store, "shop")
	if err != nil {
		b.Fatal(err)
	}
	return set
}

func TestLearner_InstructionBecomesProposal(t *testing.T) {
	b := newBench(t)
	for _, q := range []string{"where is my parcel", "how do i reset my password", "do you sell gift cards", "can i pay by invoice"} {
		b.exchange(q)
	}
	x := b.exchange("how do i return my shoes")
	f := b.say(x, "u1", "Please always mention the 30 day return window.")
	b.work()
	p := b.one()
	r := p.Rule()
	if p.Ops[0].Kind != rules.Add || r.Action != "Always mention the 30 day return window." {
		t.Errorf("operation %s, action %q, want an added rule in the person's words", p.Ops[0].Kind, r.Action)
	}
	if r.Scope.AppliesWhen != "the request is about return, shoes" || len(r.Scope.Examples) != 1 || r.Scope.Examples[0] != x.Query {
		t.Errorf("scope %+v, want the topic and the judged request", r.Scope)
	}
	if len(r.Scope.Hard.Steps) != 1 || r.Scope.Hard.Steps[0] != "s1" || r.Holdout != 0.10 || len(r.Checks) == 0 {
		t.Errorf("steps %v, holdout %v, checks %v", r.Scope.Hard.Steps, r.Holdout, r.Checks)
	}
	if p.People != 1 || len(p.Evidence) != 1 || p.Evidence[0].Feedback != f.ID || p.Evidence[0].Quote != f.Comment || p.Title == "" {
		t.Errorf("people %d, evidence %+v, title %q", p.People, p.Evidence, p.Title)
	}
	if p.Touch.Of != 5 || p.Touch.In != 1 || p.Touch.Inside[0].Query != x.Query {
		t.Errorf("touch %+v, want the judged request of 5", p.Touch)
	}
	stored, err := b.store.FeedbackByID(b.ctx, "shop", f.ID)
	if err != nil || stored.Link == nil || stored.Link.Query != x.Query || stored.Link.Step != "s1" {
		t.Errorf("link %+v (%v), want a copy of what was judged", stored.Link, err)
	}
	if len(b.set().Rules) != 0 {
		t.Error("a rule is in force without an approval")
	}
	b.approve(p)
	if got := b.set().Rules; len(got) != 1 || got[0].ApprovedBy != "ann" {
		t.Errorf("rules in force %+v", got)
	}
}

func TestLearner_LikeInstructionsMerge(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "u1", "Mention the 30 day return window")
	b.say(b.exchange("can i return these shoes"), "u2", "It should always mention the 30 day return window.")
	b.say(b.exchange("what is the return policy for shoes"), "u2", "please include the 30 day return window")
	b.work()
	p := b.one()
	if p.People != 2 || len(p.Evidence) != 3 || len(p.Rule().Scope.Examples) != 3 || len(p.Rule().Sources) != 3 || p.Version != 3 {
		t.Errorf("people %d, evidence %d, examples %q, version %d", p.People, len(p.Evidence), p.Rule().Scope.Examples, p.Version)
	}
}

func TestLearner_UnlikeInstructionsStayApart(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "u1", "Mention the 30 day return window")
	b.say(b.exchange("how do i return my shoes please"), "u2", "Never mention the blog")
	b.say(b.exchange("where can i change my password"), "u3", "Keep the answer short")
	b.say(b.exchange("which sizes does the parka come in"), "u3", "Keep the answer short")
	b.work()
	if n := len(b.proposals(store.Open)); n != 4 {
		t.Errorf("%d proposals, want 4: other actions, and a general one on another topic, are other rules", n)
	}
}

func TestLearner_ComplaintBecomesFinding(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "u1", "This does not answer my question at all")
	b.say(b.exchange("how can i return the shoes"), "u2", "useless")
	b.say(b.exchange("is the hotline open on sundays"), "u2", "that was rude")
	b.work()
	if n := len(b.proposals(store.Open)); n != 0 {
		t.Fatalf("%d proposals of complaints", n)
	}
	fs := b.findings("open")
	if len(fs) != 2 {
		t.Fatalf("%d findings, want 2 clusters: %+v", len(fs), fs)
	}
	for _, f := range fs {
		if f.Kind != "no_instruction" || f.Title == "" || f.Suggest == "" {
			t.Errorf("finding %+v", f)
		}
		if strings.Contains(f.Title, "return") && (f.Count != 2 || f.People != 2 || len(f.Evidence) != 2) {
			t.Errorf("cluster counts %d by %d people", f.Count, f.People)
		}
	}
}

func TestLearner_FindingReopens(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "u1", "useless")
	b.work()
	f := b.findings("open")[0]
	f.State, f.Version, f.Owner = "resolved", f.Version+1, "the search team"
	if err := b.store.Commit(b.ctx, store.Changes{App: "shop", Findings: []*store.Finding{f}}); err != nil {
		t.Fatal(err)
	}
	again := b.say(b.exchange("how do i return my shoes"), "u2", "again useless")
	b.work()
	got := b.findings("open")
	if len(got) != 1 || got[0].ID != f.ID || got[0].Reopened != 1 || got[0].Count != 2 || got[0].Owner != "the search team" {
		t.Errorf("findings %+v, want the old one open again, its owner's", got)
	}
	counted := func(want int) {
		t.Helper()
		fs := append(b.findings("open"), b.findings("resolved")...)
		n := 0
		for _, d := range fs[0].Days {
			n += d.N
		}
		if n != want || len(fs) != 1 {
			t.Errorf("%d findings count %d complaints by day, want %d: %+v", len(fs), n, want, fs[0].Days)
		}
	}
	counted(2)
	if err := b.store.Retract(b.ctx, "shop", again.ID); err != nil {
		t.Fatal(err)
	}
	b.work()
	counted(1)
}

func TestLearner_WaitsForTheExchange(t *testing.T) {
	b := newBench(t)
	x := &store.Exchange{ID: store.NewID()}
	b.say(x, "u1", "Always mention the fee")
	b.l.opt.Now = time.Now // the store's clock: a record that waits is due by it
	b.work()
	if n := len(b.proposals(store.Open)) + len(b.findings("open")); n != 0 {
		t.Fatalf("%d results before the exchange was logged", n)
	}
	b.exchange("what does delivery cost", func(y *store.Exchange) { y.ID = x.ID })
	deadline := time.Now().Add(20 * time.Second)
	for len(b.proposals(store.Open)) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("no proposal after the exchange was logged")
		}
		b.work()
	}
}

func TestLearner_GivesUpOnTheExchange(t *testing.T) {
	b := newBench(t)
	b.say(&store.Exchange{ID: store.NewID()}, "u1", "Always mention the fee", func(f *store.Feedback) { f.Time = b.now.Add(-linkPatience) })
	b.work()
	fs := b.findings("open")
	if len(fs) != 1 || fs[0].Suggest != "Always mention the fee." {
		t.Errorf("findings %+v, want one that keeps what was said", fs)
	}
}
