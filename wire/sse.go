package wire

import "bytes"

// events splits a stream of server-sent events into the data of each, however its
// bytes are cut: lines may end with CR, LF or CRLF, a colon need no space behind
// it, several data lines are joined by a newline, comments and other fields are
// passed over (WHATWG HTML, 9.2.6). An event that stands whole in one Write is
// handed on without a copy.
type events struct {
	limit int    // bytes of one event that are kept; what is above is passed over
	line  []byte // a line that the last write began
	data  []byte // the data lines of an event that is not over
	open  bool   // data holds at least one line
	over  bool   // line or data has been cut at limit
	cr    bool   // the last write ended with CR: an LF now belongs to it
}

// write calls t.event for every event that ends in b.
func (e *events) write(b []byte, t *Tap) {
	if e.cr && len(b) > 0 {
		e.cr = false
		if b[0] == '\n' {
			b = b[1:]
		}
	}
	lf := -1 // the next LF in b: looked for once, however many CR stand before it
	for len(b) > 0 {
		if lf < 0 {
			lf = to(bytes.IndexByte(b, '\n'), len(b))
		}
		n := to(bytes.IndexByte(b[:lf], '\r'), lf)
		if n == len(b) {
			e.keepLine(b)
			return
		}
		line, rest := b[:n], b[n+1:]
		if b[n] == '\r' {
			if len(rest) == 0 {
				e.cr = true
			} else if rest[0] == '\n' {
				rest = rest[1:]
			}
		}
		if len(e.line) > 0 {
			e.keepLine(line)
			line = e.line
		}
		e.take(line, rest, t)
		lf -= len(b) - len(rest)
		e.line, b = e.line[:0], rest
	}
}

// to is n, or end when there is no n.
func to(n, end int) int {
	if n < 0 {
		return end
	}
	return n
}

func (e *events) keepLine(b []byte) {
	if room := e.limit - len(e.line); len(b) > room {
		b, e.over = b[:max(room, 0)], true
	}
	e.line = append(e.line, b...)
}

// take reads one whole line; rest are the bytes behind it.
func (e *events) take(line, rest []byte, t *Tap) {
	if len(line) == 0 {
		e.end(t)
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	if string(name) != "data" {
		return
	}
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	if !e.open && len(rest) > 0 && (rest[0] == '\n' || rest[0] == '\r') {
		t.event(value, e.over) // the whole event is here: no copy
		e.over = false
		return
	}
	if e.open && len(e.data) < e.limit {
		e.data = append(e.data, '\n')
	}
	if room := e.limit - len(e.data); len(value) > room {
		value, e.over = value[:max(room, 0)], true
	}
	e.data, e.open = append(e.data, value...), true
}

// end closes the event at hand, at its blank line or at the end of the stream.
func (e *events) end(t *Tap) {
	if e.open {
		t.event(e.data, e.over)
	}
	e.data, e.open, e.over = e.data[:0], false, false
}

// finish treats what is left as an event: some servers leave out the last blank line.
func (e *events) finish(t *Tap) {
	if len(e.line) > 0 {
		e.take(e.line, nil, t)
		e.line = e.line[:0]
	}
	e.end(t)
}
