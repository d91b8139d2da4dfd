package gateway

import (
	"bytes"
	"mime/multipart"
	"strings"
	"testing"
)

// TestGateway_AllowedModels: a key that may use some models gets no other one, also
// where Heed reads a request otherwise than the upstream might, or does not read it.
func TestGateway_AllowedModels(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) {
		o.Apps[0].Models, o.Limits.Body = []string{"support", "plain"}, 64<<10
	})
	const said = `"messages":[{"role":"user","content":"x"}]`
	dear := `{"model":"dear",` + said + `}`
	big := strings.Repeat("x", 64<<10)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	_ = w.WriteField("model", "dear")
	_ = w.Close()
	chat := "/v1/chat/completions"
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{chat, `{"model":"support",` + said + `}`, 200},
		{chat, `{"model":"plain",` + said + `}`, 200},
		{"/openai/deployments/support/chat/completions?api-version=1", `{"model":"dear",` + said + `}`, 200}, // is replaced
		{"/v1/audio/speech", `{"model":"plain","input":"x"}`, 200},
		{"/v1/files", "anything", 200}, {"/v1/responses/r_1/cancel", "", 200}, {"/v1/moderations", "{}", 200},

		{chat, dear, 404},
		{"/v1/embeddings", `{"model":"dear","input":"x"}`, 404},
		{"/openai/deployments/dear/chat/completions?api-version=1", `{` + said + `}`, 404},
		{chat, `{"model":"dear",` + said + `,"deep":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, 403},
		{chat, "\xef\xbb\xbf" + dear, 403},
		{chat, dear + " trailing", 403},
		{chat, dear + "\x00", 403},
		{chat, `{"model":"dear",/**/` + said + `}`, 403},
		{chat, `{"temperature":NaN,"model":"dear",` + said + `}`, 403},
		{chat, `{"model":"dear",` + said + `,"model":"support"}`, 403},
		{chat, `{"model":"support",` + said + `,"MODEL":"dear"}`, 403},
		{chat, `{"model":["dear"],` + said + `}`, 403},
		{chat, `{` + said + `}`, 403},
		{chat, "", 403},
		{chat, `{"model":"dear","messages":[{"role":"user","content":"` + big + `"}]}`, 403},
		{"/openai/deployments/support/chat/completions?api-version=1", "\xef\xbb\xbf" + dear, 403},
		{"/v1/images/generations", `{"model":"dear"}`, 404},
		{"/openai/deployments/support/images/generations?api-version=1", `{"model":"dear"}`, 404},
		{"/v1/audio/transcriptions", form.String(), 403},
		{"/v1/batches", `{"input_file_id":"f","endpoint":"/v1/chat/completions"}`, 403},
		{"/v1/unknown", `{"model":"plain","Model":"dear"}`, 403},
	} {
		before := len(e.up.requests())
		r := e.post(c.path, c.body)
		got := readAll(t, r)
		if r.StatusCode != c.status {
			t.Errorf("%s %.80q: %d %s, want %d", c.path, c.body, r.StatusCode, got, c.status)
		}
		reqs := e.up.requests()[before:]
		if sent := len(reqs); (sent == 1) != (c.status == 200) {
			t.Errorf("%s %.80q: %d upstream requests", c.path, c.body, sent)
		}
		for _, u := range reqs {
			if bytes.Contains(u.body, []byte("dear")) {
				t.Errorf("%s: the upstream got %s", c.path, u.body)
			}
		}
	}
	if r := e.do("GET", "/v1/files/f_1", ""); r.StatusCode != 200 {
		t.Errorf("GET: %d", r.StatusCode)
	}
}

// TestGateway_AllowedDeployments: at an Azure upstream the path names the model,
// also of what is passed on unread.
func TestGateway_AllowedDeployments(t *testing.T) {
	e := start(t, answerJSON("{}"), func(o *Options) {
		o.Upstreams[0].Kind = Azure
		o.Apps[0].Models = []string{"support", "voice"}
	})
	for path, want := range map[string]int{
		"/openai/deployments/voice/audio/transcriptions?api-version=1": 200,
		"/openai/deployments/dear/audio/transcriptions?api-version=1":  404,
	} {
		if r := e.post(path, "--x\r\nno JSON", "Content-Type", "multipart/form-data; boundary=x"); r.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", path, r.StatusCode, readAll(t, r), want)
		}
	}
}
