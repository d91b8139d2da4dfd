package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

var learnerCases = []Case{
	{"Lead/Epochs", "Lead makes a worker the app's one learner for LeaseTime and names its lease. " +
		"Without an Epoch it asks for the lease, and gets one whose Epoch is one above the last one's, also after a restart of the store, if nobody else has it or the worker itself had it before it was started again. " +
		"While another worker has it, the answer is the zero Lease.", func(t *testing.T, s store.Store) {
		for epoch := uint64(1); epoch < 4; epoch++ { // the same worker, started again and again
			same(t, Lead(t, s, "shop", "w1"), store.Lease{Worker: "w1", Epoch: epoch})
		}
		got, err := s.Lead(t.Context(), "shop", store.Lease{Worker: "w2"})
		ok(t, err)
		same(t, got, store.Lease{})
		same(t, Lead(t, s, "other", "w2"), store.Lease{Worker: "w2", Epoch: 1}) // another app, another learner
		_, err = s.Lead(t.Context(), "shop", store.Lease{})
		refused(t, err, "a lease of nobody")
		s = reopen(t, s)
		same(t, Lead(t, s, "shop", "w1"), store.Lease{Worker: "w1", Epoch: 4})
		leases := make([]store.Lease, 8)
		together(len(leases), func(i int) {
			l, err := s.Lead(t.Context(), "new", store.Lease{Worker: fmt.Sprint("w", i)})
			must(t, err)
			leases[i] = l
		})
		leases = slices.DeleteFunc(leases, func(l store.Lease) bool { return l == store.Lease{} })
		if len(leases) != 1 || leases[0].Epoch != 1 {
			t.Fatalf("of workers that ask at once %+v lead, want one", leases)
		}
	}},
	{"Lead/Renew", "With an Epoch it renews that lease; the answer is the zero Lease when that is not the app's any more. " +
		"A lease that is not renewed is over after LeaseTime, by the store's clock, and goes to the next worker that asks; until one does, it is the app's.", func(t *testing.T, s store.Store) {
		start := time.Now()
		idle, first := Lead(t, s, "idle", "w1"), Lead(t, s, "shop", "w1")
		next := func() (l store.Lease) {
			for deadline := time.Now().Add(4 * store.LeaseTime); l == (store.Lease{}); time.Sleep(store.LeaseTime / 50) { // between two looks: nothing tells
				if time.Now().After(deadline) {
					t.Fatal("the lease never ends")
				}
				var err error
				l, err = s.Lead(t.Context(), "shop", store.Lease{Worker: "w2"})
				ok(t, err)
				if time.Since(start) < store.LeaseTime/2 { // renewed, and tried for by another
					if l, err := s.Lead(t.Context(), "shop", first); err != nil || l != first {
						t.Fatalf("renewed %+v as %+v, %v", first, l, err)
					}
				}
			}
			return l
		}
		same(t, next(), store.Lease{Worker: "w2", Epoch: 2})
		if took := time.Since(start); took < store.LeaseTime {
			t.Errorf("the lease went to another after %v, want %v at least", took, store.LeaseTime)
		}
		got, err := s.Lead(t.Context(), "shop", first)
		ok(t, err)
		same(t, got, store.Lease{})
		got, err = s.Lead(t.Context(), "idle", idle) // nobody asked
		ok(t, err)
		same(t, got, idle)
	}},
	{"Yield", "Yield gives the lease back, so that the next worker that asks has it at once. One that is not the app's any more is left as it is, and no error.", func(t *testing.T, s store.Store) {
		first := Lead(t, s, "shop", "w1")
		ok(t, s.Yield(t.Context(), "shop", first))
		second := Lead(t, s, "shop", "w2")
		same(t, second, store.Lease{Worker: "w2", Epoch: 2})
		ok(t, s.Yield(t.Context(), "shop", first))
		ok(t, s.Yield(t.Context(), "none", first))
		got, err := s.Lead(t.Context(), "shop", second)
		ok(t, err)
		same(t, got, second)
	}},
	{"Pending/Order", "Pending returns up to limit feedback records of the app that the learner has not handled yet and that are due, oldest first.", func(t *testing.T, s store.Store) {
		var ids []string
		for i, app := range []string{"shop", "shop", "other", "shop"} {
			f := said(app, "", "ann", 1)
			f.Time = at(-i)
			ids = append(ids, add(t, s, f).ID)
		}
		same(t, feedbackIDs(Pending(t, s, "shop", 2)), []string{ids[3], ids[1]})
		same(t, feedbackIDs(Pending(t, s, "shop", 10)), []string{ids[3], ids[1], ids[0]})
		commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{
			{Feedback: ids[0]}, {Feedback: ids[1], RetryAt: time.Now().Add(time.Hour)}, {Feedback: ids[3], RetryAt: time.Now().Add(-time.Second)},
		}})
		same(t, feedbackIDs(Pending(t, s, "shop", 10)), []string{ids[3]})
		same(t, feedbackIDs(Pending(t, s, "other", 10)), []string{ids[2]})
	}},
	{"Pending/Fenced", "They are for the app's one learner: a lease that is not the app's, or not any more, is ErrFenced.", func(t *testing.T, s store.Store) {
		for _, work := range []bool{false, true} { // nothing is due, something is
			if work {
				add(t, s, said("shop", "", "ann", 1))
			}
			old := Lead(t, s, "shop", "w1")
			now := Lead(t, s, "shop", "w1")
			for _, l := range []store.Lease{{}, {Worker: "w1"}, old, {Worker: "w2", Epoch: now.Epoch}, {Worker: "w1", Epoch: now.Epoch + 1}} {
				_, err := s.Pending(t.Context(), "shop", l, 10)
				is(t, err, store.ErrFenced)
			}
			_, err := s.Pending(t.Context(), "other", now, 10)
			is(t, err, store.ErrFenced)
			_, err = s.Pending(t.Context(), "shop", now, 10)
			ok(t, err)
		}
	}},
	{"Commit/Fenced", "With a Lease that is not the app's any more nothing changes, and it is ErrFenced; people commit without one.", func(t *testing.T, s store.Store) {
		f := add(t, s, said("shop", "", "ann", 1))
		old, now := Lead(t, s, "shop", "w1"), store.Lease{}
		c := store.Changes{App: "shop", Handled: []store.Handled{{Feedback: f.ID}}, Proposals: []*store.Proposal{proposal("shop", "p", 1)},
			Audits: []store.Audit{{Actor: "learner", Action: "propose"}}}
		now = Lead(t, s, "shop", "w1")
		for _, l := range []store.Lease{{Worker: "w1"}, old, {Worker: "w2", Epoch: now.Epoch}} {
			c.Lease = l
			before := picture(t, s, "shop")
			is(t, s.Commit(t.Context(), c), store.ErrFenced)
			same(t, picture(t, s, "shop"), before)
		}
		ps, err := s.Pending(t.Context(), "shop", now, 10)
		ok(t, err)
		same(t, feedbackIDs(ps), []string{f.ID})
		c.Lease = now
		commit(t, s, c)
		commit(t, s, store.Changes{App: "shop", Findings: []*store.Finding{finding("shop", "f", 1)}})
		ok(t, s.Yield(t.Context(), "shop", c.Lease))
		is(t, s.Commit(t.Context(), store.Changes{App: "shop", Lease: c.Lease, Findings: []*store.Finding{finding("shop", "f", 2)}}), store.ErrFenced)
	}},
	{"Commit/Whole", "Commit makes the learner's changes in one transaction: handled feedback, proposals and findings all or nothing.", func(t *testing.T, s store.Store) {
		f := add(t, s, said("shop", "", "ann", 1))
		c := store.Changes{
			App: "shop", Handled: []store.Handled{{Feedback: f.ID, Note: "proposed"}},
			Proposals: []*store.Proposal{proposal("shop", "p1", 1)}, Findings: []*store.Finding{finding("shop", "f1", 2)},
			Audits: []store.Audit{{App: "shop", Time: at(0), Actor: "learner", Action: "propose"}},
		}
		is(t, s.Commit(t.Context(), c), store.ErrConflict) // the finding is not new
		_, err := s.Proposal(t.Context(), "shop", "p1")
		is(t, err, store.ErrNotFound)
		as, _, err := s.Audits(t.Context(), store.AuditFilter{App: "shop"})
		ok(t, err)
		ps := Pending(t, s, "shop", 10)
		same(t, [2]int{len(as), len(ps)}, [2]int{0, 1})
		c.Findings[0].Version = 1
		commit(t, s, c)
		s = reopen(t, s)
		p, err := s.Proposal(t.Context(), "shop", "p1")
		ok(t, err)
		same(t, p, c.Proposals[0])
		g, err := s.Finding(t.Context(), "shop", "f1")
		ok(t, err)
		same(t, g, c.Findings[0])
		ps = Pending(t, s, "shop", 10)
		same(t, len(ps), 0)
	}},
	{"Commit/Versions", "A proposal or finding whose Version is not the stored one plus one (1 for a new one) is ErrConflict; read again and decide anew.", func(t *testing.T, s store.Store) {
		try := func(v int) error {
			err := s.Commit(t.Context(), store.Changes{App: "shop", Proposals: []*store.Proposal{proposal("shop", "p", v)}})
			other := s.Commit(t.Context(), store.Changes{App: "shop", Findings: []*store.Finding{finding("shop", "f", v)}})
			if (err == nil) != (other == nil) {
				t.Fatalf("version %d: proposal %v, finding %v", v, err, other)
			}
			return err
		}
		is(t, try(2), store.ErrConflict)
		ok(t, try(1))
		is(t, try(1), store.ErrConflict)
		is(t, try(3), store.ErrConflict)
		ok(t, try(2))
		won := make([]int, 8)
		together(len(won), func(i int) {
			if s.Commit(t.Context(), store.Changes{App: "shop", Findings: []*store.Finding{finding("shop", "f", 3)}}) == nil {
				won[i] = 1
			}
		})
		if n := slices.Index(won, 1); n < 0 || slices.Contains(won[n+1:], 1) {
			t.Fatalf("parallel commits of one version: won %v, want exactly one", won)
		}
	}},
	{"Commit/Unknown", "Unknown handled feedback is ErrNotFound.", func(t *testing.T, s store.Store) {
		is(t, s.Commit(t.Context(), store.Changes{App: "shop", Handled: []store.Handled{{Feedback: "none"}}}), store.ErrNotFound)
	}},
	{"Commit/Retracted", "Feedback that was retracted after Pending gave it out stays pending.", func(t *testing.T, s store.Store) {
		f := add(t, s, said("shop", "", "ann", 1))
		Pending(t, s, "shop", 10)
		ok(t, s.Retract(t.Context(), "shop", f.ID))
		commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: f.ID}}})
		ps := Pending(t, s, "shop", 10)
		if len(ps) != 1 || ps[0].Retracted.IsZero() {
			t.Fatalf("got %+v, want the retracted record", ps)
		}
	}},
	{"Pending/Given", "A record that was given out and then neither handled nor put off has Given when it is given out again, whoever had it, also after a restart.", func(t *testing.T, s store.Store) {
		first, second := add(t, s, said("shop", "", "ann", 1)), add(t, s, said("shop", "", "ben", 1))
		give := func() (given []bool) {
			ps := Pending(t, s, "shop", 10)
			same(t, feedbackIDs(ps), []string{first.ID, second.ID})
			for _, p := range ps {
				given = append(given, p.Given)
			}
			return given
		}
		same(t, give(), []bool{false, false})
		same(t, give(), []bool{true, true})
		s = reopen(t, s)
		same(t, give(), []bool{true, true})
		commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: second.ID, RetryAt: time.Now().Add(-time.Second)}}})
		same(t, give(), []bool{true, false})
	}},
	{"Commit/Tries", "Tries is kept with the record, durably; of one that is Begun only Tries change, and it stays given out.", func(t *testing.T, s store.Store) {
		f := add(t, s, said("shop", "", "ann", 1))
		begin := func(tries int) {
			commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: f.ID, Begun: true, Tries: tries, RetryAt: time.Now().Add(time.Hour)}}})
		}
		tries := func(want int, given bool) {
			t.Helper()
			ps := Pending(t, s, "shop", 10)
			if len(ps) != 1 || ps[0].Tries != want || ps[0].Given != given {
				t.Fatalf("got %+v, want one record with %d tries, given %v", ps, want, given)
			}
		}
		tries(0, false)
		begin(1)
		tries(1, true)
		begin(2)
		s = reopen(t, s)
		tries(2, true)
		commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: f.ID, Tries: 3, RetryAt: time.Now().Add(-time.Second)}}})
		got, err := s.FeedbackByID(t.Context(), "shop", f.ID)
		ok(t, err)
		same(t, got.Tries, 3)
		tries(3, false)
		begin(4)
		ok(t, s.Retract(t.Context(), "shop", f.ID)) // what is begun is still seen to have been taken back
		commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: f.ID}}})
		tries(0, false)
		commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: f.ID}}})
		got, err = s.FeedbackByID(t.Context(), "shop", f.ID)
		ok(t, err)
		same(t, got.Tries, 0)
	}},
	{"Commit/Aside", "A record put Aside is not Pending and has the Note as the reason, until it is put off to a time. Retracting it makes it pending with no Tries.", func(t *testing.T, s store.Store) {
		f, g := add(t, s, said("shop", "", "ann", 1)), add(t, s, said("shop", "", "ben", 1))
		pending := func() []string {
			ps := Pending(t, s, "shop", 10)
			return feedbackIDs(ps)
		}
		same(t, pending(), []string{f.ID, g.ID})
		commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{
			{Feedback: f.ID, Aside: true, Tries: 5, Note: "it broke"}, {Feedback: g.ID, Aside: true, Tries: 5, Note: "so did it"}}})
		s = reopen(t, s)
		same(t, pending(), []string(nil))
		aside, _, err := s.Feedback(t.Context(), store.FeedbackFilter{App: "shop", Aside: true})
		ok(t, err)
		got, err := s.FeedbackByID(t.Context(), "shop", f.ID)
		ok(t, err)
		same(t, []any{len(aside), got.Aside, got.Tries}, []any{2, "it broke", 5})
		commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: f.ID, RetryAt: time.Now().Add(-time.Second)}}})
		ok(t, s.Retract(t.Context(), "shop", g.ID))
		same(t, pending(), []string{f.ID, g.ID})
		for _, id := range pending() {
			got, err := s.FeedbackByID(t.Context(), "shop", id)
			ok(t, err)
			same(t, []any{got.Aside, got.Tries}, []any{"", 0})
		}
		aside, _, err = s.Feedback(t.Context(), store.FeedbackFilter{App: "shop", Aside: true})
		ok(t, err)
		same(t, len(aside), 0)
	}},
	{"Commit/Link", "A nil Link keeps the link that was there; a link makes the record one on its exchange, also for SupersededBy.", func(t *testing.T, s store.Store) {
		x := store.NewID()
		link := &store.Link{
			ExchangeID: x, Time: at(1), Step: "answer", Alias: "support", Unit: "u", Query: strings.Repeat("q", store.MaxCopyBytes+1), Answer: "a",
			Rules: []rules.RuleDecision{{ID: "r_x", Version: 1, Propensity: 1}}, Target: rules.TargetDecision{Upstream: "main", Model: "small"},
		}
		byResponse := add(t, s, &store.Feedback{App: "shop", User: "ann", ResponseID: "resp_1", Comment: "no"})
		later := add(t, s, said("shop", x, "ann", 1))
		commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: byResponse.ID, Link: link}}})
		commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: byResponse.ID}}})
		got, err := s.FeedbackByID(t.Context(), "shop", byResponse.ID)
		ok(t, err)
		want := *link
		want.Query = want.Query[:store.MaxCopyBytes]
		same(t, got.Link, &want)
		same(t, got.SupersededBy, later.ID)
		fs, _, err := s.Feedback(t.Context(), store.FeedbackFilter{App: "shop", Exchange: x})
		ok(t, err)
		same(t, len(fs), 2)
	}},
	{"Proposals", "Proposal returns one proposal. Proposals lists proposals, newest change first.", func(t *testing.T, s store.Store) {
		for _, id := range []string{"a", "b", "c", "d"} {
			commit(t, s, store.Changes{App: "shop", Proposals: []*store.Proposal{proposal("shop", id, 1)}})
		}
		b := proposal("shop", "b", 2)
		b.State, b.Ops = store.Rejected, []rules.Operation{{Kind: rules.Retire, IDs: []string{"r_old"}}}
		commit(t, s, store.Changes{App: "shop", Proposals: []*store.Proposal{b}})
		walk := func(f store.ProposalFilter) (ids string) {
			f.App = "shop"
			ps, err := pages(func(after string) ([]*store.Proposal, string, error) {
				f.After = after
				return s.Proposals(t.Context(), f)
			})
			ok(t, err)
			for _, p := range ps {
				ids += p.ID
			}
			return ids
		}
		same(t, walk(store.ProposalFilter{}), "bdca")
		same(t, walk(store.ProposalFilter{Limit: 2}), "bdca")
		same(t, walk(store.ProposalFilter{State: store.Open}), "dca")
		same(t, walk(store.ProposalFilter{Rule: "r_old"}), "b")
		same(t, walk(store.ProposalFilter{Rule: "r_ol"}), "")
		p, err := s.Proposal(t.Context(), "shop", "b")
		ok(t, err)
		same(t, p, b)
		same(t, p.Digest(), b.Digest())
	}},
	{"Findings", "Finding returns one finding. Findings lists findings, newest change first.", func(t *testing.T, s store.Store) {
		for _, id := range []string{"a", "b", "c"} {
			commit(t, s, store.Changes{App: "shop", Findings: []*store.Finding{finding("shop", id, 1)}})
		}
		a := finding("shop", "a", 2)
		a.State = "resolved"
		commit(t, s, store.Changes{App: "shop", Findings: []*store.Finding{a}})
		walk := func(f store.FindingFilter) (ids string) {
			f.App = "shop"
			fs, err := pages(func(after string) ([]*store.Finding, string, error) {
				f.After = after
				return s.Findings(t.Context(), f)
			})
			ok(t, err)
			for _, f := range fs {
				ids += f.ID
			}
			return ids
		}
		same(t, walk(store.FindingFilter{Limit: 1}), "acb")
		same(t, walk(store.FindingFilter{State: "open"}), "cb")
		f, err := s.Finding(t.Context(), "shop", "a")
		ok(t, err)
		same(t, f, a)
	}},
}

// together runs fn n times at once and waits.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { fn(i) })
	}
	wg.Wait()
}
