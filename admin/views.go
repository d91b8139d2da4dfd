package admin

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"heed/rules"
	"heed/store"
)

type ruleRow struct {
	*rules.Rule
	Effect *effect
}

type rulesPage struct {
	Live, Past []ruleRow
	Stats      *stats
	FourEyes   bool
}

func (a *Admin) pageRules(c *call) error {
	app, _, err := c.in()
	if err != nil {
		return err
	}
	all, err := a.allRules(c.r.Context(), app)
	if err != nil {
		return err
	}
	in := rulesPage{FourEyes: a.opt.FourEyes}
	if in.Stats, err = a.statsOf(c.r.Context(), app); err != nil {
		return err
	}
	for i := range all {
		r := &all[i]
		row := ruleRow{r, in.Stats.Rules[r.ID]}
		if r.State == rules.Active || r.State == rules.Canary {
			in.Live = append(in.Live, row)
		} else {
			in.Past = append(in.Past, row)
		}
	}
	return c.show("rules", "Rules", "rules", app, in)
}

type rulePage struct {
	Rule     *rules.Rule
	Versions []rules.Rule
	Effect   *effect
	Words    []whose
	History  []store.Audit
	Recent   []*store.Exchange
	Names    map[string]string
}

func (a *Admin) pageRule(c *call) error {
	app, _, err := c.in()
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	var in rulePage
	if in.Rule, in.Versions, err = a.newestVersion(ctx, app, c.id()); err != nil {
		return err
	}
	if in.Effect, err = a.effectOf(ctx, app, c.id()); err != nil {
		return err
	}
	if in.Words, err = a.words(ctx, in.Rule); err != nil {
		return err
	}
	if in.Recent, _, err = a.store.Exchanges(ctx, store.ExchangeFilter{App: app, Rule: c.id(), Limit: 8}); err != nil {
		return err
	}
	if in.Names, err = a.actions(ctx, app, in.Recent); err != nil {
		return err
	}
	entries, _, err := a.store.Audits(ctx, store.AuditFilter{App: app, Limit: store.MaxPage})
	for _, e := range entries {
		if about(&e, c.id()) {
			in.History = append(in.History, e)
		}
	}
	if err != nil {
		return err
	}
	return c.show("rule", "Rule", "rules", app, in)
}

// about says whether the entry changed the rule.
func about(e *store.Audit, rule string) bool {
	return e.Target == rule || slices.ContainsFunc(e.Ops, func(op rules.Operation) bool {
		return op.Rule != nil && op.Rule.ID == rule || slices.Contains(op.IDs, rule)
	})
}

func (a *Admin) doAddRule(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	in := newRule{Action: c.field("action"), AppliesWhen: c.field("applies_when"), Examples: lines(c.field("examples")), Fact: c.fact()}
	in.Scope.Always = c.field("always") != ""
	if in.ValidTo, err = c.until(); err != nil {
		return err
	}
	if in.Holdout, err = c.percent("holdout"); err != nil {
		return err
	}
	if a.opt.FourEyes {
		if _, err := a.proposeRule(c.r.Context(), c.who, app, in); err != nil {
			return err
		}
		return c.done("/rules?app="+url.QueryEscape(app), "Proposed. Somebody else must approve it: it waits in the inbox.")
	}
	_, head, err := a.addRule(c.r.Context(), c.who, app, in)
	if err != nil {
		return err
	}
	return c.done("/rules?app="+url.QueryEscape(app), "In force from the next request on, as rule set %d.", head.Epoch)
}

var stateDone = map[string]string{
	"pause": "Paused. It is out of force until somebody resumes it.", "resume": "Resumed.", "retire": "Retired.",
}

func (a *Admin) doRule(c *call) error {
	action := c.r.PathValue("action")
	said, ok := stateDone[action]
	if !ok && action != "tune" {
		return a.pageUnknown(c)
	}
	app, err := c.form()
	if err != nil {
		return err
	}
	if action == "tune" {
		return a.doTune(c, app)
	}
	if _, _, err := a.setState(c.r.Context(), c.who, app, c.id(), action, c.field("reason")); err != nil {
		return err
	}
	return c.done("/rules", "%s", said)
}

func (a *Admin) doTune(c *call, app string) error {
	in := tuning{Reason: c.field("reason")}
	var err error
	if in.Holdout, err = c.percent("holdout"); err != nil {
		return err
	}
	if in.Ramp, err = c.percent("ramp"); err != nil {
		return err
	}
	if c.field("valid_to")+c.field("source") != "" {
		until, err := c.until()
		if err != nil {
			return err
		}
		in.ValidTo = &until
		if c.field("source") != "" {
			in.Fact = c.fact()
		}
	}
	r, _, err := a.tune(c.r.Context(), c.who, app, c.id(), in)
	if err != nil {
		return err
	}
	return c.done("/rules", "Changed: version %d is in force.", r.Version)
}

func (a *Admin) pageRuleset(c *call) error {
	app, _, err := c.in()
	if err != nil {
		return err
	}
	in, err := a.rollBackTo(c.r.Context(), app, c.r.PathValue("hash"))
	if err != nil {
		return err
	}
	if in.Head.Hash != in.Now.Hash {
		if in.Replay, err = a.replaySet(c.r.Context(), app, in.Head.Hash, store.DefaultTouch); err != nil {
			return err
		}
	}
	return c.show("ruleset", "Rule set", "rulesets", app, in)
}

func (a *Admin) pageRulesets(c *call) error {
	app, _, err := c.in()
	if err != nil {
		return err
	}
	heads, err := a.store.Heads(c.r.Context(), app, 200)
	if err != nil {
		return err
	}
	return c.show("rulesets", "History", "rulesets", app, heads)
}

