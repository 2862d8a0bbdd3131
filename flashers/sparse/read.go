package sparse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// NewReader reads the chunk headers of a sparse image of size bytes; data
// stays in r. Errors: ErrNotSparse, *FormatError, or what r said.
func NewReader(r io.ReaderAt, size int64) (*Image, error) {
	head := make([]byte, headerSize)
	if n, err := r.ReadAt(head, 0); n < len(head) {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the sparse image's header: %w", err)
		}
		if !IsSparse(r) {
			return nil, ErrNotSparse
		}
		return nil, &FormatError{Offset: int64(n), What: "it ends inside the header"}
	}
	le := binary.LittleEndian
	if le.Uint32(head) != magic {
		return nil, ErrNotSparse
	}
	if major := le.Uint16(head[4:]); major != 1 {
		return nil, &FormatError{Offset: 4, What: fmt.Sprintf("major version %d, only 1 is known", major)}
	}
	fileHead, chunkHead := int64(le.Uint16(head[8:])), int64(le.Uint16(head[10:]))
	if fileHead < headerSize || chunkHead < chunkHeader {
		return nil, &FormatError{Offset: 8, What: fmt.Sprintf("headers of %d and %d bytes, at least %d and %d are needed", fileHead, chunkHead, headerSize, chunkHeader)}
	}
	m := &Image{blockSize: int64(le.Uint32(head[12:])), blocks: int64(le.Uint32(head[16:])), src: r, srcSize: size}
	if m.blockSize < 4 || m.blockSize%4 != 0 || m.blockSize > maxBlockSize {
		return nil, &FormatError{Offset: 12, What: fmt.Sprintf("block size %d, it must be a multiple of 4 up to %d", m.blockSize, maxBlockSize)}
	}
	if m.blocks > MaxRaw/m.blockSize {
		return nil, &FormatError{Offset: 16, What: fmt.Sprintf("%d blocks of %d bytes, beyond %d bytes", m.blocks, m.blockSize, int64(MaxRaw))}
	}
	m.size = m.blocks * m.blockSize
	if err := m.readChunks(fileHead, chunkHead, int64(le.Uint32(head[20:]))); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Image) readChunks(off, chunkHead, count int64) error {
	if count > (m.srcSize-off)/chunkHead {
		return &FormatError{Offset: 20, What: fmt.Sprintf("%d chunks do not fit into a file of %d bytes", count, m.srcSize)}
	}
	in := headerReader{src: m.src}
	var at int64
	for i := range count {
		bad := func(format string, args ...any) error {
			return &FormatError{Offset: off, What: fmt.Sprintf("chunk %d: ", i) + fmt.Sprintf(format, args...)}
		}
		// 4 bytes more than the header: what fill and CRC chunks carry.
		h, err := in.at(off, min(chunkHead+4, m.srcSize-off))
		if err != nil {
			return fmt.Errorf("read the sparse image's chunk %d: %w", i, err)
		}
		if int64(len(h)) < chunkHead {
			return bad("the file ends inside its header")
		}
		le := binary.LittleEndian
		typ, blocks, total := le.Uint16(h), int64(le.Uint32(h[4:])), int64(le.Uint32(h[8:]))
		if at+blocks > m.blocks {
			return bad("it reaches block %d of %d", at+blocks, m.blocks)
		}
		c := chunk{blocks: blocks}
		var data int64
		switch typ {
		case typeRaw:
			c.kind, c.off, data = raw, off+chunkHead, blocks*m.blockSize
		case typeFill:
			c.kind, data = fill, 4
		case typeDontCare:
			c.kind = skip
		case typeCRC32:
			c.kind, c.blocks, data = crc, 0, 4
			if blocks != 0 {
				return bad("a checksum over %d blocks", blocks)
			}
		default:
			return bad("type %#04x is not known", typ)
		}
		if total != chunkHead+data {
			return bad("it says %d bytes, a chunk of type %#04x with %d blocks has %d", total, typ, blocks, chunkHead+data)
		}
		if off+total > m.srcSize {
			return bad("it needs a file of %d bytes, there are %d", off+total, m.srcSize)
		}
		if c.kind == fill || c.kind == crc {
			if int64(len(h)) < chunkHead+4 {
				return bad("the file ends inside it")
			}
			c.value = le.Uint32(h[chunkHead:])
		}
		if err := m.add(c); err != nil {
			return bad("%v", err)
		}
		at += blocks
		off += total
	}
	if at < m.blocks {
		// libsparse leaves out a hole at the end of some images.
		return m.add(chunk{kind: skip, blocks: m.blocks - at})
	}
	return nil
}

// headerReader reads short records at rising offsets with few calls.
type headerReader struct {
	src   io.ReaderAt
	buf   []byte
	start int64
}

func (h *headerReader) at(off, n int64) ([]byte, error) {
	if off >= h.start && off+n <= h.start+int64(len(h.buf)) {
		return h.buf[off-h.start:][:n], nil
	}
	if h.buf == nil {
		h.buf = make([]byte, 0, 64<<10)
	}
	want := max(n, 4096)
	if int64(cap(h.buf)) < want {
		h.buf = make([]byte, 0, want)
	}
	got, err := h.src.ReadAt(h.buf[:want], off)
	h.buf, h.start = h.buf[:got], off
	if int64(got) < n && err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return h.buf[:min(n, int64(got))], nil
}
