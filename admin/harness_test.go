package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
	"heed/store/sqlite"
	"heed/wire"
)

// Tokens of the tests, by role.
const (
	ownerToken    = "canary-owner-7c1f"
	approverToken = "canary-approver-7c1f"
	viewerToken   = "canary-viewer-7c1f"
)

func tokenOf(r Role) string {
	return map[Role]string{Owner: ownerToken, Approver: approverToken, Viewer: viewerToken}[r]
}

// bench is a running admin over a real store.
type bench struct {
	t     testing.TB
	store store.Store
	admin *Admin
	srv   *httptest.Server
	log   *bytes.Buffer
}

// start opens a store in a fresh folder and serves admin; change may set options.
func start(t testing.TB, change func(*Options)) *bench {
	t.Helper()
	st, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, store: st, log: &bytes.Buffer{}}
	opt := Options{
		Store: st, Version: "test", PublicGateway: "http://127.0.0.1:8080/v1",
		Log:    slog.New(slog.NewTextHandler(b.log, nil)),
		Tokens: []Token{{"olga", Owner, ownerToken}, {"anna", Approver, approverToken}, {"vera", Viewer, viewerToken}},
	}
	if change != nil {
		change(&opt)
	}
	if b.admin, err = New(opt); err != nil {
		t.Fatal(err)
	}
	b.srv = httptest.NewServer(b.admin)
	t.Cleanup(func() {
		b.admin.Close()
		b.srv.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// call sends one API call as role and decodes the answer into out; it returns the
// status and the body.
func (b *bench) call(role Role, method, path string, in, out any) (int, string) {
	b.t.Helper()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			b.t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, b.srv.URL+"/api/v1/"+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if role != public {
		req.Header.Set("Authorization", "Bearer "+tokenOf(role))
	}
	resp, err := b.srv.Client().Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(raw, out); err != nil {
			b.t.Fatalf("%s %s answered %s: %v", method, path, raw, err)
		}
	}
	return resp.StatusCode, string(raw)
}

// ok is call that must succeed.
func (b *bench) ok(role Role, method, path string, in, out any) {
	b.t.Helper()
	if status, body := b.call(role, method, path, in, out); status >= 300 {
		b.t.Fatalf("%s %s: status %d: %s", method, path, status, body)
	}
}

// refused is call that must answer status and the error's code.
func (b *bench) refused(role Role, method, path string, in any, status int, code string) string {
	b.t.Helper()
	got, body := b.call(role, method, path, in, nil)
	var e struct {
		Error struct{ Code, Message, Type string }
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		b.t.Fatalf("%s %s answered %q: %v", method, path, body, err)
	}
	if got != status || e.Error.Code != code || e.Error.Message == "" || e.Error.Type == "" {
		b.t.Fatalf("%s %s: got status %d, %s; want %d, code %q", method, path, got, body, status, code)
	}
	return e.Error.Message
}

// browser is a person's client, logged in unless role is public. It follows no
// redirect.
func (b *bench) browser(role Role) *http.Client {
	b.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if role != public {
		resp := b.post(c, "/login", url.Values{"token": {tokenOf(role)}})
		if resp.StatusCode != http.StatusSeeOther {
			b.t.Fatalf("login as %s: status %d", role, resp.StatusCode)
		}
	}
	return c
}

func (b *bench) post(c *http.Client, path string, form url.Values) *http.Response {
	b.t.Helper()
	resp, err := c.PostForm(b.srv.URL+path, form)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp
}

// page reads a page that must be there.
func (b *bench) page(c *http.Client, path string) string {
	b.t.Helper()
	resp, err := c.Get(b.srv.URL + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatalf("GET %s: status %d, %v: %s", path, resp.StatusCode, err, raw)
	}
	return string(raw)
}

// exchange logs one exchange of the app "shop".
func (b *bench) exchange(query, answer string, change func(*store.Exchange)) *store.Exchange {
	b.t.Helper()
	x := newExchange(query, answer, change)
	b.write(x)
	return x
}

func (b *bench) write(xs ...*store.Exchange) {
	b.t.Helper()
	if err := b.store.WriteExchanges(context.Background(), xs); err != nil {
		b.t.Fatal(err)
	}
}

func newExchange(query, answer string, change func(*store.Exchange)) *store.Exchange {
	now := time.Now().UTC().Truncate(time.Millisecond)
	request, _ := json.Marshal(map[string]any{"model": "support", "messages": []map[string]string{
		{"role": "system", "content": "You answer customers of a shop."}, {"role": "user", "content": query}}})
	response, _ := json.Marshal(map[string]any{"id": "chatcmpl-1", "model": "gpt-4o-mini", "choices": []map[string]any{
		{"message": map[string]string{"role": "assistant", "content": answer}, "finish_reason": "stop"}}})
	x := &store.Exchange{
		ID: store.NewID(), App: "shop", Time: now, API: wire.Chat, Method: "POST", Path: "/v1/chat/completions",
		Facts:        rules.Facts{App: "shop", Step: "st_answer00", Alias: "support", Queries: []string{query}, Unit: "unit-" + query, Now: now},
		Decision:     rules.Decision{Target: rules.TargetDecision{Upstream: "main", Model: "gpt-4o-mini", Propensity: 1}},
		RequestModel: "gpt-4o-mini", ResponseModel: "gpt-4o-mini", Status: 200, Outcome: store.OK, Finish: "stop",
		Query: query, Answer: answer, Request: request, Response: response,
		RequestBytes: int64(len(request)), ResponseBytes: int64(len(response)),
		Timing: store.Timing{Own: 180, Sent: 400, FirstByte: 210_000, First: 212_000, Done: 840_000},
	}
	if change != nil {
		change(x)
	}
	return x
}

// proposal commits an open proposal as the learner would.
func (b *bench) proposal(action, when string, examples []string, change func(*store.Proposal)) *store.Proposal {
	b.t.Helper()
	ctx := context.Background()
	r := &rules.Rule{
		ID: rules.NewID(), Version: 1, App: "shop", State: rules.Active, Action: action, Holdout: 0.1, Origin: "feedback",
		Scope:  rules.Scope{AppliesWhen: when, Examples: examples, Hard: rules.Hard{Steps: []string{"st_answer00"}}},
		Checks: check.Compile(action),
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	p := &store.Proposal{
		ID: store.NewID(), App: "shop", Version: 1, State: store.Open, Created: now, Updated: now, People: 1,
		Ops: []rules.Operation{{Kind: rules.Add, Rule: r}}, Title: r.Text(), Tokens: rules.Tokens(r),
		Evidence: []store.Evidence{{Feedback: store.NewID(), Time: now, Quote: action, When: when}},
	}
	touch, err := store.TouchOfOps(ctx, b.store, "shop", p.Ops, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	p.Touch = touch
	if change != nil {
		change(p)
	}
	if err := b.store.Commit(ctx, store.Changes{App: "shop", Proposals: []*store.Proposal{p}}); err != nil {
		b.t.Fatal(err)
	}
	return p
}

// traffic logs requests about refunds, deliveries and shoes.
func (b *bench) traffic() {
	var xs []*store.Exchange
	for i := range 30 {
		xs = append(xs, newExchange(fmt.Sprintf("how do I get a refund for order %d", 100+i), "You can return it.", nil),
			newExchange(fmt.Sprintf("when will my delivery %d arrive", 200+i), "In three days.", nil),
			newExchange(fmt.Sprintf("do these shoes come in size %d", 36+i%10), "Yes.", nil))
	}
	b.write(xs...)
}

func has(t testing.TB, page string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(page, w) {
			t.Errorf("page does not have %q:\n%s", w, clip(page, 6000))
		}
	}
}
