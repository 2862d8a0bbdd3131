package bootloader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Partition is a piece of the phone's storage that lives in a file.
type Partition struct {
	Name      string
	Type      string // as "partition-type" tells: raw, ext4 …
	Size      int64  // bytes
	Path      string // its file; shorter than Size reads as zeros
	Protected bool   // refuses flash and erase
}

// sparseMagic opens an Android sparse image (SPARSE_HEADER_MAGIC in
// system/core/libsparse/sparse_format.h), little endian.
const sparseMagic = 0xed26ff3a

func isSparse(r io.ReaderAt) bool {
	var head [4]byte
	n, _ := r.ReadAt(head[:], 0)
	return n == len(head) && binary.LittleEndian.Uint32(head[:]) == sparseMagic
}

// flash writes a downloaded image, raw or sparse, to the start of the partition.
func (p Partition) flash(image io.ReaderAt, size int64, unsparse Unsparse) (err error) {
	f, err := os.OpenFile(p.Path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	dst := &bounded{f: f, name: p.Name, size: p.Size}
	if isSparse(image) {
		if unsparse == nil {
			return errors.New("this bootloader takes no sparse images")
		}
		return unsparse(image, size, dst)
	}
	if size > p.Size {
		return fmt.Errorf("image has %d bytes, partition %s holds %d", size, p.Name, p.Size)
	}
	_, err = io.Copy(io.NewOffsetWriter(dst, 0), io.NewSectionReader(image, 0, size))
	return err
}

// erase makes the whole partition zeros; its file becomes one hole.
func (p Partition) erase() error {
	if err := os.Truncate(p.Path, 0); err != nil {
		return err
	}
	return os.Truncate(p.Path, p.Size)
}

// open gives the partition's bytes, always Size of them.
func (p Partition) open() (*os.File, error) {
	f, err := os.Open(p.Path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < p.Size {
		err = os.Truncate(p.Path, p.Size)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// bounded keeps writes inside the partition, whatever a sparse header says.
type bounded struct {
	f    *os.File
	name string
	size int64
}

func (b *bounded) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > b.size || int64(len(p)) > b.size-off {
		return 0, fmt.Errorf("image reaches byte %d, partition %s holds %d", off+int64(len(p)), b.name, b.size)
	}
	return b.f.WriteAt(p, off)
}

// Zero sets a range to zeros as flash memory does: without keeping them. A
// filesystem that cannot make holes is written to.
func (b *bounded) Zero(off, n int64) error {
	if off < 0 || n < 0 || off > b.size || n > b.size-off {
		return fmt.Errorf("image reaches byte %d, partition %s holds %d", off+n, b.name, b.size)
	}
	if n == 0 {
		return nil
	}
	if unix.Fallocate(int(b.f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n) == nil {
		return nil
	}
	zeros := make([]byte, min(n, 1<<20))
	for end := off + n; off < end; off += int64(len(zeros)) {
		zeros = zeros[:min(int64(len(zeros)), end-off)]
		if _, err := b.f.WriteAt(zeros, off); err != nil {
			return err
		}
	}
	return nil
}
