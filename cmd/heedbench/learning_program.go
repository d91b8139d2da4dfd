package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"heed/store"
)

const (
	agentPrompt = "You are a helpful assistant."
	learnKey    = "heed-bench-key"
	senders     = 8 // connections that send traffic at once
)

// program is a running heed, as its users see it: a gateway and an admin API.
type program struct {
	cmd     *exec.Cmd
	dir     string
	gateway string
	admin   string
	token   string
	direct  string // the model itself, for the baselines
	http    *http.Client
}

// program returns the heed to run, built when none is named.
func (c *learningCommand) program() (path string, remove func(), err error) {
	if c.Heed != "" {
		return c.Heed, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "heedbench-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	path = filepath.Join(dir, "heed")
	if out, err := exec.Command("go", "build", "-o", path, "heed/cmd/heed").CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("build heed: %w: %s (or name one with --heed)", err, out)
	}
	return path, remove, nil
}

// startProgram starts heed before an upstream; learn is the learner's section of its
// configuration, "" is the defaults.
func startProgram(bin, upstream, learn string) (*program, error) {
	dir, err := os.MkdirTemp("", "heedbench-")
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "heed.yaml")
	text := fmt.Sprintf("gateway: {listen: \"127.0.0.1:0\"}\nadmin: {listen: \"127.0.0.1:0\"}\nstore: {path: %q}\n"+
		"upstreams: {main: {base_url: %q, api_key: sk-simulated}}\napps: {bench: {keys: [%s], holdout: 0}}\nlearner: {%s}\n", filepath.Join(dir, "data"), upstream, learnKey, learn)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	p := &program{dir: dir, http: &http.Client{Timeout: benchWait, Transport: &http.Transport{MaxIdleConnsPerHost: 2 * senders}}}
	p.cmd = exec.Command(bin, "--config", conf, "serve")
	p.cmd.Stderr = io.Discard
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for p.admin == "" && lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) > 1 && f[0] == "gateway":
			p.gateway = strings.TrimSuffix(f[1], "/v1")
		case len(f) > 1 && f[0] == "admin":
			p.admin = strings.TrimSuffix(f[1], "/")
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "data", "admin-token"))
	if p.admin == "" || err != nil {
		p.stop()
		return nil, errors.Join(errors.New("heed did not start"), err)
	}
	p.token = strings.TrimSpace(string(b))
	return p, nil
}

func (p *program) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = os.RemoveAll(p.dir)
}

// reply is an answer and what Heed said about it.
type reply struct {
	text, token string
	touched     bool     // anything learned was in the prompt
	rules       []string // ids of the rules that were injected
	epoch       uint64
}

// ask sends a question as the agent does; logged ones are traffic.
func (p *program) ask(question string, logged bool) (reply, error) {
	return p.chat(p.gateway+"/v1", agentPrompt, question, logged, "")
}

// askAs is ask for a user that the agent names, so that feedback has an author.
func (p *program) askAs(user, question string) (reply, error) {
	return p.chat(p.gateway+"/v1", agentPrompt, question, true, user)
}

func (p *program) askDirect(system, question string) (reply, error) {
	return p.chat(p.direct, system, question, false, "")
}

func (p *program) chat(base, system, question string, logged bool, user string) (reply, error) {
	body, err := json.Marshal(map[string]any{"model": "gpt-4o", "messages": []map[string]string{
		{"role": "system", "content": system}, {"role": "user", "content": question}}})
	if err != nil {
		return reply{}, err
	}
	req, err := http.NewRequest(http.MethodPost, base+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+learnKey)
	if !logged {
		req.Header.Set("Heed-Log", "off")
	}
	if user != "" {
		req.Header.Set("Heed-User", user)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	var out struct {
		Choices []struct{ Message struct{ Content string } }
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	if err := json.Unmarshal(b, &out); err != nil || len(out.Choices) == 0 {
		return reply{}, fmt.Errorf("chat answered %d %.200s", resp.StatusCode, b)
	}
	r := reply{text: out.Choices[0].Message.Content, token: resp.Header.Get("Heed-Feedback-Token")}
	for _, f := range strings.FieldsFunc(resp.Header.Get("Heed-Rules"), func(c rune) bool { return c == ',' || c == ' ' }) {
		id, _, _ := strings.Cut(f, "@")
		r.rules, r.touched = append(r.rules, id), true
	}
	_, _ = fmt.Sscanf(resp.Header.Get("Heed-Ruleset"), "%d:", &r.epoch)
	return r, nil
}

// send sends logged traffic over several connections.
func (p *program) send(texts []string) error {
	work, errs := make(chan string), make(chan error, senders)
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for t := range work {
				if _, err := p.ask(t, true); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for _, t := range texts {
		work <- t
	}
	close(work)
	all.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// say posts feedback with the answer's token and returns its id.
func (p *program) say(a reply, rating float64, comment, when, correction string) (string, error) {
	body := map[string]any{"token": a.token, "rating": rating}
	for k, v := range map[string]string{"comment": comment, "applies_when": when, "correction": correction} {
		if v != "" {
			body[k] = v
		}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	resp, err := p.http.Post(p.gateway+"/heed/feedback", "application/json", bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var made struct{ ID string }
	if resp.StatusCode != http.StatusCreated || json.Unmarshal(text, &made) != nil {
		return "", fmt.Errorf("feedback: %d %.200s", resp.StatusCode, text)
	}
	return made.ID, nil
}

// errStale is the answer to who decides on what changed since it was shown.
var errStale = errors.New("the proposal changed since it was shown")

// api calls the admin API.
func (p *program) api(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	if query == nil {
		query = url.Values{}
	}
	query.Set("app", "bench")
	req, err := http.NewRequestWithContext(ctx, method, p.admin+"/api/v1/"+path+"?"+query.Encode(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusConflict && (bytes.Contains(b, []byte(`"code":"stale"`)) || bytes.Contains(b, []byte(`"code":"contradicts"`))) {
		return fmt.Errorf("%s %s: %w", method, path, errStale)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %.300s", method, path, resp.StatusCode, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// list reads all items of a list of the admin API.
func list[T any](p *program, path string, query url.Values) ([]T, error) {
	ctx, cancel := limited()
	defer cancel()
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", "500")
	var out []T
	for {
		var page struct {
			Items []T
			Next  string
		}
		if err := p.api(ctx, http.MethodGet, path, query, nil, &page); err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if page.Next == "" {
			return out, nil
		}
		query.Set("after", page.Next)
	}
}

// until looks from outside until ok reports true; no event crosses the process.
func until(ok func() (bool, error)) error {
	for end := time.Now().Add(benchWait); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done, err := ok(); done || err != nil {
			return err
		}
	}
	return errNotInTime
}

// handled waits until the learner has linked every record of feedback.
func (p *program) handled() error {
	return until(func() (bool, error) {
		fs, err := list[store.Feedback](p, "feedback", nil)
		for i := range fs {
			if fs[i].Link == nil {
				return false, err
			}
		}
		return true, err
	})
}
