package admin

import (
	"net/url"
	"strings"
	"testing"

	"heed/rules"
	"heed/store"
)

// With rules: observe the pages say that nothing is injected, why has no injected
// bytes but those that were decided, and the effect counts nothing.
func TestPages_ObservedRules(t *testing.T) {
	b := start(t, func(o *Options) {
		o.Apps = []App{{Name: "shop", Observe: true}, {Name: "quiet", Off: true}, {Name: "loud"}}
	})
	var added struct {
		*rules.Rule
		Ruleset rules.Head
	}
	b.ok(Owner, "POST", "rules?app=shop", map[string]any{"action": "Be kind.", "scope": rules.Scope{Always: true}}, &added)
	x := b.exchange("where is my parcel", "On its way.", func(x *store.Exchange) {
		x.Head = added.Ruleset
		x.Decision.Observed = true
		x.Decision.Rules = []rules.RuleDecision{{ID: added.ID, Version: 1, Propensity: 0.9, Score: 1}}
	})
	c := b.browser(Viewer)
	for _, path := range []string{"/inbox", "/rules", "/rules/" + added.ID} {
		has(t, b.page(c, path+"?app=shop"), `data-mode="observe"`, "none is injected")
	}
	has(t, b.page(c, "/rules?app=quiet"), `data-mode="off"`)
	has(t, b.page(c, "/rules/"+added.ID+"?app=shop"), "so no effect is counted")
	if page := b.page(c, "/rules?app=loud"); strings.Contains(page, "data-mode") {
		t.Error("an app with its rules on says that they are not")
	}
	page := b.page(c, "/exchanges/"+x.ID+"?app=shop")
	has(t, page, "observed, not injected", "not added by Heed", "- Always: Be kind.", "decided and not sent")
	has(t, b.page(c, "/exchanges?app=shop"), "observed, not injected")
	var w why
	b.ok(Viewer, "GET", "why/"+x.ID+"?app=shop", nil, &w)
	if w.Injected != "" || !strings.Contains(w.Held, "Be kind.") || !w.Observed {
		t.Errorf("why: injected %q, not injected %q", w.Injected, w.Held)
	}
	var e effect
	b.ok(Viewer, "GET", "rules/"+added.ID+"/effect?app=shop", nil, &e)
	if e.With.Exchanges+e.Without.Exchanges != 0 || !strings.HasPrefix(e.Why, "nothing was injected into the 1 ") {
		t.Errorf("the effect counts what was only observed: %+v", e)
	}
}

// With four eyes a rule that an admin writes waits for another, and so does an edit.
func TestPages_FourEyes(t *testing.T) {
	b := start(t, func(o *Options) { o.FourEyes, o.Apps = true, []App{{Name: "shop"}} })
	c := b.browser(Approver)
	has(t, b.page(c, "/rules?app=shop"), ">Propose</button>")
	b.post(c, "/rules", url.Values{"app": {"shop"}, "action": {"Be kind."}, "always": {"1"}})
	has(t, b.page(c, "/rules?app=shop"), "Somebody else must approve it", "No rule is in force")
	has(t, b.page(c, "/inbox?app=shop"), "Be kind.", "Written by anna.")
	var p proposalView
	b.ok(Approver, "POST", "rules", map[string]any{"action": "Be brief.", "scope": rules.Scope{Always: true}}, &p)
	if p.State != store.Open || p.Digest == "" {
		t.Fatalf("a written rule: %+v", p)
	}
	b.refused(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": p.Digest}, 403, "own_words")
	shown := p.Digest
	b.ok(Owner, "PATCH", "proposals/"+p.ID, map[string]any{"action": "Be very brief."}, &p)
	b.refused(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": shown}, 409, "stale") // edited since it was shown
	b.refused(Owner, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": p.Digest}, 403, "own_words")
}
