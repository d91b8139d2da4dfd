// Package storetest is the contract of store.Store as tests.
//
// Start with [Run], which every backend's test calls with a function that opens
// an empty store. Each case carries the sentence of the contract that it checks,
// word for word as it stands in package store, and prints it when it fails;
// storetest's own test demands that no sentence is without a case.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// Reopener is what a store can be closed and opened again with. The store that
// Reopen returns has the same data; the one it was called on is closed. Backends
// that keep anything at all implement it in their test's harness; without it the
// cases that reopen are skipped, aloud.
type Reopener interface {
	Reopen(tb testing.TB) store.Store
}

// Case is one sentence of the contract and its check.
type Case struct {
	Name     string
	Sentence string // as in the comments of store.Store; several are joined by a space
	check    func(t *testing.T, s store.Store)
}

// Cases lists the whole suite.
func Cases() []Case {
	var all []Case
	for _, cs := range [][]Case{generalCases, exchangeCases, cutCases, listCases, feedbackCases, learnerCases, ruleCases, auditCases} {
		all = append(all, cs...)
	}
	return all
}

// Run checks every sentence of the contract, each on an empty store of its own.
// open registers the closing with tb.Cleanup; a case may close the store itself,
// so the closing must bear ErrClosed. Cases may run for some seconds in all.
func Run(t *testing.T, open func(tb testing.TB) store.Store) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("the contract says: %s", c.Sentence)
				}
			})
			c.check(t, open(t))
		})
	}
}

// start is when the suite's exchanges begin to arrive: to the millisecond, in UTC,
// as the store keeps times.
var start = time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)

