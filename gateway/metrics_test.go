package gateway

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"heed/rules"
	"heed/store"
)

// TestGateway_Metrics: each thing that operators watch has its series, and the
// series counts it.
func TestGateway_Metrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	var e *env
	e = start(t, func(c net.Conn, r *http.Request, b []byte) bool {
		switch {
		case bytes.Contains(b, []byte("hangs")):
			_, _ = io.WriteString(c, sseHead+chunk(delta("Hel")))
			e.up.awaitClose(c)
			return false
		case bytes.Contains(b, []byte("refuses rules")) && bytes.Contains(b, []byte("learned_guidelines")):
			return answerStatus(400, "{}")(c, r, b)
		case bytes.Contains(b, []byte("limited")):
			return answerStatus(429, "{}")(c, r, b)
		}
		return answerJSON(chatAnswer)(c, r, b)
	}, func(o *Options) {
		o.Registerer = registry
		o.Prices = map[string]Price{"m-real": {Input: 1e6, Output: 1e6}}
		o.Aliases = append(o.Aliases, Alias{Name: "other", Targets: []rules.Share{{Upstream: "main", Model: "refuses rules", Weight: 1}}})
	})
	e.inForce(rule("Be brief.", ""), rule("Say the size chart's name.", "someone asks about shoe sizes", "Which shoe size do I need?"))
	ask := func(model, text string) {
		readAll(t, e.post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"`+text+`"}]}`))
	}
	ask("support", "Where is my order?")
	ask("other", "Where is my order?")
	ask("support", "limited")
	ask("support", "```\\nselect 1;\\n```") // no request of a person in it
	c := e.dialRaw(`{"model":"support","stream":true,"messages":[{"role":"user","content":"hangs"}]}`)
	e.await("the call", func() bool { return len(e.up.requests()) == 6 })
	_ = c.Close()
	<-e.up.closed
	e.await("the rows", func() bool { return e.g.Written() == 5 })
	e.store.fail(store.ErrFull)
	ask("support", "Where is it?")
	e.await("the loss", func() bool { return e.g.Dropped() == 1 })
	for _, want := range []struct {
		metric, label, value string
		is                   float64
	}{
		{"heed_requests_total", "outcome", "ok", 5},
		{"heed_requests_total", "outcome", "cancelled", 1},
		{"heed_requests_total", "status", "4xx", 1},
		{"heed_requests_total", "api", "chat", 6},
		{"heed_request_seconds", "api", "chat", 6},
		{"heed_first_chunk_seconds", "api", "chat", 6},
		{"heed_upstream_seconds", "upstream", "main", 6},
		{"heed_own_seconds", "", "", 6},
		{"heed_tokens_total", "direction", "input", 4 * 7},
		{"heed_tokens_total", "direction", "output", 4 * 3},
		{"heed_cost_usd_total", "upstream", "main", 3 * 10},
		{"heed_rules_total", "what", "injected", 5},
		{"heed_rules_total", "what", "resent", 1},
		{"heed_rules_total", "what", "abstained", 1},
		{"heed_retries_total", "reason", "without_rules", 1},
		{"heed_log_written_total", "", "", 5},
		{"heed_log_dropped_total", "", "", 1},
		{"heed_log_queue_bytes", "", "", 0},
		{"heed_in_flight", "", "", 0},
		{"heed_held_bytes", "", "", 0},
	} {
		if got := sumOf(t, registry, want.metric, want.label, want.value); got != want.is {
			t.Errorf("%s{%s=%q} = %v, want %v", want.metric, want.label, want.value, got, want.is)
		}
	}
}

// sumOf is the sum of a metric's series that have the label, of all when label is
// "": what counters and gauges say, how often histograms were observed. It is -1
// for a metric that is not there.
func sumOf(t testing.TB, g prometheus.Gatherer, metric, label, value string) float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := -1.0
	for _, f := range families {
		if f.GetName() != metric {
			continue
		}
		sum = 0
		for _, m := range f.GetMetric() {
			has := label == ""
			for _, l := range m.GetLabel() {
				has = has || l.GetName() == label && l.GetValue() == value
			}
			if has {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}
