package simulate

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// chatRequest is what the simulation reads of a chat completion request.
type chatRequest struct {
	Model    string `json:"model"`
	Messages []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	} `json:"messages"`
	Stream        bool `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens           int `json:"max_tokens"`
	MaxCompletionTokens int `json:"max_completion_tokens"`
	N                   int `json:"n"`
	Tools               []struct {
		Function struct {
			Name       string          `json:"name"`
			Parameters json.RawMessage `json:"parameters"`
		} `json:"function"`
	} `json:"tools"`
	ToolChoice     json.RawMessage `json:"tool_choice"`
	ResponseFormat struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

func (q *chatRequest) conversation(deployment string) *conversation {
	c := &conversation{model: q.Model, maxTokens: max(q.MaxTokens, q.MaxCompletionTokens)}
	if c.model == "" {
		c.model = deployment
	}
	for _, m := range q.Messages {
		c.turns = append(c.turns, turn{role(m.Role), flatText(m.Content)})
	}
	for _, t := range q.Tools {
		c.tools = append(c.tools, tool{t.Function.Name, t.Function.Parameters})
	}
	c.force = forcedTool(q.ToolChoice)
	c.json = strings.HasPrefix(q.ResponseFormat.Type, "json")
	c.schema = q.ResponseFormat.JSONSchema.Schema
	return c
}

// forcedTool reads the tool_choice of all three APIs: "required",
// {"type":"any"}, {"type":"function","function":{"name":…}},
// {"type":"function"|"tool","name":…}.
func forcedTool(raw json.RawMessage) string {
	var word string
	if json.Unmarshal(raw, &word) == nil {
		if word == "required" {
			return "*"
		}
		return ""
	}
	var o struct {
		Type, Name string
		Function   struct{ Name string }
	}
	if json.Unmarshal(raw, &o) != nil {
		return ""
	}
	switch o.Type {
	case "any":
		return "*"
	case "function", "tool":
		return o.Name + o.Function.Name
	}
	return ""
}

func (c *call) chat() {
	var q chatRequest
	if !c.decode(&q) {
		return
	}
	if len(q.Messages) == 0 {
		writeError(c.w, c.path, http.StatusBadRequest, "messages is empty: send at least one message")
		return
	}
	conv := q.conversation(c.deployment)
	n := min(max(q.N, 1), maxChoices)
	replies := make([]reply, n)
	for i := range replies {
		replies[i] = c.m.answer(conv, i)
	}
	head := object{
		"id": c.id("chatcmpl-", replies[0].hash), "created": time.Now().Unix(),
		"model": conv.model, "system_fingerprint": Fingerprint,
	}
	if q.Stream {
		c.chatStream(head, replies, q.StreamOptions.IncludeUsage)
		return
	}
	choices := make([]object, n)
	words := 0
	for i, r := range replies {
		choices[i] = object{"index": i, "message": r.chatMessage(c), "finish_reason": r.finish(), "logprobs": nil}
		words = max(words, len(chunks(r.text)))
	}
	if !c.whole(words) {
		return
	}
	c.json(with(head, object{"object": "chat.completion", "choices": choices, "usage": chatUsage(replies)}))
}

func (c *call) chatStream(head object, replies []reply, includeUsage bool) {
	e := c.stream()
	if e == nil {
		return
	}
	head["object"] = "chat.completion.chunk"
	send := func(i int, delta object, finish any) {
		v := with(head, object{"choices": []object{{"index": i, "delta": delta, "finish_reason": finish, "logprobs": nil}}})
		if includeUsage {
			v["usage"] = nil
		}
		e.send("", v)
	}
	for i, r := range replies {
		write := func(chunk string) { send(i, object{"content": chunk}, nil) }
		if r.tool == "" {
			send(i, object{"role": "assistant", "content": "", "refusal": nil}, nil)
		} else {
			send(i, object{"role": "assistant", "content": nil, "tool_calls": []object{r.toolCall(c, "")}}, nil)
			write = func(chunk string) {
				send(i, object{"tool_calls": []object{{"index": 0, "function": object{"arguments": chunk}}}}, nil)
			}
		}
		if !e.words(r.text, write) {
			return
		}
		send(i, object{}, r.finish())
	}
	if includeUsage {
		e.send("", with(head, object{"choices": []object{}, "usage": chatUsage(replies)}))
	}
	e.raw("", "[DONE]")
}

func (r reply) chatMessage(c *call) object {
	m := object{"role": "assistant", "content": r.text, "refusal": nil, "annotations": []object{}}
	if r.tool != "" {
		call := r.toolCall(c, r.text)
		delete(call, "index")
		m["content"] = nil
		m["tool_calls"] = []object{call}
	}
	return m
}

func (r reply) toolCall(c *call, arguments string) object {
	return object{
		"index": 0, "id": c.id("call_", r.hash), "type": "function",
		"function": object{"name": r.tool, "arguments": arguments},
	}
}

func (r reply) finish() string {
	switch {
	case r.tool != "":
		return "tool_calls"
	case r.cut:
		return "length"
	}
	return "stop"
}

func chatUsage(replies []reply) object {
	used := 0
	for _, r := range replies {
		used += r.used
	}
	return object{"prompt_tokens": replies[0].prompt, "completion_tokens": used, "total_tokens": replies[0].prompt + used}
}

// with returns a copy of base with more in it.
func with(base, more object) object {
	out := make(object, len(base)+len(more))
	for k, v := range base {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}
