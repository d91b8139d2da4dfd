package gateway

import (
	"io"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"heed/rules"
	"heed/store"
	"heed/wire"
)

// call is one client request on its way: read, decided about, sent, relayed. One
// goroutine works on it, first in the handler, then as the body of the response
// that fasthttp writes. It is pooled; what outlives it (the row) is its own.
type call struct {
	g     *Gateway
	cfg   *config
	key   *appKey
	app   *app
	conn  *clientConn
	at    carrier
	set   *inForce // the one rule set that this call sees
	start time.Time
	ready time.Time // the request was read
	api   wire.API
	rel   string // path below /v1
	query string
	named string // Azure's deployment in the path
	head  bool   // method HEAD

	body    []byte // the client's, read whole; nil when it is streamed
	client  bodyReader
	upload  io.Reader
	size    int // of upload, -1 unknown
	held    int64
	req     wire.Request
	parsed  bool
	turns   []string
	buf     rules.Buffer
	given   string // the rules for this unit, and those withheld, as the headers have them
	holdout string
	block   string
	tokens  float64 // estimated of this call

	alias  *alias
	stored string // upstream that has the response which this one goes on from; "" is any
	tries  []rules.Share

	x      *store.Exchange
	log    bool
	counts bool // in flight

	lease  lease
	resp   *fasthttp.Response
	end    time.Time // of the whole call
	idle   time.Duration
	relay  relay
	closed bool
}

var callPool = sync.Pool{New: func() any { return new(call) }}

// serve handles one model call.
func (g *Gateway) serve(ctx *fasthttp.RequestCtx, cfg *config, path, rel, query string) {
	c := callPool.Get().(*call)
	c.reset(g, cfg, ctx, path, rel, query)
	done := false
	defer func() {
		if !done { // a panic: handle's recover answers
			c.finish(store.UpstreamError)
		}
	}()
	e := c.admit(ctx)
	if e == nil {
		e = c.read(ctx)
	}
	if e == nil {
		c.ready = time.Now()
		e = c.decide(ctx)
	}
	if e == nil {
		e = c.send(ctx)
	}
	if e != nil {
		c.refuse(ctx, e)
	} else {
		c.answer(ctx)
	}
	done = true
}

func (c *call) reset(g *Gateway, cfg *config, ctx *fasthttp.RequestCtx, path, rel, query string) {
	turns, tries := c.turns[:0], c.tries[:0]
	*c = call{g: g, cfg: cfg, req: c.req, buf: c.buf, turns: turns, tries: tries}
	c.start = time.Now()
	c.rel, c.query = rel, query
	c.api, c.named = wire.APIOf(path)
	c.conn, _ = ctx.Conn().(*clientConn)
	c.buf.Memo = g.memo
	method := string(ctx.Method())
	c.head = method == fasthttp.MethodHead
	if method != fasthttp.MethodPost {
		c.api = wire.Other
	}
	c.x = &store.Exchange{
		ID: store.NewID(), Time: c.start.UTC(), API: c.api, Method: method, Path: path,
	}
	c.start = c.x.Time
}

// admit finds the app and holds it to its limits.
func (c *call) admit(ctx *fasthttp.RequestCtx) *Error {
	h := &ctx.Request.Header
	rh := &ctx.Response.Header
	rh.Set("Heed-Exchange-Id", c.x.ID)
	key, at, e := c.g.app(c.cfg, h)
	if e != nil {
		c.g.allow(ctx, c.cfg, nil)
		return e
	}
	c.key, c.app, c.at = key, key.app, at
	c.x.App = c.app.Name
	c.set = c.app.set.Load()
	c.x.Head = c.set.Head()
	c.g.allow(ctx, c.cfg, c.app)
	c.log = string(h.Peek("Heed-Log")) != "off"
	c.g.hear(c, h.Peek("Heed-Feedback"), short(h, "Heed-User", maxNameBytes)) // on an earlier answer, whose row there is
	if n := c.g.inFlight.Add(1); n > int64(c.g.opt.Limits.InFlight) {
		c.g.inFlight.Add(-1)
		return &Error{Status: fasthttp.StatusServiceUnavailable, Code: codeOverloaded, Retry: time.Second,
			Message: "this gateway has as many calls in flight as it takes; try again shortly"}
	}
	n := c.app.inFlight.Add(1)
	c.counts = true
	if c.app.InFlight > 0 && n > int64(c.app.InFlight) {
		return &Error{Status: fasthttp.StatusTooManyRequests, Code: codeRate, Retry: time.Second,
			Message: "this app has as many calls in flight as it may; try again when one has ended"}
	}
	return nil
}

