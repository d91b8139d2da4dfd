package gateway

import (
	"bytes"
	"embed"
	"net/http"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"heed/wire"
)

//go:embed widget/widget.js
var widget embed.FS

// handle answers every request. TRACE would have an upstream send its own key back
// (RFC 9110, 9.3.8), CONNECT would make a tunnel of the connection.
func (g *Gateway) handle(ctx *fasthttp.RequestCtx) {
	defer func() {
		if r := recover(); r != nil {
			g.log.Error("panic while serving", "panic", r, "path", string(ctx.Path()))
			ctx.Response.Reset()
			respond(ctx, apiOf(ctx), &Error{Status: http.StatusInternalServerError, Code: codeInternal, Message: "internal error"})
			ctx.SetConnectionClose()
		}
	}()
	cfg := g.cfg.Load()
	uri := ctx.Request.Header.RequestURI()
	path, query := split(string(uri))
	switch rel, ok := relative(path); {
	case !sound(path):
		respond(ctx, wire.Other, &Error{Status: http.StatusBadRequest, Code: codeBad, Message: "this path is not in its plain form"})
	case ctx.IsTrace(), ctx.IsConnect():
		ctx.Response.Header.Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		respond(ctx, wire.Other, &Error{Status: http.StatusMethodNotAllowed, Code: codeBad, Message: "TRACE and CONNECT are not passed on"})
	case isPreflight(ctx):
		g.preflight(ctx, cfg)
	case isOwnPath(uri):
		g.own(ctx, cfg, path)
	case !ok:
		respond(ctx, wire.Other, &Error{Status: http.StatusNotFound, Code: codeNotFound,
			Message: "no such path; the API begins at /v1/, Azure's at /openai/, Heed's own at /heed/"})
	case rel == "models" && ctx.IsGet():
		g.models(ctx, cfg)
	case ctx.IsGet() && cfg.aliases[modelOf(rel)] != nil:
		g.model(ctx, cfg, modelOf(rel))
	default:
		g.serve(ctx, cfg, path, rel, query)
	}
}

// modelOf is the model that models/{id} names, "" in other paths.
func modelOf(rel string) string {
	id, ok := strings.CutPrefix(rel, "models/")
	if !ok {
		return ""
	}
	if plain, err := url.PathUnescape(id); err == nil {
		return plain
	}
	return id
}

func split(uri string) (path, query string) {
	path, query, _ = strings.Cut(uri, "?")
	return path, query
}

// relative is the path below the API's version: what comes after /v1/,
// /openai/v1/, /openai/deployments/{alias}/ or /openai/.
func relative(path string) (string, bool) {
	if rel, ok := strings.CutPrefix(path, "/v1/"); ok {
		return rel, true
	}
	rel, ok := strings.CutPrefix(path, "/openai/")
	if !ok {
		return "", false
	}
	if v1, ok := strings.CutPrefix(rel, "v1/"); ok {
		return v1, true
	}
	if tail, ok := strings.CutPrefix(rel, "deployments/"); ok {
		_, below, found := strings.Cut(tail, "/")
		return below, found
	}
	return rel, true
}

// sound refuses paths that two servers may read differently: they would be
// checked as one and served as another. An encoded slash stands in the names of
// models only, which have slashes of their own.
func sound(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.ContainsAny(path, "\\;#") {
		return false
	}
	low := strings.ToLower(path)
	if strings.Contains(low, "%2e") || strings.Contains(low, "%5c") || strings.Contains(low, "%00") {
		return false
	}
	if strings.Contains(low, "%2f") {
		if !modelNamed(path) {
			return false
		}
		path = strings.ReplaceAll(low, "%2f", "/")
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return false
		}
	}
	return true
}

// modelNamed says whether every encoded slash of path is in the name of a model.
func modelNamed(path string) bool {
	for _, before := range [...]string{"/v1/models/", "/openai/v1/models/", "/openai/models/"} {
		if strings.HasPrefix(path, before) {
			return true
		}
	}
	rest, ok := strings.CutPrefix(path, "/openai/deployments/")
	_, below, _ := strings.Cut(rest, "/")
	return ok && !strings.Contains(strings.ToLower(below), "%2f")
}

func isOwnPath(uri []byte) bool { return bytes.HasPrefix(uri, []byte("/heed/")) }

func isPreflight(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Request.Header
	return ctx.IsOptions() && len(h.Peek("Origin")) > 0 && len(h.Peek("Access-Control-Request-Method")) > 0
}

func apiOf(ctx *fasthttp.RequestCtx) wire.API {
	api, _ := wire.APIOf(string(ctx.Request.Header.RequestURI()))
	return api
}

// own answers Heed's own endpoints.
func (g *Gateway) own(ctx *fasthttp.RequestCtx, cfg *config, path string) {
	switch id, isOne := strings.CutPrefix(path, "/heed/feedback/"); {
	case path == "/heed/feedback" && ctx.IsPost():
		g.feedback(ctx, cfg)
	case isOne && ctx.IsDelete():
		g.retract(ctx, cfg, id)
	case path == "/heed/livez":
		g.say(ctx, http.StatusOK, "ok")
	case path == "/heed/readyz":
		g.ready(ctx, cfg)
	case path == "/heed/widget.js" && ctx.IsGet():
		g.script(ctx)
	case path == "/heed/feedback" || isOne:
		respond(ctx, wire.Other, &Error{Status: http.StatusMethodNotAllowed, Code: codeBad, Message: "POST /heed/feedback, DELETE /heed/feedback/{id}"})
	default:
		respond(ctx, wire.Other, &Error{Status: http.StatusNotFound, Code: codeNotFound, Message: "no such endpoint"})
	}
}

func (g *Gateway) say(ctx *fasthttp.RequestCtx, status int, text string) {
	ctx.SetStatusCode(status)
	ctx.Response.Header.SetContentType("text/plain; charset=utf-8")
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.SetBodyString(text + "\n")
}

// ready is red only when new model calls would fail, or are not wanted: while the
// gateway stops. A store that is down does not hold up model calls and is said,
// but not red.
func (g *Gateway) ready(ctx *fasthttp.RequestCtx, cfg *config) {
	if g.stopping.Load() {
		g.say(ctx, http.StatusServiceUnavailable, "stopping")
		return
	}
	for _, a := range cfg.apps {
		if !a.loaded.Load() {
			g.say(ctx, http.StatusOK, "ok; the store does not answer: rules of app "+a.Name+" are not loaded")
			return
		}
	}
	g.say(ctx, http.StatusOK, "ok")
}

// script serves the feedback widget. Any page may load it; what it may then do is
// the app's allowed_origins' affair.
func (g *Gateway) script(ctx *fasthttp.RequestCtx) {
	b, err := widget.ReadFile("widget/widget.js")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	h := &ctx.Response.Header
	h.SetContentType("text/javascript; charset=utf-8")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=300")
	ctx.SetBody(b)
}
