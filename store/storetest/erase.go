package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"heed/rules"
	"heed/store"
)

// Erasing is a store that can erase people, with what its test needs to look into
// it.
type Erasing struct {
	store.Store
	store.Eraser

	// Settle does what upkeep would do sooner or later.
	Settle func(t testing.TB)
	// Holds lists the places (files, keys) that hold the text.
	Holds func(t testing.TB, text string) []string
}

// word is what the erased person wrote, and nobody else.
const word = "xylophone-4711"

// Erased's people: the one who is erased, and another.
const (
	anns = "00000000000000000000000000000003"
	bens = "00000000000000000000000000000004"
)

// erasable puts the person's words into every place that may hold them and returns
// their record, and another person's on the same exchange.
func erasable(t testing.TB, s Erasing) (own, others *store.Feedback) {
	t.Helper()
	xs := make([]*store.Exchange, 200)
	for i := range xs {
		xs[i] = exchange("shop", i)
		xs[i].Facts.User = fmt.Sprintf("%032d", i%10)
		if i%10 == 3 {
			xs[i].Query, xs[i].Answer, xs[i].Request = word, word, fmt.Appendf(nil, `{"content":"%s %d"}`, word, i)
		}
	}
	for part := range slices.Chunk(xs, 5) { // small chunks, which merge and leave free pages
		ok(t, s.WriteExchanges(t.Context(), part))
	}
	s.Settle(t)
	f := said("shop", xs[3].ID, anns, -1)
	f.Key, f.Digest, f.Session, f.Comment = "key", "digest", "session-3", word
	own = add(t, s, f)
	f = said("shop", xs[3].ID, bens, -1)
	f.Comment = "I agree"
	others = add(t, s, f)
	r := rule("shop", "", 1)
	r.Action, r.Sources, r.Scope.Examples = "Say "+word+".", []string{own.ID}, []string{word}
	quote := []store.Evidence{{Feedback: own.ID, User: anns, Quote: word, Exchange: xs[3].ID, Time: at(0)}, {Feedback: others.ID, User: bens, Quote: "I agree", Time: at(0)}}
	commit(t, s, store.Changes{
		App: "shop", Handled: []store.Handled{
			{Feedback: own.ID, Link: &store.Link{ExchangeID: xs[3].ID, Query: word}},
			{Feedback: others.ID, RetryAt: at(0), Link: &store.Link{ExchangeID: xs[3].ID, Query: word, Answer: "x"}},
		},
		Proposals: []*store.Proposal{{
			ID: "p", App: "shop", Version: 1, State: store.Open, Evidence: quote, Touch: store.Touch{Inside: []store.Sample{{Exchange: xs[13].ID, Query: word}}},
			Title: word, Ops: []rules.Operation{{Kind: rules.Add, Rule: &r}},
		}},
		Findings: []*store.Finding{{ID: "f", App: "shop", Version: 1, State: "open", Title: word, Evidence: quote}},
	})
	publish(t, s, "shop", 0, set("shop", r), rules.Operation{Kind: rules.Add, Rule: &r})
	s.Settle(t)
	return own, others
}

// RunErase checks the contract of store.Eraser on an empty store and leaves one
// whose trail has an emptied entry, the first of three.
func RunErase(t *testing.T, s Erasing) {
	own, others := erasable(t, s)
	if found := s.Holds(t, word); len(found) < 4 {
		t.Fatalf("before, only %q hold the words: the search proves nothing", found)
	}
	traces, err := s.Traces(t.Context(), "shop", anns)
	ok(t, err)
	same(t, traces, store.Erased{Exchanges: 20, Feedback: []string{own.ID}, Touched: []string{others.ID}})
	if e, err := s.Traces(t.Context(), "other", anns); err != nil || e.Exchanges+len(e.Feedback)+len(e.Touched) > 0 {
		t.Errorf("another app has traces %+v, %v", e, err)
	}
	busy := Pending(t, s, "shop", 10) // a learner works on what quotes the person
	same(t, feedbackIDs(busy), []string{others.ID})
	lease := Lead(t, s, "shop", "w")
	e, err := s.EraseUser(t.Context(), "shop", anns, nil)
	ok(t, err)
	late := store.Changes{App: "shop", Lease: lease, Proposals: []*store.Proposal{{ID: "late", App: "shop", Version: 1, State: store.Open, Title: word}}}
	is(t, s.Commit(t.Context(), late), store.ErrFenced) // it may rest on what the learner read before
	_, err = s.Pending(t.Context(), "shop", lease, 10)
	is(t, err, store.ErrFenced)
	same(t, Lead(t, s, "shop", "other"), store.Lease{Worker: "other", Epoch: lease.Epoch + 1}) // at once
	ok(t, s.Yield(t.Context(), "shop", store.Lease{Worker: "other", Epoch: lease.Epoch + 1}))
	commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: others.ID, Link: busy[0].Link}}})
	same(t, e, store.Erased{Exchanges: 20, Feedback: []string{own.ID}, Touched: []string{others.ID}, Records: 2})
	by := store.Audit{Actor: "ann", Action: "erase"}
	is(t, s.Forget(t.Context(), "shop", e, by), store.ErrConflict) // a rule in force rests on it
	publish(t, s, "shop", 1, set("shop"))
	ok(t, s.Forget(t.Context(), "shop", e, by))
	if found := s.Holds(t, word); len(found) > 0 {
		t.Errorf("the person's words are still in %q", found)
	}
	erasedIsGone(t, s, own, others)

	again, err := s.EraseUser(t.Context(), "shop", anns, nil)
	ok(t, err)
	same(t, again, store.Erased{})
	_, err = s.EraseUser(t.Context(), "shop", "", nil)
	refused(t, err, "an empty user")
	next := said("shop", "", anns, 1) // who comes back is a person like any other
	next.Time, next.Key, next.Digest = at(1_000_000_000), "key", "another"
	if f, created, err := s.AddFeedback(t.Context(), next); err != nil || !created {
		t.Errorf("feedback of a person that was erased before: %+v %v %v", f, created, err)
	}
}

