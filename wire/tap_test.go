package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const chatStream = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o-2024","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-1","model":"gpt-4o-2024","choices":[{"index":0,"delta":{"content":"漢字 \ud83d\ude00"},"finish_reason":null}]}

data: {"id":"chatcmpl-1","model":"gpt-4o-2024","choices":[{"index":1,"delta":{"content":"other"}},{"delta":{"content":" 😀é"},"index":0}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"find","arguments":""}}]}}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}},{"index":1,"function":{"name":"second","arguments":"{"}}]}}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":5}}}

data: [DONE]

`

var chatAnswer = Answer{
	ID: "chatcmpl-1", Model: "gpt-4o-2024", Text: "漢字 😀 😀é", Finish: "tool_calls", Complete: true,
	Tools: []ToolCall{{"find", `{"a":1}`}, {"second", `{`}}, Usage: &Usage{11, 7, 5},
}

const responsesStream = `event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"gpt-5","status":"in_progress","output":[],"usage":null,"error":null}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":1,"output_index":0,"content_index":0,"delta":"Hel"}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":2,"output_index":0,"content_index":0,"delta":"lo"}

event: response.output_text.done
data: {"type":"response.output_text.done","sequence_number":3,"output_index":0,"content_index":0,"text":"Hello"}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":4,"output_index":1,"item":{"type":"function_call","id":"fc_1","name":"find","arguments":""}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","sequence_number":5,"output_index":1,"delta":"{}"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":6,"output_index":1,"item":{"type":"function_call","name":"find","arguments":"{}"}}

event: response.completed
data: {"type":"response.completed","sequence_number":7,"response":{"id":"resp_1","model":"gpt-5","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]},{"type":"function_call","name":"find","arguments":"{}"}],"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":8},"output_tokens":4},"error":null}}

`

var responsesAnswer = Answer{
	ID: "resp_1", Model: "gpt-5", Text: "Hello", Finish: "completed", Complete: true,
	Tools: []ToolCall{{"find", "{}"}}, Usage: &Usage{20, 4, 8},
}

const messagesStream = `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":10,"cache_read_input_tokens":90,"cache_creation_input_tokens":5,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Let me "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"see"}}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"find","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"q\": "}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"x\"}"}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15}}

event: message_stop
data: {"type":"message_stop"}

`

var messagesAnswer = Answer{
	ID: "msg_1", Model: "claude-x", Text: "Let me see", Finish: "tool_use", Complete: true,
	Tools: []ToolCall{{"find", `{"q": "x"}`}}, Usage: &Usage{105, 15, 90},
}

func tapped(api API, stream bool, chunks ...string) Answer {
	t := NewTap(api, stream, 1<<20)
	for _, c := range chunks {
		t.Write([]byte(c))
	}
	return t.Answer()
}

func sameAnswer(t testing.TB, what string, got, want Answer) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	t.Errorf("%s:\ngot  %s\nwant %s", what, a, b)
}

// Every framing of a stream, cut at every byte, gives one answer.
func TestTap_Streams(t *testing.T) {
	streams := []struct {
		api    API
		stream string
		want   Answer
	}{{Chat, chatStream, chatAnswer}, {Responses, responsesStream, responsesAnswer}, {Messages, messagesStream, messagesAnswer}}
	framings := map[string]func(string) string{
		"as is":         func(s string) string { return s },
		"CRLF":          func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"CR":            func(s string) string { return strings.ReplaceAll(s, "\n", "\r") },
		"no space":      func(s string) string { return strings.ReplaceAll(s, "data: ", "data:") },
		"mark":          func(s string) string { return "\ufeff" + s },
		"no blank line": func(s string) string { return strings.TrimRight(s, "\n") },
		"comments": func(s string) string {
			return ": hi\n\n" + strings.ReplaceAll(s, "data: ", ": ping\nid: 7\nretry: 9\ndata: ")
		},
		"several lines": func(s string) string { return strings.ReplaceAll(s, `,"`, ",\ndata: \"") },
		"several lines, CRLF": func(s string) string {
			return strings.ReplaceAll(strings.ReplaceAll(s, `,"`, ",\ndata: \""), "\n", "\r\n")
		},
		"empty data": func(s string) string { return strings.ReplaceAll(s, "\n\n", "\n\ndata:\n\ndata\n\n") },
	}
	for _, c := range streams {
		for name, frame := range framings {
			s := frame(c.stream)
			what := c.api.String() + " " + name
			sameAnswer(t, what+", whole", tapped(c.api, true, s), c.want)
			sameAnswer(t, what+", byte by byte", tapped(c.api, true, strings.Split(s, "")...), c.want)
			sameAnswer(t, what+", as another API and no stream", tapped(Other, false, s), c.want)
			for i := 0; i < len(s); i += 7 {
				sameAnswer(t, fmt.Sprintf("%s, cut at %d", what, i), tapped(c.api, true, s[:i], "", s[i:]), c.want)
			}
		}
	}
}

