package sqlite

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"heed/store"
)

// TestStore_EraseUser_Slack erases a person whose exchanges were merged, expired
// and written over before: none of their bytes are left between those of others.
func TestStore_EraseUser_Slack(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 9))
	dir := t.TempDir()
	s := open(t, dir, Options{Retain: Retention{Age: 20 * time.Hour}})
	var tokens []string
	noise := func(n int) string {
		b := make([]byte, n/2)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return hex.EncodeToString(b)
	}
	now := time.Now()
	for round := range 6 {
		for range 40 {
			var xs []*store.Exchange
			for range 1 + random.IntN(4) {
				x := benchExchange(len(tokens))
				x.Time, x.Facts.User = now.Add(-time.Duration(random.IntN(30))*time.Hour), "ben"
				if random.IntN(3) == 0 {
					token := noise(24)
					tokens = append(tokens, token)
					x.Facts.User, x.Query = "ann", token
				}
				x.Request = fmt.Appendf(nil, `%s %s %s`, noise(random.IntN(9000)), x.Query, noise(random.IntN(9000)))
				xs = append(xs, x)
			}
			if err := s.WriteExchanges(t.Context(), xs); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Tidy(t.Context(), now.Add(time.Duration(round)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := func() (n int) {
		for _, token := range tokens {
			n += len(inFiles(t, dir, token))
		}
		return n
	}
	if n := left(); n < 50 {
		t.Fatalf("before, %d places hold words of ann: the search proves nothing", n)
	}
	if _, err := s.EraseUser(t.Context(), "shop", "ann", nil); err != nil {
		t.Fatal(err)
	}
	if n := left(); n > 0 {
		t.Errorf("seed %d: %d places of the files still hold words of ann", seed, n)
	}
}
