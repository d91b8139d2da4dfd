package redis

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

var (
	//go:embed scripts/log.lua
	logLua string
	//go:embed scripts/count.lua
	countLua string

	logScript   = script(logLua)
	countScript = script(countLua)
)

// WriteExchanges implements store.Store. The exchanges of one app are added as a
// whole; a batch of several apps is added app by app.
func (s *Store) WriteExchanges(ctx context.Context, xs []*store.Exchange) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	skipped := &store.SkippedError{}
	for len(xs) > 0 {
		part := xs[:min(len(xs), store.MaxBatchRecords)]
		xs = xs[len(part):]
		apps, byApp := slotsByApp(part, skipped)
		for _, app := range apps {
			if err := s.writeLog(ctx, app, byApp[app]); err != nil {
				return err
			}
		}
	}
	if len(skipped.IDs) > 0 {
		return skipped
	}
	return nil
}

// slotsByApp makes the exchanges ready, each once, and lists their apps in order.
func slotsByApp(xs []*store.Exchange, skipped *store.SkippedError) (apps []string, byApp map[string][]slot) {
	byApp = map[string][]slot{}
	seen := map[[2]string]bool{}
	for _, x := range xs {
		sl, err := newSlot(x)
		if err != nil {
			skipped.IDs, skipped.Err = append(skipped.IDs, sl.x.ID), errors.Join(skipped.Err, err)
			continue
		}
		key := [2]string{sl.x.App, sl.x.ID}
		if seen[key] {
			continue
		}
		seen[key] = true
		if byApp[sl.x.App] == nil {
			apps = append(apps, sl.x.App)
		}
		byApp[sl.x.App] = append(byApp[sl.x.App], sl)
	}
	return apps, byApp
}

// logArgs is what the script is told of chunks that it appends.
type logArgs struct {
	Chunks   []chunkArgs `json:"chunks"`
	Erased   uint64      `json:"er,omitempty"` // erasures that the sender knows of
	Age      int64       `json:"age"`          // seconds
	MaxN     int64       `json:"max_n"`
	MaxBytes int64       `json:"max_bytes"`
}

type chunkArgs struct {
	Exchanges []logged `json:"exchanges"`
	First     string   `json:"first"` // earliest arrival
	Last      int64    `json:"last"`  // latest

	SID    string `json:"sid,omitempty"` // set when a chunk is restored: its place,
	Number uint64 `json:"number,omitempty"`
	N      uint64 `json:"n,omitempty"` // the number of its first exchange, and how many there were
}

type logged struct {
	ID       string `json:"id"`
	At       int64  `json:"at"`
	Response string `json:"r,omitempty"`
}

// writeLog appends the slots that are not there yet, but for those of people that
// were erased after they arrived.
func (s *Store) writeLog(ctx context.Context, app string, slots []slot) error {
	for len(slots) > 0 {
		n, size := 1, slots[0].size()
		for ; n < len(slots) && size+slots[n].size() <= store.MaxBatchBytes; n++ {
			size += slots[n].size()
		}
		if err := s.writePart(ctx, app, slices.Clone(slots[:n])); err != nil {
			return err
		}
		slots = slots[n:]
	}
	return nil
}

// writePart is writeLog of what one call takes within its time limit.
func (s *Store) writePart(ctx context.Context, app string, slots []slot) error {
	for {
		known := s.erased.of(app)
		slots = slices.DeleteFunc(slots, func(o slot) bool { return known.logged(&o.x) })
		if len(slots) == 0 {
			return nil
		}
		args := logArgs{Erased: known.number, Age: int64(s.opt.LogAge.Seconds()), MaxN: s.opt.LogExchanges, MaxBytes: s.opt.LogBytes}
		var data []any
		for _, run := range split(slots) {
			args.Chunks = append(args.Chunks, describe(run))
			data = append(data, s.pack(run))
		}
		reply, err := s.run(ctx, "log", logScript, app, args, data...)
		switch {
		case err != nil || reply[0] == "new":
			return err
		case reply[0] == "erased":
			if err := s.learnErased(ctx, app); err != nil {
				return err
			}
		}
		slots = slices.DeleteFunc(slots, func(o slot) bool { return slices.Contains(reply[1:], o.x.ID) })
	}
}

func describe(run []slot) chunkArgs {
	c := chunkArgs{Last: math.MinInt64}
	first := int64(math.MaxInt64)
	for i := range run {
		x := &run[i].x
		at := x.Time.UnixMilli()
		c.Exchanges = append(c.Exchanges, logged{x.ID, at, x.ResponseID})
		first, c.Last = min(first, at), max(c.Last, at)
	}
	c.First = strconv.FormatInt(first, 10)
	return c
}

// Exchange implements store.Store: from the index, else from the stream, where
// exchanges stay until newer ones need their room or Options.LogAge is over.
func (s *Store) Exchange(ctx context.Context, app, id string) (*store.Exchange, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	if s.indexer != nil {
		if x, err := s.opt.Index.Exchange(ctx, app, id); err == nil || !errors.Is(err, store.ErrNotFound) {
			return x, err
		}
	}
	return s.streamed(ctx, app, id)
}

