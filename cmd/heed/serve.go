package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"heed/admin"
	"heed/configs"
	"heed/gateway"
	"heed/learner"
	"heed/store"
	"heed/store/sqlite"
)

// adminStop is how long admin's requests get at shutdown.
const adminStop = 5 * time.Second

// role is a set of parts that run in one process.
type role uint8

const (
	gatewayRole role = 1 << iota
	learnerRole
	adminRole
	allRoles = gatewayRole | learnerRole | adminRole
)

type (
	serveCmd   struct{}
	gatewayCmd struct{}
	learnerCmd struct{}
	adminCmd   struct{}
)

// Run serves with every part in this process.
func (serveCmd) Run(e *env) error { return serve(e, allRoles) }

// Run serves model calls and feedback only.
func (gatewayCmd) Run(e *env) error { return serve(e, gatewayRole) }

// Run learns only.
func (learnerCmd) Run(e *env) error { return serve(e, learnerRole) }

// Run serves people only.
func (adminCmd) Run(e *env) error { return serve(e, adminRole) }

// serve runs the parts until the process is told to stop.
func serve(e *env, r role) error {
	c, err := e.load()
	if err != nil {
		return err
	}
	if r != allRoles && c.Store.Redis == "" {
		return errors.New("parts in separate processes need a shared store: set store.redis, or run `heed serve`")
	}
	s, err := startStack(e.ctx, c, stackOptions{roles: r, log: slog.New(slog.NewTextHandler(e.errs, nil)), learnFrom: e.learnFrom})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w: stop that one, or set another store.path", err)
	}
	if err != nil {
		return err
	}
	s.announce(e)
	stopReload := s.reloadOnHangup(e)
	defer stopReload()
	select {
	case <-e.ctx.Done():
		s.stop()
		return nil
	case err := <-s.failed:
		s.stop()
		return err
	}
}

// stackOptions are what startStack needs besides the configuration.
type stackOptions struct {
	roles     role // default all
	log       *slog.Logger
	learnFrom func(store.Store) store.Store // nil: the store as it is
}

// stack is a running Heed: its parts, where they listen, and how to end them.
type stack struct {
	conf       *configs.Config                // as it was at the start
	now        atomic.Pointer[configs.Config] // as it was read last: apps, keys, models, approval
	log        *slog.Logger
	store      store.Store
	gateway    *gateway.Gateway
	gatewayURL string
	gatewayUp  chan struct{} // closed when gatewayURL is there
	adminURL   string
	metricsURL string // of a process without admin, where it shows them
	token      string // of an owner
	freshToken bool   // made at this start
	failed     chan error

	ends []func() // in the order of starting
	once sync.Once
}

// startStack opens the store and starts the parts. Whatever it began it ends
// again when it returns an error.
func startStack(ctx context.Context, c *configs.Config, o stackOptions) (*stack, error) {
	if o.roles == 0 {
		o.roles = allRoles
	}
	s := &stack{conf: c, log: o.log, failed: make(chan error, 3), gatewayUp: make(chan struct{})}
	s.now.Store(c)
	if err := s.start(ctx, o); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *stack) start(ctx context.Context, o stackOptions) (err error) {
	roles := o.roles
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if s.store, err = openStoreOf(ctx, s.conf, s.log, roles, registry); err != nil {
		return err
	}
	s.onStop(func() {
		if err := s.store.Close(); err != nil {
			s.log.Error("store not closed cleanly", "error", err)
		}
	})
	if roles&learnerRole != 0 {
		if err := s.startLearner(registry, o); err != nil {
			return err
		}
	}
	if roles&adminRole != 0 {
		err = s.startAdmin(registry, roles)
	} else {
		err = s.startMetrics(registry, roles)
	}
	if err != nil {
		return err
	}
	if roles&gatewayRole != 0 {
		if err := s.startGateway(registry); err != nil {
			return err
		}
	}
	return nil
}

// openStore opens the store that the configuration names, for a command.
func openStore(ctx context.Context, c *configs.Config, log *slog.Logger) (store.Store, error) {
	return openStoreOf(ctx, c, log, 0, nil)
}

