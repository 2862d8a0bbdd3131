package bootimg

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrNotBootImage says that the file does not begin as a boot image does.
var ErrNotBootImage = errors.New("not an Android boot image")

// TruncatedError says that the file ends before a part does.
type TruncatedError struct {
	Part   string // "header", "kernel", "ramdisk" …
	Wanted int64  // bytes that the file must have to hold this part
	Has    int64  // bytes that it has
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("the boot image is cut off in its %s: that needs a file of %d bytes, it has %d; copy it again from the phone or the download",
		e.Part, e.Wanted, e.Has)
}

// TooLargeError says that a size is beyond what is taken into memory or what a
// field can hold.
type TooLargeError struct {
	What string
	Size int64
	Max  int64
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s is too large for a boot image: %d bytes, at most %d are possible", e.What, e.Size, e.Max)
}

// FieldError says that a field of the header has a value that cannot be.
type FieldError struct {
	Field string
	Value string
	Why   string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("boot image header: %s is %s: %s", e.Field, e.Value, e.Why)
}

// known names what a file is when it is not a boot image, by its first bytes,
// with what to do about it.
var known = []struct{ magic, is string }{
	{vendorMagic, "a vendor_boot image; its boot.img lies in the partition named boot"},
	{"\x3a\xff\x26\xed", "an Android sparse image; expand it first (simg2img)"},
	{"\x7fELF", "an ELF program; a Sony boot.elf or a kernel is not a boot image"},
	{"\xd0\x0d\xfe\xed", "a device tree or FIT image"},
	{"DHTB", "a boot image behind a DHTB header of Spreadtrum or Samsung; cut off the first 512 bytes"},
	{"-SIGNED-BY-SIGNBLOB-", "a boot image in an Nvidia blob"},
	{"\x27\x05\x19\x56", "a U-Boot image (uImage)"},
	{"\x1f\x8b", "a gzip file; unpack it first"},
	{"PK\x03\x04", "a zip file; the boot.img is in it"},
	{"\x04\x22\x4d\x18", "an lz4 file, as in Samsung firmware; unpack it first (lz4 -d)"},
	{"AVB0", "a vbmeta image"},
}

func notBootImage(head []byte) error {
	for _, k := range known {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return fmt.Errorf("%w: it is %s", ErrNotBootImage, k.is)
		}
	}
	if len(head) > 0 && len(bytes.TrimLeft(head, string(head[:1]))) == 0 && (head[0] == 0 || head[0] == 0xff) {
		return fmt.Errorf("%w: it begins with nothing but %#02x, as an empty partition does", ErrNotBootImage, head[0])
	}
	return fmt.Errorf("%w: it begins with %q where %q belongs", ErrNotBootImage, head[:min(len(head), 8)], magic)
}
