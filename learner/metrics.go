package learner

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the learner. The label outcome is a Kind, or retracted, waiting,
// unlinked.
type metrics struct {
	handled   *prometheus.CounterVec
	seconds   prometheus.Histogram
	putAside  prometheus.Counter
	errors    prometheus.Counter
	refreshes prometheus.Counter
	approved  prometheus.Counter
	paused    prometheus.Counter
	settling  prometheus.Gauge
	led       prometheus.Gauge

	modelFailures, modelRefused prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		handled:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "heed_learner_feedback_total", Help: "Feedback records looked at, by what became of them."}, []string{"outcome"}),
		seconds:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "heed_learner_feedback_seconds", Help: "Seconds from feedback to what the learner made of it.", Buckets: []float64{.01, .05, .1, .25, .5, 1, 2, 5, 15, 60, 300, 900}}),
		putAside:  prometheus.NewCounter(prometheus.CounterOpts{Name: "heed_learner_put_aside_total", Help: "Feedback records given up after repeated errors."}),
		errors:    prometheus.NewCounter(prometheus.CounterOpts{Name: "heed_learner_store_errors_total", Help: "Times that the store did not answer the learner."}),
		refreshes: prometheus.NewCounter(prometheus.CounterOpts{Name: "heed_learner_refreshes_total", Help: "Published refreshes of word statistics."}),
		approved:  prometheus.NewCounter(prometheus.CounterOpts{Name: "heed_learner_auto_approved_total", Help: "Proposals approved by the app's policy."}),
		paused:    prometheus.NewCounter(prometheus.CounterOpts{Name: "heed_learner_paused_total", Help: "Rules paused because they harm."}),
		settling:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "heed_learner_apps_settling", Help: "Apps whose newest rules and proposals the word statistics do not know yet."}),

		led: prometheus.NewGauge(prometheus.GaugeOpts{Name: "heed_learner_apps_led", Help: "Apps that this learner leads; of all learners of a store together, every app once."}),

		modelFailures: prometheus.NewCounter(prometheus.CounterOpts{Name: "heed_learner_model_failures_total", Help: "Questions to the model without a usable answer."}),
		modelRefused:  prometheus.NewCounter(prometheus.CounterOpts{Name: "heed_learner_drafts_refused_total", Help: "Drafts of the model that did not pass."}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.handled, m.seconds, m.putAside, m.errors, m.refreshes, m.approved, m.paused, m.settling, m.led, m.modelFailures, m.modelRefused} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register learner metrics: %w", err)
		}
	}
	return m, nil
}
