package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"heed/store"
)

// Telemetry sends a span of every model call, and an event of every feedback, to
// an OpenTelemetry collector over OTLP/HTTP with JSON bodies. Neither holds
// anything that people or models wrote. The zero value sends nothing; a change
// needs a restart.
type Telemetry struct {
	Endpoint string            // such as http://127.0.0.1:4318; /v1/traces and /v1/logs are added; "" is off
	Headers  map[string]Secret // sent along, such as the collector's key
	Service  string            // service.name; default heed
}

// Limits of telemetry.
const (
	maxSpans       = 4096             // waiting to be sent; what comes above it is dropped and counted
	maxEvaluations = 1024             // likewise
	spanBatch      = 256              // of one request to the collector
	spanWait       = time.Second      // how long a span waits for company
	exportTime     = 10 * time.Second // of one request to the collector
	exportTries    = 3                // on no answer and the statuses that OTLP calls retryable
	exportPause    = time.Second      // between two tries, doubled each time
	lookupTime     = 2 * time.Second  // for the store to say which trace a judged exchange belongs to
)

// telemetry is Telemetry at work: two bounded queues and one goroutine. The
// request path never touches it: spans come from rows as they are written.
type telemetry struct {
	opt    Telemetry
	traces string // URLs
	logs   string
	client *http.Client
	store  store.Store
	log    *slog.Logger
	count  *prometheus.CounterVec // what, result

	spans       chan span
	evaluations chan *store.Feedback
	closed      chan struct{} // ends run
	done        chan struct{} // run has ended
	abort       context.CancelFunc
	failing     atomic.Bool // the last request to the collector failed
}

// endpoint checks where telemetry goes; nil is nowhere.
func (t *Telemetry) endpoint() (*url.URL, error) {
	if t.Endpoint == "" {
		return nil, nil
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("telemetry.otlp_endpoint: want http(s)://host[:port][/path] without user, query and fragment; a key goes into headers")
	}
	return u, nil
}

// newTelemetry starts sending to u; it returns nil when that is nil. All methods
// work on nil.
func newTelemetry(opt Telemetry, u *url.URL, s store.Store, log *slog.Logger, count *prometheus.CounterVec) *telemetry {
	if u == nil {
		return nil
	}
	def(&opt.Service, "heed")
	ctx, cancel := context.WithCancel(context.Background())
	t := &telemetry{
		opt: opt, traces: u.JoinPath("v1/traces").String(), logs: u.JoinPath("v1/logs").String(), store: s, log: log, count: count,
		client: &http.Client{
			Timeout: exportTime,
			// The headers hold a key: it goes where it was configured to go only.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		spans: make(chan span, maxSpans), evaluations: make(chan *store.Feedback, maxEvaluations),
		closed: make(chan struct{}), done: make(chan struct{}), abort: cancel,
	}
	go t.run(ctx)
	return t
}

// span queues a row's span. It never waits.
func (t *telemetry) span(cfg *config, x *store.Exchange) {
	if t == nil {
		return
	}
	s, ok := spanOf(cfg, x)
	if !ok {
		return
	}
	select {
	case t.spans <- s:
	default:
		t.count.WithLabelValues("span", "dropped").Inc()
	}
}

// evaluation queues the event of stored feedback. It never waits.
func (t *telemetry) evaluation(f *store.Feedback) {
	if t == nil {
		return
	}
	select {
	case t.evaluations <- f:
	default:
		t.count.WithLabelValues("evaluation", "dropped").Inc()
	}
}

// close sends what waits, within ctx, and stops. Nothing may be queued any more.
func (t *telemetry) close(ctx context.Context) {
	if t == nil {
		return
	}
	close(t.closed)
	select {
	case <-t.done:
	case <-ctx.Done():
		t.abort()
		<-t.done
	}
	t.abort()
}

// run sends batches until close.
func (t *telemetry) run(ctx context.Context) {
	defer close(t.done)
	tick := time.NewTicker(spanWait)
	defer tick.Stop()
	var spans []span
	var events []event
	for closing := false; !closing; {
		select {
		case s := <-t.spans:
			spans = append(spans, s)
		case f := <-t.evaluations:
			events = append(events, t.event(ctx, f))
		case <-tick.C:
			spans, events = t.flush(ctx, spans, events)
		case <-t.closed:
			closing = true
		}
		if len(spans) >= spanBatch || len(events) >= spanBatch {
			spans, events = t.flush(ctx, spans, events)
		}
	}
	for {
		select {
		case s := <-t.spans:
			spans = append(spans, s)
		case f := <-t.evaluations:
			events = append(events, t.event(ctx, f))
		default:
			t.flush(ctx, spans, events)
			return
		}
		if len(spans)+len(events) >= spanBatch {
			spans, events = t.flush(ctx, spans, events)
		}
	}
}

// flush sends both batches and returns them empty.
func (t *telemetry) flush(ctx context.Context, spans []span, events []event) ([]span, []event) {
	if n := len(spans); n > 0 {
		t.sent("span", n, t.send(ctx, t.traces, encodeSpans(t.opt.Service, spans)))
	}
	if n := len(events); n > 0 {
		t.sent("evaluation", n, t.send(ctx, t.logs, encodeEvents(t.opt.Service, events)))
	}
	clear(spans)
	clear(events)
	return spans[:0], events[:0]
}

// sent counts a batch, and logs when the collector begins and ceases to fail.
func (t *telemetry) sent(what string, n int, err error) {
	if err != nil {
		t.count.WithLabelValues(what, "failed").Add(float64(n))
		if !t.failing.Swap(true) {
			t.log.Warn("telemetry not sent", "what", what, "count", n, "error", err)
		}
		return
	}
	t.count.WithLabelValues(what, "sent").Add(float64(n))
	if t.failing.Swap(false) {
		t.log.Info("telemetry is sent again")
	}
}

// send posts a body, and again after a pause where OTLP says that this may help
// (specification of OTLP/HTTP, "Retryable Response Codes").
func (t *telemetry) send(ctx context.Context, to string, body []byte) error {
	pause := exportPause
	for try := 1; ; try++ {
		status, err := t.post(ctx, to, body)
		if err == nil && status/100 == 2 {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("the collector answered %d", status)
		}
		retry := status == 0 || status == http.StatusTooManyRequests || status == http.StatusBadGateway ||
			status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
		if !retry || try == exportTries {
			return err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-t.closed: // the last try, at once
			try = exportTries - 1
		case <-ctx.Done():
			return err
		}
	}
}

// maxCollectorAnswer is what is read of a collector's answer, in bytes, so that its
// connection can be kept.
const maxCollectorAnswer = 64 << 10

func (t *telemetry) post(ctx context.Context, to string, body []byte) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range t.opt.Headers {
		r.Header.Set(strings.TrimSpace(name), string(value))
	}
	resp, err := t.client.Do(r)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxCollectorAnswer))
	return resp.StatusCode, resp.Body.Close()
}

// event links feedback to its exchange's span. Which trace that is part of stands
// in the row; without one yet (the answer may still be streaming) the trace is the
// exchange's own.
func (t *telemetry) event(ctx context.Context, f *store.Feedback) event {
	e := event{f: f}
	if f.ExchangeID == "" {
		return e
	}
	within, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	trace := ""
	if x, err := t.store.Exchange(within, f.App, f.ExchangeID); err == nil {
		trace, e.response = x.Trace, x.ResponseID
	}
	e.link, e.linked = linkOf(f.ExchangeID, trace)
	return e
}
