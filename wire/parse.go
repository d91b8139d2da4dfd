package wire

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrNotObject says that a body is JSON but not an object, so no API's request.
var ErrNotObject = errors.New("body is not a JSON object")

// Parse reads a request body into a new Request; see [Request.Parse].
func Parse(api API, body []byte) (*Request, error) {
	r := new(Request)
	if err := r.Parse(api, body); err != nil {
		return nil, err
	}
	return r, nil
}

// Parse reads body as a request to api, in place of what r held. Strings it gave
// out before stay valid; slices are used again. It does not keep body.
//
// The whole body must be JSON, at most 64 levels deep, else the error is a
// [*SyntaxError] that names the byte, or [ErrNotObject]; r is then empty. Keys
// count by exact case; of duplicate keys the last counts, as in most decoders. A
// known field of an unexpected type counts as absent: the upstream will say what
// it thinks of it.
func (r *Request) Parse(api API, body []byte) error {
	r.reset(api)
	s := scanner{b: body, scratch: r.scratch.key}
	switch c := s.peek(); {
	case c == 0 && s.i == len(body):
		return &SyntaxError{Offset: s.i, What: "empty body"}
	case c != '{':
		s.value()
	default:
		r.place.size = len(body)
		r.object(&s)
	}
	r.scratch.key = s.scratch
	if s.err == nil && (s.peek() != 0 || s.i < len(body)) {
		s.fail("more bytes after the end of the JSON value")
	}
	switch {
	case s.err != nil:
		r.reset(api)
		return s.err
	case r.place.size == 0:
		return ErrNotObject
	}
	r.settle(body)
	return nil
}

// Strict says whether the answer's shape is so bound (a response schema, a forced
// tool call, or at most 32 tokens) that an injected block may break it. Only rules
// learned on that very step apply then (DESIGN section 6).
func (r *Request) Strict() bool {
	return r.Format != "" || r.ForcedTool || (r.MaxTokens > 0 && r.MaxTokens <= 32)
}

// place is what Patch needs to know of the bytes.
type place struct {
	size   int  // of the body, to notice another one
	open   int  // just after the first brace
	bare   bool // the object has no field at all
	model  slot
	list   slot    // messages, or Responses' input
	filled bool    // the list has an element
	system message // first system or developer message of the list
	user   message // last user message that a person wrote
	top    slot    // Responses' instructions, Anthropic's system
	topAny bool    // top is an array with an element
	stored bool    // Responses: a stored prompt brings its own instructions
	prompt slot    // Completions
}

// message is where a message of the list stands.
type message struct {
	span
	developer bool
	content   slot
	filled    bool // content has a character or an element
	first     int  // where a text part may be put first in an array; 0 is nowhere
}

// scratch is memory that one Parse leaves to the next.
type scratch struct {
	key    []byte
	text   []byte // all decoded texts, one after the other
	system []span
	turns  []turn
	tools  []span
	model  string // the last model's name: clients repeat themselves

	user, previous, conversation, format span

	opening uint64 // hash of the list so far
	top     uint64 // hash of instructions or system
	opened  bool   // the first user message is in opening
}

type turn struct {
	span
	tool bool
}

// fields are the values whose meaning waits for the end of the body, because a
// later duplicate may replace them.
type fields struct {
	stream, user, safety, previous, conversation, metadata slot
	format, textConfig, outputConfig                       slot
	tools, functions, choice, functionCall                 slot
	maxTokens, maxCompletion, maxOutput                    slot
}

func (r *Request) reset(api API) {
	sc := r.scratch
	sc = scratch{key: sc.key, text: sc.text[:0], system: sc.system[:0], turns: sc.turns[:0], tools: sc.tools[:0], model: sc.model}
	*r = Request{API: api, System: r.System[:0], Turns: r.Turns[:0], Tools: r.Tools[:0], scratch: sc}
}

// object reads the fields of the request.
func (r *Request) object(s *scanner) {
	var f fields
	s.enter('{')
	r.place.open = s.i
	r.place.bare = true
	for {
		key, ok := s.key()
		if !ok {
			break
		}
		r.place.bare = false
		if len(key) == len("model") && strings.EqualFold(string(key), "model") {
			r.Models++
		}
		if to := r.field(&f, string(key)); to != nil {
			*to = s.value()
			continue
		}
		if string(key) == r.API.list() {
			r.messages(s)
			continue
		}
		s.value()
	}
	if s.err == nil {
		r.meaning(s.b, &f)
	}
}

