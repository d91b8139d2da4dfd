package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"heed/store"
)

// frame is what every page shows around its own content.
type frame struct {
	Title   string
	Active  string // the menu's entry
	App     string
	Apps    []string
	Who     person
	Decides bool // may approve
	Owns    bool
	Flash   *flash
	Inbox   int    // proposals waiting
	Open    int    // findings
	Mode    App    // how the app uses its rules
	CSS, JS string // addresses of assets
	Icon    string
	Version string
	Data    any
}

// Kept is what the form of the path held when it was refused just now, nil when it
// was not.
func (f *frame) Kept(path string) url.Values {
	if f.Flash == nil || f.Flash.path != path {
		return nil
	}
	return f.Flash.form
}

// liveHeader marks a refresh by the page's own script: it does not take the
// message that the person's next page shows.
const liveHeader = "Heed-Live"

func (a *Admin) servePage(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{a: a, w: w, r: r}
		if c.sess = a.session(r); c.sess != nil {
			c.who = c.sess.who
		}
		err := func() error {
			switch {
			case rt.least == public:
				return rt.page(c)
			case c.sess == nil:
				return c.toLogin()
			case !c.who.Role.May(rt.least):
				return errRole(rt.least, c.who)
			}
			return rt.page(c)
		}()
		if err != nil {
			c.problem(a.noted(r, err))
		}
	})
}

func (c *call) toLogin() error {
	to := "/login"
	if c.r.Method == http.MethodGet && c.r.URL.Path != "/live" {
		to += "?next=" + url.QueryEscape(c.r.URL.RequestURI())
	}
	if c.r.URL.Path == "/live" {
		return errLogin
	}
	http.Redirect(c.w, c.r, to, http.StatusSeeOther)
	return nil
}

// problem shows an error: after an action by message on the page where it was
// taken, else as a page.
func (c *call) problem(e *Error) {
	if c.r.Method == http.MethodPost && c.sess != nil {
		c.sess.refuse(e.Message, c.r.URL.Path, c.r.PostForm)
		http.Redirect(c.w, c.r, c.back("/inbox"), http.StatusSeeOther)
		return
	}
	f := &frame{Title: http.StatusText(e.Status), Data: e}
	if c.sess != nil {
		f.Who = c.who
		f.Apps, _ = c.a.apps(c.r.Context()) // the menu does without
		f.App, _ = c.appOr(c.r.URL.Query().Get("app"))
	}
	if err := c.write("problem", e.Status, f); err != nil {
		c.a.log.Error("write the page of an error", "error", err)
		writeError(c.w, e)
	}
}

// show writes a page with the frame of a logged-in person.
func (c *call) show(name, title, active, app string, data any) error {
	ctx := c.r.Context()
	apps, err := c.a.apps(ctx)
	if err != nil {
		return err
	}
	f := &frame{Title: title, Active: active, App: app, Apps: apps, Who: c.who, Data: data,
		Decides: c.who.Role.May(Approver), Owns: c.who.Role.May(Owner), Mode: c.a.app(app)}
	if f.Inbox, f.Open, err = c.a.waiting(ctx, app); err != nil {
		return err
	}
	if c.r.Header.Get(liveHeader) == "" {
		f.Flash = c.sess.takeFlash()
	}
	return c.write(name, http.StatusOK, f)
}

func (c *call) write(name string, status int, f *frame) error {
	f.CSS, f.JS, f.Icon = c.a.assets.link("heed.css"), c.a.assets.link("heed.js"), c.a.assets.link("icon.svg")
	f.Version = c.a.opt.Version
	t := c.a.pages[name]
	if t == nil {
		return fmt.Errorf("no page %q", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "page", f); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = io.WriteString(c.w, visible(b.String())) // a client that left needs no page
	return nil
}

// maxBadge bounds what the menu counts: beyond it people know enough.
const maxBadge = 100

// waiting counts what waits for people, up to maxBadge.
func (a *Admin) waiting(ctx context.Context, app string) (proposals, findings int, err error) {
	ps, _, err := a.store.Proposals(ctx, store.ProposalFilter{App: app, State: store.Open, Limit: maxBadge})
	if err != nil {
		return 0, 0, err
	}
	fs, _, err := a.store.Findings(ctx, store.FindingFilter{App: app, State: findingOpen, Limit: maxBadge})
	return len(ps), len(fs), err
}

// form reads a posted form and the app that it names.
func (c *call) form() (app string, err error) {
	if err := c.r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return "", err
		}
		return "", badRequest("", "the form cannot be read")
	}
	return c.appOr(c.r.PostForm.Get("app"))
}