// openStoreOf opens the store for the parts of a process. registry may be nil.
func openStoreOf(ctx context.Context, c *configs.Config, log *slog.Logger, roles role, registry prometheus.Registerer) (store.Store, error) {
	if c.Store.Redis != "" {
		return openRedis(ctx, c, log, roles, registry)
	}
	return sqlite.Open(ctx, c.Store.Path, sqlite.Options{Log: log, Retain: retention(c)})
}

// openForReading opens the store for a command that changes nothing, on SQLite
// also beside the Heed that has it open.
func openForReading(ctx context.Context, c *configs.Config) (store.Store, error) {
	s, err := openStore(ctx, c, nil)
	if errors.Is(err, store.ErrLocked) && c.Store.Redis == "" {
		return sqlite.OpenReader(ctx, c.Store.Path, sqlite.Options{})
	}
	return s, err
}

// retention is what the log of exchanges keeps.
func retention(c *configs.Config) sqlite.Retention {
	return sqlite.Retention{Age: c.Store.Retention, Bytes: int64(c.Store.MaxSize)}
}

func (s *stack) onStop(f func()) { s.ends = append(s.ends, f) }

// stop ends the parts in reverse order of their start: the gateway first, so
// that everything it took is learned from and kept. Again does nothing.
func (s *stack) stop() {
	s.once.Do(func() {
		for i := len(s.ends) - 1; i >= 0; i-- {
			s.ends[i]()
		}
	})
}

func (s *stack) startLearner(registry *prometheus.Registry, o stackOptions) error {
	from := s.store
	if o.learnFrom != nil {
		from = o.learnFrom(from)
	}
	own := filepath.Join(s.conf.Store.Path, partFolder(s.conf, o.roles))
	worker, err := keptSecret(filepath.Join(own, workerFile))
	if err != nil {
		return err
	}
	l, err := learner.New(learner.Options{Store: from, Worker: worker, Log: s.log, Registerer: registry, Apps: s.policy, Model: distiller(s.conf, own)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // ends with cancel
		defer close(ended)
		if err := l.Run(ctx); err != nil {
			s.failed <- fmt.Errorf("learner: %w", err)
		}
	}()
	s.onStop(func() { cancel(); <-ended })
	return nil
}

// distiller is the model that the learner may ask, nil when none is configured. own
// is the process's folder.
func distiller(c *configs.Config, own string) *learner.Model {
	m := c.Learner.Model
	if m == nil {
		return nil
	}
	return &learner.Model{
		BaseURL: m.BaseURL, APIKey: m.APIKey.Reveal(), Name: m.Model, DailyCalls: m.CallsDay, DailyTokens: m.TokensDay, Timeout: m.Timeout,
		SpentFile: filepath.Join(own, spentFile),
	}
}

// policy is what the configuration says about learning for an app.
func (s *stack) policy(app string) learner.AppPolicy {
	c := s.now.Load()
	p := learner.AppPolicy{
		Approval: c.Learner.Approval, Holdout: *c.Learner.Holdout, Quorum: c.Learner.Quorum, MaxTouch: *c.Learner.MaxTouch,
		Models: map[string]learner.Alias{},
	}
	if a, ok := c.Apps.Lookup(app); ok {
		p.Approval, p.Holdout, p.Domains = a.Approval, *a.Holdout, a.Domains
	}
	for name, m := range c.Models.All() {
		p.Models[name] = learner.Alias{Routing: m.Routing, Targets: shares(m)}
	}
	return p
}

func (s *stack) startAdmin(registry *prometheus.Registry, roles role) error {
	tokens, fresh, err := adminTokens(s.conf)
	if err != nil {
		return err
	}
	opt := admin.Options{
		Store: s.store, Log: s.log, Version: version(), PublicGateway: s.conf.Gateway.PublicURL,
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), FourEyes: s.conf.Admin.FourEyes, TLS: s.conf.Admin.HTTPS,
	}
	if roles&gatewayRole != 0 {
		opt.Ask = s.ask
	}
	for _, t := range tokens {
		opt.Tokens = append(opt.Tokens, admin.Token{Name: t.Name, Role: admin.Role(t.Role), Token: t.Token.Reveal()})
		if t.Role == "owner" && s.token == "" {
			s.token, s.freshToken = t.Token.Reveal(), fresh
		}
	}
	for name, a := range s.conf.Apps.All() {
		opt.Apps = append(opt.Apps, admin.App{Name: name, Domains: a.Domains, Holdout: a.Holdout, Observe: a.Rules == "observe", Off: a.Rules == "off"})
	}
	a, err := admin.New(opt)
	if err != nil {
		return err
	}
	ln, err := listen("admin.listen", s.conf.Admin.Listen)
	if err != nil {
		return err
	}
	s.adminURL = "http://" + ln.Addr().String()
	return s.serveHTTP(ln, a)
}

