package bootimg

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Validate reports what would keep bootloaders from taking the image. Write
// does not call it: an odd image that was read can be written back.
func (img *Image) Validate() error {
	if len(img.Kernel) == 0 {
		return &FieldError{Field: "the kernel", Value: "empty", Why: "a boot image carries one"}
	}
	if img.Version == 2 && len(img.DTB) == 0 {
		return &FieldError{Field: "the dtb", Value: "empty", Why: "header version 2 requires one; use version 1 without"}
	}
	return img.check()
}

// check reports what cannot be expressed in the format.
func (img *Image) check() error {
	if img.Version > MaxVersion {
		return &FieldError{Field: "the version", Value: fmt.Sprint(img.Version), Why: fmt.Sprintf("versions 0 to %d can be written", MaxVersion)}
	}
	p := img.pageSize()
	if p < minPageSize || p > maxPageSize || p&(p-1) != 0 || img.Version >= 3 && p != pageSizeV3 {
		why := fmt.Sprintf("it must be a power of two from %d to %d", minPageSize, maxPageSize)
		if img.Version >= 3 {
			why = fmt.Sprintf("header version %d knows only %d", img.Version, pageSizeV3)
		}
		return &FieldError{Field: "the page size", Value: fmt.Sprint(p), Why: why}
	}
	for _, f := range []struct {
		field    string
		len, max int
	}{
		{"the name", len(img.nameField()), nameLen},
		{"the command line", len(img.cmdlineField()), cmdlineMax},
		{"the id", len(img.ID), idLen},
		{"the reserved field", len(img.Reserved), 16},
	} {
		if f.len > f.max {
			return &TooLargeError{What: f.field, Size: int64(f.len), Max: int64(f.max)}
		}
	}
	for _, a := range []struct {
		field string
		addr  Hex
	}{{"the kernel's address", img.KernelAddr}, {"the ramdisk's address", img.RamdiskAddr}, {"second's address", img.SecondAddr}, {"the tags' address", img.TagsAddr}} {
		if a.addr > 1<<32-1 {
			return &FieldError{Field: a.field, Value: a.addr.String(), Why: "the field has 32 bits"}
		}
	}
	known := map[string]bool{}
	for _, p := range img.parts() {
		known[p.name] = true
		if len(*p.data) > MaxSize {
			return &TooLargeError{What: "the " + p.name, Size: int64(len(*p.data)), Max: MaxSize}
		}
	}
	for name, data := range map[string][]byte{"second": img.Second, "dt": img.DT, "recovery_dtbo": img.RecoveryDTBO, "dtb": img.DTB, "signature": img.Signature} {
		if len(data) > 0 && !known[name] {
			return &FieldError{Field: name, Value: fmt.Sprintf("%d bytes", len(data)), Why: fmt.Sprintf("header version %d has no place for it", img.Version)}
		}
	}
	if n := len(img.DT); n > 0 && n < 1024 {
		return &FieldError{Field: "dt", Value: fmt.Sprintf("%d bytes", n), Why: "its size would be read as a header version"}
	}
	return nil
}

// nameField gives the raw field as long as it still says what Name does.
func (h *Header) nameField() string {
	if len(h.NameRaw) == nameLen && text(h.NameRaw) == h.Name {
		return string(h.NameRaw)
	}
	return h.Name
}

// cmdlineField does the same for the two fields of the command line.
func (h *Header) cmdlineField() string {
	if len(h.CmdlineRaw) == cmdlineMax && cmdlineText(h.CmdlineRaw) == h.Cmdline {
		return string(h.CmdlineRaw)
	}
	return h.Cmdline
}

// pageSize is the one to write: 2048, as mkbootimg does, if none is set.
func (img *Image) pageSize() uint32 {
	switch {
	case img.PageSize != 0:
		return img.PageSize
	case img.Version >= 3:
		return pageSizeV3
	}
	return 2048
}

// Write writes the image, byte for byte as mkbootimg does for a new one.
func (img *Image) Write(w io.Writer) error {
	if err := img.check(); err != nil {
		return fmt.Errorf("write a boot image: %w", err)
	}
	page := int64(img.pageSize())
	head, err := img.encode(page)
	if err != nil {
		return fmt.Errorf("write a boot image: %w", err)
	}
	type piece struct {
		name string
		data []byte
	}
	pieces := []piece{{"header", head}}
	for _, p := range img.parts() {
		if len(*p.data) > 0 {
			pieces = append(pieces, piece{p.name, *p.data})
		}
	}
	for i, p := range pieces {
		last := i == len(pieces)-1 && i > 0 && len(img.Trailer) == 0
		if _, err := w.Write(p.data); err != nil {
			return fmt.Errorf("write the boot image's %s: %w", p.name, err)
		}
		room := pad(int64(len(p.data)), page)
		fill, ok := img.Gaps[p.name]
		if !ok || int64(len(fill)) > room || int64(len(fill)) < room && !last {
			fill = make([]byte, room)
		}
		if _, err := w.Write(fill); err != nil {
			return fmt.Errorf("write after the boot image's %s: %w", p.name, err)
		}
	}
	if _, err := w.Write(img.Trailer); err != nil {
		return fmt.Errorf("write after the boot image's last part: %w", err)
	}
	return nil
}

// encode gives the header's bytes without the rest of its page.
func (img *Image) encode(page int64) ([]byte, error) {
	os, err := img.os()
	if err != nil {
		return nil, err
	}
	b := make([]byte, headerSize(img.Version))
	copy(b, magic)
	le := binary.LittleEndian
	u32 := func(off int, v uint32) { le.PutUint32(b[off:], v) }
	size := func(b []byte) uint32 { return uint32(len(b)) }
	own := headerSize(img.Version)
	if img.HeaderSize != nil {
		own = *img.HeaderSize
	}
	cmdline := padded(img.cmdlineField(), cmdlineMax)
	if img.Version >= 3 {
		u32(8, size(img.Kernel))
		u32(12, size(img.Ramdisk))
		u32(16, os)
		u32(20, own)
		copy(b[24:40], img.Reserved)
		u32(40, img.Version)
		copy(b[44:], cmdline)
		if img.Version == 4 {
			u32(1580, size(img.Signature))
		}
		return b, nil
	}
	u32(8, size(img.Kernel))
	u32(12, uint32(img.KernelAddr))
	u32(16, size(img.Ramdisk))
	u32(20, uint32(img.RamdiskAddr))
	u32(24, size(img.Second))
	u32(28, uint32(img.SecondAddr))
	u32(32, uint32(img.TagsAddr))
	u32(36, uint32(page))
	u32(40, img.Version)
	if len(img.DT) > 0 {
		u32(40, size(img.DT))
	}
	u32(44, os)
	copy(b[48:64], img.nameField())
	copy(b[64:], cmdline[:cmdlineLen])
	copy(b[608:], cmdline[cmdlineLen:])
	if id := img.id(); len(img.ID) == 0 {
		copy(b[576:], id[:])
	} else {
		copy(b[576:608], img.ID)
	}
	if img.Version >= 1 {
		u32(1632, size(img.RecoveryDTBO))
		off := uint64(img.DTBOOffset)
		if len(img.RecoveryDTBO) > 0 {
			off = uint64(page)
			for _, d := range [][]byte{img.Kernel, img.Ramdisk, img.Second} {
				off += uint64(int64(len(d)) + pad(int64(len(d)), page))
			}
		}
		le.PutUint64(b[1636:], off)
		u32(1644, own)
	}
	if img.Version == 2 {
		u32(1648, size(img.DTB))
		le.PutUint64(b[1652:], uint64(img.DTBAddr))
	}
	return b, nil
}
