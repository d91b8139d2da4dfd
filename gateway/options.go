package gateway

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"heed/rules"
	"heed/store"
	"heed/wire"
)

// Options say what a gateway does. Zero fields take the defaults named.
type Options struct {
	Listen    string           // for ListenAndServe; default 127.0.0.1:8080
	Upstreams []Upstream       // at least one; the first of a kind takes what no alias names
	Aliases   []Alias          // model names that clients may ask for; others go through unchanged
	Apps      []App            // default: one app "default" without a key
	Prices    map[string]Price // of models, as sent to upstreams or as they answer; for the cost of exchanges
	PublicURL string           // prefix of Heed-Feedback-Url; "" leaves a path
	Open      bool             // serve beyond loopback without app keys

	TokenKeys []Secret      // sign feedback tokens: the active key, then earlier ones; 32 bytes or more each
	TokenTTL  time.Duration // how long a token lets people give feedback; default 168h

	Store store.Store // required; not closed by the gateway
	// Queue bounds the log. Prepare and Log are the gateway's own. Above three
	// quarters of its MaxBytes rows go without bodies of more than 8 KiB.
	Queue      store.QueueOptions
	Registerer prometheus.Registerer // default: a registry of its own
	Log        *slog.Logger          // default slog.Default
	Limits     Limits
	Telemetry  Telemetry
}

// Limits bound what a gateway holds at once. Zero fields take the defaults.
type Limits struct {
	Body        int64         // a request that is read whole and may be patched; default 32 MiB, larger ones are streamed untouched, an alias in them too
	BytesHeld   int64         // bodies of all calls; default 256 MiB, above it 503
	InFlight    int           // calls at once; default 10,000, above it 503
	Connections int           // of clients; default 20,000
	Send        time.Duration // for a client to take what one write holds; default 30s
	Head        time.Duration // for a client to send a request's head, and each further part of its body; default 30s
	StartLoad   time.Duration // what New waits for the rule sets; default 5s
}

// Kind is the API that an upstream speaks.
type Kind string

// Kinds. OpenAI is the default.
const (
	OpenAI    Kind = "openai"
	Azure     Kind = "azure"
	Anthropic Kind = "anthropic"
)

// Upstream is a server that the gateway calls.
type Upstream struct {
	Name       string
	Kind       Kind
	BaseURL    string         // such as https://api.openai.com/v1; https://NAME.openai.azure.com; https://api.anthropic.com
	APIKey     Secret         // "" passes the caller's own credential on
	APIVersion string         // azure's api-version, where BaseURL does not end in /openai/v1; default 2024-10-21
	Placement  wire.Placement // of the injected block
	Timeouts   Timeouts
	MaxConns   int // connections at once; default 10,000
	Breaker    Breaker
	CAFile     string // PEM file of roots to trust besides the system's
}

// Timeouts limit the phases of a call. Zero fields take the defaults; the
// defaults leave room for models that think for minutes.
type Timeouts struct {
	Connect   time.Duration // TCP; default 3s
	TLS       time.Duration // handshake; default 5s
	Write     time.Duration // the upstream takes the next part of the request; default 30s
	FirstByte time.Duration // until the answer's head; default 10m
	Idle      time.Duration // between two parts of an answer; default 2m
	Total     time.Duration // the whole call; default 1h
}

// Breaker stops calling an upstream that cannot be reached: after Failures
// consecutive connection failures calls are refused at once (503, or the next
// target), until one call every Pause finds it again.
type Breaker struct {
	Failures int           // default 5; below 0 never opens
	Pause    time.Duration // default 5s
}

// Alias is a model name that clients ask for.
type Alias struct {
	Name    string
	Targets []rules.Share // allowed targets and start shares
	Routing string        // off: the shares above always; propose, auto (default propose): an approved policy wins
	// Fallback lets a call that did not start (no connection, open breaker) go to
	// the next target, in the order above.
	Fallback bool
	// RetryStatuses are statuses on which the next target is tried too, as long as
	// nothing was relayed. Each try may be billed, so that none is the default.
	RetryStatuses []int
}

// Mode says what an app does with rules.
type Mode string

// Modes. On is the default.
const (
	On      Mode = "on"
	Observe Mode = "observe" // decide and log, never inject
	Off     Mode = "off"
)

// Bodies says what of an exchange's bodies is kept.
type Bodies string

// Bodies. Full is the default.
const (
	Full     Bodies = "full"
	Redacted Bodies = "redacted" // store.Redact over bodies, answer and queries
	None     Bodies = "none"     // neither bodies nor answer; the matched query stays, redacted, or nothing could be learned
)

// App is a tenant: its keys, rules, feedback and data are its own.
type App struct {
	Name           string
	Keys           []Secret // plain, or sha256:<64 hex digits>; an app without one must be the only app
	AllowedOrigins []string // exact origins of pages that may call Heed, such as https://shop.example
	Models         []string // model names its keys may ask for; empty: all
	Rules          Mode
	Bodies         Bodies
	QueryPath      string           // where in a request's body the person's query stands, as wire.Path has it; "": the newest person turn
	Redact         []*regexp.Regexp // what Redacted and None leave out besides; none may match ""
	InFlight       int              // calls at once; 0: no limit of its own
	RequestsMinute int              // per key; 0: no limit
	TokensMinute   int              // per key, as estimated from the request and corrected by reported usage; 0: no limit
}

// Secret is a key that never prints itself.
type Secret string

const redacted = "[redacted]"

// String, GoString, LogValue and MarshalJSON print "[redacted]", or nothing for an
// empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString is String: %#v prints no secret either.
func (s Secret) GoString() string { return s.String() }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON is String in quotes.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

func (o *Options) fill() {
	def(&o.Listen, "127.0.0.1:8080")
	def(&o.TokenTTL, 7*24*time.Hour)
	def(&o.Limits.Body, 32<<20)
	def(&o.Limits.BytesHeld, 256<<20)
	def(&o.Limits.InFlight, 10_000)
	def(&o.Limits.Connections, 20_000)
	def(&o.Limits.Send, 30*time.Second)
	def(&o.Limits.Head, 30*time.Second)
	def(&o.Limits.StartLoad, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if len(o.Apps) == 0 {
		o.Apps = []App{{Name: "default"}}
	}
	o.Apps, o.Upstreams = append([]App(nil), o.Apps...), append([]Upstream(nil), o.Upstreams...)
	for i := range o.Apps {
		def(&o.Apps[i].Rules, On)
		def(&o.Apps[i].Bodies, Full)
	}
	for i := range o.Upstreams {
		o.Upstreams[i].fill()
	}
}

func (u *Upstream) fill() {
	def(&u.Kind, OpenAI)
	def(&u.APIVersion, "2024-10-21")
	def(&u.MaxConns, 10_000) // as many as Limits.InFlight
	def(&u.Breaker.Failures, 5)
	def(&u.Breaker.Pause, 5*time.Second)
	t := &u.Timeouts
	def(&t.Connect, 3*time.Second)
	def(&t.TLS, 5*time.Second)
	def(&t.Write, 30*time.Second)
	def(&t.FirstByte, 10*time.Minute)
	def(&t.Idle, 2*time.Minute)
	def(&t.Total, time.Hour)
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
