package sqlite

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// BenchmarkWriteExchanges writes batches of 256 exchanges of 3.5 KB: the log's
// price, which decides the gateway's.
func BenchmarkWriteExchanges(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		b.StopTimer()
		xs := make([]*store.Exchange, 256)
		for i := range xs {
			xs[i] = benchExchange(n)
			n++
		}
		b.StartTimer()
		if err := s.WriteExchanges(b.Context(), xs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/exchange")
}

// benchPrompt is the part of the system prompt that repeats, 2 KB.
var benchPrompt = sync.OnceValue(func() string {
	var b strings.Builder
	for i := range 24 {
		fmt.Fprintf(&b, "Policy %d: parcels to zone %d are handed over within %d days, refunds take %d. ", i, i%5, i+2, i+9)
	}
	return b.String()
})

// benchExchange is an exchange of a support bot: 3.5 KB, of which the system
// prompt is the same everywhere.
func benchExchange(n int) *store.Exchange {
	prompt := benchPrompt()
	ask := fmt.Sprintf("Order %d%d of customer %x has not come, the tracking says depot %d. What now?", n, n%97, n*2654435761, n%41)
	answer := fmt.Sprintf("I am sorry that order %d is late. It left depot %d on day %d and should be with you in %d days.", n, n%41, n%29, n%5)
	at := time.UnixMilli(1_770_000_000_000 + int64(n)*20)
	return &store.Exchange{
		ID: store.NewID(), App: "shop", Time: at, Session: fmt.Sprint("s", n/4), Agent: "support-bot", API: 1, Method: "POST", Path: "/v1/chat/completions",
		Facts: rules.Facts{App: "shop", Step: "5f3a9c1b2d4e6f70", Alias: "support", User: fmt.Sprintf("%032x", n/4), Unit: fmt.Sprintf("%016x", n/4*7919), Now: at, Queries: []string{ask}},
		Head:  rules.Head{Epoch: 12, Hash: "0123456789abcdef0123456789abcdef"},
		Decision: rules.Decision{
			Rules:  []rules.RuleDecision{{ID: "r_abcdefghijklmnopqrstuvwxyz", Version: 2, Score: 0.93, Propensity: 0.9}},
			Target: rules.TargetDecision{Upstream: "main", Model: "gpt-4o-mini", Propensity: 0.5},
		},
		Checks: []store.CheckResult{{Rule: "r_abcdefghijklmnopqrstuvwxyz", Version: 2, Followed: n%9 != 0}}, RequestModel: "gpt-4o-mini",
		ResponseModel: "gpt-4o-mini-2024-07-18", ResponseID: fmt.Sprintf("chatcmpl-%x", n*2654435761), Status: 200, Outcome: store.OK, Finish: "stop",
		Timing: store.Timing{Sent: 300, FirstByte: 150_000, First: 180_000, Done: 900_000, Own: 40}, Query: ask, Answer: answer,
		RequestBytes: 3000, ResponseBytes: 500,
		Request: fmt.Appendf(nil, `{"model":"support","messages":[{"role":"system","content":"You are the support bot of a shop. %s"},{"role":"user","content":"%s"}],"temperature":0.2}`, prompt, ask),
		Response: fmt.Appendf(nil, `{"id":"chatcmpl-%x","object":"chat.completion","created":%d,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"%s","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":713,"completion_tokens":61,"total_tokens":774}}`,
			n*2654435761, at.Unix(), answer),
	}
}