// at is n seconds after start.
func at(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

// exchange makes the n-th exchange of an app, with something in every field.
func exchange(app string, n int) *store.Exchange {
	cost := []*float64{nil, new(float64)}[n&1] // unknown, and free
	return &store.Exchange{
		ID: store.NewID(), App: app, Time: at(n), Cost: cost, Session: fmt.Sprint("session-", n), Agent: "bot", Trace: "00-1-2-01",
		Method: "POST", Path: "/v1/chat/completions", API: 1,
		Facts: rules.Facts{App: app, Step: "answer", Alias: "support", User: "user", Unit: fmt.Sprint("unit-", n), Now: at(n), Queries: []string{"where is it"}},
		Head:  rules.Head{Epoch: 3, Hash: "0123"},
		Decision: rules.Decision{
			Rules:  []rules.RuleDecision{{ID: "r_x", Version: 2, Score: 0.5, Propensity: 0.9}},
			Target: rules.TargetDecision{Upstream: "main", Model: "small", Propensity: 1},
		},
		RequestModel: "small", ResponseModel: "small-1", ResponseID: fmt.Sprint("chatcmpl-", app, n), Status: 200, Outcome: store.OK,
		Finish: "stop", Timing: store.Timing{Sent: 1, FirstByte: 2, First: 3, Done: 4, Own: 1}, Query: "where is it", Answer: fmt.Sprint("at home ", n),
		RequestBytes: 10, ResponseBytes: 20, Request: fmt.Appendf(nil, `{"messages":[{"role":"user","content":"where is it %d"}]}`, n),
		Response: fmt.Appendf(nil, `{"choices":[{"message":{"content":"at home %d"}}]}`, n),
	}
}

// exchanges writes n exchanges, oldest first.
func exchanges(t testing.TB, s store.Store, app string, n int) []*store.Exchange {
	t.Helper()
	xs := make([]*store.Exchange, n)
	for i := range xs {
		xs[i] = exchange(app, i)
	}
	ok(t, s.WriteExchanges(t.Context(), xs))
	return xs
}

// said makes feedback on an exchange.
func said(app, exchange, user string, rating float64) *store.Feedback {
	return &store.Feedback{App: app, Time: at(0), Source: "api", ExchangeID: exchange, User: user, Rating: &rating, Comment: "please be brief"}
}

// add stores feedback.
func add(t testing.TB, s store.Store, f *store.Feedback) *store.Feedback {
	t.Helper()
	stored, _, err := s.AddFeedback(t.Context(), f)
	ok(t, err)
	return stored
}

// rule makes a valid rule.
func rule(app, id string, version int) rules.Rule {
	return rules.Rule{
		ID: "r_" + id + "aaaaaaaaaaaaaaaaaaaaaaaaaa"[len(id):], Version: version, App: app, State: rules.Active, Action: "Be brief.",
		Scope: rules.Scope{AppliesWhen: "someone asks"}, Holdout: 0.1,
	}
}

// set makes a valid set; the rules must be sorted by id.
func set(app string, rs ...rules.Rule) *rules.Set { return &rules.Set{App: app, Rules: rs} }

// publish makes a set the head.
func publish(t testing.TB, s store.Store, app string, base rules.Epoch, next *rules.Set, ops ...rules.Operation) rules.Head {
	t.Helper()
	h, err := s.Publish(t.Context(), app, base, next, store.Audit{App: app, Time: at(int(base)), Actor: "ann", Action: "publish", Ops: ops})
	ok(t, err)
	return h
}

// proposal makes a proposal that adds a rule.
func proposal(app, id string, version int) *store.Proposal {
	r := rule(app, "p", 1)
	return &store.Proposal{
		ID: id, App: app, Version: version, State: store.Open, Created: at(0), Updated: at(version), Title: "be brief",
		Ops: []rules.Operation{{Kind: rules.Add, Rule: &r}}, Evidence: []store.Evidence{{Feedback: "f", Time: at(0), Quote: "be brief"}},
	}
}

// finding makes a finding.
func finding(app, id string, version int) *store.Finding {
	return &store.Finding{ID: id, App: app, Version: version, State: "open", Kind: "retrieval", Title: "wrong page", Created: at(0), Updated: at(version)}
}

// commit commits the learner's changes.
func commit(t testing.TB, s store.Store, c store.Changes) {
	t.Helper()
	ok(t, s.Commit(t.Context(), c))
}

// Pending gives what is pending of the app to a learner of that app.
func Pending(tb testing.TB, s store.Store, app string, limit int) []*store.Feedback {
	tb.Helper()
	fs, err := s.Pending(tb.Context(), app, Lead(tb, s, app, "w"), limit)
	ok(tb, err)
	return fs
}

// Lead makes the worker the app's learner.
func Lead(tb testing.TB, s store.Store, app, worker string) store.Lease {
	tb.Helper()
	l, err := s.Lead(tb.Context(), app, store.Lease{Worker: worker})
	ok(tb, err)
	if l.Epoch == 0 {
		tb.Fatalf("worker %q has no lease of app %q", worker, app)
	}
	return l
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is checks that err is what callers may test for.
func is(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// refused checks that there is an error, whichever.
func refused(t testing.TB, err error, what string) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s: got no error", what)
	}
}

// same compares values as they read.
func same(t testing.TB, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

// ids of what a list returned.
func exchangeIDs(xs []*store.Exchange) []string {
	var out []string
	for _, x := range xs {
		out = append(out, x.ID)
	}
	return out
}

func feedbackIDs(fs []*store.Feedback) []string {
	var out []string
	for _, f := range fs {
		out = append(out, f.ID)
	}
	return out
}

// list returns the exchanges that the filter selects, all pages.
func list(t testing.TB, s store.Store, f store.ExchangeFilter) []*store.Exchange {
	t.Helper()
	xs, err := pages(func(after string) ([]*store.Exchange, string, error) {
		f.After = after
		return s.Exchanges(t.Context(), f)
	})
	ok(t, err)
	return xs
}

// pages follows cursors to the end.
func pages[T any](next func(after string) ([]T, string, error)) ([]T, error) {
	var all []T
	after := ""
	for range 10000 {
		page, cursor, err := next(after)
		all = append(all, page...)
		if err != nil || cursor == "" {
			return all, err
		}
		after = cursor
	}
	return all, errors.New("the cursor never ends")
}

// reopen closes the store and opens it again.
func reopen(t *testing.T, s store.Store) store.Store {
	t.Helper()
	r, can := s.(Reopener)
	if !can {
		t.Skip("this backend's harness cannot reopen: persistence is NOT tested")
	}
	return r.Reopen(t)
}

// cancelled is a context whose time is over.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
