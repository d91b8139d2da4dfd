package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// The whole way by the API: a proposal is read, approved with the digest that was
// shown, is in force, is paused, resumed and retired, and is rolled back.
func TestAPI_ApproveAndRollBack(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	p := b.proposal("Mention the five working days of refunds.", "somebody asks for a refund",
		[]string{"how do I get a refund"}, nil)

	var list struct {
		Items []proposalView
		Next  string
	}
	b.ok(Viewer, "GET", "proposals?state=open", nil, &list)
	if len(list.Items) != 1 || list.Items[0].ID != p.ID || list.Items[0].Digest != p.Digest() {
		t.Fatalf("open proposals: %+v", list.Items)
	}
	if list.Items[0].Share == 0 || list.Items[0].Share > 0.5 {
		t.Errorf("would touch %v of the traffic, want the refunds", list.Items[0].Share)
	}
	path := "proposals/" + p.ID + "/approve"
	b.refused(Approver, "POST", path, map[string]any{}, http.StatusBadRequest, "invalid")
	b.refused(Approver, "POST", path, map[string]any{"digest": strings.Repeat("0", 64)}, http.StatusConflict, "stale")
	b.refused(Approver, "POST", path, map[string]any{"version": 7}, http.StatusConflict, "stale")
	b.refused(Viewer, "POST", path, map[string]any{"digest": p.Digest()}, http.StatusForbidden, "role")

	var approved struct {
		Ruleset struct {
			Epoch int
			Hash  string
		}
		Proposal store.Proposal
	}
	b.ok(Approver, "POST", path, map[string]any{"digest": p.Digest(), "holdout": 0.2, "reason": "true"}, &approved)
	if approved.Ruleset.Epoch != 1 || approved.Proposal.State != store.Approved {
		t.Fatalf("approved: %+v", approved)
	}
	b.refused(Approver, "POST", path, map[string]any{"digest": p.Digest()}, http.StatusConflict, "decided")

	id := p.Rule().ID
	var rule struct {
		Rule struct {
			State      string
			Holdout    float64
			ApprovedBy string `json:"approved_by"`
		}
	}
	b.ok(Viewer, "GET", "rules/"+id, nil, &rule)
	if rule.Rule.State != "active" || rule.Rule.Holdout != 0.2 || rule.Rule.ApprovedBy != "anna" {
		t.Fatalf("rule: %+v", rule.Rule)
	}
	for _, step := range []struct{ action, state string }{{"pause", "paused"}, {"resume", "active"}, {"retire", "retired"}} {
		var got struct{ State string }
		b.ok(Approver, "POST", "rules/"+id+"/"+step.action, map[string]string{"reason": "test"}, &got)
		if got.State != step.state {
			t.Fatalf("%s: state %q, want %q", step.action, got.State, step.state)
		}
		b.refused(Approver, "POST", "rules/"+id+"/"+step.action, nil, http.StatusConflict, "state")
	}
	b.refused(Approver, "POST", "rulesets/"+approved.Ruleset.Hash+"/activate", nil, http.StatusForbidden, "role")
	var back struct{ Ruleset struct{ Epoch int } }
	b.ok(Owner, "POST", "rulesets/"+approved.Ruleset.Hash+"/activate", map[string]string{"reason": "it helped"}, &back)
	if back.Ruleset.Epoch != 5 {
		t.Errorf("rolled back as epoch %d, want 5", back.Ruleset.Epoch)
	}
	b.ok(Viewer, "GET", "rules/"+id, nil, &rule)
	if rule.Rule.State != "active" {
		t.Errorf("after rolling back the rule is %s", rule.Rule.State)
	}

	var audit struct{ Items []store.Audit }
	b.ok(Viewer, "GET", "audit?limit=100", nil, &audit)
	var did []string
	for _, e := range audit.Items {
		did = append(did, e.Actor+" "+e.Action)
	}
	if got, want := strings.Join(did, ", "), "olga activate, anna retire, anna resume, anna pause, anna approve"; got != want {
		t.Errorf("audit: %s; want %s", got, want)
	}
	var verified struct{ OK bool }
	b.ok(Viewer, "GET", "audit/verify", nil, &verified)
	if !verified.OK {
		t.Error("the audit chain does not verify")
	}
}

