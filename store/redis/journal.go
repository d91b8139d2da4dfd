package redis

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"heed/store"
)

// The journal is a file of records: mark, length, CRC-32C of the payload (both
// little endian, 4 bytes), payload. The mark lets reading go on behind damage.
const (
	journalFile    = "feedback.journal"
	recordMark     = "hJ1\n"
	recordHead     = len(recordMark) + 8
	maxRecordBytes = 1 << 20
	maxGroup       = 256     // records that share one fsync, at most
	compactBytes   = 1 << 20 // a journal below this is rewritten only when it can be emptied
	tidyEvery      = time.Minute
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// journal keeps feedback on disk until it is delivered. One goroutine writes;
// concurrent records share one fsync.
type journal struct {
	path string
	log  *slog.Logger
	live func() (records [][]byte, bytes int64) // what must stay

	queue chan *entry
	ended chan struct{} // run has ended

	mu     sync.RWMutex // guards closed against a send on queue
	closed bool

	file   *os.File    // the rest is run's
	made   os.FileInfo // of file
	size   int64
	broken bool // the end of the file is not known to be good: write it anew first

	damaged atomic.Int64 // bytes set aside at the start
}

// entry is a record on its way to the disk.
type entry struct {
	rec  []byte // nil writes the file anew, with what must stay, and overwrites the old one
	sync bool
	done func(error) // called once by the journal's goroutine; it must not wait
}

// openJournal opens the journal in dir and returns the records in it, oldest
// first. Bytes that are no record are copied to a file beside it and reported.
func openJournal(dir string, log *slog.Logger, live func() ([][]byte, int64)) (*journal, [][]byte, error) {
	j := &journal{path: filepath.Join(dir, journalFile), log: log, live: live, queue: make(chan *entry, maxGroup), ended: make(chan struct{})}
	b, err := os.ReadFile(j.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read journal: %w", err)
	}
	records, damage := readRecords(b)
	if len(damage) > 0 {
		aside := fmt.Sprintf("%s.damaged-%s", j.path, time.Now().UTC().Format("20060102T150405.000"))
		if err := writeSynced(aside, damage); err != nil {
			return nil, nil, fmt.Errorf("set damaged part of journal aside: %w", err)
		}
		j.damaged.Store(int64(len(damage)))
		log.Error("journal has a damaged part; the rest is delivered", "bytes", len(damage), "kept_in", aside)
	}
	if err := j.rewrite(records); err != nil {
		return nil, nil, err
	}
	go j.run()
	return j, records, nil
}

// readRecords splits a journal into its records and the bytes that are none.
func readRecords(b []byte) (records [][]byte, damage []byte) {
	for len(b) > 0 {
		if rec, ok := firstRecord(b); ok {
			records = append(records, rec)
			b = b[recordHead+len(rec):]
			continue
		}
		next := 1
		for {
			i := bytes.Index(b[next:], []byte(recordMark))
			if i < 0 {
				return records, append(damage, b...)
			}
			next += i
			if _, ok := firstRecord(b[next:]); ok {
				break
			}
			next++
		}
		damage = append(damage, b[:next]...)
		b = b[next:]
	}
	return records, damage
}

func firstRecord(b []byte) (payload []byte, ok bool) {
	if len(b) < recordHead || string(b[:len(recordMark)]) != recordMark {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > maxRecordBytes || int(n) > len(b)-recordHead {
		return nil, false
	}
	payload = b[recordHead : recordHead+int(n)]
	return payload, crc32.Checksum(payload, castagnoli) == binary.LittleEndian.Uint32(b[8:])
}

func appendRecord(b, rec []byte) []byte {
	b = append(b, recordMark...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(rec)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(rec, castagnoli))
	return append(b, rec...)
}

// add takes the record and calls done when it is on disk, or could not be put
// there. An error means that it was not taken and done is not called.
func (j *journal) add(ctx context.Context, rec []byte, done func(error)) error {
	if len(rec) > maxRecordBytes {
		return fmt.Errorf("journal: record of %d bytes, at most %d: %w", len(rec), maxRecordBytes, store.ErrTooLarge)
	}
	return j.send(ctx, &entry{rec: rec, sync: true, done: done})
}

// note appends a record that need not reach the disk soon.
func (j *journal) note(rec []byte) {
	_ = j.send(context.Background(), &entry{rec: rec, done: func(error) {}}) // without it the record is delivered again, which changes nothing
}

// purge takes what was dropped out of the file, soon.
func (j *journal) purge() { j.note(nil) }

func (j *journal) send(ctx context.Context, e *entry) error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.closed {
		return store.ErrClosed
	}
	select {
	case j.queue <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (j *journal) close() error {
	j.mu.Lock()
	if !j.closed {
		j.closed = true
		close(j.queue)
	}
	j.mu.Unlock()
	<-j.ended
	return errors.Join(j.file.Sync(), j.file.Close())
}

// run writes groups of records until the queue is closed and empty. Now and then
// it empties the file, so that what people said does not outlive its delivery here.
func (j *journal) run() {
	defer close(j.ended)
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	for {
		select {
		case e, ok := <-j.queue:
			if !ok {
				return
			}
			group := j.gather(e)
			err := j.write(group)
			for _, e := range group {
				e.done(err)
			}
			if slices.ContainsFunc(group, func(e *entry) bool { return e.rec == nil }) {
				j.overwrite()
			}
			j.compact(compactBytes)
		case <-tidy.C:
			j.compact(1)
		}
	}
}

// gather takes what waits besides e.
func (j *journal) gather(e *entry) []*entry {
	group := []*entry{e}
	for len(group) < maxGroup {
		select {
		case e, ok := <-j.queue:
			if !ok {
				return group
			}
			group = append(group, e)
		default:
			return group
		}
	}
	return group
}

// write appends the group and syncs it when one of it wants that. After an error
// the end of the file is unknown, so the next write begins with a new file; so it
// does when somebody removed the file, since nobody would find what is in it.
func (j *journal) write(group []*entry) error {
	if j.broken || !j.there() {
		records, _ := j.live()
		if err := j.rewrite(without(records, group)); err != nil {
			return err
		}
	}
	var b []byte
	synced := false
	for _, e := range group {
		if e.rec != nil {
			b = appendRecord(b, e.rec)
		}
		synced = synced || e.sync
	}
	_, err := j.file.WriteAt(b, j.size)
	if err == nil && synced {
		err = syncData(j.file)
	}
	if err != nil {
		j.broken = true
		return journalError(err)
	}
	j.size += int64(len(b))
	return nil
}

// there says whether the open file is still the one under its name.
func (j *journal) there() bool {
	now, err := os.Stat(j.path)
	return err == nil && os.SameFile(j.made, now)
}

// without leaves out the records that are being added: whoever adds them is not
// told yet that they are kept.
func without(records [][]byte, group []*entry) [][]byte {
	adding := make(map[string]bool, len(group))
	for _, e := range group {
		adding[string(e.rec)] = true
	}
	var out [][]byte
	for _, r := range records {
		if !adding[string(r)] {
			out = append(out, r)
		}
	}
	return out
}

func journalError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("journal: %w: %w", store.ErrFull, err)
	}
	return fmt.Errorf("journal: %w", err)
}

// compact writes the file anew when it has at least that many bytes and most of
// them are delivered.
func (j *journal) compact(least int64) {
	if j.size < least || j.broken {
		return
	}
	records, live := j.live()
	if j.size < 4*live {
		return
	}
	if err := j.rewrite(records); err != nil {
		j.log.Warn("journal not compacted", "error", err)
	}
}

// overwrite writes the file anew and the old one's bytes over.
func (j *journal) overwrite() {
	old, err := os.OpenFile(j.path, os.O_RDWR, 0)
	if err == nil {
		defer old.Close()
		records, _ := j.live()
		if err = j.rewrite(records); err == nil {
			err = wipe(old)
		}
	}
	if err != nil {
		j.log.Error("the journal may still hold what an erased person said; the next time that it is written anew it does not", "error", err)
	}
}

// wipe writes zeros over a file's bytes.
func wipe(f *os.File) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.WriteAt(make([]byte, size), 0)
	}
	return errors.Join(err, f.Sync())
}

// rewrite replaces the file, as a whole, by one with these records.
func (j *journal) rewrite(records [][]byte) error {
	tmp := j.path + ".new"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return journalError(err)
	}
	w := bufio.NewWriterSize(f, 64<<10)
	var size int64
	for _, r := range records {
		b := appendRecord(nil, r)
		size += int64(len(b))
		_, _ = w.Write(b) // Flush returns the error
	}
	made, err := f.Stat()
	err = errors.Join(err, w.Flush(), f.Sync())
	if err == nil {
		err = os.Rename(tmp, j.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(j.path))
	}
	if err != nil {
		return journalError(errors.Join(err, f.Close()))
	}
	if j.file != nil {
		_ = j.file.Close() // it is replaced
	}
	j.file, j.made, j.size, j.broken = f, made, size, false
	return nil
}

// writeSynced writes a file as a whole: it is there with all of b, or not at all.
func writeSynced(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename in dir durable. Windows cannot be asked to.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
