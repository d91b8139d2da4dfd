package redis

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

// Proposal implements store.Store.
func (s *Store) Proposal(ctx context.Context, app, id string) (*store.Proposal, error) {
	return learnedByID[store.Proposal](ctx, s, "p", app, id)
}

// Finding implements store.Store.
func (s *Store) Finding(ctx context.Context, app, id string) (*store.Finding, error) {
	return learnedByID[store.Finding](ctx, s, "g", app, id)
}

func learnedByID[T any](ctx context.Context, s *Store, kind, app, id string) (*T, error) {
	doc, err := s.field(ctx, kindNames[kind], app, kind, id)
	if err != nil {
		return nil, err
	}
	v := new(T)
	return v, decode(doc, kindNames[kind]+" "+id, v)
}

// Proposals implements store.Store.
func (s *Store) Proposals(ctx context.Context, f store.ProposalFilter) ([]*store.Proposal, string, error) {
	keep := func(p *store.Proposal) bool { return f.Rule == "" || slices.Contains(p.RuleIDs(), f.Rule) }
	return learnedPage(ctx, s, "p", string(f.State), f.App, f.Limit, f.After, keep)
}

// Findings implements store.Store.
func (s *Store) Findings(ctx context.Context, f store.FindingFilter) ([]*store.Finding, string, error) {
	return learnedPage(ctx, s, "g", f.State, f.App, f.Limit, f.After, func(*store.Finding) bool { return true })
}

func learnedPage[T any](ctx context.Context, s *Store, kind, state, app string, limit int, after string, keep func(*T) bool) ([]*T, string, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, "", err
	}
	at, _, more, err := store.ParseCursor(after)
	if err != nil {
		return nil, "", err
	}
	if !more {
		at = math.MaxInt64
	}
	key := s.base(app) + kind + "z"
	if state != "" {
		key += ":" + state
	}
	limit = store.PageSize(limit)
	var out []*T
	var last int64
	for {
		zs, docs, err := s.learnedBefore(ctx, app, kind, key, at)
		if err != nil {
			return nil, "", err
		}
		for i, z := range zs {
			at = int64(z.Score)
			doc, ok := docs[i].(string)
			if !ok {
				continue // it changed between the two reads, and comes again as newer
			}
			v := new(T)
			if err := decode(doc, fmt.Sprint(kindNames[kind], " ", z.Member), v); err != nil {
				return nil, "", err
			}
			if !keep(v) {
				continue
			}
			if len(out) == limit {
				return out, store.Cursor(last, ""), nil
			}
			out, last = append(out, v), at
		}
		if len(zs) < scanPage {
			return out, "", nil
		}
	}
}

// learnedBefore reads the newest of a list that changed before number at.
func (s *Store) learnedBefore(ctx context.Context, app, kind, key string, at int64) (zs []redis.Z, docs []any, err error) {
	err = s.call(ctx, "list", func(ctx context.Context) error {
		var err error
		zs, err = s.client.ZRevRangeByScoreWithScores(ctx, key, &redis.ZRangeBy{Min: "-inf", Max: "(" + strconv.FormatInt(at, 10), Count: scanPage}).Result()
		if err != nil || len(zs) == 0 {
			return err
		}
		ids := make([]string, len(zs))
		for i, z := range zs {
			ids[i] = z.Member.(string)
		}
		docs, err = s.client.HMGet(ctx, s.base(app)+kind, ids...).Result()
		return err
	})
	return zs, docs, err
}
