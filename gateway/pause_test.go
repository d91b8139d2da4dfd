package gateway

import (
	"net/http"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"heed/rules"
)

// TestGateway_RetryAfter: a target that answered a listed status and asked for a
// pause is not tried again before it is over, as long as another one is there.
func TestGateway_RetryAfter(t *testing.T) {
	limited := func(pause ...string) upstreamScript {
		return answerStatus(429, `{"error":{"message":"slow"}}`, pause...)
	}
	for name, c := range map[string]struct {
		first, second upstreamScript
		status        int
		calls         [2]int // of three requests
	}{
		"asks for a pause":      {limited("Retry-After: 60"), answerJSON(chatAnswer), 200, [2]int{1, 3}},
		"in milliseconds":       {limited("Retry-After-Ms: 60000"), answerJSON(chatAnswer), 200, [2]int{1, 3}},
		"asks for none":         {limited(), answerJSON(chatAnswer), 200, [2]int{3, 3}},
		"all ask for a pause":   {limited("Retry-After: 60"), limited("Retry-After: 60"), 429, [2]int{3, 1}},
		"only the other does":   {answerJSON(chatAnswer), limited("Retry-After: 60"), 200, [2]int{3, 0}},
		"another status's word": {answerStatus(400, "{}", "Retry-After: 60"), answerJSON(chatAnswer), 400, [2]int{3, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			first := newFakeUpstream(t, c.first)
			e := start(t, c.second, func(o *Options) {
				o.Upstreams = append(o.Upstreams, Upstream{Name: "first", BaseURL: first.url(), APIKey: "sk-first"})
				o.Aliases[0].Targets = []rules.Share{{Upstream: "first", Model: "a", Weight: 1}, {Upstream: "main", Model: "b", Weight: 0}}
				o.Aliases[0].RetryStatuses = []int{429}
			})
			for range 3 {
				r := e.post("/v1/chat/completions", hello)
				if body := readAll(t, r); r.StatusCode != c.status || (c.status >= 400) != (r.Header.Get("Retry-After") == "60") {
					t.Errorf("%d %v %s, want %d", r.StatusCode, r.Header, body, c.status)
				}
			}
			if got := [2]int{len(first.requests()), len(e.up.requests())}; got != c.calls {
				t.Errorf("calls of the targets: %v, want %v", got, c.calls)
			}
		})
	}
}

func TestPauseOf(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after, ms string
		want      time.Duration
	}{
		{"", "", 0}, {"7", "", 7 * time.Second}, {" 1.5 ", "", 1500 * time.Millisecond}, {"7", "250", 250 * time.Millisecond},
		{"7", "x", 7 * time.Second}, {"-1", "", 0}, {"NaN", "", 0}, {"1e300", "", maxPause}, {"86400", "", maxPause}, {"soon", "", 0},
		{now.Add(30 * time.Second).Format(http.TimeFormat), "", 30 * time.Second}, {now.Add(-time.Hour).Format(http.TimeFormat), "", 0},
		{now.Add(time.Hour).Format(http.TimeFormat), "", maxPause},
	} {
		var h fasthttp.ResponseHeader
		for name, v := range map[string]string{"Retry-After": c.after, "Retry-After-Ms": c.ms} {
			if v != "" {
				h.Set(name, v)
			}
		}
		if got := pauseOf(&h, now); got != c.want {
			t.Errorf("Retry-After %q, -Ms %q: %v, want %v", c.after, c.ms, got, c.want)
		}
	}
}
