package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"heed/internal/simulate"
	"heed/store"
)

// asProgram makes the test binary run as heed itself, so that tests can start,
// kill and restart the real program without building it again.
const asProgram = "HEED_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(asHeed())
	}
	os.Exit(m.Run())
}

// testWait bounds every wait for the program in these tests; it is generous
// because CI machines are slow, and never slept through.
const testWait = 60 * time.Second

// program is a running heed process.
type program struct {
	t       *testing.T
	cmd     *exec.Cmd
	gateway string // base URL
	admin   string
	token   string
	dir     string
	stderr  *syncBuffer
}

// syncBuffer is a bytes.Buffer that a process writes while a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// config writes a heed.yaml for the upstream into dir and returns its path.
// models is the YAML of the aliases, "" for none.
func config(t *testing.T, dir, upstream, models string) string {
	t.Helper()
	text := fmt.Sprintf(`gateway: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
store: {path: %q}
upstreams:
  main: {base_url: %q, api_key: sk-upstream-canary}
apps:
  shop: {keys: [heed-key-1], allowed_origins: ["https://shop.example"], holdout: 0}
%s`, filepath.Join(dir, "data"), upstream, models)
	path := filepath.Join(dir, "heed.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs `heed serve` and waits until it listens.
func start(t *testing.T, conf string) *program {
	t.Helper()
	p := startPart(t, conf, "serve", func(p *program) bool { return p.admin != "" })
	b, err := os.ReadFile(filepath.Join(p.dir, "data", adminTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	p.token = strings.TrimSpace(string(b))
	return p
}

// startPart runs one of heed's commands and waits until it printed what ready
// wants to see.
func startPart(t *testing.T, conf, command string, ready func(*program) bool) *program {
	t.Helper()
	p := &program{t: t, dir: filepath.Dir(conf), stderr: &syncBuffer{}}
	p.cmd = exec.Command(os.Args[0], "--config", conf, command)
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _, _ = p.cmd.Process.Wait() })
	lines := make(chan string)
	go func() { // ends with the process's output
		defer close(lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			lines <- sc.Text()
		}
	}()
	deadline := time.After(testWait)
	for !ready(p) {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("heed ended: %s", p.stderr)
			}
			p.read(line)
		case <-deadline:
			t.Fatalf("heed did not start: %s", p.stderr)
		}
	}
	go func() { // drains what else is printed
		for range lines {
		}
	}()
	return p
}

func (p *program) read(line string) {
	fields := strings.Fields(line)
	switch {
	case strings.HasPrefix(line, "gateway "):
		p.gateway = strings.TrimSuffix(fields[1], "/v1")
	case strings.HasPrefix(line, "admin "):
		p.admin = strings.TrimSuffix(fields[1], "/")
	case strings.HasPrefix(line, "metrics "): // of a part without admin
		p.admin = strings.TrimSuffix(fields[1], "/metrics")
	}
}

// kill ends the process as kill -9 does.
func (p *program) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	_, _ = p.cmd.Process.Wait()
}

// terminate ends the process as a service manager does and returns its exit code.
func (p *program) terminate() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) api() *adminClient {
	return &adminClient{base: p.admin, token: p.token, http: &http.Client{Timeout: testWait}}
}

// sdk is the official client of an agent that repointed its base URL.
func (p *program) sdk() openai.Client {
	return openai.NewClient(option.WithBaseURL(p.gateway+"/v1"), option.WithAPIKey("heed-key-1"), option.WithMaxRetries(0))
}

// reply is one answer with Heed's headers.
type reply struct {
	text   string
	header http.Header
}

// ask sends a question through the official SDK, streaming or not.
func (p *program) ask(model, system, question string, stream bool, opts ...option.RequestOption) reply {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	var raw *http.Response
	opts = append(opts, option.WithResponseInto(&raw))
	params := openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{
		openai.SystemMessage(system), openai.UserMessage(question)}}
	client := p.sdk()
	if !stream {
		c, err := client.Chat.Completions.New(ctx, params, opts...)
		if err != nil {
			p.t.Fatalf("ask %q: %v\n%s", question, err, p.stderr)
		}
		return reply{c.Choices[0].Message.Content, raw.Header}
	}
	var b strings.Builder
	s := client.Chat.Completions.NewStreaming(ctx, params, opts...)
	for s.Next() {
		if c := s.Current(); len(c.Choices) > 0 {
			b.WriteString(c.Choices[0].Delta.Content)
		}
	}
	if err := s.Err(); err != nil {
		p.t.Fatalf("ask %q streaming: %v\n%s", question, err, p.stderr)
	}
	return reply{b.String(), raw.Header}
}

// say posts feedback with the answer's token and returns status and body.
func (p *program) say(r reply, fields map[string]any) (int, map[string]any) {
	p.t.Helper()
	body := map[string]any{"token": r.header.Get("Heed-Feedback-Token")}
	for k, v := range fields {
		body[k] = v
	}
	b, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.Post(p.gateway+"/heed/feedback", "application/json", bytes.NewReader(b))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	text, _ := io.ReadAll(resp.Body)
	if err := json.Unmarshal(text, &out); err != nil {
		p.t.Fatalf("feedback answered %d %q", resp.StatusCode, text)
	}
	return resp.StatusCode, out
}

// eventually calls ok until it reports true; it polls over HTTP, so each turn
// awaits an answer of the program.
func (p *program) eventually(what string, ok func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(testWait)
	for !ok() {
		if time.Now().After(deadline) {
			p.t.Fatalf("%s did not happen within %s\n%s", what, testWait, p.stderr)
		}
		time.Sleep(20 * time.Millisecond) // between two looks from outside the process; no event crosses it
	}
}

// proposals lists the open proposals.
func (p *program) proposals() []store.Proposal {
	p.t.Helper()
	q := url.Values{"app": {"shop"}, "state": {"open"}}
	var out page[store.Proposal]
	if err := p.api().call(context.Background(), http.MethodGet, "proposals", q, nil, &out); err != nil {
		p.t.Fatal(err)
	}
	return out.Items
}

// approve approves a proposal as it stands.
func (p *program) approve(pr store.Proposal) {
	p.t.Helper()
	err := p.api().call(context.Background(), http.MethodPost, "proposals/"+pr.ID+"/approve", appQuery("shop"), map[string]any{"digest": pr.Digest()}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
}

// model starts a simulated model; OnRequest may be set in opt.
func model(t *testing.T, opt simulate.Options) (*simulate.Model, string) {
	t.Helper()
	m := simulate.NewModel(opt)
	u, stop, err := simulate.Listen("127.0.0.1:0", m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return m, strings.TrimSuffix(u, "/v1") + "/v1"
}

// session gives each conversation a unit of its own.
func session(i int) option.RequestOption {
	return option.WithHeader("Heed-Session", fmt.Sprint("conversation-", i))
}
