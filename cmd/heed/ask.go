package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"heed/admin"
	"heed/configs"
	"heed/store"
	"heed/wire"
)

// Limits of asking again for a comparison.
const (
	askTimeout = 2 * time.Minute
	maxAsked   = 4 << 20 // bytes of an answer
)

// cannotAsk is an error that people are shown.
func cannotAsk(message string) error {
	return &admin.Error{Status: http.StatusConflict, Code: "cannot_ask", Message: message}
}

// ask sends a logged request again through this process's gateway with block in
// place of what was injected, "" for none, and returns the answer's text. It is
// not logged, and the gateway adds no rules of its own; it counts against the
// app's limits.
func (s *stack) ask(ctx context.Context, x *store.Exchange, block string) (string, error) {
	select {
	case <-s.gatewayUp:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	body, err := s.patched(x, block)
	if err != nil {
		return "", err
	}
	key, err := plainKey(s.now.Load(), x.App)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+reachable(strings.TrimPrefix(s.gatewayURL, "http://"))+x.Path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Heed-Rules", "off")
	req.Header.Set("Heed-Log", "off")
	if key != "" {
		req.Header.Set("Heed-Key", key)
	}
	if x.API == wire.Messages {
		req.Header.Set("Anthropic-Version", "2023-06-01") // required by the API; the only version there is
	}
	return answerText(x, req)
}

// patched is the logged request with block in it.
func (s *stack) patched(x *store.Exchange, block string) ([]byte, error) {
	switch {
	case x.API == wire.Other || x.API == wire.Embeddings:
		return nil, cannotAsk("this kind of request has no answer to compare")
	case len(x.Request) == 0 || x.RequestBytes > int64(len(x.Request)):
		return nil, cannotAsk("the request is not in the log as a whole: the app keeps no bodies, or it was too large")
	}
	req, err := wire.Parse(x.API, x.Request)
	if err != nil {
		return nil, cannotAsk("the logged request cannot be sent again: " + err.Error())
	}
	p := wire.Patch{Block: block}
	if u, ok := s.now.Load().Upstreams.Lookup(x.Decision.Target.Upstream); ok {
		p.Placement = placements[u.Placement]
	}
	return req.Patch(nil, x.Request, p)
}

// plainKey is a key of the app that can be sent; "" when the app needs none.
func plainKey(c *configs.Config, app string) (string, error) {
	a, ok := c.Apps.Lookup(app)
	if !ok || len(a.Keys) == 0 {
		return "", nil
	}
	for _, k := range a.Keys {
		if !strings.HasPrefix(k.Reveal(), "sha256:") {
			return k.Reveal(), nil
		}
	}
	return "", cannotAsk("comparing needs a key of the app, and the configuration has only hashes of keys: add a plain one to apps." + app + ".keys, such as ${file:PATH}")
}

// answerText sends the request and reads the text of the answer.
func answerText(x *store.Exchange, req *http.Request) (string, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", cannotAsk(fmt.Sprintf("the upstream answered status %d", resp.StatusCode))
	}
	tap := wire.NewTap(x.API, strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"), maxAsked)
	if _, err := io.Copy(tap, io.LimitReader(resp.Body, maxAsked)); err != nil {
		return "", err
	}
	a := tap.Answer()
	if a.Error != "" || !a.Complete {
		return "", errors.New("the answer broke off")
	}
	return a.Text, nil
}
