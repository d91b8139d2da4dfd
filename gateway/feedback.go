package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"heed/store"
	"heed/wire"
)

// Limits of one feedback.
const (
	maxFeedbackBytes = 64 << 10 // the whole body
	maxLabels        = 32
	maxLabelBytes    = 128
	maxAnswers       = 64
	maxKeyBytes      = 128              // the client's own id
	maxSaid          = 1000             // queued by header
	maxCommits       = 256              // at once, of POST
	feedbackTime     = 10 * time.Second // for the store to commit
	feedbackRetry    = 5 * time.Second  // Retry-After when it does not
)

// feedbackBody is what POST /heed/feedback takes.
type feedbackBody struct {
	Token      string                     `json:"token,omitempty"`
	ExchangeID string                     `json:"exchange_id,omitempty"`
	ResponseID string                     `json:"response_id,omitempty"`
	Session    string                     `json:"session,omitempty"`
	User       string                     `json:"user,omitempty"`
	ID         string                     `json:"id,omitempty"`
	Rating     *float64                   `json:"rating,omitempty"`
	Comment    string                     `json:"comment,omitempty"`
	When       string                     `json:"applies_when,omitempty"`
	Correction string                     `json:"correction,omitempty"`
	Labels     []string                   `json:"labels,omitempty"`
	Answers    map[string]json.RawMessage `json:"answers,omitempty"`
}

// feedback takes what a person said and answers 201 only after it is committed.
func (g *Gateway) feedback(ctx *fasthttp.RequestCtx, cfg *config) {
	f, e := g.readFeedback(ctx, cfg)
	if e != nil {
		g.metrics.feedback.WithLabelValues("refused").Inc()
		respond(ctx, wire.Other, e)
		return
	}
	defer g.commits.Add(-1)
	if g.commits.Add(1) > maxCommits {
		respond(ctx, wire.Other, &Error{Status: http.StatusServiceUnavailable, Code: codeOverloaded, Retry: time.Second,
			Message: "too much feedback is being stored at once; send it again after Retry-After"})
		return
	}
	within, cancel := context.WithTimeout(context.Background(), feedbackTime)
	defer cancel()
	stored, created, err := g.store.AddFeedback(within, f)
	if err != nil {
		respond(ctx, wire.Other, g.feedbackError(f.App, err))
		return
	}
	g.metrics.feedback.WithLabelValues("stored").Inc()
	status := http.StatusOK
	if created {
		status = http.StatusCreated
		g.traces.evaluation(stored)
	}
	ctx.SetStatusCode(status)
	ctx.Response.Header.SetContentType("application/json")
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.SetBodyString(`{"id":"` + stored.ID + `"}`)
}

func (g *Gateway) feedbackError(app string, err error) *Error {
	switch {
	case errors.Is(err, store.ErrReused):
		g.metrics.feedback.WithLabelValues("refused").Inc()
		return &Error{Status: http.StatusConflict, Code: "id_reused", Message: "this id was used with another body; give each feedback an id of its own"}
	case errors.Is(err, store.ErrTooLarge):
		g.metrics.feedback.WithLabelValues("refused").Inc()
		return &Error{Status: http.StatusRequestEntityTooLarge, Code: codeTooLarge, Message: "feedback is larger than the store takes"}
	}
	g.metrics.feedback.WithLabelValues("failed").Inc()
	g.log.Error("feedback not stored", "app", app, "error", err)
	return &Error{Status: http.StatusServiceUnavailable, Code: codeStore, Retry: feedbackRetry,
		Message: "the feedback could not be stored; send it again after Retry-After"}
}

// readFeedback reads the request and finds whose it is: by token, else by app key.
func (g *Gateway) readFeedback(ctx *fasthttp.RequestCtx, cfg *config) (*store.Feedback, *Error) {
	b, e := g.readFeedbackBody(ctx, cfg)
	if e != nil {
		return nil, e
	}
	now := time.Now()
	f := &store.Feedback{Time: now.UTC(), Source: "api"}
	if b.Token != "" {
		claims, err := cfg.signer.open(b.Token, now)
		if err != nil {
			g.allow(ctx, cfg, nil)
			return nil, asError(err)
		}
		if b.ExchangeID != "" || b.ResponseID != "" || b.Session != "" || b.User != "" {
			return nil, invalid("a token already says which exchange and whose it is: leave out exchange_id, response_id, session and user")
		}
		f.App, f.ExchangeID, f.User, f.Source = claims.app, claims.exchange, claims.user, "widget"
	} else {
		key, _, e := g.app(cfg, &ctx.Request.Header)
		if e != nil {
			g.allow(ctx, cfg, nil)
			return nil, e
		}
		f.App, f.User = key.app.Name, store.UserHash(key.app.Name, b.User)
		f.ExchangeID, f.ResponseID, f.Session = b.ExchangeID, b.ResponseID, b.Session
	}
	a := cfg.apps[f.App]
	if a == nil {
		return nil, errToken
	}
	g.allow(ctx, cfg, a)
	if e := b.fill(f); e != nil {
		return nil, e
	}
	a.redact(f)
	return f, nil
}