func TestTap_Bodies(t *testing.T) {
	check := func(api API, body string, want Answer) {
		t.Helper()
		want.Complete = true
		sameAnswer(t, body, tapped(api, false, body), want)
		sameAnswer(t, body, tapped(api, true, strings.Split("\ufeff \n"+body+"\n", "")...), want)
	}
	check(Chat, `{"usage":{"prompt_tokens":3,"completion_tokens":2},"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":"hi","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}},{"id":"d","function":{"name":"g","arguments":"[]"}}]}}],"model":"m","id":"i"}`,
		Answer{ID: "i", Model: "m", Text: "hi", Finish: "stop", Tools: []ToolCall{{"f", "{}"}, {"g", "[]"}}, Usage: &Usage{3, 2, 0}})
	check(Chat, `{"id":"i","choices":[{"message":{"content":null,"refusal":"I cannot"},"finish_reason":"stop"}]}`,
		Answer{ID: "i", Text: "I cannot", Finish: "stop", Refusal: true})
	check(Chat, `{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"finish_reason":"content_filter"}]}`,
		Answer{Text: "a\nb", Finish: "content_filter", Refusal: true})
	check(Completions, `{"choices":[{"text":"once","index":0,"finish_reason":"length"},{"text":"twice","index":1}]}`, Answer{Text: "once", Finish: "length"})
	check(Embeddings, `{"object":"list","data":[{"embedding":[0.1,-2e-3]}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}`, Answer{Model: "e", Usage: &Usage{InputTokens: 8}})
	check(Responses, `{"id":"resp_2","object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"error":null,"model":"m","output":[{"type":"reasoning"},{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"no"}]},{"type":"function_call","name":"f","arguments":"{\"x\":1}"}],"usage":{"input_tokens":1,"output_tokens":2,"input_tokens_details":{"cached_tokens":0}}}`,
		Answer{ID: "resp_2", Model: "m", Text: "a", Finish: "max_output_tokens", Refusal: true, Tools: []ToolCall{{"f", `{"x":1}`}}, Usage: &Usage{1, 2, 0}})
	check(Messages, `{"id":"msg_2","type":"message","model":"c","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"},{"type":"tool_use","name":"f","input":{"x": 1}}],"stop_reason":"tool_use","usage":{"input_tokens":4,"output_tokens":5}}`,
		Answer{ID: "msg_2", Model: "c", Text: "a", Finish: "tool_use", Tools: []ToolCall{{"f", `{"x": 1}`}}, Usage: &Usage{4, 5, 0}})
	check(Chat, `{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":100,"cache_read_input_tokens":90,"completion_tokens":2}}`, Answer{Text: "a", Usage: &Usage{100, 2, 90}})
	check(Responses, `{"output":[{"type":"image_generation_call","result":"AAAA"}]}`, Answer{Other: true})
	check(Chat, `{"error":{"message":"bad \"key\"","type":"invalid_request_error"}}`, Answer{Error: `bad "key"`})
	check(Chat, `{"error":"plain"}`, Answer{Error: "plain"})
	check(Chat, `{"error":{"code":"oops"}}`, Answer{Error: "oops"})
	check(Chat, `{"object":"error","message":"flat","type":"BadRequestError"}`, Answer{})
	check(Messages, `{"type":"error","error":{"type":"overloaded_error","message":"later"}}`, Answer{Error: "later"})
}

// Lines of one event are joined by a newline, without the space behind the colon.
func TestTap_Lines(t *testing.T) {
	sameAnswer(t, "lines", tapped(Chat, true, "data: {\"id\":\"a\ndata: b\ndata:c\"}\n\n"), Answer{ID: "a\nb\nc"})
}

