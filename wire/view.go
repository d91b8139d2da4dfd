package wire

import (
	"bytes"
	"slices"
	"strings"
)

// View shows a logged exchange as a conversation: the request's messages, then the
// answer's. Either may be empty, cut off anywhere (the log cuts bodies at 1 MiB),
// or not what api says; what can be read of it is shown, and nothing else. The
// response may be a stream or a whole body. View keeps neither.
func View(api API, request, response []byte) Conversation {
	v := view{api: api, b: request}
	v.request()
	t := NewTap(api, false, len(response))
	t.Write(response)
	a := t.Answer()
	if a.Model != "" {
		v.c.Model = a.Model
	}
	if a.Text != "" || len(a.Tools) > 0 {
		v.c.Messages = append(v.c.Messages, Message{Role: "assistant", Text: a.Text, Calls: a.Tools})
	}
	return v.c
}

// view collects a conversation from a request that may be cut off.
type view struct {
	api API
	b   []byte
	c   Conversation
}

func (v *view) request() {
	var model, list, top, prompt, tools slot
	s := scanner{b: v.b, cut: true}
	s.fields(func(key string, value slot) {
		switch key {
		case "model":
			model = value
		case "messages", "input":
			list = value
		case "system", "instructions":
			top = value
		case "prompt":
			prompt = value
		case "tools", "functions":
			tools = value
		}
	})
	v.c.Model = v.text(model)
	if m := v.content("system", top); m.Text != "" {
		v.add(m)
	}
	for _, body := range []slot{list, prompt} {
		switch {
		case body.kind == kindString:
			v.add(v.content("user", body))
		case body.kind == kindArray && v.api != Embeddings:
			v.elements(body, v.message)
		}
	}
	v.elements(tools, func(tool slot) {
		if name := toolName(v.b, tool); len(name) > 0 {
			v.c.Tools = append(v.c.Tools, printable(name))
		}
	})
}

// fields calls each for the fields of the object that is next.
func (s *scanner) fields(each func(key string, value slot)) {
	if !s.enter('{') {
		return
	}
	for {
		key, ok := s.key()
		if !ok {
			return
		}
		name := string(key)
		each(name, s.value())
	}
}

// elements calls each for the elements of an array, a last one that is cut included.
func (v *view) elements(list slot, each func(slot)) {
	if list.kind != kindArray {
		return
	}
	s := list.in(v.b, true)
	s.enter('[')
	for s.elem() {
		each(s.value())
	}
}

// add keeps m if there is anything to see.
func (v *view) add(m Message) {
	if m.Text != "" || len(m.Calls) > 0 || len(m.Media) > 0 {
		v.c.Messages = append(v.c.Messages, m)
	}
}

// text is a string value, decoded.
func (v *view) text(s slot) string { return printable(s.inner(v.b)) }

// message shows a message of Chat or Messages, or an item of Responses.
func (v *view) message(item slot) {
	if item.kind == kindString { // one of several prompts
		v.add(v.content("user", item))
		return
	}
	var role, kind, content, output, name, arguments, calls, call slot
	s := item.in(v.b, true)
	s.fields(func(key string, value slot) {
		switch key {
		case "role":
			role = value
		case "type":
			kind = value
		case "content":
			content = value
		case "output":
			output = value
		case "name":
			name = value
		case "arguments", "input":
			arguments = value
		case "tool_calls":
			calls = value
		case "function_call":
			call = value
		}
	})
	switch k := kind.inner(v.b); {
	case bytes.HasSuffix(k, []byte("_output")):
		v.add(v.content("tool", output))
		return
	case bytes.HasSuffix(k, []byte("_call")):
		v.add(Message{Role: "assistant", Calls: []ToolCall{{v.text(name), v.arguments(arguments)}}})
		return
	}
	m := v.content(v.text(role), content)
	v.elements(calls, func(c slot) {
		f := member(v.b, c, "function")
		if f.kind != kindObject {
			f = member(v.b, c, "custom")
		}
		m.Calls = append(m.Calls, v.call(f))
	})
	if call.kind == kindObject {
		m.Calls = append(m.Calls, v.call(call))
	}
	v.add(m)
}

func (v *view) call(f slot) ToolCall {
	arguments := member(v.b, f, "arguments")
	if arguments.kind == kindNone {
		arguments = member(v.b, f, "input")
	}
	return ToolCall{Name: v.text(member(v.b, f, "name")), Arguments: v.arguments(arguments)}
}

// arguments is the JSON text of a call's arguments: OpenAI puts it into a string,
// Anthropic sends it as it is.
func (v *view) arguments(a slot) string {
	if a.kind == kindString || a.kind == kindNone {
		return v.text(a)
	}
	return strings.ToValidUTF8(string(v.b[a.lo:a.hi]), "\ufffd")
}

// content shows a message's content. Results of tools that stand in it (Anthropic)
// become messages of their own, before it.
func (v *view) content(role string, content slot) Message {
	m := Message{Role: role, Text: v.text(content)}
	var texts []string
	v.elements(content, func(part slot) {
		if part.kind == kindString {
			texts = append(texts, v.text(part))
			return
		}
		kind := string(member(v.b, part, "type").inner(v.b))
		text := member(v.b, part, "text")
		switch {
		case kind == "tool_result" && role != "tool": // results do not hold results
			v.add(v.content("tool", member(v.b, part, "content")))
		case strings.HasSuffix(kind, "tool_use"):
			m.Calls = append(m.Calls, v.call(part))
		case text.kind == kindString:
			texts = append(texts, v.text(text))
		case kind == "refusal":
			texts = append(texts, v.text(member(v.b, part, "refusal")))
		case part.kind == kindObject && kind != "thinking" && kind != "redacted_thinking":
			if media := mediaOf(kind); !slices.Contains(m.Media, media) {
				m.Media = append(m.Media, media)
			}
		}
	})
	if texts != nil {
		m.Text = strings.Join(texts, "\n")
	}
	return m
}

func mediaOf(kind string) string {
	switch {
	case strings.Contains(kind, "image"):
		return "image"
	case strings.Contains(kind, "audio"):
		return "audio"
	}
	return "file"
}
