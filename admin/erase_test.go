package admin

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
	"heed/store/sqlite"
	"heed/store/storetest"
)

const words = "Mention the xylophone."

// someRules puts three rules in force: one rests on ann's word alone, one on ben's,
// and a third on both.
func (b *bench) someRules() (ids [3]string, anns, bens *store.Feedback) {
	b.t.Helper()
	ctx := b.t.Context()
	add := func(user string) *store.Feedback {
		f, _, err := b.store.AddFeedback(ctx, &store.Feedback{App: "shop", User: store.UserHash("shop", user), Comment: words, Time: time.Now()})
		if err != nil {
			b.t.Fatal(err)
		}
		return f
	}
	anns, bens = add("ann"), add("ben")
	if err := b.store.Commit(ctx, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: anns.ID}, {Feedback: bens.ID}}}); err != nil {
		b.t.Fatal(err)
	}
	set := &rules.Set{App: "shop"}
	for i, sources := range [][]string{{anns.ID}, {bens.ID}, {anns.ID, bens.ID}} {
		ids[i] = rules.NewID()
		set.Rules = append(set.Rules, rules.Rule{ID: ids[i], Version: 1, App: "shop", State: rules.Active, Action: words, Sources: sources,
			Scope: rules.Scope{Always: true}})
	}
	slices.SortFunc(set.Rules, func(a, c rules.Rule) int { return strings.Compare(a.ID, c.ID) })
	if _, err := b.store.Publish(ctx, "shop", 0, set, store.Audit{Actor: "x", Action: "publish"}); err != nil {
		b.t.Fatal(err)
	}
	return ids, anns, bens
}

func TestErase_RulesGoAndOthersSpeakAgain(t *testing.T) {
	b := start(t, nil)
	ids, anns, bens := b.someRules()
	var got store.Erased
	b.ok(Owner, "POST", "erase?app=shop", map[string]string{"user": "ann"}, &got)
	slices.Sort(got.Rules)
	want := []string{ids[0], ids[2]}
	slices.Sort(want)
	if !slices.Equal(got.Feedback, []string{anns.ID}) || !slices.Equal(got.Rules, want) {
		t.Errorf("erased %+v, want feedback %s and rules %s", got, anns.ID, want)
	}
	_, set, err := store.Current(t.Context(), b.store, "shop")
	if err != nil || len(set.Rules) != 1 || set.Rules[0].ID != ids[1] {
		t.Errorf("in force: %+v, %v; want ben's rule alone", set, err)
	}
	for i, id := range ids {
		vs, err := b.store.RuleVersions(t.Context(), "shop", id)
		if err != nil || (len(vs) > 0) != (i == 1) {
			t.Errorf("rule %d has versions %+v, %v", i, vs, err)
		}
	}
	if ps := storetest.Pending(t, b.store, "shop", 10); len(ps) != 1 || ps[0].ID != bens.ID {
		t.Errorf("pending %+v; want ben's record, to be derived from anew", ps)
	}
	as, _, err := b.store.Audits(t.Context(), store.AuditFilter{App: "shop", Action: "erase"})
	if err != nil || len(as) == 0 || as[0].Actor != "olga" || as[0].Target != store.UserHash("shop", "ann") {
		t.Errorf("audit %+v, %v", as, err)
	}
	if n, err := b.store.VerifyAudit(t.Context(), "shop"); n != 0 || err != nil {
		t.Errorf("the trail breaks at %d, %v", n, err)
	}
	b.ok(Owner, "POST", "erase?app=shop", map[string]string{"user": "ann"}, &got) // again is no error
	b.refused(Owner, "POST", "erase?app=shop", map[string]string{}, http.StatusBadRequest, "invalid")
	b.ok(Viewer, "GET", "audit?app=shop", nil, nil)
}

func TestBackup_CopyOpensAndRefusesASecond(t *testing.T) {
	b := start(t, nil)
	_, anns, _ := b.someRules()
	dir := filepath.Join(t.TempDir(), "copy")
	b.ok(Owner, "POST", "backup", map[string]string{"dir": dir}, nil)
	b.refused(Owner, "POST", "backup", map[string]string{"dir": dir}, http.StatusConflict, "backup")
	b.refused(Owner, "POST", "backup", map[string]string{"dir": "copy"}, http.StatusBadRequest, "invalid")
	c, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if f, err := c.FeedbackByID(t.Context(), "shop", anns.ID); err != nil || f.Comment != words {
		t.Errorf("the copy has %+v, %v", f, err)
	}
	if as, _, err := c.Audits(t.Context(), store.AuditFilter{App: "shop", Action: "backup"}); err != nil || len(as) != 1 {
		t.Errorf("the copy's trail has %+v, %v", as, err)
	}
}

// plainStore is a store that can neither copy itself nor erase people.
type plainStore struct{ store.Store }

func TestErase_StoreWithoutItIsNotImplemented(t *testing.T) {
	b := start(t, func(o *Options) { o.Store = plainStore{o.Store} })
	b.refused(Owner, "POST", "erase", map[string]string{"user": "ann"}, http.StatusNotImplemented, "no_erase")
	b.refused(Owner, "POST", "backup", map[string]string{"dir": t.TempDir()}, http.StatusNotImplemented, "no_backup")
}