// Texts of unlike parts stand on lines of their own, streamed or not.
func TestTap_Parts(t *testing.T) {
	want := Answer{Text: "one\ntwo\nthree", Complete: true, Finish: "completed"}
	item := func(texts string) string { return `{"type":"message","content":[` + texts + `]}` }
	first := item(`{"type":"output_text","text":"one"},{"type":"output_text","text":"two"}`)
	last := item(`{"type":"output_text","text":"three"}`)
	whole := `{"status":"completed","output":[` + first + `,` + last + `]}`
	sameAnswer(t, "whole", tapped(Responses, false, whole), want)
	var deltas, items strings.Builder
	for i, d := range []string{`0,"content_index":0,"delta":"o"`, `0,"content_index":0,"delta":"ne"`, `0,"content_index":1,"delta":"two"`, `2,"content_index":0,"delta":"three"`} {
		fmt.Fprintf(&deltas, "data: {\"sequence_number\":%d,\"type\":\"response.output_text.delta\",\"output_index\":%s}\n\n", i, d)
	}
	for i, it := range []string{first, `{"type":"reasoning"}`, last} {
		fmt.Fprintf(&items, "data: {\"type\":\"response.output_item.done\",\"output_index\":%d,\"item\":%s}\n\n", i, it)
	}
	end := `data: {"type":"response.completed","response":` + whole + "}\n\n"
	sameAnswer(t, "deltas", tapped(Responses, true, deltas.String(), items.String(), end), want)
	sameAnswer(t, "items", tapped(Responses, true, items.String(), end), want)
	sameAnswer(t, "end only", tapped(Responses, true, end), want)
	sameAnswer(t, "messages", tapped(Messages, true, "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"+
		"data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"text\":\"a\"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"text\":\"b\"}}\n\n"), Answer{Text: "a\nb"})
}

func TestTap_Errors(t *testing.T) {
	sameAnswer(t, "chat", tapped(Chat, true, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"error\":{\"message\":\"gone\"}}\n\n"), Answer{Text: "a", Error: "gone"})
	sameAnswer(t, "responses failed", tapped(Responses, true, `data: {"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"c","message":"gone"}}}`+"\n\n"),
		Answer{ID: "r", Finish: "failed", Complete: true, Error: "gone"})
	sameAnswer(t, "responses error", tapped(Responses, true, `data: {"type":"error","code":"c","message":"gone"}`+"\n\n"), Answer{Error: "gone"})
	sameAnswer(t, "messages", tapped(Messages, true, "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"gone\"}}\n\n"), Answer{Error: "gone"})
	sameAnswer(t, "page", tapped(Chat, false, "<html>{\"id\":1}</html>"), Answer{})
	sameAnswer(t, "nothing", tapped(Chat, true), Answer{})
}

// What is not there is not made up: a cut answer is not complete.
func TestTap_Truncated(t *testing.T) {
	body := `{"id":"i","choices":[{"message":{"content":"half a sente`
	sameAnswer(t, "body", tapped(Chat, false, body), Answer{ID: "i", Text: "half a sente"})
	end := strings.Index(chatStream, `"finish_reason":"tool_calls"`)
	if got := tapped(Chat, true, chatStream[:end]); got.Complete || got.Usage != nil || got.Text != chatAnswer.Text {
		t.Errorf("cut stream: %+v", got)
	}
	end = strings.Index(messagesStream, "event: message_stop")
	if got := tapped(Messages, true, messagesStream[:end]); got.Complete {
		t.Errorf("cut stream: %+v", got)
	}
}

// Text is cut at the limit, between characters; the rest of the record goes on.
func TestTap_TextLimit(t *testing.T) {
	tap := NewTap(Chat, true, 8)
	tap.Write([]byte(chatStream))
	got := tap.Answer()
	if got.Text != "漢字 " || got.Usage == nil || !got.Cut || got.Tools[0].Arguments != `{"a":1}` {
		t.Errorf("got %+v", got)
	}
}