// serveHTTP serves h until the stack stops.
func (s *stack) serveHTTP(ln net.Listener, h http.Handler) error {
	ctx, cancel := context.WithCancel(context.Background())
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, // so that live pages end with the process
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	ended := make(chan struct{})
	go func() { // ends with Shutdown
		defer close(ended)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serve %s: %w", ln.Addr(), err)
		}
	}()
	s.onStop(func() {
		cancel()
		stop, done := context.WithTimeout(context.Background(), adminStop)
		defer done()
		if srv.Shutdown(stop) != nil {
			_ = srv.Close()
		}
		<-ended
	})
	return nil
}

func (s *stack) startGateway(registry *prometheus.Registry) error {
	opt, err := gatewayOptions(s.conf)
	if err != nil {
		return err
	}
	opt.Store, opt.Registerer, opt.Log = s.store, registry, s.log
	g, err := gateway.New(opt)
	if err != nil {
		return err
	}
	ln, err := listen("gateway.listen", s.conf.Gateway.Listen)
	if err != nil {
		return err
	}
	s.gateway, s.gatewayURL = g, "http://"+ln.Addr().String()
	close(s.gatewayUp)
	ended := make(chan struct{})
	go func() { // ends with Shutdown
		defer close(ended)
		if err := g.Serve(ln); err != nil {
			s.failed <- err
		}
	}()
	s.onStop(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.conf.Gateway.Grace)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			s.log.Warn("running answers were ended", "error", err)
		}
		<-ended
	})
	return nil
}

// listenError says which key of the configuration names an address that is not
// to be had.
type listenError struct {
	key string
	err error
}

func (e *listenError) Error() string {
	return fmt.Sprintf("%s: %v (another address in the configuration helps)", e.key, e.err)
}

func (e *listenError) Unwrap() error { return e.err }

func listen(key, addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &listenError{key, err}
	}
	return ln, nil
}

// client calls the stack's own admin API.
func (s *stack) client() *adminClient {
	return &adminClient{base: s.adminURL, token: s.token, http: &http.Client{Timeout: time.Minute}}
}

// announce prints where everything is; the token only when it was made now.
func (s *stack) announce(e *env) {
	if s.gatewayURL != "" {
		fmt.Fprintf(e.out, "gateway  %s/v1  (point your agents' base URL here)\n", s.gatewayURL)
	}
	if s.metricsURL != "" {
		fmt.Fprintf(e.out, "metrics  %s\n", s.metricsURL)
	}
	if s.adminURL == "" {
		return
	}
	fmt.Fprintf(e.out, "admin    %s/\n", s.adminURL)
	if s.freshToken {
		fmt.Fprintf(e.out, "         token %s (shown once; kept in %s)\n", s.token, filepath.Join(s.conf.Store.Path, adminTokenFile))
	}
}

// reloadOnHangup reads the configuration again on SIGHUP. A bad one is refused
// and the old one stays; listeners, the store, admin's tokens and apps, and the
// learner's model need a restart.
func (s *stack) reloadOnHangup(e *env) (stop func()) {
	hangup := make(chan os.Signal, 1)
	notifyHangup(hangup)
	ctx, cancel := context.WithCancel(e.ctx)
	ended := make(chan struct{})
	go func() { // ends with cancel
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				if err := s.reload(e); err != nil {
					s.log.Error("configuration not reloaded, the old one stays", "error", err)
				} else {
					s.log.Info("configuration reloaded")
				}
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// reload puts the file's apps, keys, upstreams, models and approval in force, or
// nothing of it.
func (s *stack) reload(e *env) error {
	c, err := e.load()
	if err != nil {
		return err
	}
	if s.gateway != nil {
		opt, err := gatewayOptions(c)
		if err != nil {
			return err
		}
		if err := s.gateway.Reload(opt); err != nil {
			return err
		}
	}
	s.now.Store(c)
	return nil
}
