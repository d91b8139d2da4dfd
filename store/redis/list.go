package redis

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"heed/store"
)

// Exchanges implements store.Store: from the index, after it has read what the
// stream holds; without an index from the stream itself, which opens chunks until
// the page is full and has no exchanges beyond Options.LogExchanges and LogBytes.
func (s *Store) Exchanges(ctx context.Context, f store.ExchangeFilter) ([]*store.Exchange, string, error) {
	if err := s.check(ctx, f.App); err != nil {
		return nil, "", err
	}
	if s.indexer != nil {
		s.indexer.catchUp(ctx)
		return s.opt.Index.Exchanges(ctx, f)
	}
	q := &search{s: s, f: f, limit: store.PageSize(f.Limit), words: words(f.Text)}
	if strings.TrimSpace(f.Text) != "" && len(q.words) == 0 {
		return nil, "", nil
	}
	var err error
	if q.afterAt, q.afterID, q.more, err = store.ParseCursor(f.After); err != nil {
		return nil, "", err
	}
	if err := q.run(ctx); err != nil {
		return nil, "", err
	}
	out := q.found[:min(len(q.found), q.limit)]
	if !f.Bodies {
		for _, x := range out {
			x.Request, x.Response = nil, nil
		}
	}
	if len(q.found) <= q.limit {
		return out, "", nil
	}
	last := out[len(out)-1]
	return out, store.Cursor(last.Time.UnixMilli(), last.ID), nil
}

// search is one walk over an app's chunks, the one with the latest arrival first.
type search struct {
	s       *Store
	f       store.ExchangeFilter
	limit   int
	words   []string
	afterAt int64 // the cursor's exchange, when more
	afterID string
	more    bool

	found   []*store.Exchange // newest first, up to limit+1 that are final
	waiting []*store.Exchange // matches that a later chunk may still precede
}

// searchPage is how many chunks are read at a time.
const searchPage = 8

// run fills found with the first limit+1 matches.
func (q *search) run(ctx context.Context) error {
	w := walk{key: q.s.base(q.f.App) + "xz"}
	since := int64(math.MinInt64)
	if !q.f.Since.IsZero() {
		since = q.f.Since.UnixMilli()
	}
	for !w.ended {
		places, err := q.s.chunksBack(ctx, &w, searchPage)
		if err != nil {
			return err
		}
		chunks, err := q.s.chunks(ctx, q.f.App, q.open(places))
		if err != nil {
			return err
		}
		for i, p := range places {
			if q.settle(p.last); len(q.found) > q.limit || p.last < since {
				return nil
			}
			if err := q.visit(ctx, chunks[i]); err != nil {
				return err
			}
		}
	}
	q.settle(math.MinInt64)
	return nil
}

// chunkPlace is where a chunk is and when its exchanges arrived.
type chunkPlace struct {
	sid         string
	first, last int64
}

// open names the chunks that may hold a match, "" for the others: all of them
// arrived after what is looked for.
func (q *search) open(places []chunkPlace) []string {
	newest := int64(math.MaxInt64)
	if q.more {
		newest = q.afterAt
	}
	if !q.f.Until.IsZero() {
		newest = min(newest, q.f.Until.UnixMilli())
	}
	sids := make([]string, len(places))
	for i, p := range places {
		if p.first <= newest {
			sids[i] = p.sid
		}
	}
	return sids
}

// chunksBack is walkBack over the log.
func (s *Store) chunksBack(ctx context.Context, w *walk, n int) ([]chunkPlace, error) {
	members, err := s.walkBack(ctx, w, n)
	if err != nil || len(members) == 0 {
		return nil, err
	}
	places := make([]chunkPlace, len(members))
	err = s.call(ctx, "list", func(ctx context.Context) error {
		lasts, err := s.client.ZMScore(ctx, w.key, members...).Result()
		for i, at := range lasts {
			sid, first, _ := strings.Cut(members[i], " ")
			places[i] = chunkPlace{sid: sid, last: int64(at)}
			places[i].first, _ = strconv.ParseInt(first, 10, 64) // one that is no number opens the chunk
		}
		return err
	})
	return places, err
}

// chunks reads chunks by their place; "" stands for one that was not asked for or
// was trimmed.
func (s *Store) chunks(ctx context.Context, app string, sids []string) ([]string, error) {
	out := make([]string, len(sids))
	if strings.Join(sids, "") == "" {
		return out, nil
	}
	err := s.call(ctx, "list", func(ctx context.Context) error {
		datas, err := s.client.HMGet(ctx, s.base(app)+"xd", sids...).Result()
		for i, d := range datas {
			out[i], _ = d.(string)
		}
		return err
	})
	return out, err
}

// visit collects the chunk's matches.
func (q *search) visit(ctx context.Context, chunk string) error {
	if chunk == "" {
		return nil
	}
	xs, err := q.s.unpack(chunk)
	if err != nil {
		return err
	}
	for _, x := range xs {
		if !q.matches(x) {
			continue
		}
		if len(q.words) > 0 {
			ok, err := q.says(ctx, x)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
		}
		q.waiting = append(q.waiting, x)
	}
	return nil
}

// matches checks everything but the words.
func (q *search) matches(x *store.Exchange) bool {
	at := x.Time.UnixMilli()
	return q.f.Matches(x) && (!q.more || at < q.afterAt || at == q.afterAt && x.ID < q.afterID)
}

// says checks that the exchange, with the comments on it, has every word.
func (q *search) says(ctx context.Context, x *store.Exchange) (bool, error) {
	answer := x.Answer
	if answer == "" {
		answer = unescaped(x.Response)
	}
	have := wordSet(unescaped(x.Request), answer, x.Query)
	if hasWords(q.words, have) {
		return true, nil
	}
	w := walk{key: q.s.base(q.f.App) + "fi:x:" + x.ID}
	for !w.ended {
		ids, err := q.s.walkBack(ctx, &w, scanPage)
		if err != nil {
			return false, err
		}
		fs, err := q.s.feedbackByIDs(ctx, q.f.App, ids)
		if err != nil {
			return false, err
		}
		for _, f := range fs {
			for word := range wordSet(f.Comment, f.When, f.Correction) {
				have[word] = true
			}
		}
	}
	return hasWords(q.words, have), nil
}

// settle moves the matches that nothing in chunks up to last can precede to
// found, newest first.
func (q *search) settle(last int64) {
	slices.SortFunc(q.waiting, func(a, b *store.Exchange) int {
		return cmp.Or(b.Time.Compare(a.Time), strings.Compare(b.ID, a.ID))
	})
	n := 0
	for n < len(q.waiting) && len(q.found) <= q.limit && q.waiting[n].Time.UnixMilli() > last {
		q.found = append(q.found, q.waiting[n])
		n++
	}
	q.waiting = slices.Delete(q.waiting, 0, n)
}
