package gateway

import (
	"bytes"
	"hash/fnv"

	lru "github.com/hashicorp/golang-lru/v2"

	"heed/store"
	"heed/wire"
)

// sessions finds exchanges that belong together where the client does not say so:
// a conversation's next request repeats the person turns and the answers before
// it. It works when rows are written, in the queue's one goroutine; the request
// path never waits for it. A conversation that goes on after maxConversations
// others, or at another replica, begins a new session.
type sessions struct {
	lru *lru.Cache[uint64, conversation]
}

const maxConversations = 20_000

// conversation is what its next request must repeat.
type conversation struct {
	session string
	answer  []byte // start of the answer, as JSON text; nil when there was none
}

func newSessions() *sessions {
	c, err := lru.New[uint64, conversation](maxConversations)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return &sessions{c}
}

// find gives x the session of the request before it, or a new one, named by the
// exchange that begins it.
func (s *sessions) find(x *store.Exchange, r *wire.Request) {
	keys := turnKeys(x.App, r)
	if len(keys) == 0 {
		return
	}
	last := len(keys) - 1
	if x.Session == "" && x.PreviousID == "" {
		// The same turns: a tool loop goes on. One turn less: the person said more.
		for i := last; i >= max(0, last-1) && x.Session == ""; i-- {
			if c, ok := s.lru.Get(keys[i]); ok && len(c.answer) > 0 && bytes.Contains(x.Request, c.answer) {
				x.Session = c.session
			}
		}
	}
	if x.Session == "" {
		x.Session = x.ID
	}
	s.lru.Add(keys[last], conversation{x.Session, answerStart(x)})
}

// turnKeys are hashes of the opening and the first 1, 2, … person turns.
func turnKeys(app string, r *wire.Request) []uint64 {
	if r.Opening == 0 {
		return nil
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(app))
	_, _ = h.Write(appendUint64(nil, r.Opening))
	var keys []uint64
	for _, t := range r.Turns {
		if t.Tool {
			continue
		}
		_, _ = h.Write([]byte(t.Text))
		_, _ = h.Write([]byte{0})
		keys = append(keys, h.Sum64())
	}
	return keys
}

// answerStart is a piece of the answer that a request which goes on from it holds
// in its bytes, however its client escapes JSON: the first run of plain letters,
// digits and blanks of its text.
func answerStart(x *store.Exchange) []byte {
	const least, most = 8, 80
	for from := 0; from < len(x.Answer); {
		to := from
		for to < len(x.Answer) && to-from < most && plain(x.Answer[to]) {
			to++
		}
		if to-from >= least {
			return []byte(x.Answer[from:to])
		}
		from = to + 1
	}
	return nil
}

func plain(c byte) bool {
	return c == ' ' || c == '.' || c == ',' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