func invalid(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: codeBad, Message: fmt.Sprintf(format, args...)}
}

func (g *Gateway) readFeedbackBody(ctx *fasthttp.RequestCtx, cfg *config) (*feedbackBody, *Error) {
	raw := ctx.Request.Body // whole, unless it is streamed
	var body []byte
	if s := ctx.RequestBodyStream(); s != nil {
		conn, _ := ctx.Conn().(*clientConn)
		var n int64
		r := &bodyReader{r: s, conn: conn, wait: g.opt.Limits.Head, count: &n}
		var err error
		if body, err = io.ReadAll(io.LimitReader(r, maxFeedbackBytes+1)); err != nil {
			return nil, invalid("the request's body did not arrive whole")
		}
	} else {
		body = raw()
	}
	if len(body) > maxFeedbackBytes {
		g.allow(ctx, cfg, nil)
		ctx.SetConnectionClose()
		return nil, &Error{Status: http.StatusRequestEntityTooLarge, Code: codeTooLarge, Message: fmt.Sprintf("feedback has at most %d bytes", maxFeedbackBytes)}
	}
	var b feedbackBody
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		g.allow(ctx, cfg, nil)
		return nil, invalid("body: %s", jsonTrouble(err))
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalid("body: more than one JSON value")
	}
	return &b, nil
}

