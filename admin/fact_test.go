package admin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// "A fact rule needs a named author, a source and valid_to", whoever writes it and
// wherever: as a rule, about a finding, by editing a proposal.
func TestFact_NeedsAuthorSourceAndEnd(t *testing.T) {
	b := start(t, func(o *Options) { o.Apps = []App{{Name: "shop"}} })
	b.seed()
	until := time.Now().Add(90 * 24 * time.Hour).UTC().Truncate(time.Second)
	source := map[string]string{"source": "https://shop.example/returns"}
	write := func(more map[string]any) map[string]any {
		in := map[string]any{"action": "Say that returns are free.", "applies_when": "somebody wants to return something"}
		for k, v := range more {
			in[k] = v
		}
		return in
	}
	proven := write(map[string]any{"fact": source, "valid_to": until})
	holds := func(where string, r *rules.Rule) {
		t.Helper()
		if r.Fact == nil || r.Fact.Author != "anna" || r.Fact.Source != source["source"] || !r.ValidTo.Equal(until) {
			t.Errorf("%s: fact %+v until %v", where, r.Fact, r.ValidTo)
		}
	}

	says := b.refused(Approver, "POST", "rules", write(nil), 422, "fact")
	for _, want := range []string{"fact.source", "valid_to", "word it as how to answer"} {
		if !strings.Contains(says, want) {
			t.Errorf("the refusal %q does not say %q", says, want)
		}
	}
	b.refused(Approver, "POST", "rules", write(map[string]any{"fact": source}), 422, "fact")
	b.refused(Approver, "POST", "rules", write(map[string]any{"valid_to": until}), 422, "fact")
	b.refused(Approver, "POST", "rules", write(map[string]any{"fact": map[string]string{"source": " "}, "valid_to": until}), 422, "fact")
	b.refused(Approver, "POST", "rules", write(map[string]any{"fact": source, "valid_to": time.Now().Add(-time.Hour)}), 400, "invalid")
	b.refused(Approver, "POST", "rules", write(map[string]any{"fact": map[string]string{"source": strings.Repeat("x", 501)}, "valid_to": until}), 400, "invalid")
	b.refused(Approver, "POST", "rules", write(map[string]any{"action": "Returns are free."}), 422, "fact")
	var added struct{ *rules.Rule }
	b.ok(Approver, "POST", "rules", proven, &added)
	holds("a written rule", added.Rule)
	b.ok(Approver, "POST", "rules", map[string]any{"action": "Be brief.", "applies_when": "somebody complains"}, nil) // no fact, nothing asked

	var list struct{ Items []store.Finding }
	b.ok(Viewer, "GET", "findings?state=open", nil, &list)
	b.refused(Approver, "POST", "findings/"+list.Items[0].ID+"/propose", write(nil), 422, "fact")
	var p proposalView
	b.ok(Approver, "POST", "findings/"+list.Items[0].ID+"/propose", proven, &p)
	holds("a finding's proposal", p.Rule())

	style := b.proposal("Be kind.", "somebody wants to return something", []string{"how do I return a jacket"}, nil)
	b.refused(Approver, "PATCH", "proposals/"+style.ID, map[string]any{"action": "Say that returns are free."}, 422, "fact")
	b.ok(Approver, "PATCH", "proposals/"+style.ID, proven, &p)
	holds("an edited proposal", p.Rule())
	b.ok(Owner, "PATCH", "proposals/"+style.ID, map[string]any{"action": "Say that all returns are free."}, &p)
	if p.Rule().Fact.Author != "olga" {
		t.Errorf("the author of the changed words is %q", p.Rule().Fact.Author)
	}
	b.ok(Approver, "POST", "proposals/"+style.ID+"/approve", map[string]any{"digest": p.Digest}, nil)

	made := b.proposal("Say that returns are free.", "somebody wants to return something", []string{"how do I return a jacket"}, nil)
	if says := b.refused(Approver, "POST", "proposals/"+made.ID+"/approve", map[string]any{"digest": made.Digest()}, 409, "fact"); !strings.Contains(says, "edit the proposal") {
		t.Errorf("approving says %q", says)
	}
}

