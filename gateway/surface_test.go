package gateway

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"heed/rules"
	"heed/store"
	"heed/wire"
)

// TestGateway_OpenAIClient: the official client works unchanged, streaming and
// not, and raises what it should.
func TestGateway_OpenAIClient(t *testing.T) {
	e := start(t, func(c net.Conn, r *http.Request, body []byte) bool {
		if strings.Contains(string(body), `"stream":true`) {
			return answerStream(delta("Hel"), delta("lo"), sseStop, sseDone)(c, r, body)
		}
		return answerJSON(chatAnswer)(c, r, body)
	})
	client := openai.NewClient(option.WithBaseURL(e.url+"/v1"), option.WithAPIKey(appKeyForTest), option.WithMaxRetries(0))
	params := openai.ChatCompletionNewParams{Model: "support", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hi")}}
	var answer *http.Response
	got, err := client.Chat.Completions.New(context.Background(), params, option.WithResponseInto(&answer))
	if err != nil || got.Choices[0].Message.Content != "Hello there, friend." {
		t.Fatalf("got %+v, %v", got, err)
	}
	if answer.Header.Get("Heed-Feedback-Token") == "" {
		t.Errorf("headers %v", answer.Header)
	}
	var text strings.Builder
	stream := client.Chat.Completions.NewStreaming(context.Background(), params)
	for stream.Next() {
		if c := stream.Current().Choices; len(c) > 0 {
			text.WriteString(c[0].Delta.Content)
		}
	}
	if err := stream.Err(); err != nil || text.String() != "Hello" {
		t.Errorf("stream %q, %v", text.String(), err)
	}
	e.up.mu.Lock()
	e.up.script = raw(sseHead + chunk(delta("Hel")))
	e.up.mu.Unlock()
	stream = client.Chat.Completions.NewStreaming(context.Background(), params)
	for stream.Next() {
	}
	if err := stream.Err(); err == nil || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("broken stream: error %v", err)
	}
	_, err = client.Chat.Completions.New(context.Background(), params, option.WithAPIKey("wrong-key"))
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("wrong key: %v", err)
	}
}

const responseAnswer = `{"id":"resp_1","object":"response","status":"completed","model":"m-up","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Fine."}]}],"usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}`

// TestGateway_Responses: rules go into instructions, a chain of stored responses
// is one session and one unit.
func TestGateway_Responses(t *testing.T) {
	e := start(t, answerJSON(responseAnswer))
	e.inForce(rule("Be brief.", ""))
	client := openai.NewClient(option.WithBaseURL(e.url+"/v1"), option.WithAPIKey(appKeyForTest), option.WithMaxRetries(0))
	var raw *http.Response
	params := responses.ResponseNewParams{Model: "support", Instructions: openai.String("You help."), Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("How are you?")}}
	got, err := client.Responses.New(context.Background(), params, option.WithResponseInto(&raw))
	if err != nil || got.OutputText() != "Fine." {
		t.Fatalf("%+v, %v", got, err)
	}
	first := e.row(raw.Header.Get("Heed-Exchange-Id"))
	if body := string(e.up.requests()[0].body); !strings.Contains(body, `"instructions":"You help.\n\n<learned_guidelines>`) {
		t.Errorf("upstream body %s", body)
	}
	params.PreviousResponseID = openai.String("resp_1")
	if _, err := client.Responses.New(context.Background(), params, option.WithResponseInto(&raw)); err != nil {
		t.Fatal(err)
	}
	second := e.row(raw.Header.Get("Heed-Exchange-Id"))
	if second.Facts.Unit != first.Facts.Unit || second.PreviousID != "resp_1" || first.API != wire.Responses || first.Answer != "Fine." {
		t.Errorf("first %+v, second %+v", first.Facts, second.Facts)
	}
}

// TestGateway_BrokenResponses: a broken Responses stream ends with response.failed.
func TestGateway_BrokenResponses(t *testing.T) {
	begun := "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":4,\"response\":{\"id\":\"resp_9\",\"model\":\"m\"}}\n\n"
	e := start(t, raw(sseHead+chunk(begun)))
	body := readAll(t, e.post("/v1/responses", `{"model":"support","stream":true,"input":"hi"}`))
	if !strings.HasPrefix(body, begun+"event: response.failed\n") || !strings.Contains(body, `"sequence_number":5`) || !strings.Contains(body, `"resp_9"`) {
		t.Errorf("got %s", body)
	}
}

const messagesAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-up","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":1}}`

