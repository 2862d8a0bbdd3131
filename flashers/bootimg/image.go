// Package bootimg reads and writes Android boot images, header versions 0 to
// 4, and the Qualcomm variant of version 0 that carries a device tree table.
//
// The layout is that of include/bootimg/bootimg.h in AOSP's
// platform/system/tools/mkbootimg: a header page, then each part padded to
// whole pages.
package bootimg

import (
	"encoding/hex"
	"fmt"
	"strconv"
)

const (
	magic       = "ANDROID!"
	vendorMagic = "VNDRBOOT"

	// MaxVersion is the newest header that is known.
	MaxVersion = 4
	// MaxSize bounds what Read takes into memory. The boot partitions of
	// phones are 8 to 128 MiB.
	MaxSize = 256 << 20

	nameLen     = 16
	cmdlineLen  = 512
	extraLen    = 1024
	cmdlineMax  = cmdlineLen + extraLen
	idLen       = 32
	pageSizeV3  = 4096 // header 3 and later know no other
	minPageSize = 2048
	maxPageSize = 128 << 10

	headerSizeV0 = 1632
	headerSizeV1 = 1648
	headerSizeV2 = 1660
	headerSizeV3 = 1580
	headerSizeV4 = 1584
)

// Hex is a number that JSON shows as people write addresses: "0x10008000".
type Hex uint64

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%#x", uint64(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler; any base Go knows is taken.
func (h *Hex) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 0, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number such as 0x10008000", b)
	}
	*h = Hex(n)
	return nil
}

func (h Hex) String() string { return fmt.Sprintf("%#x", uint64(h)) }

// Bytes is binary data that JSON shows in hex.
type Bytes []byte

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(t []byte) error {
	d, err := hex.DecodeString(string(t))
	*b = d
	return err
}

// Header is what the first page says besides the sizes of the parts. Addresses
// are physical, in the phone's memory.
type Header struct {
	Version  uint32 `json:"header_version"`
	PageSize uint32 `json:"page_size"` // bytes, a power of two; always 4096 from version 3 on

	// Up to version 2 only. An empty ramdisk or second has address 0 in
	// images of mkbootimg.
	KernelAddr  Hex    `json:"kernel_addr"`
	RamdiskAddr Hex    `json:"ramdisk_addr"`
	SecondAddr  Hex    `json:"second_addr"`
	TagsAddr    Hex    `json:"tags_addr"`
	DTBAddr     Hex    `json:"dtb_addr"` // version 2 only
	Name        string `json:"name"`     // at most 16 bytes; the "board" of mkbootimg

	Cmdline    string `json:"cmdline"`        // of the kernel, at most 1536 bytes
	OSVersion  string `json:"os_version"`     // "11.0.0", empty if not set
	PatchLevel string `json:"os_patch_level"` // "2020-05", empty if not set

	// ID is the 32-byte id field (version 0 to 2) if it is not what mkbootimg
	// computes; nil stands for the computed one.
	ID Bytes `json:"id,omitempty"`

	// What follows is set by Read only where an image is not as mkbootimg
	// writes it, so that Write gives back the same bytes.
	NameRaw    Bytes   `json:"name_raw,omitempty"`            // the whole field
	CmdlineRaw Bytes   `json:"cmdline_raw,omitempty"`         // both fields, 1536 bytes
	HeaderSize *uint32 `json:"header_size,omitempty"`         // the field of version 1 and later
	Reserved   Bytes   `json:"reserved,omitempty"`            // 16 bytes of version 3 and 4
	DTBOOffset Hex     `json:"recovery_dtbo_offset,omitzero"` // kept without a recovery_dtbo
}

// Image is a boot image in memory. Parts that a header version does not know
// stay nil.
type Image struct {
	Header
	Kernel       []byte
	Ramdisk      []byte
	Second       []byte // version 0 to 2
	DT           []byte // QCDT table of Qualcomm's version 0
	RecoveryDTBO []byte // version 1 and 2
	DTB          []byte // version 2
	Signature    []byte // version 4: the GKI signature

	// Gaps holds what fills the rest of a part's last page where that is not
	// zeros, by the part's name ("header" for the first page). After the last
	// part it may be shorter than the page: the file ends there.
	Gaps map[string][]byte
	// Trailer is what follows the last page: an AVB footer, SEANDROIDENFORCE,
	// the rest of a dumped partition.
	Trailer []byte
}

// part is one section of an image in file order.
type part struct {
	name string
	data *[]byte
}

// parts lists the sections that this header version knows.
func (img *Image) parts() []part {
	ps := []part{{name: "kernel", data: &img.Kernel}, {name: "ramdisk", data: &img.Ramdisk}}
	if img.Version < 3 {
		ps = append(ps, part{name: "second", data: &img.Second})
	}
	switch img.Version {
	case 0:
		ps = append(ps, part{name: "dt", data: &img.DT})
	case 1:
		ps = append(ps, part{name: "recovery_dtbo", data: &img.RecoveryDTBO})
	case 2:
		ps = append(ps, part{name: "recovery_dtbo", data: &img.RecoveryDTBO}, part{name: "dtb", data: &img.DTB})
	case 4:
		ps = append(ps, part{name: "signature", data: &img.Signature})
	}
	return ps
}

// headerSize is what mkbootimg writes into the header's own size field.
func headerSize(version uint32) uint32 {
	return [...]uint32{headerSizeV0, headerSizeV1, headerSizeV2, headerSizeV3, headerSizeV4}[version]
}

// pad gives the bytes from n to the next multiple of page.
func pad(n, page int64) int64 { return (page - n%page) % page }
