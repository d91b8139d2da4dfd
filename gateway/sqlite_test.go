package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
	"heed/store/sqlite"
)

// TestGateway_SQLite: on the real store, the row, the feedback and a published
// rule are there, the rule within a second.
func TestGateway_SQLite(t *testing.T) {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Store = s })
	t.Cleanup(func() { // before the store: cleanups run last first, so the gateway is closed here
		within, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := e.g.Shutdown(within); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r := e.post("/v1/chat/completions", hello)
	readAll(t, r)
	id, token := r.Header.Get("Heed-Exchange-Id"), r.Header.Get("Heed-Feedback-Token")
	r = e.post("/heed/feedback", `{"token":"`+token+`","rating":-1,"comment":"name the return period"}`, "Authorization", "")
	var got struct{ ID string }
	if err := json.Unmarshal([]byte(readAll(t, r)), &got); err != nil || r.StatusCode != http.StatusCreated {
		t.Fatalf("feedback: %d, %v", r.StatusCode, err)
	}
	if f, err := s.FeedbackByID(ctx, "shop", got.ID); err != nil || f.ExchangeID != id {
		t.Errorf("feedback %+v, %v", f, err)
	}
	e.await("the row", func() bool { _, err := s.Exchange(ctx, "shop", id); return err == nil })
	x, err := s.Exchange(ctx, "shop", id)
	if err != nil || string(x.Request) != hello || x.Answer != "Hello there, friend." || x.Outcome != store.OK {
		t.Errorf("row %+v, %v", x, err)
	}
	ru := rule("Mention the 30-day return period.", "")
	begun := time.Now()
	h, err := s.Publish(ctx, "shop", 0, &rules.Set{App: "shop", Rules: []rules.Rule{ru}}, store.Audit{App: "shop", Time: time.Now().UTC(), Actor: "test", Action: "publish"})
	if err != nil {
		t.Fatal(err)
	}
	e.await("the rule", func() bool { return e.g.cfg.Load().apps["shop"].set.Load().Head() == h })
	if d := time.Since(begun); d > time.Second {
		t.Errorf("in force after %v, want at most 1s", d)
	}
	r = e.post("/v1/chat/completions", hello)
	readAll(t, r)
	if r.Header.Get("Heed-Rules") != ru.Ref() || r.Header.Get("Heed-Ruleset") != h.String() {
		t.Errorf("headers %v", r.Header)
	}
}

// TestGateway_OneSet: while rule sets change as fast as they can, every request
// gets the bytes of the one set that its header names, and replaying its row gives
// the same block.
func TestGateway_OneSet(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	sets := map[string]*rules.Set{}
	var order []*rules.Set
	for _, action := range []string{"Be brief.", "Be polite.", "Say hello first.", "Use short words."} {
		set := &rules.Set{App: "shop", Rules: []rules.Rule{rule(action, ""), rule(action+" Also at night.", "")}}
		if set.Rules[1].ID < set.Rules[0].ID {
			set.Rules[0], set.Rules[1] = set.Rules[1], set.Rules[0]
		}
		sets[set.Hash()], order = set, append(order, set)
	}
	e.store.publish(order[0])
	e.await("the first set", func() bool { return e.g.cfg.Load().apps["shop"].set.Load().Head().Epoch == 1 })
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
				e.store.publish(order[i%len(order)])
			}
		}
	}()
	for range 200 {
		r := e.post("/v1/chat/completions", hello)
		readAll(t, r)
		x := e.row(r.Header.Get("Heed-Exchange-Id"))
		if x.Head.String() != r.Header.Get("Heed-Ruleset") {
			t.Fatalf("row says %s, header %s", x.Head, r.Header.Get("Heed-Ruleset"))
		}
		set := sets[x.Head.Hash]
		c, err := rules.Compile(set, x.Head, nil)
		if err != nil {
			t.Fatal(err)
		}
		d := c.Decide(&x.Facts, new(rules.Buffer))
		reqs := e.up.requests()
		var sent struct{ Messages []struct{ Content string } }
		if err := json.Unmarshal(reqs[len(reqs)-1].body, &sent); err != nil {
			t.Fatal(err)
		}
		want := "You are a shop assistant.\n\n" + c.Render(&d)
		if sent.Messages[0].Content != want {
			t.Fatalf("set %s: sent\n%s\nreplayed\n%s", x.Head, sent.Messages[0].Content, want)
		}
	}
	close(stop)
	<-done
}
