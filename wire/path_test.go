package wire

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPath(t *testing.T) {
	const body = ` {"q":"first","q":"last","n":7,"a.b":"dot","deep":{"\u0071":"key"},"messages":[
		{"role":"user","content":"older"},
		{"role":"user","content":"{\"question\":\"Wo ist \\\"es\\\"?\",\"docs\":[\"x\",{\"t\":\"y\"}]}"},
		{"role":"user","content":[{"type":"text","text":"part \ud83d\ude00"}]}]} `
	for path, want := range map[string]string{
		"q": "last", "deep.q": "key", "messages.0.content": "older", "messages.-3.content": "older",
		"messages.1.content.question": `Wo ist "es"?`, "messages.-2.content.docs.-1.t": "y", "messages.1.content.docs.0": "x",
		"messages.-1.content.0.text": "part \U0001F600",
	} {
		if got, ok := Path([]byte(body), path); !ok || got != want {
			t.Errorf("%s: got %q %v, want %q", path, got, ok, want)
		}
	}
	for _, path := range []string{
		"", ".", "q.", ".q", "n", "none", "a.b", "deep", "messages", "messages.3.content", "messages.-4.content", "messages.x.content",
		"messages.0.content.question", "q.0", strings.Repeat("a.", maxPathSteps) + "a",
	} {
		if got, ok := Path([]byte(body), path); ok {
			t.Errorf("%s: got %q, want nothing", path, got)
		}
	}
	for _, broken := range []string{"", "{", `{"q":"a"`, `{"q":"a"}x`, `{"q":"a}`, `"q"`, "[1,", strings.Repeat("[", 100)} {
		if got, ok := Path([]byte(broken), "q"); ok {
			t.Errorf("%s: got %q, want nothing", broken, got)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, body := range oddBodies {
		f.Add([]byte(body), "messages.-1.content")
	}
	f.Add([]byte(`{"messages":[{"content":"{\"question\":\"a\"}"}]}`), "messages.-1.content.question")
	f.Add([]byte(`[["a",`), "-1.0")
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		before := string(body)
		text, ok := Path(body, path)
		if string(body) != before {
			t.Fatal("the body was changed")
		}
		if !ok && text != "" || len(text) > 3*len(body) || !utf8.ValidString(text) {
			t.Fatalf("got %q %v out of %d bytes", text, ok, len(body))
		}
	})
}
