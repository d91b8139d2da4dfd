package simulate

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// responsesRequest is what the simulation reads of a Responses API request.
type responsesRequest struct {
	Model        string          `json:"model"`
	Instructions string          `json:"instructions"`
	Input        json.RawMessage `json:"input"`
	Previous     string          `json:"previous_response_id"`
	Store        *bool           `json:"store"`
	Stream       bool            `json:"stream"`
	MaxTokens    int             `json:"max_output_tokens"`
	Tools        []struct {
		Type       string          `json:"type"`
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"tools"`
	ToolChoice json.RawMessage `json:"tool_choice"`
	Text       struct {
		Format struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"text"`
}

// inputTurns reads input: a string, or a list of items.
func (q *responsesRequest) inputTurns() []turn {
	var text string
	if json.Unmarshal(q.Input, &text) == nil {
		return []turn{{"user", text}}
	}
	var items []struct {
		Type    string          `json:"type"`
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
		Output  json.RawMessage `json:"output"`
	}
	if json.Unmarshal(q.Input, &items) != nil {
		return nil
	}
	var out []turn
	for _, it := range items {
		switch {
		case it.Role != "":
			out = append(out, turn{role(it.Role), flatText(it.Content)})
		case len(it.Output) > 0:
			out = append(out, turn{"tool", flatText(it.Output)})
		}
	}
	return out
}

// chains remembers the turns behind stored responses; the oldest go first.
type chains struct {
	mu    sync.Mutex
	turns map[string][]turn
	order []string
}

func (c *chains) put(id string, turns []turn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turns == nil {
		c.turns = map[string][]turn{}
	}
	c.turns[id] = turns
	c.order = append(c.order, id)
	if len(c.order) > maxChains {
		delete(c.turns, c.order[0])
		c.order = c.order[1:]
	}
}

func (c *chains) get(id string) ([]turn, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.turns[id]
	return t, ok
}

func (c *call) responses() {
	var q responsesRequest
	if !c.decode(&q) {
		return
	}
	var history []turn
	if q.Previous != "" {
		var ok bool
		if history, ok = c.m.chains.get(q.Previous); !ok {
			writeError(c.w, c.path, http.StatusNotFound, "previous_response_id is not stored here: "+q.Previous)
			return
		}
	}
	history = append(append([]turn(nil), history...), q.inputTurns()...)
	if len(history) == 0 {
		writeError(c.w, c.path, http.StatusBadRequest, "input is empty: send a string or a list of items")
		return
	}
	conv := &conversation{model: q.Model, maxTokens: q.MaxTokens, turns: history}
	if q.Instructions != "" { // not carried over to the next response
		conv.turns = append([]turn{{"system", q.Instructions}}, history...)
	}
	for _, t := range q.Tools {
		if t.Type == "function" {
			conv.tools = append(conv.tools, tool{t.Name, t.Parameters})
		}
	}
	conv.force = forcedTool(q.ToolChoice)
	conv.json = strings.HasPrefix(q.Text.Format.Type, "json")
	conv.schema = q.Text.Format.Schema
	c.respond(&q, conv, history)
}

func (c *call) respond(q *responsesRequest, conv *conversation, history []turn) {
	r := c.m.answer(conv, 0)
	base := object{
		"id": c.id("resp_", r.hash), "object": "response", "created_at": time.Now().Unix(), "model": q.Model,
		"status": "in_progress", "output": []object{}, "usage": nil, "error": nil, "incomplete_details": nil,
		"instructions": nil, "metadata": object{}, "parallel_tool_calls": true, "temperature": 1, "top_p": 1,
		"tool_choice": "auto", "tools": []object{}, "previous_response_id": nil, "system_fingerprint": Fingerprint,
	}
	if q.Instructions != "" {
		base["instructions"] = q.Instructions
	}
	if q.Previous != "" {
		base["previous_response_id"] = q.Previous
	}
	if q.Store == nil || *q.Store {
		c.m.chains.put(base["id"].(string), append(history, turn{"assistant", r.text}))
	}
	item := r.outputItem(c)
	done := with(base, object{"status": "completed", "output": []object{item}, "usage": object{
		"input_tokens": r.prompt, "input_tokens_details": object{"cached_tokens": 0},
		"output_tokens": r.used, "output_tokens_details": object{"reasoning_tokens": 0}, "total_tokens": r.prompt + r.used,
	}})
	if r.cut {
		done["status"] = "incomplete"
		done["incomplete_details"] = object{"reason": "max_output_tokens"}
	}
	if q.Stream {
		c.responsesStream(base, done, item, r)
	} else if c.whole(len(chunks(r.text))) {
		c.json(done)
	}
}

// outputItem is the finished message or function call.
func (r reply) outputItem(c *call) object {
	if r.tool != "" {
		return object{
			"type": "function_call", "id": c.id("fc_", r.hash), "call_id": c.id("call_", r.hash),
			"name": r.tool, "arguments": r.text, "status": "completed",
		}
	}
	return object{
		"type": "message", "id": c.id("msg_", r.hash), "role": "assistant", "status": "completed",
		"content": []object{textPart(r.text)},
	}
}

func textPart(text string) object {
	return object{"type": "output_text", "text": text, "annotations": []object{}}
}

func (c *call) responsesStream(base, done, item object, r reply) {
	e := c.stream()
	if e == nil {
		return
	}
	seq := 0
	send := func(name string, v object) {
		v["type"], v["sequence_number"] = name, seq
		seq++
		e.send(name, v)
	}
	at := func(more object) object { return with(object{"item_id": item["id"], "output_index": 0}, more) }
	part := object{"content_index": 0}
	send("response.created", object{"response": base})
	send("response.in_progress", object{"response": base})
	if r.tool != "" {
		send("response.output_item.added", object{"output_index": 0, "item": with(item, object{"arguments": "", "status": "in_progress"})})
		if !e.words(r.text, func(s string) { send("response.function_call_arguments.delta", at(object{"delta": s})) }) {
			return
		}
		send("response.function_call_arguments.done", at(object{"name": r.tool, "arguments": r.text}))
	} else {
		send("response.output_item.added", object{"output_index": 0, "item": with(item, object{"content": []object{}, "status": "in_progress"})})
		send("response.content_part.added", at(with(part, object{"part": textPart("")})))
		if !e.words(r.text, func(s string) {
			send("response.output_text.delta", at(with(part, object{"delta": s, "logprobs": []object{}})))
		}) {
			return
		}
		send("response.output_text.done", at(with(part, object{"text": r.text, "logprobs": []object{}})))
		send("response.content_part.done", at(with(part, object{"part": textPart(r.text)})))
	}
	send("response.output_item.done", object{"output_index": 0, "item": item})
	name := "response.completed"
	if r.cut {
		name = "response.incomplete"
	}
	send(name, object{"response": done})
}
