package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"heed/internal/simulate"
	"heed/rules"
	"heed/store"
)

// A rule that people dislike pauses itself, asks a person, and its figures are the
// same from the running program and from the log alone.
func TestEffect_HarmPausesTheRuleAndCanBeRecomputed(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	conf := config(t, t.TempDir(), upstream, "")
	p := start(t, conf)
	ctx, c := context.Background(), p.api()
	for i := range 30 { // before the rule
		p.ask("gpt-4o", shopPrompt, "Where is my parcel?", false, session(-1-i))
	}
	var added rules.Rule
	in := map[string]any{"action": `Mention "as per our terms".`, "scope": map[string]any{"always": true}, "holdout": 0.5}
	if err := c.call(ctx, http.MethodPost, "rules", appQuery("shop"), in, &added); err != nil {
		t.Fatal(err)
	}
	p.eventually("the rule in force", func() bool {
		h := p.ask("gpt-4o", shopPrompt, "Where is my parcel?", false).header
		return h.Get("Heed-Rules")+h.Get("Heed-Holdout") != ""
	})
	for i := range 60 { // each in its own conversation: the unit of the experiment
		r := p.ask("gpt-4o", shopPrompt, "Where is my parcel?", false, session(i))
		rating := 1
		if r.header.Get("Heed-Rules") != "" {
			rating = -1
		}
		if status, answer := p.say(r, map[string]any{"rating": rating}); status != http.StatusCreated {
			t.Fatalf("feedback: %d %v", status, answer)
		}
	}
	var seen struct {
		Rule   rules.Rule
		Effect json.RawMessage
	}
	p.eventually("the pause", func() bool {
		if err := c.call(ctx, http.MethodGet, "rules/"+added.ID, appQuery("shop"), nil, &seen); err != nil {
			t.Fatal(err)
		}
		return seen.Rule.State == rules.Paused
	})
	var audits page[store.Audit]
	if err := c.call(ctx, http.MethodGet, "audit", appQuery("shop"), nil, &audits); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, a := range audits.Items {
		found = found || a.Actor == "learner" && a.Action == "pause" && strings.HasPrefix(a.Reason, "compared at the same time, by rating: ")
	}
	if !found || len(p.proposals()) == 0 {
		t.Errorf("want an audit entry with the figures and a proposal for a person, got %+v, %d proposals", audits.Items, len(p.proposals()))
	}
	if _, out := p.command("rules", "--app", "shop", "approve", p.proposals()[0].ID); !strings.Contains(out, "why: compared at the same time, by rating: ") || strings.Contains(out, "last 0 requests") {
		t.Errorf("the command line shows of the proposal to retire it:\n%s", out)
	}
	var running store.Effect
	if err := c.call(ctx, http.MethodGet, "rules/"+added.ID+"/effect", appQuery("shop"), nil, &running); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		args = append([]string{"--config", filepath.Join(p.dir, "heed.yaml"), "effect", added.ID, "--recompute"}, args...)
		if code := run(ctx, args, &out, &errs); code != 0 {
			t.Fatalf("heed %v: exit code %d, %s", args, code, &errs)
		}
		return out.String()
	}
	var again store.Effect
	want, _ := json.Marshal(running)
	beside := command("--json")
	if code := p.terminate(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, p.stderr)
	}
	stopped := command("--json")
	if beside != stopped {
		t.Errorf("beside the running program %s\nwithout it %s", beside, stopped)
	}
	if err := json.Unmarshal([]byte(stopped), &again); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(again)
	if !bytes.Equal(got, want) || again.Verdict != store.Harms || again.Harms() != "rating" || again.Sources[0].Before == nil || again.Sources[0].Before.Before.Of < 30 {
		t.Errorf("recomputed %s\nthe running program said %s", got, want)
	}
	if table := command(); !strings.Contains(table, ": harms\ncompared at the same time, by rating: ") || !strings.Contains(table, "WITHOUT") {
		t.Errorf("the table:\n%s", table)
	}
}
