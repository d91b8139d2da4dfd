package simulate

import (
	"encoding/json"
	"net/http"
)

// messages serves Anthropic's Messages API.
func (c *call) messages() {
	var q struct {
		Model    string          `json:"model"`
		System   json.RawMessage `json:"system"`
		Messages []struct {
			Role    string          `json:"role"`
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
		MaxTokens int  `json:"max_tokens"`
		Stream    bool `json:"stream"`
		Tools     []struct {
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"input_schema"`
		} `json:"tools"`
		ToolChoice json.RawMessage `json:"tool_choice"`
	}
	if !c.decode(&q) {
		return
	}
	if len(q.Messages) == 0 || q.MaxTokens <= 0 {
		writeError(c.w, c.path, http.StatusBadRequest, "messages and max_tokens are required")
		return
	}
	conv := &conversation{model: q.Model, maxTokens: q.MaxTokens, force: forcedTool(q.ToolChoice)}
	for _, text := range systemBlocks(q.System) {
		conv.turns = append(conv.turns, turn{"system", text})
	}
	for _, m := range q.Messages {
		conv.turns = append(conv.turns, turn{role(m.Role), flatText(m.Content)})
	}
	for _, t := range q.Tools {
		conv.tools = append(conv.tools, tool{t.Name, t.Schema})
	}
	c.message(conv, q.Stream)
}

// systemBlocks reads system: a string, or a list of text blocks.
func systemBlocks(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var blocks []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(raw, &blocks) != nil {
		return nil
	}
	var out []string
	for _, b := range blocks {
		out = append(out, b.Text)
	}
	return out
}

func (c *call) message(conv *conversation, stream bool) {
	r := c.m.answer(conv, 0)
	block, empty := object{"type": "text", "text": r.text}, object{"type": "text", "text": ""}
	stop := "end_turn"
	switch {
	case r.tool != "":
		block = object{"type": "tool_use", "id": c.id("toolu_", r.hash), "name": r.tool, "input": json.RawMessage(r.text)}
		empty = with(block, object{"input": object{}})
		stop = "tool_use"
	case r.cut:
		stop = "max_tokens"
	}
	head := object{
		"id": c.id("msg_", r.hash), "type": "message", "role": "assistant", "model": conv.model,
		"content": []object{}, "stop_reason": nil, "stop_sequence": nil, "system_fingerprint": Fingerprint,
		"usage": object{"input_tokens": r.prompt, "output_tokens": 1},
	}
	usage := object{"input_tokens": r.prompt, "output_tokens": r.used}
	if !stream {
		if c.whole(len(chunks(r.text))) {
			c.json(with(head, object{"content": []object{block}, "stop_reason": stop, "usage": usage}))
		}
		return
	}
	e := c.stream()
	if e == nil {
		return
	}
	send := func(name string, v object) { v["type"] = name; e.send(name, v) }
	send("message_start", object{"message": head})
	send("content_block_start", object{"index": 0, "content_block": empty})
	send("ping", object{})
	ok := e.words(r.text, func(s string) {
		delta := object{"type": "text_delta", "text": s}
		if r.tool != "" {
			delta = object{"type": "input_json_delta", "partial_json": s}
		}
		send("content_block_delta", object{"index": 0, "delta": delta})
	})
	if !ok {
		return
	}
	send("content_block_stop", object{"index": 0})
	send("message_delta", object{"delta": object{"stop_reason": stop, "stop_sequence": nil}, "usage": object{"output_tokens": r.used}})
	send("message_stop", object{})
}
