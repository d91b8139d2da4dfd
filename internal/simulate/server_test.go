package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	goopenai "github.com/sashabaranov/go-openai"
)

const returnsQuestion = "How do I return a pair of shoes I ordered?"

// serve starts a model and returns its base URL.
func serve(t testing.TB, opts Options) (*Model, string) {
	t.Helper()
	m := NewModel(opts)
	url, stop, err := Listen("127.0.0.1:0", m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return m, url
}

func sdk(url string) openai.Client {
	return openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey("sk-test"), option.WithMaxRetries(0))
}

func chatParams(system, question string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    "gpt-4o-mini",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(system), openai.UserMessage(question)},
	}
}

func TestChat_OfficialSDK_StreamEqualsWhole(t *testing.T) {
	m, url := serve(t, Options{Seed: 7})
	c := sdk(url)
	params := chatParams("You help.\nAlways end with \"Bye!\"", returnsQuestion)
	whole, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	want := whole.Choices[0].Message.Content
	if !strings.HasSuffix(want, "Bye!") || !Right(returnsQuestion, want) {
		t.Errorf("answer %q: want a right one that ends with Bye!", want)
	}
	if !strings.Contains(whole.RawJSON(), Fingerprint) || whole.Usage.CompletionTokens == 0 || whole.Choices[0].FinishReason != "stop" {
		t.Errorf("got %s, usage %+v, finish %q", whole.RawJSON(), whole.Usage, whole.Choices[0].FinishReason)
	}

	params.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := c.Chat.Completions.NewStreaming(t.Context(), params)
	var acc openai.ChatCompletionAccumulator
	n := 0
	for stream.Next() {
		acc.AddChunk(stream.Current())
		n++
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if got := acc.Choices[0].Message.Content; got != want {
		t.Errorf("streamed %q, want %q", got, want)
	}
	if n < 10 || acc.Usage.TotalTokens != whole.Usage.TotalTokens {
		t.Errorf("got %d chunks with usage %+v, want many with %+v", n, acc.Usage, whole.Usage)
	}
	if got := m.Requests(); len(got) != 2 || got[0].Path != "/v1/chat/completions" || !strings.Contains(string(got[1].Body), `"stream":true`) {
		t.Errorf("recorded %d requests, want the two sent", len(got))
	}
}

func TestChat_GoOpenAI(t *testing.T) {
	_, url := serve(t, Options{})
	cfg := goopenai.DefaultConfig("sk-test")
	cfg.BaseURL = url + "/v1"
	c := goopenai.NewClientWithConfig(cfg)
	req := goopenai.ChatCompletionRequest{Model: "gpt-4o", Messages: []goopenai.ChatCompletionMessage{{Role: "user", Content: returnsQuestion}}}
	whole, err := c.CreateChatCompletion(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.CreateChatCompletionStream(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var text strings.Builder
	for {
		chunk, err := s.Recv()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(chunk.Choices) == 0 {
			t.Error("a chunk without choices, though no usage was asked for")
			continue
		}
		text.WriteString(chunk.Choices[0].Delta.Content)
	}
	if want := whole.Choices[0].Message.Content; text.String() != want {
		t.Errorf("streamed %q, want %q", text.String(), want)
	}
}

func TestChat_ForcedTool(t *testing.T) {
	_, url := serve(t, Options{})
	c := sdk(url)
	params := chatParams("You route.", returnsQuestion)
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
		Name: "route",
		Parameters: openai.FunctionParameters{"type": "object", "properties": map[string]any{
			"team": map[string]any{"type": "string", "enum": []string{"a", "b"}}, "note": map[string]any{"type": "string"}}},
	})}
	free, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil || free.Choices[0].Message.Content == "" || len(free.Choices[0].Message.ToolCalls) != 0 {
		t.Fatalf("tool offered but not forced: got %v, %v; want text", free, err)
	}
	params.ToolChoice = openai.ToolChoiceOptionFunctionToolChoice(openai.ChatCompletionNamedToolChoiceFunctionParam{Name: "route"})
	stream := c.Chat.Completions.NewStreaming(t.Context(), params)
	var acc openai.ChatCompletionAccumulator
	for stream.Next() {
		acc.AddChunk(stream.Current())
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	whole, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	for _, choice := range []openai.ChatCompletionChoice{acc.Choices[0], whole.Choices[0]} {
		if choice.FinishReason != "tool_calls" || len(choice.Message.ToolCalls) != 1 {
			t.Fatalf("got %+v, want one tool call", choice)
		}
		f := choice.Message.ToolCalls[0].Function
		var args struct{ Team, Note string }
		if err := json.Unmarshal([]byte(f.Arguments), &args); err != nil || f.Name != "route" || !strings.Contains("ab", args.Team) || args.Note == "" {
			t.Errorf("got %s(%s), %v", f.Name, f.Arguments, err)
		}
	}
}

func TestResponses_OfficialSDK(t *testing.T) {
	_, url := serve(t, Options{})
	c := sdk(url)
	params := responses.ResponseNewParams{
		Model: "gpt-4o", Instructions: openai.String("Begin with \"Sure:\""),
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(returnsQuestion)},
	}
	whole, err := c.Responses.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	want := whole.OutputText()
	if !strings.HasPrefix(want, "Sure:") {
		t.Errorf("answer %q, want it to begin with Sure:", want)
	}
	stream := c.Responses.NewStreaming(t.Context(), params)
	var text, last string
	seq := int64(0)
	for stream.Next() {
		ev := stream.Current()
		if ev.SequenceNumber != seq {
			t.Fatalf("event %s has sequence number %d, want %d", ev.Type, ev.SequenceNumber, seq)
		}
		seq++
		last = ev.Type
		if ev.Type == "response.output_text.delta" {
			text += ev.Delta
		}
	}
	if err := stream.Err(); err != nil || text != want || last != "response.completed" {
		t.Errorf("streamed %q (last event %s, %v), want %q", text, last, err, want)
	}

	follow, err := c.Responses.New(t.Context(), responses.ResponseNewParams{
		Model: "gpt-4o", PreviousResponseID: openai.String(whole.ID),
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("And the blue one?")},
	})
	if err != nil || !Right(returnsQuestion, follow.OutputText()) {
		t.Errorf("follow-up: got %v, %v; want an answer on returns", follow, err)
	}
	_, err = c.Responses.New(t.Context(), responses.ResponseNewParams{
		Model: "gpt-4o", PreviousResponseID: openai.String("resp_nope"),
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hi")},
	})
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("unknown previous response: got %v, want a 404", err)
	}
}

