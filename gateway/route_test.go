package gateway

import (
	"strings"
	"testing"

	"heed/rules"
)

// TestGateway_StoredResponses: a chain of stored responses, and what is asked about
// one of them, goes to the upstream that has them, whatever the shares say by now.
func TestGateway_StoredResponses(t *testing.T) {
	other := newFakeUpstream(t, answerJSON(strings.Replace(responseAnswer, "resp_1", "resp_other", 1)))
	e := start(t, answerJSON(responseAnswer), func(o *Options) {
		o.Upstreams = append(o.Upstreams, Upstream{Name: "other", BaseURL: other.url(), APIKey: "sk-other"})
		o.Aliases[0].Targets = []rules.Share{{Upstream: "main", Model: "a", Weight: 1}, {Upstream: "other", Model: "b", Weight: 1}}
		o.Aliases[0].Fallback = true
	})
	shares := func(main, other float64) {
		h := e.store.publish(&rules.Set{App: "shop", Routing: []rules.Policy{{Alias: "support", Shares: []rules.Share{
			{Upstream: "main", Model: "a", Weight: main}, {Upstream: "other", Model: "b", Weight: other}}}}})
		e.await("the policy", func() bool { return e.g.cfg.Load().apps["shop"].set.Load().Head() == h })
	}
	send := func(method, path, body, want string, headers ...string) {
		t.Helper()
		r := e.do(method, path, body, headers...)
		readAll(t, r)
		if got := r.Header.Get("Heed-Target"); r.StatusCode != 200 || got != want {
			t.Errorf("%s %s %s: %d from %s, want %s", method, path, body, r.StatusCode, got, want)
		}
	}
	shares(0, 1)
	send("POST", "/v1/responses", `{"model":"support","input":"Hi"}`, "other/b")
	shares(1, 0)
	send("POST", "/v1/responses", `{"model":"support","input":"Hi"}`, "main/a")
	send("POST", "/v1/responses", `{"model":"support","input":"And?","previous_response_id":"resp_other"}`, "other/b")
	send("POST", "/v1/responses", `{"model":"plain","input":"And?","previous_response_id":"resp_other"}`, "other/plain")
	send("GET", "/v1/responses/resp_other", "", "other/")
	send("GET", "/v1/responses/resp_other/input_items?limit=1", "", "other/")
	send("DELETE", "/v1/responses/resp_1", "", "main/")
	send("GET", "/v1/responses/resp_of_somebody", "", "main/")
	// Also without a row.
	shares(0, 1)
	other.mu.Lock()
	other.script = answerJSON(strings.Replace(responseAnswer, "resp_1", "resp_unlogged", 1))
	other.mu.Unlock()
	send("POST", "/v1/responses", `{"model":"support","input":"Hi"}`, "other/b", "Heed-Log", "off")
	send("GET", "/v1/responses/resp_unlogged", "", "other/")
	// What another app may have stored is not looked for.
	if _, ok := e.g.chains.find("default", "resp_other"); ok {
		t.Error("the chain is known to another app")
	}
}