// streamed finds an exchange in the stream by id.
func (s *Store) streamed(ctx context.Context, app, id string) (*store.Exchange, error) {
	missing := fmt.Errorf("exchange %q: %w", id, store.ErrNotFound)
	if id == "" {
		return nil, missing
	}
	var chunk string
	var place int
	err := s.call(ctx, "exchange", func(ctx context.Context) error {
		at, err := s.client.Get(ctx, s.base(app)+"x:"+id).Result()
		if err != nil {
			return err
		}
		sid, slot, _ := strings.Cut(at, " ")
		if place, err = strconv.Atoi(slot); err != nil {
			return redis.Nil
		}
		chunk, err = s.client.HGet(ctx, s.base(app)+"xd", sid).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	xs, err := s.unpack(chunk)
	if err != nil {
		return nil, err
	}
	if place >= len(xs) || xs[place].ID != id || xs[place].App != app {
		return nil, fmt.Errorf("exchange %q: %w", id, store.ErrCorrupt)
	}
	return xs[place], nil
}

// ExchangeByResponse implements store.Store.
func (s *Store) ExchangeByResponse(ctx context.Context, app, responseID string) (*store.Exchange, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	missing := fmt.Errorf("response %q: %w", responseID, store.ErrNotFound)
	if responseID == "" {
		return nil, missing
	}
	if s.indexer != nil {
		s.indexer.catchUp(ctx)
		if x, err := s.opt.Index.ExchangeByResponse(ctx, app, responseID); err == nil || !errors.Is(err, store.ErrNotFound) {
			return x, err
		}
	}
	var doc, id string
	err := s.call(ctx, "exchange", func(ctx context.Context) error {
		var err error
		doc, err = s.client.Get(ctx, s.base(app)+"xr:"+responseID).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	var at int64
	if err := decode(doc, "response "+responseID, &[]any{&at, &id}); err != nil {
		return nil, err
	}
	return s.streamed(ctx, app, id)
}

// Gaps implements store.Store.
func (s *Store) Gaps(ctx context.Context, app string) (int64, error) {
	if err := s.check(ctx, app); err != nil {
		return 0, err
	}
	var n int64
	err := s.call(ctx, "gaps", func(ctx context.Context) error {
		v, err := s.client.HGet(ctx, s.base(app)+"c", "gap").Result()
		n = int64(number(v))
		return err
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, err
	}
	if s.indexer == nil {
		return n, nil
	}
	lost, err := s.opt.Index.Gaps(ctx, app)
	return n + lost, err
}

// NoteGap implements store.Store.
func (s *Store) NoteGap(ctx context.Context, app string, n int64) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	if n < 0 {
		return fmt.Errorf("gap of %d exchanges: want 0 or more", n)
	}
	_, err := s.run(ctx, "gap", countScript, app, struct {
		arguments
		Field string `json:"field"`
		N     int64  `json:"n"`
	}{s.arguments(app), "gap", n})
	return err
}

// streamChunk is a chunk as the stream has it; data is "" when it was trimmed
// between two reads.
type streamChunk struct {
	sid      string
	first, n uint64 // number of its first exchange, and how many there were
	data     string
}

// readStream reads up to n chunks behind sid, oldest first.
func (s *Store) readStream(ctx context.Context, app, sid string, n int64) (out []streamChunk, err error) {
	out, err = s.listStream(ctx, app, sid, n)
	if err != nil {
		return nil, err
	}
	sids := make([]string, len(out))
	for i := range out {
		sids[i] = out[i].sid
	}
	datas, err := s.chunks(ctx, app, sids)
	for i := range out {
		out[i].data = datas[i]
	}
	return out, err
}

// listStream is readStream without the chunks' data.
func (s *Store) listStream(ctx context.Context, app, sid string, n int64) (out []streamChunk, err error) {
	err = s.call(ctx, "stream", func(ctx context.Context) error {
		out = nil
		ms, err := s.client.XRangeN(ctx, s.base(app)+"x", "("+sid, "+", n).Result()
		for _, m := range ms {
			out = append(out, streamChunk{sid: m.ID, first: number(m.Values["first"]), n: number(m.Values["n"])})
		}
		return err
	})
	return out, err
}

// feedbackAfter reads up to n records that arrived after number, in order.
func (s *Store) feedbackAfter(ctx context.Context, app string, number int64, n int64) (fs []*store.Feedback, last int64, err error) {
	var zs []redis.Z
	err = s.call(ctx, "feedback", func(ctx context.Context) error {
		var err error
		zs, err = s.client.ZRangeByScoreWithScores(ctx, s.base(app)+"fn", &redis.ZRangeBy{Min: "(" + strconv.FormatInt(number, 10), Max: "+inf", Count: n}).Result()
		return err
	})
	if err != nil || len(zs) == 0 {
		return nil, number, err
	}
	ids := make([]string, len(zs))
	for i, z := range zs {
		ids[i] = z.Member.(string)
		last = int64(z.Score)
	}
	fs, err = s.feedbackByIDs(ctx, app, ids)
	return fs, last, err
}
