package redis

import (
	"bufio"
	"context"
	_ "embed" // the script
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"

	"heed/store"
)

var _ store.Backuper = (*Store)(nil)

//go:embed scripts/snapshot.lua
var snapshotLua string

var snapshotScript = script(snapshotLua)

// What a backup's folder holds.
const (
	backupFile  = "redis.backup" // everything on the server
	indexFolder = "index"        // a copy of the index, if the store has one
	indexFile   = "index.json"   // how far it had read
)

// backupMark begins the file; another version would have another one.
const backupMark = "heed-redis-backup-v1"

// snapshotAge is how long the server's own copies of an app's keys stay if the
// process that makes a backup dies.
const snapshotAge = time.Hour

// snapshotPatience is how long the server may take to copy an app's keys.
const snapshotPatience = time.Minute

// snapshotKeys are the keys of an app that belong together: they are copied at one
// moment. What they do not hold is derived from them when they are restored, or
// never changes: the log, and word statistics.
var snapshotKeys = []struct{ name, kind string }{
	{"c", "hash"}, {"eu", "hash"},
	{"f", "hash"}, {"fm", "hash"}, {"fl", "hash"}, {"fk", "hash"}, {"fa", "hash"}, {"fx", "hash"}, {"rt", "hash"},
	{"ft", "zset"}, {"fn", "zset"}, {"fd", "zset"}, {"fr", "zset"}, {"fz", "zset"}, {"le", "string"},
	{"p", "hash"}, {"pv", "hash"}, {"ps", "hash"}, {"pz", "zset"}, {"g", "hash"}, {"gv", "hash"}, {"gs", "hash"}, {"gz", "zset"},
	{"fc", "zset"}, {"fw", "hash"}, // of backups from before there were leases
	{"s", "hash"}, {"r", "hash"}, {"h", "hash"}, {"au", "hash"}, {"ah", "string"}, {"hd", "string"},
}

// Backup implements store.Backuper: a file with everything on the server, app by
// app, each as it was at one moment (its log a little earlier), and a copy of the
// index. Restore brings it back. The server copies an app's keys, but for the log,
// for as long as they are read, so it needs room for these twice. Feedback that
// waits in a process's journal is not in it; it is delivered to the restored server.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, name := range []string{backupFile, indexFolder, indexFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("backup: %s holds a store already; choose another folder", dir)
		}
	}
	err := s.backupIndex(ctx, dir)
	if err == nil {
		err = s.backupServer(ctx, filepath.Join(dir, backupFile))
	}
	if err != nil {
		for _, name := range []string{indexFolder, indexFile, backupFile + ".part"} {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name)))
		}
		return fmt.Errorf("backup: %w", err)
	}
	return syncDir(dir)
}

// backupIndex copies the index, and its position as it was before: what is read
// again then is there already.
func (s *Store) backupIndex(ctx context.Context, dir string) error {
	if s.indexer == nil {
		return nil
	}
	b, err := s.indexer.position(ctx)
	if err != nil {
		return err
	}
	if err := s.opt.Index.Backup(ctx, filepath.Join(dir, indexFolder)); err != nil {
		return err
	}
	return writeSynced(filepath.Join(dir, indexFile), b)
}

