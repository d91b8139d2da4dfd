package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"heed/store"
)

// killed makes a folder as kill -9 leaves it, with feedback in heed.db's
// write-ahead log only.
func killed(t *testing.T, n int) (dir string, ids []string) {
	t.Helper()
	from := t.TempDir()
	s := open(t, from, Options{})
	for i := range n {
		f, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", Comment: fmt.Sprint("please be brief ", i)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, f.ID)
	}
	dir = t.TempDir()
	for _, name := range []string{mainFile, mainFile + "-wal", logFile, logFile + "-wal"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, ids
}

// lost opens the folder and tells how many of the records, from the end, are not
// there; one that is missing before one that is there is an error.
func lost(t *testing.T, dir string, ids []string) (int, error) {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	n := 0
	for i := range ids {
		_, err := s.FeedbackByID(t.Context(), "shop", ids[i])
		switch {
		case err == nil && n > 0:
			return n, fmt.Errorf("record %d is missing before one that is there", i-1)
		case errors.Is(err, store.ErrNotFound):
			n++
		case err != nil:
			return n, err
		}
	}
	return n, nil
}

// TestOpen_JournalDamaged flips bits of the write-ahead log that a kill left: at
// most the last commit may be taken for what a power cut tore; anything else is
// refused by name, never silently dropped.
func TestOpen_JournalDamaged(t *testing.T) {
	good, ids := killed(t, 12)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	whole, err := os.ReadFile(filepath.Join(good, mainFile+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for range 60 {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		b := append([]byte(nil), whole...)
		at := random.IntN(len(b))
		b[at] ^= 1 << random.IntN(8)
		if err := os.WriteFile(filepath.Join(dir, mainFile+"-wal"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := lost(t, dir, ids)
		if errors.Is(err, store.ErrCorrupt) {
			wants(t, err, store.ErrCorrupt, mainFile)
			refused++
		} else if err != nil || n > 1 {
			t.Errorf("seed %d, byte %d of %d: %d records are silently gone, %v", seed, at, len(b), n, err)
		}
	}
	if refused < 20 {
		t.Errorf("only %d of 60 damages were refused: the test proves nothing", refused)
	}
}

// TestDamagedFrame_Header flips each bit of the headers of the frames of the commit
// before the last, the one that is easiest taken for torn.
func TestDamagedFrame_Header(t *testing.T) {
	dir, _ := killed(t, 12)
	b, err := os.ReadFile(filepath.Join(dir, mainFile+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	size := frameHeader + int(binary.BigEndian.Uint32(b[8:]))
	frames := (len(b) - walHeader) / size
	pages := func(n int) uint32 { return binary.BigEndian.Uint32(b[walHeader+(n-1)*size+4:]) }
	var ends []int // the frames that end a commit
	for n := 1; n <= frames; n++ {
		if pages(n) != 0 {
			ends = append(ends, n)
		}
	}
	if len(ends) < 12 || ends[len(ends)-1] != frames {
		t.Fatalf("%d frames, commits end at %v", frames, ends)
	}
	if got, err := damagedFrame(bytes.NewReader(b)); got != 0 || err != nil {
		t.Fatalf("the log as it was left: %d, %v", got, err)
	}
	for bit := range 8 * walHeader {
		b[bit/8] ^= 1 << (bit % 8)
		if got, err := damagedFrame(bytes.NewReader(b)); got == 0 || err != nil {
			t.Errorf("bit %d of the header: %d, %v", bit, got, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	for n := ends[len(ends)-3] + 1; n <= ends[len(ends)-2]; n++ {
		for bit := range 8 * frameHeader {
			at := walHeader + (n-1)*size + bit/8
			b[at] ^= 1 << (bit % 8)
			// A log whose size is a power of two loses its commit with one bit.
			if got, err := damagedFrame(bytes.NewReader(b)); (got != n || err != nil) && (n < ends[len(ends)-2] || pages(n) != 0) {
				t.Errorf("bit %d of frame %d of %d: %d, %v", bit, n, frames, got, err)
			}
			b[at] ^= 1 << (bit % 8)
		}
	}
}

// TestOpen_JournalTorn cuts the log at random bytes, as a power cut may: the store
// opens with the commits that are whole.
func TestOpen_JournalTorn(t *testing.T) {
	good, ids := killed(t, 12)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	path := mainFile + "-wal"
	whole, err := os.ReadFile(filepath.Join(good, path))
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		at := random.IntN(len(whole))
		if err := os.WriteFile(filepath.Join(dir, path), whole[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := lost(t, dir, ids); err != nil {
			t.Errorf("seed %d, cut at %d of %d: %v", seed, at, len(whole), err)
		}
	}
}
