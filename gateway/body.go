package gateway

import (
	"bytes"
	"io"
	"time"

	"github.com/valyala/fasthttp"

	"heed/wire"
)

// read takes the body in: whole, when it is a request that may be patched, else as
// a stream that is passed on.
func (c *call) read(ctx *fasthttp.RequestCtx) *Error {
	stream := ctx.RequestBodyStream()
	n := ctx.Request.Header.ContentLength()
	if stream == nil {
		c.body = bytes.Clone(ctx.Request.Body())
		if len(c.body) == 0 {
			c.body = nil
		}
		return c.parse()
	}
	c.client = bodyReader{r: stream, conn: c.conn, wait: c.g.opt.Limits.Head, count: &c.x.RequestBytes}
	r := &c.client
	if (c.api == wire.Other && !c.mustSay()) || int64(n) > c.g.opt.Limits.Body {
		c.upload, c.size = r, n
		if e := c.charge(); e != nil {
			return e
		}
		return c.mayUse()
	}
	if e := c.readWhole(r, n); e != nil {
		return e
	}
	return c.parse()
}

// readWhole reads the body into memory of its own, which the row may keep. It
// takes memory as the body arrives, whatever length was declared: else a few
// clients that declare much and send little would hold all that there is.
func (c *call) readWhole(r *bodyReader, n int) *Error {
	size := firstRead
	if n >= 0 {
		size = min(n, firstDeclared)
	}
	if !c.hold(int64(size)) {
		return errFull()
	}
	b := make([]byte, 0, size)
	for {
		if len(b) == cap(b) {
			if n >= 0 && len(b) == n {
				break
			}
			if int64(cap(b)) >= c.g.opt.Limits.Body { // chunked, and larger than is patched
				c.upload, c.size = io.MultiReader(bytes.NewReader(b), r), -1
				return nil
			}
			more := cap(b)
			if n >= 0 {
				more = min(more, n-len(b))
			}
			if !c.hold(int64(more)) {
				return errFull()
			}
			b = append(make([]byte, 0, cap(b)+more), b...)
		}
		k, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+k]
		if err == io.EOF && len(b) < n { // the client left; what is there is no request
			err = io.ErrUnexpectedEOF
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return errBody(err)
		}
	}
	c.body = b
	return nil
}

func errBody(err error) *Error {
	e := &Error{Status: fasthttp.StatusBadRequest, Code: codeBad, Message: "the request's body did not arrive whole", cause: err}
	if isTimeout(err) {
		e.Status, e.Message = fasthttp.StatusRequestTimeout, "the request's body did not arrive in time"
	}
	return e
}

// The first buffer for a body of unknown and of declared length; it doubles as the
// body arrives. Few requests are larger than the second.
const (
	firstRead     = 16 << 10
	firstDeclared = 128 << 10
)

func errFull() *Error {
	return &Error{Status: fasthttp.StatusServiceUnavailable, Code: codeOverloaded, Retry: time.Second,
		Message: "this gateway holds as many request bytes as it takes; try again shortly"}
}

// bodyReader reads a client's body under a deadline that moves on with every part
// of it, as long as the client sends slowest bytes a second on average.
type bodyReader struct {
	r     io.Reader
	conn  *clientConn
	wait  time.Duration // Limits.Head
	count *int64
	begun time.Time
	err   error // why it ended early
}

const slowest = 1 << 10

// Read implements io.Reader.
func (b *bodyReader) Read(p []byte) (int, error) {
	now := time.Now()
	switch end := now.Add(b.wait); {
	case b.begun.IsZero(): // the first part is under the deadline of the head
		b.begun = now
	case b.conn != nil:
		if late := b.begun.Add(b.wait + time.Duration(*b.count/slowest)*time.Second); end.After(late) {
			end = late
		}
		_ = b.conn.SetReadDeadline(end)
	}
	n, err := b.r.Read(p)
	*b.count += int64(n)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}
