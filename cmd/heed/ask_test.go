package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"heed/internal/simulate"
	"heed/store"
)

// comparison is an item of proposals/{id}/compare.
type comparison struct {
	Exchange, Without, With, Block, Error string
	Followed                              *bool
}

func (p *program) compare(id string) []comparison {
	p.t.Helper()
	var out page[comparison]
	if err := p.api().call(context.Background(), http.MethodPost, "proposals/"+id+"/compare", appQuery("shop"), map[string]any{}, &out); err != nil {
		p.t.Fatal(err)
	}
	return out.Items
}

// complainAbout makes a proposal of a question and what was wrong with its answer.
func (p *program) complainAbout(question, comment string, stream bool) store.Proposal {
	p.t.Helper()
	r := p.ask("gpt-4o", shopPrompt, question, stream, as("ann"))
	if status, answer := p.say(r, map[string]any{"rating": -1, "comment": comment}); status != http.StatusCreated {
		p.t.Fatalf("feedback: %d %v", status, answer)
	}
	var card store.Proposal
	p.eventually("a proposal", func() bool {
		for _, pr := range p.proposals() {
			card = pr
		}
		return card.ID != ""
	})
	return card
}

// Before a proposal is approved, admin shows what the model answers with it: the
// logged request is sent again, without and with the rule, and is not logged.
func TestCompare_AsksTheUpstreamAgain(t *testing.T) {
	for name, stream := range map[string]bool{"whole": false, "streamed": true} {
		t.Run(name, func(t *testing.T) {
			m, upstream := model(t, simulate.Options{OverApply: -1})
			p := start(t, config(t, t.TempDir(), upstream, ""))
			for _, q := range simulate.Questions("shipping") {
				p.ask("gpt-4o", shopPrompt, q, false)
			}
			card := p.complainAbout(simulate.Questions("returns")[0], `Please always mention the "free label".`, stream)
			p.logged("ann", 1)
			sent := len(m.Requests())
			got := p.compare(card.ID)
			if len(got) == 0 {
				t.Fatal("nothing was compared")
			}
			c := got[0]
			if c.Error != "" || strings.Contains(c.Without, "free label") || c.Without == "" || !strings.Contains(c.With, "free label") || c.Block == "" {
				t.Errorf("compared %+v", c)
			}
			if n := len(m.Requests()) - sent; n != 2*len(got) {
				t.Errorf("the model was asked %d times for %d comparisons", n, len(got))
			}
			p.ask("gpt-4o", shopPrompt, "Where is my parcel?", false, as("ann")) // the log is in order: what came before it is there
			p.logged("ann", 2)
			var all page[store.Exchange]
			if err := p.api().call(t.Context(), http.MethodGet, "exchanges", appQuery("shop"), nil, &all); err != nil || len(all.Items) != len(simulate.Questions("shipping"))+2 {
				t.Errorf("%d exchanges are logged, %v; a comparison is none", len(all.Items), err)
			}
		})
	}
}

// With hashes of keys only there is no key to ask with, and the page says so.
func TestCompare_OnlyHashedKeys(t *testing.T) {
	_, upstream := model(t, simulate.Options{})
	conf := config(t, t.TempDir(), upstream, "")
	sum := sha256.Sum256([]byte("heed-key-1"))
	replaceIn(t, conf, "keys: [heed-key-1]", `keys: ["sha256:`+hex.EncodeToString(sum[:])+`"]`)
	p := start(t, conf)
	card := p.complainAbout(simulate.Questions("returns")[0], `Please always mention the "free label".`, false)
	got := p.compare(card.ID)
	if len(got) == 0 || !strings.Contains(got[0].Error, "only hashes of keys") || got[0].With != "" {
		t.Errorf("compared %+v", got)
	}
}
