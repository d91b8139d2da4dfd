package admin

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
)

// protect puts the headers, the refusal of cross-origin requests, the body limit
// and the catch for panics around every handler, those of Extra included.
func (a *Admin) protect(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &Error{Status: http.StatusForbidden, Code: "cross_origin",
			Message: "requests from another origin are refused"})
	}))
	guarded := cross.Handler(next)
	headers := a.headers()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, kv := range headers {
			h.Set(kv[0], kv[1])
		}
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				a.log.Error("admin handler panicked", "path", r.URL.Path, "error", fmt.Sprint(v), "stack", string(debug.Stack()))
				writeError(w, asError(fmt.Errorf("%v", v)))
			}
		}()
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		guarded.ServeHTTP(w, r)
	})
}

// headers are sent with every answer: security.md section 7.6.
func (a *Admin) headers() [][2]string {
	ancestors := "'none'"
	if a.opt.Frames {
		ancestors = "'self'"
	}
	off := []string{"accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
		"microphone", "midi", "payment", "usb", "screen-wake-lock", "xr-spatial-tracking"}
	out := [][2]string{
		{"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
			"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors " + ancestors +
			"; object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"},
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Permissions-Policy", strings.Join(off, "=(), ") + "=()"},
		{"Cache-Control", "no-store"},
	}
	if a.opt.TLS {
		out = append(out, [2]string{"Strict-Transport-Security", "max-age=31536000"})
	}
	return out
}
