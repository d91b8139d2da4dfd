// Package configs is Heed's configuration: the YAML file's schema, its defaults
// and its validation. [Load] reads a file, [Default] is what `heed serve` runs on
// without one; heed.yaml in this folder documents every key.
//
// A key that the schema does not know is refused with its line and the nearest
// known key; ${NAME} and ${file:PATH} in values are replaced by an environment
// variable or a file's content, and one that is not there is an error. Every
// mistake is reported, not the first.
package configs

import (
	"time"
)

// Config is the whole file.
type Config struct {
	Gateway   Gateway           `yaml:"gateway"`
	Admin     Admin             `yaml:"admin"`
	Store     Store             `yaml:"store"`
	Upstreams Ordered[Upstream] `yaml:"upstreams"`
	Models    Ordered[Model]    `yaml:"models"`
	Apps      Ordered[App]      `yaml:"apps"`
	Learner   Learner           `yaml:"learner"`
	Prices    Ordered[Price]    `yaml:"prices"`
	Telemetry Telemetry         `yaml:"telemetry"`
}

// Gateway is the listener for agents and end users.
type Gateway struct {
	Listen    string        `yaml:"listen"`         // default 127.0.0.1:8080
	PublicURL string        `yaml:"public_url"`     // makes Heed-Feedback-Url absolute
	Open      bool          `yaml:"open"`           // serve beyond loopback without app keys
	TokenKey  Secret        `yaml:"token_key"`      // signs feedback tokens, 32 bytes or more; default: <store.path>/secret
	TokenTTL  time.Duration `yaml:"token_ttl"`      // how long feedback may be given; default 168h
	Grace     time.Duration `yaml:"grace"`          // what running answers get at shutdown; default 30s
	Metrics   string        `yaml:"metrics_listen"` // where `heed gateway` shows its metrics; "" (default) is nowhere. With admin in its process they are there
	Limits    Limits        `yaml:"limits"`
}

// Limits bound what the gateway holds at once. 0 is the default.
type Limits struct {
	Body        Size `yaml:"body"`            // a request that may be patched; default 32MiB, larger ones pass untouched
	BytesHeld   Size `yaml:"bytes_in_flight"` // all requests held at once; default 256MiB
	Queue       Size `yaml:"record_queue"`    // exchanges waiting for the log; default 64MiB
	InFlight    int  `yaml:"in_flight"`       // calls at once; default 10000
	Connections int  `yaml:"connections"`     // of clients; default 20000

	Request time.Duration `yaml:"request_timeout"` // for a request's head, and each further part of its body; default 30s
	Send    time.Duration `yaml:"send_timeout"`    // for a client to take what it is sent; default 30s
}

// Admin is the listener for people who decide.
type Admin struct {
	Listen   string       `yaml:"listen"` // default 127.0.0.1:8081
	Token    Secret       `yaml:"token"`  // shorthand for one token of role owner
	Tokens   []AdminToken `yaml:"tokens"`
	Insecure bool         `yaml:"insecure"` // listen beyond loopback without TLS in front
	HTTPS    bool         `yaml:"https"`    // people reach it by https, through a proxy

	FourEyes bool `yaml:"four_eyes"` // nobody approves words of their own
}

// AdminToken lets somebody into admin.
type AdminToken struct {
	Name  string `yaml:"name"`
	Role  string `yaml:"role"` // owner, approver, viewer
	Token Secret `yaml:"token"`
}

// Store is where the record lives.
type Store struct {
	Path      string        `yaml:"path"`      // default ./heed-data
	Redis     Secret        `yaml:"redis"`     // URL; may hold a password
	Retention time.Duration `yaml:"retention"` // age at which exchanges go; default 720h, feedback keeps its exchange
	MaxSize   Size          `yaml:"max_size"`  // of the exchange log; default 10GiB
}

