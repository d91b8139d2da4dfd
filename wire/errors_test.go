package wire

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestErrorEvent(t *testing.T) {
	check := func(api API, want string) {
		t.Helper()
		got := string(ErrorEvent(api, "upstream \"gone\"\n", "upstream_disconnected"))
		if got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		// What Heed sends, its own tap must understand.
		if a := tapped(api, true, got); a.Error != "upstream \"gone\"\n" {
			t.Errorf("tap of %q: %+v", got, a)
		}
	}
	chat := `data: {"error":{"message":"upstream \"gone\"\n","type":"server_error","param":null,"code":"upstream_disconnected"}}` + "\n\n"
	check(Chat, chat)
	check(Completions, chat)
	check(Messages, "event: error\ndata: "+`{"type":"error","error":{"type":"api_error","message":"upstream \"gone\"\n"}}`+"\n\n")
	check(Responses, "event: response.failed\ndata: "+`{"type":"response.failed","sequence_number":0,"response":{"id":"","object":"response","status":"failed","model":"","error":{"code":"upstream_disconnected","message":"upstream \"gone\"\n"},"output":[]}}`+"\n\n")
}

// The event goes on where the stream stopped, also in the middle of another event.
func TestTap_ErrorEvent(t *testing.T) {
	first, rest, _ := strings.Cut(responsesStream, "event: response.output_text.done")
	for _, sent := range []string{first, first + rest[:30], first + rest[:len(rest)-1]} {
		tap := NewTap(Responses, true, 100)
		tap.Write([]byte(sent))
		want := tap.Sequence() + 1
		frame := string(tap.ErrorEvent("gone", "c"))
		again := NewTap(Responses, true, 100)
		again.Write([]byte(sent + frame))
		a := again.Answer()
		if a.Error != "gone" || a.ID != "resp_1" || a.Finish != "failed" || again.Sequence() != want {
			t.Errorf("after %q: %+v, sequence %d, want %d", frame, a, again.Sequence(), want)
		}
	}
}

func TestErrorBody(t *testing.T) {
	check := func(api API, status int, typ, code, want string) {
		t.Helper()
		got := ErrorBody(api, status, "no é\x01", typ, code)
		if !json.Valid(got) || string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	check(Chat, 404, "", "", `{"error":{"message":"no é\u0001","type":"invalid_request_error","param":null,"code":null}}`)
	check(Other, 503, "", "overloaded", `{"error":{"message":"no é\u0001","type":"server_error","param":null,"code":"overloaded"}}`)
	check(Responses, 401, "mine", "c", `{"error":{"message":"no é\u0001","type":"mine","param":null,"code":"c"}}`)
	check(Messages, 429, "", "c", `{"type":"error","error":{"type":"rate_limit_error","message":"no é\u0001"}}`)
	check(Messages, 413, "", "", `{"type":"error","error":{"type":"request_too_large","message":"no é\u0001"}}`)
	check(Messages, 529, "", "", `{"type":"error","error":{"type":"overloaded_error","message":"no é\u0001"}}`)
}

func TestAPIOf(t *testing.T) {
	check := func(path string, api API, alias string) {
		t.Helper()
		if gotAPI, gotAlias := APIOf(path); gotAPI != api || gotAlias != alias {
			t.Errorf("APIOf(%q) = %v, %q; want %v, %q", path, gotAPI, gotAlias, api, alias)
		}
	}
	check("/v1/chat/completions", Chat, "")
	check("/v1/chat/completions/", Chat, "")
	check("/v1/chat/completions/chatcmpl-1", Other, "")
	check("/v1/completions?x=1", Completions, "")
	check("/v1/responses", Responses, "")
	check("/v1/responses/resp_1", Other, "")
	check("/v1/messages", Messages, "")
	check("/v1/messages/count_tokens", Other, "")
	check("/v1/embeddings", Embeddings, "")
	check("/v1/models", Other, "")
	check("/openai/v1/chat/completions", Chat, "")
	check("/openai/v1/responses", Responses, "")
	check("/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21", Chat, "my gpt")
	check("/openai/deployments/e/embeddings", Embeddings, "e")
	check("/openai/deployments/my%20voice/audio/speech?api-version=1", Other, "my voice")
	check("/openai/deployments/org%2Fgpt/responses", Responses, "org/gpt")
	check("/openai/deployments/e/messages", Other, "e")
	check("/openai/deployments/e", Other, "e")
	check("/openai/responses?api-version=2025-04-01-preview", Responses, "")
	check("/openai/responses/resp_1", Other, "")
	check("/openai/chat/completions", Other, "")
	check("/v2/chat/completions", Other, "")
	check("", Other, "")
}
