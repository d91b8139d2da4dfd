package gateway

import (
	"bytes"
	"hash/maphash"
	"sync"

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
	lru  *lru.Cache[uint64, conversation]
	seed maphash.Seed
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
	return &sessions{c, maphash.MakeSeed()}
}

// find gives x the session of the request before it, or a new one, named by the
// exchange that begins it.
func (s *sessions) find(x *store.Exchange, l later) {
	if l.turns == 0 {
		return
	}
	if x.Session == "" && x.PreviousID == "" {
		// The same turns: a tool loop goes on. One turn less: the person said more.
		for _, key := range [...]uint64{l.all, l.butLast} {
			if c, ok := s.lru.Get(key); ok && len(c.answer) > 0 && bytes.Contains(x.Request, c.answer) {
				x.Session = c.session
				break
			}
		}
	}
	if x.Session == "" {
		x.Session = x.ID
	}
	s.lru.Add(l.all, conversation{x.Session, answerStart(x)})
}

// later is what the preparation of a row needs of the parsed request, so that the
// body is not parsed twice.
type later struct {
	format       string // response shape that was demanded
	turns        int    // person turns
	all, butLast uint64 // hashes of the opening and the person turns; of all but the last
}

// remember says what prepare will need of c.
func (s *sessions) remember(app string, r *wire.Request) later {
	l := later{format: r.Format}
	if r.Opening == 0 {
		return l
	}
	var h maphash.Hash
	h.SetSeed(s.seed)
	_, _ = h.WriteString(app)
	var b [8]byte
	_, _ = h.Write(appendUint64(b[:0], r.Opening))
	for _, t := range r.Turns {
		if t.Tool {
			continue
		}
		_, _ = h.WriteString(t.Text)
		_ = h.WriteByte(0)
		l.turns++
		l.butLast, l.all = l.all, h.Sum64()
	}
	return l
}

// pending holds what rows in the queue still need. It is bounded by the queue.
type pending struct {
	mu   sync.Mutex
	rows map[*store.Exchange]later
}

func (p *pending) put(x *store.Exchange, l later) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rows == nil {
		p.rows = map[*store.Exchange]later{}
	}
	p.rows[x] = l
}

func (p *pending) take(x *store.Exchange) (later, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.rows[x]
	delete(p.rows, x)
	return l, ok
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
