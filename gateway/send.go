package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"heed/rules"
	"heed/wire"
)

// errLeft says that the client left, or must: nothing is answered.
var errLeft = &Error{Status: 499, Code: "client_closed_request", Message: "the client closed the connection"}

// send calls the target and, where that is allowed, those after it. When it
// returns nil, c.resp has the head of an answer and c.lease its connection.
func (c *call) send(ctx *fasthttp.RequestCtx) *Error {
	c.x.Timing.Own = time.Since(c.ready).Microseconds()
	c.rested()
	var last *Error
	for i, t := range c.tries {
		u := c.cfg.upstreams[t.Upstream]
		if i > 0 {
			c.g.metrics.retries.WithLabelValues("fallback").Inc()
		}
		c.x.Decision.Target.Upstream, c.x.RequestModel = u.Name, t.Model
		if t.Model != "" {
			c.x.Decision.Target.Model = t.Model
		} else {
			c.x.RequestModel = c.aliasName()
		}
		again := i+1 < len(c.tries) && c.upload == nil
		e := c.try(ctx, u, t)
		if e == nil {
			listed := c.alias != nil && slices.Contains(c.alias.RetryStatuses, c.resp.StatusCode())
			if listed {
				if pause := pauseOf(&c.resp.Header, c.start); pause > 0 {
					u.rest.add(t.Model, c.start.Add(pause))
				}
			}
			if again && listed && !c.resting(c.tries[i+1]) {
				c.drop()
				continue
			}
			return nil
		}
		last = e
		if e == errLeft || !e.unsent || !again || !c.alias.Fallback {
			break
		}
	}
	return last
}

// try calls one target. A 400 or 413 to a request with an injected block is sent
// once more with the client's own bytes; if that is taken, the block was at fault
// and the target gets none for a while.
func (c *call) try(ctx *fasthttp.RequestCtx, u *upstream, t rules.Share) *Error {
	buf := patches.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= keepPatch {
			patches.Put(buf)
		}
	}()
	block, d := c.block, &c.x.Decision
	d.Observed, d.Resent = c.app.Rules == Observe, false // as it was for the target before
	if block != "" && u.mute.has(t.Model, c.start) {
		block, d.Observed = "", true
	}
	body, injected := c.patch(buf, u, t, block)
	if e := c.exchange(ctx, u, t, body); e != nil {
		return e
	}
	status := c.resp.StatusCode()
	if !injected || (status != fasthttp.StatusBadRequest && status != fasthttp.StatusRequestEntityTooLarge) {
		return nil
	}
	c.drop()
	c.g.metrics.retries.WithLabelValues("without_rules").Inc()
	d.Resent = true
	body, _ = c.patch(buf, u, t, "")
	if e := c.exchange(ctx, u, t, body); e != nil {
		return e
	}
	if c.resp.StatusCode() < 400 {
		u.mute.add(t.Model, c.start.Add(suspendTime))
		c.g.log.Warn("upstream refuses injected rules; none are injected for a while", "upstream", u.Name, "model", t.Model, "status", status, "pause", suspendTime)
	}
	return nil
}

// patches are buffers for patched bodies, which are needed until they are sent: a
// stream that goes on for minutes holds none.
var patches = sync.Pool{New: func() any { return new([]byte) }}

// keepPatch is how large a buffer may be to wait for the next call.
const keepPatch = 1 << 20

// patch returns the bytes to send: the client's own unless an alias renames the
// model or a block is injected; then they are in buf.
func (c *call) patch(buf *[]byte, u *upstream, t rules.Share, block string) (body []byte, injected bool) {
	if !c.parsed {
		return c.body, false
	}
	model := t.Model
	if model == c.req.Model || (c.alias == nil && u.Kind == Azure) {
		model = ""
	}
	if model == "" && block == "" {
		return c.body, false
	}
	p := wire.Patch{Model: model, Block: block, Placement: u.Placement}
	out, err := c.req.Patch((*buf)[:0], c.body, p)
	if errors.Is(err, wire.ErrNoPlace) {
		c.x.Decision.Observed, block = true, ""
	}
	if len(out) == 0 { // any other error: the client's bytes, as they are
		return c.body, false
	}
	*buf = out
	return out, block != ""
}

