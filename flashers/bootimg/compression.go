package bootimg

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
)

// magics tells compressions by their first bytes. lzma comes last: it has no
// magic of its own, only the properties byte and a dictionary size that the
// kernel's build uses (Linux, lib/decompress.c).
var magics = []struct{ name, magic string }{
	{"gzip", "\x1f\x8b\x08"},
	{"xz", "\xfd7zXZ\x00"},
	{"lz4-legacy", "\x02\x21\x4c\x18"},
	{"lz4", "\x04\x22\x4d\x18"},
	{"zstd", "\x28\xb5\x2f\xfd"},
	{"bzip2", "BZh"},
	{"lzo", "\x89LZO\x00\x0d\x0a\x1a\x0a"},
	{"lzma", "\x5d\x00\x00"},
}

// maxDict bounds the memory that a stream may ask of its decoder; the kernel's
// own builds use at most 32 MiB (xz, scripts/xz_wrap.sh) and zstd -22 128 MiB.
const maxDict = 128 << 20

// compressionOf names the compression of b: "raw" if none is seen, "" if b is empty.
func compressionOf(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	for _, k := range magics {
		if bytes.HasPrefix(b, []byte(k.magic)) {
			return k.name
		}
	}
	return "raw"
}

// decompress opens a stream of a compression that compressionOf names. What
// follows the stream is ignored where the format tells its own end.
func decompress(name string, r *bytes.Reader) (io.ReadCloser, error) {
	switch name {
	case "raw":
		return io.NopCloser(r), nil
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		return z, nil
	case "lz4", "lz4-legacy":
		return io.NopCloser(lz4.NewReader(r)), nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxDict), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case "bzip2":
		return io.NopCloser(bzip2.NewReader(r)), nil
	case "xz":
		return openXZ(r)
	case "lzma":
		z, err := lzma.ReaderConfig{DictCap: maxDict}.NewReader(bufio.NewReader(r))
		return nopCloser(z, err)
	}
	return nil, fmt.Errorf("no decoder for %s", name)
}

func nopCloser(r io.Reader, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	return io.NopCloser(r), nil
}

// openXZ decodes the first block of an xz stream. The kernel's build makes
// only one, and going by block keeps every dictionary bounded, because the
// decoder allocates what it is asked for. Branch filters before LZMA2 are not
// undone: they change jump targets, not text or headers (The .xz File Format,
// 2.1.1, 3.1, 5.3).
func openXZ(r *bytes.Reader) (io.ReadCloser, error) {
	const streamHeader, maxBlockHeader = 12, 1024
	at := r.Size() - int64(r.Len())
	b := make([]byte, streamHeader+maxBlockHeader)
	n, _ := r.ReadAt(b, at)
	if n < streamHeader+2 {
		return nil, errors.New("the xz stream is too short")
	}
	block := b[streamHeader:n]
	size := (int(block[0]) + 1) * 4
	if block[0] == 0 || size > len(block) {
		return nil, errors.New("the xz stream has no block")
	}
	flags, rest := block[1], block[2:size]
	number := func() (v uint64) { // a multibyte integer of section 1.2
		for i := 0; i < len(rest) && i < 9; i++ {
			v |= uint64(rest[i]&0x7f) << (7 * i)
			if rest[i] < 0x80 {
				rest = rest[i+1:]
				return v
			}
		}
		rest = nil
		return 0
	}
	for _, bit := range []byte{0x40, 0x80} { // compressed, then uncompressed size
		if flags&bit != 0 {
			number()
		}
	}
	const lzma2 = 0x21
	for range flags&3 + 1 {
		id, props := number(), number()
		if props > uint64(len(rest)) {
			break
		}
		if id != lzma2 || props != 1 {
			rest = rest[props:]
			continue
		}
		dict, err := lzma.DecodeDictCap(rest[0])
		if err != nil || dict > maxDict {
			return nil, fmt.Errorf("the xz dictionary is beyond %d bytes", maxDict)
		}
		if _, err := r.Seek(at+streamHeader+int64(size), io.SeekStart); err != nil {
			return nil, err
		}
		z, err := lzma.Reader2Config{DictCap: max(int(dict), lzma.MinDictCap)}.NewReader2(bufio.NewReader(r))
		return nopCloser(z, err)
	}
	return nil, errors.New("the xz block has no LZMA2")
}
