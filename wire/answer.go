package wire

import "bytes"

// frame is what one event, or one whole answer, has at its top, whatever the API.
// The shapes do not clash, so that an answer of another API than expected (an
// Anthropic error on a chat path) is read as well.
type frame struct {
	kind, delta, index, item, block, response, message slot
	content, output, errors                            slot
	status, incomplete, stop, contentIndex             slot
}

// object reads one event or answer.
func (t *Tap) object(s *scanner) {
	var f frame
	if !s.enter('{') {
		return
	}
	for {
		key, ok := s.key()
		if !ok {
			break
		}
		t.field(s, &f, key)
	}
	t.read(s.b, &f)
}

// field reads one field at the top.
func (t *Tap) field(s *scanner, f *frame, key []byte) {
	switch string(key) {
	case "id":
		set(&t.answer.ID, s.b, s.value())
	case "model":
		set(&t.answer.Model, s.b, s.value())
	case "usage":
		t.count(s.b, s.value())
	case "choices":
		t.choices(s)
	case "sequence_number":
		if v := s.value(); v.kind == kindNumber {
			t.sequence = integer(s.b, v)
		}
	default:
		v := s.value()
		if to := f.slot(string(key)); to != nil {
			*to = v
		}
	}
}

func (f *frame) slot(key string) *slot {
	switch key {
	case "type":
		return &f.kind
	case "delta":
		return &f.delta
	case "index", "output_index":
		return &f.index
	case "content_index":
		return &f.contentIndex
	case "item":
		return &f.item
	case "content_block":
		return &f.block
	case "response":
		return &f.response
	case "message":
		return &f.message
	case "content":
		return &f.content
	case "output":
		return &f.output
	case "error":
		return &f.errors
	case "status":
		return &f.status
	case "incomplete_details":
		return &f.incomplete
	case "stop_reason":
		return &f.stop
	}
	return nil
}

// read does what the type of the frame asks.
func (t *Tap) read(b []byte, f *frame) {
	t.fault(b, f.errors)
	kind := f.kind.inner(b)
	switch {
	case len(kind) == 0:
		if f.output.kind == kindArray { // a Responses object without a type: "object":"response"
			t.response(b, f)
		} else if f.message.kind == kindString && t.answer.ID == "" {
			set(&t.answer.Error, b, f.message) // some servers' errors are flat
		}
	case bytes.HasPrefix(kind, []byte("response.")):
		t.responseEvent(b, f, string(kind[len("response."):]))
	default:
		t.messageEvent(b, f, string(kind))
	}
}

// fault keeps the message of an error: an object, or in some servers a string.
func (t *Tap) fault(b []byte, v slot) {
	switch v.kind {
	case kindString:
		set(&t.answer.Error, b, v)
	case kindObject:
		set(&t.answer.Error, b, member(b, v, "message"))
		if t.answer.Error == "" {
			set(&t.answer.Error, b, member(b, v, "code"))
		}
		if t.answer.Error == "" {
			t.answer.Error = "error without a message"
		}
	}
}

// responseEvent reads an event of a Responses stream.
// https://platform.openai.com/docs/api-reference/responses-streaming
func (t *Tap) responseEvent(b []byte, f *frame, kind string) {
	switch kind {
	case "output_text.delta":
		t.partText(b, f, f.delta)
		t.streamed = true
	case "refusal.delta":
		t.refusal = t.add(t.refusal, f.delta.inner(b))
		t.streamed = true
	case "output_item.added", "output_item.done":
		t.item(b, f.item, integer(b, f.index), kind == "output_item.done")
	case "function_call_arguments.delta", "custom_tool_call_input.delta", "mcp_call_arguments.delta":
		if c := t.call(integer(b, f.index)); c != nil {
			c.arg = t.add(c.arg, f.delta.inner(b))
		}
	case "created", "in_progress", "queued":
		t.nested(b, f.response, false)
	case "completed", "incomplete", "failed", "cancelled":
		t.nested(b, f.response, true)
		t.answer.Complete = true
		if t.answer.Finish == "" {
			t.answer.Finish = kind
		}
	}
}

// partText adds text of a part of an output item; parts stand on lines of their own.
func (t *Tap) partText(b []byte, f *frame, v slot) {
	part := integer(b, f.index)<<16 | integer(b, f.contentIndex)&0xffff
	if part != t.part && len(t.text) > 0 {
		t.text = t.add(t.text, []byte("\n"))
	}
	t.part = part
	t.text = t.add(t.text, v.inner(b))
}

