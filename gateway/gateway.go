// Package gateway is the network: it relays model calls between agents and
// upstreams, injects the rules in force, logs every exchange, and takes people's
// feedback.
//
// Start with [New] and [Gateway.Serve]. Four promises shape the code: a client's
// bytes are patched, never decoded and encoded again; an answer is relayed as it
// arrives; nothing on the request path waits for the store; one client request is
// at most one billed upstream request. fasthttp appears in this package only.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"heed/store"
)

// Gateway serves one listener. Its methods are safe for concurrent use.
type Gateway struct {
	opt     Options // as given to New; what Reload changes is in cfg
	cfg     atomic.Pointer[config]
	store   store.Store
	queue   *store.Queue
	log     *slog.Logger
	metrics *metrics
	traces  *telemetry // nil: off
	watch   *watcher
	server  *fasthttp.Server

	bytes    budget       // request and answer bytes held
	inFlight atomic.Int64 // calls
	crowded  int64        // bytes in the log's queue above which large bodies are left out
	commits  atomic.Int64 // of feedback
	opening  sync.Mutex   // between Serve and Shutdown
	ln       net.Listener // what Serve answers on
	stopping atomic.Bool
	local    atomic.Bool // the listener is on loopback
	keyless  atomic.Bool // serving a loopback listener without app keys: foreign origins and hosts are refused
	chains   *chains
	memo     *memo
	sessions *sessions
	pending  pending
	steps    *steps

	reload  sync.Mutex     // serialises Reload
	conns   connSet        // clients' connections, for the end of the grace period
	stop    func()         // ends the background goroutines
	workers sync.WaitGroup // background goroutines: refreshing of rule sets, queued feedback
	said    chan *store.Feedback
}

// New checks the options, loads the rule sets that are in force (at most
// Limits.StartLoad; a store that does not answer is logged, and tried again until
// it does) and returns a gateway that is ready to Serve. It reports every mistake in opt,
// not the first. The store stays the caller's to close, after Shutdown.
func New(opt Options) (*Gateway, error) {
	opt.fill()
	if opt.Store == nil {
		return nil, errors.New("gateway: Options.Store is nil")
	}
	cfg, err := compile(&opt, nil)
	if err != nil {
		return nil, err
	}
	collector, err := opt.Telemetry.endpoint()
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &Gateway{
		opt: opt, store: opt.Store, log: opt.Log, stop: cancel,
		chains: newChains(), memo: newMemo(), sessions: newSessions(), steps: newSteps(), said: make(chan *store.Feedback, maxSaid),
	}
	g.bytes.max = opt.Limits.BytesHeld
	if g.watch, err = newWatcher(); err != nil {
		cancel()
		return nil, fmt.Errorf("gateway: watch connections: %w", err)
	}
	queue := opt.Queue
	queue.Log, queue.Prepare = opt.Log, g.prepare
	def(&queue.MaxBytes, 64<<20)
	g.crowded = queue.MaxBytes / 4 * 3
	g.queue = store.NewQueue(opt.Store, queue)
	g.metrics = newMetrics(opt.Registerer, g)
	g.traces = newTelemetry(opt.Telemetry, collector, opt.Store, opt.Log, g.metrics.telemetry)
	g.cfg.Store(cfg)
	g.loadAll(ctx, cfg, opt.Limits.StartLoad)
	g.server = g.newServer()
	g.workers.Add(2)
	go g.refresh(ctx)
	go g.keepSaid(ctx)
	return g, nil
}

func (g *Gateway) newServer() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:            g.handle,
		ErrorHandler:       g.badRequest,
		ExpectHandler:      g.expect,
		ConnState:          g.connState,
		Logger:             quiet{g.log},
		Concurrency:        g.opt.Limits.Connections + spareWorkers, // listener refuses what is too much
		ReadBufferSize:     maxHeaderBytes,
		WriteBufferSize:    4096,
		ReadTimeout:        g.opt.Limits.Head, // bodyReader moves it on
		IdleTimeout:        idleTimeout,
		MaxRequestBodySize: streamThreshold,
		StreamRequestBody:  true,
		// The rest keeps bytes as they are and secrets out of the log.
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		CloseOnShutdown:              true,
	}
}

