// Package admin is where people decide: the JSON API under /api/v1/ and the
// embedded web UI, on one listener, over one [store.Store].
//
// Start with [New], which takes [Options] and returns the handler; the program
// gives it a listener. Nothing here talks to the outside, and everything works
// without JavaScript; the script only refreshes pages and adds keys.
//
// The API answers to `Authorization: Bearer <token>`, the UI to a session cookie
// that the login page gives for the same token. A [Viewer] reads, an [Approver]
// decides about proposals, findings and rules, an [Owner] also rolls back,
// writes routing, makes backups and erases people. Every change writes an audit entry under the token's name.
// Texts that an admin writes pass check.Safety like everybody else's.
//
// Approving binds what was shown: the API wants the proposal's `digest` (or, for
// people at a command line, its `version`), the UI sends the digest of the card.
// If the operations changed in between, the answer is 409 with code "stale". Where
// it also says the `share` of requests that the person was shown, as the UI does, and
// the rule would by now touch much more or less, the answer is 409 with code "share".
//
// Pages keep these handles for scripts and browser tests:
//
//	#token, button[name=login]                    login
//	[data-proposal="ID"]                          a card in /inbox and on /proposals/ID, with
//	  [data-digest], [data-version],
//	  .rule-text, [data-share], [data-people],    the rule, "x %" touched, distinct people
//	  button[name=approve|reject|snooze|edit],    each in its form; reject wants input[name=reason]
//	  textarea[name=action|applies_when],         inside details.edit
//	  [data-sample="EXCHANGE"] button[name=applies][value=true|false],
//	  form.try input[name=query]                  a tick for a question in words
//	  button[name=widen]                          from one person to everybody
//	  select[name=with], button[name=merge]       make it one with another
//	  button[name=supersede]                      let it replace the rule that it contradicts
//	  button[name=compare], [data-compared]       answers side by side
//	  [data-stale], [data-fact], [data-wordings]  measured with older statistics; its source; said otherwise
//	[data-finding="ID"]                           button[name=resolve|propose|assign|reopen], textarea[name=action]
//	[data-rule="ID"]                              row of /rules; [data-state]; button[name=pause|resume|retire]
//	[data-ranout]                                 rules whose time is over, on /inbox, /rules and /rules/ID
//	[data-exchange="ID"], [data-feedback="ID"]    rows and pages; button[name=retract|again]
//	details.tune button[name=tune]                /rules/ID: holdout and ramp
//	form.renew button[name=renew]                 /rules/ID: until when a rule that ran out holds again
//	[data-epoch="N"] button[name=activate]        /rulesets: roll back; /rulesets/HASH says what it changes
//	[data-replay="SHARE"]                         /rulesets/HASH: of the requests, those that would get other rules
//	[data-mode]                                   the app only observes its rules, or has them off
//	#flash                                        what the last action did
//	[data-live]                                   regions that refresh when the store changes
package admin

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"heed/store"
)

// Options is what New takes. Store and Tokens are required.
type Options struct {
	Store  store.Store
	Tokens []Token
	Apps   []App        // configured apps; those with data in the store are found by themselves
	Log    *slog.Logger // default slog.Default()

	Metrics       http.Handler // served at /metrics to any role; nil is none
	Version       string       // shown in the footer
	PublicGateway string       // base URL that agents use, for the page of an empty store

	// TLS says that people reach admin by https: cookies are then Secure with the
	// __Host- prefix, and Strict-Transport-Security is sent.
	TLS bool
	// Frames lets pages of admin's own origin show its pages in a frame.
	Frames bool
	// FourEyes refuses an approval by whoever wrote the proposal's words; a rule
	// that an admin writes becomes a proposal.
	FourEyes bool

	// Extra mounts more handlers on the same mux, inside the same protection
	// against cross-origin requests and under the same headers, which it may
	// replace. Handlers that need a login wrap themselves in Admin.Guard.
	Extra func(mux *http.ServeMux, a *Admin)

	// Ask sends a logged request again with block injected in place of what was
	// ("" for none) and returns the answer's text; for comparing answers with and
	// without a proposal. People are shown the message of an *Error. Nil hides the
	// comparison.
	Ask         func(ctx context.Context, x *store.Exchange, block string) (string, error)
	AsksPerHour int // calls of Ask; default 120
}

// App is what admin knows of a configured app.
type App struct {
	Name    string
	Domains []string // its own, which rules may name
	Holdout *float64 // of rules that an admin writes; nil is 0.1
	Observe bool     // its rules are decided and logged, never injected
	Off     bool     // its rules are not even decided
}

// Limits of admin. They bound what one client can make it hold.
const (
	maxBodyBytes   = 1 << 20 // a request
	maxSessions    = 1000    // the oldest goes
	maxLive        = 128     // connections that wait for changes
	sessionIdle    = 12 * time.Hour
	sessionLife    = 7 * 24 * time.Hour
	defaultHoldout = 0.1
)

// Admin serves the API and the UI. It is an http.Handler, safe for concurrent use.
type Admin struct {
	opt      Options
	store    store.Store
	effects  *store.Effects
	log      *slog.Logger
	tokens   []hashedToken
	sessions sessions
	logins   limiter
	asks     limiter
	live     chan struct{} // one slot a waiting connection
	stats    statsCache
	pages    map[string]*template.Template
	assets   assets
	handler  http.Handler
	closing  context.Context // done when Close was called
	close    context.CancelFunc
	once     sync.Once
}

// New checks opt and returns the handler. It reports every mistake in opt.
func New(opt Options) (*Admin, error) {
	var errs []error
	if opt.Store == nil {
		errs = append(errs, errors.New("admin: no store"))
	}
	tokens, err := hashTokens(opt.Tokens)
	if err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.AsksPerHour == 0 {
		opt.AsksPerHour = 120
	}
	a := &Admin{
		opt: opt, store: opt.Store, effects: store.NewEffects(opt.Store), log: opt.Log, tokens: tokens,
		logins: limiter{most: 10, every: 15 * time.Minute},
		asks:   limiter{most: opt.AsksPerHour, every: time.Hour},
		live:   make(chan struct{}, maxLive),
	}
	a.closing, a.close = context.WithCancel(context.Background())
	if a.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if a.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("admin: parse pages: %w", err)
	}
	a.handler = a.protect(a.mux())
	return a, nil
}

// ServeHTTP implements http.Handler.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Close ends the connections that wait for changes, so that the server can shut
// down; it does not close the store.
func (a *Admin) Close() { a.once.Do(a.close) }

func (a *Admin) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, rt := range a.routes() {
		mux.Handle(rt.pattern, a.serve(rt))
	}
	if a.opt.Extra != nil {
		a.opt.Extra(mux, a)
	}
	return mux
}

// app is the configuration of the app with that name; the zero App but for the
// name when it is not configured.
func (a *Admin) app(name string) App {
	i := slices.IndexFunc(a.opt.Apps, func(p App) bool { return p.Name == name })
	if i < 0 {
		return App{Name: name}
	}
	return a.opt.Apps[i]
}

func (p App) holdout() float64 {
	if p.Holdout == nil {
		return defaultHoldout
	}
	return *p.Holdout
}

// apps lists the configured apps and those with data, sorted.
func (a *Admin) apps(ctx context.Context) ([]string, error) {
	names, err := a.store.Apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range a.opt.Apps {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
