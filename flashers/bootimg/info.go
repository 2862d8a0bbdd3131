package bootimg

import (
	"bytes"
	"encoding/binary"
)

// Info is what a boot image tells of the phone it is for, ready for JSON.
type Info struct {
	Header  Header  `json:"header"`
	Offsets Offsets `json:"offsets"`
	// IDMatches says that the id field is the one mkbootimg computes.
	IDMatches bool     `json:"id_matches"`
	Kernel    PartInfo `json:"kernel"`
	Ramdisk   PartInfo `json:"ramdisk"`
	Second    int      `json:"second_size"`
	// SecondIsDTB: some bootloaders take a device tree from the second part.
	SecondIsDTB  bool   `json:"second_is_dtb"`
	DT           int    `json:"dt_size"`
	DTMagic      string `json:"dt_magic,omitempty"` // "QCDT", "SPRD", "DTBH"
	RecoveryDTBO int    `json:"recovery_dtbo_size"`
	DTB          int    `json:"dtb_size"`
	Signature    int    `json:"signature_size"`
	Trailer      int    `json:"trailer_size"`
	// SEAndroid: Samsung's bootloaders look for SEANDROIDENFORCE after the image.
	SEAndroid bool `json:"seandroidenforce"`
}

// PartInfo is what can be told of a kernel or a ramdisk.
type PartInfo struct {
	Size        int    `json:"size"`
	Compression string `json:"compression"` // "raw", "gzip", "lz4", "lz4-legacy", "xz", "lzma", "bzip2", "zstd", "lzo"; "" if empty
	// MTKLabel is the label of the 512-byte header that MediaTek's
	// bootloaders want in front: "KERNEL", "ROOTFS".
	MTKLabel string `json:"mtk_label,omitempty"`

	// Of a kernel.
	Format       string `json:"format,omitempty"`       // "Image", "zImage", "bzImage"
	Arch         string `json:"arch,omitempty"`         // "aarch64", "arm", "x86": as Linux distributions say
	Version      string `json:"version,omitempty"`      // "Linux version 6.1.0 (…) …", first line
	AppendedDTBs int    `json:"appended_dtbs,omitzero"` // device trees after the kernel
}

// Offsets splits the addresses the way mkbootimg's options and deviceinfo's
// flash_offset_* do.
type Offsets struct {
	Base    Hex `json:"base"`
	Kernel  Hex `json:"kernel"`
	Ramdisk Hex `json:"ramdisk"`
	Second  Hex `json:"second"`
	Tags    Hex `json:"tags"`
	DTB     Hex `json:"dtb"`
}

// DefaultOffsets are those of mkbootimg.
var DefaultOffsets = Offsets{Base: 0x10000000, Kernel: 0x8000, Ramdisk: 0x1000000, Second: 0xf00000, Tags: 0x100, DTB: 0x1f00000}

// Apply sets the image's addresses as mkbootimg does: 0 for a ramdisk or
// second that is empty.
func (o Offsets) Apply(img *Image) {
	img.KernelAddr, img.TagsAddr = o.Base+o.Kernel, o.Base+o.Tags
	img.RamdiskAddr, img.SecondAddr, img.DTBAddr = 0, 0, 0
	if len(img.Ramdisk) > 0 {
		img.RamdiskAddr = o.Base + o.Ramdisk
	}
	if len(img.Second) > 0 {
		img.SecondAddr = o.Base + o.Second
	}
	if img.Version == 2 {
		img.DTBAddr = o.Base + o.DTB
	}
}

// OffsetsOf splits the addresses of an image up to version 2. The base is not
// stored in an image; it is taken to be what puts the tags at mkbootimg's
// default offset of 0x100, or else the kernel at 0x8000. Offsets below the
// base wrap around in 32 bits, which is what mkbootimg computes from them.
func OffsetsOf(h Header) Offsets {
	if h.Version >= 3 {
		return Offsets{}
	}
	base := h.TagsAddr - DefaultOffsets.Tags
	if h.TagsAddr&0xfff != DefaultOffsets.Tags || h.TagsAddr < DefaultOffsets.Tags {
		base = h.KernelAddr - DefaultOffsets.Kernel
		if h.KernelAddr < DefaultOffsets.Kernel {
			base = 0
		}
	}
	from := func(a Hex) Hex {
		if a == 0 {
			return 0
		}
		return (a - base) & (1<<32 - 1)
	}
	o := Offsets{Base: base, Kernel: (h.KernelAddr - base) & (1<<32 - 1), Ramdisk: from(h.RamdiskAddr), Second: from(h.SecondAddr), Tags: (h.TagsAddr - base) & (1<<32 - 1)}
	if h.Version == 2 && h.DTBAddr >= base {
		o.DTB = h.DTBAddr - base
	}
	return o
}

// Info looks into the image. Decompressing a kernel to find its version is
// bounded to 128 MiB of output.
func (img *Image) Info() Info {
	in := Info{
		Header: img.Header, Offsets: OffsetsOf(img.Header), IDMatches: img.Version < 3 && img.ID == nil,
		Kernel: kernelInfo(img.Kernel), Ramdisk: ramdiskInfo(img.Ramdisk),
		Second: len(img.Second), SecondIsDTB: bytes.HasPrefix(img.Second, []byte(dtbMagic)),
		DT: len(img.DT), RecoveryDTBO: len(img.RecoveryDTBO), DTB: len(img.DTB),
		Signature: len(img.Signature), Trailer: len(img.Trailer),
		SEAndroid: bytes.HasPrefix(img.Trailer, []byte("SEANDROIDENFORCE")),
	}
	for _, m := range []string{"QCDT", "SPRD", "DTBH"} {
		if bytes.HasPrefix(img.DT, []byte(m)) {
			in.DTMagic = m
		}
	}
	if img.Version < 3 && in.IDMatches {
		id := img.id()
		in.Header.ID = id[:]
	}
	return in
}

// stripMTK takes off MediaTek's header: magic, size of what follows, a label
// of 32 bytes, filled up to 512 bytes.
func stripMTK(b []byte) (rest []byte, label string) {
	if len(b) < 512 || !bytes.HasPrefix(b, []byte("\x88\x16\x88\x58")) {
		return b, ""
	}
	return b[512:], text(b[8:40])
}

func ramdiskInfo(b []byte) PartInfo {
	in := PartInfo{Size: len(b)}
	b, in.MTKLabel = stripMTK(b)
	in.Compression = compressionOf(b)
	return in
}

const dtbMagic = "\xd0\x0d\xfe\xed"

// appendedDTBs counts the flattened device trees in b after its first byte.
// A match must carry a header that fits (Devicetree Specification, 5.2).
func appendedDTBs(b []byte) int {
	n := 0
	for i := 1; i < len(b); {
		j := bytes.Index(b[i:], []byte(dtbMagic))
		if j < 0 {
			break
		}
		i += j
		const headLen = 40
		if len(b)-i < headLen {
			break
		}
		be := func(off int) int64 { return int64(binary.BigEndian.Uint32(b[i+off:])) }
		size, strOff, version, compat := be(4), be(12), be(20), be(24)
		if size >= headLen && size <= int64(len(b)-i) && strOff < size && version >= 16 && version < 32 && compat <= version {
			n++
			i += int(size)
		} else {
			i += len(dtbMagic)
		}
	}
	return n
}
