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