// nested reads the response object inside an event.
func (t *Tap) nested(b []byte, v slot, last bool) {
	if v.kind != kindObject {
		return
	}
	s := v.in(b, true)
	var f frame
	s.enter('{')
	for {
		key, ok := s.key()
		if !ok {
			break
		}
		t.field(&s, &f, key)
	}
	t.fault(b, f.errors)
	if last {
		t.response(b, &f)
	}
}

// response reads a whole Responses object. Its output only counts where the
// stream's deltas did not bring it already.
func (t *Tap) response(b []byte, f *frame) {
	set(&t.answer.Finish, b, f.status)
	set(&t.answer.Finish, b, member(b, f.incomplete, "reason"))
	if f.output.kind != kindArray || len(t.text) > 0 || len(t.calls) > 0 || len(t.refusal) > 0 {
		return
	}
	s := f.output.in(b, true)
	s.enter('[')
	for i := int64(0); s.elem(); i++ {
		t.item(b, s.value(), i, true)
	}
}

// item reads an output item: a message when its text has not been streamed, or a
// tool call.
func (t *Tap) item(b []byte, v slot, index int64, done bool) {
	if v.kind != kindObject {
		return
	}
	switch kind := member(b, v, "type").inner(b); string(kind) {
	case "message":
		if done && !t.streamed {
			t.blocks(b, member(b, v, "content"))
		}
	case "function_call", "custom_tool_call", "mcp_call":
		c := t.call(index)
		if c == nil {
			return
		}
		if len(c.name) == 0 {
			c.name = t.add(c.name, member(b, v, "name").inner(b))
		}
		if done && len(c.arg) == 0 {
			c.arg = t.add(c.arg, member(b, v, "arguments").inner(b))
			c.arg = t.add(c.arg, member(b, v, "input").inner(b))
		}
	case "reasoning", "":
	default: // an image, a search, …
		t.answer.Other = true
	}
}

// messageEvent reads an Anthropic event, or the whole message.
// https://docs.anthropic.com/en/api/messages-streaming
func (t *Tap) messageEvent(b []byte, f *frame, kind string) {
	a := &t.answer
	switch kind {
	case "message_start":
		t.nested(b, f.message, false)
	case "content_block_start":
		t.block(b, f.block, integer(b, f.index))
	case "content_block_delta":
		if text := member(b, f.delta, "text"); text.kind == kindString {
			t.partText(b, f, text)
		} else if part := member(b, f.delta, "partial_json"); part.kind == kindString {
			if c := t.call(integer(b, f.index)); c != nil {
				c.arg = t.add(c.arg, part.inner(b))
			}
		}
	case "message_delta":
		set(&a.Finish, b, member(b, f.delta, "stop_reason"))
	case "message_stop":
		a.Complete = true
	case "message":
		set(&a.Finish, b, f.stop)
		t.blocks(b, f.content)
	case "error": // Responses puts the message at the top, Anthropic in error
		set(&a.Error, b, f.message)
		if a.Error == "" {
			a.Error = "error without a message"
		}
	}
}

// blocks reads the content of a whole message: Anthropic's blocks, the parts of a
// Responses item, or the parts that some chat servers send.
func (t *Tap) blocks(b []byte, v slot) {
	switch v.kind {
	case kindString:
		t.text = t.add(t.text, v.inner(b))
	case kindArray:
		s := v.in(b, true)
		s.enter('[')
		for i := int64(0); s.elem(); i++ {
			t.block(b, s.value(), i)
		}
	}
}

// block reads one block of content.
func (t *Tap) block(b []byte, v slot, index int64) {
	kind := member(b, v, "type").inner(b)
	switch string(kind) {
	case "text", "output_text":
		if in := member(b, v, "text").inner(b); len(in) > 0 {
			if len(t.text) > 0 {
				t.text = t.add(t.text, []byte("\n"))
			}
			t.part = index << 16
			t.text = t.add(t.text, in)
		}
	case "refusal":
		t.refusal = t.add(t.refusal, member(b, v, "refusal").inner(b))
	case "tool_use", "server_tool_use", "mcp_tool_use":
		c := t.call(index)
		if c == nil {
			return
		}
		c.name = t.add(c.name[:0], member(b, v, "name").inner(b))
		if input := member(b, v, "input"); input.kind == kindObject && input.hi-input.lo > 2 {
			raw := b[input.lo:input.hi]
			t.answer.Cut = t.answer.Cut || len(raw) > t.limit
			c.arg = append(c.arg[:0], raw[:min(len(raw), t.limit)]...)
		}
	}
}
