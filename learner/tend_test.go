package learner

import (
	"fmt"
	"testing"

	"heed/rules/match"
	"heed/store"
)

func TestLearner_LearnsTemplatesOfSteps(t *testing.T) {
	b := newBench(t)
	const frame = "You will be given a ticket of our support desk and shall answer it in the name of the team. Ticket: %s. Sign as the support team of the shop and never promise a date."
	var last *store.Exchange
	for i := range 30 {
		q := fmt.Sprintf(frame, fmt.Sprintf("item %c%c does not fit, may i return it", 'a'+i%26, 'a'+i/2))
		last = b.exchange(q)
	}
	b.say(last, "u1", "Mention the return window")
	b.work()
	b.l.tend(b.ctx)
	b.l.side.Wait()
	stats, err := store.StatsOf(b.ctx, b.store, b.set())
	if err != nil || stats == nil {
		t.Fatalf("statistics %v (%v)", stats, err)
	}
	turn := fmt.Sprintf(frame, "where can i find my invoice")
	if got := match.Extract("s1", []string{turn}, stats); len(got) != 1 || len(got[0]) >= len(turn)/2 {
		t.Errorf("extracted %q, want the person's own words", got)
	}
}

func TestTurnText(t *testing.T) {
	x := &store.Exchange{API: 1, Request: []byte(`{"messages":[{"role":"user","content":"first"},{"role":"assistant","content":"a"},{"role":"user","content":"second"},{"role":"tool","content":"t"}]}`)}
	if got := turnText(x); got != "second" {
		t.Errorf("text %q, want the newest turn", got)
	}
	for _, body := range []string{"", "{", `{"messages":[`, `[]`} {
		x.Request = []byte(body)
		if got := turnText(x); got != "" {
			t.Errorf("text of %q: %q", body, got)
		}
	}
}
