package sparse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Piece is one sparse image to be sent: a whole image, or one of several that
// each write some of the blocks and skip the others.
type Piece struct {
	m      *Image
	chunks []chunk
	size   int64
}

// Size is the length of the encoded image in bytes.
func (p *Piece) Size() int64 { return p.size }

// Encoded is the image as one piece, however long.
func (m *Image) Encoded() *Piece {
	p := newPiece(m, 0)
	for _, c := range m.chunks {
		for rest := c; rest.blocks > 0; {
			part := m.head(rest, rest.blocks)
			p.push(part)
			rest.blocks -= part.blocks
			rest.off += part.blocks * m.blockSize
		}
	}
	p.finish(m.blocks)
	return p
}

// head is the beginning of a run, at most n blocks, and of data no more than
// the 32-bit length of a chunk can say.
func (m *Image) head(c chunk, n int64) chunk {
	c.blocks = min(c.blocks, n)
	if c.kind == raw {
		c.blocks = min(c.blocks, (1<<30)/m.blockSize)
	}
	return c
}

// Split plans sparse images of at most max bytes that together write m, to be
// sent in this order. Like AOSP's fastboot it keeps all blocks in every piece's
// count and skips those of other pieces. Checksum chunks are left out: they
// are sums over the whole.
func Split(m *Image, max int64) ([]*Piece, error) {
	if one := m.Encoded(); one.size <= max {
		return []*Piece{one}, nil
	}
	least := int64(headerSize+3*chunkHeader) + m.blockSize
	if max < least {
		return nil, fmt.Errorf("split a sparse image: pieces of %d bytes cannot hold one block of %d bytes with its headers; at least %d are needed", max, m.blockSize, least)
	}
	var out []*Piece
	var at int64
	p := newPiece(m, 0)
	flush := func() {
		if p.finish(at); p.writes() {
			out = append(out, p)
		}
		p = newPiece(m, at)
	}
	for _, c := range m.chunks {
		for c.blocks > 0 {
			// The skip to the end of the partition needs room, too.
			room := max - p.size - 2*chunkHeader
			n := c.blocks
			switch c.kind {
			case raw:
				n = min(n, room/m.blockSize)
			case fill:
				if room < 4 {
					n = 0
				}
			case skip:
				if room < 0 {
					n = 0
				}
			}
			if n <= 0 {
				flush()
				continue
			}
			part := m.head(c, n)
			p.push(part)
			at += part.blocks
			c.blocks -= part.blocks
			c.off += part.blocks * m.blockSize
		}
	}
	flush()
	if len(out) == 0 { // nothing but holes
		return []*Piece{m.Encoded()}, nil
	}
	return out, nil
}

func newPiece(m *Image, at int64) *Piece {
	p := &Piece{m: m, size: headerSize}
	if at > 0 {
		p.push(chunk{kind: skip, blocks: at})
	}
	return p
}

// push appends a run; skips are joined.
func (p *Piece) push(c chunk) {
	if c.kind == crc || c.blocks == 0 {
		return
	}
	if n := len(p.chunks); n > 0 && c.kind == skip && p.chunks[n-1].kind == skip {
		p.chunks[n-1].blocks += c.blocks
		return
	}
	p.chunks = append(p.chunks, c)
	p.size += chunkHeader + p.data(c)
}

// data is how many bytes follow the header of a chunk.
func (p *Piece) data(c chunk) int64 {
	switch c.kind {
	case raw:
		return c.blocks * p.m.blockSize
	case fill:
		return 4
	}
	return 0
}

// finish skips from block at to the end.
func (p *Piece) finish(at int64) { p.push(chunk{kind: skip, blocks: p.m.blocks - at}) }

func (p *Piece) writes() bool {
	for _, c := range p.chunks {
		if c.kind != skip {
			return true
		}
	}
	return false
}

