package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"

	"heed/configs"
	"heed/internal/simulate"
)

// demoCmd is `heed demo`: everything in one process, with the simulated model or
// in front of a real endpoint.
type demoCmd struct {
	Once     bool   `help:"Play the loop without a browser, print what happened, exit 0 only if something was learned."`
	Upstream string `help:"A real OpenAI-compatible endpoint instead of the simulated model." placeholder:"URL"`
	APIKey   string `help:"Key for --upstream." env:"OPENAI_API_KEY" placeholder:"KEY"`
	Model    string `help:"Model name for --upstream." default:"gpt-4o-mini"`
	Seed     uint64 `help:"Seed of the simulation." default:"1"`
	Listen   string `help:"Address of the demo page." default:"127.0.0.1:8082"`
	Gateway  string `help:"Address of the gateway." default:"127.0.0.1:8080"`
	Admin    string `help:"Address of admin." default:"127.0.0.1:8081"`
	Data     string `help:"Data folder; default: a temporary one that goes when the demo ends." placeholder:"DIR"`
	Verbose  bool   `short:"v" help:"Log what the parts do."`
}

// demoKey is the app key of the demo's agent. The demo listens on loopback only.
const demoKey = "heed-demo-key"

// demoAlias is the model name that the demo's agent asks for.
const demoAlias = "support"

// demo is a running demo: the parts and what the script needs of them.
type demo struct {
	stack    *stack
	scene    simulate.Scene
	model    *simulate.Model // nil with --upstream
	upstream string          // name of the model behind, for people
	bare     string          // a model name that no alias changes
	data     string
	ends     []func() // in the order of starting
}

// Run starts everything and plays the script, or waits for Ctrl-C.
func (cmd demoCmd) Run(e *env) error {
	d, stop, err := cmd.start(e)
	if err != nil {
		return err
	}
	defer stop()
	if cmd.Once {
		return d.once(e)
	}
	return cmd.serve(e, d)
}

// start brings up the model and Heed, on free ports for --once.
func (cmd demoCmd) start(e *env) (*demo, func(), error) {
	d := &demo{scene: simulate.Scenario(), data: cmd.Data}
	if err := cmd.bringUp(e, d); err != nil {
		d.stop()
		return nil, nil, err
	}
	return d, d.stop, nil
}

func (d *demo) stop() {
	for i := len(d.ends) - 1; i >= 0; i-- {
		d.ends[i]()
	}
}

func (cmd demoCmd) bringUp(e *env, d *demo) (err error) {
	if d.data == "" {
		if d.data, err = os.MkdirTemp("", "heed-demo-"); err != nil {
			return err
		}
		d.ends = append(d.ends, func() { _ = os.RemoveAll(d.data) })
	}
	if cmd.Once {
		cmd.Gateway, cmd.Admin = "127.0.0.1:0", "127.0.0.1:0"
	}
	conf, stopModel, err := cmd.configuration(d)
	if err != nil {
		return err
	}
	d.ends = append(d.ends, stopModel)
	log := slog.New(slog.DiscardHandler)
	if cmd.Verbose {
		log = slog.New(slog.NewTextHandler(e.errs, nil))
	}
	d.stack, err = startStack(e.ctx, conf, stackOptions{log: log})
	if err != nil {
		return cmd.flagFor(err)
	}
	d.ends = append(d.ends, d.stack.stop)
	return nil
}

// flagFor names the flag instead of the key of the configuration that the demo
// wrote itself.
func (demoCmd) flagFor(err error) error {
	var busy *listenError
	if !errors.As(err, &busy) {
		return err
	}
	part, _, _ := strings.Cut(busy.key, ".")
	return fmt.Errorf("%s: %w (another address with --%s helps)", part, busy.err, part)
}

