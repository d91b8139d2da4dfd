package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// isolation gives two apps the same ids, keys and hashes and tries every method
// with a third app's name and with the wrong one of the two.
func isolation(t *testing.T, s store.Store) {
	id := store.NewID()
	everything(t, s, "shop", id)
	everything(t, s, "other", id)
	for _, c := range calls(s, "shop", id) {
		if c.write || c.name == "VerifyAudit" {
			continue
		}
		if err := c.call(t.Context()); err != nil {
			t.Errorf("%s finds nothing in the app's own data: %v", c.name, err)
		}
	}
	before := picture(t, s, "shop")
	for _, c := range calls(s, "stranger", id) {
		err := c.call(t.Context())
		switch {
		case !c.write && !errors.Is(err, store.ErrNotFound):
			t.Errorf("%s as a stranger: got %v, want nothing or %v", c.name, err, store.ErrNotFound)
		case (c.name == "Retract" || c.name == "Commit handled") && !errors.Is(err, store.ErrNotFound):
			t.Errorf("%s as a stranger: got %v, want %v", c.name, err, store.ErrNotFound)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 60 { // whatever the neighbour does, in whatever order
		writes := slices.DeleteFunc(calls(s, "other", id), func(c call) bool { return !c.write })
		_ = writes[random.IntN(len(writes))].call(t.Context()) // conflicts are part of it
	}
	if after := picture(t, s, "shop"); after != before {
		t.Errorf("the app changed by what others did:\nbefore %s\nafter %s", before, after)
	}
	if picture(t, s, "other") == before {
		t.Error("the neighbour's changes did nothing: the case tests nothing")
	}
}

// cancel calls every method with a time that is over, then cuts changes short at
// random moments.
func cancel(t *testing.T, s store.Store) {
	id := store.NewID()
	everything(t, s, "shop", id)
	before := picture(t, s, "shop")
	all := append(calls(s, "shop", id),
		call{"Wait", false, func(ctx context.Context) error { _, err := s.Wait(ctx, 0); return err }},
		call{"Apps", false, func(ctx context.Context) error { _, err := s.Apps(ctx); return err }},
		call{"Health", false, s.Health})
	for _, c := range all {
		if err := c.call(cancelled()); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want %v", c.name, err, context.Canceled)
		}
	}
	if picture(t, s, "shop") != before {
		t.Error("a call that was cancelled before it began changed something")
	}
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	together(8, func(i int) {
		for n := range 12 {
			f := said("cut", store.NewID(), "", 1)
			f.Key, f.Digest = fmt.Sprint(i, "-", n), "d"
			ctx, stop := context.WithTimeout(context.Background(), time.Duration(n)*300*time.Microsecond)
			_, _, err := s.AddFeedback(ctx, f)
			stop()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want nil or %v", err, context.DeadlineExceeded)
			}
			mu.Lock()
			acknowledged[f.Key] = err == nil
			mu.Unlock()
		}
	})
	for key, acked := range acknowledged {
		f := said("cut", "", "", 1)
		f.Key, f.Digest = key, "d"
		stored, created, err := s.AddFeedback(t.Context(), f)
		ok(t, err)
		if acked && created {
			t.Errorf("feedback %s was acknowledged and is not there", key)
		}
		if !created && (stored.Comment == "" || stored.ExchangeID == "") {
			t.Errorf("feedback %s is there in part: %+v", key, stored)
		}
	}
}

// ownership changes what was given and what was returned, and reads again.
func ownership(t *testing.T, s store.Store) {
	x := exchange("shop", 0)
	want := exchange("shop", 0)
	want.ID = x.ID
	ok(t, s.WriteExchanges(t.Context(), []*store.Exchange{x}))
	same(t, x, want) // not changed
	spoil := func(x *store.Exchange) {
		x.Answer, x.Request[0], x.Response[0], x.Decision.Rules[0].ID, x.Facts.Queries[0] = "spoilt", 'X', 'X', "spoilt", "spoilt"
	}
	spoil(x)
	for range 2 {
		got, err := s.Exchange(t.Context(), "shop", x.ID)
		ok(t, err)
		same(t, got, want)
		spoil(got)
	}

	f := said("shop", x.ID, "ann", 1)
	f.Labels = []string{"tone"}
	stored := add(t, s, f)
	*f.Rating, f.Labels[0] = -1, "spoilt"
	*stored.Rating, stored.Labels[0] = -1, "spoilt"
	link := &store.Link{ExchangeID: x.ID, Failures: []string{"length"}}
	p := proposal("shop", "p", 1)
	p.Evidence[0].Time = p.Evidence[0].Time.In(time.FixedZone("east", 3600)).Add(time.Microsecond)
	east := p.Evidence[0].Time
	commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: stored.ID, Link: link}}, Proposals: []*store.Proposal{p}})
	same(t, p.Evidence[0].Time, east)
	link.Failures[0], p.Ops[0].Rule.Action, p.Evidence[0].Quote = "spoilt", "spoilt", "spoilt"
	for range 2 {
		got, err := s.FeedbackByID(t.Context(), "shop", stored.ID)
		ok(t, err)
		same(t, []any{*got.Rating, got.Labels[0], got.Link.Failures[0]}, []any{1.0, "tone", "length"})
		got.Labels[0], got.Link.Failures[0] = "spoilt", "spoilt"
		q, err := s.Proposal(t.Context(), "shop", "p")
		ok(t, err)
		same(t, []any{q.Ops[0].Rule.Action, q.Evidence[0].Quote}, []any{"Be brief.", "be brief"})
		q.Ops[0].Rule.Action = "spoilt"
	}

	next := set("shop", rule("shop", "a", 1))
	h := publish(t, s, "shop", 0, next)
	next.Rules[0].Action = "spoilt"
	for range 2 {
		got, err := s.Set(t.Context(), "shop", h.Hash)
		ok(t, err)
		same(t, got.Rules[0].Action, "Be brief.")
		got.Rules[0].Action = "spoilt"
	}
}

