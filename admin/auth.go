package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Role is what a token may do. Each role may also do what those before it may.
type Role string

// Roles.
const (
	public   Role = ""         // no token needed
	Viewer   Role = "viewer"   // reads everything
	Approver Role = "approver" // decides: proposals, findings, rules, feedback
	Owner    Role = "owner"    // rolls back, writes routing, backs up, erases people
)

func (r Role) rank() int {
	switch r {
	case Viewer:
		return 1
	case Approver:
		return 2
	case Owner:
		return 3
	}
	return 0
}

// May reports whether r includes least.
func (r Role) May(least Role) bool { return r.rank() >= least.rank() }

// minSecretBytes is the shortest admin token that New takes.
const minSecretBytes = 8

// Token lets somebody into admin. The secret is hashed by New and not kept.
type Token struct {
	Name  string // stands in the audit trail
	Role  Role
	Token string
}

// String leaves the secret out.
func (t Token) String() string { return fmt.Sprintf("%s (%s)", t.Name, t.Role) }

// GoString leaves the secret out.
func (t Token) GoString() string { return t.String() }

// LogValue leaves the secret out.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText leaves the secret out.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

type hashedToken struct {
	who person
	sum [sha256.Size]byte
}

// person is whoever is logged in.
type person struct {
	Name string
	Role Role
}

func hashTokens(tokens []Token) ([]hashedToken, error) {
	var errs []error
	var out []hashedToken
	if len(tokens) == 0 {
		errs = append(errs, errors.New("admin: no tokens: nobody could log in"))
	}
	seen := map[[sha256.Size]byte]bool{}
	for i, t := range tokens {
		sum := sha256.Sum256([]byte(t.Token))
		switch {
		case t.Name == "":
			errs = append(errs, fmt.Errorf("admin: token %d has no name", i+1))
		case t.Role.rank() == 0:
			errs = append(errs, fmt.Errorf("admin: token %q has role %q: want viewer, approver or owner", t.Name, t.Role))
		case len(t.Token) < minSecretBytes:
			errs = append(errs, fmt.Errorf("admin: token %q is shorter than %d bytes", t.Name, minSecretBytes))
		case seen[sum]:
			errs = append(errs, fmt.Errorf("admin: token %q is the same as another", t.Name))
		}
		seen[sum] = true
		out = append(out, hashedToken{person{t.Name, t.Role}, sum})
	}
	return out, errors.Join(errs...)
}

// known finds whose token it is, in a time that does not depend on the token.
func (a *Admin) known(token string) (person, bool) {
	sum := sha256.Sum256([]byte(token))
	var who person
	found := false
	for _, t := range a.tokens {
		if subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1 {
			who, found = t.who, true
		}
	}
	return who, found
}

// bearer reads the token of an API call.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// session is a login of the UI, kept in memory: a restart logs people out.
type session struct {
	who     person
	created time.Time

	mu    sync.Mutex
	used  time.Time
	flash *flash
}

// flash is what the next page tells about the last action.
type flash struct {
	Good bool
	Text string

	path string     // of the form that was refused, and
	form url.Values // what it held, so that nobody writes it again
}

// maxKept bounds the form that a refusal keeps, in bytes.
const maxKept = 16 << 10

func (s *session) tell(good bool, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flash = &flash{Good: good, Text: text}
}

// refuse tells why a form was refused and keeps what it held for the next page.
func (s *session) refuse(text, path string, form url.Values) {
	if len(form.Encode()) > maxKept {
		form = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flash = &flash{Text: text, path: path, form: form}
}

// kept is what was in the form of the path when it was refused just now, nil when
// it was not.
func (s *session) kept(path string) url.Values {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flash == nil || s.flash.path != path {
		return nil
	}
	return s.flash.form
}

func (s *session) takeFlash() *flash {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flash
	s.flash = nil
	return f
}

// sessions are kept by the hash of the cookie, at most maxSessions.
type sessions struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*session
}

