package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"heed/configs"
	"heed/gateway"
	"heed/rules"
	"heed/wire"
)

// gatewayOptions is the configuration as the gateway takes it.
func gatewayOptions(c *configs.Config) (gateway.Options, error) {
	l := c.Gateway.Limits
	o := gateway.Options{
		Listen: c.Gateway.Listen, PublicURL: c.Gateway.PublicURL, Open: c.Gateway.Open, TokenTTL: c.Gateway.TokenTTL,
		Limits: gateway.Limits{Body: int64(l.Body), BytesHeld: int64(l.BytesHeld), InFlight: l.InFlight, Connections: l.Connections, Head: l.Request, Send: l.Send},
	}
	o.Queue.MaxBytes = int64(l.Queue)
	o.Telemetry = gateway.Telemetry{Endpoint: c.Telemetry.Endpoint, Service: c.Telemetry.Service, Headers: map[string]gateway.Secret{}}
	for name, value := range c.Telemetry.Headers {
		o.Telemetry.Headers[name] = gateway.Secret(value)
	}
	for name, u := range c.Upstreams.All() {
		o.Upstreams = append(o.Upstreams, gateway.Upstream{
			Name: name, Kind: gateway.Kind(u.Kind), BaseURL: u.BaseURL, APIKey: gateway.Secret(u.APIKey), APIVersion: u.APIVersion,
			Placement: placements[u.Placement], CAFile: u.CAFile, MaxConns: u.MaxConns,
			Timeouts: gateway.Timeouts{Connect: u.Connect, TLS: u.TLS, Write: u.Write, FirstByte: u.FirstByte, Idle: u.Idle, Total: u.Total},
			Breaker:  gateway.Breaker{Failures: u.Failures, Pause: u.Pause},
		})
	}
	o.Prices = map[string]gateway.Price{}
	for name, p := range c.Prices.All() {
		o.Prices[name] = gateway.Price{Input: p.Input, Cached: p.Cached, Output: p.Output}
	}
	for name, m := range c.Models.All() {
		o.Aliases = append(o.Aliases, gateway.Alias{
			Name: name, Targets: shares(m), Routing: m.Routing, Fallback: m.Fallback, RetryStatuses: m.RetryStatuses,
		})
	}
	for name, a := range c.Apps.All() {
		app := gateway.App{
			Name: name, AllowedOrigins: a.AllowedOrigins, Models: a.Models, Rules: gateway.Mode(a.Rules), Bodies: gateway.Bodies(a.Bodies),
			QueryPath: a.QueryPath, InFlight: a.InFlight, RequestsMinute: a.RequestsMinute, TokensMinute: a.TokensMinute,
		}
		app.Redact = patterns(a)
		for _, k := range a.Keys {
			app.Keys = append(app.Keys, gateway.Secret(k))
		}
		o.Apps = append(o.Apps, app)
	}
	key, err := tokenKey(c)
	o.TokenKeys = []gateway.Secret{gateway.Secret(key)}
	return o, err
}

// patterns are what the app leaves out of the log; Validate compiled them before.
func patterns(a *configs.App) []*regexp.Regexp {
	out := make([]*regexp.Regexp, len(a.Redact))
	for i, p := range a.Redact {
		out[i] = regexp.MustCompile(p)
	}
	return out
}

var placements = map[string]wire.Placement{"system": wire.System, "tail": wire.Tail, "user": wire.User}

func shares(m *configs.Model) []rules.Share {
	out := make([]rules.Share, len(m.Targets))
	for i, t := range m.Targets {
		out[i] = rules.Share{Upstream: t.Upstream, Model: t.Model, Weight: *t.Weight}
	}
	return out
}

// workerFile holds the name under which this folder's learner leads apps, so that
// one that was killed need not wait for the end of its own leases when it is
// started again. A folder has one process at a time, so no two have the name.
const workerFile = "learner-id"

// spentFile holds what this folder's learner asked of its model today.
const spentFile = "model-spent.json"

// secretFile holds the key that signs feedback tokens, below store.path.
const secretFile = "secret"

// tokenKey is the configured key, else the one kept below store.path, made at
// the first start.
func tokenKey(c *configs.Config) (string, error) {
	if c.Gateway.TokenKey != "" {
		return c.Gateway.TokenKey.Reveal(), nil
	}
	return keptSecret(filepath.Join(c.Store.Path, secretFile))
}

// keptSecret reads a secret of 32 random bytes from a file that only its owner
// may read, and makes it when there is none.
func keptSecret(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		if s := strings.TrimSpace(string(b)); len(s) >= 32 {
			return s, nil
		}
		return "", fmt.Errorf("%s is damaged: want 32 characters or more; delete it to have a new one made", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand since Go 1.24)
	s := base64.RawURLEncoding.EncodeToString(raw[:])
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(s + "\n")
	return s, errors.Join(err, f.Sync(), f.Close())
}

// adminTokens are the configured ones, else one of role owner that is made at
// the first start and kept below store.path. fresh says that it was made now.
func adminTokens(c *configs.Config) (tokens []configs.AdminToken, fresh bool, err error) {
	if len(c.Admin.Tokens) > 0 {
		return c.Admin.Tokens, false, nil
	}
	path := filepath.Join(c.Store.Path, adminTokenFile)
	_, statErr := os.Stat(path)
	t, err := keptSecret(path)
	if err != nil {
		return nil, false, err
	}
	return []configs.AdminToken{{Name: "admin", Role: "owner", Token: configs.Secret(t)}}, errors.Is(statErr, fs.ErrNotExist), nil
}
