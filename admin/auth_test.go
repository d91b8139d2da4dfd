package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// everyHeader is what security.md section 7.6 asks of every answer.
var everyHeader = []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
	"Cross-Origin-Resource-Policy", "Permissions-Policy", "Cache-Control"}

// least says for every route who may use it. A route that is missing here, or here
// but not served, fails the test.
var least = map[string]Role{
	"GET /api/v1/exchanges": Viewer, "GET /api/v1/exchanges/{id}": Viewer, "GET /api/v1/why/{id}": Viewer,
	"GET /api/v1/feedback": Viewer, "GET /api/v1/feedback/{id}": Viewer, "POST /api/v1/feedback/{id}/retract": Approver, "POST /api/v1/feedback/{id}/try-again": Approver,
	"GET /api/v1/findings": Viewer, "GET /api/v1/findings/{id}": Viewer,
	"POST /api/v1/findings/{id}/resolve": Approver, "POST /api/v1/findings/{id}/propose": Approver,
	"GET /api/v1/replay":                Viewer,
	"POST /api/v1/proposals/{id}/merge": Approver, "POST /proposals/{id}/merge": Approver,
	"POST /api/v1/proposals/{id}/unmerge": Approver, "POST /proposals/{id}/unmerge": Approver,
	"POST /api/v1/findings/{id}/reopen": Approver, "POST /api/v1/findings/{id}/assign": Approver,
	"GET /api/v1/proposals": Viewer, "GET /api/v1/proposals/{id}": Viewer, "POST /api/v1/proposals/{id}": Approver,
	"PATCH /api/v1/proposals/{id}": Approver, "POST /api/v1/proposals/{id}/approve": Approver,
	"POST /api/v1/proposals/{id}/reject": Approver, "POST /api/v1/proposals/{id}/snooze": Approver,
	"POST /api/v1/proposals/{id}/ticks": Approver, "POST /api/v1/proposals/{id}/compare": Approver,
	"GET /api/v1/rules": Viewer, "GET /api/v1/rules/{id}": Viewer, "GET /api/v1/rules/{id}/effect": Viewer, "POST /api/v1/rules": Approver, "PATCH /api/v1/rules/{id}": Approver,
	"POST /api/v1/rules/{id}/retire": Approver, "POST /api/v1/rules/{id}/pause": Approver, "POST /api/v1/rules/{id}/resume": Approver,
	"GET /api/v1/routing": Viewer, "POST /api/v1/routing": Owner,
	"GET /api/v1/rulesets": Viewer, "GET /api/v1/rulesets/{hash}": Viewer, "POST /api/v1/rulesets/{hash}/activate": Owner,
	"GET /api/v1/audit": Viewer, "GET /api/v1/audit/verify": Viewer, "GET /api/v1/stats": Viewer, "GET /api/v1/apps": Viewer,
	"POST /api/v1/backup": Owner, "POST /api/v1/erase": Owner,
	"/api/": public, "GET /login": public, "POST /login": public, "POST /logout": public,
	"GET /{$}": Viewer, "GET /inbox": Viewer, "GET /proposals/{id}": Viewer,
	"POST /proposals/{id}/approve": Approver, "POST /proposals/{id}/reject": Approver, "POST /proposals/{id}/snooze": Approver,
	"POST /proposals/{id}/edit": Approver, "POST /proposals/{id}/tick": Approver, "POST /proposals/{id}/compare": Approver,
	"GET /findings": Viewer, "POST /findings/{id}/resolve": Approver, "POST /findings/{id}/propose": Approver,
	"POST /findings/{id}/reopen": Approver, "POST /findings/{id}/assign": Approver,
	"GET /rules": Viewer, "POST /rules": Approver, "GET /rules/{id}": Viewer, "POST /rules/{id}/{action}": Approver,
	"GET /rulesets": Viewer, "GET /rulesets/{hash}": Viewer, "POST /rulesets/{hash}/activate": Owner,
	"GET /exchanges": Viewer, "GET /exchanges/{id}": Viewer, "GET /exchanges/{id}/{part}": Viewer, "GET /feedback": Viewer, "POST /feedback/{id}/retract": Approver, "POST /feedback/{id}/try-again": Approver,
	"GET /routing": Viewer, "GET /costs": Viewer, "GET /audit": Viewer, "GET /live": Viewer, "GET /assets/{file}": public, "/": public, "GET /metrics": Viewer,
	"GET /debug/pprof/{name}": Owner,
}

