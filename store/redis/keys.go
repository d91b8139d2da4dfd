package redis

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

// Keys. PREFIX:apps is the set of apps, PREFIX:changed the channel that names an
// app whenever it changed. All else of an app begins with PREFIX:{a:APP}: (APP
// escaped as in a URL query), so that it lies in one slot of a cluster. The
// scripts get that beginning as their one key and name the others themselves:
//
//	c          counters: seq (Wait), fn (feedback), chg (proposals, findings), xn (exchanges), gap, ern (erasures)
//	f, fm, fl  feedback by id: document, state, link
//	fk, fa     feedback: idempotency key to [id, digest]; id of an acknowledged repeat to the first's id
//	ft, fn     feedback by time; by number of arrival
//	fi:x:…     feedback of an exchange by time; fi:s: of a session, fi:u: of a user
//	fd, fr     feedback due by time of record; due later by time of retry
//	le         the lease of the app's learner: worker, epoch, end
//	fz         feedback that was put aside, by time of record
//	fx         records of one person on one exchange, in order
//	rt         sums of ratings
//	p, pv, ps  proposals by id: document, version, state; pz, pz:STATE by change
//	g, gv, gs  findings likewise; gz, gz:STATE
//	h, hd      heads by epoch; the head as [epoch, hash, token]
//	s, r       rule sets by hash; rule versions by id@version
//	b:HASH     a blob in parts
//	au, ah     audit entries by number; [number, hash] of the last
//	x, xd      the log: stream of chunks; their content
//	xl, xz     what is in each chunk, in order; chunks by last arrival
//	x:ID, xr:… place of an exchange; newest exchange of a response id; they go with their chunk, or expire
//	eu         people that were erased, by hash: [number, time, whether it is finished]
//	t:TOKEN    a change that was made, for ten minutes
func (s *Store) base(app string) string {
	return s.opt.Prefix + ":{a:" + url.QueryEscape(app) + "}:"
}

func (s *Store) channel() string { return s.opt.Prefix + ":changed" }

//go:embed scripts/common.lua
var commonLua string

// script joins what all scripts share with one script's own lines.
func script(own string) *redis.Script { return redis.NewScript(commonLua + own) }

// arguments are what every script gets first.
type arguments struct {
	App     string `json:"app"`
	Channel string `json:"channel"`
	Token   string `json:"token,omitempty"`
}

func (s *Store) arguments(app string) arguments {
	return arguments{App: app, Channel: s.channel(), Token: store.NewID()}
}

// run runs a script that changes an app, whose JSON arguments are arg and whose
// reply is a list, first a word that says how it went.
func (s *Store) run(ctx context.Context, what string, sc *redis.Script, app string, arg any, more ...any) ([]string, error) {
	b, err := json.Marshal(arg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	args := append([]any{b}, more...)
	var reply []string
	err = s.call(ctx, what, func(ctx context.Context) error {
		if err := s.listApp(ctx, app); err != nil {
			return err
		}
		var err error
		reply, err = sc.Run(ctx, s.client, []string{s.base(app)}, args...).StringSlice()
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(reply) == 0 {
		return nil, fmt.Errorf("%s: redis gave an empty reply", what)
	}
	return reply, nil
}

// listApp makes the app known to all before anything of it is written.
func (s *Store) listApp(ctx context.Context, app string) error {
	if _, ok := s.apps.Load(app); ok {
		return nil
	}
	if err := s.client.SAdd(ctx, s.opt.Prefix+":apps", app).Err(); err != nil {
		return err
	}
	s.apps.Store(app, true)
	return nil
}

// number reads a counter as HMGET gives it.
func number(v any) uint64 {
	text, _ := v.(string)
	n, _ := strconv.ParseUint(text, 10, 64) // what is not there counts as 0
	return n
}

// field reads one field of one of the app's hashes; store.ErrNotFound when it is
// not there.
func (s *Store) field(ctx context.Context, what, app, key, field string) (string, error) {
	if err := s.check(ctx, app); err != nil {
		return "", err
	}
	var v string
	err := s.call(ctx, what, func(ctx context.Context) error {
		var err error
		v, err = s.client.HGet(ctx, s.base(app)+key, field).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("%s %q: %w", what, field, store.ErrNotFound)
	}
	return v, err
}
