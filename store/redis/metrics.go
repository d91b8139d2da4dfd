package redis

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// metrics are what the store counts. The label call is one of the constant names
// given to call.
type metrics struct {
	registerer prometheus.Registerer // nil registers nothing
	all        []prometheus.Collector

	calls     *prometheus.HistogramVec // call, result
	journaled prometheus.Counter
	fallbacks prometheus.Counter
	unindexed prometheus.Counter
}

func newMetrics(s *Store) *metrics {
	m := &metrics{registerer: s.opt.Registerer}
	start := time.Now()
	m.calls = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "heed_redis_call_seconds", Help: "Calls of the server, by what they do and how they ended (ok, error, none).",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
	}, []string{"call", "result"})
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "heed_redis_" + name, Help: help})
		m.all = append(m.all, c)
		return c
	}
	gauge := func(name, help string, f func() float64) {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "heed_redis_" + name, Help: help}, f))
	}
	m.all = append(m.all, m.calls)
	m.journaled = counter("journaled_total", "Feedback that was acknowledged by the journal alone.")
	m.fallbacks = counter("local_rules_total", "Reads of what is in force that were served from the local copy.")
	m.unindexed = counter("unindexed_total", "Exchanges that left the stream before the index had read them.")
	gauge("stale_seconds", "Since the server answered last: how old the rules in force may be.", func() float64 {
		return s.health.since(time.Now(), start).Seconds()
	})
	gauge("undelivered", "Feedback and retractions in the journal that the server does not have.", func() float64 {
		_, n := s.out.oldest()
		return float64(n)
	})
	gauge("undelivered_seconds", "Age of the oldest of these.", func() float64 {
		t, n := s.out.oldest()
		if n == 0 || t.IsZero() {
			return 0
		}
		return max(0, time.Since(t).Seconds())
	})
	gauge("journal_damaged_bytes", "Bytes of the journal that were set aside at the start.", func() float64 { return float64(s.journal.damaged.Load()) })
	if m.registerer != nil {
		m.registerer.MustRegister(m.all...)
	}
	return m
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.all {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) call(what string, start time.Time, err error) {
	result := "ok"
	if err != nil && !errors.Is(err, redis.Nil) {
		result = "none"
		if isReply(err) {
			result = "error"
		}
	}
	m.calls.WithLabelValues(what, result).Observe(time.Since(start).Seconds())
}
