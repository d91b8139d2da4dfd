package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/klauspost/compress/zstd"
	"github.com/redis/go-redis/v9"

	"heed/store"
)

// Restore fills an empty server from what Backup wrote into dir. It returns
// store.ErrConflict when the server has data already, and store.ErrCorrupt when
// the file is damaged or was cut off; then nothing is written. Counters are written
// last: until then the server counts as empty, and Restore can be called again.
// Nothing else may use the server meanwhile. The index is not restored here: it is a folder that the
// caller copies.
func (s *Store) Restore(ctx context.Context, dir string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	apps, err := s.Apps(ctx)
	if err != nil {
		return err
	}
	if len(apps) > 0 {
		return fmt.Errorf("restore: %w: redis holds data of %d apps, it must be empty", store.ErrConflict, len(apps))
	}
	path := filepath.Join(dir, backupFile)
	if _, err := s.readBackup(ctx, path, func(context.Context, []string) error { return nil }); err != nil {
		return fmt.Errorf("restore: %s: %w", path, err)
	}
	r := &restorer{s: s, counters: map[string]map[string]string{}}
	apps, err = s.readBackup(ctx, path, r.record)
	if err != nil {
		return fmt.Errorf("restore: %s: %w", path, err)
	}
	for _, app := range apps {
		r.app = app
		delete(r.counters[app], "xheld") // both were counted again
		delete(r.counters[app], "xbytes")
		if err := r.write(ctx, func(p redis.Pipeliner) { p.HSet(ctx, s.base(app)+"c", r.counters[app]) }); err != nil {
			return err
		}
		if _, err := s.run(ctx, "restore", changedScript, app, s.arguments(app)); err != nil {
			return err
		}
	}
	s.changes.kick()
	return nil
}

// readBackup calls fn for every record and returns the apps that there are. It
// returns store.ErrCorrupt when the end is missing.
func (s *Store) readBackup(ctx context.Context, path string, fn func(context.Context, []string) error) (apps []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dec, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxExpanded))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	in := bufio.NewReader(dec)
	for n := 0; ; n++ {
		rec, err := readRecord(in)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: record %d: %v", store.ErrCorrupt, n, err)
		case len(rec) == 0 || n == 0 && rec[0] != backupMark:
			return nil, fmt.Errorf("%w: it is no backup that this version can read", store.ErrUnknown)
		case n == 0:
			continue
		case rec[0] == "end":
			if len(rec) != 2 || rec[1] != strconv.Itoa(n) {
				return nil, fmt.Errorf("%w: it should have %q records, it has %d", store.ErrCorrupt, rec[1:], n)
			}
			if _, err := in.ReadByte(); !errors.Is(err, io.EOF) { // reads the checksum
				return nil, fmt.Errorf("%w: behind its end: %v", store.ErrCorrupt, err)
			}
			return apps, nil
		case rec[0] == "app" && len(rec) == 2:
			apps = append(apps, rec[1])
		}
		if err := fn(ctx, rec); err != nil {
			return nil, err
		}
	}
}

// restorer writes one app after the other.
type restorer struct {
	s        *Store
	counters map[string]map[string]string // of each app; they are written last

	app    string
	states map[string]string    // kind and id of a proposal or finding to its state
	order  map[string][]redis.Z // kind to its records in order of change
}

// record writes one record.
func (r *restorer) record(ctx context.Context, rec []string) error {
	switch kind := rec[0]; {
	case kind == "app" && len(rec) == 2:
		r.app, r.states, r.order = rec[1], map[string]string{}, map[string][]redis.Z{}
		r.counters[r.app] = map[string]string{}
		return r.clear(ctx)
	case kind == "key" && len(rec) >= 3:
		return r.key(ctx, rec[1], rec[2:])
	case kind == "blob" && len(rec) == 3:
		hash, err := r.s.storeBlob(ctx, r.app, []byte(rec[2]))
		if err == nil && hash != rec[1] {
			err = fmt.Errorf("word statistics %s: %w: their content has another hash", rec[1], store.ErrCorrupt)
		}
		return err
	case kind == "chunk" && len(rec) == 5:
		return r.chunk(ctx, rec[1], rec[2], rec[3], rec[4])
	case kind == "done" && len(rec) == 2 && rec[1] == r.app:
		return r.lists(ctx)
	}
	return fmt.Errorf("%w: a record %q of %d parts", store.ErrCorrupt, rec[0], len(rec))
}

// clear deletes what an earlier try left, but for lists that are written anew.
func (r *restorer) clear(ctx context.Context) error {
	return r.write(ctx, func(p redis.Pipeliner) {
		for _, name := range append(snapshotNames(), "x", "xd", "xl", "xz") {
			p.Unlink(ctx, r.s.base(r.app)+name)
		}
	})
}

