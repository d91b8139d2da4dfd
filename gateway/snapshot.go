package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"heed/rules"
	"heed/rules/match"
)

// appState is what an app has besides its configuration; it outlives reloads.
type appState struct {
	name     string
	set      atomic.Pointer[inForce] // swapped whole, never nil
	loaded   atomic.Bool             // set came from the store
	failing  atomic.Bool             // the last try to load it failed
	common   sketch                  // values that too many requests share
	inFlight atomic.Int64
}

func newAppState(name string) *appState {
	s := &appState{name: name}
	empty, err := rules.Compile(&rules.Set{App: name}, rules.Head{}, nil)
	if err != nil {
		panic("BUG: compile an empty rule set: " + err.Error())
	}
	s.set.Store(newInForce(empty))
	return s
}

// inForce is a compiled set with the texts that every request of it needs.
type inForce struct {
	*rules.Compiled
	name   string            // of the head, as the header has it
	refs   map[string]string // rule id to id@version
	blocks sync.Map          // injected block by the header that lists its rules
	kept   atomic.Int32      // entries of blocks
}

const maxBlocks = 1000 // of one set; others are rendered each time

func newInForce(c *rules.Compiled) *inForce {
	f := &inForce{Compiled: c, name: c.Head().String(), refs: map[string]string{}}
	for i := range c.Set().Rules {
		r := &c.Set().Rules[i]
		f.refs[r.ID] = r.Ref()
	}
	return f
}

// names lists the rules that are for this unit, in injected order, and those
// withheld from it, as the headers have them.
func (f *inForce) names(ds []rules.RuleDecision) (given, held string) {
	for _, d := range ds {
		to := &given
		if d.Withheld {
			to = &held
		}
		if *to == "" {
			*to = f.refs[d.ID]
		} else {
			*to += ", " + f.refs[d.ID]
		}
	}
	return given, held
}

// block is the text to inject for d, whose rules given lists. Within a set the
// list says what the block is.
func (f *inForce) block(given string, d *rules.Decision) string {
	if given == "" || d.Observed {
		return ""
	}
	if b, ok := f.blocks.Load(given); ok {
		return b.(string)
	}
	b := f.Render(d)
	if f.kept.Add(1) <= maxBlocks {
		f.blocks.Store(given, b)
	}
	return b
}

// Times of refreshing rule sets.
const (
	loadTime  = 10 * time.Second // for one app's set and statistics
	loadRetry = time.Second      // after an error; what is in force stays
)

// loadAll loads every app's rule set within limit. What cannot be loaded keeps
// what it has; refresh tries again. A failure is logged when it begins, not each
// time.
func (g *Gateway) loadAll(ctx context.Context, cfg *config, limit time.Duration) (ok bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ok = true
	for _, a := range cfg.apps {
		err := g.load(ctx, a.appState)
		if err == nil {
			a.failing.Store(false)
			continue
		}
		ok = false
		g.metrics.reloads.WithLabelValues("error").Inc()
		if !a.failing.Swap(true) {
			g.log.Error("rule set not loaded; the one in force stays", "app", a.Name, "ruleset", a.set.Load().name, "error", err)
		}
	}
	return ok
}

// load puts the app's head in force, if it is another one. Compiling is done here,
// off the request path.
func (g *Gateway) load(ctx context.Context, s *appState) error {
	head, err := g.store.Head(ctx, s.name)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	if head == s.set.Load().Head() {
		s.loaded.Store(true)
		return nil
	}
	set, err := g.store.Set(ctx, s.name, head.Hash)
	if err != nil {
		return fmt.Errorf("read rule set %s: %w", head, err)
	}
	var stats *match.Stats
	if set.Stats != "" {
		blob, err := g.store.Blob(ctx, s.name, set.Stats)
		if err != nil {
			return fmt.Errorf("read word statistics %s: %w", set.Stats, err)
		}
		if stats, err = match.UnmarshalStats(blob); err != nil {
			return fmt.Errorf("word statistics %s: %w", set.Stats, err)
		}
	}
	c, err := rules.Compile(set, head, stats)
	if err != nil {
		return err
	}
	s.set.Store(newInForce(c))
	s.loaded.Store(true)
	g.metrics.reloads.WithLabelValues("ok").Inc()
	g.log.Info("rule set in force", "app", s.name, "ruleset", head.String(), "rules", len(set.Rules))
	return nil
}

// refresh follows the store until ctx is done: every change is in force as soon as
// it is compiled. An error leaves what is in force and is tried again.
func (g *Gateway) refresh(ctx context.Context) {
	defer g.workers.Done()
	var seen uint64
	failing := false
	for ctx.Err() == nil {
		seq, err := g.store.Wait(ctx, seen)
		if err == nil && g.loadAll(ctx, g.cfg.Load(), loadTime) {
			seen, failing = seq, false
			continue
		}
		if err != nil && ctx.Err() == nil && !failing {
			failing = true
			g.log.Error("store does not say what changes; asking again each second", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(loadRetry):
		}
		if err == nil {
			seen = 0 // ask again at once: this change is not in force yet
		}
	}
}

// shares is the part of a rule set's routing that this request may follow.
func (c *config) shares(a *alias, set *rules.Set, step string) (shares []rules.Share, topic string) {
	if a.Routing != "off" {
		if p := set.Policy(a.Name, step); p != nil {
			known := p.Shares
			if !a.hasAll(known) { // rare: the file has lost a target
				known = slices.DeleteFunc(slices.Clone(known), func(s rules.Share) bool { return !a.has(s) })
			}
			if usable(known) {
				return known, p.Topic
			}
		}
	}
	return a.targets, ""
}

func usable(shares []rules.Share) bool {
	for _, s := range shares {
		if s.Weight > 0 {
			return true
		}
	}
	return false
}

func (a *alias) hasAll(shares []rules.Share) bool {
	for _, s := range shares {
		if !a.has(s) {
			return false
		}
	}
	return true
}

// has says whether the file allows the target: an approved policy cannot name
// others.
func (a *alias) has(s rules.Share) bool {
	for _, t := range a.targets {
		if t.Upstream == s.Upstream && t.Model == s.Model {
			return true
		}
	}
	return false
}
