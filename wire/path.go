package wire

import (
	"strconv"
	"strings"
)

// maxPathSteps bounds a path: bodies are nested at most as deep.
const maxPathSteps = 32

// Path reads the string at a path in a JSON body: keys and indexes divided by
// dots, such as messages.-1.content.question. In an array a step is an index, from
// the end when negative; in an object it is a key, one with a dot in it cannot be
// named. A string that is itself JSON is gone into, which is how agents pack
// fields into a message. ok is false when there is no string there. Of duplicate
// keys the last counts, as in encoding/json.
func Path(body []byte, path string) (text string, ok bool) {
	if !ValidPath(path) {
		return "", false
	}
	v, ok := whole(body)
	for more := true; more && ok; {
		var step string
		step, path, more = strings.Cut(path, ".")
		if v.kind == kindString {
			body = unescape(nil, v.inner(body))
			if v, ok = whole(body); !ok {
				return "", false
			}
		}
		switch v.kind {
		case kindObject:
			v = member(body, v, step)
		case kindArray:
			v = element(body, v, step)
		default:
			v = slot{}
		}
	}
	if v.kind != kindString {
		return "", false
	}
	return printable(v.inner(body)), true
}

// whole is the one JSON value that b is.
func whole(b []byte) (slot, bool) {
	s := scanner{b: b}
	v := s.value()
	ok := s.err == nil && s.peek() == 0 && s.i == len(b)
	return v, ok
}

// element finds an element of an array by its index, from the end when negative.
func element(b []byte, array slot, step string) slot {
	n, err := strconv.Atoi(step)
	if err != nil {
		return slot{}
	}
	if n < 0 { // counted first
		for s := arrayIn(b, array); s.elem(); n++ {
			s.value()
		}
		if n < 0 {
			return slot{}
		}
	}
	for s := arrayIn(b, array); s.elem(); n-- {
		if v := s.value(); n == 0 {
			return v
		}
	}
	return slot{}
}

func arrayIn(b []byte, array slot) *scanner {
	s := array.in(b, true)
	s.enter('[')
	return &s
}

// ValidPath says whether Path can find anything with path.
func ValidPath(path string) bool {
	steps := strings.Split(path, ".")
	for _, s := range steps {
		if s == "" {
			return false
		}
	}
	return len(steps) <= maxPathSteps
}
