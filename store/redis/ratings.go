package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"heed/store"
)

// Ratings implements store.Store.
func (s *Store) Ratings(ctx context.Context, app string) ([]store.TargetRating, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var sums map[string]string
	err := s.call(ctx, "ratings", func(ctx context.Context) error {
		var err error
		sums, err = s.client.HGetAll(ctx, s.base(app)+"rt").Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	by := map[[4]string]*store.TargetRating{}
	for field, n := range sums {
		var key []any
		if err := json.Unmarshal([]byte(field), &key); err != nil || len(key) != 5 {
			return nil, fmt.Errorf("ratings: %w: field %q", store.ErrCorrupt, field)
		}
		var k [4]string
		for i := range k {
			k[i], _ = key[i].(string)
		}
		r := by[k]
		if r == nil {
			r = &store.TargetRating{Alias: k[0], Step: k[1], Upstream: k[2], Model: k[3]}
			by[k] = r
		}
		if good, _ := key[4].(bool); good {
			r.Good = int(number(n))
		} else {
			r.Bad = int(number(n))
		}
	}
	var out []store.TargetRating
	for _, r := range by {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b store.TargetRating) int {
		return cmp.Or(cmp.Compare(a.Alias, b.Alias), cmp.Compare(a.Step, b.Step), cmp.Compare(a.Upstream, b.Upstream), cmp.Compare(a.Model, b.Model))
	})
	return out, nil
}