// Every route refuses whoever has too small a role, lets the others through, and
// sends every header with every answer.
func TestRoutes_RolesAndHeaders(t *testing.T) {
	b := start(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
	})
	routes := b.admin.routes()
	if len(routes) != len(least) {
		t.Errorf("%d routes are served, %d are in the table", len(routes), len(least))
	}
	people := map[Role]*http.Client{}
	for _, role := range []Role{public, Viewer, Approver, Owner} {
		people[role] = b.browser(role)
	}
	for _, rt := range routes {
		want, ok := least[rt.pattern]
		if !ok || want != rt.least {
			t.Errorf("route %q is for %q, the table says %q", rt.pattern, rt.least, want)
		}
		for role, c := range people {
			b.tryRoute(rt, role, c)
		}
	}
}

// tryRoute sends a request without content as role and looks at who is let in:
// whoever is may be told that nothing is there, never that he may not.
func (b *bench) tryRoute(rt route, role Role, c *http.Client) {
	b.t.Helper()
	if rt.pattern == "POST /logout" || rt.pattern == "GET /live" {
		return // the one ends the session, the other the test's patience: own tests
	}
	method, path, ok := strings.Cut(rt.pattern, " ")
	if !ok {
		method, path = "GET", rt.pattern+"nothing-here"
	}
	path = strings.NewReplacer("{id}", "none", "{hash}", "none", "{action}", "pause", "{file}", "heed.css", "{part}", "request", "{$}", "").Replace(path)
	req, err := http.NewRequest(method, b.srv.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	token := rt.api != nil || rt.plain != nil
	if token && role != public {
		req.Header.Set("Authorization", "Bearer "+tokenOf(role))
	}
	if token {
		c = &http.Client{}
	}
	if method == "POST" && rt.page != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, h := range everyHeader {
		if resp.Header.Get(h) == "" {
			b.t.Errorf("%s %s as %q: no header %s", method, path, role, h)
		}
	}
	b.judge(rt, role, resp)
}

func (b *bench) judge(rt route, role Role, resp *http.Response) {
	b.t.Helper()
	let := role.May(rt.least)
	toLogin := strings.HasPrefix(resp.Header.Get("Location"), "/login")
	switch status := resp.StatusCode; {
	case let && (status == http.StatusUnauthorized && rt.pattern != "POST /login" || status == http.StatusForbidden || status >= 500 && status != http.StatusNotImplemented || toLogin):
		b.t.Errorf("%s as %q: status %d, but it is for %q", rt.pattern, role, status, rt.least)
	case let:
	case rt.page != nil && role == public && !toLogin:
		b.t.Errorf("%s without login: status %d, want the login page", rt.pattern, status)
	case rt.page == nil && role == public && status != http.StatusUnauthorized:
		b.t.Errorf("%s without token: status %d, want 401", rt.pattern, status)
	case rt.page == nil && role != public && status != http.StatusForbidden:
		b.t.Errorf("%s as %q: status %d, want 403", rt.pattern, role, status)
	case rt.page != nil && role != public && status != http.StatusForbidden && status != http.StatusSeeOther:
		b.t.Errorf("%s as %q: status %d, want a refusal", rt.pattern, role, status)
	}
}

// A viewer's form changes nothing, however it is sent.
func TestPages_ViewerChangesNothing(t *testing.T) {
	b := start(t, nil)
	p := b.proposal("Say hello.", "always", nil, nil)
	b.post(b.browser(Viewer), "/proposals/"+p.ID+"/approve", url.Values{"digest": {p.Digest()}})
	b.post(b.browser(public), "/proposals/"+p.ID+"/reject", nil)
	var got proposalView
	b.ok(Viewer, "GET", "proposals/"+p.ID, nil, &got)
	if got.State != "open" {
		t.Errorf("the proposal is %s", got.State)
	}
}

// A page of another origin cannot act with the cookie of a person who is logged in.
func TestProtect_CrossOrigin(t *testing.T) {
	b := start(t, nil)
	p := b.proposal("Say hello.", "somebody says hello", nil, nil)
	c := b.browser(Owner)
	for _, h := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}},
	} {
		req, _ := http.NewRequest("POST", b.srv.URL+"/proposals/"+p.ID+"/approve", strings.NewReader("digest="+p.Digest()))
		req.Header = h
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%v: status %d, want 403", h, resp.StatusCode)
		}
	}
}

