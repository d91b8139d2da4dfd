package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/internal/simulate"
	"heed/rules"
	"heed/store"
	"heed/wire"
)

// converse sends a conversation whose earlier answers the agent made up, and
// returns the headers.
func (p *program) converse(session string, turns ...string) http.Header {
	p.t.Helper()
	messages := []any{map[string]string{"role": "system", "content": shopPrompt}}
	for i, q := range turns {
		if i > 0 {
			messages = append(messages, map[string]string{"role": "assistant", "content": "Let me look."})
		}
		messages = append(messages, map[string]string{"role": "user", "content": q})
	}
	b, err := json.Marshal(map[string]any{"model": "gpt-4o", "messages": messages})
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, p.gateway+"/v1/chat/completions", bytes.NewReader(b))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer heed-key-1")
	req.Header.Set("Heed-Session", session)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("converse: status %d, %v", resp.StatusCode, err)
	}
	return resp.Header
}

// Promise 6: the row of every exchange, with the set that it names, gives the very
// bytes that the upstream got; with rules, holdouts, and conversations of several
// turns. heed replay says the same.
func TestReplay_RowsReproduceTheInjectedBytes(t *testing.T) {
	m, upstream := model(t, simulate.Options{OverApply: -1, Recorded: 4096})
	conf := config(t, t.TempDir(), upstream, "")
	replaceIn(t, conf, "holdout: 0}", "holdout: 0.4}")
	p := start(t, conf)
	shipping, returns := simulate.Questions("shipping"), simulate.Questions("returns")
	asked := 0
	for i, q := range slices.Concat(shipping, returns) {
		p.converse(fmt.Sprint("before-", i), q)
		asked++
	}
	for _, c := range [][2]string{{returns[0], `Please always mention the "free label".`}, {shipping[0], `Please always mention the "tracking page".`}} {
		p.approve(p.complainAbout(c[0], c[1], false))
		asked++
	}
	p.eventually("both rules, given or withheld", func() bool {
		asked++
		h := p.converse(fmt.Sprint("wait-", asked), returns[0], shipping[0])
		return len(strings.Split(strings.Trim(h.Get("Heed-Rules")+","+h.Get("Heed-Holdout"), ","), ",")) == 2
	})
	given, withheld := 0, 0
	for i := range 40 {
		turns := []string{returns[i%len(returns)], shipping[i%len(shipping)], "And how long does that take?"}
		h := p.converse(fmt.Sprint("after-", i), turns[:1+i%3]...)
		asked++
		if h.Get("Heed-Rules") != "" {
			given++
		}
		if h.Get("Heed-Holdout") != "" {
			withheld++
		}
	}
	if given == 0 || withheld == 0 {
		t.Fatalf("%d answers with rules, %d with a holdout: the run shows nothing", given, withheld)
	}
	p.eventually("a replay of all of them beside the program", func() bool {
		code, out := p.command("replay", "--app", "shop")
		if code != 0 || !strings.Contains(out, " 0 differ") {
			t.Fatalf("replay of a store in use: exit code %d, %s", code, out)
		}
		return strings.HasPrefix(out, fmt.Sprint(asked, " exchanges, ")) && !strings.Contains(out, " 0 with rules")
	})
	if code := p.terminate(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, p.stderr)
	}
	code, out := p.command("replay", "--app", "shop")
	if code != 0 || !strings.HasPrefix(out, fmt.Sprint(asked, " exchanges, ")) || !strings.Contains(out, " 0 differ") || strings.Contains(out, " 0 with rules") {
		t.Errorf("replay of %d exchanges: exit code %d, %s", asked, code, out)
	}
	sameBytes(t, filepath.Join(p.dir, "data"), m.Requests())
}