// erasedIsGone checks what is left of everything that the person's words were in.
func erasedIsGone(t *testing.T, s Erasing, own, others *store.Feedback) {
	t.Helper()
	for _, x := range list(t, s, store.ExchangeFilter{App: "shop", Limit: store.MaxPage}) {
		if x.Facts.User == anns {
			t.Errorf("exchange %s of the person is listed", x.ID)
		}
		got, err := s.Exchange(t.Context(), "shop", x.ID)
		if err != nil || got.ID != x.ID || strings.Contains(string(got.Request), word) {
			t.Errorf("exchange %s: %+v, %v", x.ID, got, err)
		}
	}
	if n := len(list(t, s, store.ExchangeFilter{App: "shop", Limit: store.MaxPage})); n != 180 {
		t.Errorf("%d exchanges are left, want 180", n)
	}
	for n, want := range map[int]error{3: store.ErrNotFound, 4: nil} {
		_, err := s.ExchangeByResponse(t.Context(), "shop", fmt.Sprint("chatcmpl-shop", n))
		is(t, err, want)
	}
	_, err := s.FeedbackByID(t.Context(), "shop", own.ID)
	is(t, err, store.ErrNotFound)
	for _, f := range []store.FeedbackFilter{{App: "shop"}, {App: "shop", Exchange: own.ExchangeID}} {
		fs, _, err := s.Feedback(t.Context(), f)
		ok(t, err)
		same(t, feedbackIDs(fs), []string{others.ID})
	}
	if l, _ := s.FeedbackByID(t.Context(), "shop", others.ID); l.Link == nil || l.Link.Query+l.Link.Answer != "" || l.Comment != "I agree" {
		t.Errorf("the other person's record: %+v, link %+v", l, l.Link)
	}
	sums, err := s.Ratings(t.Context(), "shop")
	ok(t, err)
	if len(sums) != 1 || sums[0].Good != 0 || sums[0].Bad != 1 {
		t.Errorf("ratings %+v, want the other person's alone", sums)
	}
	p, err := s.Proposal(t.Context(), "shop", "p")
	if err != nil || p.Version != 2 || p.State != store.Expired || len(p.Evidence)+len(p.Ops) != 0 {
		t.Errorf("proposal %+v, %v", p, err)
	}
	f, err := s.Finding(t.Context(), "shop", "f")
	if err != nil || f.Version != 2 || len(f.Evidence) != 1 {
		t.Errorf("finding %+v, %v", f, err)
	}
	ps := Pending(t, s, "shop", 10)
	same(t, feedbackIDs(ps), []string{others.ID}) // to be derived from anew
	vs, err := s.RuleVersions(t.Context(), "shop", "")
	if err != nil || len(vs) != 0 {
		t.Errorf("rule versions %+v, %v", vs, err)
	}
	as, _, err := s.Audits(t.Context(), store.AuditFilter{App: "shop"})
	if err != nil || len(as) != 3 || as[0].Action != "erase" || !slices.Equal(as[0].Empties, []int64{1}) || !as[2].Emptied {
		t.Fatalf("audits %+v, %v", as, err)
	}
	if n, err := s.VerifyAudit(t.Context(), "shop"); n != 0 || err != nil {
		t.Errorf("the emptied trail breaks at %d, %v", n, err)
	}
}

// LearnsMeanwhile is what a learner makes of another person's record on an exchange
// that is being erased.
func LearnsMeanwhile(l store.Lease, x *store.Exchange, others *store.Feedback) store.Changes {
	r := rule("shop", "", 1)
	r.Sources, r.Scope.Examples = []string{others.ID}, []string{x.Query}
	return store.Changes{App: "shop", Lease: l,
		Handled: []store.Handled{{Feedback: others.ID, Link: &store.Link{ExchangeID: x.ID, Query: x.Query}}},
		Proposals: []*store.Proposal{{ID: "meanwhile", App: "shop", Version: 1, State: store.Open, Title: x.Query, Ops: []rules.Operation{{Kind: rules.Add, Rule: &r}},
			Evidence: []store.Evidence{{Feedback: others.ID, User: others.User, Exchange: x.ID, Time: at(0)}}}}}
}

// LearnedIsGone checks that what LearnsMeanwhile made was erased, and that the other
// person's record is to be derived from anew.
func LearnedIsGone(t testing.TB, s store.Store, e store.Erased, others *store.Feedback) {
	t.Helper()
	if !slices.Contains(e.Touched, others.ID) {
		t.Errorf("erased %+v, want record %s touched", e, others.ID)
	}
	p, err := s.Proposal(t.Context(), "shop", "meanwhile")
	if err != nil || p.State != store.Expired || p.Title != "erased" || len(p.Ops)+len(p.Evidence) > 0 {
		t.Errorf("the proposal shows %+v, %v", p, err)
	}
	f, err := s.FeedbackByID(t.Context(), "shop", others.ID)
	if err != nil || f.Link == nil || f.Link.Query != "" {
		t.Errorf("the other person's record: %+v, %v", f, err)
	}
	same(t, feedbackIDs(Pending(t, s, "shop", 10)), []string{others.ID})
}
