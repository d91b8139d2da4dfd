package wire

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

var roleUser = []byte("user") // never written to

// messages reads the list of messages or input items, in place of an earlier one.
func (r *Request) messages(s *scanner) {
	p, sc := &r.place, &r.scratch
	p.list, p.filled, p.system, p.user = slot{}, false, message{}, message{}
	sc.system, sc.turns, sc.opening, sc.opened = sc.system[:0], sc.turns[:0], 0, false
	c := s.peek()
	lo := s.i
	if c != '[' {
		p.list = s.value()
		if p.list.kind == kindString && r.API == Responses {
			at := r.keep(p.list.inner(s.b))
			sc.turns = append(sc.turns, turn{span: at})
			r.open(roleUser, r.kept(at))
			sc.opened = true
		}
		return
	}
	s.enter('[')
	for s.elem() {
		p.filled = true
		r.message(s)
	}
	p.list = slot{span{lo, s.i}, kindArray}
}

// message reads one message or input item.
func (r *Request) message(s *scanner) {
	if s.peek() != '{' {
		s.value()
		return
	}
	m := message{span: span{lo: s.i}}
	var role, kind slot
	s.enter('{')
	for {
		key, ok := s.key()
		if !ok {
			break
		}
		switch string(key) {
		case "role":
			role = s.value()
		case "content":
			m.content = s.value()
		case "type":
			kind = s.value()
		default:
			s.value()
		}
	}
	if s.err != nil {
		return
	}
	m.hi = s.i
	if r.API == Responses && kind.kind != kindNone && !kind.is(s.b, "message") {
		if bytes.HasSuffix(kind.inner(s.b), []byte("_output")) {
			at := len(r.scratch.text)
			r.scratch.turns = append(r.scratch.turns, turn{span{at, at}, true})
		}
		return
	}
	name := role.inner(s.b)
	switch string(name) {
	case "system", "developer":
		m.developer = string(name) == "developer"
		r.systemMessage(s.b, m, name)
	case "user":
		r.userMessage(s.b, m)
	default:
		if !r.scratch.opened {
			r.open(name, s.b[m.content.lo:m.content.hi])
		}
	}
}

func (r *Request) systemMessage(b []byte, m message, role []byte) {
	at, c := r.content(b, m.content)
	m.filled = c.filled
	if r.place.system.hi == 0 {
		r.place.system = m
	}
	r.open(role, r.kept(at))
	r.scratch.system = append(r.scratch.system, r.head(at))
}

// head gives up what a text that was collected last has beyond MaxSystemBytes.
func (r *Request) head(at span) span {
	if at.hi-at.lo <= MaxSystemBytes {
		return at
	}
	at.hi = at.lo + MaxSystemBytes
	for at.hi > at.lo && !utf8.RuneStart(r.scratch.text[at.hi]) {
		at.hi--
	}
	r.scratch.text = r.scratch.text[:at.hi]
	return at
}

func (r *Request) userMessage(b []byte, m message) {
	at, c := r.content(b, m.content)
	m.filled = c.filled
	tool := c.results && !c.texts && !c.others
	r.scratch.turns = append(r.scratch.turns, turn{at, tool})
	if tool {
		return
	}
	if m.content.kind == kindArray {
		m.first = m.content.lo + 1
		if c.results { // Anthropic wants tool results before any text
			m.first = c.first
		}
	}
	r.place.user = m
	r.open(roleUser, r.kept(at))
	r.scratch.opened = true
}

// open folds a message into the hash of the opening, until that is over.
func (r *Request) open(role, text []byte) {
	if sc := &r.scratch; !sc.opened {
		sc.opening = mix(mix(sc.opening, role), text)
	}
}

// parts is what the content of a message has in it.
type parts struct {
	filled  bool // a character or an element
	texts   bool
	results bool // tool results
	others  bool // images, files, …
	first   int  // start of the first text part, 0 when there is none
}

// content collects the text of a string or of an array's text parts.
func (r *Request) content(b []byte, v slot) (span, parts) {
	var c parts
	lo := len(r.scratch.text)
	switch v.kind {
	case kindString:
		in := v.inner(b)
		c.filled, c.texts = len(in) > 0, true
		return r.keep(in), c
	case kindArray:
		s := v.in(b, false)
		s.enter('[')
		for s.elem() {
			c.filled = true
			r.part(&s, &c)
		}
	}
	return span{lo, len(r.scratch.text)}, c
}

// part reads one part of a content array.
func (r *Request) part(s *scanner, c *parts) {
	c0 := s.peek()
	at := s.i
	if c0 != '{' {
		c.others = true
		s.value()
		return
	}
	var kind, text slot
	sc := &r.scratch
	s.enter('{')
	for {
		key, ok := s.key()
		if !ok {
			break
		}
		switch string(key) {
		case "type":
			kind = s.value()
		case "text":
			text = s.value()
		case "image_url", "source", "input_audio", "file", "file_id", "file_data":
			v := s.value()
			if !sc.opened {
				sc.opening = mix(sc.opening, s.b[v.lo:v.hi])
			}
		default: // cache_control moves from turn to turn: it must not change the opening
			s.value()
		}
	}
	switch {
	case kind.is(s.b, "tool_result"):
		c.results = true
	case text.kind == kindString:
		if c.texts {
			sc.text = append(sc.text, '\n')
		} else {
			c.texts, c.first = true, at
		}
		r.keep(text.inner(s.b))
	default:
		c.others = true
	}
}

