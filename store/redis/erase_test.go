package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/rules"
	"heed/store"
	"heed/store/storetest"
)

// keys lists the store's keys, on every node of a cluster.
func (s *Store) keys(t testing.TB) (keys []string) {
	t.Helper()
	var mu sync.Mutex
	scan := func(ctx context.Context, c *redis.Client) error {
		it := c.Scan(ctx, 0, s.opt.Prefix+":*", 1000).Iterator()
		for it.Next(ctx) {
			mu.Lock()
			keys = append(keys, it.Val())
			mu.Unlock()
		}
		return it.Err()
	}
	var err error
	switch c := s.client.(type) {
	case *redis.Client:
		err = scan(t.Context(), c)
	case *redis.ClusterClient:
		err = c.ForEachMaster(t.Context(), scan)
	}
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// holds lists what on the server and in the folders holds the text.
func (s *Store) holds(t testing.TB, text string, dirs ...string) (found []string) {
	t.Helper()
	ctx := t.Context()
	note := func(where, content string) {
		if strings.Contains(where+content, text) {
			found = append(found, where)
		}
	}
	for _, key := range s.keys(t) {
		switch kind := s.client.Type(ctx, key).Val(); kind {
		case "string":
			note(key, s.client.Get(ctx, key).Val())
		case "hash":
			for field, v := range s.client.HGetAll(ctx, key).Val() {
				if strings.HasSuffix(key, "}:xd") {
					xs, err := s.unpack(v)
					if err != nil {
						t.Fatal(err)
					}
					for _, x := range xs {
						note(key, x.Query+x.Answer+string(x.Request)+string(x.Response))
					}
				}
				note(key+" "+field, v)
			}
		case "set":
			note(key, strings.Join(s.client.SMembers(ctx, key).Val(), " "))
		case "zset":
			note(key, strings.Join(s.client.ZRange(ctx, key, 0, -1).Val(), " "))
		case "list":
			note(key, strings.Join(s.client.LRange(ctx, key, 0, -1).Val(), " "))
		case "stream":
			note(key, fmt.Sprint(s.client.XRange(ctx, key, "-", "+").Val()))
		default:
			t.Fatalf("key %s is a %s", key, kind)
		}
	}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if errors.Is(err, os.ErrNotExist) {
				return nil // a file that was being replaced
			}
			if bytes.Contains(b, []byte(text)) {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func TestStore_EraseUser(t *testing.T) {
	srv := startServer(t)
	for _, indexed := range []bool{false, true} {
		t.Run(fmt.Sprintf("index=%v", indexed), func(t *testing.T) {
			opt := srv.options(t)
			dirs := []string{opt.Dir}
			if indexed {
				dirs = append(dirs, t.TempDir())
				opt.Index = openIndex(t, dirs[1])
			}
			s := open(t, opt)
			storetest.RunErase(t, storetest.Erasing{
				Store: s, Eraser: s,
				Settle: func(t testing.TB) {
					if s.indexer != nil {
						s.indexer.catchUp(t.Context())
					}
				},
				Holds: func(t testing.TB, text string) []string { return s.holds(t, text, dirs...) },
			})
			emptied := func(from, to string) {
				key := s.base("shop") + "au"
				doc := srv.raw.HGet(t.Context(), key, "2").Val()
				if err := srv.raw.HSet(t.Context(), key, "2", strings.Replace(doc, from, to, 1)).Err(); err != nil {
					t.Fatal(err)
				}
			}
			emptied(`"previous"`, `"emptied":true,"previous"`)
			if n, err := s.VerifyAudit(t.Context(), "shop"); n != 2 || err != nil {
				t.Errorf("an entry that nobody said was emptied passes: %d, %v", n, err)
			}
			emptied(`"emptied":true,"previous"`, `"previous"`)
			if n, err := s.VerifyAudit(t.Context(), "shop"); n != 0 || err != nil {
				t.Errorf("the mended trail breaks at %d, %v", n, err)
			}
		})
	}
}

// Who read a person's exchange before it was erased may show it in a proposal
// afterwards: erasing again takes it out. A learner's is refused (storetest).
func TestStore_EraseUser_Again(t *testing.T) {
	srv := startServer(t)
	for _, indexed := range []bool{false, true} {
		t.Run(fmt.Sprintf("index=%v", indexed), func(t *testing.T) {
			opt := srv.options(t)
			if indexed {
				opt.Index = openIndex(t, t.TempDir())
			}
			s := open(t, opt)
			xs := traffic("shop", 2)
			xs[0].Facts.User, xs[1].Facts.User = ann, ben
			if err := s.WriteExchanges(t.Context(), xs); err != nil {
				t.Fatal(err)
			}
			if _, err := s.EraseUser(t.Context(), "shop", ann, nil); err != nil {
				t.Fatal(err)
			}
			shown := []store.Sample{{Exchange: xs[0].ID, Query: word}, {Exchange: xs[1].ID, Query: "of ben"}}
			late := &store.Proposal{ID: "p1", App: "shop", Version: 1, State: store.Open, Touch: store.Touch{Inside: shown, Near: shown[:1]}}
			if err := s.Commit(t.Context(), store.Changes{App: "shop", Proposals: []*store.Proposal{late}}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.EraseUser(t.Context(), "shop", ann, nil); err != nil {
				t.Fatal(err)
			}
			p, err := s.Proposal(t.Context(), "shop", "p1")
			if err != nil || len(p.Touch.Inside) != 1 || p.Touch.Inside[0].Exchange != xs[1].ID || len(p.Touch.Near) != 0 || p.State != store.Open {
				t.Errorf("the proposal shows %+v, %v", p, err)
			}
		})
	}
}

// meanwhile does something once, before a script runs for the first time.
type meanwhile struct {
	sha  string
	once sync.Once
	do   func()
}

func (m *meanwhile) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m *meanwhile) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (m *meanwhile) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); len(args) > 1 && args[1] == m.sha {
			m.once.Do(m.do)
		}
		return next(ctx, cmd)
	}
}

