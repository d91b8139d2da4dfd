package redis

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"heed/store"
)

// Limits of a chunk: a run of one app's exchanges that are compressed together.
const (
	chunkSlots  = 64
	chunkBytes  = 1 << 20   // bodies; one exchange may be larger and then is alone
	maxExpanded = 128 << 20 // what a damaged length may make the decoder allocate, and a blob's limit twice
)

var errDamaged = fmt.Errorf("chunk of exchanges: %w", store.ErrCorrupt)

// slot is an exchange in the form that is kept, sharing the bodies with the
// caller's until it is packed.
type slot struct {
	x     store.Exchange
	facts []byte
}

// newSlot cuts and encodes an exchange.
func newSlot(x *store.Exchange) (s slot, err error) {
	s.x, s.facts, err = x.Kept()
	return s, err
}

// size is what the slot adds to a chunk, in bytes before compression.
func (s *slot) size() int { return len(s.facts) + len(s.x.Request) + len(s.x.Response) }

// split cuts slots into runs that fit a chunk.
func split(slots []slot) [][]slot {
	var out [][]slot
	start, size := 0, 0
	for i := range slots {
		n := slots[i].size()
		if i > start && (i-start == chunkSlots || size+n > chunkBytes) {
			out = append(out, slots[start:i])
			start, size = i, 0
		}
		size += n
	}
	if start < len(slots) {
		out = append(out, slots[start:])
	}
	return out
}

// pack is the chunk of the slots: facts, request and response of each, with their
// lengths in front, compressed with a checksum.
func (s *Store) pack(slots []slot) []byte {
	var b []byte
	for i := range slots {
		for _, part := range [][]byte{slots[i].facts, slots[i].x.Request, slots[i].x.Response} {
			b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
		}
	}
	return s.enc.EncodeAll(b, nil)
}

// unpack returns the chunk's exchanges with their bodies.
func (s *Store) unpack(chunk string) ([]*store.Exchange, error) {
	b, err := s.dec.DecodeAll([]byte(chunk), nil)
	if err != nil {
		return nil, errDamaged
	}
	var out []*store.Exchange
	for len(b) > 0 {
		var parts [3][]byte
		for i := range parts {
			n, k := binary.Uvarint(b)
			if k <= 0 || n > uint64(len(b)-k) {
				return nil, errDamaged
			}
			parts[i], b = b[k:k+int(n)], b[k+int(n):]
		}
		x := new(store.Exchange)
		if err := json.Unmarshal(parts[0], x); err != nil {
			return nil, errDamaged
		}
		if len(parts[1]) > 0 {
			x.Request = slices.Clone(parts[1])
		}
		if len(parts[2]) > 0 {
			x.Response = slices.Clone(parts[2])
		}
		out = append(out, x)
	}
	return out, nil
}
