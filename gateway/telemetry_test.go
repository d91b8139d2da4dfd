package gateway

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"heed/store"
)

// collector is an OpenTelemetry collector that keeps what it gets.
type collector struct {
	*httptest.Server
	traces, logs chan string // bodies
}

func newCollector(t *testing.T, status ...int) *collector {
	c := &collector{traces: make(chan string, 100), logs: make(chan string, 100)}
	answers := make(chan int, len(status))
	for _, s := range status {
		answers <- s
	}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Collector-Key") != "collector-canary" || r.Method != "POST" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		select {
		case s := <-answers:
			w.WriteHeader(s)
			return
		default:
		}
		switch r.URL.Path {
		case "/otlp/v1/traces":
			c.traces <- string(b)
		case "/otlp/v1/logs":
			c.logs <- string(b)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) option(o *Options) {
	o.Telemetry = Telemetry{Endpoint: c.URL + "/otlp/", Headers: map[string]Secret{"X-Collector-Key": "collector-canary"}, Service: "heed-test"}
}

// next waits for a body.
func next(t *testing.T, from chan string) string {
	t.Helper()
	select {
	case b := <-from:
		return b
	case <-time.After(20 * time.Second):
		t.Fatal("the collector got nothing")
		return ""
	}
}

// plainAttributes turns OTLP attributes into key=value lines.
func plainAttributes(a attributes) []string {
	var out []string
	for _, kv := range a {
		b, _ := json.Marshal(kv.Value)
		out = append(out, kv.Key+"="+string(b))
	}
	return out
}

const callerTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestGateway_Telemetry_SpanAndEvaluation(t *testing.T) {
	c := newCollector(t)
	e := start(t, answerJSON(chatAnswer), c.option)
	r := rule("Say thanks.", "")
	head := e.inForce(r)
	resp := e.post("/v1/chat/completions", hello, "Traceparent", callerTrace, "Heed-User", "ann-canary")
	readAll(t, resp)
	id := resp.Header.Get("Heed-Exchange-Id")

	body := next(t, c.traces)
	var got otlpTraces
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	s := got.ResourceSpans[0].ScopeSpans[0].Spans[0]
	if s.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" || s.ParentID != "00f067aa0ba902b7" || s.SpanID != strings.ReplaceAll(id, "-", "")[16:] ||
		s.Name != "chat m-real" || s.Kind != 3 || s.Status.Code != 0 || s.Start >= s.End {
		t.Errorf("got span %+v of exchange %s", s, id)
	}
	host, port, _ := net.SplitHostPort(e.up.ln.Addr().String())
	have := plainAttributes(s.Attributes)
	for _, want := range []string{
		`gen_ai.operation.name={"stringValue":"chat"}`, `gen_ai.provider.name={"stringValue":"openai"}`,
		`gen_ai.request.model={"stringValue":"m-real"}`, `gen_ai.response.model={"stringValue":"m-up"}`,
		`gen_ai.response.id={"stringValue":"chatcmpl-1"}`, `gen_ai.response.finish_reasons={"arrayValue":{"values":[{"stringValue":"stop"}]}}`,
		`gen_ai.usage.input_tokens={"intValue":"7"}`, `gen_ai.usage.output_tokens={"intValue":"3"}`,
		`server.address={"stringValue":"` + host + `"}`, `server.port={"intValue":"` + port + `"}`,
		`heed.exchange.id={"stringValue":"` + id + `"}`, `heed.target={"stringValue":"main/m-real"}`,
		`heed.ruleset={"stringValue":"` + head.String() + `"}`, `heed.rules={"arrayValue":{"values":[{"stringValue":"` + r.ID + `@1"}]}}`,
	} {
		if !slices.Contains(have, want) {
			t.Errorf("no %s in %q", want, have)
		}
	}
	noContent(t, body)

	readAll(t, e.post("/heed/feedback", `{"token":"`+resp.Header.Get("Heed-Feedback-Token")+`","rating":-1,"comment":"comment-canary"}`))
	body = next(t, c.logs)
	var logs otlpLogs
	if err := json.Unmarshal([]byte(body), &logs); err != nil {
		t.Fatal(err)
	}
	l := logs.ResourceLogs[0].ScopeLogs[0].Records[0]
	if l.Name != "gen_ai.evaluation.result" || l.TraceID != s.TraceID || l.SpanID != s.SpanID {
		t.Errorf("got event %+v, want it linked to span %s of trace %s", l, s.SpanID, s.TraceID)
	}
	have = plainAttributes(l.Attributes)
	for _, want := range []string{
		`gen_ai.evaluation.name={"stringValue":"feedback"}`, `gen_ai.evaluation.score.value={"doubleValue":-1}`,
		`gen_ai.evaluation.score.label={"stringValue":"negative"}`, `gen_ai.response.id={"stringValue":"chatcmpl-1"}`,
	} {
		if !slices.Contains(have, want) {
			t.Errorf("no %s in %q", want, have)
		}
	}
	noContent(t, body)
}

