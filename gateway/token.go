package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// A feedback token lets whoever holds it judge one exchange, and nothing else.
// It is unpadded base64url of
//
//	version 1 | key id 4 | expiry 4 (Unix seconds) | exchange 16 | user 16 | app … | HMAC-SHA256 32
//
// where user is store.UserHash, all zero when nobody was named, and the key id is the
// start of the key's SHA-256. It holds no personal data.
const (
	tokenVersion = 1
	tokenFixed   = 1 + 4 + 4 + 16 + 16
	maxToken     = 2 * (tokenFixed + maxAppName + sha256.Size)
	minTokenKey  = 32
	maxTokenKeys = 4
)

// errToken says that a token is not one of ours, was changed, or has expired. The
// reason is not told apart: it would help only a forger.
var errToken = &Error{Status: 401, Code: "invalid_token", Message: "this feedback token is not valid, or no longer"}

type tokenClaims struct {
	app, exchange, user string
	expires             time.Time
}

// signer signs tokens with the first key and accepts all.
type signer struct {
	keys []*tokenKey
	ttl  time.Duration
}

type tokenKey struct {
	id   [4]byte
	key  []byte
	macs sync.Pool // of hash.Hash, keyed: keying costs as much as signing
}

// newSigner checks the keys. Without any it makes one, so that tokens live until
// the process ends.
func newSigner(keys []Secret, ttl time.Duration) (*signer, error) {
	if len(keys) > maxTokenKeys {
		return nil, fmt.Errorf("%d token keys, at most %d", len(keys), maxTokenKeys)
	}
	if len(keys) == 0 {
		var b [minTokenKey]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
		keys = []Secret{Secret(b[:])}
	}
	s := &signer{ttl: ttl}
	for i, k := range keys {
		if len(k) < minTokenKey {
			return nil, fmt.Errorf("token key %d has %d bytes, want %d or more", i+1, len(k), minTokenKey)
		}
		if repeats(string(k)) {
			return nil, fmt.Errorf("token key %d is one byte repeated; draw it at random", i+1)
		}
		sum := sha256.Sum256([]byte("heed-token-key-v1\n" + k))
		s.keys = append(s.keys, &tokenKey{id: [4]byte(sum[:4]), key: []byte(k)})
	}
	return s, nil
}

func repeats(s string) bool {
	for i := range len(s) {
		if s[i] != s[0] {
			return false
		}
	}
	return true
}

// sign makes the token for an exchange; user is a store.UserHash or "".
func (s *signer) sign(app, exchange, user string, now time.Time) string {
	return string(s.append(nil, app, exchange, user, now))
}

// append appends the token for an exchange to dst.
func (s *signer) append(dst []byte, app, exchange, user string, now time.Time) []byte {
	var buf [maxToken]byte
	k := s.keys[0]
	b := append(append(buf[:0], tokenVersion), k.id[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(now.Add(s.ttl).Unix()))
	id, err := uuid.Parse(exchange)
	if err != nil {
		panic("BUG: exchange id " + exchange)
	}
	b = append(b, id[:]...)
	var u [16]byte
	if _, err := hex.Decode(u[:], []byte(user)); err != nil {
		panic("BUG: user hash " + user)
	}
	b = append(append(b, u[:]...), app...)
	return base64.RawURLEncoding.AppendEncode(dst, k.sum(b, b))
}

// sum appends the HMAC of b to dst.
func (k *tokenKey) sum(dst, b []byte) []byte {
	m, ok := k.macs.Get().(hash.Hash)
	if !ok {
		m = hmac.New(sha256.New, k.key)
	}
	m.Reset()
	m.Write(b)
	dst = m.Sum(dst)
	k.macs.Put(m)
	return dst
}

// open checks a token.
func (s *signer) open(token string, now time.Time) (tokenClaims, error) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") { // which the decoder passes over
		return tokenClaims{}, errToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= tokenFixed+sha256.Size || b[0] != tokenVersion {
		return tokenClaims{}, errToken
	}
	at := len(b) - sha256.Size
	payload, sum := b[:at], b[at:]
	for _, k := range s.keys {
		if [4]byte(payload[1:5]) != k.id {
			continue
		}
		if !hmac.Equal(k.sum(nil, payload), sum) {
			continue
		}
		c := tokenClaims{
			expires:  time.Unix(int64(binary.BigEndian.Uint32(payload[5:9])), 0),
			exchange: uuid.UUID(payload[9:25]).String(),
			app:      string(payload[tokenFixed:]),
		}
		if u := [16]byte(payload[25:41]); u != [16]byte{} {
			c.user = hex.EncodeToString(u[:])
		}
		if !now.Before(c.expires) {
			return tokenClaims{}, errToken
		}
		return c, nil
	}
	return tokenClaims{}, errToken
}

// asError is err as an answer.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Status: 500, Code: codeInternal, Message: "internal error", cause: err}
}
