package admin

import (
	"strings"
	"testing"

	"heed/rules"
)

// A proposal, and an older set, replayed against logged traffic: the share touched,
// which rules newly apply and which no longer do, with examples.
func TestReplay_ProposalAndSet(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	asks := map[string]any{"app": "shop", "action": "Link the refunds page.", "applies_when": "somebody asks for a refund", "examples": []string{"how do I get a refund for order 103"}}
	var first struct {
		*rules.Rule
		Ruleset rules.Head
	}
	b.ok(Approver, "POST", "rules", asks, &first)
	p := b.proposal("Name the carrier.", "somebody asks when a delivery arrives", []string{"when will my delivery 203 arrive"}, nil)
	var got replay
	b.ok(Viewer, "GET", "replay?proposal="+p.ID, nil, &got)
	if got.Of != 90 || got.Touched != 30 || got.Share < 0.33 || got.Against.Epoch != 1 || len(got.Rules) != 2 {
		t.Fatalf("replay: %+v", got)
	}
	if r := got.Rules[0]; r.ID != p.Rule().ID || r.Begins != 30 || r.Ends != 0 || r.Before != 0 || r.After != 30 || len(r.Newly) != 5 || !strings.Contains(r.Newly[0].Query, "delivery") {
		t.Errorf("the proposal's rule: %+v", r)
	}
	if r := got.Rules[1]; r.ID != first.ID || r.Begins+r.Ends != 0 || r.After != 30 {
		t.Errorf("the rule in force: %+v", r)
	}
	b.ok(Approver, "POST", "rules/"+first.ID+"/retire", nil, nil)
	for _, name := range []string{first.Ruleset.Hash, first.Ruleset.Hash[:6], "1"} {
		b.ok(Viewer, "GET", "replay?requests=60&set="+name, nil, &got)
		if got.Set != first.Ruleset || got.Of != 60 || got.Touched != 20 || got.Rules[0].Begins != 20 {
			t.Errorf("replay of set %s: %+v", name, got)
		}
	}
	has(t, b.page(b.browser(Viewer), "/rulesets/"+first.Ruleset.Hash+"?app=shop"), `data-replay="0.333`, "of the last 90 requests would get other rules", "+30 ", "how do I get a refund")

	for path, want := range map[string]struct {
		status int
		says   string
	}{
		"replay":                                  {400, "say what to replay"},
		"replay?set=1&proposal=x":                 {400, "say what to replay"},
		"replay?set=nothing":                      {404, `no rule set "nothing"`},
		"replay?proposal=nothing":                 {404, `no proposal "nothing"`},
		"replay?set=1&requests=0":                 {400, "from 1 to 10000"},
		"replay?set=1&requests=many":              {400, "from 1 to 10000"},
		"replay?proposal=" + p.ID + "&requests=1": {200, `"of":1`},
	} {
		if status, body := b.call(Viewer, "GET", path, nil, nil); status != want.status || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), want.says) {
			t.Errorf("GET %s: status %d, %s", path, status, body)
		}
	}
}