// heed replay asks what a proposal, or an older rule set, would decide otherwise: the
// share touched, which rules newly apply and no longer do, examples. It exits with 1
// above --max-share and on a target that is not there.
func TestReplay_ProposalAndSet(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	p := start(t, config(t, t.TempDir(), upstream, ""))
	returns := simulate.Questions("returns")
	for i, q := range slices.Concat(simulate.Questions("shipping"), returns) {
		p.converse(fmt.Sprint("before-", i), q)
	}
	proposal := p.complainAbout(returns[0], `Please always mention the "free label".`, false)
	run := func(exit int, says []string, args ...string) {
		t.Helper()
		code, out := p.command(append([]string{"replay", "--app", "shop"}, args...)...)
		if code != exit {
			t.Errorf("replay %v: exit code %d, want %d: %s", args, code, exit, out)
		}
		for _, want := range says {
			if !strings.Contains(out, want) {
				t.Errorf("replay %v does not say %q:\n%s", args, want, out)
			}
		}
	}
	run(0, []string{"proposal " + proposal.ID, "free label", "against ", "would get other rules (", "newly in scope", returns[0]}, proposal.ID)
	run(0, []string{`"touched":`, `"newly":`}, "--json", proposal.ID)
	run(1, []string{"more than --max-share 1.0 %"}, "--max-share", "0.01", proposal.ID)
	run(0, nil, "--max-share", "0.9", proposal.ID)
	p.approve(proposal)
	run(1, []string{"is approved and does not fit"}, proposal.ID)
	heads := func() []store.HeadRecord {
		t.Helper()
		var all page[store.HeadRecord]
		if err := p.api().call(context.Background(), http.MethodGet, "rulesets", appQuery("shop"), nil, &all); err != nil {
			t.Fatal(err)
		}
		return all.Items
	}
	run(0, []string{"would get other rules ("}, fmt.Sprint(heads()[0].Head.Epoch))
	if code, out := p.command("rules", "--app", "shop", "retire", proposal.Rule().ID); code != 0 {
		t.Fatalf("retire: %s", out)
	}
	all := heads()
	i := slices.IndexFunc(all, func(h store.HeadRecord) bool { return h.Rules == 1 })
	run(0, []string{"newly in scope", "free label"}, all[i].Head.Hash[:8])
	run(1, []string{`no rule set "nothing"`}, "nothing")
	run(1, []string{`no proposal "not-there"`}, "not-there")
	run(1, []string{"--limit 0"}, "--limit", "0", proposal.ID)
	run(1, []string{"--max-share 2"}, "--max-share", "2", proposal.ID)
	run(1, []string{"go with a proposal or a rule set"}, "--json")
	run(2, nil, "--max-share", "much", proposal.ID)
	run(2, nil, proposal.ID, "another")
}

// sameBytes takes every decision again and compares the request that follows from
// it with what the upstream got, in the order of asking.
func sameBytes(t *testing.T, data string, sent []simulate.Request) {
	t.Helper()
	s := imported(t, data)
	defer s.Close()
	byID, _ := everything(t, s)
	if len(byID) != len(sent) {
		t.Fatalf("%d exchanges, the upstream got %d requests", len(byID), len(sent))
	}
	var xs []*store.Exchange
	for _, x := range byID {
		xs = append(xs, x)
	}
	slices.SortFunc(xs, func(a, b *store.Exchange) int { return strings.Compare(a.ID, b.ID) }) // of one process: in order of arrival
	r := replayer{store: s, compiled: map[rules.Head]*rules.Compiled{}}
	injected := 0
	for i, x := range xs {
		block := ""
		if x.Head.Epoch > 0 {
			c, err := r.compile(context.Background(), x)
			if err != nil {
				t.Fatal(err)
			}
			d := c.Decide(&x.Facts, &r.buf)
			block = c.Render(&d)
		}
		req, err := wire.Parse(x.API, x.Request)
		if err != nil {
			t.Fatal(err)
		}
		want, err := req.Patch(nil, x.Request, wire.Patch{Block: block})
		if err != nil {
			t.Fatal(err)
		}
		if block != "" {
			injected++
		}
		if !bytes.Equal(sent[i].Body, want) {
			t.Errorf("exchange %s of set %s:\n the upstream got %s\nthe row gives     %s", x.ID, x.Head, sent[i].Body, want)
		}
	}
	if injected == 0 {
		t.Error("no row had a block")
	}
}
