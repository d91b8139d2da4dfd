package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heed/internal/simulate"
	"heed/rules"
)

// The command line shows a fact's author and source before it is approved, carries
// them with export and apply, refuses a fact without them, and says what ran out.
func TestRules_FactsByCommandLine(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	p := start(t, config(t, t.TempDir(), upstream, ""))
	run := func(exit int, says string, args ...string) string {
		t.Helper()
		code, out := p.command(append([]string{"rules", "--app", "shop"}, args...)...)
		if code != exit || !strings.Contains(out, says) {
			t.Fatalf("rules %v: exit code %d, want %d and %q:\n%s", args, code, exit, says, out)
		}
		return out
	}
	card := p.complainAbout(simulate.Questions("returns")[0], `Please always mention the "free label".`, false)
	until := time.Now().AddDate(0, 3, 0).UTC().Truncate(time.Second)
	edit := map[string]any{"action": "Say that returns are free.", "valid_to": until, "fact": map[string]string{"source": "the returns policy"}}
	if err := p.api().call(context.Background(), http.MethodPatch, "proposals/"+card.ID, appQuery("shop"), edit, nil); err != nil {
		t.Fatal(err)
	}
	run(0, `a fact: `, "approve", "-y", card.ID)
	exported := run(0, `"fact":{"source":"the returns policy"}`, "export")
	run(0, "retired", "retire", card.Rule().ID)

	file := filepath.Join(t.TempDir(), "rules.jsonl")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(exported + exported)
	if out := run(0, "added:", "apply", file); strings.Count(out, "added:") != 1 {
		t.Errorf("a rule that stands there twice:\n%s", out)
	}
	run(0, "in force already:", "apply", file) // although one that reads the same is retired
	var all page[rules.Rule]
	if err := p.api().call(context.Background(), http.MethodGet, "rules", appQuery("shop"), nil, &all); err != nil {
		t.Fatal(err)
	}
	if r := all.Items[0]; r.State != rules.Active || r.Fact == nil || r.Fact.Source != "the returns policy" || !r.ValidTo.Equal(until) {
		t.Errorf("applied: %+v, fact %+v", r, r.Fact)
	}
	write(`{"action": "Say that gift cards never expire.", "scope": {"always": true}}` + "\n")
	run(1, "this has the agent state a fact", "apply", file)

	write(`{"action": "Be kind.", "scope": {"always": true}, "valid_to": "` + time.Now().Add(1500*time.Millisecond).UTC().Format(time.RFC3339Nano) + `"}` + "\n")
	run(0, "added:", "apply", file)
	p.eventually("a rule that ran out", func() bool {
		_, out := p.command("rules", "--app", "shop", "list")
		return strings.Contains(out, "active, ran out")
	})
	if h := p.converse("later", simulate.Questions("shipping")[0]); strings.Contains(h.Get("Heed-Rules"), all.Items[0].ID) {
		t.Errorf("the rule about returns is in scope of shipping: %s", h.Get("Heed-Rules"))
	} else if h.Get("Heed-Rules") != "" {
		t.Errorf("a rule that ran out is still injected: %s", h.Get("Heed-Rules"))
	}
}

// An id that is none is an id that is not there, whatever it would mean in a path; an
// empty one, as of an unset variable, is said to be empty.
func TestRules_OddIDs(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	p := start(t, config(t, t.TempDir(), upstream, ""))
	for _, id := range []string{"", " ", "..", "../apps", "x/../../apps", "?limit=1", "a b", "r_x/../../../apps", "%"} {
		for _, what := range [][]string{{"show"}, {"approve", "-y"}, {"reject"}, {"retire"}} {
			code, out := p.command(append(append([]string{"rules", "--app", "shop"}, what...), id)...)
			if code != 1 || !strings.Contains(out, "there is no such thing") && !strings.Contains(out, "is no id") {
				t.Errorf("rules %v %q: exit code %d:\n%s", what, id, code, out)
			}
		}
	}
	if code, out := p.command("replay", "--app", "shopp"); code != 1 || !strings.Contains(out, `there is no app "shopp"; there are: `) {
		t.Errorf("replay of a misspelt app: exit code %d:\n%s", code, out)
	}
}

// Approving by the command line shows what a card shows: what the rule contradicts
// and what goes out of force for it.
func TestRules_ApproveShowsConflicts(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	p := start(t, config(t, t.TempDir(), upstream, ""))
	question := simulate.Questions("returns")[0]
	rule := map[string]any{"action": "Always mention the free return label.", "applies_when": "somebody returns something", "examples": []string{question}}
	var old rules.Rule
	if err := p.api().call(t.Context(), http.MethodPost, "rules", appQuery("shop"), rule, &old); err != nil {
		t.Fatal(err)
	}
	card := p.complainAbout(question, "Never mention the free return label.", false)
	code, out := p.command("rules", "--app", "shop", "approve", "-y", card.ID)
	for _, want := range []string{`contradicts "Always mention the free return label."`, "takes out of force: " + old.ID, "approved"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("approve: exit code %d, want 0 and %q:\n%s", code, want, out)
		}
	}
}
