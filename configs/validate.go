package configs

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// minSecretBytes is the shortest admin token and token key that is accepted.
const (
	minAdminToken = 12
	minTokenKey   = 32
)

// Validate reports everything that is wrong, joined, each with its key.
func (c *Config) Validate() error {
	v := &validation{}
	c.checkListeners(v)
	for name, u := range c.Upstreams.All() {
		v.upstream("upstreams."+name, u)
	}
	for name, m := range c.Models.All() {
		v.model("models."+name, m, &c.Upstreams)
	}
	keys := map[Secret]string{}
	for name, a := range c.Apps.All() {
		v.app("apps."+name, a, keys)
	}
	v.oneOf("learner.approval", c.Learner.Approval, "manual", "auto")
	v.share("learner.holdout", c.Learner.Holdout, 0.5)
	v.share("learner.max_touch", c.Learner.MaxTouch, 1)
	if m := c.Learner.Model; m != nil {
		v.url("learner.model.base_url", m.BaseURL)
		if m.Model == "" {
			v.addf("learner.model.model: want the model's name")
		}
		if m.CallsDay < 0 || m.TokensDay < 0 || m.Timeout < 0 {
			v.addf("learner.model: calls_per_day, tokens_per_day and timeout: want 0 (the default) or more")
		}
	}
	for name, p := range c.Prices.All() {
		v.price("prices."+name, p)
	}
	v.telemetry(&c.Telemetry)
	if c.Store.Redis != "" {
		if u, err := url.Parse(c.Store.Redis.Reveal()); err != nil || !slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme) {
			v.addf("store.redis: want a URL such as redis://127.0.0.1:6379/0")
		}
		if c.Gateway.TokenKey == "" {
			v.addf("gateway.token_key: required with store.redis, so that every replica accepts every token; give 32 random bytes or more")
		}
	}
	return errors.Join(v.errs...)
}

func (c *Config) checkListeners(v *validation) {
	v.listen("gateway.listen", c.Gateway.Listen)
	v.listen("admin.listen", c.Admin.Listen)
	c.checkMetrics(v, "gateway.metrics_listen", c.Gateway.Metrics)
	c.checkMetrics(v, "learner.metrics_listen", c.Learner.Metrics)
	if k := len(c.Gateway.TokenKey); k > 0 && k < minTokenKey {
		v.addf("gateway.token_key: %d bytes, want at least %d random ones", k, minTokenKey)
	}
	if u := c.Gateway.PublicURL; u != "" {
		v.url("gateway.public_url", u)
	}
	l := c.Gateway.Limits
	v.notNegative("gateway.token_ttl", int64(c.Gateway.TokenTTL))
	v.notNegative("gateway.grace", int64(c.Gateway.Grace))
	v.notNegative("gateway.limits.in_flight", int64(l.InFlight))
	v.notNegative("gateway.limits.connections", int64(l.Connections))
	v.notNegative("gateway.limits.request_timeout", int64(l.Request))
	v.notNegative("gateway.limits.send_timeout", int64(l.Send))
	if !Loopback(c.Gateway.Listen) && !c.Gateway.Open && c.hasProviderKey() && !c.hasAppKeys() {
		v.addf("gateway.listen: %s is reachable from other machines, an upstream has an api_key, and no app has keys: anybody could spend it. "+
			"Give apps.<name>.keys, listen on 127.0.0.1, or set gateway.open: true", c.Gateway.Listen)
	}
	if !Loopback(c.Admin.Listen) && !c.Admin.Insecure {
		v.addf("admin.listen: %s is reachable from other machines without TLS: listen on 127.0.0.1 behind a TLS proxy, or set admin.insecure: true", c.Admin.Listen)
	}
	names, decide := map[string]bool{}, 0
	for i, t := range c.Admin.Tokens {
		at := fmt.Sprintf("admin.tokens[%d]", i)
		if t.Name == "" || names[t.Name] {
			v.addf("%s.name: want a name of its own", at)
		}
		names[t.Name] = true
		if t.Role == "owner" || t.Role == "approver" {
			decide++
		}
		v.oneOf(at+".role", t.Role, "owner", "approver", "viewer")
		if len(t.Token) < minAdminToken {
			v.addf("%s.token: want at least %d characters", at, minAdminToken)
		}
	}
	if c.Admin.FourEyes && decide < 2 {
		v.addf("admin.four_eyes: needs two admin.tokens of role owner or approver, there are %d: nobody could approve what the other wrote", decide)
	}
}

