package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"heed/rules"
	"heed/wire"
)

// config is what Options compile to: read on the request path, swapped whole.
type config struct {
	opt       *Options
	apps      map[string]*app
	keys      map[[32]byte]*appKey // by SHA-256 of the key: a lookup tells nothing about near misses
	keyless   bool                 // no app has a key: everybody is the one app
	only      *appKey              // the one app, when keyless
	spends    bool                 // some upstream has a key of its own
	upstreams map[string]*upstream
	first     *upstream // takes what no alias names
	anthropic *upstream // takes /v1/messages; nil when there is none
	aliases   map[string]*alias
	origins   map[string]bool // of all apps: a preflight carries no key
	signer    *signer

	feedbackURL string
}

// app is an App at work. Its state outlives a reload.
type app struct {
	App
	*appState
	origins map[string]bool
	models  map[string]bool // nil: all
}

// appKey is one of an app's keys, with the rates it is held to.
type appKey struct {
	app  *app
	rate *rate
}

// alias is an Alias at work.
type alias struct {
	Alias
	targets []rules.Share // those whose upstream exists
}

// compile checks opt and makes it ready. What old has of the same apps, keys and
// upstreams goes on: rule sets, counters, connections.
func compile(opt *Options, old *config) (*config, error) {
	c := &config{
		opt: opt, apps: map[string]*app{}, keys: map[[32]byte]*appKey{}, upstreams: map[string]*upstream{},
		aliases: map[string]*alias{}, origins: map[string]bool{}, feedbackURL: strings.TrimRight(opt.PublicURL, "/") + "/heed/feedback",
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	c.compileUpstreams(old, bad)
	c.compileAliases(bad)
	c.compileApps(old, bad)
	prices(opt.Prices).check(bad)
	var err error
	if c.signer, err = newSigner(opt.TokenKeys, opt.TokenTTL); err != nil {
		bad("%w", err)
	}
	if opt.PublicURL != "" {
		if u, err := url.Parse(opt.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			bad("gateway.public_url %q: want http(s)://host", opt.PublicURL)
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("gateway: %w", errors.Join(errs...))
	}
	return c, nil
}

func (c *config) compileUpstreams(old *config, bad func(string, ...any)) {
	if len(c.opt.Upstreams) == 0 {
		bad("no upstream: configure one under upstreams")
	}
	for _, o := range c.opt.Upstreams {
		if c.upstreams[o.Name] != nil || o.Name == "" {
			bad("upstream %q: want a name of its own", o.Name)
			continue
		}
		var u *upstream
		if old != nil && old.upstreams[o.Name] != nil && old.upstreams[o.Name].Upstream == o {
			u = old.upstreams[o.Name]
		} else {
			var err error
			if u, err = newUpstream(o); err != nil {
				bad("upstream %q: %w", o.Name, err)
				continue
			}
		}
		c.upstreams[o.Name] = u
		c.spends = c.spends || o.APIKey != ""
		if o.Kind == Anthropic && c.anthropic == nil {
			c.anthropic = u
		}
		if o.Kind != Anthropic && c.first == nil {
			c.first = u
		}
	}
	if c.first == nil {
		c.first = c.anthropic
	}
}

func (c *config) compileAliases(bad func(string, ...any)) {
	for _, a := range c.opt.Aliases {
		if a.Name == "" || c.aliases[a.Name] != nil {
			bad("model %q: want a name of its own", a.Name)
			continue
		}
		if len(a.Targets) == 0 {
			bad("model %q: no targets", a.Name)
			continue
		}
		var total float64
		for _, t := range a.Targets {
			if c.upstreams[t.Upstream] == nil {
				bad("model %q: target names upstream %q, which is not configured", a.Name, t.Upstream)
			}
			if t.Model == "" {
				bad("model %q: a target without a model", a.Name)
			}
			if !(t.Weight >= 0 && t.Weight <= 1e9) {
				bad("model %q: weight %v: want 0 or more", a.Name, t.Weight)
			}
			total += t.Weight
		}
		if total <= 0 {
			bad("model %q: all weights are 0", a.Name)
		}
		c.aliases[a.Name] = &alias{Alias: a, targets: slices.Clone(a.Targets)}
	}
}

func (c *config) compileApps(old *config, bad func(string, ...any)) {
	for _, o := range c.opt.Apps {
		if o.Name == "" || c.apps[o.Name] != nil || len(o.Name) > maxAppName {
			bad("app %q: want a name of its own, at most %d bytes", o.Name, maxAppName)
			continue
		}
		if len(o.Keys) == 0 && len(c.opt.Apps) > 1 {
			bad("app %q: no key; an app without one must be the only app", o.Name)
		}
		a := &app{App: o, origins: map[string]bool{}}
		if old != nil && old.apps[o.Name] != nil {
			a.appState = old.apps[o.Name].appState
		} else {
			a.appState = newAppState(o.Name)
		}
		if o.QueryPath != "" && !wire.ValidPath(o.QueryPath) {
			bad("app %q: query_path %q: want keys and indexes divided by dots, such as messages.-1.content.question", o.Name, o.QueryPath)
		}
		for _, origin := range o.AllowedOrigins {
			if u, err := url.Parse(origin); err != nil || u.Host == "" || u.Path != "" || strings.Contains(origin, "*") {
				bad("app %q: allowed origin %q: want scheme://host[:port], no path, no wildcard", o.Name, origin)
			}
			a.origins[origin], c.origins[origin] = true, true
		}
		if len(o.Models) > 0 {
			a.models = map[string]bool{}
			for _, m := range o.Models {
				a.models[m] = true
			}
		}
		c.apps[o.Name] = a
		c.compileKeys(a, old, bad)
	}
}

func (c *config) compileKeys(a *app, old *config, bad func(string, ...any)) {
	if len(a.Keys) == 0 {
		c.keyless, c.only = true, &appKey{app: a, rate: newRate(a)}
		if old != nil && old.only != nil && old.only.rate.same(c.only.rate) {
			c.only.rate = old.only.rate
		}
		return
	}
	for i, k := range a.Keys {
		sum := sha256.Sum256([]byte(k))
		if digits, ok := strings.CutPrefix(string(k), "sha256:"); ok {
			b, err := hex.DecodeString(digits)
			if err != nil || copy(sum[:], b) != len(sum) || len(b) != len(sum) {
				bad("app %q: key %d: want sha256: and 64 hex digits", a.Name, i+1)
				continue
			}
		} else if len(k) < minKeyBytes {
			bad("app %q: key %d has fewer than %d characters", a.Name, i+1, minKeyBytes)
			continue
		}
		if other := c.keys[sum]; other != nil {
			bad("app %q: key %d is also a key of app %q", a.Name, i+1, other.app.Name)
			continue
		}
		key := &appKey{app: a, rate: newRate(a)}
		if old != nil && old.keys[sum] != nil && old.keys[sum].rate.same(key.rate) {
			key.rate = old.keys[sum].rate
		}
		c.keys[sum] = key
	}
}

// Limits of what an operator writes.
const (
	maxAppName  = 64 // it stands in every token
	minKeyBytes = 8
)