// list is the field that holds the conversation.
func (a API) list() string {
	switch a {
	case Chat, Messages:
		return "messages"
	case Responses:
		return "input"
	}
	return ""
}

// field says where the value of key goes, nil when it is of no interest.
func (r *Request) field(f *fields, key string) *slot {
	switch key {
	case "model":
		return &r.place.model
	case "stream":
		return &f.stream
	case "user":
		return &f.user
	case "safety_identifier":
		return &f.safety
	case "max_tokens":
		return &f.maxTokens
	case "max_completion_tokens":
		return &f.maxCompletion
	case "max_output_tokens":
		return &f.maxOutput
	case "tools":
		return &f.tools
	case "tool_choice":
		return &f.choice
	}
	switch r.API {
	case Chat:
		switch key {
		case "response_format":
			return &f.format
		case "functions":
			return &f.functions
		case "function_call":
			return &f.functionCall
		}
	case Responses:
		switch key {
		case "instructions":
			return &r.place.top
		case "previous_response_id":
			return &f.previous
		case "conversation":
			return &f.conversation
		case "text":
			return &f.textConfig
		case "prompt":
			return &r.place.prompt
		}
	case Messages:
		switch key {
		case "system":
			return &r.place.top
		case "metadata":
			return &f.metadata
		case "output_format":
			return &f.format
		case "output_config":
			return &f.outputConfig
		}
	case Completions:
		if key == "prompt" {
			return &r.place.prompt
		}
	}
	return nil
}

// settle turns collected texts into strings: one allocation for all of them.
func (r *Request) settle(body []byte) {
	sc := &r.scratch
	if r.place.model.kind == kindString {
		sc.model = again(sc.model, r.place.model.inner(body))
		r.Model = sc.model
	}
	all := string(sc.text)
	valid := utf8.ValidString(all)
	cut := func(at span) string {
		t := all[at.lo:at.hi]
		if !valid {
			t = strings.ToValidUTF8(t, "\ufffd")
		}
		return t
	}
	r.User, r.PreviousID, r.ConversationID = cut(sc.user), cut(sc.previous), cut(sc.conversation)
	r.Format = cut(sc.format)
	for _, at := range sc.system {
		r.System = append(r.System, cut(at))
	}
	for _, t := range sc.turns {
		r.Turns = append(r.Turns, Turn{Text: cut(t.span), Tool: t.tool})
	}
	for _, at := range sc.tools {
		r.Tools = append(r.Tools, cut(at))
	}
}

// keep decodes text into the scratch and says where it is.
func (r *Request) keep(b []byte) span {
	lo := len(r.scratch.text)
	r.scratch.text = unescape(r.scratch.text, b)
	return span{lo, len(r.scratch.text)}
}

func (r *Request) kept(at span) []byte { return r.scratch.text[at.lo:at.hi] }

// integer reads a whole number; a float with a fraction of zero counts too.
func integer(b []byte, v slot) int64 {
	if v.kind != kindNumber {
		return 0
	}
	t := string(b[v.lo:v.hi])
	if n, err := strconv.ParseInt(t, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil || f != f || f < -1e15 || f > 1e15 {
		return 0
	}
	return int64(f)
}

// fold mixes two hashes.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0xa0761d6478bd642f, b^0xe7037ed1a0b428db)
	return hi ^ lo
}

// mix folds b into h: a multiply-and-fold hash (as wyhash, public domain), at
// several GB/s, the same on every machine and in every version of Heed. It is
// no defence against chosen collisions; who picks their own messages picks their
// unit anyway.
func mix(h uint64, b []byte) uint64 {
	const k0, k1 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db
	h ^= k0 + uint64(len(b))
	for len(b) > 16 {
		hi, lo := bits.Mul64(binary.LittleEndian.Uint64(b)^k1, binary.LittleEndian.Uint64(b[8:])^h)
		h, b = hi^lo, b[16:]
	}
	var tail [16]byte
	copy(tail[:], b)
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(tail[:])^k1, binary.LittleEndian.Uint64(tail[8:])^h)
	hi, lo = bits.Mul64(hi^lo^k0, k1)
	return hi ^ lo
}
