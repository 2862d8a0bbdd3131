package bootimg

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Read takes a boot image of size bytes into memory, at most MaxSize. Write
// gives back the same bytes for every image that Read accepts.
//
// Errors: ErrNotBootImage, *TruncatedError, *TooLargeError, *FieldError, or
// what r said.
func Read(r io.ReaderAt, size int64) (*Image, error) {
	if size > MaxSize {
		return nil, &TooLargeError{What: "the file", Size: size, Max: MaxSize}
	}
	head := make([]byte, min(max(size, 0), headerSizeV2))
	if err := readAt(r, head, 0); err != nil {
		return nil, fmt.Errorf("read the boot image's header: %w", err)
	}
	if !bytes.HasPrefix(head, []byte(magic)) {
		return nil, notBootImage(head)
	}
	if len(head) < headerSizeV3 {
		return nil, &TruncatedError{Part: "header", Wanted: headerSizeV3, Has: size}
	}
	img := &Image{}
	sizes, err := img.decode(head, size)
	if err != nil {
		return nil, err
	}
	if size < int64(img.PageSize) {
		return nil, &TruncatedError{Part: "header", Wanted: int64(img.PageSize), Has: size}
	}
	if err := img.readParts(r, size, sizes); err != nil {
		return nil, err
	}
	if id := img.id(); len(img.ID) > 0 && bytes.Equal(img.ID, id[:]) {
		img.ID = nil
	}
	return img, nil
}

// decode fills the header from its bytes and returns the sizes of the parts in
// file order. size is that of the file.
func (img *Image) decode(b []byte, size int64) ([]uint32, error) {
	le := binary.LittleEndian
	u32 := func(off int) uint32 { return le.Uint32(b[off:]) }
	img.Version = u32(40)
	var dtSize uint32
	if img.Version > MaxVersion {
		// Before AOSP gave this field to the header version it was unused, and
		// Qualcomm's mkbootimg stored the size of its device tree table there.
		if img.Version < 1024 {
			return nil, &FieldError{Field: "the version", Value: fmt.Sprint(img.Version), Why: fmt.Sprintf("versions 0 to %d are known", MaxVersion)}
		}
		img.Version, dtSize = 0, img.Version
	}
	if img.Version >= 3 {
		return img.decodeV3(b, size)
	}
	if need := headerSize(img.Version); len(b) < int(need) {
		return nil, &TruncatedError{Part: "header", Wanted: int64(need), Has: size}
	}
	img.PageSize = u32(36)
	if p := img.PageSize; p < minPageSize || p > maxPageSize || p&(p-1) != 0 {
		return nil, &FieldError{Field: "the page size", Value: fmt.Sprint(p), Why: fmt.Sprintf("it must be a power of two from %d to %d", minPageSize, maxPageSize)}
	}
	img.KernelAddr, img.RamdiskAddr, img.SecondAddr, img.TagsAddr = Hex(u32(12)), Hex(u32(20)), Hex(u32(28)), Hex(u32(32))
	img.setOS(u32(44))
	if img.Name = text(b[48:64]); !bytes.Equal(padded(img.Name, nameLen), b[48:64]) {
		img.NameRaw = bytes.Clone(b[48:64])
	}
	img.setCmdline(b[64:64+cmdlineLen], b[608:608+extraLen])
	img.ID = bytes.Clone(b[576 : 576+idLen])
	sizes := []uint32{u32(8), u32(16), u32(24)}
	if img.Version == 0 {
		return append(sizes, dtSize), nil
	}
	sizes = append(sizes, u32(1632))
	img.DTBOOffset = Hex(le.Uint64(b[1636:]))
	img.setHeaderSize(u32(1644))
	if img.Version == 2 {
		sizes = append(sizes, u32(1648))
		img.DTBAddr = Hex(le.Uint64(b[1652:]))
	}
	return sizes, nil
}

func (img *Image) decodeV3(b []byte, size int64) ([]uint32, error) {
	u32 := func(off int) uint32 { return binary.LittleEndian.Uint32(b[off:]) }
	img.PageSize = pageSizeV3
	img.setOS(u32(16))
	img.setHeaderSize(u32(20))
	if r := b[24:40]; !zero(r) {
		img.Reserved = bytes.Clone(r)
	}
	img.setCmdline(b[44:44+cmdlineMax], nil)
	sizes := []uint32{u32(8), u32(12)}
	if img.Version == 4 {
		if len(b) < headerSizeV4 {
			return nil, &TruncatedError{Part: "header", Wanted: headerSizeV4, Has: size}
		}
		sizes = append(sizes, u32(1580))
	}
	return sizes, nil
}

