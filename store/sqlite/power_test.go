package sqlite

import (
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"heed/store"
)

// image is a file as the disk holds it: what was synced, and what was written
// since, of which a power cut may keep any part.
type image struct {
	data    []byte
	pending []change
}

// change is a write, or with no data a truncation.
type change struct {
	off  int64
	data []byte
}

func (im *image) apply(c change) {
	end := c.off + int64(len(c.data))
	if c.data == nil {
		im.data = im.data[:min(c.off, int64(len(im.data)))]
		return
	}
	if n := end - int64(len(im.data)); n > 0 {
		im.data = append(im.data, make([]byte, n)...)
	}
	copy(im.data[c.off:], c.data)
}

// of is the image of a file, which is what is there when it is first asked for.
// The caller holds d.mu.
func (d *disk) of(path string) *image {
	im := d.images[path]
	if im == nil {
		b, _ := os.ReadFile(path)
		im = &image{data: b}
		d.images[path] = im
	}
	return im
}

func (d *disk) note(path string, c change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.images != nil {
		im := d.of(path)
		im.pending = append(im.pending, c)
	}
}

func (d *disk) wrote(path string, off int64, data []byte) { d.note(path, change{off, data}) }
func (d *disk) truncated(path string, size int64)         { d.note(path, change{off: size}) }

func (d *disk) flushed(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.images == nil {
		return
	}
	im := d.of(path)
	for _, c := range im.pending {
		im.apply(c)
	}
	im.pending = nil
}

func (d *disk) deleted(path string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.images, path)
}

// sector is what a disk writes as a whole, in bytes.
const sector = 512

// powercut writes into dir what a power cut may leave: of each file what was
// synced, and of what was written since a part at random, some of it torn. The
// caller holds d.mu.
func (d *disk) powercut(random *rand.Rand, dir string) error {
	for _, path := range slices.Sorted(maps.Keys(d.images)) {
		im := d.images[path]
		left := &image{data: slices.Clone(im.data)}
		share := []float64{0, 0.5, 0.9, 1}[random.IntN(4)]
		for _, c := range im.pending {
			if random.Float64() >= share {
				continue
			}
			if len(c.data) > sector && random.IntN(4) == 0 {
				c.data = c.data[:sector*(1+random.IntN(len(c.data)/sector))]
			}
			left.apply(c)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), left.data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// TestStore_PowerCut cuts the power before calls of SQLite to the disk: before
// each one with HEED_SOAK set, else before some. What was acknowledged before is
// there afterwards, once and whole.
func TestStore_PowerCut(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	calls, _ := playPowerCut(t, math.MaxInt, seed)
	step := stride(calls)
	cuts, k := 0, 1+int(seed%uint64(step))
	for ; ; k += step {
		_, cut := playPowerCut(t, k, seed)
		if t.Failed() {
			t.Fatalf("seed %d, call %d", seed, k)
		}
		if !cut {
			break
		}
		cuts++
	}
	t.Logf("%d cuts within %d calls", cuts, k-1)
	if cuts < 4 {
		t.Errorf("only %d cuts: the test proves nothing", cuts)
	}
}

// playPowerCut plays a life in which the power is cut before the k-th call. It
// returns how many calls the life made, and whether the k-th was reached.
func playPowerCut(t *testing.T, k int, seed uint64) (calls int, cut bool) {
	t.Helper()
	dir, after := memoryFolder(t), memoryFolder(t)
	defer os.RemoveAll(dir)
	defer os.RemoveAll(after)
	d := newDisk(t, dir)
	defer d.remove()
	l := newLife()
	var then *ledger
	d.images, d.cutAt = map[string]*image{}, k
	d.cut = func() {
		then = l.so()
		if err := d.powercut(rand.New(rand.NewPCG(seed, uint64(k))), after); err != nil {
			t.Error(err)
		}
	}
	l.play(t, dir)
	for _, err := range l.errs {
		t.Errorf("without a fault: %v", err)
	}
	calls, _ = d.heal()
	if then == nil {
		return calls, false
	}
	s, err := Open(t.Context(), after, Options{})
	if err != nil {
		t.Errorf("cut before call %d: %v", k, err)
		return calls, true
	}
	defer s.Close()
	then.exchanges = nil // a second of the log may be lost
	then.check(t, reopening{s})
	l.checkLog(t, s, nil)
	if _, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", Comment: "after the cut"}); err != nil {
		t.Errorf("cut before call %d: %v", k, err)
	}
	return calls, true
}

// stride is the distance of the calls that are tried: each with HEED_SOAK set,
// else every fifth part of them.
func stride(calls int) int {
	if os.Getenv("HEED_SOAK") != "" {
		return 1
	}
	return max(1, calls/5)
}
