package gateway

import (
	"strings"

	"github.com/valyala/fasthttp"

	"heed/wire"
)

// An app with a list of models may use these and no others. What an upstream would
// read as a model must then be readable here, too: a request whose model is not
// plain to see is refused, whatever the upstream might have made of it.

// mustSay says whether a request that is otherwise passed on unread must say which
// model it uses: it sends something, and the path may spend a model.
func (c *call) mustSay() bool {
	if c.app.models == nil || c.api != wire.Other || c.deployed() {
		return false
	}
	switch c.x.Method {
	case fasthttp.MethodPost, fasthttp.MethodPut, fasthttp.MethodPatch:
	default:
		return false
	}
	first, below, _ := strings.Cut(c.rel, "/")
	switch first {
	case "files", "uploads", "moderations", "conversations", "containers", "vector_stores":
		return false // of which none lets the caller name a model
	}
	return !strings.HasSuffix(below, "/cancel")
}

// mayUse refuses a model that is not on the app's list.
func (c *call) mayUse() *Error {
	switch {
	case c.app.models == nil:
		return nil
	case c.api != wire.Other:
		if !c.parsed || c.req.Models > 1 || c.aliasName() == "" {
			return errUnread
		}
		return c.onList(c.aliasName()) // which is what is sent, whatever else the body says
	case c.deployed(): // the path decides there
		return c.onList(c.named)
	case !c.mustSay():
		return nil
	}
	if c.body == nil || c.req.Parse(c.api, c.body) != nil || c.req.Models != 1 || c.req.Model == "" {
		return errUnread
	}
	return c.onList(c.req.Model)
}

func (c *call) onList(model string) *Error {
	if c.app.models[model] {
		return nil
	}
	return &Error{Status: fasthttp.StatusNotFound, Code: codeModel, Message: "this key may not use that model, or there is no such model"}
}

// errUnread refuses what an app with a list of models sends without saying which.
var errUnread = &Error{Status: fasthttp.StatusForbidden, Code: codeForbidden,
	Message: "this key may use some models only: send a JSON object, not too large, with exactly one field named model"}

// deployed says whether the path names a deployment and goes to Azure, which then
// reads no other name.
func (c *call) deployed() bool {
	a := c.cfg.aliases[c.named]
	switch {
	case c.named == "":
		return false
	case a == nil:
		return c.cfg.first.Kind == Azure
	}
	for _, t := range a.targets {
		if u := c.cfg.upstreams[t.Upstream]; u == nil || u.Kind != Azure {
			return false
		}
	}
	return true
}
