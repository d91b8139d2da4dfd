package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"heed/store"
)

const hello = `{"model":"support","messages":[{"role":"system","content":"You are a shop assistant."},{"role":"user","content":"Where is my order?"}],"x_unknown":12345678901234567890,"f":1.0,"f":2.50}`

func TestGateway_Chat(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	r := e.post("/v1/chat/completions", hello, "Heed-User", "ann", "Heed-Session", "s-1", "X-Custom", "kept")
	if got := readAll(t, r); got != chatAnswer || r.StatusCode != 200 {
		t.Fatalf("status %d, body %s", r.StatusCode, got)
	}
	got := e.up.requests()
	if len(got) != 1 {
		t.Fatalf("%d upstream requests, want 1", len(got))
	}
	if want := strings.Replace(hello, `"support"`, `"m-real"`, 1); string(got[0].body) != want {
		t.Errorf("upstream body\n%s\nwant\n%s", got[0].body, want)
	}
	h := got[0].header
	if h.Get("Authorization") != "Bearer "+providerKey || h.Get("X-Custom") != "kept" || h.Get("Heed-User") != "" {
		t.Errorf("upstream headers %v", h)
	}
	if got[0].uri != "/v1/chat/completions" {
		t.Errorf("uri %s", got[0].uri)
	}
	id := r.Header.Get("Heed-Exchange-Id")
	if r.Header.Get("Heed-Target") != "main/m-real" || r.Header.Get("Heed-Feedback-Url") != "/heed/feedback" || r.Header.Get("X-Request-Id") != id {
		t.Errorf("answer headers %v", r.Header)
	}
	x := e.row(id)
	if x.App != "shop" || x.Outcome != store.OK || x.ResponseID != "chatcmpl-1" || x.Answer != "Hello there, friend." || x.Session != "s-1" ||
		x.Usage == nil || x.Usage.InputTokens != 7 || string(x.Request) != hello || string(x.Response) != chatAnswer ||
		x.Facts.User != store.UserHash("shop", "ann") || x.RequestModel != "m-real" || x.ResponseModel != "m-up" || x.Query != "Where is my order?" {
		j, _ := json.Marshal(x)
		t.Errorf("row %s", j)
	}
}

func TestGateway_Stream(t *testing.T) {
	pieces := []string{delta("Grüß "), delta("dich"), sseStop, sseDone}
	e := start(t, answerStream(pieces...))
	r := e.post("/v1/chat/completions", strings.Replace(hello, "{", `{"stream":true,`, 1))
	if got, want := readAll(t, r), strings.Join(pieces, ""); got != want {
		t.Fatalf("stream\n%q\nwant\n%q", got, want)
	}
	x := e.row(r.Header.Get("Heed-Exchange-Id"))
	if x.Outcome != store.OK || x.Answer != "Grüß dich" || !x.Stream || x.Finish != "stop" {
		t.Errorf("row: outcome %s, answer %q, finish %q", x.Outcome, x.Answer, x.Finish)
	}
}

func TestGateway_InjectsRules(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	ru := rule("Mention the 30-day return period.", "")
	h := e.inForce(ru)
	r := e.post("/v1/chat/completions", hello)
	readAll(t, r)
	body := string(e.up.requests()[0].body)
	if !strings.Contains(body, "30-day return period") || !strings.Contains(body, `"x_unknown":12345678901234567890,"f":1.0,"f":2.50`) {
		t.Errorf("upstream body %s", body)
	}
	if r.Header.Get("Heed-Rules") != ru.Ref() || r.Header.Get("Heed-Ruleset") != h.String() {
		t.Errorf("headers %v", r.Header)
	}
	x := e.row(r.Header.Get("Heed-Exchange-Id"))
	if len(x.Decision.Applied()) != 1 || x.Head != h {
		t.Errorf("decision %+v", x.Decision)
	}
	r = e.post("/v1/chat/completions", hello, "Heed-Rules", "off")
	readAll(t, r)
	if body := string(e.up.requests()[1].body); strings.Contains(body, "30-day") || r.Header.Get("Heed-Rules") != "" {
		t.Errorf("Heed-Rules: off, yet upstream got %s", body)
	}
}

func TestGateway_Keys(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	for _, c := range []struct {
		headers []string
		status  int
	}{
		{[]string{"Authorization", "Bearer wrong-key"}, 401},
		{[]string{"Authorization", ""}, 401},
		{[]string{"Authorization", "", "X-Api-Key", appKeyForTest}, 200},
		{[]string{"Authorization", "", "Api-Key", appKeyForTest}, 200},
		{[]string{"Authorization", "Bearer other", "Heed-Key", appKeyForTest}, 200},
		{[]string{"X-Api-Key", "another"}, 400},
	} {
		r := e.post("/v1/chat/completions", hello, c.headers...)
		body := readAll(t, r)
		if r.StatusCode != c.status {
			t.Errorf("%v: status %d, want %d: %s", c.headers, r.StatusCode, c.status, body)
		}
		if strings.Contains(body, appKeyForTest) || strings.Contains(body, providerKey) {
			t.Errorf("%v: a key in %s", c.headers, body)
		}
		if c.status != 200 && (r.Header.Get("Heed-Exchange-Id") == "" || r.Header.Get("X-Request-Id") == "") {
			t.Errorf("%v: error without ids: %v", c.headers, r.Header)
		}
	}
	for _, g := range e.up.requests() {
		for k, v := range g.header {
			if strings.Contains(strings.Join(v, ","), appKeyForTest) {
				t.Errorf("app key reached the upstream in %s", k)
			}
		}
	}
}

