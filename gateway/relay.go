package gateway

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/valyala/fasthttp"

	"heed/store"
	"heed/wire"
)

// smallAnswer is how long an answer of known length may be to be read whole before
// it is relayed: it is no use to anybody before its end, and if it breaks off the
// client gets a proper error.
const smallAnswer = 256 << 10

// relay is the part of a call that follows the answer as it is passed on.
type relay struct {
	stream bool // server-sent events
	body   io.Reader
	copy   []byte // for the row, at most store.MaxBodyBytes
	full   bool   // copy takes no more
	tap    *wire.Tap
	tail   []byte // error event still to be sent
	ended  bool   // the upstream's end was seen
	broken *Error // why there was none
	last   bool   // tail was sent: nothing follows
}

// answer passes the upstream's answer on: status, headers, then the body, whole
// when it is short, else as fasthttp reads it from c.
func (c *call) answer(ctx *fasthttp.RequestCtx) {
	r := &ctx.Response
	n := c.resp.Header.ContentLength()
	coded := len(c.resp.Header.ContentEncoding()) > 0 // although identity was asked for: nothing can be read in it, or added to it
	c.relay.stream = !coded && bytes.HasPrefix(c.resp.Header.ContentType(), []byte("text/event-stream"))
	c.relay.body = c.resp.BodyStream()
	short := c.relay.body != nil && !c.relay.stream && n >= 0 && n <= smallAnswer && c.hold(int64(n))
	if short {
		if e := c.readShort(n); e != nil {
			c.refuse(ctx, e)
			return
		}
	}
	c.x.Stream = c.relay.stream
	c.x.Status = c.resp.StatusCode()
	r.SetStatusCode(c.x.Status)
	copyAnswer(&r.Header, &c.resp.Header)
	c.sayWhat(ctx)
	if len(r.Header.Peek("X-Request-Id")) == 0 {
		r.Header.Set("X-Request-Id", c.x.ID)
	}
	switch {
	case short:
		r.SetBodyRaw(c.relay.copy)
		if coded {
			c.relay.copy = nil
		}
		c.finish(c.outcome())
	case c.relay.body == nil: // HEAD, 204, 304
		r.SkipBody = true
		c.relay.ended = true
		c.finish(c.outcome())
	default:
		c.relay.full = !c.log || coded || c.api == wire.Other
		if !c.log && !coded && c.api != wire.Other {
			c.tapped() // no row needs the bytes, but its usage counts
		}
		r.ImmediateHeaderFlush = true
		if c.relay.stream {
			n = -1 // a declared length would leave no room for the error event, and hold each part back
		}
		r.SetBodyStream(c, max(n, -1))
	}
}

// readShort reads a short answer into memory that the response and the row share.
func (c *call) readShort(n int) *Error {
	b := make([]byte, n)
	for at := 0; at < n; {
		if c.lease.reader.Buffered() == 0 {
			c.await()
		}
		k, err := c.relay.body.Read(b[at:])
		at += k
		if err != nil && at < n {
			return c.broke(err)
		}
	}
	c.x.Timing.First = time.Since(c.start).Microseconds()
	c.relay.copy, c.relay.ended = b, true
	c.x.ResponseBytes = int64(n)
	return nil
}

// await sets the deadline for the next part of the answer.
func (c *call) await() {
	end := time.Now().Add(c.idle)
	if end.After(c.end) {
		end = c.end
	}
	_ = c.lease.conn.SetReadDeadline(end)
}

// broke is the error of an answer that broke off.
func (c *call) broke(err error) *Error {
	if e := c.gone(); e != nil {
		return e
	}
	name := c.lease.u.Name
	if isTimeout(err) {
		return &Error{Status: fasthttp.StatusGatewayTimeout, Code: codeTimeout, Never: true,
			Message: "upstream " + name + " stopped in the middle of its answer", cause: err}
	}
	return &Error{Status: fasthttp.StatusBadGateway, Code: codeBroken, Never: true,
		Message: "upstream " + name + " broke off in the middle of its answer", cause: err}
}

