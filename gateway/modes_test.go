package gateway

import (
	"fmt"
	"strings"
	"testing"
)

// TestGateway_Modes: observe decides and logs but injects nothing, off decides
// nothing, Heed-Log: off leaves no row and hands out no token.
func TestGateway_Modes(t *testing.T) {
	for _, c := range []struct {
		mode                      Mode
		decided, observed, inside bool
	}{{On, true, false, true}, {Observe, true, true, false}, {Off, false, false, false}} {
		e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Apps[0].Rules = c.mode })
		e.inForce(rule("Be brief.", ""))
		r := e.post("/v1/chat/completions", hello)
		readAll(t, r)
		x := e.row(r.Header.Get("Heed-Exchange-Id"))
		inside := strings.Contains(string(e.up.requests()[0].body), "Be brief.")
		if (len(x.Decision.Rules) > 0) != c.decided || x.Decision.Observed != c.observed || inside != c.inside || (r.Header.Get("Heed-Rules") != "") != c.inside {
			t.Errorf("%s: decision %+v, injected %v, Heed-Rules %q", c.mode, x.Decision, inside, r.Header.Get("Heed-Rules"))
		}
	}
	e := start(t, answerJSON(chatAnswer))
	r := e.post("/v1/chat/completions", hello, "Heed-Log", "off")
	readAll(t, r)
	if r.Header.Get("Heed-Feedback-Token") != "" || r.Header.Get("Heed-Exchange-Id") == "" {
		t.Errorf("headers %v", r.Header)
	}
	readAll(t, e.post("/v1/chat/completions", hello))
	e.await("the second row", func() bool { return e.g.Written() > 0 })
	if n := e.g.Written(); n != 1 {
		t.Errorf("%d rows, want 1: the first asked not to be logged", n)
	}
}

// TestGateway_Holdout: the units that go without a rule are named in the header and
// the row, stay the same, and are about as many as asked.
func TestGateway_Holdout(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	ru := rule("Be brief.", "")
	ru.Holdout = 0.5
	e.inForce(ru)
	held := map[string]bool{}
	for round := range 2 {
		for i := range 60 {
			session := fmt.Sprint("s", i)
			r := e.post("/v1/chat/completions", hello, "Heed-Session", session)
			readAll(t, r)
			without := r.Header.Get("Heed-Holdout") == ru.Ref()
			if without == (r.Header.Get("Heed-Rules") == ru.Ref()) {
				t.Fatalf("headers %v", r.Header)
			}
			reqs := e.up.requests()
			if inside := strings.Contains(string(reqs[len(reqs)-1].body), "Be brief."); inside == without {
				t.Fatalf("withheld %v, injected %v", without, inside)
			}
			if round == 1 && held[session] != without {
				t.Errorf("%s changed its arm", session)
			}
			held[session] = without
		}
	}
	n := 0
	for _, h := range held {
		if h {
			n++
		}
	}
	if n < 15 || n > 45 { // 30 expected; outside with a probability of 1e-4
		t.Errorf("%d of 60 units held out, want about 30", n)
	}
}
