package sparse

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// Zeroer is what a target of WriteRaw may be besides: something that can set a
// range to zeros without being sent them (by punching a hole, say).
type Zeroer interface {
	Zero(off, n int64) error
}

// ChecksumError says that a CRC32 chunk does not match what came before it.
type ChecksumError struct {
	Block    int64
	Has, Say uint32
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("the sparse image is damaged: the %d blocks before its checksum have CRC32 %08x, it says %08x; make or download it again", e.Block, e.Has, e.Say)
}

// WriteRaw writes the expanded image at its offsets. Skipped blocks are left
// as they are; filled ones are written, zeros by Zero where w has it. CRC32
// chunks are checked as they come, so what precedes a wrong one is written.
func (m *Image) WriteRaw(w io.WriterAt) error {
	z, _ := w.(Zeroer)
	return m.expand(w, func(off, n int64) (bool, error) {
		if z == nil {
			return false, nil
		}
		return true, z.Zero(off, n)
	})
}

// WriteFile makes f the expanded image: it is emptied first, and zeros and
// skipped blocks become holes.
func (m *Image) WriteFile(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	if err := f.Truncate(m.size); err != nil {
		return err
	}
	return m.expand(f, func(int64, int64) (bool, error) { return true, nil })
}

// expand writes every chunk; zero may take over a run of zeros.
func (m *Image) expand(w io.WriterAt, zero func(off, n int64) (bool, error)) error {
	sum := m.summer()
	buf := make([]byte, min(1<<20, max(m.blocks*m.blockSize, m.blockSize)))
	src, _ := m.src.(*os.File)
	dst, _ := w.(*os.File)
	var off int64
	for _, c := range m.chunks {
		n := min(c.blocks*m.blockSize, m.size-off)
		switch c.kind {
		case crc:
			if sum.value != c.value {
				return &ChecksumError{Block: off / m.blockSize, Has: sum.value, Say: c.value}
			}
		case skip:
			sum.zeros(n)
		case fill:
			if c.value == 0 {
				done, err := zero(off, n)
				if err != nil {
					return fmt.Errorf("set %d bytes at %d to zero: %w", n, off, err)
				}
				if done {
					sum.zeros(n)
					break
				}
			}
			b := pattern(buf, c.value)
			for done := int64(0); done < n; {
				part := b[:min(int64(len(b)), n-done)]
				if _, err := w.WriteAt(part, off+done); err != nil {
					return fmt.Errorf("write %d bytes at %d: %w", len(part), off+done, err)
				}
				sum.add(part)
				done += int64(len(part))
			}
		case raw:
			done := int64(0)
			if src != nil && dst != nil && !sum.on && n >= 64<<10 {
				// What the kernel does not copy is read and written below.
				done, _ = copyRange(dst, &off, src, c.off, min(n, m.srcSize-c.off))
			}
			for done < n {
				part := buf[:min(int64(len(buf)), n-done)]
				if err := m.readSource(part, c.off+done); err != nil {
					return err
				}
				if _, err := w.WriteAt(part, off+done); err != nil {
					return fmt.Errorf("write %d bytes at %d: %w", len(part), off+done, err)
				}
				sum.add(part)
				done += int64(len(part))
			}
		}
		off += n
	}
	return nil
}

// pattern fills a buffer with one value.
func pattern(buf []byte, v uint32) []byte {
	b := buf[:len(buf)-len(buf)%4]
	binary.LittleEndian.PutUint32(b, v)
	for n := 4; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
	return b
}

// summer computes the running CRC32, if the image has one to compare with.
type summer struct {
	on    bool
	value uint32
}

func (m *Image) summer() *summer {
	for _, c := range m.chunks {
		if c.kind == crc {
			return &summer{on: true}
		}
	}
	return &summer{}
}

func (s *summer) add(b []byte) {
	if s.on {
		s.value = crc32.Update(s.value, crc32.IEEETable, b)
	}
}

var zeros = make([]byte, 256<<10)

func (s *summer) zeros(n int64) {
	for s.on && n > 0 {
		k := min(n, int64(len(zeros)))
		s.add(zeros[:k])
		n -= k
	}
}

// Raw streams the expanded image, skipped blocks as zeros.
func (m *Image) Raw() io.Reader { return &rawReader{m: m} }

type rawReader struct {
	m    *Image
	next int
	cur  chunk
	left int64 // bytes of cur
	done int64
}

func (r *rawReader) Read(b []byte) (int, error) {
	for r.left == 0 {
		if r.next == len(r.m.chunks) {
			return 0, io.EOF
		}
		r.cur = r.m.chunks[r.next]
		r.next++
		r.left = min(r.cur.blocks*r.m.blockSize, r.m.size-r.done)
	}
	b = b[:min(int64(len(b)), r.left)]
	switch r.cur.kind {
	case raw:
		if err := r.m.readSource(b, r.cur.off); err != nil {
			return 0, err
		}
		r.cur.off += int64(len(b))
	case fill:
		var v [4]byte
		binary.LittleEndian.PutUint32(v[:], r.cur.value)
		if v == [4]byte{} {
			clear(b)
			break
		}
		// Blocks are multiples of 4, so the phase is that of the position.
		phase := int(r.done % 4)
		copy(b, bytes.Repeat(v[:], len(b)/4+2)[phase:])
	default:
		clear(b)
	}
	r.left -= int64(len(b))
	r.done += int64(len(b))
	return len(b), nil
}