// TestGateway_Anthropic: rules are one more system block, cache_control stays,
// keys and headers are Anthropic's, so are errors.
func TestGateway_Anthropic(t *testing.T) {
	e := start(t, answerJSON(messagesAnswer), func(o *Options) {
		o.Upstreams = append(o.Upstreams, Upstream{Name: "claude", Kind: Anthropic, BaseURL: strings.TrimSuffix(o.Upstreams[0].BaseURL, "/v1"), APIKey: "sk-ant-canary"})
	})
	e.inForce(rule("Be brief.", ""))
	body := `{"model":"claude-x","max_tokens":500,"system":[{"type":"text","text":"You help.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"Hello?"}]}`
	r := e.post("/v1/messages", body, "Authorization", "", "X-Api-Key", appKeyForTest, "Anthropic-Version", "2023-06-01", "Anthropic-Beta", "b")
	if got := readAll(t, r); got != messagesAnswer {
		t.Fatalf("%d %s", r.StatusCode, got)
	}
	got := e.up.requests()[0]
	if got.uri != "/v1/messages" || got.header.Get("X-Api-Key") != "sk-ant-canary" || got.header.Get("Authorization") != "" || got.header.Get("Anthropic-Beta") != "b" {
		t.Errorf("%s %v", got.uri, got.header)
	}
	if want := `"system":[{"type":"text","text":"You help.","cache_control":{"type":"ephemeral"}},{"type":"text","text":"<learned_guidelines>`; !strings.Contains(string(got.body), want) {
		t.Errorf("body %s", got.body)
	}
	if x := e.row(r.Header.Get("Heed-Exchange-Id")); x.Answer != "Hi." || x.ResponseID != "msg_1" || x.Usage.InputTokens != 9 {
		t.Errorf("row %+v", x)
	}
	r = e.post("/v1/messages", body, "Authorization", "", "X-Api-Key", "wrong-key")
	if got := readAll(t, r); r.StatusCode != 401 || !strings.HasPrefix(got, `{"type":"error","error":{"type":"authentication_error"`) {
		t.Errorf("wrong key: %d %s", r.StatusCode, got)
	}
	e.up.mu.Lock()
	e.up.script = raw(sseHead + chunk("event: message_start\ndata: {\"type\":\"message_start\"}\n\n"))
	e.up.mu.Unlock()
	got2 := readAll(t, e.post("/v1/messages", strings.Replace(body, "{", `{"stream":true,`, 1)))
	if !strings.Contains(got2, "event: error\ndata: {\"type\":\"error\"") {
		t.Errorf("broken stream: %s", got2)
	}
}

