package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"heed/internal/simulate"
	"heed/store"
)

// rulesetHeader is epoch and hash.
var rulesetHeader = regexp.MustCompile(`^[1-9][0-9]*:[0-9a-f]{32}$`)

const shopPrompt = "You are the support assistant of a small shop."

// The whole loop with a real client and real storage: answer, complaint,
// proposal, approval, changed answer (also reworded, also streamed), a neighbour
// whose request stays as it is, and the roll-back.
func TestLoop_FromComplaintToChangedAnswerAndBack(t *testing.T) {
	m, upstream := model(t, simulate.Options{OverApply: -1})
	p := start(t, config(t, t.TempDir(), upstream, ""))
	for _, q := range simulate.Questions("shipping") { // traffic for the scope to be narrow against
		p.ask("gpt-4o", shopPrompt, q, false)
	}
	returns := simulate.Questions("returns")
	before := p.ask("gpt-4o", shopPrompt, returns[0], false)
	if strings.Contains(before.text, "free label") {
		t.Fatalf("the bare answer says it already: %q", before.text)
	}
	status, answer := p.say(before, map[string]any{"rating": -1, "comment": `Please always mention the "free label".`, "applies_when": "someone wants to return something"})
	if status != http.StatusCreated || answer["id"] == "" {
		t.Fatalf("feedback: %d %v", status, answer)
	}
	var card store.Proposal
	p.eventually("a proposal", func() bool {
		for _, pr := range p.proposals() {
			card = pr
		}
		return card.ID != ""
	})
	if len(card.Evidence) != 1 || !strings.Contains(card.Evidence[0].Quote, "free label") || card.Touch.Of == 0 {
		t.Errorf("the card has evidence %+v and looked at %d requests", card.Evidence, card.Touch.Of)
	}
	p.approve(card)
	p.eventually("the changed answer", func() bool {
		return strings.Contains(p.ask("gpt-4o", shopPrompt, returns[0], false).text, "free label")
	})
	p.checkAfter(t, m, returns)
	p.otherStep(t, m, returns[0])
	p.rollBack(t, returns[0])
}

// otherStep sends the same user text as another of the agent's calls does: its
// title generator. Rules learned on the answer must not reach it.
func (p *program) otherStep(t *testing.T, m *simulate.Model, question string) {
	t.Helper()
	sent, err := json.Marshal(map[string]any{"model": "gpt-4o", "messages": []map[string]string{
		{"role": "system", "content": "Write a title of at most five words for the conversation that starts with the user's message. Answer with the title only."},
		{"role": "user", "content": question}}})
	if err != nil {
		t.Fatal(err)
	}
	p.send(t, sent)
	all := m.Requests()
	if got := all[len(all)-1].Body; !bytes.Equal(got, sent) {
		t.Errorf("the title generator's request arrived changed:\n got %s\nwant %s", got, sent)
	}
}

