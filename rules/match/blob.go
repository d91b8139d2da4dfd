package match

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// blobMagic names the format and its version: another version is refused, since
// Stats can always be made again from the traffic.
const blobMagic = "heedmatch1\n"

// MaxStatsBytes bounds what [UnmarshalStats] reads. What [Fit] makes stays far
// below: its limits add up to some 40 MiB, usual apps have a few.
const MaxStatsBytes = 64 << 20

const maxIDBytes = 256

// ErrStats says that a blob holds no Stats of this version.
var ErrStats = errors.New("no matcher statistics of this version: fit them again")

// MarshalBinary returns s in a compact form, equal for equal Stats. It never
// fails.
func (s *Stats) MarshalBinary() ([]byte, error) {
	w := blobWriter(blobMagic)
	w.flag(s.warm)
	w.float(s.texts)
	w.float(s.totals[0])
	w.float(s.totals[1])
	w.uint(uint64(languages))
	for _, n := range s.langs {
		w.uint(uint64(n))
	}
	w.uint(uint64(len(s.counts)))
	last := uint32(0)
	for _, c := range s.counts {
		w.uint(uint64(c.key-last)<<2 | uint64(c.kind))
		w.uint(uint64(c.df))
		w.uint(uint64(c.cf*16 + 0.5))
		last = c.key
	}
	w.uint(uint64(len(s.soft)))
	for i := range s.soft {
		w.soft(&s.soft[i])
	}
	w.uint(uint64(len(s.steps)))
	for i := range s.steps {
		w.step(&s.steps[i])
	}
	return w, nil
}

// UnmarshalStats reads what MarshalBinary wrote. It returns ErrStats, wrapped, for
// anything else, never panics, and allocates no more than a small multiple of the
// blob's length. It keeps no reference to b.
func UnmarshalStats(b []byte) (*Stats, error) {
	if len(b) > MaxStatsBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrStats, len(b), MaxStatsBytes)
	}
	if len(b) < len(blobMagic) || string(b[:len(blobMagic)]) != blobMagic {
		return nil, fmt.Errorf("%w: another format", ErrStats)
	}
	r := &blobReader{b: b[len(blobMagic):]}
	s := &Stats{warm: r.flag(), texts: r.float(), totals: [2]float64{r.float(), r.float()}}
	if r.uint() != uint64(languages) {
		r.fail()
	}
	for i := range s.langs {
		s.langs[i] = uint32(r.uint())
	}
	s.counts = r.counts()
	for range r.length(2) {
		s.soft = append(s.soft, r.soft())
	}
	for range r.length(2) {
		s.steps = append(s.steps, r.step())
	}
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("%w: damaged", ErrStats)
	}
	return s, nil
}

type blobWriter []byte

func (w *blobWriter) uint(x uint64)   { *w = binary.AppendUvarint(*w, x) }
func (w *blobWriter) float(x float64) { *w = binary.LittleEndian.AppendUint64(*w, math.Float64bits(x)) }
func (w *blobWriter) small(x float32) { *w = binary.LittleEndian.AppendUint16(*w, half(x)) }

func (w *blobWriter) flag(b bool) {
	if b {
		w.uint(1)
		return
	}
	w.uint(0)
}

func (w *blobWriter) text(s string) {
	w.uint(uint64(len(s)))
	*w = append(*w, s...)
}

func (w *blobWriter) soft(c *softClass) {
	w.text(c.scope)
	w.float(float64(c.examples))
	w.uint(uint64(len(c.feats)))
	last := uint32(0)
	for _, f := range c.feats {
		w.uint(uint64(f.key-last)<<2 | uint64(f.kind))
		w.small(f.x)
		w.small(f.v)
		last = f.key
	}
}

func (w *blobWriter) step(t *stepTemplate) {
	w.text(t.step)
	w.uint(uint64(len(t.shingles)))
	last := uint32(0)
	for _, h := range t.shingles {
		w.uint(uint64(h - last))
		last = h
	}
}

// half keeps the upper 16 bits of a float, rounded: three digits are plenty for
// soft counts.
func half(x float32) uint16 {
	bits := math.Float32bits(x)
	if bits < 0x7f7f8000 {
		bits += 0x8000
	}
	return uint16(bits >> 16)
}

func whole(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

type blobReader struct {
	b   []byte
	bad bool
}

func (r *blobReader) fail() { r.b, r.bad = nil, true }

func (r *blobReader) uint() uint64 {
	x, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return x
}

func (r *blobReader) flag() bool { return r.uint() == 1 }

func (r *blobReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail()
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// float reads a number that may be scored with: finite and not negative.
func (r *blobReader) float() float64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	x := math.Float64frombits(binary.LittleEndian.Uint64(b))
	if !(x >= 0 && x < 1e15) {
		r.fail()
		return 0
	}
	return x
}

func (r *blobReader) small() float32 {
	b := r.take(2)
	if b == nil {
		return 0
	}
	x := whole(binary.LittleEndian.Uint16(b))
	if !(x >= 0 && x < 1e9) {
		r.fail()
		return 0
	}
	return x
}

// length reads a count of items of at least size bytes each, so that it cannot
// promise more than the blob holds.
func (r *blobReader) length(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *blobReader) text() string {
	n := r.length(1)
	if n > maxIDBytes {
		r.fail()
		return ""
	}
	return string(r.take(n))
}

func (r *blobReader) counts() []count {
	n := r.length(3)
	out := make([]count, 0, n)
	last := uint32(0)
	for range n {
		x := r.uint()
		last += uint32(x >> 2)
		c := count{key: last, kind: space(x & 3), df: uint32(r.uint()), cf: float32(r.uint()) / 16}
		if c.kind >= spaces {
			r.fail()
		}
		if r.bad {
			return nil
		}
		out = append(out, c)
	}
	return out
}

func (r *blobReader) soft() softClass {
	c := softClass{scope: r.text(), examples: float32(r.float())}
	n := r.length(5)
	c.feats = make([]softFeature, 0, n)
	last := uint32(0)
	for range n {
		x := r.uint()
		last += uint32(x >> 2)
		f := softFeature{key: last, kind: space(x & 3), x: r.small(), v: r.small()}
		if f.kind >= spaces {
			r.fail()
		}
		if r.bad {
			return softClass{}
		}
		c.feats = append(c.feats, f)
	}
	return c
}

func (r *blobReader) step() stepTemplate {
	t := stepTemplate{step: r.text()}
	n := r.length(1)
	last := uint32(0)
	for range n {
		last += uint32(r.uint())
		t.shingles = append(t.shingles, last)
	}
	return t
}
