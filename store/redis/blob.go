package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

// blobPart is how much of a blob travels at a time, in bytes, so that a call's
// time limit need not grow with the blob.
const blobPart = 1 << 20

// PutBlob implements store.Store. The parts are written first, then their number:
// a blob is there as a whole or not at all.
func (s *Store) PutBlob(ctx context.Context, app string, b []byte) (string, error) {
	hash, err := s.storeBlob(ctx, app, b)
	if err != nil {
		return "", err
	}
	if _, err := s.run(ctx, "put blob", changedScript, app, s.arguments(app)); err != nil {
		return "", err
	}
	s.changes.kick()
	return hash, nil
}

// storeBlob is PutBlob that tells nobody.
func (s *Store) storeBlob(ctx context.Context, app string, b []byte) (string, error) {
	if err := s.check(ctx, app); err != nil {
		return "", err
	}
	if len(b) > store.MaxBlobBytes {
		return "", fmt.Errorf("word statistics have %d bytes, at most %d: %w", len(b), store.MaxBlobBytes, store.ErrTooLarge)
	}
	hash := blobHash(b)
	packed := s.enc.EncodeAll(b, nil)
	key := s.base(app) + "b:" + hash
	n := 0
	for ; len(packed) > 0; n++ {
		part := packed[:min(len(packed), blobPart)]
		packed = packed[len(part):]
		err := s.call(ctx, "put blob", func(ctx context.Context) error {
			if err := s.listApp(ctx, app); err != nil {
				return err
			}
			return s.client.HSet(ctx, key, strconv.Itoa(n), part).Err()
		})
		if err != nil {
			return "", err
		}
	}
	err := s.call(ctx, "put blob", func(ctx context.Context) error { return s.client.HSet(ctx, key, "parts", n).Err() })
	if err != nil {
		return "", err
	}
	s.copies.keepBlob(app, hash, b, s.opt.Log)
	return hash, nil
}

// Blob implements store.Store. A local copy that fits the hash is as good as the
// server's.
func (s *Store) Blob(ctx context.Context, app, hash string) ([]byte, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	if b := s.copies.blob(app, hash); b != nil {
		return b, nil
	}
	parts, err := s.blobField(ctx, app, hash, "parts")
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(parts)
	if err != nil || n > store.MaxBlobBytes/blobPart+1 {
		return nil, fmt.Errorf("word statistics %s: %w: %q parts", hash, store.ErrCorrupt, parts)
	}
	var packed []byte
	for i := range n {
		part, err := s.blobField(ctx, app, hash, strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		packed = append(packed, part...)
	}
	b, err := s.dec.DecodeAll(packed, nil)
	if err != nil || blobHash(b) != hash {
		return nil, fmt.Errorf("word statistics %s: %w: their content has another hash", hash, store.ErrCorrupt)
	}
	s.copies.keepBlob(app, hash, b, s.opt.Log)
	return b, nil
}

func (s *Store) blobField(ctx context.Context, app, hash, field string) (string, error) {
	var v string
	err := s.call(ctx, "blob", func(ctx context.Context) error {
		var err error
		v, err = s.client.HGet(ctx, s.base(app)+"b:"+hash, field).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("word statistics %q: %w", hash, store.ErrNotFound)
	}
	return v, err
}

func blobHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:32]
}
