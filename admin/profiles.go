package admin

import (
	"net/http"
	"net/http/pprof"
)

// profiles serves Go's profiles to owners: heap, goroutine, profile (CPU, for
// ?seconds=) and so on. What pprof calls cmdline is left out.
//
//	curl -H "Authorization: Bearer $HEED_ADMIN_TOKEN" 'http://127.0.0.1:8081/debug/pprof/profile?seconds=10' > cpu.pprof
func profiles(w http.ResponseWriter, r *http.Request) {
	switch name := r.PathValue("name"); name {
	case "profile":
		pprof.Profile(w, r)
	case "trace":
		pprof.Trace(w, r)
	default:
		pprof.Handler(name).ServeHTTP(w, r) // 404 for one that there is not
	}
}
