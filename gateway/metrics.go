package gateway

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"heed/store"
	"heed/wire"
)

// metrics are what the gateway counts. Every label has a small, known set of
// values: configured names, APIs, outcomes, status classes; never a model name, a
// user or a path that a client chose.
type metrics struct {
	requests  *prometheus.CounterVec   // app, api, outcome, status class
	latency   *prometheus.HistogramVec // api
	first     *prometheus.HistogramVec // api
	upstream  *prometheus.HistogramVec // upstream
	own       prometheus.Histogram
	bare      prometheus.Counter
	cost      *prometheus.CounterVec // app, upstream
	used      *prometheus.CounterVec // app, upstream, direction
	injected  *prometheus.CounterVec // app, what
	retries   *prometheus.CounterVec // reason
	feedback  *prometheus.CounterVec // result
	reloads   *prometheus.CounterVec // result
	telemetry *prometheus.CounterVec // what, result

	calls [8]*callMetrics // of each API, for the request path
}

// callMetrics saves the lookup of labels.
type callMetrics struct{ latency, first prometheus.Observer }

func newMetrics(r prometheus.Registerer, g *Gateway) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "heed_" + name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	seconds := func(name, help, label string) *prometheus.HistogramVec {
		buckets := []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "heed_" + name, Help: help, Buckets: buckets}, []string{label})
		r.MustRegister(v)
		return v
	}
	m := &metrics{
		requests: counter("requests_total", "Model calls that ended.", "app", "api", "outcome", "status"),
		latency:  seconds("request_seconds", "From a call's arrival to the end of its answer.", "api"),
		first:    seconds("first_chunk_seconds", "From a call's arrival to the first part of its answer.", "api"),
		upstream: seconds("upstream_seconds", "From a call's sending to the end of the upstream's answer.", "upstream"),
		used:     counter("tokens_total", "Tokens as upstreams reported them.", "app", "upstream", "direction"),
		cost:     counter("cost_usd_total", "US dollars by the configured prices.", "app", "upstream"),
		injected: counter("rules_total", "Requests by what was decided about rules.", "app", "what"),
		retries:  counter("retries_total", "Calls that were sent again.", "reason"),
		feedback: counter("feedback_total", "Feedback by what became of it.", "result"),
		reloads:  counter("ruleset_loads_total", "Rule sets loaded from the store.", "result"),
	}
	m.telemetry = counter("telemetry_total", "Spans and feedback events by what became of them.", "what", "result")
	m.own = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "heed_own_seconds", Help: "The gateway's own work before sending.",
		Buckets: []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .01, .1},
	})
	m.bare = prometheus.NewCounter(prometheus.CounterOpts{Name: "heed_log_bare_total", Help: "Rows without bodies, because the log does not keep up."})
	r.MustRegister(m.own, m.bare)
	gauge := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "heed_" + name, Help: help}, f))
	}
	gauge("in_flight", "Model calls in flight.", func() float64 { return float64(g.inFlight.Load()) })
	gauge("held_bytes", "Bytes of bodies held.", func() float64 { return float64(g.bytes.held.Load()) })
	gauge("log_queue_bytes", "Exchanges waiting for the log.", func() float64 { return float64(g.queue.Bytes()) })
	total := func(name, help string, f func() int64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "heed_" + name, Help: help}, func() float64 { return float64(f()) }))
	}
	total("log_written_total", "Exchanges written to the log.", g.queue.Written)
	total("log_dropped_total", "Exchanges lost to the log.", g.queue.Dropped)
	for api := range m.calls {
		name := wire.API(api).String()
		m.calls[api] = &callMetrics{m.latency.WithLabelValues(name), m.first.WithLabelValues(name)}
	}
	return m
}

// done counts a call that ended.
func (m *metrics) done(c *call) {
	x := c.x
	app := ""
	if c.app != nil {
		app = c.app.Name
	}
	api := m.calls[min(int(x.API), len(m.calls)-1)]
	m.requests.WithLabelValues(app, x.API.String(), string(x.Outcome), class(x.Status)).Inc()
	api.latency.Observe(seconds(x.Timing.Done))
	if x.Timing.First > 0 {
		api.first.Observe(seconds(x.Timing.First))
	}
	if x.Timing.Own > 0 {
		m.own.Observe(seconds(x.Timing.Own))
	}
	if x.Timing.Sent > 0 { // else nothing was
		m.upstream.WithLabelValues(x.Decision.Target.Upstream).Observe(seconds(x.Timing.Done - c.ready.Sub(c.start).Microseconds() - x.Timing.Own))
	}
	d := &x.Decision
	if d.Abstained { // rules that always apply may be there all the same
		m.injected.WithLabelValues(app, "abstained").Inc()
	}
	switch {
	case d.Observed:
		m.injected.WithLabelValues(app, "observed").Inc()
	case d.Resent:
		m.injected.WithLabelValues(app, "resent").Inc()
	case len(d.Rules) > 0 && c.block != "":
		m.injected.WithLabelValues(app, "injected").Inc()
	case len(d.Rules) > 0:
		m.injected.WithLabelValues(app, "withheld").Inc()
	}
}

// tokens counts what the upstream reported.
func (m *metrics) tokens(x *store.Exchange) {
	if x.Usage == nil {
		return
	}
	u := x.Decision.Target.Upstream
	m.used.WithLabelValues(x.App, u, "input").Add(float64(max(0, x.Usage.InputTokens)))
	m.used.WithLabelValues(x.App, u, "output").Add(float64(max(0, x.Usage.OutputTokens)))
	m.used.WithLabelValues(x.App, u, "cached").Add(float64(max(0, x.Usage.CachedTokens)))
}

func seconds(us int64) float64 { return (time.Duration(us) * time.Microsecond).Seconds() }

func class(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}
