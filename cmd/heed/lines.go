package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"

	"heed/configs"
	"heed/rules"
	"heed/rules/match"
	"heed/store"
	"heed/store/sqlite"
	"heed/wire"
)

// record is one line of export and import: an exchange or a feedback, in Heed's
// own format, or an OpenAI chat log with a thumb (messages, rating, comment).
type record struct {
	Exchange *store.Exchange `json:"exchange,omitempty"`
	Feedback *store.Feedback `json:"feedback,omitempty"`

	Request  json.RawMessage `json:"request,omitempty"`  // body of a chat completion request
	Response json.RawMessage `json:"response,omitempty"` // its answer
	Messages json.RawMessage `json:"messages,omitempty"` // instead of both: a whole conversation
	Model    string          `json:"model,omitempty"`
	Time     time.Time       `json:"time,omitzero"`
	Rating   *float64        `json:"rating,omitempty"`
	Comment  string          `json:"comment,omitempty"`
	User     string          `json:"user,omitempty"`
}

// maxLine bounds one line: two bodies of 1 MiB in base64 and their texts.
const maxLine = 8 << 20

type importCmd struct {
	App   string   `help:"The app that gets the records; default: the only one there is."`
	Store string   `help:"Data folder; default: store.path of the configuration." placeholder:"DIR"`
	Part  string   `enum:",admin,serve" default:"" help:"On Redis: who will list the records, heed admin or heed serve; default: serve if it ran here."`
	File  *os.File `arg:"" help:"JSON lines, - for standard input."`
}

// Limits of what one transaction takes.
const (
	importBatch = 500      // records
	importBytes = 32 << 20 // of their lines
)

// Run adds the file's records and stops at the first line that is none. Ids make it
// restartable: what is there already stays as it is.
func (cmd importCmd) Run(e *env) error {
	defer cmd.File.Close()
	c, err := e.load()
	if err != nil {
		return err
	}
	if cmd.App, err = appOr(c, cmd.App); err != nil {
		return err
	}
	var s store.Store
	if cmd.Store != "" {
		s, err = sqlite.Open(e.ctx, cmd.Store, sqlite.Options{})
	} else {
		s, err = openForImport(e, c, cmd.Part)
	}
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w: stop Heed first", err)
	}
	if err != nil {
		return err
	}
	n, err := importLines(e.ctx, s, cmd.App, kept(c, cmd.App), cmd.File)
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("after %d records: %w (run it again once mended: nothing is added twice)", n, err)
	}
	_, err = fmt.Fprintf(e.out, "%d records\n", n)
	return err
}

// openForImport opens the configured store. On Redis that is with the index of who
// lists exchanges, because history may be longer than what the log holds there.
func openForImport(e *env, c *configs.Config, part string) (store.Store, error) {
	log := slog.New(slog.NewTextHandler(e.errs, nil))
	if c.Store.Redis == "" {
		return openStore(e.ctx, c, log)
	}
	s, err := openStoreOf(e.ctx, c, log, listingRole(c, part), nil)
	return following{s}, err
}

// following is a store whose index has each batch before the next is written.
type following struct{ store.Store }

func (f following) WriteExchanges(ctx context.Context, xs []*store.Exchange) error {
	if err := f.Store.WriteExchanges(ctx, xs); err != nil || len(xs) == 0 {
		return err
	}
	_, _, err := f.Exchanges(ctx, store.ExchangeFilter{App: xs[0].App, Limit: 1})
	return err
}

// kept is what the configuration lets the store keep of an app's records, each of
// which may be nil.
func kept(c *configs.Config, app string) func(*store.Exchange, *store.Feedback) {
	a, ok := c.Apps.Lookup(app)
	if !ok || a.Bodies == "full" {
		return func(*store.Exchange, *store.Feedback) {}
	}
	custom := patterns(a)
	return func(x *store.Exchange, f *store.Feedback) {
		if x != nil {
			if a.Bodies == "none" {
				x.Request, x.Response, x.Answer = nil, nil, ""
			}
			x.Redact(custom)
		}
		if f != nil {
			f.Redact(custom)
		}
	}
}

