package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"

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

// squeeze compresses b, with a checksum. S2 costs a quarter of the time of
// zstd's fastest level here for half again its size, keeps no state between
// calls, and opens faster (docs/decisions.md has the figures).
func squeeze(b []byte) []byte { return sealBytes(s2.Encode(nil, b)) }

// expand undoes squeeze. Damage is found by the checksum before anything is
// decoded.
func expand(doc []byte, what string) ([]byte, error) {
	b, err := unseal(doc, what)
	if err != nil {
		return nil, err
	}
	n, err := s2.DecodedLen(b)
	if err == nil && n <= maxExpanded {
		b, err = s2.Decode(nil, b)
	}
	if err != nil || n > maxExpanded {
		return nil, fmt.Errorf("%s: %w: it does not expand", what, store.ErrCorrupt)
	}
	return b, nil
}

// chunk is up to chunkSlots exchanges of one app, ready to be written.
type chunk struct {
	ids           []any // exchangeKey of each slot
	first, last   int64 // arrival, in milliseconds
	plain         int   // bytes before compression
	facts, bodies []byte
	seen, words   []byte
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

// scratch is what pack works in; it is used again and again.
type scratch struct {
	facts, bodies []byte
	seen, words   *terms
}

var scratches = sync.Pool{New: func() any { return &scratch{seen: newTerms(), words: newTerms()} }}

// maxScratch is the largest buffer that is kept for the next chunk, in bytes.
const maxScratch = 2 << 20

func (w *scratch) reset() {
	if cap(w.facts)+cap(w.bodies) > maxScratch {
		w.facts, w.bodies = nil, nil
	}
	w.facts, w.bodies = w.facts[:0], w.bodies[:0]
	w.seen.reset()
	w.words.reset()
}

// pack makes a chunk of the slots.
func pack(slots []slot) *chunk {
	c := &chunk{ids: make([]any, len(slots))}
	w := scratches.Get().(*scratch)
	defer scratches.Put(w)
	w.reset()
	var request, response []byte // of the slot before
	for i := range slots {
		s := &slots[i]
		shared := commonPrefix(request, s.x.Request)
		at := s.x.Time.UnixMilli()
		if i == 0 {
			c.first, c.last = at, at
		}
		c.first, c.last = min(c.first, at), max(c.last, at)
		c.ids[i] = exchangeKey(s.x.ID)
		w.facts = append(binary.AppendUvarint(w.facts, uint64(len(s.facts))), s.facts...)
		w.bodies = appendBody(w.bodies, s.x.Request, shared)
		w.bodies = appendBody(w.bodies, s.x.Response, commonPrefix(response, s.x.Response))
		addAttributes(w.seen, &s.x)
		addExchangeWords(w.words, &s.x, shared)
		request, response = s.x.Request, s.x.Response
	}
	c.plain = len(w.facts) + len(w.bodies)
	c.seen, c.words = w.seen.filter(), w.words.filter()
	c.facts, c.bodies = squeeze(w.facts), squeeze(w.bodies)
	return c
}

// appendBody writes a body without what it shares with the one before: system
// prompts and histories repeat, and leaving them out costs a tenth of what
// finding them again costs the compressor.
func appendBody(b, body []byte, shared int) []byte {
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(body)-shared))
	return append(b, body[shared:]...)
}

// commonPrefix is how many bytes a and b begin with alike.
func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+64 <= n && [64]byte(a[i:]) == [64]byte(b[i:]) {
		i += 64
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// packed is the chunk's size in the file, near enough for retention.
func (c *chunk) packed() int {
	return len(c.facts) + len(c.bodies) + len(c.seen) + len(c.words) + len(c.ids)*32
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
func openFacts(data []byte, n int) ([]*store.Exchange, error) {
	slots, err := openSlots(data, n)
	if err != nil {
		return nil, err
	}
	out := make([]*store.Exchange, n)
	for i := range slots {
		out[i] = &slots[i].x
	}
	return out, nil
}

// openDocs returns a chunk's exchanges as they were encoded, without bodies.
func openDocs(data []byte, n int) ([][]byte, error) {
	b, err := expand(data, logFile)
	if err != nil {
		return nil, err
	}
	return parts(b, n)
}

// openSlots decodes a chunk's exchanges and keeps their encoded form, so that
// they can be packed again. Bodies are not filled in.
func openSlots(data []byte, n int) ([]slot, error) {
	docs, err := openDocs(data, n)
	if err != nil {
		return nil, err
	}
	out := make([]slot, n)
	for i, doc := range docs {
		out[i].facts = doc
		if err := json.Unmarshal(doc, &out[i].x); err != nil {
			return nil, fmt.Errorf("%w: %v", errDamaged, err)
		}
	}
	return out, nil
}

// openBodies returns request and response of each slot, one after the other.
func openBodies(data []byte, n int) ([][]byte, error) {
	b, err := expand(data, logFile)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, 0, 2*n)
	for len(b) > 0 && len(out) < 2*n {
		shared, k := binary.Uvarint(b)
		rest, l := binary.Uvarint(b[max(k, 0):])
		if k <= 0 || l <= 0 || rest > uint64(len(b)-k-l) {
			return nil, errDamaged
		}
		var before []byte
		if len(out) >= 2 {
			before = out[len(out)-2]
		}
		if shared > uint64(len(before)) {
			return nil, errDamaged
		}
		end := k + l + int(rest)
		body := b[k+l : end : end]
		if shared > 0 {
			body = append(append(make([]byte, 0, int(shared)+len(body)), before[:shared]...), body...)
		}
		out, b = append(out, body), b[end:]
	}
	if len(out) != 2*n || len(b) > 0 {
		return nil, errDamaged
	}
	return out, nil
}
