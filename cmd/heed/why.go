package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"heed/configs"
	"heed/rules"
	"heed/store"
	"heed/wire"
)

// whyCmd is `heed why EXCHANGE`.
type whyCmd struct {
	App      string `help:"The app; default: the only one." placeholder:"NAME"`
	Exchange string `arg:"" help:"Heed-Exchange-Id of an answer."`
}

// Run prints what admin knows of the exchange, as JSON.
func (cmd whyCmd) Run(e *env) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	var v json.RawMessage
	if err := c.call(e.ctx, http.MethodGet, "why/"+url.PathEscape(cmd.Exchange), appQuery(cmd.App), nil, &v); err != nil {
		return err
	}
	return printJSON(e, v)
}

// block is the text that was injected into a logged request: rendered again from
// the set that its row names.
func (s *stack) block(ctx context.Context, x *store.Exchange) (string, error) {
	if len(x.Decision.Applied()) == 0 {
		return "", nil
	}
	set, err := s.store.Set(ctx, x.App, x.Head.Hash)
	if err != nil {
		return "", err
	}
	return rules.RenderSet(set, &x.Decision), nil
}

// viewMessages is the request of an exchange as messages.
func viewMessages(x *store.Exchange) []wire.Message { return wire.View(x.API, x.Request, nil).Messages }

// replayCmd is `heed replay`.
type replayCmd struct {
	App      string   `help:"The app; default: the only one there is."`
	Limit    int      `help:"How many of the newest exchanges." default:"1000"`
	MaxShare *float64 `help:"Exit with 1 if more than this share of the requests, between 0 and 1, would get other rules." placeholder:"SHARE"`
	JSON     bool     `name:"json" help:"As JSON."`
	Target   string   `arg:"" optional:"" help:"A proposal's id, or a rule set's hash or epoch: what would it decide otherwise than the rules in force? Asks the running Heed. Without one, every logged decision is taken again from the store and compared."`
}

// Run replays the target, or takes the decision of every logged exchange again from
// its row and the set that it names and compares it with what was logged.
func (cmd replayCmd) Run(e *env) error {
	if cmd.Limit < 1 || cmd.Target != "" && cmd.Limit > store.MaxTouch {
		return fmt.Errorf("--limit %d: want 1 or more, and at most %d with a proposal or rule set", cmd.Limit, store.MaxTouch)
	}
	if cmd.MaxShare != nil && !(*cmd.MaxShare >= 0 && *cmd.MaxShare <= 1) {
		return fmt.Errorf("--max-share %v: want a share between 0 and 1", *cmd.MaxShare)
	}
	if cmd.Target != "" {
		return cmd.against(e)
	}
	if cmd.MaxShare != nil || cmd.JSON {
		return errors.New("--max-share and --json go with a proposal or a rule set")
	}
	return cmd.again(e)
}

// again takes every logged decision again.
func (cmd replayCmd) again(e *env) error {
	c, err := e.load()
	if err != nil {
		return err
	}
	if cmd.App, err = appOr(c, cmd.App); err != nil {
		return err
	}
	s, err := openForReading(e.ctx, c)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := known(e.ctx, c, s, cmd.App); err != nil {
		return err
	}
	r := replayer{store: s, compiled: map[rules.Head]*rules.Compiled{}}
	start := time.Now()
	if err := r.run(e.ctx, cmd.App, cmd.Limit); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "%d exchanges, %d with rules, %d differ, %s\n", r.seen, r.ruled, len(r.differ), time.Since(start).Round(time.Millisecond))
	if r.forgotten > 0 {
		fmt.Fprintf(e.out, "%d of them name a rule set that is not here: forgotten with an erased person, or of another store\n", r.forgotten)
	}
	for _, id := range r.differ {
		fmt.Fprintln(e.out, "differs:", id)
	}
	if len(r.differ) > 0 {
		return errors.New("some decisions could not be reproduced from the log")
	}
	return nil
}

// known refuses an app that neither the configuration nor the store has: of a
// misspelt one nothing would differ.
func known(ctx context.Context, c *configs.Config, s store.Store, app string) error {
	apps, err := s.Apps(ctx)
	if err != nil {
		return err
	}
	for name := range c.Apps.All() {
		apps = append(apps, name)
	}
	if len(apps) == 0 {
		apps = []string{"default"}
	}
	if app == "default" || slices.Contains(apps, app) {
		return nil
	}
	slices.Sort(apps)
	apps = slices.Compact(apps)
	return fmt.Errorf("there is no app %q; there are: %s", app, strings.Join(apps, ", "))
}

// replayer takes logged decisions again.
type replayer struct {
	store    store.Store
	compiled map[rules.Head]*rules.Compiled
	buf      rules.Buffer

	seen, ruled, forgotten int
	differ                 []string
}

func (r *replayer) run(ctx context.Context, app string, limit int) error {
	for after := ""; r.seen < limit; {
		xs, next, err := r.store.Exchanges(ctx, store.ExchangeFilter{App: app, After: after, Limit: min(limit-r.seen, store.MaxPage)})
		if err != nil {
			return err
		}
		for _, x := range xs {
			if err := r.one(ctx, x); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
	return nil
}

func (r *replayer) one(ctx context.Context, x *store.Exchange) error {
	r.seen++
	if x.Head.Epoch == 0 {
		return nil
	}
	c, err := r.compile(ctx, x)
	if errors.Is(err, store.ErrNotFound) {
		r.forgotten++
		return nil
	}
	if err != nil {
		return err
	}
	got := c.Decide(&x.Facts, &r.buf)
	if len(x.Decision.Rules) > 0 {
		r.ruled++
	}
	if !reflect.DeepEqual(got.Rules, x.Decision.Rules) && len(got.Rules)+len(x.Decision.Rules) > 0 {
		r.differ = append(r.differ, x.ID)
	}
	return nil
}

func (r *replayer) compile(ctx context.Context, x *store.Exchange) (*rules.Compiled, error) {
	if c := r.compiled[x.Head]; c != nil {
		return c, nil
	}
	set, err := r.store.Set(ctx, x.App, x.Head.Hash)
	if err != nil {
		return nil, fmt.Errorf("rule set %s of exchange %s: %w", x.Head, x.ID, err)
	}
	stats, err := store.StatsOf(ctx, r.store, set)
	if err != nil {
		return nil, err
	}
	c, err := rules.Compile(set, x.Head, stats)
	if err == nil {
		r.compiled[x.Head] = c
	}
	return c, err
}