// exchange sends body on one connection and reads the head of the answer. What was
// sent is never sent again here; only a connection that died before its first byte
// is replaced, once.
func (c *call) exchange(ctx *fasthttp.RequestCtx, u *upstream, t rules.Share, body []byte) *Error {
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	if e := c.build(ctx, req, u, t, body); e != nil {
		return e
	}
	c.end, c.idle = c.start.Add(u.Timeouts.Total), u.Timeouts.Idle
	for first := true; ; first = false {
		e := c.open(u)
		if e != nil {
			return e
		}
		e = c.write(req)
		if e == nil {
			e = c.readHead(u)
		}
		if e == nil {
			return nil
		}
		c.drop()
		if !e.unsent || !first || c.upload != nil {
			return e
		}
	}
}

// build makes the request's head.
func (c *call) build(ctx *fasthttp.RequestCtx, req *fasthttp.Request, u *upstream, t rules.Share, body []byte) *Error {
	h := &req.Header
	h.SetNoDefaultContentType(true)
	h.DisableNormalizing() // names are canonical already
	copyRequest(h, &ctx.Request.Header)
	if e := u.credential(h, &ctx.Request.Header, c.at); e != nil {
		return e
	}
	if c.api == wire.Other {
		if v := ctx.Request.Header.Peek("Accept-Encoding"); len(v) > 0 {
			h.SetBytesV("Accept-Encoding", v)
		}
	} else {
		h.Set("Accept-Encoding", "identity") // what is compressed could be neither logged nor judged
	}
	deployment := ""
	if c.api != wire.Other || c.named != "" {
		deployment = t.Model
		def(&deployment, c.aliasName())
	}
	h.SetMethod(c.x.Method)
	h.SetRequestURI(u.uri(c.x.Path, c.rel, c.query, deployment))
	h.SetHost(u.host)
	switch {
	case c.upload != nil:
		req.SetBodyStream(c.upload, c.size)
	case body != nil:
		req.SetBodyRaw(body)
	}
	return nil
}

// uri is the path and query of a call at this upstream. asked is the client's path,
// rel what of it names the call. Azure's older paths name the deployment, when there
// is one, and need an api-version, which only Azure knows; its /openai/v1/ is like
// OpenAI's /v1/.
func (u *upstream) uri(asked, rel, query, deployment string) string {
	path := u.base + "/" + rel
	versioned := strings.Contains("&"+query, "&api-version=")
	switch {
	case u.Kind != Azure:
		if strings.HasPrefix(asked, "/openai/") {
			query = without(query, "api-version")
		}
	case strings.HasSuffix(u.base, "/openai/v1"):
		if !strings.HasPrefix(asked, "/openai/v1/") {
			query = without(query, "api-version") // of an older path
		}
	case strings.HasPrefix(asked, "/openai/v1/"), rel == "responses" && !versioned:
		path = u.base + "/openai/v1/" + rel
	default:
		path = u.base + "/openai/" + rel
		if deployment != "" && rel != "responses" { // these name it in the body
			path = u.base + "/openai/deployments/" + url.PathEscape(deployment) + "/" + rel
		}
		if !versioned {
			query = strings.TrimPrefix(query+"&api-version="+url.QueryEscape(u.APIVersion), "&")
		}
	}
	if query != "" {
		return path + "?" + query
	}
	return path
}

func without(query, key string) string {
	parts := strings.Split(query, "&")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool {
		name, _, _ := strings.Cut(p, "=")
		return name == key
	}), "&")
}

// open takes a connection and ties it to the client's.
func (c *call) open(u *upstream) *Error {
	now := time.Now()
	if ok, wait := u.breaker.allow(now); !ok {
		return &Error{Status: fasthttp.StatusServiceUnavailable, Code: codeUnreachable, Retry: wait, unsent: true,
			Message: "upstream " + u.Name + " cannot be reached; it is tried again after Retry-After"}
	}
	l, err := u.lease(now)
	switch {
	case errors.Is(err, fasthttp.ErrNoFreeConns), errors.Is(err, fasthttp.ErrTimeout):
		return &Error{Status: fasthttp.StatusServiceUnavailable, Code: codeOverloaded, Retry: time.Second, unsent: true,
			Message: "all connections to upstream " + u.Name + " are busy; try again shortly", cause: err}
	case err != nil:
		u.breaker.note(false, time.Now())
		return &Error{Status: fasthttp.StatusBadGateway, Code: codeUnreachable, unsent: true,
			Message: "upstream " + u.Name + " cannot be reached; nothing was sent", cause: withoutAddress(err)}
	}
	u.breaker.note(true, now)
	c.lease = l
	if c.conn != nil {
		if why := c.conn.arm(l.conn); why != stays {
			l.release(true) // nothing was sent on it
			c.lease = lease{}
			return c.leaving(why)
		}
	}
	return nil
}

