package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"heed/rules"
	"heed/rules/match"
	"heed/store"
	"heed/wire"
)

// Limits of what is taken from a request's own headers, in bytes; longer values
// are cut.
const (
	maxNameBytes  = 256  // session, agent, user
	maxTags       = 16   //
	maxTagsBytes  = 1024 // the whole header
	maxTraceBytes = 64   // traceparent has 55 (W3C Trace Context, section 3.2)
)

func digest(parts ...string) string {
	var buf [512]byte
	b := buf[:0]
	for _, p := range parts {
		b = append(append(b, p...), '\n')
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// readFacts copies out of the request what scopes and policies may look at. The
// body was parsed into c.req; c.start is the request's one clock read.
func (c *call) readFacts(h *fasthttp.RequestHeader) {
	x, f := c.x, &c.x.Facts
	f.App, f.Now, f.Alias = c.app.Name, c.start, c.aliasName()
	x.Session = short(h, "Heed-Session", maxNameBytes)
	x.Agent = short(h, "Heed-Agent", maxNameBytes)
	x.Trace = short(h, "Traceparent", maxTraceBytes)
	user := short(h, "Heed-User", maxNameBytes)
	if user == "" {
		user = clean([]byte(c.req.User), maxNameBytes)
	}
	f.User = store.UserHash(c.app.Name, user)
	if tags := h.Peek("Heed-Tags"); len(tags) > 0 {
		f.Tags = parseTags(clean(tags, maxTagsBytes))
		f.Partition = f.Tags["partition"]
	}
	f.Off = c.app.Rules == Off || string(h.Peek("Heed-Rules")) == "off"
	f.Strict = c.req.Strict()
	c.findUnit(f)
	if c.api == wire.Other || c.api == wire.Embeddings {
		return
	}
	f.Step = c.g.steps.of(&c.req)
	turns := c.turns[:0]
	for _, t := range c.req.Turns {
		if !t.Tool {
			turns = append(turns, t.Text)
		}
	}
	c.turns = turns
	f.Queries = match.Extract(f.Step, turns[max(0, len(turns)-maxTurns):], c.set.Stats())
	if c.app.QueryPath != "" {
		if q, ok := wire.Path(c.body, c.app.QueryPath); ok && strings.TrimSpace(q) != "" {
			f.Queries = replace(f.Queries, clean([]byte(q), store.MaxQueryBytes))
		}
	}
	if q := h.Peek("Heed-Query"); len(q) > 0 {
		f.Queries = overrule(f.Queries, q)
	}
	x.Query = f.Query()
}

// maxTurns is how many of the newest person turns are looked at: those whose rules
// are united, and some more that short follow-ups may lean on.
const maxTurns = rules.MaxTurns + 4

// overrule puts Heed-Query (percent-encoded UTF-8, or plain) in the place of the
// newest query.
func overrule(queries []string, header []byte) []string {
	q := clean(header, 3*store.MaxQueryBytes)
	if plain, err := url.PathUnescape(q); err == nil {
		q = clean([]byte(plain), store.MaxQueryBytes)
	}
	return replace(queries, q)
}

// replace puts q in the place of the newest query.
func replace(queries []string, q string) []string {
	if len(queries) == 0 {
		return []string{q}
	}
	queries[len(queries)-1] = q
	return queries
}

// parseTags reads k=v,….
func parseTags(s string) map[string]string {
	tags := map[string]string{}
	for _, pair := range strings.Split(s, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || k == "" || len(tags) == maxTags {
			continue
		}
		tags[k] = v
	}
	if len(tags) == 0 {
		return nil
	}
	return tags
}

// findUnit says what decisions stick to: the first there is of the session, the
// chain of stored responses, the user, the opening messages. A value that more
// than 1 % of the app's traffic shares is no unit (a constant user name would put
// everybody into one arm), so that the next one counts.
func (c *call) findUnit(f *rules.Facts) {
	common := &c.app.common
	common.count()
	if c.x.Session != "" && !common.add("session", c.x.Session) {
		f.Unit = digest("session", c.app.Name, c.x.Session)
		return
	}
	if c.req.ConversationID != "" {
		f.Unit = digest("chain", c.app.Name, c.req.ConversationID)
		return
	}
	if c.req.PreviousID != "" {
		if before, ok := c.g.chains.find(c.app.Name, c.req.PreviousID); ok {
			f.Unit, c.stored = before.unit, before.upstream
			def(&c.x.Session, before.session)
		} else { // begun at another replica, or long ago
			f.Unit = digest("chain", c.app.Name, c.req.PreviousID)
		}
		return
	}
	if f.User != "" && !common.add("user", f.User) {
		f.Unit = digest("user", c.app.Name, f.User)
		return
	}
	if c.req.Opening != 0 {
		f.Unit = digest("opening", c.app.Name, hex.EncodeToString(appendUint64(nil, c.req.Opening)))
		return
	}
	f.Unit = digest("exchange", c.app.Name, c.x.ID)
}

func appendUint64(b []byte, v uint64) []byte {
	for i := 56; i >= 0; i -= 8 {
		b = append(b, byte(v>>i))
	}
	return b
}

// sketch counts how often values occur in an app's recent traffic, in bounded
// memory: a count-min sketch (Cormode and Muthukrishnan, 2005) of 4 rows and 1,024
// columns, so that a count is too high by at most e/1024 = 0.27 % of the traffic,
// with probability 0.98. All counts are halved when the window is full, so that
// the present counts. Concurrent use loses a count now and then, which is fine.
type sketch struct {
	total atomic.Uint32
	rows  [4][1024]atomic.Uint32
}

// Of the sketch: the window, how much traffic it takes before anything is called
// common, and the share above which a value is.
const (
	sketchWindow = 1 << 15
	sketchLeast  = 2000
	sketchShare  = 0.01
)

// count counts a request.
func (s *sketch) count() {
	if s.total.Add(1) != sketchWindow {
		return
	}
	for i := range s.rows {
		for j := range s.rows[i] {
			s.rows[i][j].Store(s.rows[i][j].Load() / 2)
		}
	}
	s.total.Store(sketchWindow / 2)
}

// add counts a value of a request and says whether it is common.
func (s *sketch) add(kind, value string) bool {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for i := range len(kind) {
		h = (h ^ uint64(kind[i])) * prime
	}
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * prime
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	least := ^uint32(0)
	for i := range s.rows {
		least = min(least, s.rows[i][(h>>(16*i))%1024].Add(1))
	}
	total := s.total.Load()
	return total >= sketchLeast && float64(least) > sketchShare*float64(total)
}
