package gateway

import (
	"bytes"
	"crypto/sha256"
	"net"
	"net/netip"
	"net/url"

	"github.com/valyala/fasthttp"
)

// carrier says where a request's app key stood.
type carrier uint8

const (
	inNone carrier = iota // keyless: what the client sent is its own credential
	inHeed
	inAuthorization
	inXAPIKey
	inAPIKey
)

// app finds the app that a request belongs to: the one place that reads app keys.
// A key comes in Heed-Key, else in exactly one of Authorization: Bearer, x-api-key
// and api-key (two with the same value count as one). Lookup is by SHA-256, so
// that it takes the same time for any wrong key.
func (g *Gateway) app(cfg *config, h *fasthttp.RequestHeader) (*appKey, carrier, *Error) {
	if cfg.keyless {
		if g.keyless.Load() {
			if e := local(cfg, h); e != nil {
				return nil, inNone, e
			}
		}
		return cfg.only, inNone, nil
	}
	key, at, e := appKeyOf(h)
	if e != nil {
		return nil, at, e
	}
	if found := cfg.keys[sha256.Sum256(key)]; found != nil {
		return found, at, nil
	}
	return nil, at, &Error{Status: fasthttp.StatusUnauthorized, Code: codeKey, Message: "this is not the key of any app of this gateway"}
}

// appKeyOf reads the app key.
func appKeyOf(h *fasthttp.RequestHeader) ([]byte, carrier, *Error) {
	var key []byte
	at := inNone
	for _, c := range [...]struct {
		name string
		at   carrier
	}{{"Heed-Key", inHeed}, {"Authorization", inAuthorization}, {"X-Api-Key", inXAPIKey}, {"Api-Key", inAPIKey}} {
		v, twice := sole(h, c.name)
		if twice {
			return nil, at, &Error{Status: fasthttp.StatusBadRequest, Code: codeBad, Message: "header " + c.name + " occurs twice"}
		}
		if c.at == inAuthorization {
			v = bearer(v)
		}
		switch {
		case len(v) == 0:
		case at == inHeed: // the others are for the upstream
		case at == inNone:
			key, at = v, c.at
		case !bytes.Equal(key, v):
			return nil, at, &Error{Status: fasthttp.StatusBadRequest, Code: codeBad,
				Message: "two different keys; send the app key in Heed-Key, then others are left for the upstream"}
		}
	}
	if at == inNone {
		return nil, at, &Error{Status: fasthttp.StatusUnauthorized, Code: codeKey,
			Message: "no app key; send it as Authorization: Bearer, x-api-key, api-key or Heed-Key"}
	}
	return key, at, nil
}

func bearer(v []byte) []byte {
	const prefix = "Bearer "
	if len(v) > len(prefix) && bytes.EqualFold(v[:len(prefix)], []byte(prefix)) {
		return bytes.TrimSpace(v[len(prefix):])
	}
	return nil
}

// local refuses what a web page could send to a keyless gateway on this machine:
// anything with a foreign Origin, or (DNS rebinding) a Host that is not loopback.
func local(cfg *config, h *fasthttp.RequestHeader) *Error {
	if !loopbackHost(string(h.Host())) {
		return &Error{Status: fasthttp.StatusForbidden, Code: codeForbidden,
			Message: "without app keys this gateway answers to localhost only; configure app keys to reach it under another name"}
	}
	if o := h.Peek("Origin"); len(o) > 0 && !cfg.origins[string(o)] && !loopbackOrigin(string(o)) {
		return &Error{Status: fasthttp.StatusForbidden, Code: codeForbidden,
			Message: "pages of this origin may not call this gateway; add it to the app's allowed_origins, or configure app keys"}
	}
	return nil
}

func loopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(trimBrackets(host))
	return err == nil && a.Unmap().IsLoopback()
}

func trimBrackets(s string) string {
	if len(s) > 1 && s[0] == '[' && s[len(s)-1] == ']' {
		return s[1 : len(s)-1]
	}
	return s
}

func loopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && loopbackHost(u.Host)
}

func loopbackAddr(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return loopbackHost(a.String())
}

// credential sets the upstream's key, or passes the caller's own on. A key that
// was read as app key is never forwarded; so an upstream without a key of its own
// needs the app key in Heed-Key.
func (u *upstream) credential(dst, src *fasthttp.RequestHeader, at carrier) *Error {
	if u.APIKey != "" {
		switch u.Kind {
		case Anthropic:
			dst.Set("X-Api-Key", string(u.APIKey))
		case Azure:
			dst.Set("Api-Key", string(u.APIKey))
		default:
			dst.Set("Authorization", "Bearer "+string(u.APIKey))
		}
		return nil
	}
	if at != inNone && at != inHeed {
		return &Error{Status: fasthttp.StatusUnauthorized, Code: codeKey,
			Message: "upstream " + u.Name + " has no api_key of its own: send the app key in Heed-Key and the upstream's in the usual header"}
	}
	for _, name := range [...]string{"Authorization", "X-Api-Key", "Api-Key"} {
		if v := src.Peek(name); len(v) > 0 {
			dst.SetBytesV(name, v)
		}
	}
	return nil
}

// allow answers CORS for a request of key (nil: any app) and says whether the
// page may read the answer.
func (g *Gateway) allow(ctx *fasthttp.RequestCtx, cfg *config, a *app) bool {
	origin := string(ctx.Request.Header.Peek("Origin"))
	if origin == "" {
		return false
	}
	ctx.Response.Header.Add("Vary", "Origin")
	ok := cfg.origins[origin]
	if a != nil {
		ok = a.origins[origin]
	}
	if !ok && (!g.keyless.Load() || !loopbackOrigin(origin)) {
		return false
	}
	ctx.Response.Header.Set("Access-Control-Allow-Origin", origin)
	ctx.Response.Header.Set("Access-Control-Expose-Headers", exposed)
	return true
}

// preflight answers a CORS preflight. It carries no key, so the origins of all
// apps count; the request itself is held to its own app's.
func (g *Gateway) preflight(ctx *fasthttp.RequestCtx, cfg *config) {
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	if !g.allow(ctx, cfg, nil) {
		return
	}
	h := &ctx.Response.Header
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
	if want := ctx.Request.Header.Peek("Access-Control-Request-Headers"); len(want) > 0 && len(want) <= 2048 {
		h.SetBytesV("Access-Control-Allow-Headers", want)
	}
	h.Set("Access-Control-Max-Age", "600")
}

// expect answers a client that waits before it sends its body: a wrong key or a
// body over the whole budget is refused before a byte of it.
func (g *Gateway) expect(ctx *fasthttp.RequestCtx) int {
	cfg := g.cfg.Load()
	if isOwnPath(ctx.Request.Header.RequestURI()) {
		return fasthttp.StatusContinue
	}
	if _, _, e := g.app(cfg, &ctx.Request.Header); e != nil {
		respond(ctx, apiOf(ctx), e)
		return e.Status
	}
	return fasthttp.StatusContinue
}
