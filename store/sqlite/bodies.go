package sqlite

import (
	"bytes"
	"encoding/binary"

	"heed/store"
)

// bodiesQuote is the first byte of a chunk's bodies that may quote rows, since
// version 2 of the log's schema. Those of version 1 begin with 0, because the
// first body shares nothing.
const bodiesQuote = 1

// minQuote is the shortest text that a body quotes, in bytes.
const minQuote = 32

// span is the place of a text in a row, as JSON without its quotes.
type span struct{ start, end int }

// quotable finds the query and the answer in x's row: texts that a request and a
// response mostly hold as well, in the same bytes.
func quotable(row []byte, x *store.Exchange) (query, answer span) {
	end := max(0, len(row)-96) // what follows them is two numbers
	n := bytes.Index(row[end:], []byte(`"request_bytes":`))
	if n < 2 {
		return span{}, span{}
	}
	end += n - 1
	answer = textBefore(row[:end], `,"answer":"`, store.Cut(x.Answer, store.MaxCopyBytes))
	if answer.start > 0 {
		end = answer.start - len(`,"answer":"`)
	}
	return textBefore(row[:end], `,"query":"`, store.Cut(x.Query, store.MaxQueryBytes)), answer
}

// textBefore is where the field's text stands, whose quote ends row.
func textBefore(row []byte, field, text string) span {
	end := len(row) - 1
	if text == "" || end < 0 || row[end] != '"' {
		return span{}
	}
	if start := end - len(text); start >= len(field) && string(row[start-len(field):start]) == field {
		return span{start, end} // without escapes
	}
	start := bytes.LastIndex(row[:end], []byte(field))
	if start < 0 {
		return span{}
	}
	return span{start + len(field), end}
}

// appendBody writes a body without what it shares with the one before: system
// prompts and histories repeat, and leaving them out costs a tenth of what
// finding them again costs the compressor. For the same reason a text that its
// row has too is quoted from there; whole says that the body has it as a JSON
// string of its own.
func appendBody(b, body []byte, shared int, row []byte, text span) (out []byte, whole bool) {
	b = binary.AppendUvarint(b, uint64(shared))
	own := body[shared:]
	at := quoteIn(own, row[text.start:text.end])
	if at < 0 {
		b = binary.AppendUvarint(b, 0)
		b = binary.AppendUvarint(b, uint64(len(own)))
		return append(b, own...), false
	}
	n := text.end - text.start
	b = binary.AppendUvarint(b, uint64(n))
	b = binary.AppendUvarint(b, uint64(text.start))
	b = binary.AppendUvarint(b, uint64(at))
	b = binary.AppendUvarint(b, uint64(len(own)-n))
	b = append(append(b, own[:at]...), own[at+n:]...)
	return b, at > 0 && own[at-1] == '"' && at+n < len(own) && own[at+n] == '"'
}

// quoteIn is where the text stands in body, -1 for nowhere.
func quoteIn(body, text []byte) int {
	if len(text) < minQuote {
		return -1
	}
	for at := 0; ; at++ {
		n := bytes.Index(body[at:], text[:minQuote])
		if n < 0 {
			return -1
		}
		if at += n; bytes.HasPrefix(body[at:], text) {
			return at
		}
	}
}

// openBodies returns request and response of each slot, one after the other. rows
// are those of the same chunk.
func openBodies(data []byte, rows [][]byte) ([][]byte, error) {
	b, err := expand(data, logFile)
	if err != nil {
		return nil, err
	}
	r := bodyReader{b: b}
	quote := len(b) > 0 && b[0] == bodiesQuote
	if quote {
		r.b = b[1:]
	}
	out := make([][]byte, 0, 2*len(rows))
	for len(out) < cap(out) && !r.bad {
		var before []byte
		if len(out) >= 2 {
			before = out[len(out)-2]
		}
		out = append(out, r.body(before, rows[len(out)/2], quote))
	}
	if r.bad || len(r.b) > 0 {
		return nil, errDamaged
	}
	return out, nil
}

// bodyReader reads what appendBody wrote; bad once something does not fit.
type bodyReader struct {
	b   []byte
	bad bool
}

func (r *bodyReader) body(before, row []byte, quote bool) []byte {
	prefix := r.take(before, 0, r.number())
	var text []byte
	var at int
	if quote {
		if n := r.number(); n > 0 {
			text = r.take(row, r.number(), n)
			at = r.number()
		}
	}
	own := r.take(r.b, 0, r.number())
	if r.bad || at > len(own) {
		r.bad = true
		return nil
	}
	r.b = r.b[len(own):]
	if len(prefix)+len(text) == 0 {
		return own
	}
	body := append(make([]byte, 0, len(prefix)+len(text)+len(own)), prefix...)
	return append(append(append(body, own[:at]...), text...), own[at:]...)
}

func (r *bodyReader) number() int {
	v, k := binary.Uvarint(r.b)
	if k <= 0 || v > maxExpanded {
		r.bad = true
		return 0
	}
	r.b = r.b[k:]
	return int(v)
}

// take is n bytes of b from a place on.
func (r *bodyReader) take(b []byte, from, n int) []byte {
	if from+n > len(b) {
		r.bad = true
		return nil
	}
	return b[from : from+n : from+n]
}
