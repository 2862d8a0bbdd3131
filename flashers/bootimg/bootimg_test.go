package bootimg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// noise gives n reproducible bytes.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	r.Read(b)
	return b
}

func encode(t testing.TB, img *Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := img.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(t testing.TB, b []byte) *Image {
	t.Helper()
	img, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// sample is an image of one version with every part it can have.
func sample(version uint32) *Image {
	img := &Image{Header: Header{Version: version, PageSize: 2048, Name: "dinghy", Cmdline: "console=ttyAMA0 " + strings.Repeat("x", 600), OSVersion: "11.0.2", PatchLevel: "2020-05"}}
	img.Kernel, img.Ramdisk = noise(1, 5000), noise(2, 4096)
	switch version {
	case 0:
		img.Second, img.DT = noise(3, 100), noise(4, 4096)
	case 1:
		img.Second, img.RecoveryDTBO = noise(3, 100), noise(5, 2049)
	case 2:
		img.RecoveryDTBO, img.DTB = noise(5, 2047), noise(6, 3000)
	case 3:
		img.PageSize, img.Name = 4096, ""
	case 4:
		img.PageSize, img.Name, img.Signature = 4096, "", noise(7, 4000)
	}
	if version < 3 {
		DefaultOffsets.Apply(img)
	}
	return img
}

func TestRoundTrip(t *testing.T) {
	for v := range uint32(MaxVersion + 1) {
		want := sample(v)
		b := encode(t, want)
		got := decode(t, b)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("version %d: read back (-written +read):\n%s", v, d)
		}
		if !bytes.Equal(encode(t, got), b) {
			t.Errorf("version %d: written again, the bytes differ", v)
		}
		dir := filepath.Join(t.TempDir(), "unpacked")
		if err := got.Unpack(dir); err != nil {
			t.Fatal(err)
		}
		packed, err := Pack(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(t, packed), b) {
			t.Errorf("version %d: unpacked and packed, the bytes differ", v)
		}
	}
}

// TestOddImagesRoundTrip: what other writers leave in images survives.
func TestOddImagesRoundTrip(t *testing.T) {
	plain := encode(t, sample(1))
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(plain)) }
	for name, b := range map[string][]byte{
		"foreign id":          change(func(b []byte) []byte { copy(b[576:], "not a hash"); return b }),
		"zero id":             change(func(b []byte) []byte { clear(b[576:608]); return b }),
		"bytes after name":    change(func(b []byte) []byte { b[63] = 'x'; return b }),
		"name is no utf-8":    change(func(b []byte) []byte { copy(b[48:], "\xff\xfe"); return b }),
		"cmdline seam":        change(func(b []byte) []byte { b[64+511] = 0; return b }),
		"cmdline is no utf-8": change(func(b []byte) []byte { b[70] = 0xff; return b }),
		"old header size":     change(func(b []byte) []byte { b[1644]++; return b }),
		"no header size":      change(func(b []byte) []byte { clear(b[1644:1648]); return b }),
		"header gap":          change(func(b []byte) []byte { b[2047] = 1; return b }),
		"kernel gap":          change(func(b []byte) []byte { b[2048+5000] = 1; return b }),
		"trailer":             append(bytes.Clone(plain), "SEANDROIDENFORCE"...),
		"dump":                append(bytes.Clone(plain), make([]byte, 100000)...),
		"last page not full":  plain[:len(plain)-2047+10],
		"no padding at all":   plain[:len(plain)-2047],
	} {
		img := decode(t, b)
		if !bytes.Equal(encode(t, img), b) {
			t.Errorf("%s: written again, the bytes differ", name)
		}
		dir := filepath.Join(t.TempDir(), "unpacked")
		if err := img.Unpack(dir); err != nil {
			t.Fatal(err)
		}
		packed, err := Pack(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(encode(t, packed), b) {
			t.Errorf("%s: unpacked and packed, the bytes differ", name)
		}
	}
}

