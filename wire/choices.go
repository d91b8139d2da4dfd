package wire

// choices reads the choices of a chat or text completion. Text and calls are
// those of choice 0: the others are alternatives.
func (t *Tap) choices(s *scanner) {
	if s.peek() != '[' {
		s.value()
		return
	}
	s.enter('[')
	for s.elem() {
		if s.peek() == '{' {
			t.choice(s)
		} else {
			s.value()
		}
	}
}

func (t *Tap) choice(s *scanner) {
	var index, body, text, finish slot
	s.enter('{')
	for {
		key, ok := s.key()
		if !ok {
			break
		}
		switch string(key) {
		case "index":
			index = s.value()
		case "delta", "message":
			if v := s.value(); v.kind == kindObject {
				body = v
			}
		case "text":
			text = s.value()
		case "finish_reason":
			finish = s.value()
		default:
			s.value()
		}
	}
	if integer(s.b, index) != 0 {
		return
	}
	if text.kind == kindString {
		t.text = t.add(t.text, text.inner(s.b))
	}
	if body.kind == kindObject {
		t.delta(s.b, body)
	}
	if finish.kind == kindString {
		set(&t.answer.Finish, s.b, finish)
		t.answer.Complete = true
	}
}

// delta reads a chat message or a piece of one.
func (t *Tap) delta(b []byte, v slot) {
	s := v.in(b, true)
	s.enter('{')
	for {
		key, ok := s.key()
		if !ok {
			return
		}
		switch string(key) {
		case "content":
			t.blocks(b, s.value())
		case "refusal":
			t.refusal = t.add(t.refusal, s.value().inner(b))
		case "tool_calls":
			t.toolCalls(b, s.value())
		case "function_call":
			if v := s.value(); v.kind == kindObject {
				t.function(b, v, 0)
			}
		case "audio", "images":
			if v := s.value(); v.kind == kindObject || v.kind == kindArray {
				t.answer.Other = true
			}
		default:
			s.value()
		}
	}
}

func (t *Tap) toolCalls(b []byte, v slot) {
	if v.kind != kindArray {
		return
	}
	s := v.in(b, true)
	s.enter('[')
	for i := int64(0); s.elem(); i++ {
		v := s.value()
		key := i
		if n := member(b, v, "index"); n.kind == kindNumber {
			key = integer(b, n)
		}
		f := member(b, v, "function")
		if f.kind != kindObject {
			f = member(b, v, "custom")
		}
		if f.kind == kindObject {
			t.function(b, f, key)
		}
	}
}

func (t *Tap) function(b []byte, v slot, key int64) {
	c := t.call(key)
	if c == nil {
		return
	}
	if name := member(b, v, "name").inner(b); len(c.name) == 0 {
		c.name = t.add(c.name, name)
	}
	c.arg = t.add(c.arg, member(b, v, "arguments").inner(b))
	c.arg = t.add(c.arg, member(b, v, "input").inner(b))
}
