package gateway

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// Of GET /v1/models.
const (
	modelsTime      = 5 * time.Second // for an upstream to list its models
	modelsAge       = time.Minute     // of a list in the cache
	maxModelLists   = 64              // per upstream: one per credential that asked
	maxModelsAnswer = 4 << 20
)

// modelCache keeps what an upstream listed, per credential: what one caller may
// see must not be shown to another.
type modelCache struct {
	mu    sync.Mutex
	lists map[[32]byte]modelList
}

type modelList struct {
	at     time.Time
	models []json.RawMessage
}

// models lists the aliases, then what the upstreams offer. An upstream that does
// not answer is left out: the aliases work without its list.
func (g *Gateway) models(ctx *fasthttp.RequestCtx, cfg *config) {
	key, at, e := g.app(cfg, &ctx.Request.Header)
	if e != nil {
		g.allow(ctx, cfg, nil)
		respond(ctx, apiOf(ctx), e)
		return
	}
	g.allow(ctx, cfg, key.app)
	may := func(name string) bool { return key.app.models == nil || key.app.models[name] }
	list, seen := []json.RawMessage{}, map[string]bool{}
	for _, a := range cfg.opt.Aliases {
		if may(a.Name) {
			seen[a.Name] = true
			list = append(list, modelEntry(a.Name))
		}
	}
	for _, models := range g.allModels(ctx, cfg, at) {
		for _, m := range models {
			var id struct {
				ID string `json:"id"`
			}
			if json.Unmarshal(m, &id) == nil && id.ID != "" && !seen[id.ID] && may(id.ID) {
				seen[id.ID] = true
				list = append(list, m)
			}
		}
	}
	b, err := json.Marshal(map[string]any{"object": "list", "data": list})
	if err != nil {
		panic("BUG: encode models: " + err.Error())
	}
	ctx.SetStatusCode(http.StatusOK)
	nameRequest(&ctx.Response)
	ctx.Response.Header.SetContentType("application/json")
	ctx.SetBody(b)
}

// model answers for one alias: upstreams do not know it.
func (g *Gateway) model(ctx *fasthttp.RequestCtx, cfg *config, name string) {
	key, _, e := g.app(cfg, &ctx.Request.Header)
	if e == nil && key.app.models != nil && !key.app.models[name] {
		e = &Error{Status: http.StatusNotFound, Code: codeModel, Message: "this key may not use that model, or there is no such model"}
	}
	if e != nil {
		respond(ctx, apiOf(ctx), e)
		return
	}
	g.allow(ctx, cfg, key.app)
	nameRequest(&ctx.Response)
	ctx.Response.Header.SetContentType("application/json")
	ctx.SetBody(modelEntry(name))
}

func modelEntry(name string) json.RawMessage {
	b, err := json.Marshal(struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}{name, "model", 0, "heed"})
	if err != nil {
		panic("BUG: encode model: " + err.Error())
	}
	return b
}

// allModels asks every upstream, or the cache, all at once: one that hangs costs
// modelsTime, however many there are.
func (g *Gateway) allModels(ctx *fasthttp.RequestCtx, cfg *config, at carrier) [][]json.RawMessage {
	lists := make([][]json.RawMessage, len(cfg.opt.Upstreams))
	var wg sync.WaitGroup
	for i, o := range cfg.opt.Upstreams {
		u := cfg.upstreams[o.Name]
		req := fasthttp.AcquireRequest()
		if !modelsRequest(req, u, ctx, at) {
			fasthttp.ReleaseRequest(req)
			continue
		}
		wg.Go(func() { // at most modelsTime
			defer fasthttp.ReleaseRequest(req)
			lists[i] = upstreamModels(u, req)
		})
	}
	wg.Wait()
	return lists
}

// modelsRequest makes the request for u's models with the credentials that a call
// would have; false says that there are none.
func modelsRequest(req *fasthttp.Request, u *upstream, ctx *fasthttp.RequestCtx, at carrier) bool {
	if e := u.credential(&req.Header, &ctx.Request.Header, at); e != nil {
		return false
	}
	if v := ctx.Request.Header.Peek("Anthropic-Version"); u.Kind == Anthropic && len(v) > 0 {
		req.Header.SetBytesV("Anthropic-Version", v)
	} else if u.Kind == Anthropic {
		req.Header.Set("Anthropic-Version", "2023-06-01")
	}
	req.Header.SetMethod(fasthttp.MethodGet)
	req.SetRequestURI("http://" + u.host + u.uri("/v1/models", "models", "", "")) // TLS, where there is, is the dialler's
	return true
}

// upstreamModels asks u for its models, or the cache.
func upstreamModels(u *upstream, req *fasthttp.Request) []json.RawMessage {
	key := sha256.Sum256(append(append(append([]byte(nil), req.Header.Peek("Authorization")...), req.Header.Peek("X-Api-Key")...), req.Header.Peek("Api-Key")...))
	if models, ok := u.models.find(key, time.Now()); ok {
		return models
	}
	resp := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(resp)
	models := fetchModels(u, req, resp)
	u.models.keep(key, modelList{time.Now(), models})
	return models
}

func fetchModels(u *upstream, req *fasthttp.Request, resp *fasthttp.Response) []json.RawMessage {
	ok, _ := u.breaker.allow(time.Now())
	if !ok {
		return nil
	}
	pool := u.pool
	if err := pool.DoTimeout(req, resp, modelsTime); err != nil || resp.StatusCode() != http.StatusOK {
		return nil
	}
	var list struct {
		Data []json.RawMessage `json:"data"`
	}
	if json.Unmarshal(resp.Body(), &list) != nil {
		return nil
	}
	return list.Data
}

func (m *modelCache) find(key [32]byte, now time.Time) ([]json.RawMessage, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.lists[key]
	return l.models, ok && now.Sub(l.at) < modelsAge
}

func (m *modelCache) keep(key [32]byte, l modelList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lists == nil || len(m.lists) >= maxModelLists {
		m.lists = map[[32]byte]modelList{}
	}
	m.lists[key] = l
}
