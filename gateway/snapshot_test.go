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

// TestGateway_SlowLog: a log that does not keep up costs bodies before it costs
// rows; model calls do not wait for it.
func TestGateway_SlowLog(t *testing.T) {
	slow := newMemStore()
	slow.slow = make(chan bool)
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Store, o.Queue.MaxBytes = slow, 1<<20 })
	e.store = slow
	body := `{"model":"support","messages":[{"role":"system","content":"` + strings.Repeat("notes ", 16<<10) + `"},{"role":"user","content":"Where is my order?"}]}`
	var last string
	for range 60 {
		r := e.post("/v1/chat/completions", body)
		readAll(t, r)
		last = r.Header.Get("Heed-Exchange-Id")
	}
	close(slow.slow)
	e.await("the rows", func() bool { return e.g.Written() == 60 })
	if n := e.g.Dropped(); n != 0 {
		t.Errorf("%d rows lost", n)
	}
	x := e.row(last)
	if x.Request != nil || x.RequestBytes != int64(len(body)) || x.Answer != "Hello there, friend." || x.Query != "Where is my order?" || x.Usage == nil || x.Error == "" {
		t.Errorf("row: %d request bytes of %d, answer %q, query %q, usage %v, error %q", len(x.Request), x.RequestBytes, x.Answer, x.Query, x.Usage, x.Error)
	}
}