// Who learns while the log is still being erased may write of what is there: it is
// erased too.
func TestStore_EraseUser_LearnsMeanwhile(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	s := open(t, opt)
	xs := traffic("shop", 1)
	xs[0].Facts.User, xs[0].Query = ann, word
	if err := s.WriteExchanges(t.Context(), xs); err != nil {
		t.Fatal(err)
	}
	others, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", ExchangeID: xs[0].ID, User: ben, Source: "api", Comment: "no"})
	if err != nil {
		t.Fatal(err)
	}
	s.client.AddHook(&meanwhile{sha: rechunkScript.Hash(), do: func() {
		if err := s.Commit(t.Context(), storetest.LearnsMeanwhile(storetest.Lead(t, s, "shop", "w"), xs[0], others)); err != nil {
			t.Error(err)
		}
	}})
	e, err := s.EraseUser(t.Context(), "shop", ann, nil)
	if err != nil {
		t.Fatal(err)
	}
	storetest.LearnedIsGone(t, s, e, others)
	if left := s.holds(t, word, opt.Dir); len(left) > 0 {
		t.Errorf("left in %v", left)
	}
}

// word is what ann said, and nobody else.
const word, ann, ben = "xylophone-4711", "ann", "ben"

func sayAs(t *testing.T, s *Store, user, comment string) *store.Feedback {
	t.Helper()
	f, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", Source: "widget", User: user, Comment: comment})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// spreadWord brings the word into every place that may hold it, and returns the
// exchange that does.
func spreadWord(t *testing.T, here, away *Store, admins []*Store) *store.Exchange {
	t.Helper()
	ctx := t.Context()
	x := &store.Exchange{ID: store.NewID(), App: "shop", Time: time.Now(), Facts: rules.Facts{User: ann}, Query: word, Request: []byte(word)}
	if err := here.WriteExchanges(ctx, []*store.Exchange{x}); err != nil {
		t.Fatal(err)
	}
	r := rule("Mention the " + word + ".")
	r.Sources = []string{sayAs(t, here, ann, word).ID}
	sayAs(t, away, ann, word)
	if _, err := here.Publish(ctx, "shop", 0, &rules.Set{App: "shop", Rules: []rules.Rule{r}}, store.Audit{Actor: "a", Action: "publish"}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{here, away} { // both copy the set
		h, err := s.Head(ctx, "shop")
		if err == nil {
			_, err = s.Set(ctx, "shop", h.Hash)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range admins {
		if _, _, err := a.Exchanges(ctx, store.ExchangeFilter{App: "shop"}); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

// An erasure at one admin reaches the journal and the copies of rules of gateways
// on other machines, also of one that was away, and the index of another admin.
func TestErase_ReachesEveryProcess(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	ctx := t.Context()
	indexDirs := []string{t.TempDir(), t.TempDir()}
	var admins []*Store
	for i := range indexDirs {
		o := withDir(opt, t.TempDir())
		o.Index = openIndex(t, indexDirs[i])
		admins = append(admins, open(t, o))
	}
	dirs := []string{t.TempDir(), t.TempDir()}
	here, away := open(t, withDir(opt, dirs[0])), open(t, withDir(opt, dirs[1]))
	x := spreadWord(t, here, away, admins)
	srv.stop()
	sayAs(t, away, ann, word+" again") // journaled only
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	srv.start()
	everywhere := append(slices.Clone(dirs), indexDirs...)
	if found := admins[0].holds(t, word, everywhere...); len(found) < 6 {
		t.Fatalf("before, only %q hold the words", found)
	}

	srv.await("the erasure", func() bool { // once the breaker is closed again
		_, err := admins[0].Traces(ctx, "shop", ann)
		return err == nil
	})
	e, err := admins[0].EraseUser(ctx, "shop", ann, nil)
	if err != nil || e.Exchanges != 1 || len(e.Feedback) != 2 {
		t.Fatalf("erased %+v, %v", e, err)
	}
	if _, err := admins[0].Publish(ctx, "shop", 1, &rules.Set{App: "shop"}, store.Audit{Actor: "a", Action: "retire"}); err != nil {
		t.Fatal(err)
	}
	if err := admins[0].Forget(ctx, "shop", e, store.Audit{Actor: "a", Action: "erase"}); err != nil {
		t.Fatal(err)
	}
	srv.await("the erasure at the gateway that runs and in both indexes", func() bool {
		return len(admins[0].holds(t, word, dirs[0], indexDirs[0], indexDirs[1])) == 0
	})
	if found := admins[0].holds(t, word, dirs[1]); len(found) != 2 {
		t.Errorf("the gateway that is away holds the words in %q, want journal and set", found)
	}
	away = open(t, withDir(opt, dirs[1]))
	srv.await("the erasure at the gateway that was away", func() bool { return len(admins[0].holds(t, word, everywhere...)) == 0 })
	srv.await("delivery", func() bool { _, n := away.out.oldest(); return n == 0 })
	if fs, _, err := away.Feedback(ctx, store.FeedbackFilter{App: "shop"}); err != nil || len(fs) != 0 {
		t.Errorf("what was journaled before the erasure came back: %+v, %v", fs, err)
	}
	// Who is still being logged from before is not, others are; who comes back is.
	late := []*store.Exchange{{ID: "late", App: "shop", Time: x.Time, Facts: rules.Facts{User: ann}}, {ID: "bens", App: "shop", Time: x.Time, Facts: rules.Facts{User: ben}}}
	if err := open(t, withDir(opt, t.TempDir())).WriteExchanges(ctx, late); err != nil {
		t.Fatal(err)
	}
	if xs, _, err := admins[1].Exchanges(ctx, store.ExchangeFilter{App: "shop"}); err != nil || len(xs) != 1 || xs[0].ID != "bens" {
		t.Errorf("listed %+v, %v", xs, err)
	}
	for _, s := range []*Store{here, away} {
		f := sayAs(t, s, ann, "back")
		if got, err := admins[0].FeedbackByID(ctx, "shop", f.ID); err != nil || got.Comment != "back" {
			t.Errorf("what the person said after it: %+v, %v", got, err)
		}
	}
	if h, err := away.Head(ctx, "shop"); err != nil || h.Epoch != 2 {
		t.Errorf("in force: %v, %v", h, err)
	}
}
