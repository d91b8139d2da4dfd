package gateway

import (
	"github.com/valyala/fasthttp"

	"heed/rules"
	"heed/store"
	"heed/wire"
)

// sayWhat tells the client in headers what was decided.
func (c *call) sayWhat(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	d := &c.x.Decision
	if c.log {
		var token [maxToken]byte
		h.Set("Heed-Feedback-Url", c.cfg.feedbackURL)
		h.SetBytesV("Heed-Feedback-Token", c.cfg.signer.append(token[:0], c.app.Name, c.x.ID, c.x.Facts.User, c.start))
	}
	h.Set("Heed-Ruleset", c.set.name)
	if t := d.Target; t.Upstream != "" {
		h.Set("Heed-Target", t.Upstream+"/"+shown(t.Model, maxNameBytes))
	}
	if c.given != "" && !d.Observed && !d.Resent {
		h.Set("Heed-Rules", c.given)
	}
	if c.holdout != "" {
		h.Set("Heed-Holdout", c.holdout)
	}
}

// record gives the row to the queue. What takes time is left to prepare.
func (c *call) record() {
	if c.app == nil {
		return
	}
	c.account()
	if !c.log || c.x.Method == fasthttp.MethodGet || c.x.Method == fasthttp.MethodHead {
		return
	}
	x := c.x
	if c.body != nil { // Bodies: prepare still needs it, and takes it out
		x.Request = c.body
		if len(x.Request) > store.MaxBodyBytes {
			x.Request = append([]byte(nil), x.Request[:store.MaxBodyBytes]...)
		}
	}
	if c.body != nil {
		x.RequestBytes = int64(len(c.body))
	}
	x.Response = c.relay.copy
	if c.relay.tap != nil && c.api != wire.Other {
		take(x, c.req.Format, c.body, c.relay.tap.Answer())
	}
	if size := int64(len(x.Request) + len(x.Response)); size > bareAbove && c.g.queue.Bytes()+size > c.g.crowded {
		c.bare()
	}
	if c.parsed {
		c.g.pending.put(x, c.g.sessions.remember(x.App, &c.req))
	}
	if !c.g.queue.Record(x) {
		c.g.pending.take(x)
	}
}

// account does what does not wait for the log, and is done without one: it settles
// the key's tokens, remembers where a response is stored (the next request of its
// chain may come at once), and counts what no row will count.
func (c *call) account() {
	x := c.x
	stored := c.api == wire.Responses && x.Status == fasthttp.StatusOK
	if c.api == wire.Other || (c.key.rate.tokens == 0 && !stored && c.log) {
		return
	}
	a := c.tapped().Answer()
	used := c.tokens + float64(len(a.Text)/4) // as the request was estimated
	if a.Usage != nil {
		used = float64(a.Usage.InputTokens + a.Usage.OutputTokens)
	}
	c.key.rate.settle(c.tokens, used)
	if stored {
		c.g.chains.keep(x.App, a.ID, chain{x.Facts.Unit, x.Session, x.Decision.Target.Upstream})
	}
	if !c.log {
		x.Usage, x.ResponseModel = a.Usage, a.Model
		c.g.metrics.tokens(x)
		c.g.charge(c.cfg, x)
	}
}

// bareAbove is the size of bodies, in bytes, above which they are left out of the
// row when the queue is crowded.
const bareAbove = 8 << 10

// bare takes the bodies out of the row, because the log does not keep up: better a
// row without them than none. What is read from them is read now.
func (c *call) bare() {
	x := c.x
	if c.api != wire.Other && len(x.Response) > 0 && !tapped(x) {
		take(x, c.req.Format, c.body, c.tapped().Answer())
		x.Answer = cut(x.Answer, store.MaxCopyBytes)
	}
	x.Request, x.Response = nil, nil
	def(&x.Error, "bodies left out: the log does not keep up")
	c.g.metrics.bare.Inc()
}

// maxJudged is how much of an answer's text checks and failures look at.
const maxJudged = 256 << 10

// prepare completes rows off the request path, just before they are written.
func (g *Gateway) prepare(batch []*store.Exchange) {
	cfg := g.cfg.Load()
	tap := wire.NewTap(wire.Other, false, maxJudged)
	for _, x := range batch {
		a := cfg.apps[x.App]
		l, parsed := g.pending.take(x)
		switch {
		case x.API == wire.Other || tapped(x):
		case len(x.Response) > 0:
			tap.Reset(x.API, x.Stream, maxJudged)
			_, _ = tap.Write(x.Response)
			take(x, l.format, x.Request, tap.Answer())
		case x.ResponseBytes == 0 && x.Outcome == store.OK:
			nothing(x)
		}
		if parsed {
			g.sessions.find(x, l)
		}
		if a == nil { // gone with a reload
			continue
		}
		check(x, a.set.Load().Set())
		x.Answer = cut(x.Answer, store.MaxCopyBytes)
		g.metrics.tokens(x)
		g.charge(cfg, x)
		switch a.Bodies {
		case None:
			x.Request, x.Response, x.Answer = nil, nil, ""
			x.Redact(a.Redact)
		case Redacted:
			x.Redact(a.Redact)
		}
		g.traces.span(cfg, x)
	}
}

// tapped says whether the row has been completed from a tap on the way.
func tapped(x *store.Exchange) bool { return x.ResponseID != "" || x.Finish != "" }

// take writes what a tap saw of the answer into the row. format is the response
// shape that was demanded.
func take(x *store.Exchange, format string, body []byte, a wire.Answer) {
	x.ResponseID, x.ResponseModel, x.Finish, x.Usage = a.ID, a.Model, a.Finish, a.Usage
	x.Answer = a.Text
	switch {
	case x.Outcome == store.Cancelled && a.Complete:
		x.Outcome = store.OK // the client closed after the end, as SDKs do
	case x.Outcome == store.OK && x.Stream && x.Status == fasthttp.StatusOK && !a.Complete && a.Error == "":
		x.Outcome = store.Truncated // closed cleanly, but before the API's own end
	}
	if x.Outcome != store.Cancelled {
		x.Failures = wire.Failures(&wire.Request{API: x.API, Format: format}, body, a)
	}
}

// nothing judges an answer without a byte.
func nothing(x *store.Exchange) {
	switch {
	case x.API == wire.Embeddings:
	case x.Status >= 400:
		x.Failures = []string{wire.FailUpstream}
	case x.Stream:
		x.Outcome, x.Failures = store.Truncated, []string{wire.FailTruncated}
	default:
		x.Failures = []string{wire.FailEmpty}
	}
}

// check says of every rule in scope, in both arms, whether the answer followed it.
func check(x *store.Exchange, set *rules.Set) {
	if x.Outcome != store.OK || x.Answer == "" {
		return
	}
	for _, d := range x.Decision.Rules {
		r := set.Rule(d.ID)
		if r == nil || r.Version != d.Version || len(r.Checks) == 0 {
			continue
		}
		ok := true
		for _, s := range r.Checks {
			ok = ok && s.Followed(x.Answer)
		}
		x.Checks = append(x.Checks, store.CheckResult{Rule: d.ID, Version: d.Version, Followed: ok})
	}
}
