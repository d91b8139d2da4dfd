package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"heed/wire"
)

// upstream is an Upstream at work: a pool of connections and what is known of its
// health. fasthttp's HostClient serves as the pool only, so that nothing is sent
// twice behind our back and ending a call is closing its connection.
type upstream struct {
	Upstream
	pool    *fasthttp.HostClient
	host    string // for the Host header
	base    string // path of BaseURL, without a slash at its end
	breaker breaker
	mute    suspensions // models that refused an injected block
	rest    suspensions // models that asked for a pause, in an answer with a listed status
	models  modelCache
}

func newUpstream(o Upstream) (*upstream, error) {
	u, err := url.Parse(o.BaseURL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, fmt.Errorf("base_url %q: want http(s)://host[:port]/path", o.BaseURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("base_url: no user, query or fragment, please; a key goes into api_key")
	}
	switch o.Kind {
	case OpenAI, Azure, Anthropic:
	default:
		return nil, fmt.Errorf("kind %q: want openai, azure or anthropic", o.Kind)
	}
	if o.Placement > wire.User {
		return nil, fmt.Errorf("placement %d: want system, tail or user", o.Placement)
	}
	up := &upstream{Upstream: o, host: u.Host, base: strings.TrimRight(u.EscapedPath(), "/")}
	if o.Kind == Anthropic && !strings.HasSuffix(up.base, "/v1") {
		up.base += "/v1" // as Anthropic's own clients do
	}
	up.breaker = breaker{max: o.Breaker.Failures, pause: o.Breaker.Pause}
	var conf *tls.Config
	if u.Scheme == "https" {
		conf = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
		if o.CAFile != "" {
			if conf.RootCAs, err = roots(o.CAFile); err != nil {
				return nil, err
			}
		}
	}
	up.pool = &fasthttp.HostClient{
		Addr:                fasthttp.AddMissingPort(u.Host, conf != nil),
		Dial:                func(addr string) (net.Conn, error) { return dial(addr, conf, &up.Timeouts) },
		MaxConns:            o.MaxConns,
		MaxConnWaitTimeout:  connWait,
		MaxIdleConnDuration: idleConn,
		ReadBufferSize:      maxAnswerHead,
		WriteBufferSize:     8 << 10,
		ConnPoolStrategy:    fasthttp.LIFO, // the freshest is the least likely to be stale
		// Of what it fetches itself, lists of models:
		MaxResponseBodySize:       maxModelsAnswer,
		MaxIdemponentCallAttempts: 2, // a kept connection may be stale
	}
	return up, nil
}

func roots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %s: no certificate in it", file)
	}
	return pool, nil
}

// Limits of connections to an upstream.
const (
	connWait      = 2 * time.Second  // for a free one, when all of MaxConns are busy
	idleConn      = 30 * time.Second // in the pool; stale ones are found before that
	maxConnAge    = 5 * time.Minute  // names may come to mean other machines
	maxAnswerHead = 32 << 10         // head of an answer; above it is 502
)

func (u *upstream) close() { u.pool.CloseIdleConnections() }

// upConn is a connection to an upstream. Its deadlines are set by phase; what was
// written to it for the call at hand is counted, because a call of which a byte
// was sent must not be sent again.
type upConn struct {
	net.Conn
	raw    net.Conn // below TLS: closing it never waits
	fd     int
	tls    bool
	born   time.Time
	used   bool  // it was leased or written to before
	wrote  int64 // in this call
	write  time.Duration
	writes time.Time // end of all writing in this call; zero is none
}

func (c *upConn) Write(b []byte) (int, error) {
	c.used = true
	end := time.Now().Add(c.write)
	if !c.writes.IsZero() && end.After(c.writes) {
		end = c.writes
	}
	if err := c.Conn.SetWriteDeadline(end); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	c.wrote += int64(n)
	return n, err
}

// dial connects within t.Connect and shakes hands within t.TLS.
func dial(addr string, conf *tls.Config, t *Timeouts) (net.Conn, error) {
	d := net.Dialer{Timeout: t.Connect, KeepAlive: 30 * time.Second}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &upConn{Conn: conn, raw: conn, fd: fd(conn), born: time.Now(), write: t.Write}
	if conf == nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.TLS)
	defer cancel()
	secure := tls.Client(conn, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	c.Conn, c.tls = secure, true
	return c, nil
}

// lease is a connection while a call has it.
type lease struct {
	u      *upstream
	conn   *upConn
	reader *bufio.Reader
	giveUp func(reuse bool)
}

// lease takes a connection that is alive: one that waits and was not closed, or a
// new one. Nothing has been sent when it fails.
func (u *upstream) lease(now time.Time) (lease, error) {
	for {
		cc, err := u.pool.AcquireConn(0, false)
		if err != nil {
			return lease{}, err
		}
		conn, ok := cc.Conn().(*upConn)
		if !ok {
			panic("BUG: connection of another pool")
		}
		if conn.used && (now.Sub(conn.born) > maxConnAge || conn.fd >= 0 && stale(conn.fd, conn.tls)) {
			u.pool.CloseConn(cc)
			continue // ends: every round takes one waiting connection away
		}
		conn.used, conn.wrote = true, 0
		return lease{u: u, conn: conn, giveUp: func(reuse bool) {
			if reuse {
				u.pool.ReleaseConn(cc)
			} else {
				u.pool.CloseConn(cc)
			}
		}}, nil
	}
}

// release gives the connection back: to the pool after a clean end, else closed. A
// connection with bytes that nobody asked for is never used again.
func (l *lease) release(clean bool) {
	if l.conn == nil {
		return
	}
	if l.reader != nil {
		clean = clean && l.reader.Buffered() == 0
		l.u.pool.ReleaseReader(l.reader)
	}
	l.conn.writes = time.Time{}
	l.giveUp(clean)
	*l = lease{}
}
