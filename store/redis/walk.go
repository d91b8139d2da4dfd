package redis

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// walk is a way through a sorted set from its end: by score, then member.
type walk struct {
	key   string
	at    int64 // where it stands: everything below (at, id) is still to come
	id    string
	more  bool // at and id are set
	ended bool
}

// walkBack returns up to n members and moves on.
func (s *Store) walkBack(ctx context.Context, w *walk, n int) ([]string, error) {
	var zs []redis.Z
	err := s.call(ctx, "list", func(ctx context.Context) error {
		var err error
		from := "+inf"
		if w.more {
			from = strconv.FormatInt(w.at, 10)
		}
		// Members of the score at which the walk stands may have been seen; how many
		// is known only when they are read, so read on until enough is new.
		zs = nil
		for skip := 0; len(zs) < n; {
			part, e := s.client.ZRevRangeByScoreWithScores(ctx, w.key, &redis.ZRangeBy{Min: "-inf", Max: from, Offset: int64(skip), Count: int64(n)}).Result()
			if err = e; err != nil {
				return err
			}
			skip += len(part)
			for _, z := range part {
				if w.more && int64(z.Score) == w.at && z.Member.(string) >= w.id {
					continue
				}
				zs = append(zs, z)
			}
			if len(part) < n {
				w.ended = true
				break
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, n)
	for _, z := range zs {
		if len(ids) == n {
			w.ended = false
			break
		}
		ids = append(ids, z.Member.(string))
		w.at, w.id, w.more = int64(z.Score), z.Member.(string), true
	}
	return ids, nil
}
