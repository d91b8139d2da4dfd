package sqlite

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"heed/store"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal encodes v as JSON behind a checksum: SQLite checks the shape of its pages,
// not the bytes of a value.
func seal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return sealBytes(b), nil
}

func sealBytes(b []byte) []byte {
	out := binary.LittleEndian.AppendUint32(make([]byte, 0, len(b)+4), crc32.Checksum(b, castagnoli))
	return append(out, b...)
}

// unseal returns the bytes that were sealed; store.ErrCorrupt, naming what, when
// they changed.
func unseal(doc []byte, what string) ([]byte, error) {
	if len(doc) < 4 || binary.LittleEndian.Uint32(doc) != crc32.Checksum(doc[4:], castagnoli) {
		return nil, fmt.Errorf("%s: %w: its checksum does not fit", what, store.ErrCorrupt)
	}
	return doc[4:], nil
}

// unsealJSON decodes a sealed document.
func unsealJSON(doc []byte, what string, v any) error {
	what = mainFile + ": " + what
	b, err := unseal(doc, what)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w: %v", what, store.ErrCorrupt, err)
	}
	return nil
}

// null stands for an empty string, so that partial indexes skip it.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// page is the number of items that a filter's limit asks for.
func page(limit int) int {
	if limit <= 0 {
		return store.DefaultPage
	}
	return min(limit, store.MaxPage)
}

// A cursor is where a page ended: a number and an id, opaque to callers.
func cursor(n int64, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(n, 36) + "." + id))
}

// parseCursor reads what cursor wrote; ok is false for "".
// What cursor did not write is store.ErrCursor.
func parseCursor(c string) (n int64, id string, ok bool, err error) {
	if c == "" {
		return 0, "", false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(c)
	if err == nil {
		var num string
		if num, id, ok = strings.Cut(string(b), "."); ok {
			n, err = strconv.ParseInt(num, 36, 64)
		}
	}
	if err != nil || !ok {
		return 0, "", false, fmt.Errorf("cursor %q: %w", c, store.ErrCursor)
	}
	return n, id, true, nil
}
