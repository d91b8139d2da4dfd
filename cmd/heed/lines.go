package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

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

type exportCmd struct {
	App    string `help:"The app." default:"default"`
	Output string `short:"o" help:"File to write; it appears when it is whole. Default: standard output." placeholder:"FILE"`
}

// Run writes every exchange and feedback of the app that admin serves.
func (cmd exportCmd) Run(e *env) (err error) {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	out := e.out
	if cmd.Output != "" {
		var commit func() error
		out, commit, err = atomicFile(cmd.Output)
		if err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = commit()
			}
		}()
	}
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	q := appQuery(cmd.App)
	q.Set("limit", "200")
	err = each(e.ctx, c, "exchanges", q, func(x store.Exchange) error {
		var full store.Exchange
		if err := c.call(e.ctx, "GET", "exchanges/"+x.ID, appQuery(cmd.App), nil, &struct{ *store.Exchange }{&full}); err != nil {
			return err
		}
		return enc.Encode(record{Exchange: &full})
	})
	if err != nil {
		return err
	}
	err = each(e.ctx, c, "feedback", q, func(f store.Feedback) error { return enc.Encode(record{Feedback: &f}) })
	if err != nil {
		return err
	}
	return w.Flush()
}

// atomicFile is a file that takes its name when commit is called, so that no
// reader ever sees a torn one.
func atomicFile(path string) (io.Writer, func() error, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, nil, err
	}
	return f, func() error {
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			os.Remove(f.Name())
			return err
		}
		return os.Rename(f.Name(), path)
	}, nil
}

type importCmd struct {
	App   string   `help:"The app that gets the records." default:"default"`
	Store string   `help:"Data folder; default: store.path of the configuration." placeholder:"DIR"`
	File  *os.File `arg:"" help:"JSON lines, - for standard input."`
}

// importBatch is how many exchanges one transaction takes.
const importBatch = 500

// Run adds the file's records. Ids make it restartable: what is there already
// stays as it is.
func (cmd importCmd) Run(e *env) error {
	defer cmd.File.Close()
	dir := cmd.Store
	if dir == "" {
		c, err := e.load()
		if err != nil {
			return err
		}
		dir = c.Store.Path
	}
	s, err := sqlite.Open(e.ctx, dir, sqlite.Options{})
	if err != nil {
		return err
	}
	n, err := importLines(e.ctx, s, cmd.App, cmd.File)
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("after %d records: %w (run it again once mended: nothing is added twice)", n, err)
	}
	_, err = fmt.Fprintf(e.out, "%d records\n", n)
	return err
}

func importLines(ctx context.Context, s store.Store, app string, r io.Reader) (n int, err error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), maxLine)
	var batch []*store.Exchange
	var later []*store.Feedback
	flush := func() error {
		if err := s.WriteExchanges(ctx, batch); err != nil {
			return err
		}
		for _, f := range later {
			if _, _, err := s.AddFeedback(ctx, f); err != nil && !errors.Is(err, store.ErrReused) {
				return err
			}
		}
		n += len(batch) + len(later)
		batch, later = batch[:0], later[:0]
		return nil
	}
	for line := 1; sc.Scan(); line++ {
		if len(sc.Bytes()) == 0 {
			continue
		}
		var rec record
		if err := json.Unmarshal(sc.Bytes(), &rec); err != nil {
			return n, fmt.Errorf("line %d: %w", line, err)
		}
		x, f, err := rec.read(app, line)
		if err != nil {
			return n, fmt.Errorf("line %d: %w", line, err)
		}
		if x != nil {
			batch = append(batch, x)
		}
		if f != nil {
			later = append(later, f)
		}
		if len(batch)+len(later) >= importBatch {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	if err := sc.Err(); err != nil {
		return n, err
	}
	return n, flush()
}

// read turns a line into what it adds.
func (rec *record) read(app string, line int) (*store.Exchange, *store.Feedback, error) {
	switch {
	case rec.Exchange != nil:
		rec.Exchange.App, rec.Exchange.Facts.App = app, app
		return rec.Exchange, nil, nil
	case rec.Feedback != nil:
		f := rec.Feedback
		f.App, f.Source, f.Link, f.SupersededBy = app, "import", nil, ""
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
	if rec.Time.IsZero() {
		rec.Time = time.Unix(0, 0).UTC() // a log without times is old; now would not be restartable
	}
	id := contentID(app, line, rec)
	tap := wire.NewTap(wire.Chat, false, store.MaxCopyBytes)
	_, _ = tap.Write(rec.Response)
	answer := tap.Answer()
	x := &store.Exchange{
		ID: id, App: app, Time: rec.Time, API: wire.Chat, Method: "POST", Path: "/v1/chat/completions", Status: 200, Outcome: store.OK,
		Facts:   factsOf(app, req, rec.Time, id),
		Request: rec.Request, Response: rec.Response, Answer: answer.Text, ResponseID: answer.ID,
		RequestBytes: int64(len(rec.Request)), ResponseBytes: int64(len(rec.Response)),
	}
	x.Query = x.Facts.Query()
	if rec.Rating == nil && rec.Comment == "" {
		return x, nil, nil
	}
	f := &store.Feedback{
		App: app, Key: "import:" + id, Digest: id, Time: rec.Time, Source: "import",
		ExchangeID: id, User: rec.User, Rating: rec.Rating, Comment: rec.Comment,
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
	ms := uint64(rec.Time.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