// send posts a chat completion's bytes as they are.
func (p *program) send(t *testing.T, body []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.gateway+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer heed-key-1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func (p *program) checkAfter(t *testing.T, m *simulate.Model, returns []string) {
	t.Helper()
	streamed := p.ask("gpt-4o", shopPrompt, returns[0], true)
	if !strings.Contains(streamed.text, "free label") || streamed.header.Get("Heed-Rules") == "" || !rulesetHeader.MatchString(streamed.header.Get("Heed-Ruleset")) {
		t.Errorf("streamed: %q, rules %q, set %q", streamed.text, streamed.header.Get("Heed-Rules"), streamed.header.Get("Heed-Ruleset"))
	}
	reworded := 0
	for _, q := range returns[1:] {
		if strings.Contains(p.ask("gpt-4o", shopPrompt, q, false).text, "free label") {
			reworded++
		}
	}
	if reworded == 0 {
		t.Errorf("no other question about returns changed, of %d", len(returns)-1)
	}
	sent := []byte(`{"model":"gpt-4o", "n":1,"seed":12345678901234567890,"messages":[{"role":"user","content":"Wh\u0065re is my parcel?"}],"x":{"a":1.0,"a":2e0}}`)
	p.send(t, sent)
	all := m.Requests()
	got := all[len(all)-1]
	if !bytes.Equal(got.Body, sent) {
		t.Errorf("a neighbouring request arrived changed:\n got %s\nwant %s", got.Body, sent)
	}
	if h := got.Header.Get("Authorization"); h != "Bearer sk-upstream-canary" {
		t.Errorf("the upstream saw Authorization %q", h)
	}
}

// rollBack activates the set before the first rule: there is none, so the rule
// is retired, and then brought back by activating the set that had it.
func (p *program) rollBack(t *testing.T, question string) {
	t.Helper()
	ctx, c := context.Background(), p.api()
	var heads page[struct {
		Head struct {
			Epoch int    `json:"epoch"`
			Hash  string `json:"hash"`
		} `json:"head"`
	}]
	if err := c.call(ctx, http.MethodGet, "rulesets", appQuery("shop"), nil, &heads); err != nil {
		t.Fatal(err)
	}
	var rs page[struct{ ID string }]
	if err := c.call(ctx, http.MethodGet, "rules", appQuery("shop"), nil, &rs); err != nil || len(rs.Items) == 0 {
		t.Fatalf("rules: %v %v", rs, err)
	}
	if err := c.call(ctx, http.MethodPost, "rules/"+rs.Items[0].ID+"/retire", appQuery("shop"), map[string]any{"reason": "test"}, nil); err != nil {
		t.Fatal(err)
	}
	p.eventually("the answer without the rule", func() bool {
		return !strings.Contains(p.ask("gpt-4o", shopPrompt, question, false).text, "free label")
	})
	if err := c.call(ctx, http.MethodPost, "rulesets/"+heads.Items[0].Head.Hash+"/activate", appQuery("shop"), map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	p.eventually("the answer after the roll-back", func() bool {
		return strings.Contains(p.ask("gpt-4o", shopPrompt, question, false).text, "free label")
	})
}

// Acknowledged feedback survives kill -9, and so does the rule that came of it.
func TestKill_AcknowledgedFeedbackSurvives(t *testing.T) {
	_, upstream := model(t, simulate.Options{})
	conf := config(t, t.TempDir(), upstream, "")
	p := start(t, conf)
	r := p.ask("gpt-4o", shopPrompt, "How do I return shoes?", false)
	status, answer := p.say(r, map[string]any{"rating": -1, "comment": "Mention the returns page."})
	p.kill()
	if status != http.StatusCreated {
		t.Fatalf("feedback: %d", status)
	}
	p = start(t, conf)
	var f store.Feedback
	if err := p.api().call(context.Background(), http.MethodGet, "feedback/"+answer["id"].(string), appQuery("shop"), nil, &f); err != nil {
		t.Fatalf("after kill -9: %v", err)
	}
	if f.Comment != "Mention the returns page." {
		t.Errorf("got %+v", f)
	}
	// The same token still works, and a clean end has exit code 0.
	if status, _ := p.say(r, map[string]any{"rating": 1}); status != http.StatusCreated {
		t.Errorf("the token from before the restart: status %d", status)
	}
	if code := p.terminate(); code != 0 {
		t.Errorf("exit code %d after SIGTERM\n%s", code, p.stderr)
	}
}

// Thumbs move a route: proposal, approval, shares.
func TestRouting_ThumbsMoveTheShares(t *testing.T) {
	skills := map[string]map[string]float64{"small": {"*": 0.02}, "large": {"*": 1}}
	_, upstream := model(t, simulate.Options{Skills: skills, Models: []string{"small", "large"}})
	p := start(t, config(t, t.TempDir(), upstream, `models:
  support: {targets: [{upstream: main, model: small}, {upstream: main, model: large}], routing: propose}
`))
	var card store.Proposal
	questions := simulate.Questions("shipping")
	for i := 0; i < 400 && card.ID == ""; i++ {
		q := questions[i%len(questions)]
		r := p.ask("support", shopPrompt, q, false, session(i))
		rating := -1
		if simulate.Right(q, r.text) {
			rating = 1
		}
		if status, _ := p.say(r, map[string]any{"rating": rating}); status != http.StatusCreated {
			t.Fatalf("thumb: status %d", status)
		}
		if i%20 == 19 {
			for _, pr := range p.proposals() {
				if pr.Routing != nil {
					card = pr
				}
			}
		}
	}
	if card.ID == "" {
		p.eventually("a routing proposal", func() bool {
			for _, pr := range p.proposals() {
				if pr.Routing != nil {
					card = pr
				}
			}
			return card.ID != ""
		})
	}
	if card.Routing.Better != "main/large" || card.Routing.Posterior < 0.95 {
		t.Errorf("the case: %+v", card.Routing)
	}
	p.approve(card)
	p.eventually("moved shares", func() bool {
		large := 0
		for i := range 40 {
			if p.ask("support", shopPrompt, questions[0], false, session(1000+i)).header.Get("Heed-Target") == "main/large" {
				large++
			}
		}
		return large > 26 // half of 40 before; the binomial chance of 27 or more is below 2 %
	})
}

// No secret shows in the log, the admin API's answers or the metrics.
func TestSecrets_NeverShown(t *testing.T) {
	_, upstream := model(t, simulate.Options{})
	p := start(t, config(t, t.TempDir(), upstream, ""))
	r := p.ask("gpt-4o", shopPrompt, "Where is my parcel?", false)
	p.say(r, map[string]any{"rating": -1, "comment": "Never say soon."})
	var all bytes.Buffer
	for _, path := range []string{"exchanges", "feedback", "rules", "proposals", "audit", "stats", "rulesets", "findings", "routing"} {
		var v json.RawMessage
		if err := p.api().call(context.Background(), http.MethodGet, path, url.Values{"app": {"shop"}}, nil, &v); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		all.Write(v)
	}
	req, _ := http.NewRequest(http.MethodGet, p.admin+"/metrics", nil)
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("metrics: status %d", resp.StatusCode)
	}
	_, _ = all.ReadFrom(resp.Body)
	all.WriteString(p.stderr.String())
	for _, secret := range []string{"sk-upstream-canary", "heed-key-1", p.token, r.header.Get("Heed-Feedback-Token")} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("a secret shows: %.12s…", secret)
		}
	}
}
