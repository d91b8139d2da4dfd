package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"heed/internal/browser"
	"heed/internal/simulate"
	"heed/rules"
	"heed/store"
)

const window = "30-day return window"

// stubborn is a model on which the rule about the return window does harm: it
// mentions the window in six of seven answers, and in one of four once it is told to.
func stubborn(t *testing.T) string {
	t.Helper()
	var with, without atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the gateway left
		}
		good := without.Load()%7 != 0
		if strings.Contains(string(body), "mention the "+window) {
			good = with.Add(1)%4 == 0
		} else {
			without.Add(1)
		}
		text := "Pack it well and hand it in at any post office."
		if good {
			text += " There is a " + window + "."
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"id": store.NewID(), "object": "chat.completion", "model": "stubborn-1",
			"choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": text}}},
			"usage":   map[string]any{"prompt_tokens": 40, "completion_tokens": 20, "total_tokens": 60}})
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/v1"
}

// holding is a heed.yaml as config's, with a holdout.
func holding(t *testing.T, upstream, holdout string) string {
	t.Helper()
	conf := config(t, t.TempDir(), upstream, "")
	b, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte(strings.Replace(string(b), "holdout: 0}", "holdout: "+holdout+"}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return conf
}

// An admin ticks examples on the card, sees the share change, approves, sees the
// effect; the rule harms and is paused without them, with an entry in the audit and
// a proposal. The whole program, with real traffic.
func TestBrowser_HarmfulRulePausesItself(t *testing.T) {
	p := start(t, holding(t, stubborn(t), "0.3"))
	returns, n := simulate.Questions("returns"), 0
	ask := func(question string) reply {
		n++
		return p.ask("gpt-4o", shopPrompt, question, false, session(n))
	}
	for range 160 / len(returns) {
		for _, q := range returns {
			ask(q)
		}
	}
	for _, topic := range simulate.Topics() {
		if topic != "returns" {
			for _, q := range simulate.Questions(topic) {
				ask(q)
			}
		}
	}
	r := ask(returns[0])
	for strings.Contains(r.text, window) {
		r = ask(returns[0])
	}
	p.say(r, map[string]any{"rating": -1, "comment": "Please always mention the " + window + ".", "applies_when": "someone wants to return something"})

	ctx := browser.Tab(t, 1440, 1000)
	if _, err := chromedp.Run(ctx, chromedp.Navigate(p.admin+"/inbox")); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	run := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		browser.Run(t, ctx, what, chromedp.Steps(steps...))
	}
	run("log in", chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.SendKeys(chromedp.CSS("#token"), p.token),
		chromedp.Click(chromedp.CSS("button[name=login]")), chromedp.WaitVisible(chromedp.CSS("[data-proposal] button[name=approve]")))
	rule := p.tickUntilShareMoves(t, ctx)
	run("select with a key", chromedp.KeyEvent("j"), chromedp.WaitVisible(chromedp.CSS("[data-proposal].selected")))
	approveCard(t, ctx, "[data-proposal] button[name=approve]", chromedp.KeyEvent("a"))
	run("the card is gone", chromedp.WaitNotPresent(chromedp.CSS("[data-proposal]")))
	run("the rule's page", chromedp.Navigate(p.admin+"/rules/"+rule+"?app=shop"), chromedp.WaitVisible(chromedp.CSS("#effect")))
	browser.Shoot(t, ctx, "effect-first")

	p.eventually("the rule reaches the gateway", func() bool {
		h := ask(returns[0]).header
		return h.Get("Heed-Rules")+h.Get("Heed-Holdout") != ""
	})
	for range 240 / len(returns) {
		for _, q := range returns {
			ask(q)
		}
	}
	run("its effect", chromedp.WaitVisible(chromedp.CSS("#effect [data-source=check] [data-arm=before]")))
	run("it pauses itself", chromedp.WaitVisible(chromedp.CSS(`[data-rule][data-state=paused]`)))
	run("look again", chromedp.Navigate(p.admin+"/rules/"+rule+"?app=shop"), chromedp.WaitVisible(chromedp.CSS(`#effect [data-verdict=harms]`)))
	browser.Shoot(t, ctx, "effect-paused")
	effect := browser.Run(t, ctx, "the effect", chromedp.Text(chromedp.CSS("#effect")))
	for _, want := range []string{"harms", "Answers that follow it", "with the rule", "without it", "before it", "stubborn-1", "Compared"} {
		if !strings.Contains(effect, want) {
			t.Errorf("the effect does not show %q:\n%s", want, effect)
		}
	}
	p.pausedForGood(t, ctx, rule)
}

// tickUntilShareMoves ticks samples on the card until the share changed on the page
// and returns the rule's id.
func (p *program) tickUntilShareMoves(t *testing.T, ctx context.Context) string {
	t.Helper()
	browser.Shoot(t, ctx, "ticks-before")
	share := func() string {
		return browser.Run(t, ctx, "the share", chromedp.AttributeValue(chromedp.CSS("[data-proposal] [data-share]"), "data-share")).Value
	}
	card := p.proposals()[0]
	first := share()
	for _, tick := range []string{".samples:nth-child(2) li:not([data-mark]) button.yes", ".samples:nth-child(1) li:not([data-mark]) button.no",
		".samples:nth-child(1) li:not([data-mark]) button.no"} {
		if !browser.Run(t, ctx, "a sample", chromedp.Evaluate[bool](`!!document.querySelector("[data-proposal] `+tick+`")`)) {
			continue
		}
		browser.Run(t, ctx, "tick", chromedp.Steps(chromedp.Click(chromedp.CSS("[data-proposal] "+tick)),
			chromedp.WaitNotPresent(chromedp.CSS(`[data-digest="`+card.Digest()+`"]`)), chromedp.WaitVisible(chromedp.CSS("[data-proposal]"))))
		if card = p.proposals()[0]; share() != first {
			break
		}
	}
	browser.Shoot(t, ctx, "ticks-after")
	if now := share(); now == first {
		t.Errorf("the share on the card stays at %s after ticks", now)
	}
	return card.Rule().ID
}

// pausedForGood looks for what an admin finds after the learner paused a rule.
func (p *program) pausedForGood(t *testing.T, ctx context.Context, rule string) {
	t.Helper()
	which := regexp.MustCompile("[Cc]ompared (with before|at the same time), by check")
	browser.Run(t, ctx, "the audit", chromedp.Steps(chromedp.Navigate(p.admin+"/audit?app=shop&action=pause"), chromedp.WaitVisible(chromedp.CSS("main"))))
	browser.Shoot(t, ctx, "effect-audit")
	if audit := browser.Run(t, ctx, "the audit", chromedp.Text(chromedp.CSS("main"))); !strings.Contains(audit, "learner") || !which.MatchString(audit) {
		t.Errorf("the audit reads:\n%s", audit)
	}
	browser.Run(t, ctx, "the inbox", chromedp.Steps(chromedp.Navigate(p.admin+"/inbox?app=shop"), chromedp.WaitVisible(chromedp.CSS("[data-proposal]"))))
	browser.Shoot(t, ctx, "effect-proposal")
	retire := slices.IndexFunc(p.proposals(), func(pr store.Proposal) bool {
		return pr.Ops[0].Kind == rules.Retire && slices.Contains(pr.RuleIDs(), rule)
	})
	if retire < 0 || !which.MatchString(browser.Run(t, ctx, "the card", chromedp.Text(chromedp.CSS(`[data-proposal="`+p.proposals()[retire].ID+`"]`)))) {
		t.Errorf("no card that says why the rule was paused: %+v", p.proposals())
	}
	var effect store.Effect
	if err := p.api().call(context.Background(), http.MethodGet, "rules/"+rule+"/effect", url.Values{"app": {"shop"}}, nil, &effect); err != nil || effect.Verdict != store.Harms {
		t.Errorf("effect %+v (%v)", effect, err)
	}
}
