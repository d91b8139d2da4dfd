package storetest

import (
	"bytes"
	"testing"

	"heed/rules"
	"heed/store"
)

var ruleCases = []Case{
	{"Head", "Head is what the app has in force; the zero Head when nothing was published.", func(t *testing.T, s store.Store) {
		h, err := s.Head(t.Context(), "shop")
		ok(t, err)
		same(t, h, rules.Head{})
		published := publish(t, s, "shop", 0, set("shop"))
		h, err = s.Head(t.Context(), "shop")
		ok(t, err)
		same(t, h, published)
		s = reopen(t, s)
		h, err = s.Head(t.Context(), "shop")
		ok(t, err)
		same(t, h, published)
	}},
	{"Heads", "Heads lists the app's heads, newest first.", func(t *testing.T, s store.Store) {
		one := publish(t, s, "shop", 0, set("shop"))
		two := publish(t, s, "shop", 1, set("shop", rule("shop", "a", 1)))
		hs, err := s.Heads(t.Context(), "shop", 10)
		ok(t, err)
		same(t, hs, []store.HeadRecord{
			{Head: two, Time: at(1), Actor: "ann", Action: "publish", Rules: 1}, {Head: one, Time: at(0), Actor: "ann", Action: "publish"},
		})
		hs, err = s.Heads(t.Context(), "shop", 1)
		ok(t, err)
		same(t, len(hs), 1)
	}},
	{"Set", "Set returns the set of that hash, checked against it (ErrCorrupt).", func(t *testing.T, s store.Store) {
		want := set("shop", rule("shop", "a", 1), rule("shop", "b", 4))
		want.Routing = []rules.Policy{{Alias: "support", Shares: []rules.Share{{Upstream: "main", Model: "small", Weight: 1}}}}
		h := publish(t, s, "shop", 0, want)
		same(t, h.Hash, want.Hash())
		s = reopen(t, s)
		got, err := s.Set(t.Context(), "shop", h.Hash)
		ok(t, err)
		same(t, string(got.JSON()), string(want.JSON()))
		_, err = s.Set(t.Context(), "shop", "0123")
		is(t, err, store.ErrNotFound)
	}},
	{"Publish/Whole", "Publish makes set the app's head if the head's epoch is still base, in one durable step with the audit entry, the rule versions that changed, and (with a.Proposal) the proposal, " +
		"which must still be open or snoozed at a.ProposalVersion and becomes approved, one version on, decided by a.Actor.", publishWhole},
	{"Publish/Conflict", "It returns ErrConflict if somebody else was first.", func(t *testing.T, s store.Store) {
		_, err := s.Publish(t.Context(), "shop", 1, set("shop"), store.Audit{Actor: "ann", Action: "publish"})
		is(t, err, store.ErrConflict)
		for base := range rules.Epoch(5) {
			won := make([]rules.Head, 8)
			together(len(won), func(i int) {
				r := rule("shop", string(rune('a'+i)), 1)
				h, err := s.Publish(t.Context(), "shop", base, set("shop", r), store.Audit{Actor: "ann", Action: "publish", Time: at(0)})
				if err == nil {
					won[i] = h
				} else {
					is(t, err, store.ErrConflict)
				}
			})
			head, err := s.Head(t.Context(), "shop")
			ok(t, err)
			n := 0
			for _, h := range won {
				if h != (rules.Head{}) {
					n++
					same(t, h, head)
				}
			}
			if n != 1 {
				t.Fatalf("%d parallel publishes won, want exactly 1", n)
			}
		}
		first, err := s.VerifyAudit(t.Context(), "shop")
		ok(t, err)
		same(t, first, int64(0))
	}},
	{"Publish/Fenced", "With an a.Lease that is not the app's any more nothing changes, and it is ErrFenced.", func(t *testing.T, s store.Store) {
		commit(t, s, store.Changes{App: "shop", Proposals: []*store.Proposal{proposal("shop", "p", 1)}})
		old := Lead(t, s, "shop", "w1")
		now := Lead(t, s, "shop", "w1")
		a := store.Audit{Actor: "auto", Action: "approve", Proposal: "p", ProposalVersion: 1}
		for _, l := range []store.Lease{{Worker: "w1"}, old, {Worker: "w2", Epoch: now.Epoch}} {
			a.Lease = l
			before := picture(t, s, "shop")
			_, err := s.Publish(t.Context(), "shop", 0, set("shop"), a)
			is(t, err, store.ErrFenced)
			same(t, picture(t, s, "shop"), before)
		}
		a.Lease = now
		_, err := s.Publish(t.Context(), "shop", 0, set("shop"), a)
		ok(t, err)
	}},
	{"Publish/Epoch", "The new epoch is base+1, also when the set is one that was in force before.", func(t *testing.T, s store.Store) {
		old := set("shop")
		first := publish(t, s, "shop", 0, old)
		publish(t, s, "shop", 1, set("shop", rule("shop", "a", 1)))
		back := publish(t, s, "shop", 2, old)
		same(t, back, rules.Head{Epoch: 3, Hash: first.Hash})
	}},
	{"Publish/Invalid", "An invalid set is refused.", func(t *testing.T, s store.Store) {
		bad := rule("shop", "a", 1)
		bad.Action = ""
		for what, next := range map[string]*rules.Set{"no action": set("shop", bad), "another app": set("other"), "nil": nil} {
			_, err := s.Publish(t.Context(), "shop", 0, next, store.Audit{Actor: "ann", Action: "publish"})
			refused(t, err, what)
		}
		_, err := s.Publish(t.Context(), "shop", 0, set("shop"), store.Audit{App: "other", Actor: "ann", Action: "publish"})
		refused(t, err, "audit of another app")
		h, err := s.Head(t.Context(), "shop")
		ok(t, err)
		same(t, h, rules.Head{})
	}},
	{"RuleVersions", "RuleVersions lists every version of the app's rules that was ever in force, each in its newest state, by id, newest version first; with id only that rule's. " +
		"A version that a newer one replaced is superseded; a newer one that a roll-back replaced is paused.", ruleVersions},
	{"Blob", "PutBlob keeps word statistics under their hash (hex SHA-256, 32 digits) and returns it; above MaxBlobBytes is ErrTooLarge. Blob returns what PutBlob kept, checked against the hash (ErrCorrupt).", func(t *testing.T, s store.Store) {
		b := bytes.Repeat([]byte("words"), 1000)
		hash, err := s.PutBlob(t.Context(), "shop", b)
		ok(t, err)
		if len(hash) != 32 {
			t.Fatalf("got hash %q", hash)
		}
		again, err := s.PutBlob(t.Context(), "shop", b)
		ok(t, err)
		same(t, again, hash)
		s = reopen(t, s)
		got, err := s.Blob(t.Context(), "shop", hash)
		ok(t, err)
		same(t, got, b)
		_, err = s.Blob(t.Context(), "shop", "0123")
		is(t, err, store.ErrNotFound)
		_, err = s.PutBlob(t.Context(), "shop", make([]byte, store.MaxBlobBytes+1))
		is(t, err, store.ErrTooLarge)
	}},
}

