package gateway

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"heed/store"
)

// TestSketch: a value that more than 1 % of the traffic shares is common, one that
// does not is not, also after the window has been halved.
func TestSketch(t *testing.T) {
	var s sketch
	r := rand.New(rand.NewPCG(1, 1))
	falsely := 0
	for i := range 100_000 {
		s.count()
		switch {
		case i%20 == 0:
			if common := s.add("user", "shared"); i > sketchLeast && !common {
				t.Fatalf("request %d: 5 %% of the traffic is not common", i)
			} else if i < sketchLeast/2 && common {
				t.Fatalf("request %d: called common before there is enough traffic", i)
			}
		default:
			if s.add("user", fmt.Sprint("u", r.IntN(5000))) {
				falsely++
			}
		}
	}
	if falsely > 100 {
		t.Errorf("%d of 95000 requests of rare users were called common", falsely)
	}
}

// TestGateway_Unit: what decisions stick to, in order; a constant user is no unit.
func TestGateway_Unit(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	facts := func(body string, headers ...string) *store.Exchange {
		t.Helper()
		r := e.post("/v1/chat/completions", body, headers...)
		readAll(t, r)
		return e.row(r.Header.Get("Heed-Exchange-Id"))
	}
	a := facts(hello, "Heed-Session", "s1", "Heed-User", "ann")
	b := facts(hello, "Heed-Session", "s1", "Heed-User", "bob")
	c := facts(hello, "Heed-User", "ann")
	d := facts(hello, "Heed-User", "ann", "Heed-Tags", "plan=gold, partition=eu,bad")
	f := facts(hello)
	if a.Facts.Unit != b.Facts.Unit || c.Facts.Unit != d.Facts.Unit || a.Facts.Unit == c.Facts.Unit || f.Facts.Unit == c.Facts.Unit {
		t.Errorf("units %s %s %s %s %s", a.Facts.Unit, b.Facts.Unit, c.Facts.Unit, d.Facts.Unit, f.Facts.Unit)
	}
	if d.Facts.Tags["plan"] != "gold" || d.Facts.Partition != "eu" || len(d.Facts.Tags) != 2 {
		t.Errorf("tags %v, partition %q", d.Facts.Tags, d.Facts.Partition)
	}
	common := &e.g.cfg.Load().apps["shop"].common
	for range 3000 {
		common.count()
		common.add("user", store.UserHash("shop", "everybody"))
	}
	if got := facts(hello, "Heed-User", "everybody"); got.Facts.Unit != f.Facts.Unit || got.Facts.User != store.UserHash("shop", "everybody") {
		t.Errorf("a constant user is a unit: %+v", got.Facts)
	}
}

func TestGateway_Query(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	r := e.post("/v1/chat/completions", hello, "Heed-Query", "wo%20ist%20mein%20Paket%3F")
	readAll(t, r)
	if x := e.row(r.Header.Get("Heed-Exchange-Id")); x.Query != "wo ist mein Paket?" || x.Facts.Query() != x.Query {
		t.Errorf("query %q", x.Query)
	}
}

// TestGateway_QueryPath: the configured place beats the newest turn, the header
// beats both; what is not there changes nothing.
func TestGateway_QueryPath(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Apps[0].QueryPath = "messages.-1.content.question" })
	packed := `{"model":"support","messages":[{"role":"user","content":"{\"docs\":\"a long page\",\"question\":\"Where is my order?\"}"}]}`
	for _, c := range []struct{ body, header, want string }{
		{packed, "", "Where is my order?"},
		{packed, "wo%20ist%20es%3F", "wo ist es?"},
		{hello, "", "Where is my order?"},
	} {
		r := e.post("/v1/chat/completions", c.body, "Heed-Query", c.header)
		readAll(t, r)
		x := e.row(r.Header.Get("Heed-Exchange-Id"))
		if x.Query != c.want {
			t.Errorf("%s: got query %q, want %q", c.body, x.Query, c.want)
		}
		if got := e.up.requests(); string(got[len(got)-1].body) != strings.Replace(c.body, "support", "m-real", 1) {
			t.Errorf("the upstream got %s", got[len(got)-1].body)
		}
	}
}

// TestGateway_Bodies: what an app does not want kept is not.
func TestGateway_Bodies(t *testing.T) {
	body := `{"model":"support","messages":[{"role":"user","content":"I am ann@shop.example, where is my order?"}]}`
	for mode, check := range map[Bodies]func(x *store.Exchange) bool{
		Full:     func(x *store.Exchange) bool { return string(x.Request) == body && len(x.Response) > 0 },
		Redacted: func(x *store.Exchange) bool { return len(x.Request) > 0 && string(x.Request) != body && x.Answer != "" },
		None: func(x *store.Exchange) bool {
			return x.Request == nil && x.Response == nil && x.Answer == "" && x.Query != ""
		},
	} {
		e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Apps[0].Bodies = mode })
		r := e.post("/v1/chat/completions", body)
		if got := readAll(t, r); got != chatAnswer {
			t.Errorf("%s: answer %s", mode, got)
		}
		if x := e.row(r.Header.Get("Heed-Exchange-Id")); !check(x) {
			t.Errorf("%s: row has request %s, response %s, answer %q, query %q", mode, x.Request, x.Response, x.Answer, x.Query)
		}
	}
}
