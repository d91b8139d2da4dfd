// Package redis is the store of many replicas: any server of the Redis protocol
// (7.0 and later), a cluster included, holds the record, and each process keeps a
// folder of its own for what must outlive an outage of that server.
//
// Start with [Open] and [Store.Close]; between them a [Store] keeps the contract
// of store.Store. Open does not need the server to answer: a process that starts
// during an outage serves the rules that it last saw.
//
//   - Feedback goes into a local journal and is on disk (fsync) before AddFeedback
//     returns; it is delivered in order, exactly once, by a script that knows each
//     record's token. An acknowledgement never depends on the server.
//   - Every change of the server's data is one script over the keys of one app,
//     which share a hash tag, so it happens as a whole or not at all; each carries
//     a token, so that one whose reply was lost can be sent again.
//   - Rule sets are immutable under their hash; head, set and word statistics are
//     copied to local files, checked against their hash when read.
//   - Exchanges go to a stream per app that is bounded in number and bytes. A
//     process with an Index copies it there and lists from it; one without lists
//     what the stream still holds.
//
// How durable delivered data is, is the server's configuration: with appendonly
// yes and appendfsync always it loses nothing at a restart, with everysec up to two
// seconds, without an append-only file minutes. maxmemory-policy must be
// noeviction. A failover may lose what the new primary had not seen; the feedback
// of the last ten minutes is then delivered again from the journals.
//
// The server's user needs no more than
//
//	~heed:* &heed:* +@read +@write +@scripting +@pubsub +@connection +time
//
// and, on a cluster, +cluster.
package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"heed/store"
)

// Index keeps the exchanges of all apps where they can be listed and searched for
// as long as they are retained, and the comments on them.
type Index interface {
	store.ExchangeStore
	store.Eraser
	store.Backuper

	// AddFeedback mirrors a record, so that its words find its exchange and its
	// exchange is kept.
	AddFeedback(ctx context.Context, f *store.Feedback) (*store.Feedback, bool, error)
}

// Options tune a Store. Zero fields take the defaults.
type Options struct {
	// URL of the server: redis://, rediss:// (TLS) or unix://; with one addr=
	// parameter or more a cluster (redis://host:6379?addr=host2:6379), with
	// master_name= the group that sentinels watch there (the nodes' own user is
	// then username= and password=). Required.
	URL string

	// Dir is the process's own folder: journal, copies of rules, the index's
	// position. It is locked while the store is open. Required.
	Dir string

	// Index serves lists and searches of exchanges; nil lists what the stream
	// still holds. The caller closes it, after the store.
	Index Index

	Prefix       string        // of every key; default heed
	Timeout      time.Duration // of one call, retry included; default 1s
	Poll         time.Duration // how often Wait looks for itself; default 1s
	JournalBytes int64         // undelivered feedback; beyond it AddFeedback is ErrFull; default 256 MiB
	LogExchanges int64         // exchanges that an app's stream holds; default 50000
	LogBytes     int64         // their bytes, compressed; default 64 MiB
	LogAge       time.Duration // how long an exchange can be found by id; default 168h, as long as a token

	Log        *slog.Logger          // default slog.Default()
	Registerer prometheus.Registerer // nil registers nothing
}

func (o Options) withDefaults() Options {
	o.Prefix = cmp.Or(o.Prefix, "heed")
	o.Timeout = cmp.Or(o.Timeout, time.Second)
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.JournalBytes = cmp.Or(o.JournalBytes, 256<<20)
	o.LogExchanges = cmp.Or(o.LogExchanges, 50_000)
	o.LogBytes = cmp.Or(o.LogBytes, 64<<20)
	o.LogAge = cmp.Or(o.LogAge, 7*24*time.Hour)
	o.Log = cmp.Or(o.Log, slog.Default())
	return o
}