// backupServer writes the file; it gets its name when it is whole.
func (s *Store) backupServer(ctx context.Context, path string) error {
	apps, err := s.Apps(ctx)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := &backupWriter{}
	if w.enc, err = zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(true)); err != nil {
		return errors.Join(err, f.Close())
	}
	err = w.write(backupMark)
	for _, app := range apps {
		if err == nil {
			err = s.backupApp(ctx, app, w)
		}
	}
	if err == nil {
		err = w.write("end", strconv.Itoa(w.n))
	}
	if err = errors.Join(err, w.enc.Close(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// backupWriter writes records, lists of strings.
type backupWriter struct {
	enc *zstd.Encoder
	n   int // records written
	buf []byte

	blobs map[string]bool // of the app, written already
}

func (w *backupWriter) write(parts ...string) error {
	w.buf = binary.AppendUvarint(w.buf[:0], uint64(len(parts)))
	for _, p := range parts {
		w.buf = append(binary.AppendUvarint(w.buf, uint64(len(p))), p...)
	}
	w.n++
	_, err := w.enc.Write(w.buf)
	return err
}

// backupApp writes an app: its log first, then no feedback is in the copy without
// the exchange that was there when it was given.
func (s *Store) backupApp(ctx context.Context, app string, w *backupWriter) error {
	w.blobs = map[string]bool{}
	if err := w.write("app", app); err != nil {
		return err
	}
	var log []streamChunk
	for sid := "0-0"; ; sid = log[len(log)-1].sid {
		cs, err := s.listStream(ctx, app, sid, store.MaxPage)
		if err != nil {
			return err
		}
		if len(cs) == 0 {
			break
		}
		log = append(log, cs...)
	}
	token := store.NewID()
	names, err := s.snapshot(ctx, app, token)
	if err != nil {
		return err
	}
	copied := "bk:" + token + ":"
	defer func() {
		keys := make([]string, 0, len(names))
		for _, name := range names[1:] {
			keys = append(keys, s.base(app)+copied+name)
		}
		if len(keys) > 0 {
			_ = s.call(context.WithoutCancel(ctx), "backup", func(ctx context.Context) error { return s.client.Unlink(ctx, keys...).Err() }) // else they expire
		}
	}()
	for _, name := range names[1:] {
		if err := s.backupKey(ctx, app, name, copied+name, w); err != nil {
			return err
		}
	}
	for _, c := range log { // content last, as it is now: what was erased meanwhile stays erased
		datas, err := s.chunks(ctx, app, []string{c.sid})
		if err == nil && datas[0] != "" {
			err = w.write("chunk", c.sid, strconv.FormatUint(c.first, 10), strconv.FormatUint(c.n, 10), datas[0])
		}
		if err != nil {
			return err
		}
	}
	return w.write("done", app)
}

// snapshot copies the app's keys and returns the names of those that are there. A
// very large app may take the server longer than Options.Timeout; then it is asked
// again for how it ended.
func (s *Store) snapshot(ctx context.Context, app, token string) (names []string, err error) {
	args := struct {
		arguments
		Keys []string `json:"keys"`
		Age  int64    `json:"age"`
	}{arguments{App: app, Token: token}, snapshotNames(), int64(snapshotAge.Seconds())}
	for until := time.Now().Add(snapshotPatience); ; {
		names, err = s.run(ctx, "backup", snapshotScript, app, args)
		if !errors.Is(err, errDown) || time.Now().After(until) {
			return names, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(probeEvery):
		}
	}
}

func snapshotNames() []string {
	var out []string
	for _, k := range snapshotKeys {
		out = append(out, k.name)
	}
	return out
}

func kindOf(name string) string {
	for _, k := range snapshotKeys {
		if k.name == name {
			return k.kind
		}
	}
	return ""
}

// backupKey writes one key's copy, in parts.
func (s *Store) backupKey(ctx context.Context, app, name, from string, w *backupWriter) error {
	if kindOf(name) == "string" {
		var v string
		err := s.call(ctx, "backup", func(ctx context.Context) error {
			var err error
			v, err = s.client.Get(ctx, s.base(app)+from).Result()
			return err
		})
		if err != nil {
			return err
		}
		return w.write("key", name, v)
	}
	for cursor := uint64(0); ; {
		var flat []string
		err := s.call(ctx, "backup", func(ctx context.Context) error {
			var err error
			if kindOf(name) == "zset" {
				flat, cursor, err = s.client.ZScan(ctx, s.base(app)+from, cursor, "", scanPage).Result()
			} else {
				flat, cursor, err = s.client.HScan(ctx, s.base(app)+from, cursor, "", scanPage).Result()
			}
			return err
		})
		if err == nil && len(flat) > 0 {
			err = w.write(append([]string{"key", name}, flat...)...)
		}
		for i := 1; err == nil && name == "s" && i < len(flat); i += 2 {
			err = s.backupBlob(ctx, app, flat[i-1], flat[i], w)
		}
		if err != nil || cursor == 0 {
			return err
		}
	}
}

// backupBlob writes the word statistics of a set.
func (s *Store) backupBlob(ctx context.Context, app, hash, doc string, w *backupWriter) error {
	set, err := openSet([]byte(doc), app, hash)
	if err != nil || set.Stats == "" || w.blobs[set.Stats] {
		return err
	}
	b, err := s.Blob(ctx, app, set.Stats)
	if errors.Is(err, store.ErrNotFound) { // of a set that is long out of force
		return nil
	}
	if err != nil {
		return err
	}
	w.blobs[set.Stats] = true
	return w.write("blob", set.Stats, string(b))
}

// position is how far the index has read, as JSON.
func (x *indexer) position(ctx context.Context) ([]byte, error) {
	select {
	case <-x.turn:
		defer func() { x.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return json.Marshal(x.place)
}

// readRecord reads what backupWriter wrote.
func readRecord(r *bufio.Reader) ([]string, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > 8*scanPage {
		return nil, fmt.Errorf("%w: a record of %d parts", store.ErrCorrupt, n)
	}
	out := make([]string, n)
	for i := range out {
		size, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, err
		}
		if size > maxExpanded {
			return nil, fmt.Errorf("%w: a part of %d bytes", store.ErrCorrupt, size)
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		out[i] = string(b)
	}
	return out, nil
}