// outrun is a store whose head somebody else moves, by first, just before an admin's
// next Publish.
type outrun struct {
	store.Store
	first []rules.Operation
}

func (o *outrun) Publish(ctx context.Context, app string, base rules.Epoch, set *rules.Set, a store.Audit) (rules.Head, error) {
	if len(o.first) > 0 {
		head, now, err := store.Current(ctx, o.Store, app)
		if err != nil {
			return head, err
		}
		next, err := rules.Apply(now, o.first)
		if err != nil {
			return head, err
		}
		if _, err := o.Store.Publish(ctx, app, head.Epoch, next, store.Audit{App: app, Time: time.Now().UTC(), Actor: "learner", Action: string(o.first[0].Kind), Ops: o.first}); err != nil {
			return head, err
		}
		o.first = nil
	}
	return o.Store.Publish(ctx, app, base, set, a)
}

// What an admin decides is not lost to a refresh of word statistics at the same
// moment; a roll-back is, to rules that they have not seen.
func TestDecide_WhileStatisticsChange(t *testing.T) {
	var between *outrun
	b := start(t, func(o *Options) {
		between = &outrun{Store: o.Store}
		o.Store = between
	})
	b.traffic()
	add := map[string]any{"action": "Be kind.", "applies_when": "somebody complains"}
	var first struct {
		ID      string
		Ruleset rules.Head
	}
	b.ok(Owner, "POST", "rules?app=shop", add, &first)
	refresh := func() {
		stats, err := b.store.PutBlob(t.Context(), "shop", fmt.Appendf(nil, "statistics %d", time.Now().UnixNano()))
		if err != nil {
			t.Fatal(err)
		}
		between.first = []rules.Operation{{Kind: rules.Refresh, Stats: stats}}
	}
	for _, verb := range []string{"pause", "resume", "retire"} {
		refresh()
		b.ok(Owner, "POST", "rules/"+first.ID+"/"+verb+"?app=shop", map[string]string{}, nil)
	}
	refresh()
	b.ok(Owner, "POST", "rulesets/"+first.Ruleset.Hash+"/activate?app=shop", map[string]string{}, nil)
	if head, set, err := store.Current(t.Context(), b.store, "shop"); err != nil || len(set.Rules) != 1 || head.Hash != first.Ruleset.Hash {
		t.Errorf("rolled back to %+v, %v; want %v", set, err, first.Ruleset)
	}

	b.ok(Owner, "POST", "rules/"+first.ID+"/pause?app=shop", map[string]string{}, nil)
	unseen := rules.Rule{ID: rules.NewID(), Version: 1, App: "shop", State: rules.Active, Action: "Be brief.", Scope: rules.Scope{Always: true}}
	between.first = []rules.Operation{{Kind: rules.Add, Rule: &unseen}}
	b.refused(Owner, "POST", "rulesets/"+first.Ruleset.Hash+"/activate?app=shop", map[string]string{}, 409, "conflict")
}