// importLines adds the records to the store, as keep leaves them. It stops at the
// first line that is none; what stood before it may be added or not.
func importLines(ctx context.Context, s store.Store, app string, keep func(*store.Exchange, *store.Feedback), r io.Reader) (n int, err error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), maxLine)
	w := importer{s: s}
	line := 1
	for ; sc.Scan(); line++ {
		text := bytes.TrimSpace(bytes.TrimPrefix(sc.Bytes(), []byte("\ufeff"))) // as editors and spreadsheets leave them
		if len(text) == 0 {
			continue
		}
		x, f, err := readRecord(app, line, text, keep)
		if err != nil {
			return w.added, fmt.Errorf("line %d: %w", line, err)
		}
		if err := w.add(ctx, x, f, len(text)); err != nil {
			return w.added, err
		}
	}
	if errors.Is(sc.Err(), bufio.ErrTooLong) {
		return w.added, fmt.Errorf("line %d: longer than %d MiB", line, maxLine>>20)
	}
	if sc.Err() != nil {
		return w.added, sc.Err()
	}
	return w.added, w.flush(ctx)
}

// importer adds records in batches.
type importer struct {
	s         store.Store
	exchanges []*store.Exchange
	feedback  []*store.Feedback
	size      int // of their lines, in bytes
	added     int
}

// add takes what a line says, either of which may be nil.
func (w *importer) add(ctx context.Context, x *store.Exchange, f *store.Feedback, size int) error {
	if x != nil {
		w.exchanges = append(w.exchanges, x)
	}
	if f != nil {
		w.feedback = append(w.feedback, f)
	}
	if w.size += size; len(w.exchanges)+len(w.feedback) < importBatch && w.size < importBytes {
		return nil
	}
	return w.flush(ctx)
}

func (w *importer) flush(ctx context.Context) error {
	if err := w.s.WriteExchanges(ctx, w.exchanges); err != nil {
		return err
	}
	for _, f := range w.feedback {
		taken := !f.Retracted.IsZero()
		stored, _, err := w.s.AddFeedback(ctx, f)
		if err == nil && taken {
			err = w.s.Retract(ctx, f.App, stored.ID)
		}
		if err != nil && !errors.Is(err, store.ErrReused) {
			return err
		}
	}
	w.added += len(w.exchanges) + len(w.feedback)
	clear(w.exchanges)
	clear(w.feedback)
	w.exchanges, w.feedback, w.size = w.exchanges[:0], w.feedback[:0], 0
	return nil
}

// readRecord turns a line into what it adds, as keep leaves it.
func readRecord(app string, line int, text []byte, keep func(*store.Exchange, *store.Feedback)) (*store.Exchange, *store.Feedback, error) {
	var rec record
	if err := json.Unmarshal(text, &rec); err != nil {
		return nil, nil, err
	}
	x, f, err := rec.read(app, line)
	if err != nil {
		return nil, nil, err
	}
	keep(x, f)
	if x != nil {
		if _, err := x.AppendRow(nil); err != nil { // a batch would leave it out, and not know its line
			return nil, nil, err
		}
	}
	if f != nil {
		if f.Rating != nil && (*f.Rating < -1 || *f.Rating > 1) {
			return nil, nil, fmt.Errorf("rating %v: want a number from -1 to 1", *f.Rating)
		}
		if _, _, err := f.Kept(); err != nil {
			return nil, nil, err
		}
	}
	return x, f, nil
}

// read turns a line into what it adds.
func (rec *record) read(app string, line int) (*store.Exchange, *store.Feedback, error) {
	switch {
	case rec.Exchange != nil:
		rec.Exchange.App, rec.Exchange.Facts.App = app, app
		return rec.Exchange, nil, nil
	case rec.Feedback != nil:
		f := rec.Feedback
		if f.ID == "" {
			return nil, nil, errors.New("feedback: want its id, by which importing it again adds nothing")
		}
		f.App, f.Link, f.SupersededBy = app, nil, ""
		if f.Key == "" {
			f.Key = "import:" + f.ID
		}
		return nil, f, nil
	case rec.Request != nil || rec.Messages != nil:
		return rec.chat(app, line)
	}
	return nil, nil, errors.New(`want one of "exchange", "feedback", "request" or "messages"`)
}

