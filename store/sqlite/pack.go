package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"heed/store"
)

// Limits of a chunk. Larger ones compress better and cost less to write; smaller
// ones cost less to open for a single exchange.
const (
	chunkSlots = 64
	chunkBytes = 1 << 20 // bodies; one exchange may be larger and then is alone
)

// maxExpanded bounds what a damaged length may make the decoder allocate.
const maxExpanded = 128 << 20

// packer compresses with checksums. It is safe for concurrent use.
type packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newPacker() (packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(true))
	if err != nil {
		return packer{}, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxExpanded))
	return packer{enc, dec}, err
}

func (p packer) compress(b []byte) []byte { return p.enc.EncodeAll(b, nil) }

func (p packer) expand(b []byte) ([]byte, error) { return p.dec.DecodeAll(b, nil) }

// chunk is up to chunkSlots exchanges of one app, ready to be written.
type chunk struct {
	ids          []any // exchangeKey of each slot
	first, last  int64 // arrival, in milliseconds
	plain        int   // bytes before compression
	facts        []byte
	bodies       []byte
	seen, words  []byte
	factsZ, bodZ []byte
}

// slot is an exchange made ready: normalized, encoded, sharing nothing with the
// caller's but the bodies until the chunk is sealed.
type slot struct {
	x     store.Exchange
	facts []byte
}

// newSlot brings an exchange into the form that is kept.
func newSlot(x *store.Exchange) (slot, error) {
	if x == nil {
		return slot{}, errors.New("exchange is nil")
	}
	s := slot{x: *x}
	y := &s.x
	if y.ID == "" || y.App == "" {
		return s, fmt.Errorf("exchange %q of app %q: id and app must be set", y.ID, y.App)
	}
	y.Time, y.Facts.Now = kept(y.Time), kept(y.Facts.Now)
	y.Query, y.Answer = cut(y.Query, store.MaxQueryBytes), cut(y.Answer, store.MaxCopyBytes)
	y.Request, y.Response = y.Request[:min(len(y.Request), store.MaxBodyBytes)], y.Response[:min(len(y.Response), store.MaxBodyBytes)]
	bare := *y
	bare.Request, bare.Response = nil, nil
	var err error
	if s.facts, err = json.Marshal(&bare); err != nil {
		return s, fmt.Errorf("exchange %q: %w", y.ID, err)
	}
	return s, nil
}

// size is what the slot adds to a chunk, in bytes before compression.
func (s *slot) size() int { return len(s.facts) + len(s.x.Request) + len(s.x.Response) }

// pack makes a chunk of the slots.
func (p packer) pack(slots []slot) *chunk {
	c := &chunk{ids: make([]any, len(slots))}
	seen, words := newTerms(), newTerms()
	var before []byte
	for i := range slots {
		s := &slots[i]
		at := s.x.Time.UnixMilli()
		if i == 0 {
			c.first, c.last = at, at
		}
		c.first, c.last = min(c.first, at), max(c.last, at)
		c.ids[i] = exchangeKey(s.x.ID)
		c.facts = append(binary.AppendUvarint(c.facts, uint64(len(s.facts))), s.facts...)
		c.bodies = append(binary.AppendUvarint(c.bodies, uint64(len(s.x.Request))), s.x.Request...)
		c.bodies = append(binary.AppendUvarint(c.bodies, uint64(len(s.x.Response))), s.x.Response...)
		addAttributes(seen, &s.x)
		addExchangeWords(words, &s.x, before)
		before = s.x.Request
	}
	c.plain = len(c.facts) + len(c.bodies)
	c.seen, c.words = seen.filter(), words.filter()
	c.factsZ, c.bodZ = p.compress(c.facts), p.compress(c.bodies)
	return c
}

// packed is the chunk's size in the file, near enough for retention.
func (c *chunk) packed() int {
	return len(c.factsZ) + len(c.bodZ) + len(c.seen) + len(c.words) + len(c.ids)*32
}

// errDamaged is what parts of a chunk that cannot be read are; callers name them.
var errDamaged = fmt.Errorf("%s: %w", logFile, store.ErrCorrupt)

// parts splits what was appended behind lengths.
func parts(b []byte, n int) ([][]byte, error) {
	out := make([][]byte, 0, n)
	for len(b) > 0 {
		l, k := binary.Uvarint(b)
		if k <= 0 || l > uint64(len(b)-k) {
			return nil, errDamaged
		}
		end := k + int(l)
		out = append(out, b[k:end:end])
		b = b[end:]
	}
	if len(out) != n {
		return nil, errDamaged
	}
	return out, nil
}

// openFacts decodes a chunk's exchanges, without bodies.
func (p packer) openFacts(data []byte, n int) ([]*store.Exchange, error) {
	b, err := p.expand(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	docs, err := parts(b, n)
	if err != nil {
		return nil, err
	}
	out := make([]*store.Exchange, n)
	for i, doc := range docs {
		out[i] = new(store.Exchange)
		if err := json.Unmarshal(doc, out[i]); err != nil {
			return nil, fmt.Errorf("%w: %v", errDamaged, err)
		}
	}
	return out, nil
}

// openBodies returns request and response of each slot, one after the other.
func (p packer) openBodies(data []byte, n int) ([][]byte, error) {
	b, err := p.expand(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	return parts(b, 2*n)
}