// What a card said it would touch binds the approval: where it would by now touch
// much more, the approval is refused with both figures, and the card shows the new one.
func TestDecide_ShareIsAsShown(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	p := b.proposal("Link the refunds page.", "somebody asks for a refund", []string{"how do I get a refund"}, func(p *store.Proposal) {
		p.Touch.In, p.Touch.Stats = 2, "older" // as if measured with older word statistics
	})
	c := b.browser(Approver)
	page := b.page(c, "/inbox")
	has(t, page, "data-stale", `name="share" value="2.2222`)
	shown := p.Touch.Share()
	says := b.refused(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": p.Digest(), "share": shown}, 409, "share")
	for _, want := range []string{"33\u00a0%", "of the last 90", "2.2\u00a0%", "Look at it again"} {
		if !strings.Contains(says, want) {
			t.Errorf("the refusal %q does not say %q", says, want)
		}
	}
	got := b.fetch(p.ID)
	if got.Share < 0.3 || got.Version != p.Version+1 || got.Digest != p.Digest() || got.Touch.Stats != "" || got.Title != p.Title {
		t.Errorf("the card afterwards: %+v", got.Proposal)
	}
	if page = b.page(c, "/inbox"); strings.Contains(page, "data-stale") {
		t.Error("it is still marked")
	}
	b.exchange("do you sell maps", "No.", nil) // a little traffic more is as it was shown
	b.ok(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": got.Digest, "share": got.Share}, nil)
}

// A contradiction that the learner would settle by an exception can be settled by
// replacing the rule.
func TestDecide_ReplaceInsteadOfSplit(t *testing.T) {
	b := start(t, nil)
	b.seed()
	old := b.inForce().Rules[0]
	except := old.Clone()
	except.Version++
	except.Scope.Counterexamples = []string{"is it too late to return a gift"}
	p := b.proposal("Never mention the return window.", "somebody wants to return a gift", []string{"is it too late to return a gift"}, func(p *store.Proposal) {
		p.Ops = append(p.Ops, rules.Operation{Kind: rules.Revise, Rule: except})
		p.Conflicts = []store.Conflict{{Rule: old.ID, Action: old.Action, Advice: "split", Reason: "one asks for what the other forbids"}}
	})
	var got proposalView
	b.ok(Approver, "PATCH", "proposals/"+p.ID, map[string]any{"supersede": []string{old.ID}}, &got)
	if len(got.Ops) != 1 || got.Ops[0].Kind != rules.Supersede || len(got.Conflicts) != 0 || len(got.Replaces) != 1 {
		t.Fatalf("the proposal: %+v", got.Proposal)
	}
	b.ok(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": got.Digest}, nil)
	if set := b.inForce(); len(set.Rules) != 1 || set.Rules[0].ID != p.Rule().ID {
		t.Errorf("in force: %+v", set.Rules)
	}
}

// Of two opposite proposals that wait, one is approved: whoever approves the other from
// a card that is older is refused, until the learner says what becomes of the rule.
func TestDecide_OppositeCameInForce(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	p := b.proposal("Mention the cancellation form.", "somebody wants a refund", []string{"how do I get a refund for order 103"}, nil)
	against := func(c store.Conflict) func(*store.Proposal) {
		return func(o *store.Proposal) { o.Conflicts = []store.Conflict{c} }
	}
	o := b.proposal("Never mention the cancellation form.", "somebody wants a refund", []string{"how do I get a refund for order 103"},
		against(store.Conflict{Proposal: p.ID, Action: p.Rule().Action, Advice: "reject", Reason: "one asks for what the other forbids"}))
	b.ok(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": p.Digest()}, nil)
	says := b.refused(Owner, "POST", "proposals/"+o.ID+"/approve", map[string]any{"digest": o.Digest()}, 409, "contradicts")
	has(t, says, "anna", "Mention the cancellation form.")

	o.Version++ // as the learner settles it
	against(store.Conflict{Rule: p.Rule().ID, Action: p.Rule().Action, Advice: "supersede", Reason: "one asks for what the other forbids"})(o)
	o.Ops[0].Kind, o.Ops[0].IDs = rules.Supersede, []string{p.Rule().ID}
	if err := b.store.Commit(t.Context(), store.Changes{App: "shop", Proposals: []*store.Proposal{o}}); err != nil {
		t.Fatal(err)
	}
	b.ok(Owner, "POST", "proposals/"+o.ID+"/approve", map[string]any{"digest": o.Digest()}, nil)
	if set := b.inForce(); len(set.Rules) != 1 || set.Rules[0].ID != o.Rule().ID {
		t.Errorf("in force: %+v", set.Rules)
	}

	// What was replaced does not come back beside what replaced it.
	says = b.refused(Approver, "POST", "rules/"+p.Rule().ID+"/resume", nil, 409, "replaced")
	has(t, says, o.Rule().ID, "Never mention the cancellation form.")
	b.ok(Approver, "POST", "rules/"+o.Rule().ID+"/pause", nil, nil)
	b.ok(Approver, "POST", "rules/"+p.Rule().ID+"/resume", nil, nil)
}

// state is the state of the rule's newest version.
func (b *bench) state(id string) rules.State {
	b.t.Helper()
	vs, err := b.store.RuleVersions(b.t.Context(), "shop", id)
	if err != nil || len(vs) == 0 {
		b.t.Fatalf("rule %s has no versions, %v", id, err)
	}
	return vs[0].State
}

// A paused rule's card shows no share, so retiring it is bound to none; only its page
// brings it back.
func TestDecide_RetiresPausedRule(t *testing.T) {
	b := start(t, func(o *Options) { o.FourEyes = true })
	b.seed()
	gone := b.inForce().Rules[0].Clone()
	gone.State = rules.Paused
	b.ok(Approver, "POST", "rules/"+gone.ID+"/pause", nil, nil)
	p := b.proposal(gone.Action, gone.Scope.AppliesWhen, gone.Scope.Examples, func(p *store.Proposal) {
		p.Ops, p.Touch, p.Reason = []rules.Operation{{Kind: rules.Retire, IDs: []string{gone.ID}, Rule: gone}}, store.Touch{}, "it harms" // as the learner does
	})
	c := b.browser(Approver)
	page := b.page(c, "/proposals/"+p.ID)
	has(t, page, "Retire it", "it harms")
	for _, not := range []string{"data-share", "held out", "Save and look again"} {
		if strings.Contains(page, not) {
			t.Errorf("the card holds %q", not)
		}
	}
	b.post(c, "/proposals/"+p.ID+"/approve", url.Values{"app": {"shop"}, "digest": {p.Digest()}})
	if got := b.fetch(p.ID); got.State != store.Approved || b.state(gone.ID) != rules.Retired || len(b.inForce().Rules) != 0 {
		t.Errorf("the proposal is %s, the rule %s, in force: %+v", got.State, b.state(gone.ID), b.inForce().Rules)
	}
}

// A paused rule can be retired where it is listed, too, and one in force not by a
// card that was written while it was paused.
func TestRetire_Paused(t *testing.T) {
	b := start(t, nil)
	b.seed()
	r := b.inForce().Rules[0].Clone()
	b.ok(Approver, "POST", "rules/"+r.ID+"/pause", nil, nil)
	b.ok(Approver, "POST", "rules/"+r.ID+"/resume", nil, nil)
	p := b.proposal(r.Action, r.Scope.AppliesWhen, r.Scope.Examples, func(p *store.Proposal) {
		p.Ops, p.Touch = []rules.Operation{{Kind: rules.Retire, IDs: []string{r.ID}, Rule: r}}, store.Touch{}
	})
	b.refused(Approver, "POST", "proposals/"+p.ID+"/approve", map[string]any{"digest": p.Digest()}, 409, "does_not_fit")
	b.ok(Approver, "POST", "rules/"+r.ID+"/pause", nil, nil)
	c := b.browser(Approver)
	has(t, b.page(c, "/rules/"+r.ID), "/rules/"+r.ID+"/retire")
	b.ok(Approver, "POST", "rules/"+r.ID+"/retire", nil, nil)
	if got := b.state(r.ID); got != rules.Retired {
		t.Errorf("the rule is %s", got)
	}
	b.refused(Approver, "POST", "rules/"+r.ID+"/retire", nil, 409, "state")
}
