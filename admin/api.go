package admin

import (
	"time"

	"heed/store"
	"heed/wire"
)

// list are the parameters of every list.
var list = []string{"limit", "after"}

// in reads the query of a call that takes only an app, and finds the app.
func (c *call) in(known ...string) (string, *params, error) {
	p := c.params(known...)
	if p.err != nil {
		return "", p, p.err
	}
	app, err := c.appOr(p.text("app"))
	return app, p, err
}

// body is in for a call with a JSON body.
func (c *call) body(v any) (string, error) {
	app, _, err := c.in()
	if err != nil {
		return "", err
	}
	return app, c.decode(v)
}

var exchangeParams = append([]string{"bodies", "since", "until", "step", "session", "unit", "user", "alias", "target",
	"rule", "outcome", "failure", "text", "queries"}, list...)

var outcomes = []string{"ok", "cancelled", "truncated", "upstream_error", "timeout", "refused"}

func exchangeFilter(app string, p *params) store.ExchangeFilter {
	return store.ExchangeFilter{
		App: app, Limit: p.limit(), After: p.text("after"), Bodies: p.bool("bodies"),
		Since: p.time("since"), Until: p.time("until"),
		Step: p.text("step"), Session: p.text("session"), Unit: p.text("unit"), User: p.text("user"),
		Alias: p.text("alias"), Target: p.text("target"), Rule: p.text("rule"),
		Outcome: store.Outcome(p.one("outcome", outcomes...)), Failure: p.text("failure"),
		Text: p.text("text"), Queries: p.bool("queries"),
	}
}

func (a *Admin) apiExchanges(c *call) (any, error) {
	app, p, err := c.in(exchangeParams...)
	if err != nil {
		return nil, err
	}
	f := exchangeFilter(app, p)
	if p.err != nil {
		return nil, p.err
	}
	xs, next, err := a.store.Exchanges(c.r.Context(), f)
	return pageOf(xs, next), err
}

// exchangeView is an exchange with its bodies as text and as a conversation.
type exchangeView struct {
	*store.Exchange
	RequestText  string       `json:"request_text,omitempty"` // bytes that are not UTF-8 replaced
	ResponseText string       `json:"response_text,omitempty"`
	Conversation []turnOfTalk `json:"conversation"`
	Tools        []string     `json:"tools,omitempty"`
}

type turnOfTalk struct {
	Role  string     `json:"role"`
	Text  string     `json:"text,omitempty"`
	Calls []toolCall `json:"tool_calls,omitempty"`
	Media []string   `json:"media,omitempty"`
}

type toolCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

func viewOf(x *store.Exchange) exchangeView {
	talk := wire.View(x.API, x.Request, x.Response)
	v := exchangeView{Exchange: x, RequestText: string(x.Request), ResponseText: string(x.Response), Tools: talk.Tools, Conversation: []turnOfTalk{}}
	for _, m := range talk.Messages {
		t := turnOfTalk{Role: m.Role, Text: m.Text, Media: m.Media}
		for _, call := range m.Calls {
			t.Calls = append(t.Calls, toolCall{call.Name, call.Arguments})
		}
		v.Conversation = append(v.Conversation, t)
	}
	return v
}

func (a *Admin) apiExchange(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	x, err := a.store.Exchange(c.r.Context(), app, c.id())
	if err != nil {
		return nil, err
	}
	return viewOf(x), nil
}

func (a *Admin) apiWhy(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	return a.whyOf(c.r.Context(), app, c.id())
}

func (a *Admin) apiFeedback(c *call) (any, error) {
	app, p, err := c.in(append([]string{"exchange", "session", "user", "since", "bad", "state", "text"}, list...)...)
	if err != nil {
		return nil, err
	}
	f := feedbackFilter(app, p)
	if p.err != nil {
		return nil, p.err
	}
	fs, next, err := a.store.Feedback(c.r.Context(), f)
	return pageOf(fs, next), err
}

func feedbackFilter(app string, p *params) store.FeedbackFilter {
	return store.FeedbackFilter{
		App: app, Limit: p.limit(), After: p.text("after"), Exchange: p.text("exchange"), Session: p.text("session"),
		User: p.text("user"), Since: p.time("since"), Bad: p.bool("bad"), Aside: p.one("state", stateAside) == stateAside,
		Text: p.text("text"),
	}
}

func (a *Admin) apiFeedbackOne(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	return a.store.FeedbackByID(c.r.Context(), app, c.id())
}

// because is the body of calls that only take a reason.
type because struct {
	Reason string `json:"reason"`
}

