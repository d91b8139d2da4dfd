package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"heed/internal/simulate"
	"heed/rules"
	"heed/store"
	"heed/store/redis"
	"heed/store/sqlite"
	"heed/wire"
)

// poison makes the test binary, running as heed, end itself with SIGKILL when its
// learner works on feedback about a request with that word.
const poison = "HEED_TEST_POISON"

// poisoned is a store whose user does not survive to read some requests.
type poisoned struct {
	store.Store
	word string
}

func (p *poisoned) Exchange(ctx context.Context, app, id string) (*store.Exchange, error) {
	x, err := p.Store.Exchange(ctx, app, id)
	if err == nil && strings.Contains(x.Query, p.word) {
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {}
	}
	return x, err
}

// maxKills is how often a record may end the process: once when it is given out
// for the first time, with all its batch, and five times that were counted before.
const maxKills = 6

// maxSaid is how many people say something: less than a learner's batch.
const maxSaid = 20

// A record that ends the process whenever it is worked on is put aside after five
// tries; what else was in its batch is handled, and has its effect once.
func TestPoison_PutAsideAndTheRestOnce(t *testing.T) {
	_, upstream := model(t, simulate.Options{OverApply: -1})
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		conf := config(t, dir, upstream, "")
		open := func() store.Store {
			s, err := sqlite.Open(t.Context(), filepath.Join(dir, "data"), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		survive(t, conf, "serve", open, func() {
			p := start(t, conf)
			d := &deaths{t: t, admin: p}
			p.eventually("the rest is handled", func() bool { return counted(all[*store.Finding](d, "findings")) == maxSaid-1 })
			if code := p.terminate(); code != 0 {
				t.Errorf("exit code %d\n%s", code, p.stderr)
			}
		})
	})
	t.Run("redis", func(t *testing.T) {
		url, _ := redisServer(t)
		conf := sharedConfig(t, upstream, url)
		open := func() store.Store {
			s, err := redis.Open(t.Context(), redis.Options{URL: url, Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		survive(t, conf, "learner", open, func() {
			p := startPart(t, conf, "learner", func(*program) bool { return true })
			s := open()
			defer s.Close()
			p.eventually("the rest is handled", func() bool {
				fs, _, err := s.Findings(t.Context(), store.FindingFilter{App: "shop", Limit: store.MaxPage})
				return err == nil && counted(fs) == maxSaid-1
			})
			if code := p.terminate(); code != 0 {
				t.Errorf("exit code %d\n%s", code, p.stderr)
			}
		})
	})
}

// survive runs the part until the record has ended it maxKills times, then once
// more as last does, and checks what is left.
func survive(t *testing.T, conf, part string, open func() store.Store, last func()) {
	t.Helper()
	s := open()
	bad, others := sayMany(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv(poison, "poison")
	for range maxKills {
		startPart(t, conf, part, func(*program) bool { return true }).ended("the record")
	}
	last()
	s = open()
	defer s.Close()
	settledOnce(t, s, bad, others)
}

// counted is how many complaints the findings hold.
func counted(fs []*store.Finding) (n int) {
	for _, f := range fs {
		n += f.Count
	}
	return n
}

// ended waits until the process is gone.
func (p *program) ended(by string) {
	p.t.Helper()
	ended := make(chan struct{})
	go func() { // ends with the process
		defer close(ended)
		_, _ = p.cmd.Process.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(testWait):
		p.t.Fatalf("the process lives: %s did not end it\n%s", by, p.stderr)
	}
}

// sayMany stores what a batch of people said, each of a thing of its own, and one
// of them about a request that the learner does not survive.
func sayMany(t *testing.T, s store.Store) (bad string, others []string) {
	t.Helper()
	ctx := t.Context()
	now := time.Now().UTC()
	for i := range maxSaid {
		query := fmt.Sprintf("what is with the %s of order%d", things[i%len(things)], i)
		if i == 9 {
			query = "poison"
		}
		x := &store.Exchange{
			ID: store.NewID(), App: "shop", Time: now.Add(time.Duration(i-60) * time.Second), API: wire.Chat, Path: "/v1/chat/completions", Status: 200, Outcome: store.OK,
			Facts: rules.Facts{App: "shop", Step: "answer", Alias: "gpt-4o", Queries: []string{query}}, Query: query, Answer: "Please see our pages.",
		}
		bad1 := -1.0
		f := &store.Feedback{App: "shop", Time: x.Time, Source: "widget", ExchangeID: x.ID, User: fmt.Sprint("user", i), Rating: &bad1,
			Comment: fmt.Sprintf("This does not answer my question number%d.", i)}
		if err := s.WriteExchanges(ctx, []*store.Exchange{x}); err != nil {
			t.Fatal(err)
		}
		stored, _, err := s.AddFeedback(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		if i == 9 {
			bad = stored.ID
		} else {
			others = append(others, stored.ID)
		}
	}
	return bad, others
}

// settledOnce checks what the learner left.
func settledOnce(t *testing.T, s store.Store, bad string, others []string) {
	t.Helper()
	ctx := t.Context()
	aside, _, err := s.Feedback(ctx, store.FeedbackFilter{App: "shop", Aside: true})
	if err != nil || len(aside) != 1 || aside[0].ID != bad || aside[0].Tries != 5 {
		t.Errorf("put aside %+v %v, want the one record after 5 tries", aside, err)
	}
	as, _, err := s.Audits(ctx, store.AuditFilter{App: "shop", Action: "put-aside"})
	if err != nil || len(as) != 1 || as[0].Target != bad {
		t.Errorf("audit %+v %v, want one entry about it", as, err)
	}
	fs, _, err := s.Findings(ctx, store.FindingFilter{App: "shop", Limit: store.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range fs {
		for _, e := range f.Evidence {
			got = append(got, e.Feedback)
		}
	}
	slices.Sort(got)
	slices.Sort(others)
	if !slices.Equal(got, others) || counted(fs) != len(others) {
		t.Errorf("findings count %d complaints of %v, want %d of %v", counted(fs), got, len(others), others)
	}
	for _, id := range others {
		if f, err := s.FeedbackByID(ctx, "shop", id); err != nil || f.Link == nil || f.Tries != 0 {
			t.Errorf("record %s: %+v %v, want it handled", id, f, err)
		}
	}
}
