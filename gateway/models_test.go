package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"heed/rules"
)

// TestGateway_Models_StaleConnection: the connection that fetched the list of models
// is looked at before it serves a call, like any other: if the upstream closed it
// meanwhile the call goes on a new one.
func TestGateway_Models_StaleConnection(t *testing.T) {
	closed := make(chan struct{}, 1)
	e := start(t, func(c net.Conn, r *http.Request, b []byte) bool {
		if r.Method == "GET" {
			answerJSON(`{"object":"list","data":[]}`)(c, r, b)
			_ = c.Close()
			closed <- struct{}{}
			return false
		}
		return answerJSON(chatAnswer)(c, r, b)
	})
	readAll(t, e.do("GET", "/v1/models", ""))
	<-closed
	if r := e.post("/v1/chat/completions", hello); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, readAll(t, r))
	}
}

// TestGateway_Models_Endless: an upstream's list is read up to a limit, however long
// it says that it is; the aliases are listed all the same.
func TestGateway_Models_Endless(t *testing.T) {
	for _, head := range []string{"Transfer-Encoding: chunked", fmt.Sprintf("Content-Length: %d", int64(1)<<40)} {
		sent := make(chan int, 10)
		e := start(t, func(c net.Conn, _ *http.Request, _ []byte) bool {
			total := 0
			defer func() { sent <- total }()
			piece := strings.Repeat("x", 64<<10)
			if strings.HasPrefix(head, "Transfer") {
				piece = chunk(piece)
			}
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n"+head+"\r\n\r\n{\"data\":[")
			for err == nil && total < 64<<20 {
				var n int
				n, err = io.WriteString(c, piece)
				total += n
			}
			return false
		})
		if got := readAll(t, e.do("GET", "/v1/models", "")); !strings.Contains(got, `"support"`) {
			t.Errorf("%s: %s", head, got)
		}
		for range e.up.requests() {
			if n := <-sent; n >= 64<<20 {
				t.Errorf("%s: %d bytes were read", head, n)
			}
		}
	}
}

// TestGateway_Models_AtOnce: upstreams are asked for their models at once, not one
// after the other.
func TestGateway_Models_AtOnce(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	list := func(id string) upstreamScript {
		return func(c net.Conn, r *http.Request, b []byte) bool {
			both.Done()
			both.Wait() // for the other one to be asked
			return answerJSON(`{"object":"list","data":[{"id":"`+id+`"}]}`)(c, r, b)
		}
	}
	other := newFakeUpstream(t, list("m-2"))
	e := start(t, list("m-1"), func(o *Options) {
		o.Upstreams = append(o.Upstreams, Upstream{Name: "other", BaseURL: other.url(), APIKey: "sk-other"})
	})
	got := readAll(t, e.do("GET", "/v1/models", ""))
	if one, two := strings.Index(got, "m-1"), strings.Index(got, "m-2"); one < 0 || two < one {
		t.Errorf("models %s, want those of both, in the order of the upstreams", got)
	}
}

// TestGateway_Models_Slashes: clients encode the slashes of a model's name; it is
// found under both spellings, and passed on as it was spelled.
func TestGateway_Models_Slashes(t *testing.T) {
	e := start(t, answerJSON("{}"), func(o *Options) {
		o.Aliases = append(o.Aliases, Alias{Name: "acme/best bot", Targets: []rules.Share{{Upstream: "main", Model: "m", Weight: 1}}})
	})
	for path, alias := range map[string]bool{
		"/v1/models/acme%2Fbest%20bot": true, "/v1/models/acme/best%20bot": true,
		"/v1/models/org%2Fmodel": false, "/v1/models/org/model": false, "/v1/models/org%2fmodel?x=%2F": false,
		"/openai/v1/models/org%2Fmodel": false,
	} {
		before := len(e.up.requests())
		r := e.do("GET", path, "")
		got := readAll(t, r)
		reqs := e.up.requests()[before:]
		switch {
		case alias && (!strings.Contains(got, `"id":"acme/best bot"`) || len(reqs) != 0):
			t.Errorf("%s: %d %s", path, r.StatusCode, got)
		case !alias && (len(reqs) != 1 || reqs[0].uri != strings.TrimPrefix(path, "/openai")):
			t.Errorf("%s: %d %s; upstream got %v", path, r.StatusCode, got, reqs)
		}
	}
	for _, path := range []string{"/v1/models%2Fx", "/v1/chat%2Fcompletions", "/v1/models/..%2Fx", "/v1/models/a%2F..%2Fx", "/v1/models/%2e%2e", "/v1/models/a%5Cb", "/v1/models/a%00"} {
		if r := e.do("GET", path, ""); r.StatusCode != 400 {
			t.Errorf("%s: %d, want 400", path, r.StatusCode)
		}
	}
	r := e.post("/openai/deployments/acme%2Fbest%20bot/chat/completions?api-version=1", `{"messages":[{"role":"user","content":"x"}]}`)
	readAll(t, r)
	if got := r.Header.Get("Heed-Target"); got != "main/m" {
		t.Errorf("deployment with a slash: %d, target %q", r.StatusCode, got)
	}
}
