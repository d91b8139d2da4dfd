package sqlite

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// bodyCases are exchanges whose bodies quote their rows, or nearly.
func bodyCases(t *testing.T) []*store.Exchange {
	const long = "where is the parcel that I ordered a week ago"
	exchange := func(query, answer, request, response string) *store.Exchange {
		return &store.Exchange{ID: store.NewID(), App: "shop", Time: time.Now(), Query: query, Answer: answer, Request: []byte(request), Response: []byte(response)}
	}
	quoted := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return `{"content":` + string(b) + `}`
	}
	tagged := exchange(long, long, quoted(long), quoted(long))
	tagged.Facts = rules.Facts{Tags: map[string]string{"a": "b", "answer": long, "query": long}}
	escaped := "<b>\"Grüße\"</b>\n" + long + "\\n \U0001f600"
	broken := long + "\xff\xfe" + long
	cut := strings.Repeat(long+", ", store.MaxQueryBytes/len(long)+1)
	return []*store.Exchange{
		exchange(long, long, quoted(long), quoted(long)),
		exchange(long, long, quoted(long), quoted(long)), // the same again
		exchange(escaped, escaped, quoted(escaped), quoted(escaped)),
		exchange(escaped, escaped, `{"content":"<b>`+long, escaped),
		exchange(broken, broken, quoted(broken), broken),
		exchange(cut, cut, quoted(cut), quoted(cut)),
		tagged,
		exchange(long, long, long, "x"+long+"y"),
		exchange(long, long, long[:len(long)-1], long[1:]),
		exchange(long, "", "", ""),
		exchange("", long, "", quoted(long)),
		exchange("short", "short", quoted("short"), quoted("short")),
		exchange("", "", "", ""),
	}
}

func packCases(t *testing.T, xs []*store.Exchange) (*chunk, []slot) {
	t.Helper()
	p := new(packer)
	var slots []slot
	for _, x := range xs {
		s, err := p.newSlot(x)
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, s)
	}
	return p.pack(share(slots)), slots
}

// Bodies come back byte for byte, whether or not they quote their row, in any order
// of neighbours.
func TestBodies_Quote(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	xs := bodyCases(t)
	for range 200 {
		c, slots := packCases(t, xs)
		got, err := openSlots(c.facts, c.bodies, len(xs))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range slots {
			if !bytes.Equal(got[i].x.Request, s.request()) || !bytes.Equal(got[i].x.Response, s.response()) {
				t.Fatalf("bodies %q, %q, want %q, %q", got[i].x.Request, got[i].x.Response, s.request(), s.response())
			}
		}
		r.Shuffle(len(xs), func(i, j int) { xs[i], xs[j] = xs[j], xs[i] })
	}
}

// A text that a body has as its row does stands in the chunk once.
func TestBodies_QuoteOnce(t *testing.T) {
	answer := strings.Repeat("Grüße, \"it\" comes.\n", 20)
	own, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	x := &store.Exchange{ID: store.NewID(), App: "shop", Time: time.Now(), Query: answer[:200], Answer: answer, Request: own, Response: own}
	c, slots := packCases(t, []*store.Exchange{x})
	b, err := expand(c.bodies, logFile)
	if err != nil {
		t.Fatal(err)
	}
	if most := len(own) + 60; len(b) > most { // the request quotes no more than the query
		t.Errorf("bodies of %d bytes beside a row of %d, want at most %d", len(b), len(slots[0].row), most)
	}
}

// What a search finds is the same with words of the query read from the request:
// each word of the whole, and no chunk is ruled out that has it.
func TestBodies_Words(t *testing.T) {
	for _, x := range bodyCases(t) {
		c, slots := packCases(t, []*store.Exchange{x})
		var want terms
		addExchangeWords(&want, &slots[0], 0, false)
		if !mayHave(c.words, want.list) {
			t.Errorf("the filter lacks words of %q in %q", x.Query, x.Request)
		}
	}
}

// Chunks as version 1 of the log's schema left them open as they are.
func TestBodies_Version1(t *testing.T) {
	xs := bodyCases(t)
	c, slots := packCases(t, xs)
	var old []byte
	for i := range slots {
		s := &slots[i]
		shared := [2]int{s.sharedRequest, s.sharedResponse}
		for j, body := range [][]byte{s.request(), s.response()} {
			old = binary.AppendUvarint(old, uint64(shared[j]))
			old = binary.AppendUvarint(old, uint64(len(body)-shared[j]))
			old = append(old, body[shared[j]:]...)
		}
	}
	got, err := openSlots(c.facts, new(packer).squeeze(old), len(xs))
	if err != nil {
		t.Fatal(err)
	}
	for i := range slots {
		if !bytes.Equal(got[i].x.Request, slots[i].request()) || !bytes.Equal(got[i].x.Response, slots[i].response()) {
			t.Fatalf("slot %d: bodies are not what version 1 wrote", i)
		}
	}
}

// Bodies that do not fit their rows, or themselves, are damage and no panic.
func TestBodies_Damaged(t *testing.T) {
	c, slots := packCases(t, bodyCases(t)[:3])
	rows := [][]byte{slots[0].row, slots[1].row, slots[2].row}
	good, err := expand(c.bodies, logFile)
	if err != nil {
		t.Fatal(err)
	}
	good = slices.Clone(good)
	for n := range good {
		if _, err := openBodies(new(packer).squeeze(good[:n]), rows); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: %v, want ErrCorrupt", n, len(good), err)
		}
		bad := slices.Clone(good)
		bad[n] ^= 0x80
		if _, err := openBodies(new(packer).squeeze(bad), rows); err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
	short := [][]byte{rows[0][:10], rows[1], rows[2]}
	if _, err := openBodies(c.bodies, short); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("with a row that is too short: %v, want ErrCorrupt", err)
	}
}

// A log of version 1 is brought forward when it is opened, with what it holds.
func TestOpen_OlderLog(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	x := benchExchange(1)
	if err := s.WriteExchanges(t.Context(), []*store.Exchange{x}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alter(t, dir, logFile, `PRAGMA user_version = 1`)
	s = open(t, dir, Options{})
	got, err := s.Exchange(t.Context(), "shop", x.ID)
	if err != nil || !bytes.Equal(got.Response, x.Response) {
		t.Fatalf("after the migration: %v", err)
	}
	var version int
	if err := s.log.one(t.Context(), []any{&version}, `PRAGMA user_version`); err != nil || version != len(logSchema.steps) {
		t.Errorf("version %s, want %d", fmt.Sprint(version, err), len(logSchema.steps))
	}
}