func noContent(t *testing.T, body string) {
	t.Helper()
	for _, bad := range []string{"canary", appKeyForTest, "Where is my order", "Hello there", "Say thanks", store.UserHash("shop", "ann-canary")} {
		if strings.Contains(body, bad) {
			t.Errorf("the collector got %q in %s", bad, body)
		}
	}
}

func TestGateway_Telemetry_ErrorsAndSampling(t *testing.T) {
	c := newCollector(t, 503) // and is sent again
	e := start(t, answerStatus(429, `{"error":{"message":"slow down, canary"}}`), c.option)
	readAll(t, e.post("/v1/chat/completions", hello, "Traceparent", callerTrace[:53]+"00")) // the caller does not sample
	readAll(t, e.post("/v1/files", "x"))                                                    // no model is called
	resp := e.post("/v1/chat/completions", hello)
	readAll(t, resp)
	body := next(t, c.traces)
	var got otlpTraces
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	spans := got.ResourceSpans[0].ScopeSpans[0].Spans
	id := strings.ReplaceAll(resp.Header.Get("Heed-Exchange-Id"), "-", "")
	if len(spans) != 1 || spans[0].TraceID != id || spans[0].SpanID != id[16:] || spans[0].ParentID != "" {
		t.Fatalf("got %+v, want one root span of exchange %s", spans, id)
	}
	if spans[0].Status.Code != 2 || !slices.Contains(plainAttributes(spans[0].Attributes), `error.type={"stringValue":"429"}`) {
		t.Errorf("got %+v, want an error of type 429", spans[0])
	}
	noContent(t, body)
}

// TestTelemetry_Bounded: a collector that hangs costs spans, counted, and neither
// time nor memory; the end is not held up beyond its deadline.
func TestTelemetry_Bounded(t *testing.T) {
	arrived, hang := make(chan bool, 1), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- true
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(hang)
	e := start(t, answerJSON(chatAnswer))
	opt := Telemetry{Endpoint: s.URL}
	u, err := opt.endpoint()
	if err != nil {
		t.Fatal(err)
	}
	count := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "x"}, []string{"what", "result"})
	tl := newTelemetry(opt, u, e.store, e.g.log, count)
	x := &store.Exchange{ID: store.NewID(), Time: time.Now(), API: 1, RequestModel: "m"}
	for range spanBatch {
		tl.span(e.g.cfg.Load(), x)
	}
	<-arrived // and hangs
	for range maxSpans + 100 {
		tl.span(e.g.cfg.Load(), x)
	}
	if got := counted(t, count.WithLabelValues("span", "dropped")); got != 100 {
		t.Errorf("got %v dropped, want 100", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tl.close(ctx)
	if got := counted(t, count.WithLabelValues("span", "failed")); got != maxSpans+spanBatch {
		t.Errorf("got %v failed, want %d", got, maxSpans+spanBatch)
	}
}

// TestLinkOf: what is no traceparent is as if there was none.
func TestLinkOf(t *testing.T) {
	const id = "0192f3a4-5b6c-7d8e-9f00-112233445566"
	own := link{trace: "0192f3a45b6c7d8e9f00112233445566", span: "9f00112233445566", flags: 1}
	theirs := link{"4bf92f3577b34da6a3ce929d0e0e4736", own.span, "00f067aa0ba902b7", 1}
	for trace, want := range map[string]link{
		"": own, callerTrace: theirs, callerTrace + "-more": own, "cc" + callerTrace[2:] + "-more": theirs, "ff" + callerTrace[2:]: own,
		strings.ToUpper(callerTrace):                              own,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": own,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01": own,
		callerTrace[:54]: own,
	} {
		if got, ok := linkOf(id, trace); !ok || got != want {
			t.Errorf("%q: got %+v %v, want %+v", trace, got, ok, want)
		}
	}
	if _, ok := linkOf("chatcmpl-1", ""); ok {
		t.Error("an id that is no UUID has a span")
	}
}

// counted reads a counter.
func counted(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].Metric[0].Counter.GetValue()
}