func (a *Admin) apiRetract(c *call) (any, error) {
	var in because
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	return a.retract(c.r.Context(), c.who, app, c.id(), in.Reason)
}

func (a *Admin) apiFindings(c *call) (any, error) {
	app, p, err := c.in(append([]string{"state"}, list...)...)
	if err != nil {
		return nil, err
	}
	f := store.FindingFilter{App: app, State: p.one("state", findingOpen, findingResolved), Limit: p.limit(), After: p.text("after")}
	if p.err != nil {
		return nil, p.err
	}
	fs, next, err := a.store.Findings(c.r.Context(), f)
	return pageOf(fs, next), err
}

func (a *Admin) apiFinding(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	return a.store.Finding(c.r.Context(), app, c.id())
}

func (a *Admin) apiResolve(c *call) (any, error) {
	var in because
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	return a.resolve(c.r.Context(), c.who, app, c.id(), in.Reason)
}

func (a *Admin) apiReopen(c *call) (any, error) {
	var in because
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	return a.reopen(c.r.Context(), c.who, app, c.id(), in.Reason)
}

func (a *Admin) apiAssign(c *call) (any, error) {
	var in struct {
		Owner string `json:"owner"`
	}
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	return a.assign(c.r.Context(), c.who, app, c.id(), in.Owner)
}

func (a *Admin) apiPropose(c *call) (any, error) {
	var in sentence
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	p, err := a.propose(c.r.Context(), c.who, app, c.id(), in)
	return created{shown(p)}, err
}

// proposalView is a proposal with the digest that an approval sends back.
type proposalView struct {
	*store.Proposal
	Digest string  `json:"digest"`
	Text   string  `json:"text,omitempty"` // the rule as it will read
	Share  float64 `json:"share"`          // of the logged requests that it would touch
}

func shown(p *store.Proposal) proposalView {
	if p == nil {
		return proposalView{}
	}
	v := proposalView{Proposal: p, Digest: p.Digest(), Share: p.Touch.Share()}
	if r := p.Rule(); r != nil {
		v.Text = r.Text()
	}
	return v
}

var proposalStates = []string{"open", "approved", "rejected", "expired", "snoozed"}

func (a *Admin) apiProposals(c *call) (any, error) {
	app, p, err := c.in(append([]string{"state", "rule"}, list...)...)
	if err != nil {
		return nil, err
	}
	f := store.ProposalFilter{App: app, State: store.ProposalState(p.one("state", proposalStates...)),
		Rule: p.text("rule"), Limit: p.limit(), After: p.text("after")}
	if p.err != nil {
		return nil, p.err
	}
	ps, next, err := a.store.Proposals(c.r.Context(), f)
	views := make([]proposalView, len(ps))
	for i := range ps {
		views[i] = shown(ps[i])
	}
	return pageOf(views, next), err
}

func (a *Admin) apiProposal(c *call) (any, error) {
	app, _, err := c.in()
	if err != nil {
		return nil, err
	}
	p, err := a.store.Proposal(c.r.Context(), app, c.id())
	return shown(p), err
}

func (a *Admin) apiEdit(c *call) (any, error) {
	var in edits
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	p, err := a.edit(c.r.Context(), c.who, app, c.id(), in)
	return shown(p), err
}

func (a *Admin) apiApprove(c *call) (any, error) {
	var in approval
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	head, err := a.approve(c.r.Context(), c.who, app, c.id(), in)
	if err != nil {
		return nil, err
	}
	p, err := a.store.Proposal(c.r.Context(), app, c.id())
	return map[string]any{"ruleset": head, "proposal": shown(p)}, err
}

func (a *Admin) apiReject(c *call) (any, error) {
	var in because
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	p, err := a.reject(c.r.Context(), c.who, app, c.id(), in.Reason)
	return shown(p), err
}

func (a *Admin) apiSnooze(c *call) (any, error) {
	var in struct {
		Until time.Time `json:"until"`
	}
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	p, err := a.snooze(c.r.Context(), c.who, app, c.id(), in.Until)
	return shown(p), err
}

func (a *Admin) apiTick(c *call) (any, error) {
	var in tick
	app, err := c.body(&in)
	if err != nil {
		return nil, err
	}
	p, err := a.tickSample(c.r.Context(), c.who, app, c.id(), in)
	return shown(p), err
}

func (a *Admin) apiCompare(c *call) (any, error) {
	app, err := c.body(&struct{}{})
	if err != nil {
		return nil, err
	}
	items, err := a.compare(c.r.Context(), app, c.id())
	return pageOf(items, ""), err
}