// jsonTrouble says what is wrong with a body without the names of Go's types.
func jsonTrouble(err error) string {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return "empty"
	case errors.As(err, &wrong) && wrong.Field == "":
		return "want a JSON object"
	case errors.As(err, &wrong):
		return fmt.Sprintf("%s: got a %s, which is of the wrong type", wrong.Field, wrong.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// fill checks what was said and copies it into f.
func (b *feedbackBody) fill(f *store.Feedback) *Error {
	named := 0
	for _, s := range []string{f.ExchangeID, f.ResponseID, f.Session} {
		if s != "" {
			named++
		}
		if len(s) > maxNameBytes {
			return invalid("exchange_id, response_id and session have at most %d bytes", maxNameBytes)
		}
	}
	switch {
	case named == 0:
		return invalid("say what this is about: token, exchange_id, response_id or session")
	case named > 1:
		return invalid("exchange_id, response_id and session: give one of them")
	case b.Rating == nil && strings.TrimSpace(b.Comment+b.When+b.Correction) == "" && len(b.Labels) == 0 && len(b.Answers) == 0:
		return invalid("nothing is said: give rating, comment, applies_when, correction, labels or answers")
	case b.Rating != nil && !(*b.Rating >= -1 && *b.Rating <= 1):
		return invalid("rating %v: want a number from -1 to 1; thumbs are -1 and 1", *b.Rating)
	case len(b.ID) > maxKeyBytes || len(b.User) > maxNameBytes:
		return invalid("id has at most %d bytes, user at most %d", maxKeyBytes, maxNameBytes)
	case len(b.Labels) > maxLabels || len(b.Answers) > maxAnswers:
		return invalid("at most %d labels and %d answers", maxLabels, maxAnswers)
	}
	if f.ExchangeID != "" {
		if id, err := uuid.Parse(f.ExchangeID); err != nil || id.String() != f.ExchangeID {
			return invalid("exchange_id %q: want the value of Heed-Exchange-Id", cut(f.ExchangeID, 64))
		}
	}
	for name, s := range map[string]string{"comment": b.Comment, "applies_when": b.When, "correction": b.Correction} {
		if len(s) > store.MaxTextBytes {
			return &Error{Status: http.StatusRequestEntityTooLarge, Code: codeTooLarge, Message: fmt.Sprintf("%s has %d bytes, at most %d", name, len(s), store.MaxTextBytes)}
		}
	}
	for _, l := range b.Labels {
		if len(l) > maxLabelBytes {
			return invalid("a label has at most %d bytes", maxLabelBytes)
		}
	}
	f.Key, f.Rating, f.Comment, f.When, f.Correction, f.Labels, f.Answers = b.ID, b.Rating, b.Comment, b.When, b.Correction, b.Labels, b.Answers
	f.Digest = b.digest(f)
	return nil
}

// redact takes personal data and secrets out of what was said where the app's log
// does without them.
func (a *App) redact(f *store.Feedback) {
	if a.Bodies == Redacted || a.Bodies == None {
		f.Redact(a.Redact)
	}
}

// digest names the content, so that the same id with the same body is told from
// one with another. Spelling and order of the JSON do not count.
func (b feedbackBody) digest(f *store.Feedback) string {
	b.Token, b.User, b.ID = "", f.User, ""
	b.ExchangeID = f.ExchangeID
	j, err := json.Marshal(b)
	if err != nil {
		panic("BUG: encode feedback: " + err.Error())
	}
	sum := sha256.Sum256(j)
	return hex.EncodeToString(sum[:])
}

// retract takes feedback back: its own person's, by token; any of the app's, by
// app key. What is not theirs does not exist.
func (g *Gateway) retract(ctx *fasthttp.RequestCtx, cfg *config, id string) {
	if e := g.retractOne(ctx, cfg, id); e != nil {
		respond(ctx, wire.Other, e)
		return
	}
	ctx.SetStatusCode(http.StatusNoContent)
}

func (g *Gateway) retractOne(ctx *fasthttp.RequestCtx, cfg *config, id string) *Error {
	missing := &Error{Status: http.StatusNotFound, Code: codeNotFound, Message: "no such feedback of yours"}
	var claims tokenClaims
	token := ctx.Request.Header.Peek("Heed-Feedback-Token")
	if len(token) > 0 {
		var err error
		if claims, err = cfg.signer.open(string(token), time.Now()); err != nil {
			g.allow(ctx, cfg, nil)
			return asError(err)
		}
	} else {
		key, _, e := g.app(cfg, &ctx.Request.Header)
		if e != nil {
			g.allow(ctx, cfg, nil)
			return e
		}
		claims.app = key.app.Name
	}
	a := cfg.apps[claims.app]
	if a == nil {
		return missing
	}
	g.allow(ctx, cfg, a)
	if _, err := uuid.Parse(id); err != nil {
		return missing
	}
	within, cancel := context.WithTimeout(context.Background(), feedbackTime)
	defer cancel()
	f, err := g.store.FeedbackByID(within, claims.app, id)
	if err == nil && len(token) > 0 && (f.ExchangeID != claims.exchange || f.User != claims.user) {
		return missing
	}
	if err == nil {
		err = g.store.Retract(within, claims.app, id)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return missing
	case err != nil:
		return g.feedbackError(claims.app, err)
	}
	g.metrics.feedback.WithLabelValues("retracted").Inc()
	return nil
}

// hear takes feedback that an agent sends along with its next request:
//
//	Heed-Feedback: exchange=…; rating=-1; comment=<percent-encoded UTF-8>
//
// It is queued and counted, never acknowledged, and never holds up the request.
func (g *Gateway) hear(c *call, header []byte, user string) {
	if len(header) == 0 {
		return
	}
	f := &store.Feedback{App: c.app.Name, Time: c.start, Source: "header", User: store.UserHash(c.app.Name, user)}
	b, e := parseSaid(string(header), f)
	if e == nil {
		e = b.fill(f)
	}
	if e != nil {
		g.metrics.feedback.WithLabelValues("refused").Inc()
		return
	}
	c.app.redact(f)
	select {
	case g.said <- f:
		g.metrics.feedback.WithLabelValues("queued").Inc()
	default:
		g.metrics.feedback.WithLabelValues("dropped").Inc()
	}
}

// parseSaid reads the header's pairs.
func parseSaid(header string, f *store.Feedback) (*feedbackBody, *Error) {
	var b feedbackBody
	for _, pair := range strings.Split(header, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
		v, err := url.PathUnescape(v)
		if err != nil {
			return nil, invalid("Heed-Feedback: %s is not percent-encoded", cut(k, 32))
		}
		switch k {
		case "":
		case "exchange":
			f.ExchangeID = v
		case "response":
			f.ResponseID = v
		case "session":
			f.Session = v
		case "rating":
			r, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return nil, invalid("Heed-Feedback: rating is not a number")
			}
			b.Rating = &r
		case "comment":
			b.Comment = v
		case "applies_when":
			b.When = v
		case "correction":
			b.Correction = v
		case "id":
			b.ID = v
		default:
			return nil, invalid("Heed-Feedback: unknown key %q", cut(k, 32))
		}
	}
	return &b, nil
}

// keepSaid stores queued feedback until ctx is done, then what is left, at most
// flushTime longer.
func (g *Gateway) keepSaid(ctx context.Context) {
	defer g.workers.Done()
	keep := func(ctx context.Context, f *store.Feedback) {
		within, cancel := context.WithTimeout(ctx, feedbackTime)
		defer cancel()
		stored, created, err := g.store.AddFeedback(within, f)
		if err != nil {
			g.feedbackError(f.App, err)
			return
		}
		if created {
			g.traces.evaluation(stored)
		}
		g.metrics.feedback.WithLabelValues("stored").Inc()
	}
	for ctx.Err() == nil {
		select {
		case f := <-g.said:
			keep(context.WithoutCancel(ctx), f)
		case <-ctx.Done():
		}
	}
	rest, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	for {
		select {
		case f := <-g.said:
			keep(rest, f)
		default:
			return
		}
	}
}