// The forms ask for the source and the last day, keep what was written when they are
// refused, and the card, the rule's page and why show them.
func TestFact_FormsAndPages(t *testing.T) {
	b := start(t, func(o *Options) { o.Apps = []App{{Name: "shop"}} })
	c := b.browser(Approver)
	form := url.Values{"app": {"shop"}, "back": {"/rules?app=shop"}, "applies_when": {"somebody wants to return something"},
		"action": {"Say that returns are free."}, "always": {"1"}, "holdout": {"0"}}
	b.post(c, "/rules", form)
	page := b.page(c, "/rules?app=shop")
	has(t, page, "this has the agent state a fact", `class="act new" data-keep="new" open`, ">Say that returns are free.</textarea>", ">somebody wants to return something</textarea>", `<details class="fact" open>`)
	if page = b.page(c, "/rules?app=shop"); strings.Contains(page, "Say that returns are free.") {
		t.Error("the refused form stays for ever")
	}
	form.Set("source", "the returns policy of May")
	form.Set("valid_to", time.Now().AddDate(0, 1, 0).UTC().Format(time.DateOnly))
	b.post(c, "/rules", form)
	last := time.Now().AddDate(0, 1, 0).UTC().Format("2 Jan 2006")
	all, err := b.store.RuleVersions(t.Context(), "shop", "")
	if err != nil || len(all) != 1 {
		t.Fatalf("rules: %+v, %v", all, err)
	}
	has(t, b.page(c, "/rules/"+all[0].ID+"?app=shop"), "anna says so", "the returns policy of May", "Holds until "+last)

	head, set, err := store.Current(t.Context(), b.store, "shop")
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := rules.Compile(set, head, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := b.exchange("how do I return a jacket", "Pack it.", func(x *store.Exchange) {
		var buf rules.Buffer
		x.Head, x.Decision.Rules = head, compiled.Decide(&x.Facts, &buf).Rules
	})
	has(t, b.page(c, "/exchanges/"+x.ID+"?app=shop"), "anna says so", "the returns policy of May", "holds until "+last)
	var why struct{ Rules []whyRule }
	b.ok(Viewer, "GET", "why/"+x.ID, nil, &why)
	if len(why.Rules) != 1 || why.Rules[0].Fact == nil || why.Rules[0].Fact.Author != "anna" || !why.Rules[0].ValidTo.Equal(all[0].ValidTo) {
		t.Errorf("why: %+v", why.Rules)
	}

	p := b.proposal("Be kind.", "somebody wants to return something", []string{"how do I return a jacket"}, nil)
	edit := url.Values{"app": {"shop"}, "back": {"/inbox?app=shop"}, "digest": {p.Digest()}, "applies_when": {"somebody asks"}, "action": {"Tell people that gifts are free."}}
	b.post(c, "/proposals/"+p.ID+"/edit", edit)
	has(t, b.page(c, "/inbox?app=shop"), "this has the agent state a fact", `data-keep="edit" open`, ">Tell people that gifts are free.</textarea>")
	edit.Set("source", "https://shop.example/gifts")
	edit.Set("valid_to", time.Now().AddDate(0, 1, 0).UTC().Format(time.DateOnly))
	b.post(c, "/proposals/"+p.ID+"/edit", edit)
	has(t, b.page(c, "/inbox?app=shop"), `<a href="https://shop.example/gifts" rel="noreferrer noopener">`, "Holds until "+last)
}

// A refused form keeps all that it held; a refused button of a card has no words that
// could stand in place of the rule's.
func TestPages_RefusedFormsKeepWhatTheyHeld(t *testing.T) {
	b := start(t, func(o *Options) { o.Apps = []App{{Name: "shop"}} })
	b.traffic()
	p := b.proposal("Be kind.", "somebody wants to return something", []string{"how do I return a jacket"}, func(p *store.Proposal) {
		p.Rule().Scope.Hard = rules.Hard{User: "u_1", Steps: []string{"st_answer00"}}
	})
	c := b.browser(Approver)
	form := func(more ...string) url.Values {
		v := url.Values{"app": {"shop"}, "back": {"/inbox?app=shop"}, "digest": {p.Digest()}}
		for _, name := range more {
			v.Set(name, "1")
		}
		return v
	}
	edit := form("always", "everywhere", "everybody")
	edit.Set("action", "Tell people that gifts are free.")
	b.post(c, "/proposals/"+p.ID+"/edit", edit)
	has(t, b.page(c, "/inbox?app=shop"), `name="always" value="1" checked`, `name="everywhere" value="1" checked`, `name="everybody" value="1" checked`)

	stale := form("widen")
	stale.Set("digest", "older")
	b.post(c, "/proposals/"+p.ID+"/edit", stale)
	page := b.page(c, "/inbox?app=shop")
	has(t, page, "look at it again", ">somebody wants to return something</textarea>", ">Be kind.</textarea>")
	if strings.Contains(page, `data-keep="edit" open`) {
		t.Error("a button opened the editor")
	}

	rule := form()
	rule.Set("action", "Tell people that gifts are free.")
	rule.Set("holdout", "25")
	b.post(c, "/rules", rule)
	has(t, b.page(c, "/rules?app=shop"), `step="any" value="25"`)
}

// A rule whose time is over is in scope of nothing, shows as such, and comes back
// when somebody renews it.
func TestFact_RunsOutAndIsRenewed(t *testing.T) {
	b := start(t, func(o *Options) { o.Apps = []App{{Name: "shop"}} })
	end := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	r := &rules.Rule{ID: rules.NewID(), Version: 1, App: "shop", State: rules.Active, Action: "Say that returns are free.", Scope: rules.Scope{Always: true},
		Authors: []string{"anna"}, ValidTo: end, Fact: &rules.Fact{Author: "anna", Source: "the policy"}}
	if _, err := b.admin.publish(t.Context(), "shop", store.Audit{Actor: "anna", Action: "add", Ops: []rules.Operation{{Kind: rules.Add, Rule: r}}}); err != nil {
		t.Fatal(err)
	}
	scoped := func(at time.Time) int {
		t.Helper()
		head, set, err := store.Current(t.Context(), b.store, "shop")
		if err != nil {
			t.Fatal(err)
		}
		c, err := rules.Compile(set, head, nil)
		if err != nil {
			t.Fatal(err)
		}
		var buf rules.Buffer
		return len(c.Decide(&rules.Facts{App: "shop", Now: at, Queries: []string{"how do I return it"}}, &buf).Rules)
	}
	if before, after := scoped(end.Add(-time.Second)), scoped(end); before != 1 || after != 0 {
		t.Errorf("in scope of %d requests before its end, %d at it", before, after)
	}
	c := b.browser(Approver)
	has(t, b.page(c, "/inbox?app=shop"), "1 rule ran out and is not injected any more", "/rules/"+r.ID)
	has(t, b.page(c, "/rules?app=shop"), "data-ranout")
	has(t, b.page(c, "/rules/"+r.ID+"?app=shop"), "This rule ran out", `name="renew"`)
	b.post(c, "/rules/"+r.ID+"/tune", url.Values{"app": {"shop"}, "back": {"/rules/" + r.ID}, "reason": {"renewed"}, "valid_to": {time.Now().AddDate(0, 0, -2).Format(time.DateOnly)}})
	has(t, b.page(c, "/rules/"+r.ID+"?app=shop"), "lies in the past")
	b.post(c, "/rules/"+r.ID+"/tune", url.Values{"app": {"shop"}, "back": {"/rules/" + r.ID}, "reason": {"renewed"},
		"valid_to": {time.Now().AddDate(0, 3, 0).Format(time.DateOnly)}, "source": {"the policy of June"}})
	if now := scoped(time.Now()); now != 1 {
		t.Errorf("renewed, it is in scope of %d requests", now)
	}
	page := b.page(c, "/rules/"+r.ID+"?app=shop")
	has(t, page, "the policy of June", "renewed")
	if strings.Contains(page, "This rule ran out") || strings.Contains(b.page(c, "/inbox?app=shop"), "data-ranout") {
		t.Error("a renewed rule still shows as run out")
	}
	if status, _ := b.call(Approver, http.MethodPatch, "rules/"+r.ID, map[string]any{"fact": map[string]string{"source": ""}}, nil); status != 422 {
		t.Errorf("taking the source away: status %d", status)
	}
}