// chat makes an exchange, and feedback where it was judged, of a foreign chat
// log. Its id is derived from its content, so importing it again adds nothing.
func (rec *record) chat(app string, line int) (*store.Exchange, *store.Feedback, error) {
	if err := rec.splitMessages(); err != nil {
		return nil, nil, err
	}
	req, err := wire.Parse(wire.Chat, rec.Request)
	if err != nil {
		return nil, nil, fmt.Errorf("request: %w", err)
	}
	id := contentID(app, line, rec) // before a missing time is set, so that it is the same again
	if rec.Time.IsZero() {
		rec.Time = time.Now().UTC() // as if it were new: an old one would expire at once
	}
	user := store.UserHash(app, rec.User)
	tap := wire.NewTap(wire.Chat, false, store.MaxCopyBytes)
	_, _ = tap.Write(rec.Response)
	answer := tap.Answer()
	x := &store.Exchange{
		ID: id, App: app, Time: rec.Time, API: wire.Chat, Method: "POST", Path: "/v1/chat/completions", Status: 200, Outcome: store.OK,
		Facts:   factsOf(app, req, rec.Time, id),
		Request: rec.Request, Response: rec.Response, Answer: answer.Text, ResponseID: answer.ID,
		RequestBytes: int64(len(rec.Request)), ResponseBytes: int64(len(rec.Response)),
	}
	x.Query, x.Facts.User = x.Facts.Query(), user
	if rec.Rating == nil && rec.Comment == "" {
		return x, nil, nil
	}
	f := &store.Feedback{
		App: app, Key: "import:" + id, Digest: id, Time: rec.Time, Source: "import",
		ExchangeID: id, User: user, Rating: rec.Rating, Comment: rec.Comment,
	}
	return x, f, nil
}

// splitMessages turns a conversation that ends with an answer into a request and
// a response.
func (rec *record) splitMessages() error {
	if rec.Messages == nil {
		return nil
	}
	var all []json.RawMessage
	if err := json.Unmarshal(rec.Messages, &all); err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	if len(all) == 0 {
		return errors.New("messages: empty")
	}
	var last struct{ Role string }
	if err := json.Unmarshal(all[len(all)-1], &last); err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	answer := json.RawMessage(`null`)
	if last.Role == "assistant" {
		answer, all = all[len(all)-1], all[:len(all)-1]
	}
	var err error
	if rec.Request, err = json.Marshal(map[string]any{"model": rec.Model, "messages": all}); err != nil {
		return err
	}
	rec.Response, err = json.Marshal(map[string]any{
		"object": "chat.completion", "model": rec.Model,
		"choices": []any{map[string]any{"index": 0, "message": answer, "finish_reason": "stop"}},
	})
	return err
}

// factsOf reads the facts of an imported request as the gateway would, with the
// id as its unit.
func factsOf(app string, req *wire.Request, now time.Time, unit string) rules.Facts {
	f := rules.Facts{App: app, Alias: req.Model, Unit: unit, Now: now, Strict: req.Strict()}
	f.Step = match.Fingerprint(req.System, req.Tools, req.Format)
	var turns []string
	for _, t := range req.Turns {
		if !t.Tool {
			turns = append(turns, t.Text)
		}
	}
	f.Queries = match.Extract(f.Step, turns, match.Shipped())
	return f
}

// contentID is a UUIDv7 of the record's time whose random part is a hash of its
// content and line.
func contentID(app string, line int, rec *record) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s\n%s", app, line, rec.Request, rec.Response))
	var id uuid.UUID
	copy(id[:], sum[:])
	var ms uint64
	if !rec.Time.IsZero() {
		ms = uint64(rec.Time.UnixMilli())
	}
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
