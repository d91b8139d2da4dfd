package simulate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Listen serves the model on addr ("127.0.0.1:0" takes a free port) and
// returns its base URL without a path, such as "http://127.0.0.1:9900". stop
// closes the listener and every connection, and returns when the server has
// ended; it may be called more than once.
func Listen(addr string, m *Model) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("listen for the simulated model on %q: %w", addr, err)
	}
	s := &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { // ends when stop closes the server
		defer close(done)
		_ = s.Serve(l) // always ErrServerClosed, or the listener's end
	}()
	return "http://" + l.Addr().String(), func() {
		_ = s.Close()
		<-done
	}, nil
}

// call is one request being answered.
type call struct {
	m          *Model
	w          http.ResponseWriter
	r          *http.Request
	path       string // as /v1/…
	body       []byte
	deployment string // of an Azure path, else empty
}

// decode reads the body into v, or answers 400.
func (c *call) decode(v any) bool {
	if err := json.Unmarshal(c.body, v); err != nil {
		writeError(c.w, c.path, http.StatusBadRequest, "the body is no valid request: "+err.Error())
		return false
	}
	return true
}

// id returns a fresh id with the prefix: the answer's hash and a counter,
// since two equal requests are still two answers.
func (c *call) id(prefix string, h uint64) string {
	return fmt.Sprintf("%ssim%016x%06x", prefix, h, c.m.served.Add(1))
}

// pause waits for d, and tells whether the client is still there.
func (c *call) pause(d time.Duration) bool {
	if d <= 0 {
		return c.r.Context().Err() == nil
	}
	return wait(c.r.Context(), d)
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// whole waits as long as the stream of these words would take.
func (c *call) whole(words int) bool {
	return c.pause(c.m.opts.FirstChunk + time.Duration(max(0, words-1))*c.m.opts.PerChunk)
}

func (c *call) json(v any) { writeJSON(c.w, http.StatusOK, v) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: marshal an answer: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client may be gone, which nobody needs to know
}

// object is a JSON object under construction.
type object = map[string]any

// writeError answers in the error shape of the API that path belongs to.
func writeError(w http.ResponseWriter, path string, status int, message string) {
	if path == "/v1/messages" {
		kind := map[int]string{401: "authentication_error", 404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error"}[status]
		if kind == "" {
			kind = "invalid_request_error"
			if status >= 500 {
				kind = "api_error"
			}
		}
		writeJSON(w, status, object{"type": "error", "error": object{"type": kind, "message": message}})
		return
	}
	kind := "invalid_request_error"
	if status >= 500 {
		kind = "server_error"
	}
	writeJSON(w, status, object{"error": object{"message": message, "type": kind, "code": nil, "param": nil}})
}

// events writes a stream of server-sent events.
type events struct {
	c    *call
	sent bool
}

// stream opens the event stream after the wait for the first chunk. It
// returns nil when the client left meanwhile.
func (c *call) stream() *events {
	if !c.pause(c.m.opts.FirstChunk) {
		return nil
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	c.w.WriteHeader(http.StatusOK)
	return &events{c: c}
}

// send writes one event and flushes it; name may be empty.
func (e *events) send(name string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: marshal an event: " + err.Error())
	}
	e.raw(name, string(b))
}

func (e *events) raw(name, data string) {
	if name != "" {
		fmt.Fprintf(e.c.w, "event: %s\n", name)
	}
	fmt.Fprintf(e.c.w, "data: %s\n\n", data)
	_ = http.NewResponseController(e.c.w).Flush() // fails only when the client left
}

// words calls f with each chunk of text, in the pace that the options ask
// for. It returns false when the client left.
func (e *events) words(text string, f func(chunk string)) bool {
	for _, chunk := range chunks(text) {
		if e.sent && !e.c.pause(e.c.m.opts.PerChunk) || e.c.r.Context().Err() != nil {
			return false
		}
		e.sent = true
		f(chunk)
	}
	return true
}

// chunks cuts text into words, each with the white space before it; joined
// they are the text.
func chunks(text string) []string {
	var out []string
	start, inWord := 0, false
	for i, r := range text {
		space := strings.ContainsRune(" \n\t", r)
		if space && inWord {
			out = append(out, text[start:i])
			start = i
		}
		inWord = !space
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}

// echo tells what arrived, so that a test can compare it with what was sent.
func (c *call) echo() {
	sum := sha256.Sum256(c.body)
	c.json(object{
		"object": "echo", "method": c.r.Method, "path": c.r.URL.Path, "query": c.r.URL.RawQuery,
		"content_type": c.r.Header.Get("Content-Type"), "bytes": len(c.body), "sha256": hex.EncodeToString(sum[:]),
		"system_fingerprint": Fingerprint,
	})
}

func (c *call) models() {
	entry := func(id string) object {
		return object{"id": id, "object": "model", "created": 1700000000, "owned_by": "heed-simulation"}
	}
	if id, ok := strings.CutPrefix(c.path, "/v1/models/"); ok {
		c.json(entry(id))
		return
	}
	data := make([]object, 0, len(c.m.opts.Models))
	for _, id := range c.m.opts.Models {
		data = append(data, entry(id))
	}
	c.json(object{"object": "list", "data": data})
}