// A line of 2 MB passes; above the limit memory stays bounded and what follows is
// still read.
func TestTap_LongLines(t *testing.T) {
	line := func(size int) string {
		return `data: {"id":"i","choices":[{"index":0,"delta":{"content":"` + strings.Repeat("x", size) + `"}}]}` + "\n\n"
	}
	tail := `data: {"choices":[{"delta":{"content":"y"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}` + "\n\n"
	tap := NewTap(Chat, true, 4<<20)
	for _, size := range []int{2 << 20, 9 << 20} {
		tap.Reset(Chat, true, 4<<20)
		s := line(size) + tail
		for len(s) > 0 {
			n := min(len(s), 10_000)
			tap.Write([]byte(s[:n]))
			s = s[n:]
		}
		if held := cap(tap.events.line) + cap(tap.events.data); held > 3*maxEvent {
			t.Errorf("tap holds %d bytes", held)
		}
		got := tap.Answer()
		if got.Finish != "stop" || !got.Complete || got.Usage == nil || (size < maxEvent && len(got.Text) != size+1) {
			t.Errorf("%d: %d bytes of text, %s, %v", size, len(got.Text), got.Finish, got.Complete)
		}
	}
	tap.Reset(Chat, true, 100)
	if held := cap(tap.events.line) + cap(tap.events.data) + cap(tap.text); held > 3*(64<<10) {
		t.Errorf("after Reset the tap holds %d bytes", held)
	}
}

func TestTap_Reset(t *testing.T) {
	tap := NewTap(Chat, true, 1<<20)
	for range 3 {
		tap.Write([]byte(chatStream))
		first := tap.Answer()
		tap.Reset(Messages, true, 1<<20)
		tap.Write([]byte(messagesStream))
		sameAnswer(t, "second", tap.Answer(), messagesAnswer)
		sameAnswer(t, "first, after Reset", first, chatAnswer)
		tap.Reset(Chat, true, 1<<20)
	}
}

func TestTap_Write_AfterAnswer(t *testing.T) {
	tap := NewTap(Chat, true, 100)
	tap.Write([]byte(chatStream))
	want := tap.Answer()
	if n, err := tap.Write([]byte("data: {\"id\":\"late\"}\n\n")); n != 21 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	sameAnswer(t, "after Answer", tap.Answer(), want)
}

// A chunk costs no memory: only the answer's own strings are allocated.
func TestTap_Allocs(t *testing.T) {
	tap := NewTap(Chat, true, 1<<10)
	chunk := []byte(`data: {"id":"chatcmpl-1","model":"gpt","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}` + "\n\n")
	n := testing.AllocsPerRun(50, func() {
		tap.Reset(Chat, true, 1<<10)
		for range 100 {
			tap.Write(chunk[:60])
			tap.Write(chunk[60:])
		}
		if tap.Answer().Text == "" {
			t.Fatal("no text")
		}
	})
	if n > 3 { // id, model, text
		t.Errorf("100 chunks allocate %v times, want 3", n)
	}
}

func FuzzTap(f *testing.F) {
	for i, s := range []string{chatStream, responsesStream, messagesStream, `{"choices":[{"message":{"content":"x"}}]}`, "\ufeff\r\rdata:x\r\n\r"} {
		f.Add([]byte(s), uint8(i), uint16(40), uint16(7))
	}
	f.Fuzz(func(t *testing.T, stream []byte, api uint8, limit, step uint16) {
		a, max := API(api%6), int(limit)
		whole := NewTap(a, true, max)
		whole.Write(stream)
		want := whole.Answer()
		parts := NewTap(a, true, max)
		for b := stream; len(b) > 0; {
			n := min(len(b), 1+int(step)%61)
			parts.Write(b[:n])
			b = b[n:]
		}
		sameAnswer(t, "in parts", parts.Answer(), want)
		if len(want.Text) > max+len("\ufffd")*max {
			t.Fatalf("%d bytes of text, limit %d", len(want.Text), max)
		}
	})
}

func BenchmarkTap(b *testing.B) {
	var chunks [][]byte
	var size int64
	for i := range 50 {
		c := fmt.Sprintf(`data: {"id":"chatcmpl-AbCdEf123456","object":"chat.completion.chunk","created":1760000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}]}`+"\n\n", i)
		chunks = append(chunks, []byte(c))
		size += int64(len(c))
	}
	chunks = append(chunks, []byte("data: [DONE]\n\n"))
	b.ReportAllocs()
	b.SetBytes(size)
	tap := NewTap(Chat, true, 4<<10)
	for b.Loop() {
		tap.Reset(Chat, true, 4<<10)
		for _, c := range chunks {
			tap.Write(c)
		}
		if a := tap.Answer(); !a.Complete {
			b.Fatal("not complete")
		}
	}
}