// Ten failures close the login for the address, also for the right token.
func TestSignIn_Limit(t *testing.T) {
	b := start(t, nil)
	c := b.browser(public)
	for i := range 10 {
		if resp := b.post(c, "/login", url.Values{"token": {"wrong"}}); resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("try %d: status %d", i, resp.StatusCode)
		}
	}
	if resp := b.post(c, "/login", url.Values{"token": {ownerToken}}); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("status %d, want 429", resp.StatusCode)
	}
}

func TestLogin_Cookie(t *testing.T) {
	for _, tls := range []bool{false, true} {
		b := start(t, func(o *Options) { o.TLS = tls })
		resp := b.post(&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
			"/login", url.Values{"token": {ownerToken}, "next": {"//evil.example"}})
		if got := resp.Header.Get("Location"); got != "/inbox" {
			t.Errorf("next to another host leads to %q", got)
		}
		cookie := resp.Cookies()[0]
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure != tls || cookie.Path != "/" || cookie.Domain != "" ||
			strings.HasPrefix(cookie.Name, "__Host-") != tls || strings.Contains(cookie.Value, ownerToken) {
			t.Errorf("tls %v: cookie %v", tls, cookie)
		}
		if got := resp.Header.Get("Strict-Transport-Security") != ""; got != tls {
			t.Errorf("tls %v: Strict-Transport-Security %v", tls, got)
		}
	}
}

// Logging out ends the session on the server, not only in the browser.
func TestLogout_EndsSession(t *testing.T) {
	b := start(t, nil)
	c := b.browser(Owner)
	u, _ := url.Parse(b.srv.URL)
	kept := c.Jar.Cookies(u)
	b.post(c, "/logout", nil)
	c.Jar.SetCookies(u, kept)
	resp, err := c.Get(b.srv.URL + "/inbox")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		t.Errorf("status %d with the cookie of a session that ended", resp.StatusCode)
	}
}

func TestSessions_Bounds(t *testing.T) {
	var s sessions
	now := time.Unix(1e9, 0)
	first := s.add(person{"a", Owner}, now)
	if s.get(first, now.Add(sessionIdle+time.Second)) != nil {
		t.Error("an idle session is still good")
	}
	first = s.add(person{"a", Owner}, now)
	for i := range maxSessions {
		s.add(person{"b", Owner}, now.Add(time.Duration(i+1)*time.Second))
	}
	if len(s.all) != maxSessions {
		t.Errorf("%d sessions, want %d", len(s.all), maxSessions)
	}
	if s.get(first, now) != nil {
		t.Error("the oldest session is still there")
	}
}

// No secret stands in a page, an answer, a log line or a printed option.
func TestSecrets_Nowhere(t *testing.T) {
	b := start(t, nil)
	var all strings.Builder
	c := b.browser(Owner)
	for _, path := range b.allPages() {
		all.WriteString(b.page(c, path))
	}
	for _, path := range []string{"audit", "stats", "nothing", "exchanges?limit=x"} {
		_, body := b.call(Owner, "GET", path, nil, nil)
		all.WriteString(body)
	}
	b.post(c, "/login", url.Values{"token": {"canary-wrong-7c1f"}})
	token := Token{"olga", Owner, ownerToken}
	raw, _ := json.Marshal(token)
	all.WriteString(fmt.Sprintf("%v %+v %#v %s", token, token, token, raw))
	slog.New(slog.NewJSONHandler(&all, nil)).Info("token", "token", token)
	all.WriteString(b.log.String())
	if strings.Contains(all.String(), "canary-") {
		t.Errorf("a token shows: %s", around(all.String(), "canary-"))
	}
}

func around(s, what string) string {
	i := strings.Index(s, what)
	return s[max(0, i-80):min(len(s), i+80)]
}

func TestNew_ReportsEveryMistake(t *testing.T) {
	_, err := New(Options{Tokens: []Token{{"", Owner, "long-enough"}, {"b", "king", "also-long-enough"}, {"c", Viewer, "short"}}})
	for _, want := range []string{"no store", "token 1 has no name", `role "king"`, `"c" is shorter`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if bytes.Contains([]byte(fmt.Sprint(err)), []byte("also-long")) {
		t.Error("the error shows a token")
	}
}
