package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"heed/store"
	"heed/wire"
)

// Error is an answer that the gateway itself gives instead of an upstream's.
type Error struct {
	Status  int           // HTTP
	Code    string        // short word for programs; see the codes below
	Message string        // for people; says what to do
	Retry   time.Duration // Retry-After, when above 0
	Never   bool          // x-should-retry: false, because trying again may be billed twice
	unsent  bool          // nothing of the call was sent: it may go elsewhere
	cause   error         // for the log
}

// Error is the message and its cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.cause)
	}
	return e.Message
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.cause }

// Codes of errors that the gateway itself gives.
const (
	codeKey         = "invalid_api_key"
	codeForbidden   = "forbidden"
	codeNotFound    = "not_found"
	codeModel       = "model_not_found"
	codeBad         = "invalid_request"
	codeTooLarge    = "request_too_large"
	codeOverloaded  = "overloaded"
	codeRate        = "rate_limit_exceeded"
	codeUnreachable = "upstream_unreachable"  // nothing was sent
	codeFailed      = "upstream_failed"       // the call may have been executed
	codeTimeout     = "upstream_timeout"      // likewise
	codeBroken      = "upstream_disconnected" // in the middle of an answer
	codeStopping    = "gateway_stopping"
	codeStore       = "store_unavailable"
	codeInternal    = "internal_error"
)

// respond writes e in the shape of api. What was set of the response before is
// kept only as far as it is Heed's own.
func respond(ctx *fasthttp.RequestCtx, api wire.API, e *Error) {
	r := &ctx.Response
	r.SetStatusCode(e.Status)
	r.Header.SetContentType("application/json")
	r.Header.Set("Cache-Control", "no-store")
	if e.Retry > 0 {
		r.Header.Set("Retry-After", strconv.Itoa(int((e.Retry+time.Second-1)/time.Second)))
	}
	if e.Never {
		r.Header.Set("X-Should-Retry", "false")
	}
	nameRequest(r)
	r.SetBody(wire.ErrorBody(api, e.Status, e.Message, "", e.Code))
}

// nameRequest gives an answer that is no exchange's the id that clients show with
// errors.
func nameRequest(r *fasthttp.Response) {
	if len(r.Header.Peek("X-Request-Id")) == 0 {
		r.Header.Set("X-Request-Id", store.NewID())
	}
}

// badRequest answers what fasthttp could not read as a request. It echoes nothing
// of it.
func (g *Gateway) badRequest(ctx *fasthttp.RequestCtx, err error) {
	e := &Error{Status: fasthttp.StatusBadRequest, Code: codeBad, Message: "this is not a well-formed HTTP/1.1 request"}
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &small):
		e.Status, e.Message = fasthttp.StatusRequestHeaderFieldsTooLarge, fmt.Sprintf("the request's head has more than %d bytes", maxHeaderBytes)
	case isTimeout(err):
		e.Status, e.Message = fasthttp.StatusRequestTimeout, "the request's head did not arrive in time"
	}
	respond(ctx, wire.Other, e)
	ctx.SetConnectionClose()
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// quiet passes fasthttp's complaints to the log at debug level: they are about
// single connections of clients, which metrics count.
type quiet struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (q quiet) Printf(format string, args ...any) {
	q.log.Debug("http", "message", strings.TrimSpace(fmt.Sprintf(format, args...)))
}
