package storetest

import (
	"fmt"
	"slices"
	"testing"

	"heed/rules"
	"heed/store"
)

var auditCases = []Case{
	{"AddAudit", "AddAudit appends an entry for a change that is no Publish; Number, Previous and Hash are the store's.", func(t *testing.T, s store.Store) {
		a := store.Audit{App: "shop", Time: at(0), Actor: "ann", Action: "reject", Target: "p1", Reason: "no", Number: 99, Previous: "x", Hash: "x"}
		ok(t, s.AddAudit(t.Context(), a))
		as, _, err := s.Audits(t.Context(), store.AuditFilter{App: "shop"})
		ok(t, err)
		if len(as) != 1 || len(as[0].Hash) != 64 {
			t.Fatalf("got %+v", as)
		}
		a.Number, a.Previous, a.Hash = 1, "", as[0].Hash
		same(t, as[0], a)
	}},
	{"Audits", "Audits lists entries newest first. Each entry's Hash covers the one before.", func(t *testing.T, s store.Store) {
		for i := range 10 {
			ok(t, s.AddAudit(t.Context(), store.Audit{App: "shop", Time: at(i), Actor: "ann", Action: fmt.Sprint("a", i%2), Target: fmt.Sprint("t", i%3)}))
			ok(t, s.AddAudit(t.Context(), store.Audit{App: "other", Time: at(i), Actor: "ben", Action: "a0"}))
		}
		publish(t, s, "shop", 0, set("shop"))
		s = reopen(t, s)
		walk := func(f store.AuditFilter) (numbers []int64) {
			f.App = "shop"
			as, err := pages(func(after string) ([]store.Audit, string, error) {
				f.After = after
				return s.Audits(t.Context(), f)
			})
			ok(t, err)
			for _, a := range as {
				numbers = append(numbers, a.Number)
			}
			return numbers
		}
		same(t, walk(store.AuditFilter{Limit: 3}), []int64{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1})
		same(t, walk(store.AuditFilter{Action: "a1"}), []int64{10, 8, 6, 4, 2})
		same(t, walk(store.AuditFilter{Target: "t1", Limit: 1}), []int64{8, 5, 2})
		as, _, err := s.Audits(t.Context(), store.AuditFilter{App: "shop"})
		ok(t, err)
		slices.Reverse(as)
		for i, a := range as[1:] {
			if a.Previous != as[i].Hash || a.Hash == a.Previous {
				t.Fatalf("entry %d follows %q, the one before is %q", a.Number, a.Previous, as[i].Hash)
			}
		}
	}},
	{"VerifyAudit", "VerifyAudit walks the chain and returns the number of the first entry that does not fit, or 0.", func(t *testing.T, s store.Store) {
		verify := func() {
			t.Helper()
			n, err := s.VerifyAudit(t.Context(), "shop")
			ok(t, err)
			same(t, n, int64(0))
		}
		verify()
		op := rules.Operation{Kind: rules.Retire, IDs: []string{"r_<&>é"}} // bytes that encoders like to escape
		for i := range 20 {
			ok(t, s.AddAudit(t.Context(), store.Audit{App: "shop", Time: at(i), Actor: "ann", Action: "edit", Reason: "<&>\u2028 é", Ops: []rules.Operation{op}}))
		}
		publish(t, s, "shop", 0, set("shop"))
		verify()
		s = reopen(t, s)
		verify()
	}},
}