// checkMetrics checks where a part without admin shows its metrics, to who has one
// of admin's tokens.
func (c *Config) checkMetrics(v *validation, key, addr string) {
	if addr == "" {
		return
	}
	v.listen(key, addr)
	if !Loopback(addr) && !c.Admin.Insecure {
		v.addf("%s: %s is reachable from other machines without TLS: listen on 127.0.0.1 behind a TLS proxy, or set admin.insecure: true", key, addr)
	}
}

func (c *Config) hasProviderKey() bool {
	for _, u := range c.Upstreams.All() {
		if u != nil && u.APIKey != "" {
			return true
		}
	}
	return false
}

func (c *Config) hasAppKeys() bool {
	for _, a := range c.Apps.All() {
		if a != nil && len(a.Keys) > 0 {
			return true
		}
	}
	return false
}

// Loopback says whether a listen address is reachable from this machine only.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

type validation struct{ errs []error }

func (v *validation) addf(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format, args...))
}

func (v *validation) listen(at, addr string) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		v.addf("%s: %q: want host:port, for example 127.0.0.1:8080", at, addr)
	}
}

func (v *validation) url(at, raw string) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		v.addf("%s: want an http or https URL without user, query and fragment", at)
	}
}

func (v *validation) oneOf(at, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.addf("%s: %q: want one of %s", at, value, strings.Join(allowed, ", "))
	}
}

func (v *validation) share(at string, s *float64, most float64) {
	if s != nil && !(*s >= 0 && *s <= most) {
		v.addf("%s: %v: want a share between 0 and %v", at, *s, most)
	}
}

func (v *validation) upstream(at string, u *Upstream) {
	if u == nil {
		v.addf("%s: want at least base_url", at)
		return
	}
	v.url(at+".base_url", u.BaseURL)
	v.oneOf(at+".kind", u.Kind, "openai", "azure", "anthropic")
	v.oneOf(at+".placement", u.Placement, "system", "tail", "user")
	v.notNegative(at+".connect_timeout", int64(u.Connect))
	v.notNegative(at+".tls_timeout", int64(u.TLS))
	v.notNegative(at+".write_timeout", int64(u.Write))
	v.notNegative(at+".first_byte_timeout", int64(u.FirstByte))
	v.notNegative(at+".idle_timeout", int64(u.Idle))
	v.notNegative(at+".total_timeout", int64(u.Total))
	v.notNegative(at+".breaker_pause", int64(u.Pause))
	v.notNegative(at+".max_connections", int64(u.MaxConns))
}

// notNegative refuses what is below 0; 0 is the default.
func (v *validation) notNegative(at string, n int64) {
	if n < 0 {
		v.addf("%s: below 0", at)
	}
}

func (v *validation) model(at string, m *Model, ups *Ordered[Upstream]) {
	if m == nil || len(m.Targets) == 0 {
		v.addf("%s.targets: want at least one", at)
		return
	}
	v.oneOf(at+".routing", m.Routing, "off", "propose", "auto")
	for _, status := range m.RetryStatuses {
		if status < 400 || status > 599 {
			v.addf("%s.retry_statuses: %d: want statuses between 400 and 599", at, status)
		}
	}
	var total float64
	for i, t := range m.Targets {
		if _, ok := ups.Lookup(t.Upstream); !ok {
			v.addf("%s.targets[%d].upstream: %q is not among upstreams%s", at, i, t.Upstream, nearest(t.Upstream, slices.Clone(ups.Names())))
		}
		if t.Model == "" {
			v.addf("%s.targets[%d].model: want the model name sent to the upstream", at, i)
		}
		if !(*t.Weight >= 0 && *t.Weight <= 1e9) {
			v.addf("%s.targets[%d].weight: %v: want 0 or more", at, i, *t.Weight)
		}
		total += *t.Weight
	}
	if total <= 0 {
		v.addf("%s.targets: all weights are 0", at)
	}
}

