package admin

import (
	"net/http"
	"slices"
	"strings"
)

// route is one line of what admin serves.
type route struct {
	pattern string // for http.ServeMux
	least   Role   // public needs no login
	api     func(c *call) (any, error)
	page    func(c *call) error
	plain   http.Handler // neither: assets, metrics
}

// routes is everything that admin serves; the auth test walks it.
func (a *Admin) routes() []route {
	out := slices.Concat(a.apiRoutes(), a.pageRoutes())
	if a.opt.Metrics != nil {
		out = append(out, route{pattern: "GET /metrics", least: Viewer, plain: a.opt.Metrics})
	}
	return out
}

// apiRoutes are for programs.
func (a *Admin) apiRoutes() []route {
	at := func(method, path string, least Role, h func(*call) (any, error)) route {
		return route{pattern: method + " /api/v1/" + path, least: least, api: h}
	}
	get := func(path string, h func(*call) (any, error)) route { return at("GET", path, Viewer, h) }
	post := func(path string, least Role, h func(*call) (any, error)) route { return at("POST", path, least, h) }
	return []route{
		get("exchanges", a.apiExchanges),
		get("exchanges/{id}", a.apiExchange),
		get("why/{id}", a.apiWhy),
		get("feedback", a.apiFeedback),
		get("feedback/{id}", a.apiFeedbackOne),
		post("feedback/{id}/retract", Approver, a.apiRetract),
		post("feedback/{id}/try-again", Approver, a.apiTryAgain),
		get("findings", a.apiFindings),
		get("findings/{id}", a.apiFinding),
		post("findings/{id}/resolve", Approver, a.apiResolve),
		post("findings/{id}/reopen", Approver, a.apiReopen),
		post("findings/{id}/assign", Approver, a.apiAssign),
		post("findings/{id}/propose", Approver, a.apiPropose),
		get("proposals", a.apiProposals),
		get("proposals/{id}", a.apiProposal),
		post("proposals/{id}", Approver, a.apiEdit),
		at("PATCH", "proposals/{id}", Approver, a.apiEdit),
		post("proposals/{id}/approve", Approver, a.apiApprove),
		post("proposals/{id}/reject", Approver, a.apiReject),
		post("proposals/{id}/snooze", Approver, a.apiSnooze),
		post("proposals/{id}/merge", Approver, a.apiMerge),
		post("proposals/{id}/unmerge", Approver, a.apiUnmerge),
		post("proposals/{id}/ticks", Approver, a.apiTick),
		post("proposals/{id}/compare", Approver, a.apiCompare),
		get("replay", a.apiReplay),
		get("rules", a.apiRules),
		get("rules/{id}", a.apiRule),
		get("rules/{id}/effect", a.apiEffect),
		post("rules", Approver, a.apiAddRule),
		at("PATCH", "rules/{id}", Approver, a.apiTune),
		post("rules/{id}/retire", Approver, a.apiRetire),
		post("rules/{id}/pause", Approver, a.apiPause),
		post("rules/{id}/resume", Approver, a.apiResume),
		get("routing", a.apiRouting),
		post("routing", Owner, a.apiRoute),
		get("rulesets", a.apiRulesets),
		get("rulesets/{hash}", a.apiRuleset),
		post("rulesets/{hash}/activate", Owner, a.apiActivate),
		get("audit", a.apiAudit),
		get("audit/verify", a.apiVerify),
		get("stats", a.apiStats),
		get("apps", a.apiApps),
		post("backup", Owner, a.apiBackup),
		post("erase", Owner, a.apiErase),
		{pattern: "/api/", least: public, api: a.apiUnknown},
	}
}