// Read implements io.Reader for the response: it returns what the upstream has
// sent, as soon as it has, and fasthttp flushes it. A stream of events that breaks
// off ends with the API's error event; any other body ends with an error, so that
// the client sees that it is not whole.
func (c *call) Read(p []byte) (int, error) {
	r := &c.relay
	if r.broken != nil || r.ended {
		return c.readTail(p)
	}
	if c.lease.reader.Buffered() == 0 {
		c.await()
	}
	n, err := r.body.Read(p)
	if n > 0 {
		if c.x.Timing.First == 0 {
			c.x.Timing.First = time.Since(c.start).Microseconds()
		}
		c.x.ResponseBytes += int64(n)
		c.keep(p[:n])
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		r.ended = true
		return n, io.EOF
	}
	r.broken = c.broke(err)
	if r.stream {
		r.tail = c.tapped().ErrorEvent(r.broken.Message, r.broken.Code)
	}
	if n > 0 {
		return n, nil
	}
	return c.readTail(p)
}

func (c *call) readTail(p []byte) (int, error) {
	r := &c.relay
	if r.ended {
		return 0, io.EOF
	}
	if len(r.tail) > 0 {
		n := copy(p, r.tail)
		r.tail, r.last = r.tail[n:], true
		return n, nil
	}
	if r.last {
		return 0, io.EOF
	}
	return 0, r.broken
}

// keep copies what is relayed for the row. What is above the row's limit goes
// through a tap, so that its end and usage are seen.
func (c *call) keep(p []byte) {
	r := &c.relay
	if r.tap != nil {
		_, _ = r.tap.Write(p)
		return
	}
	if r.full || c.api == wire.Other {
		return
	}
	if need := len(r.copy) + len(p); need > cap(r.copy) {
		size := max(need, 2*cap(r.copy), 4<<10)
		if need > store.MaxBodyBytes || !c.hold(int64(size-cap(r.copy))) {
			r.full = true
			_, _ = c.tapped().Write(p)
			return
		}
		r.copy = append(make([]byte, 0, size), r.copy...)
	}
	r.copy = append(r.copy, p...)
}

// tapped is a tap that has seen what was relayed so far.
func (c *call) tapped() *wire.Tap {
	r := &c.relay
	if r.tap == nil {
		r.tap = wire.NewTap(c.api, r.stream, maxJudged)
		_, _ = r.tap.Write(r.copy)
	}
	return r.tap
}

// Close implements io.Closer. It does nothing: fasthttp calls CloseWithError after
// it, which knows how the writing ended.
func (c *call) Close() error { return nil }

// CloseWithError ends the call; err is why the client could not be written to.
func (c *call) CloseWithError(err error) error {
	r := &c.relay
	switch {
	case c.closed:
		return nil
	case r.ended && err == nil:
		c.finish(c.outcome())
	case r.broken != nil && r.broken != errLeft:
		c.x.Error = r.broken.Code
		if r.broken.Code == codeTimeout {
			c.finish(store.Timeout)
		} else {
			c.finish(store.Truncated)
		}
	default:
		c.finish(store.Cancelled)
	}
	return nil
}

// outcome is how a call ended whose answer arrived.
func (c *call) outcome() store.Outcome {
	if c.x.Status >= 500 {
		return store.UpstreamError
	}
	return store.OK
}

// finish gives back what the call held, counts it and logs it; then the call may
// serve another request.
func (c *call) finish(o store.Outcome) {
	if c.closed {
		return
	}
	c.closed = true
	if e := c.gone(); e == errLeft && !c.relay.ended {
		o = store.Cancelled
	}
	c.x.Outcome = o
	c.x.Timing.Done = time.Since(c.start).Microseconds()
	c.letGo(c.relay.ended)
	c.g.metrics.done(c)
	c.record()
	c.g.bytes.give(c.held)
	if c.counts { // last: Shutdown waits for it
		c.app.inFlight.Add(-1)
		c.g.inFlight.Add(-1)
	}
	*c = call{req: c.req, buf: c.buf, turns: c.turns, tries: c.tries, closed: true}
	callPool.Put(c)
}
