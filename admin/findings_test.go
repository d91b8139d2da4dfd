package admin

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// A finding has a cluster of complaints with their judged requests, a suggested
// wording, a trend, an owner; it is resolved, and opens again.
func TestFindings_OwnerTrendAndState(t *testing.T) {
	b := start(t, func(o *Options) { o.Apps = []App{{Name: "shop"}} })
	x := b.exchange("where is my parcel", "On its way.", nil)
	now := time.Now().UTC()
	f := &store.Finding{ID: store.NewID(), App: "shop", Version: 1, State: findingOpen, Kind: "no_instruction", Title: "Nobody finds the parcel", Suggest: "Name the carrier.",
		Count: 6, People: 2, Created: now, Updated: now, Evidence: []store.Evidence{{Feedback: store.NewID(), Exchange: x.ID, Query: x.Query, Quote: "useless", Time: now}}}
	for age, n := range map[int]int{0: 2, 3: 1, 9: 1, 40: 2} {
		f.Complained(now.AddDate(0, 0, -age), n)
	}
	if err := b.store.Commit(t.Context(), store.Changes{App: "shop", Findings: []*store.Finding{f}}); err != nil {
		t.Fatal(err)
	}
	c := b.browser(Approver)
	page := b.page(c, "/findings?app=shop")
	has(t, page, `data-week="3" data-before="1"`, "growing", "Name the carrier.", `href="/exchanges/`+x.ID, "Who sees to it?", now.Format("2 January")+": 2", now.AddDate(0, 0, -40).Format("2 January")+": 2")
	if got := strings.Count(page, "<title>"+now.Format("2 January")); got != 1 {
		t.Errorf("%d bars of today", got)
	}
	form := func(more ...string) url.Values {
		v := url.Values{"app": {"shop"}, "back": {"/findings?app=shop"}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	b.post(c, "/findings/"+f.ID+"/assign", form("owner", "the search team"))
	has(t, b.page(c, "/findings?app=shop"), "the search team sees to it")
	b.post(c, "/findings/"+f.ID+"/resolve", form("reason", "a new carrier"))
	has(t, b.page(c, "/findings?app=shop"), "No open finding")
	has(t, b.page(c, "/findings?app=shop&state=resolved"), "the search team sees to it", `name="reopen"`)
	b.post(c, "/findings/"+f.ID+"/reopen", form())
	has(t, b.page(c, "/findings?app=shop"), "Nobody finds the parcel")
	b.refused(Approver, "POST", "findings/"+f.ID+"/reopen", nil, 409, "open")
	b.refused(Approver, "POST", "findings/"+f.ID+"/assign", map[string]string{"owner": strings.Repeat("x", 101)}, 400, "invalid")
	b.refused(Viewer, "POST", "findings/"+f.ID+"/assign", map[string]string{"owner": "vera"}, 403, "role")
	var got store.Finding
	b.ok(Approver, "POST", "findings/"+f.ID+"/assign", map[string]string{"owner": ""}, &got)
	if got.Owner != "" || got.State != findingOpen || len(got.Days) != 4 {
		t.Errorf("the finding: %+v", got)
	}
	var audit struct{ Items []store.Audit }
	b.ok(Viewer, "GET", "audit?target="+f.ID, nil, &audit)
	var did []string
	for _, e := range audit.Items {
		did = append(did, e.Action+" "+e.Reason)
	}
	if s := strings.Join(did, ", "); s != "assign , reopen , resolve a new carrier, assign the search team" {
		t.Errorf("audit: %s", s)
	}
}

// Findings beyond a page are a link away.
func TestFindings_Pages(t *testing.T) {
	b := start(t, func(o *Options) { o.Apps = []App{{Name: "shop"}} })
	for _, title := range []string{"first", "second", "third"} {
		f := &store.Finding{ID: store.NewID(), App: "shop", Version: 1, State: findingOpen, Kind: "tool", Title: title + " finding", Created: time.Now(), Updated: time.Now()}
		if err := b.store.Commit(t.Context(), store.Changes{App: "shop", Findings: []*store.Finding{f}}); err != nil {
			t.Fatal(err)
		}
	}
	c := b.browser(Viewer)
	page := b.page(c, "/findings?app=shop&limit=2")
	_, rest, found := strings.Cut(page, `<p class="next"><a href="`)
	if !found {
		t.Fatalf("no link to older findings:\n%s", page)
	}
	href, _, _ := strings.Cut(rest, `"`)
	older := b.page(c, strings.ReplaceAll(href, "&amp;", "&"))
	if n, m := strings.Count(page, "<article"), strings.Count(older, "<article"); n != 2 || m != 1 {
		t.Errorf("%d and %d findings on two pages", n, m)
	}
}

// About a rule that is injected and not followed, an admin's sentence rewords that
// rule: the finding shows it, and the proposal is its next version.
func TestFindings_RewordsTheRule(t *testing.T) {
	b := start(t, func(o *Options) { o.Apps = []App{{Name: "shop"}} })
	b.traffic()
	var rule struct{ *rules.Rule }
	b.ok(Approver, "POST", "rules?app=shop", map[string]any{"action": "Mention the return window.", "applies_when": "somebody asks for a refund", "examples": []string{"how do I get a refund for order 103"}}, &rule)
	f := &store.Finding{ID: store.NewID(), App: "shop", Version: 1, State: findingOpen, Kind: "reword", Title: "A rule is injected and not followed: " + rule.ID, Rule: rule.ID,
		Suggest: "Always mention the return window.", Advice: "Reword the rule, so that the model follows it.", Created: time.Now(), Updated: time.Now(), People: 1, Count: 1,
		Evidence: []store.Evidence{{Feedback: "f1", Quote: "mention the return window!", Query: "how do I get a refund for order 104", Time: time.Now()}}}
	if err := b.store.Commit(t.Context(), store.Changes{App: "shop", Findings: []*store.Finding{f}}); err != nil {
		t.Fatal(err)
	}
	page := b.page(b.browser(Approver), "/findings?app=shop")
	has(t, page, `<a href="/rules/`+rule.ID, "Reword the rule</summary>", ">Mention the return window.</textarea>", ">somebody asks for a refund</textarea>", "Reword the rule, so that", "Suggested wording: Always mention")
	var p proposalView
	b.ok(Approver, "POST", "findings/"+f.ID+"/propose", map[string]any{"action": "Name the return window in the first sentence."}, &p)
	r := p.Rule()
	if p.Ops[0].Kind != rules.Revise || r.ID != rule.ID || r.Version != 2 || r.Scope.AppliesWhen != "somebody asks for a refund" || len(r.Scope.Examples) != 1 || len(r.Sources) != 1 {
		t.Fatalf("the proposal: %+v, rule %+v", p.Ops[0], r)
	}
	b.ok(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": p.Digest}, nil)
	if set := b.inForce(); len(set.Rules) != 1 || set.Rules[0].Action != "Name the return window in the first sentence." {
		t.Errorf("in force: %+v", set.Rules)
	}
}