func (img *Image) setHeaderSize(n uint32) {
	if n != headerSize(img.Version) {
		img.HeaderSize = &n
	}
}

// setCmdline keeps the command line's fields themselves when the text alone
// would not give them back.
func (img *Image) setCmdline(first, extra []byte) {
	raw := append(bytes.Clone(first), extra...)
	if img.Cmdline = cmdlineText(raw); !bytes.Equal(padded(img.Cmdline, cmdlineMax), raw) {
		img.CmdlineRaw = raw
	}
}

// cmdlineText joins the two fields (one, from version 3 on: 1536 bytes with no
// seam) as a bootloader does.
func cmdlineText(raw []byte) string {
	if len(raw) != cmdlineMax {
		return ""
	}
	first := text(raw[:cmdlineLen])
	return first + text(raw[cmdlineLen:])
}

// text decodes a zero-padded field; bytes that are no UTF-8 are replaced.
func text(field []byte) string {
	t, _, _ := bytes.Cut(field, []byte{0})
	return strings.ToValidUTF8(string(t), "\uFFFD")
}

func padded(s string, n int) []byte {
	b := make([]byte, n)
	copy(b, s)
	return b
}

// readParts reads the sections, what is between them and what follows.
func (img *Image) readParts(r io.ReaderAt, size int64, sizes []uint32) error {
	page := int64(img.PageSize)
	used := int64(headerSize(img.Version))
	if err := img.readGap(r, "header", used, page); err != nil {
		return err
	}
	off := page
	for i, p := range img.parts() {
		n := int64(sizes[i])
		if n == 0 {
			continue
		}
		if n > MaxSize {
			return &TooLargeError{What: "its " + p.name, Size: n, Max: MaxSize}
		}
		if off+n > size {
			return &TruncatedError{Part: p.name, Wanted: off + n, Has: size}
		}
		if p.name == "recovery_dtbo" && int64(img.DTBOOffset) != off {
			return &FieldError{Field: "the offset of recovery_dtbo", Value: img.DTBOOffset.String(), Why: fmt.Sprintf("it comes after the parts before it, at %#x", off)}
		}
		*p.data = make([]byte, n)
		if err := readAt(r, *p.data, off); err != nil {
			return fmt.Errorf("read the boot image's %s: %w", p.name, err)
		}
		end := off + n
		if off = end + pad(end, page); off > size {
			// A writer that does not fill the last page.
			img.setGap(p.name, make([]byte, size-end))
			if err := readAt(r, img.Gaps[p.name], end); err != nil {
				return fmt.Errorf("read after the boot image's %s: %w", p.name, err)
			}
			continue // to see whether a part is missing
		}
		if err := img.readGap(r, p.name, end, off); err != nil {
			return err
		}
	}
	if len(img.RecoveryDTBO) > 0 {
		img.DTBOOffset = 0 // computed by Write
	}
	if off < size {
		img.Trailer = make([]byte, size-off)
		if err := readAt(r, img.Trailer, off); err != nil {
			return fmt.Errorf("read after the boot image's last part: %w", err)
		}
	}
	return nil
}

func (img *Image) readGap(r io.ReaderAt, name string, from, to int64) error {
	b := make([]byte, to-from)
	if err := readAt(r, b, from); err != nil {
		return fmt.Errorf("read after the boot image's %s: %w", name, err)
	}
	if !zero(b) {
		img.setGap(name, b)
	}
	return nil
}

func (img *Image) setGap(name string, b []byte) {
	if img.Gaps == nil {
		img.Gaps = map[string][]byte{}
	}
	img.Gaps[name] = b
}

// id is what mkbootimg puts into the id field: the SHA-1 of every part
// followed by its size, filled up with zeros.
func (img *Image) id() (id [idLen]byte) {
	h := sha1.New()
	for _, p := range img.parts() {
		if p.name == "dt" && len(*p.data) == 0 {
			continue // Qualcomm's mkbootimg counts the table only where there is one
		}
		h.Write(*p.data)
		_ = binary.Write(h, binary.LittleEndian, uint32(len(*p.data)))
	}
	h.Sum(id[:0])
	return id
}

func zero(b []byte) bool { return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1]) }

// readAt fills b; a source that is shorter than was said is an error.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	if len(b) == 0 {
		return nil
	}
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
