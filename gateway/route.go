package gateway

import (
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"heed/rules"
	"heed/wire"
)

// route chooses the target, and those to try after it.
func (c *call) route() *Error {
	name := c.aliasName()
	d := &c.x.Decision.Target
	c.alias = c.cfg.aliases[name]
	if name == "" || c.alias == nil {
		u := c.unnamed()
		c.tries = append(c.tries[:0], rules.Share{Upstream: u.Name, Model: c.named})
		d.Upstream, d.Model, d.Propensity = u.Name, name, 1
		return nil
	}
	shares, topic := c.cfg.shares(c.alias, c.set.Set(), c.x.Facts.Step)
	shares = c.speaking(shares)
	i, p := rules.Choose(shares, name, c.x.Facts.Unit)
	if i < 0 {
		return &Error{Status: fasthttp.StatusBadGateway, Code: codeModel, Message: "no upstream of this model speaks this API"}
	}
	chosen := shares[i]
	if t, ok := c.alias.at(c.stored); ok && chosen.Upstream != c.stored {
		chosen, p = t, 1
	}
	d.Upstream, d.Model, d.Topic, d.Propensity = chosen.Upstream, chosen.Model, topic, p
	c.tries = append(c.tries[:0], chosen)
	if !c.alias.Fallback && len(c.alias.RetryStatuses) == 0 {
		return nil
	}
	for _, t := range c.alias.targets {
		if t.Upstream == chosen.Upstream && t.Model == chosen.Model || c.stored == chosen.Upstream && t.Upstream != c.stored {
			continue
		}
		c.tries = append(c.tries, t)
	}
	return nil
}

// at is the first target at an upstream.
func (a *alias) at(upstream string) (rules.Share, bool) {
	i := slices.IndexFunc(a.targets, func(t rules.Share) bool { return t.Upstream == upstream })
	if i < 0 {
		return rules.Share{}, false
	}
	return a.targets[i], true
}

// unnamed is the upstream of a call that no alias names: the one that has the stored
// response which it is about, else the first of its kind.
func (c *call) unnamed() *upstream {
	stored := c.stored
	if rest, ok := strings.CutPrefix(c.rel, "responses/"); ok {
		id, _, _ := strings.Cut(rest, "/")
		before, _ := c.g.chains.find(c.app.Name, id)
		stored = before.upstream
	}
	if u := c.cfg.upstreams[stored]; u != nil {
		return u
	}
	if strings.HasPrefix(c.rel, "messages") && c.cfg.anthropic != nil {
		return c.cfg.anthropic
	}
	return c.cfg.first
}

// speaking leaves out targets that speak another API than the client, where the
// alias has both kinds.
func (c *call) speaking(shares []rules.Share) []rules.Share {
	wants := func(s rules.Share) bool {
		u := c.cfg.upstreams[s.Upstream]
		return u != nil && (u.Kind == Anthropic) == (c.api == wire.Messages)
	}
	n := 0
	for _, s := range shares {
		if wants(s) {
			n++
		}
	}
	if n == 0 || n == len(shares) {
		return shares
	}
	some := make([]rules.Share, 0, n)
	for _, s := range shares {
		if wants(s) {
			some = append(some, s)
		}
	}
	return some
}