func (a *Admin) doActivate(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	head, err := a.activate(c.r.Context(), c.who, app, c.r.PathValue("hash"), c.field("reason"))
	if err != nil {
		return err
	}
	return c.done("/rulesets", "Rolled back. In force from the next request on, as rule set %d.", head.Epoch)
}

// listPage is a page of a list with its filters and the address of the next.
type listPage struct {
	Items  any
	Filter url.Values
	Next   string
	Names  map[string]string // of exchanges: their rules' actions by id
}

// Outcomes are what the page of exchanges filters by.
func (listPage) Outcomes() []string { return outcomes }

// nextLink is the page's own address with the cursor of the next page.
func nextLink(c *call, next string) string {
	if next == "" {
		return ""
	}
	q := c.r.URL.Query()
	q.Set("after", next)
	return c.r.URL.Path + "?" + q.Encode()
}

func (a *Admin) pageExchanges(c *call) error {
	app, p, err := c.in(exchangeParams...)
	if err != nil {
		return err
	}
	f := exchangeFilter(app, p)
	if p.err != nil {
		return p.err
	}
	f.Bodies = false
	xs, next, err := a.store.Exchanges(c.r.Context(), f)
	if err != nil {
		return err
	}
	names, err := a.actions(c.r.Context(), app, xs)
	if err != nil {
		return err
	}
	return c.show("exchanges", "Exchanges", "exchanges", app, listPage{xs, p.v, nextLink(c, next), names})
}

// actions are what the rules of the exchanges say, by rule id.
func (a *Admin) actions(ctx context.Context, app string, xs []*store.Exchange) (map[string]string, error) {
	out := map[string]string{}
	ruled := func(x *store.Exchange) bool { return len(x.Decision.Rules) > 0 }
	if !slices.ContainsFunc(xs, ruled) {
		return out, nil
	}
	all, err := a.allRules(ctx, app)
	for _, r := range all {
		out[r.ID] = r.Action
	}
	return out, err
}

type exchangePage struct {
	X        exchangeView
	Why      *why
	Feedback []*store.Feedback
}

func (a *Admin) pageExchange(c *call) error {
	app, _, err := c.in()
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	x, err := a.store.Exchange(ctx, app, c.id())
	if err != nil {
		return err
	}
	in := exchangePage{X: viewOf(x)}
	if in.Why, err = a.explain(ctx, x); err != nil {
		return err
	}
	if in.Feedback, _, err = a.store.Feedback(ctx, store.FeedbackFilter{App: app, Exchange: x.ID}); err != nil {
		return err
	}
	return c.show("exchange", "Exchange", "exchanges", app, in)
}

// pageBody hands out a logged body as a file, never as a page.
func (a *Admin) pageBody(c *call) error {
	app, _, err := c.in()
	if err != nil {
		return err
	}
	x, err := a.store.Exchange(c.r.Context(), app, c.id())
	if err != nil {
		return err
	}
	body, ok := map[string][]byte{"request": x.Request, "response": x.Response}[c.r.PathValue("part")]
	if !ok {
		return a.pageUnknown(c)
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.Header().Set("Content-Disposition", "attachment; filename="+strconv.Quote(c.r.PathValue("part")+"-"+short(x.ID)+".txt"))
	_, _ = c.w.Write(body) // a client that left needs no body
	return nil
}

func (a *Admin) pageFeedback(c *call) error {
	app, p, err := c.in(append([]string{"exchange", "session", "user", "since", "bad", "state", "text"}, list...)...)
	if err != nil {
		return err
	}
	f := feedbackFilter(app, p)
	if p.err != nil {
		return p.err
	}
	fs, next, err := a.store.Feedback(c.r.Context(), f)
	if err != nil {
		return err
	}
	return c.show("feedback", "Feedback", "feedback", app, listPage{Items: fs, Filter: p.v, Next: nextLink(c, next)})
}

func (a *Admin) doRetract(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	if _, err := a.retract(c.r.Context(), c.who, app, c.id(), c.field("reason")); err != nil {
		return err
	}
	return c.done("/feedback", "Taken back. What rested on it is derived anew.")
}

type routingPage struct {
	*routing
	Cards []card
}

func (a *Admin) pageRouting(c *call) error {
	app, _, err := c.in()
	if err != nil {
		return err
	}
	in := routingPage{}
	if in.routing, err = a.routingOf(c.r.Context(), app); err != nil {
		return err
	}
	open, err := a.proposals(c.r.Context(), app, store.Open)
	if err != nil {
		return err
	}
	_, set, err := store.Current(c.r.Context(), a.store, app)
	if err != nil {
		return err
	}
	for _, p := range open {
		if k := a.card(c, p, set, "/routing?app="+url.QueryEscape(app)); k.Policy != nil {
			in.Cards = append(in.Cards, k)
		}
	}
	return c.show("routing", "Routing", "routing", app, in)
}

func (a *Admin) pageAudit(c *call) error {
	app, p, err := c.in(append([]string{"target", "action"}, list...)...)
	if err != nil {
		return err
	}
	f := store.AuditFilter{App: app, Target: p.text("target"), Action: p.text("action"), Limit: p.limit(), After: p.text("after")}
	if p.err != nil {
		return p.err
	}
	as, next, err := a.store.Audits(c.r.Context(), f)
	if err != nil {
		return err
	}
	first, err := a.store.VerifyAudit(c.r.Context(), app)
	if err != nil {
		return err
	}
	return c.show("audit", "Audit", "audit", app, map[string]any{"List": listPage{Items: as, Filter: p.v, Next: nextLink(c, next)}, "FirstBad": first})
}

// lines splits a text field into its filled lines.
func lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
