package gateway

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"heed/rules"
)

// resting says whether a target asked for a pause that is not over.
func (c *call) resting(t rules.Share) bool {
	return c.cfg.upstreams[t.Upstream].rest.has(t.Model, c.start)
}

// rested puts targets that asked for a pause behind the others, where there are
// others: each try of theirs may be billed, and they have said what they will answer.
func (c *call) rested() {
	if len(c.tries) < 2 || len(c.alias.RetryStatuses) == 0 {
		return
	}
	if first := c.tries[0]; c.resting(first) {
		slices.SortStableFunc(c.tries, func(a, b rules.Share) int {
			switch ra, rb := c.resting(a), c.resting(b); {
			case ra == rb:
				return 0
			case ra:
				return 1
			}
			return -1
		})
		if c.tries[0] != first {
			c.g.metrics.retries.WithLabelValues("paused").Inc()
		}
	}
}

// maxPause is the longest pause that is kept to: providers name hours for used up
// quotas, and a call now and then finds out that they are filled up again.
const maxPause = 2 * time.Minute

// pauseOf is what Retry-After-Ms or Retry-After ask for (RFC 9110, 10.2.3; seconds
// may have a fraction, as the SDKs read them), at most maxPause.
func pauseOf(h *fasthttp.ResponseHeader, now time.Time) time.Duration {
	in := func(v []byte, unit time.Duration) time.Duration {
		n, err := strconv.ParseFloat(string(bytes.TrimSpace(v)), 64)
		if err != nil || !(n > 0) {
			return 0
		}
		return time.Duration(min(n*float64(unit), float64(maxPause)))
	}
	if d := in(h.Peek("Retry-After-Ms"), time.Millisecond); d > 0 {
		return d
	}
	v := h.Peek("Retry-After")
	if at, err := http.ParseTime(string(v)); err == nil {
		return min(max(0, at.Sub(now)), maxPause)
	}
	return in(v, time.Second)
}
