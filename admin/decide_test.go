package admin

import (
	"context"
	"fmt"
	"net/http"
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