func (v *validation) app(at string, a *App, keys map[Secret]string) {
	if a == nil {
		v.addf("%s: empty; give keys, or {} for an app without one", at)
		return
	}
	v.oneOf(at+".rules", a.Rules, "on", "observe", "off")
	v.oneOf(at+".bodies", a.Bodies, "full", "redacted", "none")
	v.oneOf(at+".approval", a.Approval, "manual", "auto")
	v.share(at+".holdout", a.Holdout, 0.5)
	v.notNegative(at+".in_flight", int64(a.InFlight))
	v.notNegative(at+".requests_per_minute", int64(a.RequestsMinute))
	v.notNegative(at+".tokens_per_minute", int64(a.TokensMinute))
	for i, k := range a.Keys {
		if hash, ok := strings.CutPrefix(k.Reveal(), "sha256:"); ok {
			if b, err := hex.DecodeString(hash); err != nil || len(b) != 32 {
				v.addf("%s.keys[%d]: want 64 hex digits behind sha256:", at, i)
			}
		} else if len(k) < 8 || strings.ContainsAny(k.Reveal(), " \t\r\n") {
			v.addf("%s.keys[%d]: want at least 8 characters without spaces", at, i)
		}
		if other, taken := keys[k]; taken {
			v.addf("%s.keys[%d]: already a key of %s", at, i, other)
		}
		keys[k] = at
	}
	v.queryPath(at, a.QueryPath)
	v.patterns(at, a)
	for i, o := range a.AllowedOrigins {
		if u, err := url.Parse(o); err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
			v.addf("%s.allowed_origins[%d]: %q: want scheme://host[:port], without a path", at, i, o)
		}
	}
}

// maxPrice is the highest price that is taken for one, in US dollars a million.
const maxPrice = 1e6

func (v *validation) price(at string, p *Price) {
	if p == nil {
		v.addf("%s: want input and output, in US dollars per million tokens", at)
		return
	}
	for key, usd := range map[string]*float64{"input": &p.Input, "cached": p.Cached, "output": &p.Output} {
		if usd != nil && !(*usd >= 0 && *usd <= maxPrice) {
			v.addf("%s.%s: %v: want US dollars per million tokens, 0 to %v", at, key, *usd, maxPrice)
		}
	}
}

// maxPathSteps is wire.Path's.
const maxPathSteps = 32

func (v *validation) queryPath(at, path string) {
	if path == "" {
		return
	}
	steps := strings.Split(path, ".")
	if len(steps) > maxPathSteps || slices.Contains(steps, "") {
		v.addf("%s.query_path: %q: want at most %d keys and indexes divided by dots, such as messages.-1.content.question", at, path, maxPathSteps)
	}
}

func (v *validation) telemetry(t *Telemetry) {
	if t.Endpoint != "" {
		v.url("telemetry.otlp_endpoint", t.Endpoint)
	}
	if t.Endpoint == "" && len(t.Headers) > 0 {
		v.addf("telemetry.headers: sent nowhere without telemetry.otlp_endpoint")
	}
	for _, name := range slices.Sorted(maps.Keys(t.Headers)) {
		if !headerName.MatchString(name) || strings.ContainsAny(t.Headers[name].Reveal(), "\r\n\x00") {
			v.addf("telemetry.headers: %q: want the name of a header and a value on one line", name)
		}
	}
}

// headerName is a token of RFC 9110, section 5.6.2.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")

// Limits of redact: each pattern is tried on every body.
const (
	maxPatterns     = 32
	maxPatternBytes = 1000
)

func (v *validation) patterns(at string, a *App) {
	if len(a.Redact) > maxPatterns {
		v.addf("%s.redact: %d patterns, want at most %d", at, len(a.Redact), maxPatterns)
	}
	if len(a.Redact) > 0 && a.Bodies == "full" {
		v.addf("%s.redact: nothing is redacted with bodies: full; set bodies: redacted", at)
	}
	for i, p := range a.Redact {
		re, err := regexp.Compile(p)
		switch {
		case len(p) > maxPatternBytes:
			v.addf("%s.redact[%d]: want at most %d bytes", at, i, maxPatternBytes)
		case err != nil:
			v.addf("%s.redact[%d]: want a regular expression (RE2): %v", at, i, err)
		case re.MatchString(""):
			v.addf("%s.redact[%d]: %q matches the empty text; want one that matches what is secret", at, i, p)
		}
	}
}
