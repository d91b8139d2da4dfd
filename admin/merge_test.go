package admin

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// Two wishes that mean the same in two languages become one proposal by a person's
// choice: their people, sources and examples join, the words stay, the other closes,
// and earlier approvals are void.
func TestMerge_TwoProposals(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	behind := func(user, quote string) func(*store.Proposal) {
		return func(p *store.Proposal) {
			p.Evidence = []store.Evidence{{Feedback: "f-" + user, User: user, Time: time.Now().UTC(), Quote: quote}}
			p.Rule().Sources, p.Rule().Authors = []string{"f-" + user}, []string{user}
		}
	}
	p := b.proposal("Always use the formal form.", "somebody asks for a refund", []string{"how do I get a refund for order 103"}, behind("u1", "use the formal form"))
	other := b.proposal("Sag immer Sie.", "jemand fragt nach einer Lieferung", []string{"when will my delivery 203 arrive", "how do I get a refund for order 103"}, behind("u2", "sag immer Sie"))
	c := b.browser(Approver)
	has(t, b.page(c, "/inbox"), `<option value="`+other.ID+`">When jemand fragt`, `name="merge"`)
	has(t, b.page(c, "/proposals/"+p.ID), `<option value="`+other.ID+`">`)
	b.post(c, "/proposals/"+p.ID+"/merge", url.Values{"app": {"shop"}, "digest": {p.Digest()}, "with": {other.ID}})

	got, gone := b.fetch(p.ID), b.fetch(other.ID)
	r := got.Rule()
	if r.Action != "Always use the formal form." || !slices.Equal(r.Wordings, []string{"Sag immer Sie."}) || !slices.Equal(r.Sources, []string{"f-u1", "f-u2"}) ||
		!slices.Equal(r.Authors, []string{"u1", "u2"}) || len(r.Scope.Examples) != 2 || got.People != 2 || len(got.Evidence) != 2 || got.Touch.In <= p.Touch.In {
		t.Errorf("merged: %+v, rule %+v", got.Proposal, r)
	}
	if gone.State != store.Expired || gone.DecidedBy != "anna" || !strings.Contains(gone.Reason, p.ID) {
		t.Errorf("the other: %+v", gone.Proposal)
	}
	page := b.page(c, "/inbox")
	has(t, page, "2 people stand behind it", "Also said as: “Sag immer Sie.”", "2 people said")
	if strings.Contains(page, "jemand fragt") {
		t.Error("the other is still in the inbox")
	}
	b.refused(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": p.Digest()}, 409, "stale")
	b.ok(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": got.Digest}, nil)
	if block := b.inForce().Rules[0].Line(); strings.Contains(block, "Sie") {
		t.Errorf("another wording is injected: %q", block)
	}
	var audit struct{ Items []store.Audit }
	b.ok(Viewer, "GET", "audit?target="+p.ID, nil, &audit)
	if e := audit.Items[1]; e.Action != "merge" || e.Actor != "anna" || e.Reason != "with "+other.ID {
		t.Errorf("audit: %+v", e)
	}
}

// A proposal that means what a rule in force says widens that rule.
func TestMerge_WithARuleInForce(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	var rule struct{ *rules.Rule }
	b.ok(Approver, "POST", "rules?app=shop", map[string]any{"action": "Always use the formal form.", "applies_when": "somebody asks for a refund",
		"examples": []string{"how do I get a refund for order 103"}, "scope": rules.Scope{Hard: rules.Hard{Steps: []string{"st_answer00"}}}}, &rule)
	p := b.proposal("Sag immer Sie.", "jemand fragt nach einer Lieferung", []string{"when will my delivery 203 arrive"}, nil)
	var got proposalView
	b.ok(Approver, "POST", "proposals/"+p.ID+"/merge", map[string]string{"with": rule.ID, "digest": p.Digest()}, &got)
	if got.Ops[0].Kind != rules.Revise || got.Rule().ID != rule.ID || got.Rule().Version != 2 || len(got.Rule().Scope.Examples) != 2 || !slices.Equal(got.Rule().Wordings, []string{"Sag immer Sie."}) {
		t.Fatalf("merged: %+v", got.Proposal)
	}
	has(t, b.page(b.browser(Approver), "/inbox?app=shop"), "Reworded rule", "in force now", "Also said as")
	b.ok(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": got.Digest}, nil)
	if set := b.inForce(); len(set.Rules) != 1 || set.Rules[0].Version != 2 {
		t.Errorf("in force: %+v", set.Rules)
	}
	has(t, b.page(b.browser(Viewer), "/rules/"+rule.ID+"?app=shop"), "also said as", "Sag immer Sie.")
}

// A mistaken merge can be undone: both proposals are as they were, but for who joined
// since, and approvals of the merged one are void.
func TestMerge_Undo(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	said := func(user, query string) store.Evidence {
		return store.Evidence{Feedback: "f-" + user, User: user, Time: time.Now().UTC(), Quote: "said by " + user, Query: query}
	}
	behind := func(user, query string) func(*store.Proposal) {
		return func(p *store.Proposal) {
			p.Evidence = []store.Evidence{said(user, query)}
			p.Rule().Sources, p.Rule().Authors = []string{"f-" + user}, []string{user}
		}
	}
	refund, delivery := "how do I get a refund for order 103", "when will my delivery 203 arrive"
	p := b.proposal("Always use the formal form.", "somebody asks for a refund", []string{refund}, behind("u1", refund))
	other := b.proposal("Mention the delivery note.", "somebody asks for a delivery", []string{delivery}, behind("u2", delivery))
	path := "proposals/" + p.ID
	b.refused(Approver, "POST", path+"/unmerge", nil, 409, "not_merged")
	var merged proposalView
	b.ok(Approver, "POST", path+"/merge", map[string]string{"with": other.ID, "digest": p.Digest()}, &merged)

	next := merged.Proposal // as the learner adds who joins
	next.Version, next.Evidence, next.People = next.Version+1, append(next.Evidence, said("u3", "I want a refund")), 3
	next.Rule().Sources, next.Rule().Authors = append(next.Rule().Sources, "f-u3"), append(next.Rule().Authors, "u3")
	if err := b.store.Commit(t.Context(), store.Changes{App: "shop", Proposals: []*store.Proposal{next}}); err != nil {
		t.Fatal(err)
	}
	b.refused(Approver, "POST", path+"/unmerge", map[string]string{"digest": merged.Digest}, 409, "stale")
	b.refused(Viewer, "POST", path+"/unmerge", nil, 403, "role")
	c := b.browser(Approver)
	has(t, b.page(c, "/inbox?app=shop"), "Undo the merge")
	b.post(c, "/"+path+"/unmerge", url.Values{"app": {"shop"}, "digest": {next.Digest()}})
	got, back := b.fetch(p.ID), b.fetch(other.ID)
	if r := got.Rule(); got.People != 2 || len(got.Evidence) != 2 || len(got.Merged) != 0 || len(r.Wordings) != 0 || !slices.Equal(r.Sources, []string{"f-u1", "f-u3"}) ||
		!slices.Equal(r.Authors, []string{"u1", "u3"}) || !slices.Equal(r.Scope.Examples, []string{refund, "I want a refund"}) {
		t.Errorf("after the merge was undone: %+v, rule %+v", got.Proposal, r)
	}
	has(t, b.page(c, "/proposals/"+other.ID+"?app=shop"), "into "+p.ID, "from "+p.ID)
	if back.State != store.Open || back.DecidedBy != "" || back.Digest != other.Digest() || back.People != 1 {
		t.Errorf("the other: %+v", back.Proposal)
	}
	b.refused(Approver, "POST", path+"/approve", map[string]any{"digest": next.Digest()}, 409, "stale")
	b.ok(Approver, "POST", "proposals/"+other.ID+"/approve", map[string]any{"digest": back.Digest}, nil)

	// Also one with a rule in force.
	b.ok(Approver, "POST", path+"/merge", map[string]string{"with": other.Rule().ID}, nil)
	var apart proposalView
	b.ok(Approver, "POST", path+"/unmerge", nil, &apart)
	if apart.Digest != got.Digest || apart.Ops[0].Kind != rules.Add || b.fetch(other.ID).State != store.Approved {
		t.Errorf("apart from the rule: %+v", apart.Proposal)
	}

	// What somebody took back since does not come back.
	b.ok(Approver, "POST", path+"/merge", map[string]string{"with": other.Rule().ID}, &merged)
	lost := merged.Proposal
	lost.Version++
	lost.Rule().Sources = slices.DeleteFunc(lost.Rule().Sources, func(s string) bool { return s == "f-u3" })
	if err := b.store.Commit(t.Context(), store.Changes{App: "shop", Proposals: []*store.Proposal{lost}}); err != nil {
		t.Fatal(err)
	}
	b.refused(Approver, "POST", path+"/unmerge", nil, 409, "taken_back")
}

func TestMerge_Refusals(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	p := b.proposal("Be formal.", "somebody asks for a refund", []string{"how do I get a refund"}, nil)
	one := b.proposal("Sag Sie.", "jemand fragt", []string{"where is it"}, func(p *store.Proposal) { p.Rule().Scope.Hard.User = "u1" })
	done := b.proposal("Be brief.", "somebody asks", []string{"where is it"}, func(p *store.Proposal) { p.State = store.Rejected })
	route := b.routingProposal(time.Now().UTC())
	if err := b.store.Commit(t.Context(), store.Changes{App: "shop", Proposals: []*store.Proposal{route}}); err != nil {
		t.Fatal(err)
	}
	path := "proposals/" + p.ID + "/merge"
	b.refused(Approver, "POST", path, nil, 400, "invalid")
	b.refused(Approver, "POST", path, map[string]string{"with": p.ID}, 400, "invalid")
	b.refused(Approver, "POST", path, map[string]string{"with": one.ID}, 409, "apart")
	b.refused(Approver, "POST", path, map[string]string{"with": done.ID}, 409, "decided")
	b.refused(Approver, "POST", path, map[string]string{"with": route.ID}, 409, "no_rule")
	b.refused(Approver, "POST", path, map[string]string{"with": "nothing"}, 404, "not_found")
	b.refused(Approver, "POST", path, map[string]string{"with": "r_nothing"}, 404, "not_found")
	b.refused(Approver, "POST", path, map[string]string{"with": one.ID, "digest": "older"}, 409, "stale")
	b.refused(Viewer, "POST", path, map[string]string{"with": one.ID}, 403, "role")
	if got := b.fetch(p.ID); got.Version != 1 {
		t.Errorf("a refused merge changed the proposal: %+v", got.Proposal)
	}
}