func TestEditedCommandLineWins(t *testing.T) {
	b := encode(t, sample(0))
	b[64+511] = 0 // so that the raw fields are kept
	img := decode(t, b)
	if img.CmdlineRaw == nil {
		t.Fatal("the odd field was not kept")
	}
	img.Cmdline = "quiet"
	if got := decode(t, encode(t, img)).Cmdline; got != "quiet" {
		t.Fatalf("the edited command line became %q", got)
	}
}

func TestPackAnswersBadFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	if _, err := Pack(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if err := sample(0).Unpack(dir); err != nil {
		t.Fatal(err)
	}
	if err := sample(0).Unpack(dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("second unpack into one folder: %v", err)
	}
	os.WriteFile(filepath.Join(dir, "header.json"), []byte(`{"cmdlien": ""}`), 0o644)
	if _, err := Pack(dir); err == nil || !strings.Contains(err.Error(), "cmdlien") {
		t.Errorf("a mistyped field: %v", err)
	}
	os.WriteFile(filepath.Join(dir, "header.json"), []byte(`{"header_version": 7}`), 0o644)
	var fe *FieldError
	if _, err := Pack(dir); !errors.As(err, &fe) {
		t.Errorf("an unknown version: %v", err)
	}
}

func TestTruncated(t *testing.T) {
	img := sample(2)
	b := encode(t, img)
	kernel := 2048 + 6144
	for _, c := range []struct {
		at   int
		part string
	}{
		{8, "header"}, {1631, "header"}, {1659, "header"}, {2047, "header"},
		{2048, "kernel"}, {2048 + 4999, "kernel"},
		{kernel - 10, "ramdisk"}, {kernel, "ramdisk"}, {kernel + 4095, "ramdisk"},
		{kernel + 4096, "recovery_dtbo"}, {kernel + 4096 + 2048 + 2999, "dtb"},
	} {
		_, err := Read(bytes.NewReader(b[:c.at]), int64(c.at))
		var te *TruncatedError
		if !errors.As(err, &te) || te.Part != c.part || te.Has != int64(c.at) || te.Wanted <= te.Has {
			t.Errorf("cut to %d bytes: %v, want a truncated %s", c.at, err, c.part)
		}
	}
	// A source that is shorter than it was said to be is no panic either.
	if _, err := Read(bytes.NewReader(b[:3000]), int64(len(b))); err == nil {
		t.Error("a source that ends early was read")
	}
}

func TestNotABootImage(t *testing.T) {
	for head, want := range map[string]string{
		"":                             `begins with ""`,
		"VNDRBOOT" + "\x03\x00":        "vendor_boot",
		"\x3a\xff\x26\xed\x01\x00":     "sparse",
		strings.Repeat("\x00", 4096):   "empty partition",
		strings.Repeat("\xff", 4096):   "empty partition",
		"DHTB\x01":                     "DHTB",
		"#!/bin/sh":                    `"#!/bin/s"`,
		"\x1f\x8b\x08\x00\x00\x00\x00": "gzip",
	} {
		_, err := Read(strings.NewReader(head), int64(len(head)))
		if !errors.Is(err, ErrNotBootImage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10q: %v, want %q", head, err, want)
		}
	}
}