// charge holds the key to its rates, once the size of the request is known.
func (c *call) charge() *Error {
	c.tokens = float64(len(c.body) / 4)
	if wait := c.key.rate.take(c.start, c.tokens); wait > 0 {
		c.tokens = 0
		return &Error{Status: fasthttp.StatusTooManyRequests, Code: codeRate, Retry: wait,
			Message: "this key has used up its rate; try again after Retry-After"}
	}
	return nil
}

// hold reserves n bytes for this call until it ends.
func (c *call) hold(n int64) bool {
	if !c.g.bytes.take(n) {
		return false
	}
	c.held += n
	return true
}

// parse reads the few fields that Heed looks at. What is not a request of its API
// is passed on as it is: the upstream will say what it thinks of it.
func (c *call) parse() *Error {
	if e := c.charge(); e != nil {
		return e
	}
	if c.api == wire.Other || c.body == nil {
		return c.mayUse()
	}
	c.parsed = c.req.Parse(c.api, c.body) == nil
	c.x.PreviousID = c.req.PreviousID
	c.x.Stream = c.req.Stream
	return c.mayUse()
}

// aliasName is the model name the client asked for.
func (c *call) aliasName() string {
	switch {
	case c.named != "":
		return c.named
	case c.parsed:
		return c.req.Model
	}
	return ""
}

// decide takes, from one rule set, the target, the rules and the block.
func (c *call) decide(ctx *fasthttp.RequestCtx) *Error {
	if c.parsed {
		c.readFacts(&ctx.Request.Header)
	} else {
		c.x.Facts = rules.Facts{App: c.app.Name, Now: c.start, Alias: c.named, Unit: digest("exchange", c.app.Name, c.x.ID)}
	}
	d := &c.x.Decision
	if c.parsed && c.api != wire.Embeddings {
		*d = c.set.Decide(&c.x.Facts, &c.buf)
		d.Observed = c.app.Rules == Observe
		c.given, c.holdout = c.set.names(d.Rules)
		c.block = c.set.block(c.given, d)
	}
	if e := c.route(); e != nil {
		return e
	}
	return nil
}

// refuse answers with the gateway's own error and logs it.
func (c *call) refuse(ctx *fasthttp.RequestCtx, e *Error) {
	ctx.Response.Header.Set("X-Request-Id", c.x.ID)
	respond(ctx, c.api, e)
	outcome := store.UpstreamError
	switch e.Code {
	case codeTimeout:
		outcome = store.Timeout
	case codeBroken:
		outcome = store.Truncated
	case codeUnreachable, codeFailed:
	default:
		outcome = store.Refused
	}
	if c.app != nil && c.parsed {
		c.sayWhat(ctx)
	}
	c.x.Status, c.x.Error = e.Status, e.Code
	if outcome != store.Refused && e.cause != nil {
		c.g.log.Warn("upstream call failed", "exchange", c.x.ID, "app", c.x.App, "upstream", c.x.Decision.Target.Upstream, "code", e.Code, "error", e.cause)
	}
	if e.Code == codeBad || c.upload != nil {
		ctx.SetConnectionClose() // of the body something may be left
	}
	c.finish(outcome)
}