// pageRoutes are for people: pages, the forms on them, and what they load.
func (a *Admin) pageRoutes() []route {
	view := func(path string, h func(*call) error) route {
		return route{pattern: "GET " + path, least: Viewer, page: h}
	}
	do := func(path string, least Role, h func(*call) error) route {
		return route{pattern: "POST " + path, least: least, page: h}
	}
	return []route{
		{pattern: "GET /login", least: public, page: a.pageLogin},
		{pattern: "POST /login", least: public, page: a.doLogin},
		{pattern: "POST /logout", least: public, page: a.doLogout},
		view("/{$}", a.pageHome),
		view("/inbox", a.pageInbox),
		view("/proposals/{id}", a.pageProposal),
		do("/proposals/{id}/approve", Approver, a.doApprove),
		do("/proposals/{id}/reject", Approver, a.doReject),
		do("/proposals/{id}/snooze", Approver, a.doSnooze),
		do("/proposals/{id}/edit", Approver, a.doEdit),
		do("/proposals/{id}/merge", Approver, a.doMerge),
		do("/proposals/{id}/unmerge", Approver, a.doUnmerge),
		do("/proposals/{id}/tick", Approver, a.doTick),
		do("/proposals/{id}/compare", Approver, a.doCompare),
		view("/findings", a.pageFindings),
		do("/findings/{id}/resolve", Approver, a.doResolve),
		do("/findings/{id}/reopen", Approver, a.doReopen),
		do("/findings/{id}/assign", Approver, a.doAssign),
		do("/findings/{id}/propose", Approver, a.doPropose),
		view("/rules", a.pageRules),
		do("/rules", Approver, a.doAddRule),
		view("/rules/{id}", a.pageRule),
		do("/rules/{id}/{action}", Approver, a.doRule),
		view("/rulesets", a.pageRulesets),
		view("/rulesets/{hash}", a.pageRuleset),
		do("/rulesets/{hash}/activate", Owner, a.doActivate),
		view("/exchanges", a.pageExchanges),
		view("/exchanges/{id}", a.pageExchange),
		view("/exchanges/{id}/{part}", a.pageBody),
		view("/feedback", a.pageFeedback),
		do("/feedback/{id}/retract", Approver, a.doRetract),
		do("/feedback/{id}/try-again", Approver, a.doTryAgain),
		view("/routing", a.pageRouting),
		view("/costs", a.pageCosts),
		view("/audit", a.pageAudit),
		view("/live", a.pageLive),
		{pattern: "GET /debug/pprof/{name}", least: Owner, plain: http.HandlerFunc(profiles)},
		{pattern: "GET /assets/{file}", least: public, plain: a.assets},
		{pattern: "/", least: public, page: a.pageUnknown},
	}
}

// serve makes a route a handler that lets only the right people through. The API
// takes bearer tokens only, pages sessions only, the rest either.
func (a *Admin) serve(rt route) http.Handler {
	switch {
	case rt.plain != nil && rt.least == public:
		return rt.plain
	case rt.plain != nil:
		return a.Guard(rt.least, rt.plain)
	case rt.api != nil:
		return a.serveAPI(rt)
	}
	return a.servePage(rt)
}

// created is an API answer with status 201.
type created struct{ v any }

func (a *Admin) serveAPI(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{a: a, w: w, r: r}
		if rt.least != public {
			who, ok := a.known(bearer(r))
			if !ok {
				w.Header().Set("WWW-Authenticate", `Bearer realm="heed admin"`)
				writeError(w, errLogin)
				return
			}
			if !who.Role.May(rt.least) {
				writeError(w, errRole(rt.least, who))
				return
			}
			c.who = who
		}
		v, err := rt.api(c)
		if err != nil {
			writeError(w, a.noted(r, err))
			return
		}
		status := http.StatusOK
		if made, ok := v.(created); ok {
			v, status = made.v, http.StatusCreated
		}
		writeJSON(w, status, v)
	})
}

// noted turns err into what the caller is told, and logs what only the log may
// say.
func (a *Admin) noted(r *http.Request, err error) *Error {
	e := asError(err)
	if e.Status >= 500 && r.Context().Err() == nil {
		a.log.Error("admin request broke", "method", r.Method, "path", r.URL.Path, "error", e)
	}
	return e
}

func (a *Admin) apiUnknown(c *call) (any, error) {
	var paths []string
	for _, rt := range a.apiRoutes() {
		_, path, _ := strings.Cut(rt.pattern, "/api/v1/")
		if first, _, _ := strings.Cut(path, "/"); first != "" && !slices.Contains(paths, first) {
			paths = append(paths, first)
		}
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(c.r.URL.Path, "/api/v1/"), "/")
	message := "there is no " + c.r.Method + " " + clip(c.r.URL.Path, 100)
	if slices.Contains(paths, first) {
		message += "; a list is GET /api/v1/" + first + ", one thing has its id behind that"
	} else if near := nearest(first, paths); near != "" {
		message += "; the nearest is /api/v1/" + near
	}
	return nil, &Error{Status: http.StatusNotFound, Code: "unknown_path", Message: message}
}
