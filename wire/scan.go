package wire

import (
	"bytes"
	"fmt"
)

// maxDepth bounds how deep objects and arrays nest, so that a hostile body
// cannot exhaust the stack. Real requests stay below 30.
const maxDepth = 64

// SyntaxError says where a body stops being JSON.
type SyntaxError struct {
	Offset int    // in bytes from the start of the body
	What   string // what is wrong there
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("body is not valid JSON: byte %d: %s", e.Offset, e.What)
}

// span is a half-open range of a body. No value ends at 0, so hi == 0 is "absent".
type span struct{ lo, hi int }

// scanner walks JSON without building anything. After the first error every
// method says "no more", so callers check err once, at the end.
//
// It checks the grammar of RFC 8259, with two liberties, since what it lets pass
// is forwarded and not interpreted: raw control characters and invalid UTF-8
// inside strings are left for the upstream to judge.
type scanner struct {
	b       []byte
	i       int
	depth   int
	fresh   bool   // nothing read since the last enter
	escaped bool   // the last text had a backslash in it
	cut     bool   // the bytes may end early: a string ends where they do
	scratch []byte // a key with escapes, decoded
	err     *SyntaxError
}

func (s *scanner) fail(what string) {
	if s.err == nil {
		s.err = &SyntaxError{Offset: s.i, What: what}
	}
	s.i = len(s.b)
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		c := s.b[s.i]
		if c > ' ' || (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
			return c
		}
		s.i++
	}
	return 0
}

// enter steps into an object or array that starts with c, if one is next.
func (s *scanner) enter(c byte) bool {
	if s.peek() != c || s.err != nil {
		return false
	}
	if s.depth == maxDepth {
		s.fail("nested deeper than 64 levels")
		return false
	}
	s.i++
	s.depth++
	s.fresh = true
	return true
}

// more steps to the next member of an object or array that ends with c, or out of it.
func (s *scanner) more(c byte) bool {
	next := s.peek()
	if next == c && s.err == nil {
		s.i++
		s.depth--
		s.fresh = false
		return false
	}
	if !s.fresh {
		if next != ',' {
			s.fail(`"," or the end of the object or array expected`)
			return false
		}
		s.i++
		next = s.peek()
	}
	s.fresh = false
	if next == 0 || next == c {
		s.fail("a value expected")
		return false
	}
	return s.err == nil
}

// elem steps to the next element of an array.
func (s *scanner) elem() bool { return s.more(']') }

// key reads the next key of an object, decoded, and steps to its value. The
// bytes are good until the next call.
func (s *scanner) key() ([]byte, bool) {
	if !s.more('}') {
		return nil, false
	}
	if s.b[s.i] != '"' {
		s.fail("a key in quotes expected")
		return nil, false
	}
	t := s.text()
	escaped := s.escaped
	if s.peek() != ':' {
		s.fail(`":" expected after a key`)
		return nil, false
	}
	s.i++
	if !escaped {
		return s.b[t.lo:t.hi], true
	}
	s.scratch = unescape(s.scratch[:0], s.b[t.lo:t.hi])
	return s.scratch, true
}

// text reads the string that starts at i and returns what is between its quotes.
func (s *scanner) text() span {
	b, start := s.b, s.i+1
	i := start
	s.escaped = false
	for n := min(len(b), i+16); i < n && b[i] != '\\'; i++ { // most keys and values are short
		if b[i] == '"' {
			s.i = i + 1
			return span{start, i}
		}
	}
	quote := -1
	for {
		if quote < i {
			n := bytes.IndexByte(b[i:], '"')
			if n < 0 {
				return s.openText(start, i)
			}
			quote = i + n
		}
		n := bytes.IndexByte(b[i:quote], '\\')
		if n < 0 {
			s.i = quote + 1
			return span{start, quote}
		}
		s.escaped = true
		i += n
		n = escapeLen(b[i:])
		if n == 0 {
			if s.cut && len(b)-i < 6 {
				return s.openText(start, i)
			}
			s.i = i
			s.fail("bad escape in a string")
			return span{start, start}
		}
		i += n
	}
}

// openText ends a string that has no closing quote; from i on it is unchecked.
func (s *scanner) openText(start, i int) span {
	if !s.cut {
		s.i = start - 1
		s.fail("string without an end")
		return span{start, start}
	}
	end := i
	for end < len(s.b) {
		n := bytes.IndexByte(s.b[end:], '\\')
		if n < 0 {
			end = len(s.b)
			break
		}
		s.escaped = true
		end += n
		if n = escapeLen(s.b[end:]); n == 0 {
			break
		}
		end += n
	}
	s.i = len(s.b)
	return span{start, end}
}

// Kinds of a slot: the first byte of the value, with one for all numbers.
const (
	kindNone   = 0
	kindString = '"'
	kindArray  = '['
	kindObject = '{'
	kindNull   = 'n'
	kindNumber = '0'
)

// slot is where a value stands. The zero slot is an absent one.
type slot struct {
	span
	kind byte
}

// inner is what is between the quotes of a string.
func (v slot) inner(b []byte) []byte {
	if v.kind != kindString {
		return nil
	}
	hi := v.hi
	if hi > v.lo+1 && b[hi-1] == '"' && !endsEscaped(b[v.lo+1:hi-1]) {
		hi--
	}
	return b[v.lo+1 : hi]
}

// endsEscaped says whether the byte after b stands behind an open backslash.
func endsEscaped(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// is compares a string value with an ASCII word.
func (v slot) is(b []byte, word string) bool { return string(v.inner(b)) == word }

// in starts a scanner at the value; b is the whole body.
func (v slot) in(b []byte, cut bool) scanner { return scanner{b: b[:v.hi], i: v.lo, cut: cut} }

// value reads any value and says where it stands.
func (s *scanner) value() slot {
	c := s.peek()
	lo := s.i
	switch c {
	case '"':
		s.text()
	case '{':
		if s.enter('{') {
			for s.more('}') {
				s.pair()
			}
		}
	case '[':
		if s.enter('[') {
			for s.elem() {
				s.value()
			}
		}
	case 't':
		s.word("true")
	case 'f':
		s.word("false")
	case 'n':
		s.word("null")
	default:
		s.number()
		c = kindNumber
	}
	if s.err != nil && !s.cut {
		return slot{}
	}
	return slot{span{lo, s.i}, c}
}

// pair reads a key and its value, neither of interest.
func (s *scanner) pair() {
	if s.b[s.i] != '"' {
		s.fail("a key in quotes expected")
		return
	}
	s.text()
	if s.peek() != ':' {
		s.fail(`":" expected after a key`)
		return
	}
	s.i++
	s.value()
}

func (s *scanner) word(w string) {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		s.fail("unknown word")
		return
	}
	s.i += len(w)
}

func (s *scanner) number() {
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		s.digits()
	}
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	if s.i == start {
		s.fail("a value expected")
		return false
	}
	return true
}