// TestGateway_Azure: Azure's paths and keys, as what clients speak and as a kind
// of upstream.
func TestGateway_Azure(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) {
		base := strings.TrimSuffix(o.Upstreams[0].BaseURL, "/v1")
		o.Upstreams = append(o.Upstreams,
			Upstream{Name: "az", Kind: Azure, BaseURL: base, APIKey: "azure-canary", APIVersion: "2024-10-21"},
			Upstream{Name: "az1", Kind: Azure, BaseURL: base + "/openai/v1", APIKey: "azure-canary"})
		o.Aliases = append(o.Aliases,
			Alias{Name: "on-azure", Targets: []rules.Share{{Upstream: "az", Model: "dep 1", Weight: 1}}},
			Alias{Name: "on-azure-v1", Targets: []rules.Share{{Upstream: "az1", Model: "gpt", Weight: 1}}})
	})
	body := `{"messages":[{"role":"user","content":"Hi"}]}`
	named := func(model string) string { return strings.Replace(body, "{", `{"model":"`+model+`",`, 1) }
	for _, c := range []struct{ path, body, uri, upstreamBody, key string }{
		{"/openai/deployments/support/chat/completions?api-version=2024-06-01", body, "/v1/chat/completions", named("m-real"), "Authorization"},
		{"/openai/deployments/other/chat/completions?api-version=2024-06-01&x=1", body, "/v1/chat/completions?x=1", named("other"), "Authorization"},
		{"/openai/deployments/on-azure/chat/completions?api-version=2024-06-01", body, "/openai/deployments/dep%201/chat/completions?api-version=2024-06-01", named("dep 1"), "Api-Key"},
		{"/openai/v1/chat/completions", named("support"), "/v1/chat/completions", named("m-real"), "Authorization"},
		{"/v1/chat/completions", named("on-azure"), "/openai/deployments/dep%201/chat/completions?api-version=2024-10-21", named("dep 1"), "Api-Key"},
		{"/v1/chat/completions", named("on-azure-v1"), "/openai/v1/chat/completions", named("gpt"), "Api-Key"},
		{"/openai/v1/chat/completions", named("on-azure"), "/openai/v1/chat/completions", named("dep 1"), "Api-Key"},
		{"/openai/deployments/on-azure/chat/completions?api-version=2024-06-01", body, "/openai/deployments/dep%201/chat/completions?api-version=2024-06-01", named("dep 1"), "Api-Key"},
		{"/openai/deployments/on-azure-v1/chat/completions?api-version=2024-06-01", body, "/openai/v1/chat/completions", named("gpt"), "Api-Key"},
		// What is passed on unread goes to its deployment, too.
		{"/openai/deployments/on-azure/images/generations?api-version=2024-06-01", body, "/openai/deployments/dep%201/images/generations?api-version=2024-06-01", body, "Api-Key"},
		{"/openai/deployments/voice/audio/speech?api-version=2024-06-01", body, "/v1/audio/speech", body, "Authorization"},
		// Azure's Responses name the deployment in the body, under the one path or the other.
		{"/openai/responses?api-version=2025-04-01-preview", named("on-azure"), "/openai/responses?api-version=2025-04-01-preview", named("dep 1"), "Api-Key"},
		{"/openai/responses?api-version=2025-04-01-preview", named("support"), "/v1/responses", named("m-real"), "Authorization"},
		{"/v1/responses", named("on-azure"), "/openai/v1/responses", named("dep 1"), "Api-Key"},
	} {
		r := e.post(c.path, c.body, "Authorization", "", "Api-Key", appKeyForTest)
		if got := readAll(t, r); got != chatAnswer {
			t.Errorf("%s: %d %s", c.path, r.StatusCode, got)
			continue
		}
		reqs := e.up.requests()
		got := reqs[len(reqs)-1]
		if got.uri != c.uri || string(got.body) != c.upstreamBody || got.header.Get(c.key) == "" || (c.key != "Api-Key" && got.header.Get("Api-Key") != "") {
			t.Errorf("%s: upstream got %s %s %v", c.path, got.uri, got.body, got.header)
		}
	}
}

func TestGateway_Models(t *testing.T) {
	calls := 0
	e := start(t, func(c net.Conn, r *http.Request, b []byte) bool {
		calls++
		return answerJSON(`{"object":"list","data":[{"id":"m-1","object":"model","x":1},{"id":"support"}]}`)(c, r, b)
	})
	client := openai.NewClient(option.WithBaseURL(e.url+"/v1"), option.WithAPIKey(appKeyForTest))
	for range 3 {
		page, err := client.Models.List(context.Background())
		if err != nil || len(page.Data) != 2 || page.Data[0].ID != "support" || page.Data[0].OwnedBy != "heed" || page.Data[1].ID != "m-1" {
			t.Fatalf("%+v, %v", page, err)
		}
	}
	if calls != 1 {
		t.Errorf("upstream was asked %d times, want once", calls)
	}
	if r := e.do("GET", "/v1/models", "", "Authorization", ""); r.StatusCode != 401 {
		t.Errorf("without a key: %d", r.StatusCode)
	}
}

// TestGateway_Sessions: exchanges of one conversation are found by what they
// repeat, without any header.
func TestGateway_Sessions(t *testing.T) {
	e := start(t, answerJSON(chatAnswer))
	send := func(body string) *store.Exchange {
		t.Helper()
		r := e.post("/v1/chat/completions", body)
		readAll(t, r)
		return e.row(r.Header.Get("Heed-Exchange-Id"))
	}
	first := send(`{"model":"support","messages":[{"role":"user","content":"Hi"}]}`)
	next := send(`{"model":"support","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello there, friend."},{"role":"user","content":"Where is my parcel?"}]}`)
	third := send(`{"model":"support","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello there, friend."},{"role":"user","content":"Where is my parcel?"},{"role":"assistant","content":"Hello there, friend."},{"role":"user","content":"thanks"}]}`)
	other := send(`{"model":"support","messages":[{"role":"user","content":"Hi"}]}`)
	if first.Session != first.ID || next.Session != first.ID || third.Session != first.ID || other.Session == first.ID {
		t.Errorf("sessions %s, %s, %s, %s; want the first three alike", first.Session, next.Session, third.Session, other.Session)
	}
	if first.Facts.Unit != next.Facts.Unit {
		t.Error("a conversation changed its unit")
	}
}
