// Package sparse reads, writes and splits Android sparse images: files that
// leave out holes and runs of one 32-bit value.
//
// The format is that of libsparse/sparse_format.h in AOSP's platform/system/core:
// a 28-byte header, then chunks of a 12-byte header each, little-endian.
package sparse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	magic        = 0xed26ff3a
	headerSize   = 28
	chunkHeader  = 12
	typeRaw      = 0xcac1
	typeFill     = 0xcac2
	typeDontCare = 0xcac3
	typeCRC32    = 0xcac4

	// BlockSize is what images are made with here, as everywhere in Android.
	BlockSize = 4096
	// MaxChunks bounds the memory of a plan (40 bytes a chunk). An image of
	// 8 GiB whose every second block is filled has as many.
	MaxChunks = 2 << 20
	// MaxRaw bounds the expanded size that is believed: 1 TiB.
	MaxRaw = 1 << 40

	maxBlockSize = 16 << 20
)

// ErrNotSparse says that a file does not begin as a sparse image does.
var ErrNotSparse = errors.New("not an Android sparse image")

// FormatError says what is wrong in a sparse image and where.
type FormatError struct {
	Offset int64 // in the file
	What   string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("the sparse image is damaged at byte %d: %s; make or download it again", e.Offset, e.What)
}

// kind of a chunk. skip leaves the phone's bytes as they are.
type kind uint8

const (
	skip kind = iota
	fill
	raw
	crc
)

// chunk is a run of blocks.
type chunk struct {
	kind   kind
	value  uint32 // of fill; of crc the expected sum of everything before
	blocks int64
	off    int64 // of raw: where its bytes are in the source
}

// Image is what a sparse image says, over a source that holds its raw bytes.
// It holds no data: reading goes back to the source.
type Image struct {
	blockSize int64
	blocks    int64
	size      int64 // expanded, before rounding up to blocks
	chunks    []chunk
	src       io.ReaderAt
	srcSize   int64
}

// Size is the expanded size in bytes. For an image made by FromRaw it is the
// size of the source, which may end inside the last block.
func (m *Image) Size() int64 { return m.size }

// BlockSize is the size of a block in bytes.
func (m *Image) BlockSize() int64 { return m.blockSize }

// IsSparse tells whether r begins with the magic of a sparse image.
func IsSparse(r io.ReaderAt) bool {
	var b [4]byte
	n, _ := r.ReadAt(b[:], 0)
	return n == 4 && binary.LittleEndian.Uint32(b[:]) == magic
}

// add appends a run, joined to the one before where that says the same.
func (m *Image) add(c chunk) error {
	if c.blocks == 0 && c.kind != crc {
		return nil
	}
	if n := len(m.chunks); n > 0 {
		l := &m.chunks[n-1]
		if l.kind == c.kind && (c.kind == skip || c.kind == fill && l.value == c.value || c.kind == raw && l.off+l.blocks*m.blockSize == c.off) {
			l.blocks += c.blocks
			return nil
		}
	}
	if len(m.chunks) >= MaxChunks {
		return fmt.Errorf("the image changes between data and holes more than %d times, which is beyond what is kept in memory", MaxChunks)
	}
	m.chunks = append(m.chunks, c)
	return nil
}

// Extent is a range of the expanded image in bytes.
type Extent struct{ Off, Len int64 }

// Written lists what the image writes, in order and joined; the rest is skipped.
func (m *Image) Written() []Extent {
	var out []Extent
	var off int64
	for _, c := range m.chunks {
		n := min(c.blocks*m.blockSize, m.size-off)
		if c.kind != skip && n > 0 {
			if k := len(out); k > 0 && out[k-1].Off+out[k-1].Len == off {
				out[k-1].Len += n
			} else {
				out = append(out, Extent{off, n})
			}
		}
		off += n
	}
	return out
}
