package admin

import (
	"context"
	"encoding/json"
	"fmt"

	"heed/rules"
	"heed/store"
)

var ruleStates = []string{"active", "canary", "paused", "superseded", "retired"}

func (a *Admin) apiRules(c *call) (any, error) {
	app, p, err := c.in(append([]string{"state"}, list...)...)
	if err != nil {
		return nil, err
	}
	state, limit := p.one("state", ruleStates...), p.limit()
	if p.err != nil {
		return nil, p.err
	}
	all, err := a.allRules(c.r.Context(), app)
	if err != nil {
		return nil, err
	}
	var out []rules.Rule
	seen := p.text("after") == ""
	for _, r := range all {
		if seen && (state == "" || string(r.State) == state) {
			if len(out) == limit {
				return pageOf(out, out[limit-1].ID), nil
			}
			out = append(out, r)
		}
		seen = seen || r.ID == p.text("after")
	}
	if !seen {
		return nil, badRequest("after", "after: this cursor is of no rule of this app")
	}
	return pageOf(out, ""), nil
}

func (a *Admin) apiRule(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	r, versions, err := a.newestVersion(c.r.Context(), app, c.id())
	if err != nil {
		return nil, err
	}
	e, err := a.effectOf(c.r.Context(), app, r.ID)
	if err != nil {
		return nil, err
	}
	words, err := a.words(c.r.Context(), r)
	return map[string]any{"rule": r, "text": r.Text(), "versions": versions, "effect": e, "words": words}, err
}

func (a *Admin) apiAddRule(c *call) (any, error) {
	var in newRule
	app, p, err := c.in()
	if err != nil {
		return nil, err
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.App != "" {
		if p.text("app") != "" && in.App != app {
			return nil, badRequest("app", fmt.Sprintf("the body says app %q, the query %q", clip(in.App, 60), app))
		}
		if app, err = c.appOr(in.App); err != nil {
			return nil, err
		}
	}
	if a.opt.FourEyes {
		p, err := a.proposeRule(c.r.Context(), c.who, app, in)
		return created{shown(p)}, err
	}
	r, head, err := a.addRule(c.r.Context(), c.who, app, in)
	return created{ruleAnswer{r, head}}, err
}

// ruleAnswer is a rule that changed and the head after it.
type ruleAnswer struct {
	*rules.Rule
	Head rules.Head `json:"ruleset"`
}

func (a *Admin) apiTune(c *call) (any, error) {
	var in tuning
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	r, head, err := a.tune(c.r.Context(), c.who, app, c.id(), in)
	return ruleAnswer{r, head}, err
}

func (a *Admin) apiState(c *call, action string) (any, error) {
	var in because
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	r, head, err := a.setState(c.r.Context(), c.who, app, c.id(), action, in.Reason)
	return ruleAnswer{r, head}, err
}

func (a *Admin) apiRetire(c *call) (any, error) { return a.apiState(c, "retire") }
func (a *Admin) apiPause(c *call) (any, error)  { return a.apiState(c, "pause") }
func (a *Admin) apiResume(c *call) (any, error) { return a.apiState(c, "resume") }

// routing is what moves traffic among targets.
type routing struct {
	Items   []rules.Policy       `json:"items"`
	Next    string               `json:"next"`
	Ratings []store.TargetRating `json:"ratings"`
	Head    rules.Head           `json:"ruleset"`
}

func (a *Admin) routingOf(ctx context.Context, app string) (*routing, error) {
	head, set, err := store.Current(ctx, a.store, app)
	if err != nil {
		return nil, err
	}
	ratings, err := a.store.Ratings(ctx, app)
	out := &routing{Items: set.Routing, Ratings: ratings, Head: head}
	if out.Items == nil {
		out.Items = []rules.Policy{}
	}
	if out.Ratings == nil {
		out.Ratings = []store.TargetRating{}
	}
	return out, err
}

func (a *Admin) apiRouting(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	return a.routingOf(c.r.Context(), app)
}

func (a *Admin) apiRoute(c *call) (any, error) {
	var in struct {
		rules.Policy
		Reason string `json:"reason"`
	}
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	head, err := a.publish(c.r.Context(), app, store.Audit{
		Actor: c.who.Name, Action: "route", Target: in.Alias, Reason: in.Reason,
		Ops: []rules.Operation{{Kind: rules.Route, Policy: &in.Policy}},
	})
	return map[string]any{"ruleset": head, "policy": in.Policy}, err
}

func (a *Admin) apiRulesets(c *call) (any, error) {
	app, p, err := c.in("limit")
	if err != nil {
		return nil, err
	}
	limit := p.limit()
	if p.err != nil {
		return nil, p.err
	}
	heads, err := a.store.Heads(c.r.Context(), app, limit)
	return pageOf(heads, ""), err
}

func (a *Admin) apiRuleset(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	set, err := a.store.Set(c.r.Context(), app, c.r.PathValue("hash"))
	if err != nil {
		return nil, err
	}
	return json.RawMessage(set.JSON()), nil
}

func (a *Admin) apiActivate(c *call) (any, error) {
	var in because
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	head, err := a.activate(c.r.Context(), c.who, app, c.r.PathValue("hash"), in.Reason)
	return map[string]any{"ruleset": head}, err
}

func (a *Admin) apiAudit(c *call) (any, error) {
	app, p, err := c.in(append([]string{"target", "action"}, list...)...)
	if err != nil {
		return nil, err
	}
	f := store.AuditFilter{App: app, Target: p.text("target"), Action: p.text("action"), Limit: p.limit(), After: p.text("after")}
	if p.err != nil {
		return nil, p.err
	}
	as, next, err := a.store.Audits(c.r.Context(), f)
	return pageOf(as, next), err
}

func (a *Admin) apiVerify(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	first, err := a.store.VerifyAudit(c.r.Context(), app)
	return map[string]any{"ok": first == 0, "first_bad": first}, err
}

func (a *Admin) apiStats(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	return a.statsOf(c.r.Context(), app)
}

func (a *Admin) apiApps(c *call) (any, error) {
	if p := c.params(); p.err != nil {
		return nil, p.err
	}
	apps, err := a.apps(c.r.Context())
	return pageOf(apps, ""), err
}
