package gateway

import (
	"hash/maphash"

	lru "github.com/hashicorp/golang-lru/v2"

	"heed/rules/match"
	"heed/wire"
)

// Sizes of what is remembered between requests.
const (
	maxChains = 50_000 // stored responses whose successor may come
	maxMemo   = 20_000 // matched turns
	maxSteps  = 4096   // fingerprints of system prompts
)

// chains remembers which unit and session an upstream's stored response belongs
// to, so that a request that goes on from it (previous_response_id) keeps them, and
// which upstream has it: no other knows it.
type chains struct{ lru *lru.Cache[string, chain] }

type chain struct{ unit, session, upstream string }

func newChains() *chains {
	c, err := lru.New[string, chain](maxChains)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return &chains{c}
}

func (c *chains) find(app, response string) (chain, bool) { return c.lru.Get(app + "\n" + response) }

func (c *chains) keep(app, response string, v chain) {
	if response != "" && len(response) <= maxNameBytes {
		c.lru.Add(app+"\n"+response, v)
	}
}

// memo remembers the rules of unchanged turns across requests: rules.Memo.
type memo struct {
	lru *lru.Cache[memoKey, []match.Hit]
}

type memoKey struct {
	key   uint64
	query string
}

func newMemo() *memo {
	c, err := lru.New[memoKey, []match.Hit](maxMemo)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return &memo{c}
}

// Get implements rules.Memo. Callers only read the hits.
func (m *memo) Get(key uint64, query string) ([]match.Hit, bool) {
	return m.lru.Get(memoKey{key, query})
}

// Put implements rules.Memo.
func (m *memo) Put(key uint64, query string, hits []match.Hit) {
	m.lru.Add(memoKey{key, query}, append([]match.Hit(nil), hits...))
}

// steps remembers which step a system prompt, tools and response shape make: most
// requests of an agent repeat theirs to the byte, and to read a prompt is the
// dearest thing on the request path. Keys are 64-bit hashes under a secret seed.
type steps struct {
	seed maphash.Seed
	lru  *lru.Cache[uint64, string]
}

func newSteps() *steps {
	c, err := lru.New[uint64, string](maxSteps)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return &steps{maphash.MakeSeed(), c}
}

// of is match.Fingerprint of the request.
func (s *steps) of(r *wire.Request) string {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, part := range r.System {
		_, _ = h.WriteString(part)
		_ = h.WriteByte(0)
	}
	_ = h.WriteByte(1)
	for _, tool := range r.Tools {
		_, _ = h.WriteString(tool)
		_ = h.WriteByte(0)
	}
	_ = h.WriteByte(1)
	_, _ = h.WriteString(r.Format)
	key := h.Sum64()
	if step, ok := s.lru.Get(key); ok {
		return step
	}
	step := match.Fingerprint(r.System, r.Tools, r.Format)
	s.lru.Add(key, step)
	return step
}