func publishWhole(t *testing.T, s store.Store) {
	p := proposal("shop", "p", 1)
	commit(t, s, store.Changes{App: "shop", Proposals: []*store.Proposal{p}})
	next := set("shop", *p.Ops[0].Rule)
	a := store.Audit{Time: at(9), Actor: "ann", Action: "approve", Reason: "good", Ops: p.Ops, Proposal: "p", ProposalVersion: 2}
	unchanged := func(err error, want error) {
		t.Helper()
		is(t, err, want)
		h, err := s.Head(t.Context(), "shop")
		ok(t, err)
		vs, err := s.RuleVersions(t.Context(), "shop", "")
		ok(t, err)
		as, _, err := s.Audits(t.Context(), store.AuditFilter{App: "shop"})
		ok(t, err)
		same(t, []int{int(h.Epoch), len(vs), len(as)}, []int{0, 0, 0})
	}
	_, err := s.Publish(t.Context(), "shop", 0, next, a)
	unchanged(err, store.ErrConflict) // another version
	a.Proposal = "none"
	_, err = s.Publish(t.Context(), "shop", 0, next, a)
	unchanged(err, store.ErrNotFound)
	p.Version, p.State = 2, store.Snoozed
	commit(t, s, store.Changes{App: "shop", Proposals: []*store.Proposal{p}})
	a.Proposal = "p"
	h, err := s.Publish(t.Context(), "shop", 0, next, a)
	ok(t, err)
	same(t, h, rules.Head{Epoch: 1, Hash: next.Hash()})
	s = reopen(t, s)
	got, err := s.Proposal(t.Context(), "shop", "p")
	ok(t, err)
	same(t, []any{got.State, got.Version, got.DecidedBy, got.DecidedAt}, []any{store.Approved, 3, "ann", at(9)})
	as, _, err := s.Audits(t.Context(), store.AuditFilter{App: "shop"})
	ok(t, err)
	if len(as) != 1 || as[0].Head != h || as[0].Actor != "ann" || as[0].Reason != "good" || len(as[0].Ops) != 1 {
		t.Fatalf("audit: %+v", as)
	}
	vs, err := s.RuleVersions(t.Context(), "shop", p.Ops[0].Rule.ID)
	ok(t, err)
	same(t, vs, []rules.Rule{*p.Ops[0].Rule})
	_, err = s.Publish(t.Context(), "shop", 1, next, store.Audit{Actor: "ann", Action: "approve", Proposal: "p", ProposalVersion: 3})
	is(t, err, store.ErrConflict) // approved already
}

