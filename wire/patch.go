package wire

import (
	"errors"
	"fmt"
)

// ErrNoPlace says that a request has no place for a block: no messages, a prompt
// that is not one text, embeddings, another API.
var ErrNoPlace = errors.New("request has no place for a block")

// maxEdits is the model's name, and two insertions around a value.
const maxEdits = 3

// edit replaces skip bytes at at by pre, the block as the inside of a string (if
// block), and post.
type edit struct {
	at, skip  int
	pre, post string
	block     bool
	model     bool // the model's name stands between pre and post instead
}

// Patch appends body with p's changes to dst and returns it; body must be the
// bytes that r was parsed from. Every byte that p does not ask to change is as
// the client sent it, and the zero Patch changes none. A model's name is replaced
// where it stands, or added as the first field when there is none.
//
// Where the block goes, by placement and API:
//
//   - System, Chat: the end of the first system or developer message, inside its
//     string or as one more text part; a new first system message when there is
//     none, and a further one after it when its content is not text.
//   - System, Responses: the end of instructions, which is added when absent or
//     null. A request with a stored prompt and no instructions is treated as Tail:
//     instructions would replace those of the prompt.
//   - System, Messages: one more block at the end of system; a string becomes a
//     list of two blocks around the client's own bytes; added when absent.
//   - Tail, Chat and Responses: a system message (developer, if the client's first
//     one is) before the last user message; the input string of Responses becomes a list.
//   - Tail, Messages: as User, since a system message cannot stand there; this too
//     leaves every byte before it alone.
//   - User: the start of the last message that a person wrote, inside its string or
//     as its first part; after tool results, which Anthropic wants first.
//   - Completions: before the prompt, if that is one text, whatever the placement.
//
// Without a fitting user message, Tail and User fall back to System. When there
// is no place at all the error is [ErrNoPlace], and what is returned has the
// model's name replaced and no block: it can be sent. With any other error it is
// dst as it was.
func (r *Request) Patch(dst, body []byte, p Patch) ([]byte, error) {
	if len(body) != r.place.size {
		return dst, fmt.Errorf("patch request: body has %d bytes, the one parsed had %d", len(body), r.place.size)
	}
	var edits [maxEdits]edit
	n, err := r.edits(&edits, body, p)
	at := 0
	for _, e := range edits[:n] {
		dst = append(dst, body[at:e.at]...)
		dst = append(dst, e.pre...)
		switch {
		case e.block:
			dst = appendText(dst, p.Block)
		case e.model:
			dst = appendText(dst, p.Model)
		}
		dst = append(dst, e.post...)
		at = e.at + e.skip
	}
	return append(dst, body[at:]...), err
}

// edits lists the changes in the order of their offsets.
func (r *Request) edits(to *[maxEdits]edit, body []byte, p Patch) (int, error) {
	n := 0
	var err error
	if p.Block != "" {
		var es [2]edit
		if es, err = r.block(body, p.Placement); err == nil {
			to[0] = es[0]
			if n = 1; es[1].at > 0 {
				to[1], n = es[1], 2
			}
		}
	}
	if p.Model == "" || p.Model == r.Model && r.place.model.kind == kindString {
		return n, err
	}
	e := edit{at: r.place.model.lo, skip: r.place.model.hi - r.place.model.lo, pre: `"`, post: `"`, model: true}
	if r.place.model.kind == kindNone {
		e = edit{at: r.place.open, pre: `"model":"`, post: `",`, model: true}
		if r.place.bare {
			e.post = `"`
		}
	}
	i := n
	for ; i > 0 && to[i-1].at >= e.at; i-- {
		to[i] = to[i-1]
	}
	to[i] = e
	return n + 1, err
}

// block says where the block goes: one edit, or two around a value.
func (r *Request) block(b []byte, where Placement) ([2]edit, error) {
	switch r.API {
	case Chat:
		return r.chatBlock(b, where)
	case Responses:
		return r.responsesBlock(b, where)
	case Messages:
		return r.messagesBlock(b, where)
	case Completions:
		if r.place.prompt.kind == kindString {
			return one(startOf(r.place.prompt, len(r.place.prompt.inner(b)) > 0))
		}
	}
	return [2]edit{}, ErrNoPlace
}

func one(e edit) ([2]edit, error) { return [2]edit{e}, nil }