// configuration writes the demo's heed.yaml: a shop's app with one key, and an
// alias with two targets whose skill differs, so that thumbs can move a route.
func (cmd demoCmd) configuration(d *demo) (*configs.Config, func(), error) {
	stop := func() {}
	base, key, models := cmd.Upstream, cmd.APIKey, []string{cmd.Model}
	d.upstream, d.bare = cmd.Model+" at "+cmd.Upstream, cmd.Model
	if cmd.Upstream == "" {
		d.model = simulate.NewModel(simulate.Options{
			Seed:   cmd.Seed,
			Models: []string{"gpt-4o", "gpt-4o-mini"},
			Skills: map[string]map[string]float64{"gpt-4o-mini": {"*": .85}, "gpt-4o": {"*": .98}},
		})
		var err error
		if base, stop, err = simulate.Listen("127.0.0.1:0", d.model); err != nil {
			return nil, nil, err
		}
		base, key, models = strings.TrimSuffix(base, "/v1")+"/v1", "sk-simulated", []string{"gpt-4o-mini", "gpt-4o"}
		d.upstream, d.bare = "a simulated model (not a language model)", "gpt-4o-mini"
	}
	if _, err := url.ParseRequestURI(base); err != nil {
		return nil, nil, fmt.Errorf("--upstream: %w", err)
	}
	var targets []string
	for _, m := range models {
		targets = append(targets, fmt.Sprintf("{upstream: main, model: %q}", m))
	}
	text := fmt.Sprintf(`gateway: {listen: %q}
admin: {listen: %q}
store: {path: %q}
upstreams:
  main: {base_url: %q, api_key: %q}
models:
  %s: {targets: [%s]}
apps:
  shop: {keys: [%s], allowed_origins: [%q], holdout: 0}
`, cmd.Gateway, cmd.Admin, d.data, base, key, demoAlias, strings.Join(targets, ", "), demoKey, "http://"+cmd.Listen)
	c, err := configs.Parse([]byte(text), os.LookupEnv)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return c, stop, nil
}

// serve shows the page until Ctrl-C.
func (cmd demoCmd) serve(e *env, d *demo) error {
	ln, err := net.Listen("tcp", cmd.Listen)
	if err != nil {
		return fmt.Errorf("demo page: %w (another address with --listen helps)", err)
	}
	page, err := newDemoPage(d, "http://"+ln.Addr().String())
	if err != nil {
		return err
	}
	if err := d.seed(e.ctx); err != nil {
		return err
	}
	cmd.announce(e.out, d, "http://"+ln.Addr().String())
	return page.serve(e.ctx, ln)
}

// seed asks what the shop's customers ask on an ordinary day, so that a first card
// can say what it would touch. With a real endpoint that would cost money, so
// the log starts empty there.
func (d *demo) seed(ctx context.Context) error {
	if d.model == nil {
		return nil
	}
	p := newScript(d, io.Discard)
	p.logged = append(p.logged, p.scene.Train...)
	return p.traffic(ctx)
}

// announce prints the addresses and what to paste.
func (cmd demoCmd) announce(out io.Writer, d *demo, page string) {
	about := ""
	if d.model != nil {
		about = "The log starts with a day of simulated customers' questions, so that a card can say what it would touch.\n"
	}
	fmt.Fprintf(out, `Heed demo, in front of %s. Rules run without a holdout here, so that every answer shows them.

  chat and inbox   %s
  gateway          %s/v1     (app key %s)
  admin            %s/     (token %s)

Any OpenAI client works; paste one:

  curl -i %s/v1/chat/completions -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \
    -d '{"model": "%s", "messages": [{"role": "user", "content": "How do I return my shoes?"}]}'

  client := openai.NewClient(option.WithBaseURL("%s/v1"), option.WithAPIKey("%s"))   // Go; Node and Python alike

%sCtrl-C ends it.
`, d.upstream, page, d.stack.gatewayURL, demoKey, d.stack.adminURL, d.stack.token, d.stack.gatewayURL, demoKey, demoAlias, d.stack.gatewayURL, demoKey, about)
}