// Upstream is a server that Heed calls.
type Upstream struct {
	Kind       string        `yaml:"kind"` // openai (default), azure, anthropic
	BaseURL    string        `yaml:"base_url"`
	APIKey     Secret        `yaml:"api_key"`     // "" passes the caller's own credential on
	APIVersion string        `yaml:"api_version"` // azure
	Placement  string        `yaml:"placement"`   // system (default), tail, user
	Connect    time.Duration `yaml:"connect_timeout"`
	TLS        time.Duration `yaml:"tls_timeout"`
	Write      time.Duration `yaml:"write_timeout"`
	FirstByte  time.Duration `yaml:"first_byte_timeout"`
	Idle       time.Duration `yaml:"idle_timeout"`
	Total      time.Duration `yaml:"total_timeout"`
	Failures   int           `yaml:"breaker_failures"` // connection failures in a row after which calls are refused at once; default 5, -1 never
	Pause      time.Duration `yaml:"breaker_pause"`    // until one call finds out again; default 5s
	CAFile     string        `yaml:"ca_file"`          // PEM roots to trust besides the system's
	MaxConns   int           `yaml:"max_connections"`  // at once; default 2048
}

// Model is a model alias: the name that clients ask for.
type Model struct {
	Targets       []Target `yaml:"targets"`
	Routing       string   `yaml:"routing"`        // off, propose (default), auto
	Fallback      bool     `yaml:"fallback"`       // a call that did not start goes to the next target
	RetryStatuses []int    `yaml:"retry_statuses"` // statuses on which the next target is tried too; each try may be billed
}

// Target is an upstream and the model name sent to it.
type Target struct {
	Upstream string   `yaml:"upstream"`
	Model    string   `yaml:"model"`
	Weight   *float64 `yaml:"weight"` // default 1
}

// App is a tenant.
type App struct {
	Keys           []Secret `yaml:"keys"` // plain or sha256:<64 hex digits>
	AllowedOrigins []string `yaml:"allowed_origins"`
	Models         []string `yaml:"models"`              // that its keys may ask for; empty: all
	Domains        []string `yaml:"domains"`             // its own, which rules may name
	Rules          string   `yaml:"rules"`               // on (default), observe, off
	Bodies         string   `yaml:"bodies"`              // full (default), redacted, none
	QueryPath      string   `yaml:"query_path"`          // where in a request's body the person's query stands; "": the newest person turn
	Redact         []string `yaml:"redact"`              // regular expressions (RE2) of what is left out of the log besides, with bodies redacted or none
	Holdout        *float64 `yaml:"holdout"`             // of new rules; default learner.holdout
	InFlight       int      `yaml:"in_flight"`           // calls at once; 0 is no limit
	RequestsMinute int      `yaml:"requests_per_minute"` // per key; 0 is no limit
	TokensMinute   int      `yaml:"tokens_per_minute"`   // per key, as upstreams report them; 0 is no limit
	Approval       string   `yaml:"approval"`            // default learner.approval
}

// Learner turns feedback into proposals.
type Learner struct {
	Approval string   `yaml:"approval"`       // manual (default), auto
	Holdout  *float64 `yaml:"holdout"`        // of new rules, [0, 0.5]; default 0.1
	Quorum   int      `yaml:"quorum"`         // distinct people behind an auto-approved rule; default 3
	MaxTouch *float64 `yaml:"max_touch"`      // share of traffic an auto-approved rule may touch; default 0.2
	Metrics  string   `yaml:"metrics_listen"` // where `heed learner` shows its metrics; "" (default) is nowhere
	Model    *Distil  `yaml:"model"`          // optional: drafts rules from complaints that hold no instruction
}

// Distil is the model that the learner may ask to put complaints into words. It
// only ever drafts: what it writes passes the same checks and waits for approval.
type Distil struct {
	BaseURL   string        `yaml:"base_url"`       // of an OpenAI-compatible API
	APIKey    Secret        `yaml:"api_key"`        //
	Model     string        `yaml:"model"`          // its name
	CallsDay  int           `yaml:"calls_per_day"`  // default 200
	TokensDay int           `yaml:"tokens_per_day"` // default 500000
	Timeout   time.Duration `yaml:"timeout"`        // of one call; default 60s
}

