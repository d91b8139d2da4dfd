package sqlite

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"heed/store"
)

// checkJournal looks for damage in the write-ahead log that a kill left beside
// heed.db. SQLite takes the first frame that does not fit for the end of the log,
// which is right for what a power cut tore, and would silently drop everything
// after a damaged byte. Every commit is synced before the next one is written, so
// a frame that does not fit and has a later commit's frames behind it is damage.
// In the last commit the two cannot be told apart. A header that does not fit, with
// frames behind it, is damage too.
//
// The format is https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
func checkJournal(dir string) error {
	path := filepath.Join(dir, mainFile+"-wal")
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	defer f.Close()
	bad, err := damagedFrame(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if bad == headerBad {
		return fmt.Errorf("%s: %w: its first %d bytes do not fit, so SQLite would drop all that stands behind them; restore the folder from a backup or move it away", path, store.ErrCorrupt, walHeader)
	}
	if bad > 0 {
		return fmt.Errorf("%s: %w: frame %d of it does not fit, but later ones do; restore the folder from a backup or move it away", path, store.ErrCorrupt, bad)
	}
	return nil
}

// Sizes of the log's parts, in bytes.
const (
	walHeader   = 32
	frameHeader = 24
)

// headerBad is what damagedFrame returns for a header that does not fit.
const headerBad = -1

// damagedFrame is the number of the first frame, from 1, that does not fit though
// a later commit does; 0 when there is none.
func damagedFrame(r io.Reader) (int, error) {
	var head [walHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, endOfLog(err)
	}
	order := binary.ByteOrder(binary.LittleEndian)
	switch binary.BigEndian.Uint32(head[:]) {
	case 0x377f0682:
	case 0x377f0683:
		order = binary.BigEndian
	default:
		return damagedHeader(r, head)
	}
	before := walSum{binary.BigEndian.Uint32(head[24:]), binary.BigEndian.Uint32(head[28:])}
	if (walSum{}).over(order, head[:24]) != before {
		return damagedHeader(r, head)
	}
	size := binary.BigEndian.Uint32(head[8:])
	if size < 512 || size > 64<<10 {
		return 0, nil
	}
	salts := [8]byte(head[16:])
	computed := before // what the frame before comes to, which is what it says if it fits
	frame := make([]byte, frameHeader+int(size))
	bad, closed := 0, false // a commit ended at or behind the bad frame
	for n := 1; ; n++ {
		if _, err := io.ReadFull(r, frame); err != nil {
			return 0, endOfLog(err)
		}
		says := walSum{binary.BigEndian.Uint32(frame[16:]), binary.BigEndian.Uint32(frame[20:])}
		ours := [8]byte(frame[8:]) == salts
		commits := binary.BigEndian.Uint32(frame[4:]) != 0
		sum := before.frame(order, frame)
		linked := sum == says || computed.frame(order, frame) == says
		fits := ours && linked
		switch {
		case fits && closed:
			return bad, nil
		case !fits && bad == 0:
			// No sum covers the salts: a frame linked to a good one is of this log
			// whatever its salts say.
			bad, closed = n, commits && (ours || linked)
		case fits && bad > 0 && commits:
			closed = true
		}
		before, computed = says, sum
	}
}

// damagedHeader is headerBad when something stands behind a header that does not
// fit. SQLite syncs a header before the frames behind it, and no disk tears so few
// bytes, so a power cut leaves the old one, the new one or none.
func damagedHeader(r io.Reader, head [walHeader]byte) (int, error) {
	var frame [frameHeader]byte
	if _, err := io.ReadFull(r, frame[:]); err != nil || head == [walHeader]byte{} {
		return 0, endOfLog(err)
	}
	return headerBad, nil
}

// endOfLog is nil for the end of the file, also within a frame.
func endOfLog(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// walSum is the log's running checksum.
type walSum [2]uint32

// frame is the sum after a frame.
func (s walSum) frame(order binary.ByteOrder, f []byte) walSum {
	return s.over(order, f[:8]).over(order, f[frameHeader:])
}

func (s walSum) over(order binary.ByteOrder, b []byte) walSum {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
	return s
}