// TestGateway_OwnCredentials: an upstream without a key of its own gets the client's,
// never the app key; where the client sent no other one it is told what to do.
func TestGateway_OwnCredentials(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Upstreams[0].APIKey = "" })
	for _, c := range []struct {
		headers []string
		status  int
		name    string // of the header that the upstream gets
	}{
		{[]string{}, 401, ""},
		{[]string{"Authorization", "", "X-Api-Key", appKeyForTest}, 401, ""},
		{[]string{"Authorization", "", "Api-Key", appKeyForTest}, 401, ""},
		{[]string{"Authorization", "Bearer sk-callers-own", "Heed-Key", appKeyForTest}, 200, "Authorization"},
		{[]string{"Authorization", "", "X-Api-Key", "sk-callers-own", "Heed-Key", appKeyForTest}, 200, "X-Api-Key"},
		{[]string{"Authorization", "", "Api-Key", "sk-callers-own", "Heed-Key", appKeyForTest}, 200, "Api-Key"},
		{[]string{"Authorization", "", "Heed-Key", appKeyForTest}, 200, ""},
	} {
		before := len(e.up.requests())
		r := e.post("/v1/chat/completions", hello, c.headers...)
		if body := readAll(t, r); r.StatusCode != c.status || c.status == 401 && !strings.Contains(body, "Heed-Key") {
			t.Errorf("%v: %d %s, want %d", c.headers, r.StatusCode, body, c.status)
		}
		reqs := e.up.requests()[before:]
		if (len(reqs) == 1) != (c.status == 200) {
			t.Errorf("%v: %d upstream requests", c.headers, len(reqs))
		}
		for _, u := range reqs {
			for k, v := range u.header {
				if strings.Contains(strings.Join(v, ","), appKeyForTest) || strings.Contains(strings.Join(v, ","), "sk-callers-own") != (k == c.name) {
					t.Errorf("%v: upstream got %s: %v", c.headers, k, v)
				}
			}
		}
	}
}

func TestGateway_Feedback(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	r := e.post("/v1/chat/completions", hello, "Heed-User", "ann")
	readAll(t, r)
	token, id := r.Header.Get("Heed-Feedback-Token"), r.Header.Get("Heed-Exchange-Id")
	post := func(body string, headers ...string) (int, string) {
		t.Helper()
		r := e.post("/heed/feedback", body, headers...)
		return r.StatusCode, readAll(t, r)
	}
	body := `{"token":"` + token + `","rating":-1,"comment":"too long","id":"k1"}`
	status, first := post(body, "Authorization", "")
	if status != http.StatusCreated {
		t.Fatalf("status %d: %s", status, first)
	}
	if status, again := post(body, "Authorization", ""); status != 200 || again != first {
		t.Errorf("again: %d %s, want 200 %s", status, again, first)
	}
	if status, b := post(strings.Replace(body, "long", "short", 1), "Authorization", ""); status != 409 {
		t.Errorf("other body: %d %s", status, b)
	}
	for body, want := range map[string]int{
		`{"token":"` + token + `x","rating":1}`:            401,
		`{"token":"` + token + `","rating":2}`:             400,
		`{"token":"` + token + `"}`:                        400,
		`{"token":"` + token + `","rating":1,"modle":"x"}`: 400,
		`{"token":"` + token + `","comment":" \n "}`:       400,
		`{"token":"` + token + `","rating":"good"}`:        400,
		`[1]`: 400, ``: 400, `{"token":"` + token + `","rating":1}]`: 400, `{"token":"` + token + `","rating":1} {}`: 400,
		`{"exchange_id":"` + id + `","rating":1}`:                                    401,
		`{"token":"` + token + `","comment":"` + strings.Repeat("x", 4<<10+1) + `"}`: 413,
		`{"token":"` + token + `","comment":"` + strings.Repeat("x", 70<<10) + `"}`:  413,
		`not json`: 400,
	} {
		if status, b := post(body, "Authorization", ""); status != want {
			t.Errorf("%.60s: %d %s, want %d", body, status, b, want)
		} else if strings.Contains(b, "gateway.") || strings.Contains(b, "Go ") {
			t.Errorf("%.60s: %s names Go's types", body, b)
		}
	}
	if status, b := post(`{"exchange_id":"` + id + `","rating":1,"user":"bob"}`); status != 201 {
		t.Errorf("with app key: %d %s", status, b)
	}
	var got struct{ ID string }
	if err := json.Unmarshal([]byte(first), &got); err != nil {
		t.Fatal(err)
	}
	f := e.store.feedback[got.ID]
	if f.ExchangeID != id || f.App != "shop" || f.User != store.UserHash("shop", "ann") || f.Source != "widget" || *f.Rating != -1 {
		t.Errorf("stored %+v", f)
	}
	if r := e.do("DELETE", "/heed/feedback/"+got.ID, "", "Authorization", "", "Heed-Feedback-Token", token); r.StatusCode != 204 {
		t.Errorf("retract: %d", r.StatusCode)
	}
	e.store.fail(store.ErrFull)
	if r := e.post("/heed/feedback", `{"token":"`+token+`","rating":1}`); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("store down: %d %v", r.StatusCode, r.Header)
	}
	if r := e.post("/v1/chat/completions", hello); r.StatusCode != 200 {
		t.Errorf("store down: model call got %d", r.StatusCode)
	}
	e.store.fail(nil)
}

func TestGateway_Health(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	for _, p := range []string{"/heed/livez", "/heed/readyz", "/heed/widget.js"} {
		if r := e.do("GET", p, ""); r.StatusCode != 200 {
			t.Errorf("%s: %d", p, r.StatusCode)
		}
	}
}