func ruleVersions(t *testing.T, s store.Store) {
	a1, a2, b1 := rule("shop", "a", 1), rule("shop", "a", 2), rule("shop", "b", 1)
	a2.Action = "Be very brief."
	publish(t, s, "shop", 0, set("shop", a1, b1))
	check := func(want ...any) {
		t.Helper()
		vs, err := s.RuleVersions(t.Context(), "shop", "")
		ok(t, err)
		var got []any
		for _, v := range vs {
			got = append(got, v.Ref()[2:3]+v.Ref()[28:], v.State)
		}
		same(t, got, want)
	}
	check("a@1", rules.Active, "b@1", rules.Active)
	publish(t, s, "shop", 1, set("shop", a2, b1), rules.Operation{Kind: rules.Revise, Rule: &a2})
	check("a@2", rules.Active, "a@1", rules.Superseded, "b@1", rules.Active)
	publish(t, s, "shop", 2, set("shop", a2), rules.Operation{Kind: rules.Retire, IDs: []string{b1.ID}})
	check("a@2", rules.Active, "a@1", rules.Superseded, "b@1", rules.Retired)
	publish(t, s, "shop", 3, set("shop", a1, b1))
	check("a@2", rules.Paused, "a@1", rules.Active, "b@1", rules.Active)
	publish(t, s, "shop", 4, set("shop"))
	check("a@2", rules.Paused, "a@1", rules.Paused, "b@1", rules.Paused)
	publish(t, s, "shop", 5, set("shop"), rules.Operation{Kind: rules.Retire, Rule: &b1})
	check("a@2", rules.Paused, "a@1", rules.Paused, "b@1", rules.Retired)
	vs, err := s.RuleVersions(t.Context(), "shop", b1.ID)
	ok(t, err)
	if len(vs) != 1 || vs[0].ID != b1.ID {
		t.Fatalf("versions of one rule: %+v", vs)
	}
}