// times stores odd times everywhere and looks how they come back.
func times(t *testing.T, s store.Store) {
	odd := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("east", 2*3600))
	want := odd.UTC().Truncate(time.Millisecond)
	x := exchange("shop", 0)
	x.Time, x.Facts.Now = odd, odd
	ok(t, s.WriteExchanges(t.Context(), []*store.Exchange{x}))
	gx, err := s.Exchange(t.Context(), "shop", x.ID)
	ok(t, err)
	f := said("shop", x.ID, "ann", 1)
	f.Time = odd
	stored := add(t, s, f)
	p, g := proposal("shop", "p", 1), finding("shop", "f", 1)
	p.Created, p.Updated, p.Until, p.Evidence[0].Time, g.Created, g.Updated = odd, odd, odd, odd, odd, odd
	commit(t, s, store.Changes{
		App: "shop", Handled: []store.Handled{{Feedback: stored.ID, Link: &store.Link{ExchangeID: x.ID, Time: odd}}},
		Proposals: []*store.Proposal{p}, Findings: []*store.Finding{g},
	})
	gf, err := s.FeedbackByID(t.Context(), "shop", stored.ID)
	ok(t, err)
	gp, err := s.Proposal(t.Context(), "shop", "p")
	ok(t, err)
	gg, err := s.Finding(t.Context(), "shop", "f")
	ok(t, err)
	_, err = s.Publish(t.Context(), "shop", 0, set("shop"), store.Audit{Time: odd, Actor: "ann", Action: "publish"})
	ok(t, err)
	as, _, err := s.Audits(t.Context(), store.AuditFilter{App: "shop"})
	ok(t, err)
	hs, err := s.Heads(t.Context(), "shop", 1)
	ok(t, err)
	for name, got := range map[string]time.Time{
		"exchange": gx.Time, "facts": gx.Facts.Now, "feedback": gf.Time, "link": gf.Link.Time, "audit": as[0].Time, "head": hs[0].Time,
		"proposal created": gp.Created, "updated": gp.Updated, "until": gp.Until, "evidence": gp.Evidence[0].Time,
		"finding created": gg.Created, "finding updated": gg.Updated,
	} {
		if got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if !gp.DecidedAt.IsZero() || !gf.Retracted.IsZero() {
		t.Error("a zero time did not stay zero")
	}
}

// concurrent lets writers and readers of two apps loose on the store and counts
// afterwards.
func concurrent(t *testing.T, s store.Store) {
	const workers, rounds = 8, 6
	together(workers, func(i int) {
		app := fmt.Sprint("app", i%2)
		for n := range rounds {
			xs := []*store.Exchange{exchange(app, i*rounds+n)}
			must(t, s.WriteExchanges(t.Context(), xs))
			f, _, err := s.AddFeedback(t.Context(), said(app, xs[0].ID, "ann", 1))
			must(t, err)
			_, err = s.Exchange(t.Context(), app, xs[0].ID)
			must(t, err)
			must(t, s.Commit(t.Context(), store.Changes{App: app, Handled: []store.Handled{{Feedback: f.ID, Link: &store.Link{ExchangeID: xs[0].ID}}}}))
			must(t, s.AddAudit(t.Context(), store.Audit{App: app, Actor: "ann", Action: "edit"}))
			h, err := s.Head(t.Context(), app)
			must(t, err)
			_, err = s.Publish(t.Context(), app, h.Epoch, set(app), store.Audit{Actor: "ann", Action: "publish"})
			if err != nil && !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
			_, _, err = s.Exchanges(t.Context(), store.ExchangeFilter{App: app, Text: "where"})
			must(t, err)
		}
	})
	for i := range 2 {
		app := fmt.Sprint("app", i)
		fs, _, err := s.Feedback(t.Context(), store.FeedbackFilter{App: app, Limit: store.MaxPage})
		ok(t, err)
		h, err := s.Head(t.Context(), app)
		ok(t, err)
		hs, err := s.Heads(t.Context(), app, store.MaxPage)
		ok(t, err)
		bad, err := s.VerifyAudit(t.Context(), app)
		ok(t, err)
		const each = workers / 2 * rounds
		same(t, []int{len(list(t, s, store.ExchangeFilter{App: app})), len(fs), len(hs), int(bad)}, []int{each, each, int(h.Epoch), 0})
		if h == (rules.Head{}) {
			t.Error("nobody published")
		}
	}
}

// must is ok for goroutines: it does not end the test.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
