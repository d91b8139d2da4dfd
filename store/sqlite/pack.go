package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"

	"heed/store"
)

// Limits of a chunk. Larger ones compress better and cost less to write; smaller
// ones cost less to open for a single exchange.
const (
	chunkSlots = 64
	chunkBytes = 1 << 20 // as split counts them; one exchange may be larger and then is alone
	sharedCost = 8       // of a byte that a body shares with the one before, in parts of a byte: opening makes it anew
)

// maxExpanded bounds what a damaged length may make the decoder allocate.
const maxExpanded = 128 << 20

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

// slot is an exchange with its row. Both belong to whoever made it until the
// chunk is sealed.
type slot struct {
	x   *store.Exchange
	row []byte

	sharedRequest, sharedResponse int // bytes that the bodies begin with as those of the slot before do, set by share
}

func (s *slot) request() []byte  { return s.x.Request[:min(len(s.x.Request), store.MaxBodyBytes)] }
func (s *slot) response() []byte { return s.x.Response[:min(len(s.x.Response), store.MaxBodyBytes)] }

// size is what the slot adds to a chunk, in bytes before compression.
func (s *slot) size() int { return len(s.row) + len(s.request()) + len(s.response()) - s.saved() }

// saved is what it would add more as the first of a chunk.
func (s *slot) saved() int {
	shared := s.sharedRequest + s.sharedResponse
	return shared - shared/sharedCost
}

// share finds out what each slot's bodies share with those of the one before.
func share(slots []slot) []slot {
	var request, response []byte // of the slot before
	for i := range slots {
		s := &slots[i]
		s.sharedRequest, s.sharedResponse = commonPrefix(request, s.request()), commonPrefix(response, s.response())
		request, response = s.request(), s.response()
	}
	return slots
}

// packer makes chunks. Its memory is used again and again, so that logging leaves
// nothing behind but what is written; chunks stand in it until release.
type packer struct {
	rows          []byte // of the exchanges that are about to be packed
	facts, bodies []byte // of the chunk at hand, not compressed yet
	seen, words   terms
	sealed        []byte // parts of the chunks made so far
}

var packers = sync.Pool{New: func() any { return new(packer) }}

// maxPacker is the most that a packer may hold to be used again, in bytes.
const maxPacker = 8 << 20

// newPacker is one that is at rest, or new.
func newPacker() *packer {
	p := packers.Get().(*packer)
	p.rows, p.sealed = p.rows[:0], p.sealed[:0]
	return p
}

// release gives the packer to the next one. Nobody may read its chunks any more;
// a packer that is not released is garbage in the end.
func (p *packer) release() {
	if cap(p.rows)+cap(p.facts)+cap(p.bodies)+cap(p.sealed) <= maxPacker {
		packers.Put(p)
	}
}

// pack makes a chunk of the slots, which have been through share; nothing is
// before the first. It shares no memory with them.
func (p *packer) pack(slots []slot) *chunk {
	c := &chunk{ids: p.keys(slots)}
	p.facts, p.bodies = p.facts[:0], append(p.bodies[:0], bodiesQuote)
	p.seen.reset()
	p.words.reset()
	for i := range slots {
		s := &slots[i]
		request, response := s.sharedRequest, s.sharedResponse
		at := s.x.Time.UnixMilli()
		if i == 0 {
			request, response = 0, 0
			c.first, c.last = at, at
		}
		c.first, c.last = min(c.first, at), max(c.last, at)
		p.facts = append(binary.AppendUvarint(p.facts, uint64(len(s.row))), s.row...)
		query, answer := quotable(s.row, s.x)
		var asked bool
		p.bodies, asked = appendBody(p.bodies, s.request(), request, s.row, query)
		p.bodies, _ = appendBody(p.bodies, s.response(), response, s.row, answer)
		addAttributes(&p.seen, s.x)
		addExchangeWords(&p.words, s, request, asked)
	}
	c.plain = len(p.facts) + len(p.bodies)
	c.seen, c.words = p.filter(&p.seen), p.filter(&p.words)
	c.facts, c.bodies = p.squeeze(p.facts), p.squeeze(p.bodies)
	return c
}

// squeeze compresses b, with a checksum. S2 costs a quarter of the time of
// zstd's fastest level here for half again its size, keeps no state between
// calls, and opens faster (docs/decisions.md has the figures).
func (p *packer) squeeze(b []byte) []byte {
	p.sealed = slices.Grow(p.sealed, sealBytesHead+s2.MaxEncodedLen(len(b)))
	room := p.sealed[len(p.sealed):cap(p.sealed)]
	n := sealBytesHead + len(s2.Encode(room[sealBytesHead:], b))
	sealInPlace(room[:n])
	return p.keep(n)
}

// filter is the Bloom filter of a set.
func (p *packer) filter(t *terms) []byte {
	n := filterLen(t.n())
	p.sealed = slices.Grow(p.sealed, n)
	t.filter(p.sealed[len(p.sealed) : len(p.sealed)+n])
	return p.keep(n)
}

// keep takes the next n bytes of sealed into it.
func (p *packer) keep(n int) []byte {
	at := len(p.sealed)
	p.sealed = p.sealed[:at+n]
	return p.sealed[at : at+n : at+n]
}

// keys are the exchangeKeys of slots.
func (p *packer) keys(slots []slot) []any {
	keys := make([]any, len(slots))
	for i := range slots {
		at := len(p.sealed)
		var ok bool
		if p.sealed, ok = appendUUID(p.sealed, slots[i].x.ID); ok {
			keys[i] = p.sealed[at:len(p.sealed):len(p.sealed)]
		} else {
			keys[i] = slots[i].x.ID
		}
	}
	return keys
}

// commonPrefix is how many bytes a and b begin with alike.
func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+1024 <= n && [1024]byte(a[i:]) == [1024]byte(b[i:]) {
		i += 1024
	}
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

// openRows returns the rows of a chunk's exchanges.
func openRows(data []byte, n int) ([][]byte, error) {
	b, err := expand(data, logFile)
	if err != nil {
		return nil, err
	}
	return parts(b, n)
}

// openFacts decodes a chunk's exchanges, without bodies, and keeps their rows.
func openFacts(data []byte, n int) ([]slot, error) {
	rows, err := openRows(data, n)
	if err != nil {
		return nil, err
	}
	out := make([]slot, n)
	for i, row := range rows {
		out[i] = slot{x: new(store.Exchange), row: row}
		if err := json.Unmarshal(row, out[i].x); err != nil {
			return nil, fmt.Errorf("%w: %v", errDamaged, err)
		}
	}
	return out, nil
}

// openSlots is openFacts with bodies, so that the exchanges can be packed again.
func openSlots(facts, bodies []byte, n int) ([]slot, error) {
	slots, err := openFacts(facts, n)
	if err != nil {
		return nil, err
	}
	rows := make([][]byte, n)
	for i := range slots {
		rows[i] = slots[i].row
	}
	bs, err := openBodies(bodies, rows)
	if err != nil {
		return nil, err
	}
	for i := range slots {
		slots[i].x.Request, slots[i].x.Response = bs[2*i], bs[2*i+1]
	}
	return slots, nil
}
