package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"heed/configs"
)

// startMetrics shows the metrics of a process without admin, where the
// configuration asks for it. As on admin's listener they take one of its tokens.
func (s *stack) startMetrics(registry *prometheus.Registry, roles role) error {
	key, addr := "gateway.metrics_listen", s.conf.Gateway.Metrics
	if roles&gatewayRole == 0 {
		key, addr = "learner.metrics_listen", s.conf.Learner.Metrics
	}
	if addr == "" {
		return nil
	}
	tokens, _, err := adminTokens(s.conf)
	if err != nil {
		return err
	}
	ln, err := listen(key, addr)
	if err != nil {
		return err
	}
	s.metricsURL = "http://" + ln.Addr().String() + "/metrics"
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", withToken(tokens, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
	return s.serveHTTP(ln, mux)
}

// withToken serves h to who shows one of the tokens.
func withToken(tokens []configs.AdminToken, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum := sha256.Sum256([]byte(given)) // of one length, so that comparing takes as long for any
		known := 0
		for _, t := range tokens {
			want := sha256.Sum256([]byte(t.Token.Reveal()))
			known |= subtle.ConstantTimeCompare(sum[:], want[:])
		}
		if known == 0 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "an admin token is required", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}