func TestHeaderFieldsAreChecked(t *testing.T) {
	good := encode(t, sample(1))
	for name, at := range map[string]struct {
		off  int
		v    uint32
		want any
	}{
		"version 5":      {40, 5, new(*FieldError)},
		"page size 0":    {36, 0, new(*FieldError)},
		"page size 3000": {36, 3000, new(*FieldError)},
		"page size 1 GB": {36, 1 << 30, new(*FieldError)},
		"kernel of 4 GB": {8, 1<<32 - 1, new(*TooLargeError)},
		"dtbo elsewhere": {1636, 2048, new(*FieldError)},
	} {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[at.off:], at.v)
		if _, err := Read(bytes.NewReader(b), int64(len(b))); !errors.As(err, at.want) {
			t.Errorf("%s: %v, want %T", name, err, at.want)
		}
	}
	var tl *TooLargeError
	if _, err := Read(bytes.NewReader(nil), MaxSize+1); !errors.As(err, &tl) {
		t.Errorf("a file beyond MaxSize: %v", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, f := range map[string]func(*Image){
		"long name":        func(i *Image) { i.Name = strings.Repeat("x", 17) },
		"long cmdline":     func(i *Image) { i.Cmdline = strings.Repeat("x", 1537) },
		"page size":        func(i *Image) { i.PageSize = 1000 },
		"version":          func(i *Image) { i.Version = 9 },
		"dtb in version 0": func(i *Image) { i.Version, i.DTB = 0, []byte("x") },
		"os version":       func(i *Image) { i.OSVersion = "eleven" },
		"os version 128":   func(i *Image) { i.OSVersion = "128.0.0" },
		"patch level":      func(i *Image) { i.PatchLevel = "May 2020" },
		"address":          func(i *Image) { i.KernelAddr = 1 << 32 },
		"page size of v3":  func(i *Image) { i.Version, i.PageSize, i.Second, i.RecoveryDTBO = 3, 2048, nil, nil },
	} {
		img := sample(1)
		f(img)
		var b bytes.Buffer
		if err := img.Write(&b); err == nil || b.Len() > 0 {
			t.Errorf("%s: error %v after %d bytes", name, err, b.Len())
		}
	}
	if err := (&Image{}).Validate(); err == nil {
		t.Error("an image without kernel is valid")
	}
	v2 := sample(2)
	v2.DTB = nil
	if err := v2.Validate(); err == nil {
		t.Error("version 2 without dtb is valid")
	}
}

func TestOSVersion(t *testing.T) {
	for _, v := range []uint32{0, 1, 1 << 11, 11<<25 | 20<<4 | 5, 1<<32 - 1, 127<<4 | 12} {
		var h Header
		h.setOS(v)
		if got, err := h.os(); err != nil || got != v {
			t.Errorf("%#x became %q %q and then %#x, %v", v, h.OSVersion, h.PatchLevel, got, err)
		}
	}
	for s, want := range map[string]uint32{"11": 11 << 14, "8.1": 8<<14 | 1<<7, "4.4.4": 4<<14 | 4<<7 | 4} {
		if got, err := (&Header{OSVersion: s}).os(); err != nil || got>>11 != want {
			t.Errorf("%q: %#x, %v", s, got>>11, err)
		}
	}
	if got, err := (&Header{PatchLevel: "2020-05-01"}).os(); err != nil || got != 20<<4|5 {
		t.Errorf("a patch level with a day: %#x, %v", got, err)
	}
}

func TestOffsets(t *testing.T) {
	for _, o := range []Offsets{DefaultOffsets, {Base: 0x80000000, Kernel: 0x8000, Ramdisk: 0x1000000, Second: 0xf00000, Tags: 0x100, DTB: 0x1f00000}, {Base: 0x40000000, Kernel: 0x80000, Ramdisk: 0x8000000, Second: 0xf00000, Tags: 0x100, DTB: 0x1f00000}} {
		img := &Image{Header: Header{Version: 2}, Ramdisk: []byte("r"), Second: []byte("s")}
		o.Apply(img)
		if got := OffsetsOf(img.Header); got != o {
			t.Errorf("%v became %v", o, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	for v := range uint32(MaxVersion + 1) {
		img := sample(v)
		img.Kernel, img.Ramdisk = img.Kernel[:40], img.Ramdisk[:40]
		f.Add(encode(f, img))
	}
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatal("an error without words")
			}
			return
		}
		if got := encode(t, img); !bytes.Equal(got, b) {
			t.Fatalf("read %d bytes, wrote %d others", len(b), len(got))
		}
		_ = fmt.Sprint(OffsetsOf(img.Header))
	})
}