// Serve answers on ln until Shutdown, then returns nil. It refuses to serve beyond
// loopback without app keys while an upstream has a key of its own, unless
// Options.Open: anybody who reaches the port could spend that key.
func (g *Gateway) Serve(ln net.Listener) error {
	cfg := g.cfg.Load()
	g.local.Store(loopbackAddr(ln.Addr()))
	if err := g.guard(cfg); err != nil {
		return fmt.Errorf("gateway: listen on %s: %w", ln.Addr(), err)
	}
	l := &listener{Listener: ln, g: g, slots: make(chan struct{}, maxRefused)}
	defer l.refused.Wait()
	if !g.open(ln) {
		return ln.Close()
	}
	return g.server.Serve(l)
}

// open keeps ln for Shutdown, which may come before the server knows of it, and
// says whether it is not too late.
func (g *Gateway) open(ln net.Listener) bool {
	g.opening.Lock()
	defer g.opening.Unlock()
	if g.stopping.Load() {
		return false
	}
	g.ln = ln
	return true
}

// guard refuses cfg where it would let anybody spend a provider's key, and says
// whether pages and foreign names must be kept out.
func (g *Gateway) guard(cfg *config) error {
	local := g.local.Load()
	if !local && cfg.keyless && cfg.spends && !g.opt.Open {
		return errors.New("other machines reach it, an upstream has a key, and no app has one: " +
			"configure app keys, listen on 127.0.0.1, or set gateway.open")
	}
	g.keyless.Store(local && cfg.keyless && !g.opt.Open)
	return nil
}

// ListenAndServe is Serve on Options.Listen.
func (g *Gateway) ListenAndServe() error {
	ln, err := net.Listen("tcp", g.opt.Listen)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	return g.Serve(ln)
}

// Shutdown stops accepting, lets running calls end until ctx is done, then ends
// what is left with the API's error event, and writes the log of all of it (at
// most flushTime longer). It returns ctx's error if calls had to be ended.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.opening.Lock()
	g.stopping.Store(true)
	ln := g.ln
	g.opening.Unlock()
	err := g.server.ShutdownWithContext(ctx)
	if ln != nil {
		_ = ln.Close() // for the second time, unless the server did not know of it yet
	}
	if err != nil {
		g.conns.each((*clientConn).abort)
		// Calls say that they were ended, then their connections wait for the next
		// request, which there is none of: that wait is over at once.
		for end := time.Now().Add(abortTime); g.conns.count() > 0 && time.Now().Before(end); {
			if g.inFlight.Load() == 0 {
				g.conns.each(func(c *clientConn) { _ = c.SetReadDeadline(end.Add(-time.Hour)) })
			}
			time.Sleep(abortPoll)
		}
		g.conns.each(func(c *clientConn) { _ = c.Conn.Close() })
	}
	g.stop()
	g.workers.Wait()
	g.watch.close()
	flush, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	for _, u := range g.cfg.Load().upstreams {
		u.close()
	}
	err = errors.Join(err, g.queue.Close(flush))
	g.traces.close(flush) // after the last row
	return err
}

// Reload puts opt in force for the requests that begin from now on: upstreams,
// aliases, apps, token keys, public URL, rates. What opt says about the listener,
// store, queue, registerer, telemetry and byte limits is ignored: it needs a restart. With an
// error nothing changes. Connection pools of unchanged upstreams are kept.
func (g *Gateway) Reload(opt Options) error {
	opt.fill()
	g.reload.Lock()
	defer g.reload.Unlock()
	old := g.cfg.Load()
	cfg, err := compile(&opt, old)
	if err != nil {
		return err
	}
	if err := g.guard(cfg); err != nil {
		return fmt.Errorf("gateway: reload: %w", err)
	}
	g.loadAll(context.Background(), cfg, g.opt.Limits.StartLoad)
	g.cfg.Store(cfg)
	for name, u := range old.upstreams {
		if cfg.upstreams[name] != u {
			u.close()
		}
	}
	return nil
}

// Written and Dropped count exchanges in and lost to the log since the start.
func (g *Gateway) Written() int64 { return g.queue.Written() }
func (g *Gateway) Dropped() int64 { return g.queue.Dropped() }

// Times of the server itself.
const (
	idleTimeout = 75 * time.Second // of a kept-alive client connection
	abortTime   = 2 * time.Second  // for ended calls to say so
	abortPoll   = 2 * time.Millisecond
	flushTime   = 10 * time.Second // for the log at shutdown
)

// Sizes of the server itself.
const (
	maxHeaderBytes  = 16 << 10 // head of a request; above it is 431
	streamThreshold = 1 << 20  // fasthttp's own read ahead; our limits are Options.Limits
	spareWorkers    = 256      // of connections that are closed and whose goroutine has not ended yet
)
