package sqlite

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"heed/store"
)

// Requests that begin alike, as those of an agent with a long prompt do, share a
// chunk and are packed without what they share; others fill one soon. Each chunk
// opens to the bytes that went in.
func TestSplit_SharedBodies(t *testing.T) {
	prompt := bytes.Repeat([]byte("Answer kindly. "), 100_000/15+1)
	for _, c := range []struct {
		name   string
		before func(i int) []byte
		chunks int
	}{
		{"alike", func(int) []byte { return prompt }, 1},
		{"unlike", func(i int) []byte { return append(fmt.Appendf(nil, "%d ", i), prompt...) }, 7}, // ten each
	} {
		pk := new(packer)
		var slots []slot
		for i := range chunkSlots {
			s, err := pk.newSlot(&store.Exchange{
				ID: store.NewID(), App: "shop", Time: time.Now(), Request: fmt.Appendf(c.before(i)[:100_000:100_000], "question %d", i), Response: []byte("answer"),
			})
			if err != nil {
				t.Fatal(err)
			}
			slots = append(slots, s)
		}
		runs := split(share(slots))
		if len(runs) != c.chunks {
			t.Errorf("%s: %d chunks, want %d", c.name, len(runs), c.chunks)
		}
		for _, run := range runs {
			p := pk.pack(run)
			if p.plain > chunkBytes {
				t.Errorf("%s: a chunk of %d plain bytes, want at most %d", c.name, p.plain, chunkBytes)
			}
			rows, err := openRows(p.facts, len(run))
			if err != nil {
				t.Fatal(err)
			}
			bodies, err := openBodies(p.bodies, rows)
			if err != nil {
				t.Fatal(err)
			}
			for i := range run {
				if !bytes.Equal(bodies[2*i], run[i].x.Request) || !bytes.Equal(bodies[2*i+1], run[i].x.Response) {
					t.Fatalf("%s: bodies of slot %d are not what went in", c.name, i)
				}
			}
		}
	}
}