// leaving is the error for a client that left, or must.
func (c *call) leaving(why leaving) *Error {
	if why == stopped {
		return &Error{Status: fasthttp.StatusServiceUnavailable, Code: codeStopping, Retry: time.Second,
			Message: "this gateway is stopping; try again"}
	}
	return errLeft
}

// gone is leaving, when the client left.
func (c *call) gone() *Error {
	if c.conn == nil {
		return nil
	}
	if why := c.conn.gone(); why != stays {
		return c.leaving(why)
	}
	return nil
}

func withoutAddress(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// write sends the request. An upstream that answers and closes before it has read
// all of it is heard (RFC 9112 9.5 asks for that).
func (c *call) write(req *fasthttp.Request) *Error {
	l := &c.lease
	l.conn.writes = c.end
	w := l.u.pool.AcquireWriter(l.conn)
	err := req.Write(w)
	if err == nil {
		err = w.Flush()
	}
	l.u.pool.ReleaseWriter(w)
	c.x.Timing.Sent = time.Since(c.start).Microseconds()
	switch e := c.gone(); {
	case err == nil:
		return nil
	case e != nil:
		return e
	case c.client.err != nil:
		return errBody(c.client.err)
	case l.conn.wrote == 0:
		return &Error{Status: fasthttp.StatusBadGateway, Code: codeUnreachable, unsent: true,
			Message: "upstream " + l.u.Name + " closed the connection; nothing was sent", cause: err}
	}
	if c.hearEarly() {
		return nil
	}
	return c.failed(err)
}

// hearEarly waits a moment for the answer of an upstream that stopped reading.
func (c *call) hearEarly() bool {
	l := &c.lease
	_ = l.conn.SetReadDeadline(time.Now().Add(earlyAnswer))
	l.reader = l.u.pool.AcquireReader(l.conn)
	b, _ := l.reader.Peek(1)
	return len(b) > 0
}

const earlyAnswer = time.Second

// readHead reads the answer's head.
func (c *call) readHead(u *upstream) *Error {
	l := &c.lease
	end := time.Now().Add(u.Timeouts.FirstByte)
	if end.After(c.end) {
		end = c.end
	}
	if err := l.conn.SetReadDeadline(end); err != nil {
		return c.failed(err)
	}
	if l.reader == nil {
		l.reader = u.pool.AcquireReader(l.conn)
	}
	c.resp = fasthttp.AcquireResponse()
	c.resp.StreamBody = true
	c.resp.SkipBody = c.head
	c.resp.Header.SetNoDefaultContentType(true)
	if err := c.resp.ReadLimitBody(l.reader, 0); err != nil {
		return c.failed(err)
	}
	if n := c.resp.StatusCode(); n < fasthttp.StatusOK { // 101 too: the others of the kind were passed over
		return c.failed(fmt.Errorf("status %d is no answer", n))
	}
	c.x.Timing.FirstByte = time.Since(c.start).Microseconds()
	return nil
}

// failed is the error of a call of which something was sent: it may have been
// executed, so that clients are told not to send it again by themselves.
func (c *call) failed(err error) *Error {
	if e := c.gone(); e != nil {
		return e
	}
	name := c.lease.u.Name
	if isTimeout(err) {
		return &Error{Status: fasthttp.StatusGatewayTimeout, Code: codeTimeout, Never: true,
			Message: "upstream " + name + " did not answer in time; the call may have been executed", cause: err}
	}
	return &Error{Status: fasthttp.StatusBadGateway, Code: codeFailed, Never: true,
		Message: "upstream " + name + " broke the connection or did not answer in HTTP; the call may have been executed", cause: err}
}

// drop gives up the connection and what was read of its answer.
func (c *call) drop() { c.letGo(false) }

// letGo ends the call's hold on its connection; clean says that the answer was
// read to its end.
func (c *call) letGo(clean bool) {
	if c.conn != nil {
		c.conn.disarm()
	}
	if c.resp != nil {
		clean = clean && !c.resp.ConnectionClose()
		fasthttp.ReleaseResponse(c.resp) // before the reader that its body reads from
		c.resp = nil
	}
	c.lease.release(clean)
}