// header encodes the file header.
func (p *Piece) header() []byte {
	b := make([]byte, headerSize)
	le := binary.LittleEndian
	le.PutUint32(b, magic)
	le.PutUint16(b[4:], 1)
	le.PutUint16(b[8:], headerSize)
	le.PutUint16(b[10:], chunkHeader)
	le.PutUint32(b[12:], uint32(p.m.blockSize))
	le.PutUint32(b[16:], uint32(p.m.blocks))
	le.PutUint32(b[20:], uint32(len(p.chunks)))
	return b
}

// chunkHead encodes what comes before a chunk's raw data.
func (p *Piece) chunkHead(c chunk) []byte {
	b := make([]byte, chunkHeader, chunkHeader+4)
	le := binary.LittleEndian
	le.PutUint16(b, map[kind]uint16{raw: typeRaw, fill: typeFill, skip: typeDontCare}[c.kind])
	le.PutUint32(b[4:], uint32(c.blocks))
	le.PutUint32(b[8:], uint32(chunkHeader+p.data(c)))
	if c.kind == fill {
		b = le.AppendUint32(b, c.value)
	}
	return b
}

// Reader streams the encoded piece. The image's source must stay open.
func (p *Piece) Reader() io.Reader { return &pieceReader{p: p, head: p.header()} }

type pieceReader struct {
	p    *Piece
	next int    // chunk to begin after head and data
	head []byte // of the file or a chunk, not yet read
	off  int64  // raw data not yet read
	left int64
}

func (r *pieceReader) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		switch {
		case len(r.head) > 0:
			k := copy(b[n:], r.head)
			r.head, n = r.head[k:], n+k
		case r.left > 0:
			part := b[n:][:min(r.left, int64(len(b)-n))]
			if err := r.p.m.readSource(part, r.off); err != nil {
				return n, err
			}
			k := int64(len(part))
			r.off, r.left, n = r.off+k, r.left-k, n+len(part)
		case r.next < len(r.p.chunks):
			c := r.p.chunks[r.next]
			r.next++
			r.head = r.p.chunkHead(c)
			if c.kind == raw {
				r.off, r.left = c.off, r.p.data(c)
			}
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
	return n, nil
}

// readSource fills b with raw data; past the end of a raw source, in its last
// block, are zeros.
func (m *Image) readSource(b []byte, off int64) error {
	have := min(int64(len(b)), max(0, m.srcSize-off))
	n, err := m.src.ReadAt(b[:have], off)
	if int64(n) < have {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read %d bytes of the image at %d: %w", have, off, err)
	}
	clear(b[have:])
	return nil
}

// WriteTo writes the encoded piece. Between two files the kernel copies.
func (p *Piece) WriteTo(w io.Writer) (int64, error) {
	src, _ := p.m.src.(*os.File)
	dst, _ := w.(*os.File)
	buf := make([]byte, 1<<20)
	r := &pieceReader{p: p, head: p.header()}
	var total int64
	for {
		if src != nil && dst != nil && len(r.head) == 0 && r.left >= 256<<10 {
			n, err := copyRange(dst, nil, src, r.off, min(r.left, p.m.srcSize-r.off))
			r.off, r.left, total = r.off+n, r.left-n, total+n
			if err != nil {
				src = nil // another way of reading decides
			}
			continue
		}
		// Stop before large data, so that the kernel gets to copy it.
		b := buf
		if src != nil && dst != nil && len(r.head) > 0 {
			b = buf[:len(r.head)]
		}
		n, err := r.Read(b)
		if n > 0 {
			if _, werr := w.Write(b[:n]); werr != nil {
				return total, werr
			}
			total += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// copyRange copies n bytes, or less until the first error, from off of src to
// where dst's position is, or to *to.
func copyRange(dst *os.File, to *int64, src *os.File, off, n int64) (done int64, err error) {
	for done < n {
		at := off + done
		var dstAt *int64
		if to != nil {
			p := *to + done
			dstAt = &p
		}
		k, err := unix.CopyFileRange(int(src.Fd()), &at, int(dst.Fd()), dstAt, int(min(n-done, 1<<30)), 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, err
		}
		if k == 0 {
			return done, io.ErrUnexpectedEOF
		}
		done += int64(k)
	}
	return done, nil
}