// Store is the record on a server, as one process sees it. It is safe for
// concurrent use.
type Store struct {
	opt    Options
	lock   *os.File
	client redis.UniversalClient
	health breaker
	enc    *zstd.Encoder
	dec    *zstd.Decoder

	journal *journal
	out     *outbox
	copies  *copies
	changes *changes
	indexer *indexer // nil without an index
	erased  erasedApps
	metrics *metrics

	apps   sync.Map // names that are known to be listed on the server
	closed atomic.Bool
	stop   context.CancelFunc // ends the goroutines
	work   sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Open opens the store. It returns store.ErrLocked when another process uses Dir,
// and an error when the URL or the folder is no good; a server that does not
// answer is no error. A journal that a crash left is delivered; a damaged part of
// it is set aside in a file beside it and reported.
func Open(ctx context.Context, opt Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opt.URL == "" || opt.Dir == "" {
		return nil, errors.New("redis store: want a URL and a folder")
	}
	opt = opt.withDefaults()
	client, err := newClient(opt)
	if err != nil {
		return nil, err
	}
	s := &Store{opt: opt, client: client, changes: newChanges()}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	loops := []func(context.Context){s.watch, s.deliver}
	if s.indexer != nil {
		loops = append(loops, s.indexer.run)
	}
	for _, loop := range loops {
		s.work.Go(func() { loop(background) }) // ends with stop
	}
	return s, nil
}

func (s *Store) open() error {
	dir := s.opt.Dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make store folder: %w", err)
	}
	var err error
	if s.lock, err = store.LockFolder(filepath.Join(dir, "heed.lock")); err != nil {
		return err
	}
	s.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(true), zstd.WithZeroFrames(true))
	if err != nil {
		return err
	}
	if s.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxExpanded)); err != nil {
		return err
	}
	if s.copies, err = openCopies(filepath.Join(dir, "rules")); err != nil {
		return err
	}
	if s.opt.Index != nil {
		if s.indexer, err = newIndexer(s, filepath.Join(dir, "index.json")); err != nil {
			return err
		}
	}
	s.out = newOutbox()
	var left [][]byte
	if s.journal, left, err = openJournal(dir, s.opt.Log, s.out.records); err != nil {
		return err
	}
	if err := s.out.restore(left); err != nil {
		return err
	}
	s.metrics = newMetrics(s)
	return nil
}

// Close stops delivery, leaves what is undelivered in the journal, and releases
// the folder. Later calls return store.ErrClosed.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return store.ErrClosed
	}
	s.stop()
	s.work.Wait()
	s.changes.close()
	s.out.close()
	return s.release()
}

// release closes what open opened.
func (s *Store) release() error {
	var errs []error
	if s.journal != nil {
		errs = append(errs, s.journal.close())
	}
	if s.metrics != nil {
		s.metrics.unregister()
	}
	errs = append(errs, s.client.Close())
	if s.enc != nil {
		errs = append(errs, s.enc.Close())
	}
	if s.dec != nil {
		s.dec.Close()
	}
	if s.lock != nil {
		errs = append(errs, store.UnlockFolder(s.lock))
	}
	return errors.Join(errs...)
}

// check is the first thing every method does: the caller's time, then whether
// the store is open, then the app.
func (s *Store) check(ctx context.Context, app string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if app == "" {
		return errors.New("app is empty")
	}
	return nil
}

func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	return nil
}

// Health implements store.Store: the server took a write. AddFeedback may work
// while Health does not.
func (s *Store) Health(ctx context.Context) error {
	return s.call(ctx, "health", func(ctx context.Context) error {
		return s.client.Set(ctx, s.opt.Prefix+":beat", time.Now().UnixMilli(), time.Minute).Err()
	})
}

// Apps implements store.Store.
func (s *Store) Apps(ctx context.Context) ([]string, error) {
	states, err := s.appStates(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for app, st := range states {
		if st.seq > 0 || st.logged > 0 || st.gap > 0 {
			out = append(out, app)
		}
	}
	slices.Sort(out)
	return out, nil
}

// appState is how far an app's counters stand.
type appState struct{ seq, logged, gap, said, erased uint64 }

// appStates reads the counters of all apps.
func (s *Store) appStates(ctx context.Context) (map[string]appState, error) {
	out := map[string]appState{}
	err := s.call(ctx, "apps", func(ctx context.Context) error {
		apps, err := s.client.SMembers(ctx, s.opt.Prefix+":apps").Result()
		if err != nil || len(apps) == 0 {
			return err
		}
		cmds := make([]*redis.SliceCmd, len(apps))
		_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, app := range apps {
				cmds[i] = p.HMGet(ctx, s.base(app)+"c", "seq", "xn", "gap", "fn", "ern")
			}
			return nil
		})
		for i, app := range apps {
			v := cmds[i].Val()
			if len(v) == 5 {
				out[app] = appState{number(v[0]), number(v[1]), number(v[2]), number(v[3]), number(v[4])}
			}
		}
		return err
	})
	return out, err
}
