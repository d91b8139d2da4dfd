package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// patched parses and patches body and fails on an error.
func patched(t testing.TB, api API, body string, p Patch) string {
	t.Helper()
	r, err := Parse(api, []byte(body))
	if err != nil {
		t.Fatalf("Parse(%s) = %v", body, err)
	}
	out, err := r.Patch(nil, []byte(body), p)
	if err != nil {
		t.Fatalf("Patch(%s) = %v", body, err)
	}
	return string(out)
}

// In the tables « and » enclose what Patch puts in; without it and them, a row is
// what the client sent.
func TestRequest_Patch_Block(t *testing.T) {
	check := func(api API, where Placement, marked string) {
		t.Helper()
		body, want := sent(marked), strings.NewReplacer("«", "", "»", "").Replace(marked)
		got := patched(t, api, body, Patch{Block: "B", Placement: where})
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("not JSON: %s", got)
		}
	}
	// Chat: no system message, one, several, developer, string or array.
	check(Chat, System, `{"messages":[«{"role":"system","content":"B"},»{"role":"user","content":"q"}]}`)
	check(Chat, System, `{"messages":[{"role":"system","content":"S«\n\nB»"},{"role":"user","content":"q"}]}`)
	check(Chat, System, `{"messages":[{"content":"S«\n\nB»","role":"system"},{"role":"system","content":"T"},{"role":"user","content":"q"}]}`)
	check(Chat, System, `{"messages":[{"role":"developer","content":"S\"«\n\nB»"},{"role":"user","content":"q"}]}`)
	check(Chat, System, `{"messages":[{"role":"user","content":"q"},{"role":"system","content":"«B»"}]}`)
	check(Chat, System, `{"messages":[{"role":"system","content":[{"type":"text","text":"S"}«,{"type":"text","text":"B"}»]},{"role":"user","content":"q"}]}`)
	check(Chat, System, `{"messages":[{"role":"system","content":[ «{"type":"text","text":"B"}»]}]}`)
	check(Chat, System, `{"messages":[{"role":"system","content":null}«,{"role":"system","content":"B"}»]}`)
	check(Chat, System, `{"messages":[{"role":"developer"}«,{"role":"developer","content":"B"}»]}`)
	check(Chat, Tail, `{"messages":[{"role":"system","content":"S"},{"role":"user","content":"q"},{"role":"assistant","content":"a"},«{"role":"system","content":"B"},»{"role":"user","content":"r"},{"role":"assistant","tool_calls":[]},{"role":"tool","content":"x"}]}`)
	check(Chat, Tail, `{"messages":[{"role":"developer","content":"S"},«{"role":"developer","content":"B"},»{"role":"user","content":null}]}`)
	check(Chat, Tail, `{"messages":[{"role":"system","content":"S«\n\nB»"}]}`)
	check(Chat, User, `{"messages":[{"role":"user","content":"q"},{"role":"user","content":"«B\n\n»r"}]}`)
	check(Chat, User, `{"messages":[{"role":"user","content":[«{"type":"text","text":"B"},»{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"r"}]}]}`)
	check(Chat, User, `{"messages":[{"role":"user","content":[«{"type":"text","text":"B"}»]}]}`)
	check(Chat, User, `{"messages":[«{"role":"system","content":"B"},»{"role":"user","content":null}]}`)
	// Keys may have escapes, and of duplicates the last counts.
	check(Chat, System, `{"m\u0065ssages":[{"r\u006fle":"system","content":"S«\n\nB»"}]}`)
	check(Chat, System, `{"messages":[{"role":"system","content":"old"}],"messages":[{"role":"user","role":"system","content":"x","content":"S«\n\nB»"}]}`)
	check(Chat, System, `{"Messages":[{"role":"system","content":"x"}],"messages":[«{"role":"system","content":"B"},»{"Role":"system","role":"user","content":"q"}]}`)

	check(Responses, System, `{«"instructions":"B",»"input":"q"}`)
	check(Responses, System, `{"input":"q","instructions":"I«\n\nB»"}`)
	check(Responses, System, `{"input":"q","instructions":"«B»"}`)
	check(Responses, System, `{"input":«[{"type":"message","role":"system","content":"B"},{"type":"message","role":"user","content":»"q"«}]»,"prompt":{"id":"p"}}`)
	check(Responses, Tail, `{"input":[{"role":"user","content":"q"},{"type":"function_call","name":"f"},{"type":"function_call_output","output":"o"},«{"type":"message","role":"system","content":"B"},»{"type":"message","role":"user","content":[{"type":"input_text","text":"r"}]}]}`)
	check(Responses, Tail, `{«"instructions":"B",»"input":[{"type":"function_call_output","output":"o"}],"previous_response_id":"r"}`)
	check(Responses, User, `{"input":"«B\n\n»q"}`)
	check(Responses, User, `{"input":[{"role":"user","content":[«{"type":"input_text","text":"B"},»{"type":"input_text","text":"r"}]}]}`)

	check(Messages, System, `{«"system":"B",»"messages":[{"role":"user","content":"q"}]}`)
	check(Messages, System, `{"system":«[{"type":"text","text":»"S\u00e9"«},{"type":"text","text":"B"}]»,"messages":[{"role":"user","content":"q"}]}`)
	check(Messages, System, `{"system":"«B»","messages":[{"role":"user","content":"q"}]}`)
	check(Messages, System, `{"messages":[{"role":"user","content":"q"}],"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral"}}«,{"type":"text","text":"B"}»]}`)
	check(Messages, System, `{"messages":[{"role":"user","content":"q"}],"system":[«{"type":"text","text":"B"}»]}`)
	check(Messages, Tail, `{"system":"S","messages":[{"role":"user","content":"«B\n\n»q"}]}`)
	check(Messages, User, `{"messages":[{"role":"user","content":"«B\n\n»q"},{"role":"assistant","content":"a"},{"role":"user","content":[{"type":"tool_result","content":"x"}]}]}`)
	check(Messages, User, `{"messages":[{"role":"user","content":[{"type":"tool_result","content":"x"},«{"type":"text","text":"B"},»{"type":"text","text":"r"}]}]}`)
	check(Messages, User, `{«"system":"B",»"messages":[{"role":"user","content":[{"type":"tool_result","content":"x"},{"type":"image","source":{}}]}]}`)

	check(Completions, System, `{"prompt":"«B\n\n»once"}`)
	check(Completions, User, `{"prompt":"«B»"}`)
}

