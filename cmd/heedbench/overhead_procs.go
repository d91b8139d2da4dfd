package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"heed/gateway"
	"heed/rules"
	"heed/store"
	"heed/store/sqlite"
)

const benchKey = "heed-bench-key"

// benchCalls is how many calls may be in flight: twice the default, so that there
// is room for one more beside 10,000 idle streams.
const benchCalls = 20_000

// child is a process of this program in one role. It writes its address as its
// first line and ends when its standard input does.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
	dir  string // of nginx: it ends on a signal, and its folder goes
}

func startChild(args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self, append([]string{"overhead"}, args...)...)}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := c.out.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("child %v said no address: %w", args, err), c.cmd.Wait())
	}
	c.addr = strings.TrimSpace(line)
	return c, nil
}

// stop ends the child and returns what it said last.
func (c *child) stop() ([]byte, error) {
	if c.dir != "" {
		defer os.RemoveAll(c.dir)
		_ = c.cmd.Process.Kill() // nothing of it is kept
		_ = c.cmd.Wait()
		return nil, nil
	}
	_ = c.in.Close()
	said, _ := io.ReadAll(c.out)
	return said, c.cmd.Wait()
}

// cpu is the child's user and system time so far, in clock ticks of 10 ms.
func (c *child) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("CPU time of the child: %w", err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, errors.New("CPU time of the child: odd /proc/PID/stat")
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// rss is the child's resident memory in MB, 0 where it cannot be read.
func (c *child) rss() float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	kb, _ := strconv.ParseFloat(f[0], 64)
	return kb / 1024
}

// child runs this process in its role until standard input ends.
func (c *overheadCommand) child() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	switch c.Role {
	case "upstream":
		return serveHTTP(ln, instant(c.Stream))
	case "silent":
		return serveSilent(ln)
	case "floor":
		return serveHTTP(ln, floor(c.Target))
	case "heed":
		return c.heed(ln)
	}
	return fmt.Errorf("overhead: role %q", c.Role)
}

func serveHTTP(ln net.Listener, h fasthttp.RequestHandler) error {
	s := &fasthttp.Server{Handler: h, NoDefaultServerHeader: true}
	go func() { _ = s.Serve(ln) }() // until the process ends
	fmt.Println(ln.Addr())
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// instant answers at once: one short answer, or a stream of 50 chunks.
func instant(stream bool) fasthttp.RequestHandler {
	answer := []byte(`{"id":"chatcmpl-b","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"Take one size up: these boots run small, and you can send them back within 30 days."},"finish_reason":"stop"}],"usage":{"prompt_tokens":220,"completion_tokens":20,"total_tokens":240}}`)
	return func(ctx *fasthttp.RequestCtx) {
		if !stream {
			ctx.SetContentType("application/json")
			ctx.SetBody(answer)
			return
		}
		ctx.SetContentType("text/event-stream")
		ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
			for i := range 50 {
				fmt.Fprintf(w, "data: {\"id\":\"chatcmpl-b\",\"object\":\"chat.completion.chunk\",\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word%d \"},\"finish_reason\":null}]}\n\n", i)
				if w.Flush() != nil {
					return
				}
			}
			fmt.Fprint(w, "data: {\"id\":\"chatcmpl-b\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
		})
	}
}

// floor is a reverse proxy of a few lines: what nobody can do without.
func floor(target string) fasthttp.RequestHandler {
	hc := &fasthttp.HostClient{Addr: target, MaxConns: 2048, StreamResponseBody: true}
	return func(ctx *fasthttp.RequestCtx) {
		req := &ctx.Request
		req.Header.Del("Connection")
		req.SetHost(target)
		if err := hc.Do(req, &ctx.Response); err != nil {
			ctx.Error("bad gateway", fasthttp.StatusBadGateway)
		}
		ctx.Response.Header.Del("Connection")
	}
}

// heed runs a gateway with everything on: every exchange logged to SQLite, rules
// matched and injected, tokens signed.
func (c *overheadCommand) heed(ln net.Listener) (err error) {
	dir, err := os.MkdirTemp("", "heedbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	set := &rules.Set{App: "bench", Rules: benchRules(c.Active)}
	if _, err := s.Publish(ctx, "bench", 0, set, store.Audit{App: "bench", Time: time.Now(), Actor: "heedbench", Action: "publish"}); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	g, err := gateway.New(gateway.Options{
		Upstreams: []gateway.Upstream{{Name: "main", BaseURL: "http://" + c.Target + "/v1", APIKey: "sk-bench", MaxConns: benchCalls}},
		Aliases:   []gateway.Alias{{Name: "support", Targets: []rules.Share{{Upstream: "main", Model: "bench", Weight: 1}}}},
		Apps:      []gateway.App{{Name: "bench", Keys: []gateway.Secret{benchKey}}},
		Limits:    gateway.Limits{InFlight: benchCalls},
		Store:     s, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	go func() { _ = g.Serve(ln) }() // until Shutdown
	if c.Profile != "" {
		f, err := os.Create(c.Profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Println(ln.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	within, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err = g.Shutdown(within)
	_ = json.NewEncoder(os.Stdout).Encode(map[string]int64{"written": g.Written(), "dropped": g.Dropped()})
	return err
}

// benchRules are n rules: one that applies always, one whose scope every question
// of the load is in, the others about topics that none is about.
func benchRules(n int) []rules.Rule {
	var rs []rules.Rule
	add := func(i int, action, when string, examples ...string) {
		rs = append(rs, rules.Rule{
			ID: fmt.Sprintf("r_bench%c%c%c%c%s", 'a'+i/17576%26, 'a'+i/676%26, 'a'+i/26%26, 'a'+i%26, "aaaaaaaaaaaaaaaaa"), Version: 1, App: "bench", State: rules.Active,
			Action: action, Scope: rules.Scope{AppliesWhen: when, Examples: examples, Always: when == ""},
		})
	}
	add(0, "Mention that boots can be sent back within 30 days.", "")
	add(1, "Tell them to take one size up.", "someone asks which shoe size to take",
		"Hi, which shoe size do I need for the brown winter boots, order 1?", "which shoe size should I take for red rain boots",
		"Please, which shoe size fits for the black hiking boots?", "which shoe size would you take for the blue ankle boots")
	nouns := strings.Fields("invoice refund voucher courier warranty password newsletter account delivery gift exchange colour repair leather strap lace sole heel polish waterproof")
	for i := 2; i < n; i++ {
		a, b := nouns[i%len(nouns)], nouns[(i/len(nouns))%len(nouns)]
		add(i, fmt.Sprintf("Point to page %d of the handbook.", i), fmt.Sprintf("someone writes about the %s of a %s, case %d", a, b, i),
			fmt.Sprintf("my %s for the %s number %d is missing", a, b, i))
	}
	return rs
}