// post sends a body and returns status and answer.
func post(t testing.TB, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestMessages_StreamEqualsWhole(t *testing.T) {
	_, url := serve(t, Options{})
	body := `{"model":"claude-x","max_tokens":300,"system":[{"type":"text","text":"You help."},{"type":"text","text":"Never mention the post office."}],
		"messages":[{"role":"user","content":[{"type":"text","text":"` + returnsQuestion + `"}]}]%s}`
	status, whole := post(t, url+"/v1/messages", strings.Replace(body, "%s", "", 1))
	var got struct{ Content []struct{ Text string } }
	if err := json.Unmarshal([]byte(whole), &got); err != nil || status != 200 || len(got.Content) != 1 {
		t.Fatalf("got %d %s", status, whole)
	}
	if strings.Contains(got.Content[0].Text, "post office") || !Right(returnsQuestion, got.Content[0].Text) {
		t.Errorf("answer %q: want a right one without the post office", got.Content[0].Text)
	}
	_, stream := post(t, url+"/v1/messages", strings.Replace(body, "%s", `,"stream":true`, 1))
	var text strings.Builder
	for _, line := range strings.Split(stream, "\n") {
		var ev struct{ Delta struct{ Text string } }
		if data, ok := strings.CutPrefix(line, "data: "); ok && json.Unmarshal([]byte(data), &ev) == nil {
			text.WriteString(ev.Delta.Text)
		}
	}
	if text.String() != got.Content[0].Text || !strings.HasSuffix(stream, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n") {
		t.Errorf("streamed %q, want %q and message_stop last", text.String(), got.Content[0].Text)
	}
}

func TestEndpoints(t *testing.T) {
	_, url := serve(t, Options{Key: ""})
	chat := `{"messages":[{"role":"user","content":"hi"}]}`
	cases := []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"azure deployment", "/openai/deployments/support/chat/completions?api-version=1", chat, 200, `"model":"support"`},
		{"azure v1", "/openai/v1/chat/completions", chat, 200, Fingerprint},
		{"old completions", "/v1/completions", `{"model":"m","prompt":"Where is my invoice?"}`, 200, `"text":"`},
		{"embeddings", "/v1/embeddings", `{"model":"e","input":["a b","c"],"dimensions":8}`, 200, `"index":1`},
		{"echo", "/v1/files", "xyz", 200, `"sha256":"3608bca1e44ea6c4d268eb6db02260269892c0b42b86bbf1e77a6fa16c3c9282"`},
		{"no JSON", "/v1/chat/completions", "{", 400, "no valid request"},
		{"no messages", "/v1/chat/completions", "{}", 400, "at least one message"},
		{"anthropic error", "/v1/messages", "{}", 400, `"type":"error"`},
		{"elsewhere", "/other", "{}", 404, "serves paths below"},
	}
	for _, c := range cases {
		if status, got := post(t, url+c.path, c.body); status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %d %s, want %d with %s", c.name, status, got, c.status, c.want)
		}
	}
}

