package sparse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// FromRaw plans a sparse image of the size bytes of r: runs of blocks that
// repeat one 32-bit value become fills, the rest raw data. Holes of an
// *os.File are found by SEEK_HOLE without being read; they are filled with
// zeros like every run of zeros, so that the phone holds exactly these bytes.
func FromRaw(r io.ReaderAt, size int64) (*Image, error) {
	if size < 0 || size > MaxRaw {
		return nil, fmt.Errorf("make a sparse image: a size of %d bytes is beyond %d", size, int64(MaxRaw))
	}
	m := &Image{blockSize: BlockSize, blocks: (size + BlockSize - 1) / BlockSize, size: size, src: r, srcSize: size}
	f, err := seekable(r, size)
	if err != nil {
		return nil, fmt.Errorf("make a sparse image: %w", err)
	}
	if f != nil {
		// SEEK_HOLE moves the position that the owner of the file reads from.
		was, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, fmt.Errorf("make a sparse image: %w", err)
		}
		defer func() { _, _ = f.Seek(was, io.SeekStart) }()
	}
	buf := make([]byte, 1<<20)
	for off := int64(0); off < size; {
		data, end := extent(f, off, size)
		if data > off {
			if err := m.add(chunk{kind: fill, blocks: (data - off + BlockSize - 1) / BlockSize}); err != nil {
				return nil, fmt.Errorf("make a sparse image: %w", err)
			}
		}
		for off = data; off < end; {
			b := buf[:min(int64(len(buf)), end-off)]
			n, err := r.ReadAt(b, off)
			if n < len(b) {
				if err == nil || errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return nil, fmt.Errorf("make a sparse image: read %d bytes at %d of %d: %w", len(b), off, size, err)
			}
			if err := m.addData(b, off); err != nil {
				return nil, fmt.Errorf("make a sparse image: %w", err)
			}
			off += int64(len(b))
		}
	}
	return m, nil
}

// seekable returns r as a regular file that holds size bytes, nil if it is
// something else.
func seekable(r io.ReaderAt, size int64) (*os.File, error) {
	f, ok := r.(*os.File)
	if !ok {
		return nil, nil
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return nil, err
	}
	if st.Size() < size {
		return nil, fmt.Errorf("%s has %d bytes, %d were expected: %w", f.Name(), st.Size(), size, io.ErrUnexpectedEOF)
	}
	return f, nil
}

// extent gives the next stretch of data at or after off, in whole blocks. What
// is no file, or lies where the filesystem cannot tell, is data.
func extent(f *os.File, off, size int64) (data, end int64) {
	if f == nil {
		return off, size
	}
	fd := int(f.Fd())
	data, err := unix.Seek(fd, off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size // a hole up to the end
	}
	if err != nil || data < off {
		return off, size
	}
	end, err = unix.Seek(fd, data, unix.SEEK_HOLE)
	if err != nil || end <= data {
		end = size
	}
	data -= data % BlockSize
	end += (BlockSize - end%BlockSize) % BlockSize
	return min(data, size), min(end, size)
}

// addData classes the blocks of b, which lies at off of the source.
func (m *Image) addData(b []byte, off int64) error {
	for i := 0; i < len(b); {
		start := i
		for i < len(b) { // a run of data
			blk := b[i:min(i+BlockSize, len(b))]
			if repeats(blk) {
				break
			}
			i += BlockSize
		}
		if i > start {
			if err := m.add(chunk{kind: raw, blocks: int64(i-start) / BlockSize, off: off + int64(start)}); err != nil {
				return err
			}
		}
		if i < len(b) {
			if err := m.add(chunk{kind: fill, value: binary.LittleEndian.Uint32(b[i:]), blocks: 1}); err != nil {
				return err
			}
			i += BlockSize
		}
	}
	return nil
}

// repeats tells whether a block is one 32-bit value over and over. A last
// block that is not whole is padded with zeros when written, so it counts only
// if it is zeros.
func repeats(b []byte) bool {
	if len(b) < BlockSize {
		return len(b) >= 4 && b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
	}
	return [4]byte(b) == [4]byte(b[BlockSize-4:]) && bytes.Equal(b[4:], b[:BlockSize-4])
}
