package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

// How an erasure reaches every process: the server keeps the hash of each erased
// person with a number, and counts. A process that sees the count move (by pub/sub,
// by the poll of Options.Poll, or at its start when it was away) takes the person
// out of its journal, drops its copies of rule sets but that in force, and, with an
// index, erases there. Until it has seen it, the scripts refuse what it still sends
// from before.

// eraseSkew is how far a process's clock may be from the server's: what seems to
// have arrived up to that long after an erasure is taken for older.
const eraseSkew = time.Minute

// erasures are the people of one app that a process knows were erased. It is never
// changed once it is shared.
type erasures struct {
	number uint64 // how many erasures of the app there were
	users  map[string]erasedUser
}

type erasedUser struct {
	number uint64
	at     int64 // when it began, by the server's clock, in milliseconds
	done   bool  // nothing of them is on the server any more
}

// logged reports whether the exchange is an erased person's, from before that.
func (e erasures) logged(x *store.Exchange) bool {
	u, ok := e.users[x.Facts.User]
	return ok && x.Time.UnixMilli() <= u.at+eraseSkew.Milliseconds()
}

// said reports whether the record is an erased person's, from before that, given
// how many erasures were known when it was said. add.lua decides alike.
func (e erasures) said(f *store.Feedback, known uint64) bool {
	u, ok := e.users[f.User]
	return ok && known < u.number && f.Time.UnixMilli() <= u.at+eraseSkew.Milliseconds()
}

// erasedApps is what a process knows of each app, and how far it has acted on it.
type erasedApps struct {
	mu      sync.Mutex
	known   map[string]erasures
	applied map[string]uint64
}

func (a *erasedApps) of(app string) erasures {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[app]
}

func (a *erasedApps) learn(app string, e erasures) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known, a.applied = map[string]erasures{}, map[string]uint64{}
	}
	a.known[app] = e
}

// due reports whether there is an erasure that this process has not acted on.
func (a *erasedApps) due(app string, number uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.applied[app] != number
}

func (a *erasedApps) did(app string, number uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied[app] = number
}

// learnErased reads who was erased: the number first, so that nobody is missing
// whom it counts.
func (s *Store) learnErased(ctx context.Context, app string) error {
	var n *redis.SliceCmd
	var users *redis.MapStringStringCmd
	err := s.call(ctx, "erased", func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			n = p.HMGet(ctx, s.base(app)+"c", "ern")
			users = p.HGetAll(ctx, s.base(app)+"eu")
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	e := erasures{number: number(n.Val()[0]), users: map[string]erasedUser{}}
	for hash, doc := range users.Val() {
		var u erasedUser
		if err := decode(doc, "erased person", &[]any{&u.number, &u.at, &u.done}); err != nil {
			return err
		}
		e.users[hash] = u
	}
	s.erased.learn(app, e)
	return nil
}

// followErased takes erased people out of what this process keeps of its own, but
// for the index, which follows by itself.
func (s *Store) followErased(ctx context.Context, app string) error {
	if err := s.learnErased(ctx, app); err != nil {
		return err
	}
	known := s.erased.of(app)
	if s.out.forget(app, known) {
		s.journal.purge()
	}
	if err := s.purgeCopies(ctx, app); err != nil {
		return fmt.Errorf("drop copies of rules: %w", err)
	}
	s.erased.did(app, known.number)
	return nil
}

// purgeCopies deletes the local copies of rule sets but what is in force.
func (s *Store) purgeCopies(ctx context.Context, app string) error {
	if !s.copies.has(app) {
		return nil
	}
	h, err := s.serverHead(ctx, app)
	if err != nil {
		return err
	}
	if h.Epoch > 0 { // else the copy is all there is
		s.copies.seen(app, h, s.opt.Log)
		set, err := s.Set(ctx, app, h.Hash)
		if err == nil && set.Stats != "" {
			_, err = s.Blob(ctx, app, set.Stats)
		}
		if err != nil {
			return err
		}
	}
	return s.copies.purge(app)
}