func TestModel_KeyAndFail(t *testing.T) {
	_, url := serve(t, Options{Key: "k", Fail: func(q Request) int {
		if strings.Contains(string(q.Body), "boom") {
			return 503
		}
		return 0
	}})
	if status, _ := post(t, url+"/v1/files", "x"); status != 401 {
		t.Errorf("without the key: got %d, want 401", status)
	}
	c := openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey("k"), option.WithMaxRetries(0))
	if _, err := c.Chat.Completions.New(t.Context(), chatParams("", "boom")); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("told to fail: got %v, want a 503", err)
	}
}

func TestEmbeddings_Deterministic(t *testing.T) {
	_, url := serve(t, Options{})
	c := sdk(url)
	get := func(text string) []float64 {
		r, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: "e", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String(text)}})
		if err != nil {
			t.Fatal(err)
		}
		return r.Data[0].Embedding
	}
	dot := func(a, b []float64) (s float64) {
		for i := range a {
			s += a[i] * b[i]
		}
		return s
	}
	a, same, near, far := get("return my shoes"), get("return my shoes"), get("return the shoes please"), get("weather on the moon")
	if d := dot(a, same); d < 0.999 || d > 1.001 {
		t.Errorf("a text with itself: %v, want 1", d)
	}
	if dot(a, near) <= dot(a, far) {
		t.Errorf("near %v, far %v: want near to be larger", dot(a, near), dot(a, far))
	}
}

func TestRecorder_Bounded(t *testing.T) {
	m, url := serve(t, Options{Recorded: 3})
	for _, body := range []string{"1", "2", "3", "4", "5"} {
		post(t, url+"/v1/files", body)
	}
	var got string
	for _, q := range m.Requests() {
		got += string(q.Body)
	}
	if got != "345" {
		t.Errorf("kept %q, want the last three", got)
	}
}

// TestStream_ClientLeaves: a handler that waits between chunks ends when its
// client does.
func TestStream_ClientLeaves(t *testing.T) {
	m := NewModel(Options{PerChunk: time.Hour})
	ended := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		m.ServeHTTP(w, r)
	}))
	defer s.Close()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	c := sdk(s.URL)
	stream := c.Chat.Completions.NewStreaming(ctx, chatParams("", returnsQuestion))
	for range 2 { // the role, and the first word
		if !stream.Next() {
			t.Fatalf("the stream ended early: %v", stream.Err())
		}
	}
	leave()
	<-ended
}