// meaning reads the fields that could have been repeated.
func (r *Request) meaning(b []byte, f *fields) {
	p, sc := &r.place, &r.scratch
	r.Stream = f.stream.hi-f.stream.lo == 4 && f.stream.kind == 't'
	user := f.user
	if r.API == Messages {
		user = member(b, f.metadata, "user_id")
	} else if len(user.inner(b)) == 0 {
		user = f.safety
	}
	sc.user = r.keep(user.inner(b))
	sc.previous = r.keep(f.previous.inner(b))
	if f.conversation.kind == kindObject {
		f.conversation = member(b, f.conversation, "id")
	}
	sc.conversation = r.keep(f.conversation.inner(b))
	for _, v := range []slot{f.maxTokens, f.maxCompletion, f.maxOutput} {
		if n := integer(b, v); n > 0 {
			r.MaxTokens = n
		}
	}
	r.format(b, f)
	r.ForcedTool = forced(b, f.choice) || f.functionCall.kind == kindObject
	r.tools(b, f.tools)
	r.tools(b, f.functions)
	r.topText(b)
	if r.API == Responses {
		p.stored = p.prompt.kind == kindObject
	}
	if r.API == Completions {
		r.prompts(b)
	}
	if sc.opened {
		r.Opening = fold(sc.opening, sc.top)
	}
}

// topText reads Responses' instructions or Anthropic's system: first in System.
func (r *Request) topText(b []byte) {
	sc := &r.scratch
	if k := r.place.top.kind; k != kindString && k != kindArray {
		return
	}
	opening := sc.opening
	at, c := r.content(b, r.place.top)
	sc.opening = opening // its text has a hash of its own, so that key order does not matter
	r.place.topAny = c.filled
	sc.top = mix(0, r.kept(at))
	sc.system = append(sc.system, span{})
	copy(sc.system[1:], sc.system)
	sc.system[0] = r.head(at)
}

// prompts reads the prompt of Completions: one text, or several that are
// unlike conversations. Lists of token numbers have no text.
func (r *Request) prompts(b []byte) {
	sc := &r.scratch
	add := func(v slot) {
		at := r.keep(v.inner(b))
		sc.turns = append(sc.turns, turn{span: at})
		r.open(roleUser, r.kept(at))
		sc.opened = true
	}
	switch r.place.prompt.kind {
	case kindString:
		add(r.place.prompt)
	case kindArray:
		s := r.place.prompt.in(b, false)
		s.enter('[')
		for s.elem() {
			if v := s.value(); v.kind == kindString {
				add(v)
			}
		}
	}
}

// format names the response shape that the client demands.
func (r *Request) format(b []byte, f *fields) {
	v := f.format
	if r.API == Responses {
		v = member(b, f.textConfig, "format")
	}
	if v.kind != kindObject && r.API == Messages {
		v = member(b, f.outputConfig, "format")
	}
	switch kind := member(b, v, "type"); {
	case kind.is(b, "json_object"):
		r.scratch.format = r.keep([]byte("json_object"))
	case kind.is(b, "json_schema"):
		if inner := member(b, v, "json_schema"); inner.kind == kindObject {
			v = inner
		}
		at := r.keep([]byte("json_schema:"))
		if name := member(b, v, "name").inner(b); len(name) > 0 {
			at.hi = r.keep(name).hi
		} else {
			r.scratch.text = strconv.AppendUint(r.scratch.text, mix(0, b[v.lo:v.hi]), 16)
			at.hi = len(r.scratch.text)
		}
		r.scratch.format = at
	}
}

// forced says whether a tool_choice of any API demands a tool call.
func forced(b []byte, v slot) bool {
	switch v.kind {
	case kindString:
		return v.is(b, "required") || v.is(b, "any")
	case kindObject:
		kind := member(b, v, "type")
		switch string(kind.inner(b)) {
		case "auto", "none", "":
			return false
		case "allowed_tools":
			if inner := member(b, v, "allowed_tools"); inner.kind == kindObject {
				v = inner
			}
			return member(b, v, "mode").is(b, "required")
		}
		return true
	}
	return false
}

// tools collects the names of the tools offered; a built-in tool is named by its type.
func (r *Request) tools(b []byte, v slot) {
	if v.kind != kindArray {
		return
	}
	s := v.in(b, false)
	s.enter('[')
	for s.elem() {
		if name := toolName(b, s.value()); len(name) > 0 {
			r.scratch.tools = append(r.scratch.tools, r.keep(name))
		}
	}
}

// toolName finds a tool's name in the shape of any API: function.name,
// custom.name, name, or the type of a built-in tool.
func toolName(b []byte, tool slot) []byte {
	if tool.kind != kindObject {
		return nil
	}
	var name, kind slot
	s := tool.in(b, false)
	s.enter('{')
	for {
		key, ok := s.key()
		if !ok {
			break
		}
		switch string(key) {
		case "name":
			name = s.value()
		case "type":
			kind = s.value()
		case "function", "custom":
			if inner := member(b, s.value(), "name"); inner.kind == kindString {
				name = inner
			}
		default:
			s.value()
		}
	}
	if name.kind == kindString {
		return name.inner(b)
	}
	return kind.inner(b)
}

// member finds the last value of a key in an object, which may be cut off; the zero
// slot when there is none.
func member(b []byte, object slot, name string) (found slot) {
	if object.kind != kindObject {
		return slot{}
	}
	s := object.in(b, true)
	s.enter('{')
	for {
		key, ok := s.key()
		if !ok {
			return found
		}
		hit := string(key) == name
		if v := s.value(); hit {
			found = v
		}
	}
}
