package gateway

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
	goopenai "github.com/sashabaranov/go-openai"
)

const toolAnswer = `{"id":"chatcmpl-3","object":"chat.completion","created":1,"model":"m-up","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Köln\"}"}}]},"finish_reason":"tool_calls"}]}`

// TestGateway_OpenAIClient_Trouble: the official client takes an upstream's errors
// for what they are, sends again what may be sent again, and nothing else.
func TestGateway_OpenAIClient_Trouble(t *testing.T) {
	ctx := context.Background()
	params := openai.ChatCompletionNewParams{Model: "support", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hi")}}
	for name, c := range map[string]struct {
		script  func() upstreamScript
		status  int // of the error; 0: none
		code    string
		calls   int
		retries int
	}{
		"bad request": {func() upstreamScript { return answerStatus(400, `{"error":{"message":"m","code":"theirs"}}`) }, 400, "theirs", 1, 2},
		"rate limit": {func() upstreamScript {
			return answerStatus(429, `{"error":{"message":"m","code":"theirs"}}`, "Retry-After-Ms: 1")
		}, 429, "theirs", 3, 2},
		"told not to": {func() upstreamScript {
			return answerStatus(500, `{"error":{"message":"m","code":"theirs"}}`, "X-Should-Retry: false")
		}, 500, "theirs", 1, 2},
		"fails once":     {failsOnce, 0, "", 2, 2},
		"breaks off":     {func() upstreamScript { return raw("") }, 502, codeFailed, 1, 2},
		"breaks off mid": {func() upstreamScript { return raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{") }, 502, codeBroken, 1, 2},
	} {
		e := start(t, c.script())
		client := openai.NewClient(option.WithBaseURL(e.url+"/v1"), option.WithAPIKey(appKeyForTest), option.WithMaxRetries(c.retries))
		_, err := client.Chat.Completions.New(ctx, params)
		var failed *openai.Error
		switch {
		case c.status == 0 && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.status != 0 && (!errors.As(err, &failed) || failed.StatusCode != c.status || failed.Code != c.code):
			t.Errorf("%s: %v, want status %d, code %s", name, err, c.status, c.code)
		}
		if n := len(e.up.requests()); n != c.calls {
			t.Errorf("%s: %d calls of the upstream, want %d", name, n, c.calls)
		}
	}
}

// failsOnce answers 503, then as it should.
func failsOnce() upstreamScript {
	failed := false // one request at a time
	return func(c net.Conn, r *http.Request, b []byte) bool {
		if !failed {
			failed = true
			return answerStatus(503, `{"error":{"message":"busy"}}`, "Retry-After-Ms: 1")(c, r, b)
		}
		return answerJSON(chatAnswer)(c, r, b)
	}
}

// TestGateway_Clients_Tools: tools, schemas and images of both Go clients arrive as
// they were sent, under OpenAI's paths and Azure's, and the calls come back.
func TestGateway_Clients_Tools(t *testing.T) {
	e := start(t, answerJSON(toolAnswer))
	ctx := context.Background()
	schema := map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}}
	official := openai.ChatCompletionNewParams{
		Model: "support",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart("What is this?"), openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64,iVBORw0KGgo="}),
		})},
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "get_weather", Parameters: schema})},
		ResponseFormat: openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "answer", Schema: schema},
		}},
	}
	for path, options := range map[string][]option.RequestOption{
		"/v1/": {option.WithAPIKey(appKeyForTest)},
		"/openai/deployments/support/": {option.WithAPIKey(""), option.WithHeaderDel("authorization"), option.WithHeader("api-key", appKeyForTest),
			option.WithQuery("api-version", "2024-10-21")},
	} {
		client := openai.NewClient(append([]option.RequestOption{option.WithBaseURL(e.url + path), option.WithMaxRetries(0)}, options...)...)
		got, err := client.Chat.Completions.New(ctx, official)
		if err != nil || got.Choices[0].Message.ToolCalls[0].Function.Arguments != `{"city":"Köln"}` {
			t.Errorf("openai-go at %s: %+v, %v", path, got, err)
		}
	}
	plain := goopenai.DefaultConfig(appKeyForTest)
	plain.BaseURL = e.url + "/v1"
	for name, conf := range map[string]goopenai.ClientConfig{"openai": plain, "azure": goopenai.DefaultAzureConfig(appKeyForTest, e.url)} {
		got, err := goopenai.NewClientWithConfig(conf).CreateChatCompletion(ctx, goopenai.ChatCompletionRequest{
			Model: "support",
			Messages: []goopenai.ChatCompletionMessage{{Role: "user", MultiContent: []goopenai.ChatMessagePart{
				{Type: goopenai.ChatMessagePartTypeText, Text: "What is this?"},
				{Type: goopenai.ChatMessagePartTypeImageURL, ImageURL: &goopenai.ChatMessageImageURL{URL: "data:image/png;base64,iVBORw0KGgo="}},
			}}},
			Tools:          []goopenai.Tool{{Type: goopenai.ToolTypeFunction, Function: &goopenai.FunctionDefinition{Name: "get_weather", Parameters: schema}}},
			ResponseFormat: &goopenai.ChatCompletionResponseFormat{Type: goopenai.ChatCompletionResponseFormatTypeJSONObject},
		})
		if err != nil || got.Choices[0].Message.ToolCalls[0].Function.Name != "get_weather" {
			t.Errorf("go-openai, %s: %+v, %v", name, got, err)
		}
	}
	reqs := e.up.requests()
	if len(reqs) != 4 {
		t.Fatalf("%d upstream requests, want 4", len(reqs))
	}
	for _, r := range reqs {
		for _, part := range []string{`"model":"m-real"`, "get_weather", "data:image/png;base64,iVBORw0KGgo=", "response_format", "city"} {
			if !bytes.Contains(r.body, []byte(part)) {
				t.Errorf("upstream got no %s: %s", part, r.body)
			}
		}
	}
	e.up.mu.Lock()
	e.up.script = answerStatus(429, `{"error":{"message":"slow down","code":"theirs"}}`)
	e.up.mu.Unlock()
	var failed *goopenai.APIError
	_, err := goopenai.NewClientWithConfig(plain).CreateChatCompletion(ctx, goopenai.ChatCompletionRequest{Model: "support", Messages: []goopenai.ChatCompletionMessage{{Role: "user", Content: "Hi"}}})
	if !errors.As(err, &failed) || failed.HTTPStatusCode != 429 || failed.Message != "slow down" {
		t.Errorf("go-openai: %v", err)
	}
}
