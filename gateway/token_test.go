package gateway

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"heed/store"
)

const signingKey = Secret("0123456789abcdef0123456789abcdef")

func newTestSigner(t testing.TB, keys ...Secret) *signer {
	t.Helper()
	s, err := newSigner(keys, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSigner(t *testing.T) {
	s := newTestSigner(t, signingKey)
	now := time.Unix(1_800_000_000, 0)
	id, user := store.NewID(), store.UserHash("shop", "ann")
	token := s.sign("shop", id, user, now)
	if len(token) > 200 || strings.Contains(token, "shop") && strings.Contains(token, "ann") {
		t.Errorf("token %q", token)
	}
	got, err := s.open(token, now.Add(59*time.Minute))
	if err != nil || got.app != "shop" || got.exchange != id || got.user != user {
		t.Fatalf("got %+v, %v", got, err)
	}
	if _, err := s.open(token, now.Add(time.Hour)); err == nil {
		t.Error("an expired token was accepted")
	}
	if got, err := s.open(s.sign("shop", id, "", now), now); err != nil || got.user != "" {
		t.Errorf("without a user: %+v, %v", got, err)
	}
}

// TestSigner_Rotation: the earlier key still opens, another does not.
func TestSigner_Rotation(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	next := Secret(strings.Repeat("n", 16) + strings.Repeat("k", 16))
	old := newTestSigner(t, signingKey).sign("shop", store.NewID(), "", now)
	if _, err := newTestSigner(t, next, signingKey).open(old, now); err != nil {
		t.Errorf("during rotation: %v", err)
	}
	if _, err := newTestSigner(t, next).open(old, now); err == nil {
		t.Error("after rotation the old key still opens")
	}
}

// TestSigner_Forged: no change of any byte, and no cut, is accepted.
func TestSigner_Forged(t *testing.T) {
	s := newTestSigner(t, signingKey)
	now := time.Unix(1_800_000_000, 0)
	token := s.sign("shop", store.NewID(), store.UserHash("shop", "ann"), now)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			b := append([]byte(nil), raw...)
			b[i] ^= 1 << bit
			if _, err := s.open(base64.RawURLEncoding.EncodeToString(b), now); err == nil {
				t.Fatalf("bit %d of byte %d changed, yet accepted", bit, i)
			}
		}
	}
	for i := range token {
		if _, err := s.open(token[:i], now); err == nil {
			t.Fatalf("cut at %d, yet accepted", i)
		}
	}
	for _, more := range []string{"A", "=", "\n", "%"} {
		if _, err := s.open(token+more, now); err == nil {
			t.Errorf("%q appended, yet accepted", more)
		}
	}
}

func TestNewSigner_BadKeys(t *testing.T) {
	for _, keys := range [][]Secret{{"short"}, {Secret(strings.Repeat("\x00", 32))}, {signingKey, ""}, {signingKey, signingKey, signingKey, signingKey, signingKey}} {
		if _, err := newSigner(keys, time.Hour); err == nil {
			t.Errorf("%d keys accepted", len(keys))
		}
	}
}

func FuzzSigner_Open(f *testing.F) {
	s, err := newSigner([]Secret{signingKey}, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	good := s.sign("shop", "0190a000-0000-7000-8000-000000000001", "", now)
	f.Add(good)
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := s.open(token, now); err == nil && token != good {
			t.Errorf("accepted %q as %+v", token, c)
		}
	})
}

func TestSecret(t *testing.T) {
	k := Secret("sk-very-secret")
	o := Options{TokenKeys: []Secret{k}, Upstreams: []Upstream{{APIKey: k}}}
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s %q", k, o, k, k, k), k.LogValue().String()} {
		if strings.Contains(s, "very") {
			t.Errorf("printed as %s", s)
		}
	}
	if b, err := k.MarshalJSON(); err != nil || string(b) != `"[redacted]"` {
		t.Errorf("%s, %v", b, err)
	}
}
