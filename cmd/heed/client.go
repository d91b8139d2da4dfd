package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"heed/configs"
)

// adminClient calls the admin API of a running Heed.
type adminClient struct {
	base  string
	token string
	http  *http.Client
}

// adminTokenFile is where the first start leaves the admin token, below
// store.path.
const adminTokenFile = "admin-token"

// maxAPIBytes bounds one answer of the admin API.
const maxAPIBytes = 64 << 20

// newAdminClient finds admin by the configuration: its listen address, and the
// token from HEED_ADMIN_TOKEN, the token file, or the file's first owner.
func newAdminClient(e *env) (*adminClient, error) {
	c, err := e.load()
	if err != nil {
		return nil, err
	}
	token := os.Getenv("HEED_ADMIN_TOKEN")
	if token == "" && len(c.Admin.Tokens) > 0 {
		token = c.Admin.Tokens[0].Token.Reveal()
	}
	if token == "" {
		b, err := os.ReadFile(filepath.Join(c.Store.Path, adminTokenFile))
		if err != nil {
			return nil, fmt.Errorf("no admin token: set HEED_ADMIN_TOKEN, or run where store.path is (%w)", err)
		}
		token = strings.TrimSpace(string(b))
	}
	return &adminClient{base: "http://" + reachable(c.Admin.Listen), token: token, http: &http.Client{Timeout: time.Minute}}, nil
}

// reachable turns a listen address into one to dial.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// call sends one request; in and out are JSON, nil for none.
func (c *adminClient) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	u := c.base + "/api/v1/" + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("is Heed running? %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAPIBytes))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return apiError(resp.StatusCode, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// apiError reads the OpenAI-shaped error of a refused call.
func apiError(status int, body []byte) error {
	var e struct {
		Error struct{ Message string }
	}
	if json.Unmarshal(body, &e) == nil && e.Error.Message != "" {
		return errors.New(e.Error.Message)
	}
	return fmt.Errorf("admin answered status %d", status)
}

// page is a list's answer.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// each walks all pages of a list.
func each[T any](ctx context.Context, c *adminClient, path string, query url.Values, do func(T) error) error {
	q := url.Values{}
	for k, v := range query {
		q[k] = v
	}
	for {
		var p page[T]
		if err := c.call(ctx, http.MethodGet, path, q, nil, &p); err != nil {
			return err
		}
		for _, item := range p.Items {
			if err := do(item); err != nil {
				return err
			}
		}
		if p.Next == "" {
			return nil
		}
		q.Set("after", p.Next)
	}
}

// appOr is the app that a command on the store itself is about: the named one,
// else the only one of the configuration, which is "default" when it names none.
func appOr(c *configs.Config, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	names := []string{}
	for n := range c.Apps.All() {
		names = append(names, n)
	}
	switch len(names) {
	case 0:
		return "default", nil
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("which app? say --app NAME; there are: %s", strings.Join(names, ", "))
}

// appQuery is the query with ?app= where one is given.
func appQuery(app string) url.Values {
	q := url.Values{}
	if app != "" {
		q.Set("app", app)
	}
	return q
}
