package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heed/store"
)

// keepAll is a journal's owner that has delivered nothing, and everything that is
// in the file.
type keepAll struct{ recs [][]byte }

func (k *keepAll) live() ([][]byte, int64) {
	var n int64
	for _, r := range k.recs {
		n += int64(len(r))
	}
	return k.recs, n
}

func openTestJournal(t *testing.T, dir string, k *keepAll) (*journal, [][]byte) {
	t.Helper()
	j, recs, err := openJournal(dir, testLog(t), k.live)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.close() })
	return j, recs
}

// addSynced adds a record and waits for the disk.
func addSynced(t *testing.T, j *journal, rec []byte) error {
	t.Helper()
	done := make(chan error, 1)
	if err := j.add(t.Context(), rec, func(err error) { done <- err }); err != nil {
		return err
	}
	return <-done
}

// writeJournal makes a journal of records of different lengths and returns its
// bytes and where each record ends.
func writeJournal(n int) (b []byte, recs [][]byte, ends []int) {
	for i := range n {
		rec := fmt.Appendf(nil, `{"n":%d,"text":%q}`, i, strings.Repeat("x", 7*i))
		recs = append(recs, rec)
		b = appendRecord(b, rec)
		ends = append(ends, len(b))
	}
	return b, recs, ends
}

// Cut off at any byte, a journal gives back every whole record, and what is left
// of the cut one is set aside.
func TestJournal_CutAtEveryByte(t *testing.T) {
	b, recs, ends := writeJournal(6)
	for n := range len(b) + 1 {
		got, damage := readRecords(b[:n])
		whole := 0
		for whole < len(ends) && ends[whole] <= n {
			whole++
		}
		left := n
		if whole > 0 {
			left = n - ends[whole-1]
		}
		if len(got) != whole || len(damage) != left {
			t.Fatalf("cut at %d: %d records and %d damaged bytes, want %d and %d", n, len(got), len(damage), whole, left)
		}
		for i, r := range got {
			if !bytes.Equal(r, recs[i]) {
				t.Fatalf("cut at %d: record %d is %q", n, i, r)
			}
		}
	}
}

// One flipped bit costs at most the record that it is in, and is never read as
// something else.
func TestJournal_EveryFlippedBit(t *testing.T) {
	b, recs, ends := writeJournal(6)
	for bit := range len(b) * 8 {
		bad := bytes.Clone(b)
		bad[bit/8] ^= 1 << (bit % 8)
		hit := 0
		for ends[hit] <= bit/8 {
			hit++
		}
		got, damage := readRecords(bad)
		want := append(append([][]byte{}, recs[:hit]...), recs[hit+1:]...)
		if len(got) != len(want) || len(damage) == 0 {
			t.Fatalf("bit %d: %d records, want %d; %d damaged bytes", bit, len(got), len(want), len(damage))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("bit %d: record %d is %q", bit, i, got[i])
			}
		}
	}
}

// A damaged journal opens; the damage is kept in a file beside it.
func TestJournal_DamageIsSetAside(t *testing.T) {
	dir := t.TempDir()
	b, recs, ends := writeJournal(3)
	b[ends[0]+recordHead+2] ^= 1
	if err := os.WriteFile(filepath.Join(dir, journalFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	j, got := openTestJournal(t, dir, &keepAll{})
	if len(got) != 2 || !bytes.Equal(got[1], recs[2]) || j.damaged.Load() == 0 {
		t.Errorf("got %q, %d damaged bytes", got, j.damaged.Load())
	}
	aside, err := filepath.Glob(filepath.Join(dir, journalFile+".damaged-*"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("set aside: %v %v", aside, err)
	}
	kept, err := os.ReadFile(aside[0])
	if err != nil || !bytes.Equal(kept, b[ends[0]:ends[1]]) {
		t.Errorf("set aside %q, want the damaged record: %v", kept, err)
	}
}

// A disk without room refuses, never acknowledges, and when it has room again the
// journal goes on with what it held.
func TestJournal_DiskFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full here: a full disk is NOT tested")
	}
	dir := t.TempDir()
	k := &keepAll{recs: [][]byte{[]byte("first")}}
	j, _ := openTestJournal(t, dir, k)
	if err := addSynced(t, j, k.recs[0]); err != nil {
		t.Fatal(err)
	}
	good := j.file
	j.file = full // no entry is under way: run waits for the next
	if err := addSynced(t, j, []byte("refused")); !errors.Is(err, store.ErrFull) {
		t.Fatalf("on a full disk: %v, want %v", err, store.ErrFull)
	}
	_ = good.Close()
	if err := addSynced(t, j, []byte("second")); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(dir, journalFile))
	if err != nil {
		t.Fatal(err)
	}
	recs, damage := readRecords(b)
	if len(damage) > 0 || string(bytes.Join(recs, []byte(" "))) != "first second" {
		t.Errorf("the journal has %q and %q", recs, damage)
	}
}