func (c *call) field(name string) string { return strings.TrimSpace(c.r.PostForm.Get(name)) }

// done tells what was done and goes back to the page that the form was on.
func (c *call) done(otherwise, format string, args ...any) error {
	c.sess.tell(true, fmt.Sprintf(format, args...))
	http.Redirect(c.w, c.r, c.back(otherwise), http.StatusSeeOther)
	return nil
}

// back is where the form says it was, if that is a page of admin.
func (c *call) back(otherwise string) string {
	to := c.r.PostForm.Get("back")
	if !local(to) {
		to = otherwise
	}
	return to
}

// local says whether to is a path of this host; browsers read "\" as "/".
func local(to string) bool {
	return strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.ContainsAny(to, "\\\r\n\t")
}

func (a *Admin) pageHome(c *call) error {
	http.Redirect(c.w, c.r, "/inbox", http.StatusSeeOther)
	return nil
}

func (a *Admin) pageUnknown(c *call) error {
	return &Error{Status: http.StatusNotFound, Code: "unknown_path", Message: "There is no such page."}
}

func (a *Admin) pageLogin(c *call) error {
	if c.sess != nil {
		http.Redirect(c.w, c.r, "/inbox", http.StatusSeeOther)
		return nil
	}
	return c.write("login", http.StatusOK, &frame{Title: "Log in", Data: loginPage{Next: c.r.URL.Query().Get("next")}})
}

type loginPage struct{ Next, Error string }

func (a *Admin) doLogin(c *call) error {
	if err := c.r.ParseForm(); err != nil {
		return badRequest("", "the form cannot be read")
	}
	next := c.r.PostForm.Get("next")
	if err := a.SignIn(c.w, c.r, c.field("token")); err != nil {
		e := asError(err)
		return c.write("login", e.Status, &frame{Title: "Log in", Data: loginPage{next, e.Message}})
	}
	if !local(next) {
		next = "/inbox"
	}
	http.Redirect(c.w, c.r, next, http.StatusSeeOther)
	return nil
}

func (a *Admin) doLogout(c *call) error {
	if cookie, err := c.r.Cookie(a.cookieName()); err == nil {
		a.sessions.remove(cookie.Value)
	}
	http.SetCookie(c.w, a.cookie("", -1))
	http.Redirect(c.w, c.r, "/login", http.StatusSeeOther)
	return nil
}

// beat is how often a waiting connection hears something, so that proxies keep it.
const beat = 20 * time.Second

// pageLive tells a page when the store changed: a stream of server-sent events,
// one a change, with its number.
func (a *Admin) pageLive(c *call) error {
	select {
	case a.live <- struct{}{}:
		defer func() { <-a.live }()
	default:
		return &Error{Status: http.StatusServiceUnavailable, Code: "too_many", Message: "too many pages wait for changes"}
	}
	c.w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(c.w)
	ctx, stop := context.WithCancel(c.r.Context())
	defer stop()
	defer context.AfterFunc(a.closing, stop)()
	text := ": heed\n\n"
	for seq := uint64(0); ; {
		_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second)) // not every writer has one
		if _, err := fmt.Fprint(c.w, text); err != nil || out.Flush() != nil {
			return nil // the page is gone
		}
		wait, cancel := context.WithTimeout(ctx, beat)
		next, err := a.store.Wait(wait, seq)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			seq, text = next, fmt.Sprintf("event: change\ndata: %d\n\n", next)
		case errors.Is(err, context.DeadlineExceeded):
			text = ": still here\n\n"
		default:
			return nil // the page connects again
		}
	}
}
