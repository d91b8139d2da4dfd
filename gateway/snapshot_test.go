package gateway

import (
	"strings"
	"testing"

	"heed/rules"
	"heed/store"
)

// TestGateway_StoreDownAtStart: a gateway starts without its store, serves without
// rules, says so, and has the rules as soon as the store answers.
func TestGateway_StoreDownAtStart(t *testing.T) {
	down := newMemStore()
	down.fail(store.ErrFull)
	ru := rule("Be brief.", "")
	h := down.publish(&rules.Set{App: "shop", Rules: []rules.Rule{ru}})
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Store = down })
	if got := readAll(t, e.post("/v1/chat/completions", hello)); got != chatAnswer {
		t.Errorf("store down: %s", got)
	}
	r := e.do("GET", "/heed/readyz", "")
	if got := readAll(t, r); r.StatusCode != 200 || !strings.Contains(got, "shop") {
		t.Errorf("readyz: %d %s", r.StatusCode, got)
	}
	down.fail(nil)
	e.await("the rules", func() bool { return e.g.cfg.Load().apps["shop"].set.Load().Head() == h })
}

// TestGateway_BadSet: a set that cannot be loaded changes nothing; the next good
// one is in force.
func TestGateway_BadSet(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	good := e.inForce(rule("Be brief.", ""))
	e.store.mu.Lock() // a head whose set is not there
	e.store.heads["shop"] = rules.Head{Epoch: good.Epoch + 1, Hash: "missing"}
	e.store.change()
	e.store.mu.Unlock()
	e.await("the gateway to find it", e.g.cfg.Load().apps["shop"].failing.Load)
	r := e.post("/v1/chat/completions", hello)
	readAll(t, r)
	if got := r.Header.Get("Heed-Ruleset"); got != good.String() {
		t.Errorf("in force is %s, want %s", got, good)
	}
	next := e.inForce(rule("Be polite.", ""))
	if next.Epoch != good.Epoch+2 {
		t.Errorf("next epoch %d", next.Epoch)
	}
}
