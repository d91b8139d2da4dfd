package wire

import (
	"slices"
	"strings"
	"testing"
)

func TestFailures(t *testing.T) {
	tools := `{"messages":[],"tools":[
		{"type":"function","function":{"name":"find","parameters":{"type":"object","required":["q"],"properties":{"q":{"type":"string"},"n":{"type":["integer","null"]},
			"kind":{"enum":["a","b"]},"list":{"type":"array","items":{"type":"object","required":["x"]}},"any":{"anyOf":[{"type":"string"}]}}}}},
		{"name":"anthropic","input_schema":{"type":"object","required":["p"]}},
		{"type":"function","name":"response","parameters":{"type":"object","required":["p"]}},
		{"type":"custom","custom":{"name":"free"}}]}`
	check := func(request string, a Answer, want ...string) {
		t.Helper()
		a.Complete = true
		if got := Failures(mustParse(t, Chat, request), []byte(request), a); !slices.Equal(got, want) {
			t.Errorf("%+v: got %q, want %q", a, got, want)
		}
	}
	call := func(name, arguments string, want ...string) {
		t.Helper()
		check(tools, Answer{Tools: []ToolCall{{name, arguments}}}, want...)
	}
	plain, demands := `{"messages":[]}`, `{"response_format":{"type":"json_object"}}`
	check(plain, Answer{Text: "hi", Finish: "stop"})
	check(plain, Answer{Error: "x"}, FailUpstream)
	check(plain, Answer{}, FailEmpty)
	check(plain, Answer{Other: true})
	check(plain, Answer{Refusal: true, Text: "no"}, FailRefused)
	check(plain, Answer{Text: "a", Finish: "length"}, FailTruncated)
	check(plain, Answer{Text: "a", Finish: "max_tokens", Refusal: true}, FailRefused, FailTruncated)
	check(demands, Answer{Text: ` {"a":1} `})
	check(demands, Answer{Text: "```json\n{}\n```"}, FailJSON)
	check(demands, Answer{Text: `{"a":`, Cut: true})
	check(demands, Answer{Text: `{"a":`, Finish: "length"}, FailTruncated)

	call("find", `{"q":"x","n":1.0,"kind":"a","list":[{"x":null}],"any":7,"more":true}`)
	call("find", `{"q":"x","n":null}`)
	call("find", `{"q":"x"`, FailTool)
	call("find", `"q"`, FailTool)
	call("find", `null`, FailTool)
	call("find", ``, FailTool)
	call("find", `{"n":1}`, FailTool)
	call("find", `{"q":1}`, FailTool)
	call("find", `{"q":"x","n":1.5}`, FailTool)
	call("find", `{"q":"x","kind":"c"}`, FailTool)
	call("find", `{"q":"x","list":[{}]}`, FailTool)
	call("find", `{"q":"x","list":{}}`, FailTool)
	call("anthropic", `{}`, FailTool)
	call("response", `{"p":1}`)
	call("response", `{"q":1}`, FailTool)
	call("free", `print(1)`)
	call("unknown", ` `)
	call("unknown", `{`, FailTool)
}

func TestFailures_Incomplete(t *testing.T) {
	r := mustParse(t, Chat, `{}`)
	if got := Failures(r, nil, Answer{Text: "half"}); !slices.Equal(got, []string{FailTruncated}) {
		t.Errorf("got %q", got)
	}
	for _, api := range []API{Embeddings, Other} {
		if got := Failures(mustParse(t, api, `{}`), nil, Answer{}); got != nil {
			t.Errorf("%v: got %q", api, got)
		}
	}
}

// A schema that nests without end is compared to a limit, not for ever.
func TestFailures_DeepSchema(t *testing.T) {
	schema := strings.Repeat(`{"properties":{"a":`, 20) + `{"type":"string"}` + strings.Repeat(`}}`, 20)
	request := `{"tools":[{"name":"f","parameters":` + schema + `}]}`
	arguments := strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 20)
	got := Failures(mustParse(t, Chat, request), []byte(request), Answer{Complete: true, Tools: []ToolCall{{"f", arguments}}})
	if got != nil {
		t.Errorf("got %q", got)
	}
}