// Price is what a model's tokens cost, in US dollars a million. The model is named
// as it is sent to the upstream, or as the upstream answers.
type Price struct {
	Input  float64  `yaml:"input"`
	Cached *float64 `yaml:"cached"` // input tokens that the provider had cached; default input
	Output float64  `yaml:"output"`
}

// Telemetry sends OpenTelemetry spans and feedback events to a collector; neither
// holds anything that people or models wrote. A change needs a restart.
type Telemetry struct {
	Endpoint string            `yaml:"otlp_endpoint"` // OTLP/HTTP; "" (default) is off
	Headers  map[string]Secret `yaml:"headers"`       // sent along, such as the collector's key
	Service  string            `yaml:"service_name"`  // default heed
}

// Default is the configuration without a file: loopback listeners, data in
// ./heed-data, one upstream, the caller's own credential passed through.
func Default() *Config {
	c := &Config{}
	c.Upstreams.Set("openai", &Upstream{BaseURL: "https://api.openai.com/v1"})
	c.fill()
	return c
}

func (c *Config) fill() {
	def(&c.Gateway.Listen, "127.0.0.1:8080")
	def(&c.Gateway.TokenTTL, 7*24*time.Hour)
	def(&c.Gateway.Grace, 30*time.Second)
	l := &c.Gateway.Limits
	def(&l.Body, 32<<20)
	def(&l.BytesHeld, 256<<20)
	def(&l.Queue, 64<<20)
	def(&l.InFlight, 10_000)
	def(&l.Connections, 20_000)
	def(&l.Request, 30*time.Second)
	def(&l.Send, 30*time.Second)
	def(&c.Admin.Listen, "127.0.0.1:8081")
	def(&c.Store.Path, "./heed-data")
	def(&c.Store.Retention, 30*24*time.Hour)
	def(&c.Store.MaxSize, 10<<30)
	def(&c.Telemetry.Service, "heed")
	def(&c.Learner.Approval, "manual")
	def(&c.Learner.Quorum, 3)
	defPtr(&c.Learner.Holdout, 0.1)
	defPtr(&c.Learner.MaxTouch, 0.2)
	if m := c.Learner.Model; m != nil {
		def(&m.CallsDay, 200)
		def(&m.TokensDay, 500_000)
		def(&m.Timeout, time.Minute)
	}
	for _, u := range c.Upstreams.All() {
		if u == nil {
			continue // Validate names it
		}
		def(&u.Kind, "openai")
		def(&u.Placement, "system")
		def(&u.Connect, 3*time.Second)
		def(&u.TLS, 5*time.Second)
		def(&u.Write, 30*time.Second)
		def(&u.FirstByte, 10*time.Minute)
		def(&u.Idle, 2*time.Minute)
		def(&u.Total, time.Hour)
		def(&u.MaxConns, 2048)
		def(&u.Failures, 5)
		def(&u.Pause, 5*time.Second)
	}
	for _, m := range c.Models.All() {
		if m == nil {
			continue
		}
		def(&m.Routing, "propose")
		for i := range m.Targets {
			defPtr(&m.Targets[i].Weight, 1)
		}
	}
	for _, a := range c.Apps.All() {
		if a == nil {
			continue
		}
		def(&a.Rules, "on")
		def(&a.Bodies, "full")
		def(&a.Approval, c.Learner.Approval)
		if a.Holdout == nil {
			a.Holdout = c.Learner.Holdout
		}
	}
	if c.Admin.Token != "" {
		c.Admin.Tokens = append([]AdminToken{{Name: "admin", Role: "owner", Token: c.Admin.Token}}, c.Admin.Tokens...)
		c.Admin.Token = ""
	}
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func defPtr(v **float64, d float64) {
	if *v == nil {
		*v = &d
	}
}