func (s *sessions) add(who person, now time.Time) (id string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	id = base64.RawURLEncoding.EncodeToString(b[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[[sha256.Size]byte]*session{}
	}
	if len(s.all) >= maxSessions {
		s.dropOldest()
	}
	s.all[sha256.Sum256([]byte(id))] = &session{who: who, created: now, used: now}
	return id
}

func (s *sessions) dropOldest() {
	var oldest [sha256.Size]byte
	var at time.Time
	for k, v := range s.all {
		if at.IsZero() || v.created.Before(at) {
			oldest, at = k, v.created
		}
	}
	delete(s.all, oldest)
}

func (s *sessions) get(id string, now time.Time) *session {
	key := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[key]
	if one == nil {
		return nil
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if now.Sub(one.used) > sessionIdle || now.Sub(one.created) > sessionLife {
		delete(s.all, key)
		return nil
	}
	one.used = now
	return one
}

func (s *sessions) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(id)))
}

func (a *Admin) cookieName() string {
	if a.opt.TLS {
		return "__Host-heed"
	}
	return "heed"
}

func (a *Admin) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: a.cookieName(), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: a.opt.TLS, SameSite: http.SameSiteStrictMode,
	}
}

func (a *Admin) session(r *http.Request) *session {
	c, err := r.Cookie(a.cookieName())
	if err != nil || c.Value == "" {
		return nil
	}
	return a.sessions.get(c.Value, time.Now())
}

// SignIn starts a session for whoever holds the token and sets its cookie, as the
// login page does; for a program's own page (heed demo). It refuses an unknown
// token, and everybody after ten failures of one address in 15 minutes.
func (a *Admin) SignIn(w http.ResponseWriter, r *http.Request, token string) error {
	from := remote(r)
	if !a.logins.allowed(from, time.Now()) {
		return &Error{Status: http.StatusTooManyRequests, Code: "too_many_logins",
			Message: "too many failed logins from this address: wait 15 minutes"}
	}
	who, ok := a.known(token)
	if !ok {
		a.logins.count(from, time.Now())
		a.log.Warn("admin login refused", "remote", from)
		return &Error{Status: http.StatusUnauthorized, Code: "unknown_token", Message: "this token is not known"}
	}
	if c, err := r.Cookie(a.cookieName()); err == nil {
		a.sessions.remove(c.Value) // a session never outlives a new login
	}
	http.SetCookie(w, a.cookie(a.sessions.add(who, time.Now()), int(sessionLife/time.Second)))
	a.log.Info("admin login", "name", who.Name, "role", who.Role)
	return nil
}

// Guard lets only those through to h who are logged in, or send a token, with at
// least that role. Who it is stands in the request's context (Who).
func (a *Admin) Guard(least Role, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := a.known(bearer(r))
		if s := a.session(r); !ok && s != nil {
			who, ok = s.who, true
		}
		switch {
		case !ok:
			writeError(w, errLogin)
		case !who.Role.May(least):
			writeError(w, errRole(least, who))
		default:
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), whoKey{}, who)))
		}
	})
}

type whoKey struct{}

// Who returns the name and role of whoever Guard let through.
func Who(ctx context.Context) (name string, role Role) {
	who, _ := ctx.Value(whoKey{}).(person)
	return who.Name, who.Role
}

var errLogin = &Error{Status: http.StatusUnauthorized, Code: "no_token",
	Message: "this needs an admin token: send Authorization: Bearer <token>"}

func errRole(least Role, who person) *Error {
	return &Error{Status: http.StatusForbidden, Code: "role",
		Message: fmt.Sprintf("this needs the role %s; %s is %s", least, who.Name, who.Role)}
}

func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// limiter counts events per key in windows of every; at most 4096 keys, beyond
// which all keys start anew.
type limiter struct {
	most  int
	every time.Duration

	mu    sync.Mutex
	start time.Time
	n     map[string]int
}

func (l *limiter) allowed(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll(now)
	return l.n[key] < l.most
}

func (l *limiter) count(key string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll(now)
	l.n[key]++
}

// take counts one event if it is allowed.
func (l *limiter) take(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll(now)
	if l.n[key] >= l.most {
		return false
	}
	l.n[key]++
	return true
}

func (l *limiter) roll(now time.Time) {
	if l.n == nil || now.Sub(l.start) >= l.every || len(l.n) > 4096 {
		l.start, l.n = now, map[string]int{}
	}
}
