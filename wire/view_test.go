package wire

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestView(t *testing.T) {
	check := func(what string, got Conversation, want Conversation) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
		}
	}
	check("chat", View(Chat, []byte(`{"model":"alias","tools":[{"type":"function","function":{"name":"find"}}],"messages":[
		{"role":"system","content":"s\u00e9"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{}},{"type":"input_audio"},{"type":"image_url"},{"type":"text","text":"b"}]},
		{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"find","arguments":"{\"q\":1}"}}]},{"role":"tool","content":"found"},{"role":"user","content":""}]}`), []byte(chatStream)),
		Conversation{Model: "gpt-4o-2024", Tools: []string{"find"}, Messages: []Message{
			{Role: "system", Text: "sé"}, {Role: "user", Text: "a\nb", Media: []string{"image", "audio"}},
			{Role: "assistant", Calls: []ToolCall{{"find", `{"q":1}`}}}, {Role: "tool", Text: "found"},
			{Role: "assistant", Text: chatAnswer.Text, Calls: chatAnswer.Tools},
		}})
	check("responses", View(Responses, []byte(`{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"q"},{"type":"input_file"}]},{"type":"reasoning","summary":[]},
		{"type":"function_call","name":"f","arguments":"{}"},{"type":"function_call_output","output":"o"}],"instructions":"i"}`), []byte(responsesStream)),
		Conversation{Model: "gpt-5", Messages: []Message{
			{Role: "system", Text: "i"}, {Role: "user", Text: "q", Media: []string{"file"}}, {Role: "assistant", Calls: []ToolCall{{"f", "{}"}}},
			{Role: "tool", Text: "o"}, {Role: "assistant", Text: "Hello", Calls: responsesAnswer.Tools},
		}})
	check("input text", View(Responses, []byte(`{"input":"q"}`), nil), Conversation{Messages: []Message{{Role: "user", Text: "q"}}})
	check("messages", View(Messages, []byte(`{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"thinking","thinking":"h"},{"type":"text","text":"a"},{"type":"tool_use","name":"f","input":{"x": 1}}]},
		{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"r"}]},{"type":"text","text":"and?"}]}],"system":[{"type":"text","text":"s"}],"tools":[{"name":"f"}]}`), []byte(messagesStream)),
		Conversation{Model: "claude-x", Tools: []string{"f"}, Messages: []Message{
			{Role: "system", Text: "s"}, {Role: "user", Text: "q"}, {Role: "assistant", Text: "a", Calls: []ToolCall{{"f", `{"x": 1}`}}},
			{Role: "tool", Text: "r"}, {Role: "user", Text: "and?"}, {Role: "assistant", Text: messagesAnswer.Text, Calls: messagesAnswer.Tools},
		}})
	check("completions", View(Completions, []byte(`{"prompt":["a","b"]}`), []byte(`{"choices":[{"text":"c"}]}`)),
		Conversation{Messages: []Message{{Role: "user", Text: "a"}, {Role: "user", Text: "b"}, {Role: "assistant", Text: "c"}}})
	check("nothing", View(Chat, nil, nil), Conversation{})
	check("no JSON", View(Chat, []byte("multipart"), []byte("<html>")), Conversation{})
}

// A body that the log cut shows what came before the cut, and the begun text.
func TestView_Cut(t *testing.T) {
	request := `{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"half a sen`
	got := View(Chat, []byte(request), []byte(`{"choices":[{"message":{"role":"assistant","content":"and ha`))
	want := Conversation{Model: "m", Messages: []Message{{Role: "system", Text: "s"}, {Role: "user", Text: "half a sen"}, {Role: "assistant", Text: "and ha"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for n := range len(request) {
		c := View(Chat, []byte(request[:n]), nil)
		if n > strings.Index(request, `},{"role":"user"`) && (len(c.Messages) == 0 || c.Messages[0].Text != "s") {
			t.Errorf("cut at %d: %+v", n, c)
		}
	}
}

func FuzzView(f *testing.F) {
	for i, body := range oddBodies {
		f.Add([]byte(body), []byte([]string{chatStream, responsesStream, messagesStream}[i%3]), uint8(i))
		f.Add([]byte(body[:len(body)*2/3]), []byte(`{"choices":[{"message":{"content":"a`), uint8(i))
	}
	f.Fuzz(func(t *testing.T, request, response []byte, api uint8) {
		c := View(API(api%6), request, response)
		total := 0
		for _, m := range c.Messages {
			if !utf8.ValidString(m.Text) {
				t.Fatalf("text is not UTF-8: %q", m.Text)
			}
			total += len(m.Text)
		}
		if total > 3*(len(request)+len(response))+64 {
			t.Fatalf("%d bytes of text out of %d", total, len(request)+len(response))
		}
		if r, err := Parse(API(api%6), request); err == nil {
			Failures(r, request, tapped(API(api%6), true, string(response)))
		}
	})
}