func (r *Request) chatBlock(b []byte, where Placement) ([2]edit, error) {
	p := &r.place
	if p.list.kind != kindArray || !p.filled {
		return [2]edit{}, ErrNoPlace
	}
	if e, ok := r.userBlock(where, "text"); ok {
		return one(e)
	}
	role := r.role()
	switch m := p.system; {
	case m.hi == 0:
		return one(edit{at: p.list.lo + 1, pre: `{"role":"system","content":"`, post: `"},`, block: true})
	case m.content.kind == kindString:
		return one(endOf(m.content, m.filled))
	case m.content.kind == kindArray:
		return one(lastPart(m.content, m.filled))
	default:
		return one(edit{at: m.hi, pre: `,{"role":"` + role + `","content":"`, post: `"}`, block: true})
	}
}

func (r *Request) responsesBlock(b []byte, where Placement) ([2]edit, error) {
	p := &r.place
	absent := p.top.kind == kindNone || p.top.kind == kindNull
	if where == System && p.stored && absent {
		where = Tail
	}
	if p.list.kind == kindString && where == User {
		return one(startOf(p.list, len(p.list.inner(b)) > 0))
	}
	if p.list.kind == kindString && where == Tail {
		return [2]edit{
			{at: p.list.lo, pre: `[{"type":"message","role":"system","content":"`, block: true,
				post: `"},{"type":"message","role":"user","content":`},
			{at: p.list.hi, pre: `}]`},
		}, nil
	}
	if e, ok := r.userBlock(where, "input_text"); ok {
		return one(e)
	}
	if absent && p.stored {
		return [2]edit{}, ErrNoPlace
	}
	return r.topBlock(`"instructions":"`)
}

func (r *Request) messagesBlock(b []byte, where Placement) ([2]edit, error) {
	p := &r.place
	if p.list.kind != kindArray || !p.filled {
		return [2]edit{}, ErrNoPlace
	}
	if where == Tail {
		where = User
	}
	if e, ok := r.userBlock(where, "text"); ok {
		return one(e)
	}
	switch {
	case p.top.kind == kindArray:
		return one(lastPart(p.top, p.topAny))
	case p.top.kind == kindString && p.topAny:
		return [2]edit{
			{at: p.top.lo, pre: `[{"type":"text","text":`},
			{at: p.top.hi, pre: `},{"type":"text","text":"`, post: `"}]`, block: true},
		}, nil
	}
	return r.topBlock(`"system":"`)
}

// topBlock puts the block into a field of the request itself: at the end of its
// string, in place of null, or as a new first field.
func (r *Request) topBlock(field string) ([2]edit, error) {
	switch p := &r.place; p.top.kind {
	case kindString:
		return one(endOf(p.top, p.topAny))
	case kindNull:
		return one(edit{at: p.top.lo, skip: p.top.hi - p.top.lo, pre: `"`, post: `"`, block: true})
	case kindNone:
		if !p.bare { // an empty object is no request
			return one(edit{at: p.open, pre: field, post: `",`, block: true})
		}
	}
	return [2]edit{}, ErrNoPlace
}

// userBlock is the edit for Tail and User, when there is a user message that has room.
func (r *Request) userBlock(where Placement, part string) (edit, bool) {
	m := r.place.user
	if where == System || m.hi == 0 {
		return edit{}, false
	}
	if where == User {
		switch {
		case m.content.kind == kindString:
			return startOf(m.content, m.filled), true
		case m.first > 0:
			e := edit{at: m.first, pre: `{"type":"` + part + `","text":"`, post: `"},`, block: true}
			if !m.filled {
				e.post = `"}`
			}
			return e, true
		case r.API == Messages:
			return edit{}, false
		}
	}
	kind := ""
	if r.API == Responses {
		kind = `"type":"message",`
	}
	return edit{at: m.lo, pre: `{` + kind + `"role":"` + r.role() + `","content":"`, post: `"},`, block: true}, true
}

// role is how the client calls its instructions.
func (r *Request) role() string {
	if r.place.system.developer {
		return "developer"
	}
	return "system"
}

// startOf puts the block at the start of a string, endOf at its end.
func startOf(v slot, filled bool) edit {
	e := edit{at: v.lo + 1, block: true}
	if filled {
		e.post = `\n\n`
	}
	return e
}

func endOf(v slot, filled bool) edit {
	e := edit{at: v.hi - 1, block: true}
	if filled {
		e.pre = `\n\n`
	}
	return e
}

// lastPart puts the block as a text part at the end of an array.
func lastPart(v slot, filled bool) edit {
	e := edit{at: v.hi - 1, pre: `,{"type":"text","text":"`, post: `"}`, block: true}
	if !filled {
		e.pre = e.pre[1:]
	}
	return e
}
