package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// oddBodies are legal requests that decoding and encoding would change.
var oddBodies = []string{
	`{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
	"\t{ \"messages\" : [ { \"content\" : \"hi\" , \"role\" : \"user\" } ] ,\r\n \"model\" : \"m\" }\n",
	`{"seed":9223372036854775807,"big":123456789012345678901234567890,"temperature":1.0,"top_p":1E+2,"n":-0,"model":"m","messages":[]}`,
	`{"messages":[{"role":"user","content":"\u0048\u00e9\ud83d\ude00 \ud800 \/ \\ \" \b\f\n\r\t"}],"model":"\u006d"}`,
	`{"model":"a","model":"b","messages":[{"role":"user","role":"system","content":"x"}],"messages":[{"role":"user","content":"y"}]}`,
	`{"messages":[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":[{"type":"text","text":"c"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"text","text":"d"}]}],"model":"m"}`,
	`{"messages":[null,1,"x",[],{},{"role":1,"content":2},{"role":"user","content":null}],"model":{},"stream":"yes","tools":{},"tool_choice":[]}`,
	`{"enable_thinking":true,"reasoning_split":null,"x":{"y":[[[{}]]]},"model":"m","messages":[{"role":"user","content":"q","name":"n","zz":[1,2.50]}]}`,
	`{"model":"m","system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"r"}]}],"max_tokens":16}`,
	`{"model":"m","instructions":"i","input":[{"role":"user","content":[{"type":"input_text","text":"q"}]},{"type":"function_call_output","call_id":"c","output":"o"}]}`,
	`{"model":"m","prompt":"once upon"}`,
	`{}`,
}

func mustParse(t testing.TB, api API, body string) *Request {
	t.Helper()
	r, err := Parse(api, []byte(body))
	if err != nil {
		t.Fatalf("Parse(%s) = %v", body, err)
	}
	return r
}

func TestParse_Chat(t *testing.T) {
	r := mustParse(t, Chat, `{"stream":true,"model":"gpt-\u0034","user":"u1","messages":[
		{"role":"system","content":"be kind"},{"content":[{"text":"a","type":"text"},{"type":"text","text":"b\n\ud83d\ude00\ud800"}],"role":"developer"},
		{"role":"user","content":"one"},{"role":"assistant","content":"no"},{"role":"tool","content":"t"},
		{"role":"user","content":[{"type":"text","text":"two"},{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"three"}]}],
		"tools":[{"type":"function","function":{"description":"d","name":"f1"}},{"custom":{"name":"c1"},"type":"custom"}],
		"tool_choice":{"type":"function","function":{"name":"f1"}},"max_completion_tokens":20,
		"response_format":{"type":"json_schema","json_schema":{"name":"shape","schema":{"name":"x"}}}}`)
	want := &Request{
		API: Chat, Model: "gpt-4", Models: 1, Stream: true, User: "u1",
		System: []string{"be kind", "a\nb\n😀\ufffd"},
		Turns:  []Turn{{Text: "one"}, {Text: "two\nthree"}},
		Tools:  []string{"f1", "c1"}, Format: "json_schema:shape", ForcedTool: true, MaxTokens: 20,
	}
	same(t, r, want)
	if r.Opening == 0 || !r.Strict() {
		t.Errorf("Opening = %d, Strict = %t", r.Opening, r.Strict())
	}
}

// same compares all but the hash and what is private.
func same(t testing.TB, got, want *Request) {
	t.Helper()
	a, b := *got, *want
	a.Opening, b.Opening, a.place, b.place, a.scratch, b.scratch = 0, 0, place{}, place{}, scratch{}, scratch{}
	if len(a.System)+len(b.System) == 0 {
		a.System, b.System = nil, nil
	}
	if len(a.Turns)+len(b.Turns) == 0 {
		a.Turns, b.Turns = nil, nil
	}
	if len(a.Tools)+len(b.Tools) == 0 {
		a.Tools, b.Tools = nil, nil
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got  %+v\nwant %+v", a, b)
	}
}

func TestParse_Responses(t *testing.T) {
	same(t, mustParse(t, Responses, `{"input":[{"role":"developer","content":"d"},{"role":"user","content":"q"},
		{"type":"function_call","name":"f","arguments":"{}"},{"type":"function_call_output","output":"o"}],
		"previous_response_id":"resp_1","conversation":{"id":"conv_1"},"instructions":"i","model":"m","safety_identifier":"s",
		"text":{"format":{"type":"json_object"}},"tools":[{"type":"function","name":"f"},{"type":"web_search"}],"tool_choice":"required","max_output_tokens":100.0}`),
		&Request{
			API: Responses, Model: "m", Models: 1, User: "s", PreviousID: "resp_1", ConversationID: "conv_1", System: []string{"i", "d"},
			Turns: []Turn{{Text: "q"}, {Tool: true}}, Tools: []string{"f", "web_search"}, Format: "json_object", ForcedTool: true, MaxTokens: 100,
		})
	same(t, mustParse(t, Responses, `{"input":"hello","stream":false,"tool_choice":"auto"}`), &Request{API: Responses, Turns: []Turn{{Text: "hello"}}})
}

func TestParse_Messages(t *testing.T) {
	same(t, mustParse(t, Messages, `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","name":"f"}]},
		{"role":"user","content":[{"type":"tool_result","content":"r"}]}],"model":"claude","metadata":{"user_id":"u"},"max_tokens":32,
		"system":[{"type":"text","text":"s"},{"type":"text","text":"t","cache_control":{"type":"ephemeral"}}],
		"tools":[{"name":"f","input_schema":{"name":"no"}},{"type":"bash_20250124","name":"bash"}],"tool_choice":{"type":"any"}}`),
		&Request{
			API: Messages, Model: "claude", Models: 1, User: "u", System: []string{"s\nt"}, Turns: []Turn{{Text: "q"}, {Tool: true}},
			Tools: []string{"f", "bash"}, ForcedTool: true, MaxTokens: 32,
		})
}

func TestParse_ForcedTool(t *testing.T) {
	check := func(choice string, want bool) {
		t.Helper()
		r := mustParse(t, Chat, `{"messages":[],`+choice+`}`)
		if r.ForcedTool != want {
			t.Errorf("%s: ForcedTool = %t", choice, r.ForcedTool)
		}
	}
	check(`"tool_choice":"none"`, false)
	check(`"tool_choice":null`, false)
	check(`"tool_choice":"required"`, true)
	check(`"tool_choice":{"type":"auto"}`, false)
	check(`"tool_choice":{"type":"tool","name":"f"}`, true)
	check(`"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto"}}`, false)
	check(`"tool_choice":{"type":"allowed_tools","mode":"required"}`, true)
	check(`"function_call":{"name":"f"}`, true)
	check(`"function_call":"auto"`, false)
}

func TestRequest_Strict(t *testing.T) {
	check := func(field string, want bool) {
		t.Helper()
		if got := mustParse(t, Chat, `{`+field+`}`).Strict(); got != want {
			t.Errorf("%s: Strict = %t", field, got)
		}
	}
	check(`"max_tokens":1`, true)
	check(`"max_tokens":32`, true)
	check(`"max_tokens":33`, false)
	check(`"max_tokens":0`, false)
	check(`"max_tokens":-1`, false)
	check(`"max_tokens":null`, false)
	check(`"response_format":{"type":"text"}`, false)
	check(`"response_format":{"type":"json_object"}`, true)
	check(`"tool_choice":"required"`, true)
}

// Of a long system text only the beginning is kept, in whole characters; what else
// is read is not touched, and the opening knows all of it.
func TestParse_LongSystem(t *testing.T) {
	long := strings.Repeat("é", MaxSystemBytes) // twice as many bytes
	for _, c := range []struct {
		api  API
		body string
	}{
		{Chat, `{"messages":[{"role":"system","content":"x%s"},{"role":"system","content":"s"},{"role":"user","content":"q"}],"user":"u"}`},
		{Chat, `{"messages":[{"role":"system","content":[{"type":"text","text":"x%s"}]},{"role":"system","content":"s"},{"role":"user","content":"q"}],"user":"u"}`},
		{Responses, `{"instructions":"x%s","input":[{"role":"system","content":"s"},{"role":"user","content":"q"}],"user":"u"}`},
	} {
		r := mustParse(t, c.api, strings.Replace(c.body, "%s", long, 1))
		want := "x" + long[:MaxSystemBytes-2]
		if len(r.System) != 2 || r.System[0] != want || r.System[1] != "s" || len(r.Turns) != 1 || r.Turns[0].Text != "q" || r.User != "u" {
			t.Errorf("%s: %d system texts, the first of %d bytes, want %d; turns %v, user %q", c.body, len(r.System), len(r.System[0]), len(want), r.Turns, r.User)
		}
		other := mustParse(t, c.api, strings.Replace(c.body, "%s", long+"!", 1))
		if other.Opening == r.Opening {
			t.Errorf("%s: the end of the text is not in the opening", c.body)
		}
	}
}

func TestParse_Opening(t *testing.T) {
	opening := func(api API, body string) uint64 { t.Helper(); return mustParse(t, api, body).Opening }
	one := opening(Chat, `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"}]}`)
	if more := opening(Chat, `{"model":"x","messages":[{"content":"s","role":"system"},{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":"r"}]}`); more != one {
		t.Error("a later turn changed the opening")
	}
	for _, other := range []string{
		`{"messages":[{"role":"system","content":"s"},{"role":"user","content":"p"}]}`,
		`{"messages":[{"role":"system","content":"t"},{"role":"user","content":"q"}]}`,
		`{"messages":[{"role":"user","content":"q"}]}`,
	} {
		if opening(Chat, other) == one {
			t.Errorf("%s has the same opening", other)
		}
	}
	// Anthropic clients move cache_control from turn to turn.
	a := opening(Messages, `{"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"q","cache_control":{"type":"ephemeral"}}]}]}`)
	b := opening(Messages, `{"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},{"role":"assistant","content":"a"}],"system":"s"}`)
	if a != b {
		t.Error("cache_control or key order changed the opening")
	}
	if none := opening(Chat, `{"messages":[{"role":"system","content":"s"}]}`); none != 0 {
		t.Errorf("opening without a user message = %d, want 0", none)
	}
	// Stored units rest on this value: it must not change between versions.
	if want := uint64(8974122613583202807); one != want {
		t.Errorf("opening = %d, want %d", one, want)
	}
}

func TestParse_Errors(t *testing.T) {
	check := func(body string, offset int, what string) {
		t.Helper()
		_, err := Parse(Chat, []byte(body))
		var bad *SyntaxError
		if !errors.As(err, &bad) || bad.Offset != offset || !strings.Contains(bad.What, what) {
			t.Errorf("Parse(%q) = %v, want byte %d: …%s…", body, err, offset, what)
		}
	}
	check(``, 0, "empty")
	check(" \n", 2, "empty")
	check(`{"model":"m"`, 12, `"," or the end`)
	check(`{"model":"m`, 9, "without an end")
	check(`{"model":"\x"}`, 10, "bad escape")
	check(`{"model":"\u12g4"}`, 10, "bad escape")
	check(`{"model" "m"}`, 9, `":" expected`)
	check(`{model:"m"}`, 1, "key in quotes")
	check(`{"a":1,}`, 7, "value expected")
	check(`{"a":[1,]}`, 8, "value expected")
	check(`{"a":01}`, 6, `"," or the end`)
	check(`{"a":1.}`, 7, "value expected")
	check(`{"a":-}`, 6, "value expected")
	check(`{"a":tru}`, 5, "unknown word")
	check(`{"a":1} x`, 8, "more bytes")
	check(`{"a":1}{}`, 7, "more bytes")
	check("{\"a\":1}\x00", 7, "more bytes")
	check(`{"a":`+strings.Repeat("[", 100), 5+63, "64 levels")
	for _, body := range []string{`[]`, `"x"`, `1`, `null`} {
		if _, err := Parse(Chat, []byte(body)); !errors.Is(err, ErrNotObject) {
			t.Errorf("Parse(%s) = %v, want ErrNotObject", body, err)
		}
	}
}

// A Request that is used again must not show the last request's fields.
func TestRequest_Parse_Again(t *testing.T) {
	r := mustParse(t, Chat, oddBodies[5])
	system := r.System[0]
	for i := range 3 {
		for _, body := range oddBodies {
			if err := r.Parse(Chat, []byte(body)); err != nil {
				t.Fatal(err)
			}
			fresh := mustParse(t, Chat, body)
			same(t, r, fresh)
			if r.Opening != fresh.Opening {
				t.Errorf("round %d: opening of %s differs when a Request is used again", i, body)
			}
		}
		if err := r.Parse(Chat, []byte(`{"model":"m","stream":tru`)); err == nil || r.Model != "" || r.Stream {
			t.Errorf("after an error: %v, %+v", err, r)
		}
	}
	if system != "a\nb" {
		t.Errorf("a string of an earlier Parse changed to %q", system)
	}
}

// The name kept from the last request must not stand for one that is only written like it.
func TestRequest_Parse_ModelAgain(t *testing.T) {
	r := mustParse(t, Chat, `{"model":"a\\b"}`)
	if err := r.Parse(Chat, []byte(`{"model":"a\b"}`)); err != nil || r.Model != "a\b" {
		t.Errorf("model = %q, %v", r.Model, err)
	}
}

// Decoders differ on duplicate keys and on case: whoever checks the model must know
// that there is more than one.
func TestParse_Models(t *testing.T) {
	for body, want := range map[string]int{
		`{}`: 0, `{"model":"a"}`: 1, `{"model":"a","x":{"model":"b"},"modem":"c"}`: 1, `{"model":"a","model":"b"}`: 2,
		`{"MODEL":"a","m\u006fdel":"b"}`: 2, `{"model":null}`: 1,
	} {
		for _, api := range []API{Other, Chat, Messages} {
			r, err := Parse(api, []byte(body))
			if err != nil || r.Models != want {
				t.Errorf("%s as %s: %d, %v; want %d", body, api, r.Models, err, want)
			}
		}
	}
	r, err := Parse(Chat, []byte(`{"model":"a","model":"b"}`))
	if err == nil {
		err = r.Parse(Chat, []byte(`{"model":"c"}`))
	}
	if err != nil || r.Models != 1 {
		t.Errorf("parsed again: %d, %v; want 1", r.Models, err)
	}
}

func TestParse_InvalidUTF8(t *testing.T) {
	r := mustParse(t, Chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\xff\xfeb\"}]}")
	if got := r.Turns[0].Text; got != "a\ufffdb" {
		t.Errorf("text = %q", got)
	}
}

func TestRequest_ParsePatch_Allocs(t *testing.T) {
	body := []byte(chatBody(1 << 10))
	var r Request
	var dst []byte
	n := testing.AllocsPerRun(100, func() {
		if err := r.Parse(Chat, body); err != nil {
			t.Fatal(err)
		}
		out, err := r.Patch(dst[:0], body, Patch{Model: "gpt-4o-mini", Block: "Be brief."})
		if err != nil {
			t.Fatal(err)
		}
		dst = out
	})
	if n > 1 { // all strings of a request are cut from one
		t.Errorf("Parse and Patch allocate %v times a request, want 1", n)
	}
}

// chatBody is a request of about size bytes: a system prompt, some turns, a short question.
func chatBody(size int) string {
	var b strings.Builder
	b.WriteString(`{"model":"support","stream":true,"temperature":0.7,"messages":[{"role":"system","content":"`)
	line := `You help the customers of a small shop.\nAnswer in the customer's own language, and \"kindly\". `
	for b.Len() < size/2 {
		b.WriteString(line)
	}
	b.WriteString(`"}`)
	for b.Len() < size-160 {
		b.WriteString(`,{"role":"user","content":"Where is my order 4711?"},{"role":"assistant","content":"It left our house on Monday and should be with you by Thursday."}`)
	}
	b.WriteString(`,{"role":"user","content":"Can I still change the delivery address?"}],"user":"u-42"}`)
	return b.String()
}

// benchBodies are a small request, a long conversation, and a question about a long document.
func benchBodies() map[string][]byte {
	document := strings.Repeat("A line of a pasted document, with nothing to escape but its end.\\n", 100<<10/66)
	return map[string][]byte{
		"1KB":        []byte(chatBody(1 << 10)),
		"100KBturns": []byte(chatBody(100 << 10)),
		"100KBtext":  []byte(`{"model":"support","messages":[{"role":"system","content":"s"},{"role":"user","content":"` + document + `"}]}`),
	}
}

func BenchmarkRequest_Parse(b *testing.B) {
	for name, body := range benchBodies() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			var r Request
			for b.Loop() {
				if err := r.Parse(Chat, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRequest_ParsePatch(b *testing.B) {
	for name, body := range benchBodies() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			var r Request
			var dst []byte
			for b.Loop() {
				if err := r.Parse(Chat, body); err != nil {
					b.Fatal(err)
				}
				out, err := r.Patch(dst[:0], body, Patch{Model: "gpt-4o-mini", Block: "Be brief and kind, and name the order number."})
				if err != nil {
					b.Fatal(err)
				}
				dst = out
			}
		})
	}
}
