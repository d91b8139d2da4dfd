package wire

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Limits of a Tap, in bytes. What is above them is relayed all the same; only the
// record lacks it.
const (
	maxEvent     = 4 << 20 // one event's data, or a body that is no stream
	maxToolCalls = 64      // calls of one answer
	maxField     = 4 << 10 // ids, names, reasons, error messages
)

// Tap reads an answer as it is relayed and keeps what the log needs. The zero
// value is not ready: use [NewTap] or Reset. Not safe for concurrent use.
type Tap struct {
	api    API
	limit  int
	stream bool // as the header said; the first bytes decide
	mode   mode
	events events
	body   []byte // an answer that is no stream, up to maxEvent
	skip   int    // bytes of a byte order mark seen

	answer   Answer
	text     []byte
	refusal  []byte // shown when there is no text
	calls    []call
	streamed bool  // text came in deltas: whole items repeat it
	part     int64 // which part of the answer the last text was of
	usage    Usage
	reported bool // usage was

	uncached, cacheRead, cacheWritten int64 // parts of the input, as Anthropic counts
	total                             bool  // usage.InputTokens is what the upstream said
	sequence                          int64 // the last sequence_number, -1 before any
}

// call is a tool call that is still being sent.
type call struct {
	key       int64 // its index in the answer
	name, arg []byte
}

type mode uint8

const (
	undecided mode = iota
	asEvents
	asBody
	closed // Answer was called
)

// NewTap returns a Tap for an answer of api. stream is what the response's content
// type says; contents that are otherwise are read as what they are. textLimit is
// how many bytes of text, and of each tool call's arguments, are kept.
func NewTap(api API, stream bool, textLimit int) *Tap {
	t := new(Tap)
	t.Reset(api, stream, textLimit)
	return t
}

// Reset makes t ready for another answer and keeps its buffers, unless they grew
// large. Answers it gave out before stay valid.
func (t *Tap) Reset(api API, stream bool, textLimit int) {
	const keep = 64 << 10
	trim := func(b []byte) []byte {
		if cap(b) > keep {
			return nil
		}
		return b[:0]
	}
	for i := range t.calls {
		t.calls[i].name, t.calls[i].arg = trim(t.calls[i].name), trim(t.calls[i].arg)
	}
	e := events{limit: maxEvent, line: trim(t.events.line), data: trim(t.events.data)}
	*t = Tap{
		api: api, stream: stream, limit: max(textLimit, 0), events: e, sequence: -1,
		body: trim(t.body), text: trim(t.text), refusal: trim(t.refusal), calls: t.calls[:0],
	}
}

// Write takes the answer's next bytes, cut anywhere. It copies what it keeps,
// never blocks, and always returns len(b), nil: what it cannot read it passes over.
func (t *Tap) Write(b []byte) (int, error) {
	n := len(b)
	if t.mode == undecided {
		b = t.decide(b)
	}
	switch t.mode {
	case asEvents:
		t.events.write(b, t)
	case asBody:
		t.body = append(t.body, b[:min(len(b), maxEvent-len(t.body))]...)
	}
	return n, nil
}

// decide tells a stream from a body by the first byte that says something, and
// returns the bytes from there on.
func (t *Tap) decide(b []byte) []byte {
	const bom = "\xef\xbb\xbf"
	for len(b) > 0 {
		switch c := b[0]; {
		case t.skip < len(bom) && c == bom[t.skip]:
			t.skip++
		case c == ' ' || c == '\n' || c == '\r' || c == '\t':
		case c == '{' || c == '[' || c == '"' || c == '<':
			t.mode = asBody
			return b
		default:
			t.mode = asEvents
			return b
		}
		b = b[1:]
	}
	return nil
}

// Answer says what was seen so far; after it, t takes no more bytes until Reset.
func (t *Tap) Answer() Answer {
	switch t.mode {
	case closed:
		return t.answer
	case asEvents:
		t.events.finish(t)
	case asBody:
		t.whole(t.body)
	}
	t.mode = closed
	t.close()
	return t.answer
}

// close turns what was collected into the answer.
func (t *Tap) close() {
	a := &t.answer
	text := t.text
	if len(text) == 0 {
		text = t.refusal
	}
	a.Text = cutText(text, t.limit)
	for _, c := range t.calls {
		a.Tools = append(a.Tools, ToolCall{Name: string(c.name), Arguments: cutText(c.arg, t.limit)})
	}
	if len(t.refusal) > 0 {
		a.Refusal = true
	}
	switch a.Finish {
	case "content_filter", "refusal":
		a.Refusal = true
	}
	if t.reported {
		u := t.usage
		a.Usage = &u
	}
}

// Sequence is the last sequence_number of a Responses stream, -1 when there was none.
func (t *Tap) Sequence() int64 { return t.sequence }

// cutText is b as valid UTF-8, without a character that limit has cut.
func cutText(b []byte, limit int) string {
	if len(b) >= limit {
		b = b[:limit]
		for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
			if c := b[len(b)-n]; utf8.RuneStart(c) {
				if !utf8.FullRune(b[len(b)-n:]) {
					b = b[:len(b)-n]
				}
				break
			}
		}
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

// event reads the data of one event.
func (t *Tap) event(data []byte, over bool) {
	data = bytes.TrimLeft(data, " \t\r\n")
	if bytes.HasPrefix(data, []byte("[DONE]")) {
		t.answer.Complete = true
		return
	}
	if len(data) == 0 || data[0] != '{' {
		return
	}
	s := scanner{b: data, cut: over}
	t.object(&s)
}

// whole reads an answer that is not a stream.
func (t *Tap) whole(body []byte) {
	s := scanner{b: body, cut: true}
	if s.peek() != '{' {
		return
	}
	t.object(&s)
	if s.err == nil && s.depth == 0 && s.peek() == 0 {
		t.answer.Complete = true
	}
}

// add appends decoded text to dst, up to the tap's limit.
func (t *Tap) add(dst, raw []byte) []byte {
	room := t.limit - len(dst)
	if room <= 0 {
		t.answer.Cut = t.answer.Cut || len(raw) > 0
		return dst
	}
	if most := 6*room + 12; len(raw) > most { // an escape is at most 6 bytes a byte
		raw = raw[:most]
	}
	if dst = unescape(dst, raw); len(dst) > t.limit {
		dst, t.answer.Cut = dst[:t.limit], true
	}
	return dst
}

// call finds the tool call with that index, or starts it; nil above the limit.
func (t *Tap) call(key int64) *call {
	for i := range t.calls {
		if t.calls[i].key == key {
			return &t.calls[i]
		}
	}
	n := len(t.calls)
	if n == maxToolCalls {
		return nil
	}
	if n < cap(t.calls) {
		t.calls = t.calls[:n+1]
		c := &t.calls[n]
		c.key, c.name, c.arg = key, c.name[:0], c.arg[:0]
		return c
	}
	t.calls = append(t.calls, call{key: key})
	return &t.calls[n]
}

// set stores a short string, without allocating when it is the one already there.
func set(to *string, b []byte, v slot) {
	in := v.inner(b)
	if len(in) == 0 || len(in) > maxField {
		return
	}
	*to = again(*to, in)
}