// write runs commands about the app in one round trip.
func (r *restorer) write(ctx context.Context, fn func(p redis.Pipeliner)) error {
	return r.s.call(ctx, "restore", func(ctx context.Context) error {
		_, err := r.s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			fn(p)
			return nil
		})
		return err
	})
}

// key writes a part of a key, and what is derived from it.
func (r *restorer) key(ctx context.Context, name string, v []string) error {
	key := r.s.base(r.app) + name
	switch kind := kindOf(name); {
	case kind == "string" && len(v) == 1:
		return r.write(ctx, func(p redis.Pipeliner) { p.Set(ctx, key, v[0], 0) })
	case kind == "hash" && len(v)%2 == 0:
		indexes, err := r.indexes(name, v)
		if err != nil || name == "c" {
			return err
		}
		return r.write(ctx, func(p redis.Pipeliner) {
			p.HSet(ctx, key, v)
			for _, z := range indexes {
				p.ZAdd(ctx, z.key, z.Z)
			}
		})
	case kind == "zset" && len(v)%2 == 0:
		var zs []redis.Z
		for i := 0; i < len(v); i += 2 {
			score, err := strconv.ParseFloat(v[i+1], 64)
			if err != nil {
				return fmt.Errorf("%w: key %s: score %q", store.ErrCorrupt, name, v[i+1])
			}
			zs = append(zs, redis.Z{Member: v[i], Score: score})
		}
		if name == "pz" || name == "gz" {
			r.order[name[:1]] = append(r.order[name[:1]], zs...)
		}
		return r.write(ctx, func(p redis.Pipeliner) { p.ZAdd(ctx, key, zs...) })
	}
	return fmt.Errorf("%w: key %q with %d parts", store.ErrCorrupt, name, len(v))
}

// indexed is a place in a list by exchange, session or user.
type indexed struct {
	key string
	redis.Z
}

// indexes notes what is needed later of a part of a hash, and returns the lists
// that its records are in.
func (r *restorer) indexes(name string, v []string) (out []indexed, err error) {
	add := func(list, of, id string, at float64) {
		if of != "" {
			out = append(out, indexed{r.s.base(r.app) + "fi:" + list + ":" + of, redis.Z{Member: id, Score: at}})
		}
	}
	for i := 0; i+1 < len(v) && err == nil; i += 2 {
		id, doc := v[i], v[i+1]
		switch name {
		case "c":
			r.counters[r.app][id] = doc
		case "ps", "gs":
			r.states[name[:1]+id] = doc
		case "f":
			var f store.Feedback
			err = decode(doc, "feedback "+id, &f)
			add("s", f.Session, id, float64(f.Time.UnixMilli()))
		case "fm":
			var m struct {
				At   float64 `json:"at"`
				Ex   string  `json:"ex"`
				User string  `json:"user"`
			}
			err = decode(doc, "state of feedback "+id, &m)
			add("x", m.Ex, id, m.At)
			add("u", m.User, id, m.At)
		}
	}
	return out, err
}

// chunk appends a chunk of the log at its place.
func (r *restorer) chunk(ctx context.Context, sid, first, n, data string) error {
	xs, err := r.s.unpack(data)
	if err != nil {
		return fmt.Errorf("chunk %s: %w", sid, err)
	}
	slots := make([]slot, len(xs))
	for i, x := range xs {
		if slots[i], err = newSlot(x); err != nil {
			return err
		}
	}
	c := describe(slots)
	if len(xs) == 0 {
		c.First, c.Last = "0", 0
	}
	c.SID, c.Number, c.N = sid, number(first), number(n)
	_, err = r.s.run(ctx, "restore", logScript, r.app, logArgs{
		Chunks: []chunkArgs{c}, Age: int64(r.s.opt.LogAge.Seconds()), MaxN: r.s.opt.LogExchanges, MaxBytes: r.s.opt.LogBytes,
	}, data)
	return err
}

// lists writes proposals and findings by state.
func (r *restorer) lists(ctx context.Context) error {
	for kind, zs := range r.order {
		byState := map[string][]redis.Z{}
		for _, z := range zs {
			state := r.states[kind+z.Member.(string)]
			byState[state] = append(byState[state], z)
		}
		for state, zs := range byState {
			if err := r.write(ctx, func(p redis.Pipeliner) { p.ZAdd(ctx, r.s.base(r.app)+kind+"z:"+state, zs...) }); err != nil {
				return err
			}
		}
	}
	return nil
}