// sent is a row of the table without what Patch puts in.
func sent(marked string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(marked, "«")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, marked, _ = strings.Cut(rest, "»")
	}
}

func TestRequest_Patch_Null(t *testing.T) {
	got := patched(t, Responses, `{"instructions":null,"input":"q"}`, Patch{Block: "B"})
	if want := `{"instructions":"B","input":"q"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRequest_Patch_NoPlace(t *testing.T) {
	check := func(api API, body, want string) {
		t.Helper()
		r, err := Parse(api, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Patch(nil, []byte(body), Patch{Model: "n", Block: "B"})
		if !errors.Is(err, ErrNoPlace) || string(got) != want {
			t.Errorf("Patch(%s) = %s, %v; want %s, ErrNoPlace", body, got, err, want)
		}
	}
	check(Chat, `{"model":"m"}`, `{"model":"n"}`)
	check(Chat, `{"messages":[],"model":"m"}`, `{"messages":[],"model":"n"}`)
	check(Chat, `{"messages":"x"}`, `{"model":"n","messages":"x"}`)
	check(Chat, `{}`, `{"model":"n"}`)
	check(Responses, ` { } `, ` {"model":"n" } `)
	check(Responses, `{"instructions":["x"]}`, `{"model":"n","instructions":["x"]}`)
	check(Messages, `{"model":1,"system":"s"}`, `{"model":"n","system":"s"}`)
	check(Completions, `{"prompt":["a","b"]}`, `{"model":"n","prompt":["a","b"]}`)
	check(Embeddings, `{"input":"a","model":"m"}`, `{"input":"a","model":"n"}`)
	check(Other, `{"messages":[{"role":"user","content":"q"}]}`, `{"model":"n","messages":[{"role":"user","content":"q"}]}`)
}

func TestRequest_Patch_Model(t *testing.T) {
	check := func(body, want string) {
		t.Helper()
		if got := patched(t, Chat, body, Patch{Model: `n/"2"`}); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	check(`{"seed":9007199254740993,"temperature":1.0,"model" : "m" ,"x":1e-0}`, `{"seed":9007199254740993,"temperature":1.0,"model" : "n/\"2\"" ,"x":1e-0}`)
	check(`{"model":"first","model":"last"}`, `{"model":"first","model":"n/\"2\""}`)
	check(`{"a":{"model":"inner"},"model":"\u006d"}`, `{"a":{"model":"inner"},"model":"n/\"2\""}`)
	check(`{"model":null}`, `{"model":"n/\"2\""}`)
	check(`{"messages":[]}`, `{"model":"n/\"2\"","messages":[]}`)
}

// Both a new model field and new instructions start the object.
func TestRequest_Patch_Both(t *testing.T) {
	got := patched(t, Responses, `{"input":"q"}`, Patch{Model: "m", Block: "B"})
	if want := `{"model":"m","instructions":"B","input":"q"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got = patched(t, Chat, `{"messages":[{"role":"system","content":"S"}],"model":"a"}`, Patch{Model: "m", Block: "B"})
	if want := `{"messages":[{"role":"system","content":"S\n\nB"}],"model":"m"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRequest_Patch_Zero(t *testing.T) {
	for _, body := range oddBodies {
		if got := patched(t, Chat, body, Patch{}); got != body {
			t.Errorf("got %s, want %s", got, body)
		}
	}
}

// A block with everything that JSON escapes comes out as it went in.
func TestRequest_Patch_Escapes(t *testing.T) {
	block := "a\"b\\c\nd\te\rf\x00\x1f é 漢 😀 </script> \u2028"
	got := patched(t, Chat, `{"messages":[{"role":"system","content":""}]}`, Patch{Block: block + "\xff"})
	var v struct{ Messages []struct{ Content string } }
	if err := json.Unmarshal([]byte(got), &v); err != nil {
		t.Fatal(err)
	}
	if v.Messages[0].Content != block+"\ufffd" {
		t.Errorf("got %q, want %q", v.Messages[0].Content, block)
	}
}

func TestRequest_Patch_OtherBody(t *testing.T) {
	r, err := Parse(Chat, []byte(`{"messages":[{"role":"user","content":"q"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := r.Patch([]byte("x"), []byte(`{}`), Patch{Block: "B"}); err == nil || string(out) != "x" {
		t.Errorf("Patch of another body = %q, %v; want an error", out, err)
	}
}

// undo takes a patch's edits out of its output again.
func undo(t testing.TB, r *Request, body, out []byte, p Patch) []byte {
	t.Helper()
	var edits [maxEdits]edit
	n, _ := r.edits(&edits, body, p)
	var back []byte
	at, o := 0, 0
	for _, e := range edits[:n] {
		size := len(e.pre) + len(e.post)
		if e.block {
			size += len(appendText(nil, p.Block))
		}
		if e.model {
			size += len(appendText(nil, p.Model))
		}
		back = append(back, out[o:o+e.at-at]...)
		o += e.at - at + size
		back = append(back, body[e.at:e.at+e.skip]...)
		at = e.at + e.skip
	}
	return append(back, out[o:]...)
}

func FuzzParsePatch(f *testing.F) {
	for _, body := range oddBodies {
		for api := range uint8(6) {
			f.Add([]byte(body), api, uint8(0), "be brief \"now\"\n")
		}
	}
	f.Add([]byte(`{"input":"q"}`), uint8(Responses), uint8(Tail), "b")
	f.Fuzz(func(t *testing.T, body []byte, api, where uint8, block string) {
		a, p := API(api%6), Patch{Block: block, Placement: Placement(where % 3)}
		if where >= 128 {
			p.Model = "renamed"
		}
		r, err := Parse(a, body)
		if err != nil {
			if json.Valid(body) && !errors.Is(err, ErrNotObject) && !strings.Contains(err.Error(), "deeper") {
				t.Fatalf("%s of API %d: %v, but encoding/json takes it", body, a, err)
			}
			return
		}
		if out, err := r.Patch(nil, body, Patch{}); err != nil || !bytes.Equal(out, body) {
			t.Fatalf("zero patch: %s, %v; want %s", out, err, body)
		}
		out, err := r.Patch([]byte("x"), body, p)
		if err != nil && !errors.Is(err, ErrNoPlace) {
			t.Fatal(err)
		}
		if json.Valid(body) && !json.Valid(out[1:]) {
			t.Fatalf("patched %s to bad JSON: %s", body, out[1:])
		}
		if err == nil {
			if back := undo(t, r, body, out[1:], p); !bytes.Equal(back, body) {
				t.Fatalf("taking the patch out of %s gives %s, want %s", out[1:], back, body)
			}
		}
		again, err := Parse(a, out[1:])
		if err != nil {
			t.Fatalf("patched %s cannot be parsed: %v", out[1:], err)
		}
		if p.Model != "" && again.Model != p.Model {
			t.Fatalf("model is %q after a patch to %q", again.Model, p.Model)
		}
	})
}
