package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

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

// sealBytesHead is what sealing adds in front, in bytes.
const sealBytesHead = 4

func sealBytes(b []byte) []byte {
	out := append(make([]byte, sealBytesHead, sealBytesHead+len(b)), b...)
	sealInPlace(out)
	return out
}

// sealInPlace fills in the checksum of what stands behind it.
func sealInPlace(b []byte) {
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[sealBytesHead:], castagnoli))
}

// unseal returns the bytes that were sealed; store.ErrCorrupt, naming what, when
// they changed.
func unseal(doc []byte, what string) ([]byte, error) {
	if len(doc) < sealBytesHead || binary.LittleEndian.Uint32(doc) != crc32.Checksum(doc[sealBytesHead:], castagnoli) {
		return nil, fmt.Errorf("%s: %w: its checksum does not fit", what, store.ErrCorrupt)
	}
	return doc[sealBytesHead:], nil
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