// A record in a file that somebody removed would be found by nobody: the journal
// is made anew, with what is not delivered, or nothing is acknowledged.
func TestJournal_FileRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	k := &keepAll{}
	j, _ := openTestJournal(t, dir, k)
	k.recs = [][]byte{[]byte("first")}
	if err := addSynced(t, j, k.recs[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, journalFile)); err != nil {
		t.Fatal(err)
	}
	if err := addSynced(t, j, []byte("second")); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, journalFile))
	if err != nil {
		t.Fatal(err)
	}
	if recs, _ := readRecords(b); string(bytes.Join(recs, []byte(" "))) != "first second" {
		t.Errorf("the journal has %q", recs)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := addSynced(t, j, []byte("third")); err == nil {
		t.Error("a record without a place was acknowledged")
	}
}

// A journal whose records were delivered shrinks.
func TestJournal_Compacts(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTestJournal(t, dir, &keepAll{})
	rec := bytes.Repeat([]byte("x"), 64<<10)
	for range 40 {
		if err := addSynced(t, j, rec); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, journalFile))
	if err != nil || info.Size() > 2*compactBytes {
		t.Errorf("the file has %d bytes: %v", info.Size(), err)
	}
}

// What is delivered does not stay in the file, however small it is.
func TestJournal_Empties(t *testing.T) {
	dir := t.TempDir()
	k := &keepAll{recs: [][]byte{[]byte("undelivered")}}
	j, _, err := openJournal(dir, testLog(t), k.live)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(addSynced(t, j, []byte("what somebody said")), addSynced(t, j, k.recs[0]), j.close()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} { // as its goroutine does each minute
		j.compact(1)
		b, err := os.ReadFile(filepath.Join(dir, journalFile))
		if err != nil {
			t.Fatal(err)
		}
		if recs, _ := readRecords(b); want == 0 && len(recs) != 0 {
			t.Errorf("the file still has %q", recs)
		}
		k.recs = nil
	}
}

// The journal's limit refuses instead of growing without end.
func TestStore_AddFeedback_JournalLimit(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	opt.JournalBytes = 16 << 10
	s := open(t, opt)
	srv.stop()
	var acked said
	for i := 0; ; i++ {
		text := fmt.Sprint(i, strings.Repeat("x", 1000))
		f, _, err := s.AddFeedback(context.Background(), &store.Feedback{App: "shop", Source: "api", Comment: text})
		if errors.Is(err, store.ErrFull) {
			break
		}
		if err != nil || i > 100 {
			t.Fatalf("record %d: %v", i, err)
		}
		acked = append(acked, [2]string{f.ID, text})
	}
	if len(acked) < 5 {
		t.Errorf("only %d records fit", len(acked))
	}
	srv.start()
	arrived(t, srv, open(t, withDir(opt, t.TempDir())), acked)
	if _, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", Source: "api"}); err != nil {
		t.Errorf("after delivery: %v", err)
	}
}

// One folder belongs to one process.
func TestOpen_Refuses(t *testing.T) {
	srv := startServer(t)
	opt := srv.options(t)
	open(t, opt)
	if _, err := Open(t.Context(), opt); !errors.Is(err, store.ErrLocked) {
		t.Errorf("the same folder twice: %v, want %v", err, store.ErrLocked)
	}
	for _, url := range []string{"", "http://x", "redis://:hunter2@host:port", "redis://:hunter2@host/nodb"} {
		_, err := Open(t.Context(), Options{URL: url, Dir: t.TempDir()})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("URL %q: %v", url, err)
		}
	}
}
