package bootimg

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
)

const (
	// maxKernel bounds the decompressed bytes of a kernel that are looked at.
	maxKernel = 128 << 20
	// maxTries bounds how many places of a zImage are tried as its payload.
	maxTries   = 24
	banner     = "Linux version "
	maxBanner  = 512 // bytes of the banner line that are kept
	headerPeek = 0x300
)

// kernelInfo looks at a kernel as a bootloader gets it: compressed or not,
// perhaps behind MediaTek's header, perhaps followed by device trees.
func kernelInfo(b []byte) PartInfo { return kernelInfoN(b, maxKernel) }

func kernelInfoN(b []byte, limit int64) PartInfo {
	in := PartInfo{Size: len(b)}
	b, in.MTKLabel = stripMTK(b)
	if len(b) == 0 {
		return in
	}
	in.AppendedDTBs = appendedDTBs(b)
	in.Compression = compressionOf(b)
	if in.Compression == "raw" {
		in.Format, in.Arch = kernelFormat(b)
		switch in.Format {
		case "bzImage":
			in.Version = bzImageVersion(b)
		case "zImage":
			in.Compression, in.Version = zImagePayload(b, limit)
		default:
			in.Version = findBanner(bytes.NewReader(b))
		}
		return in
	}
	r, err := decompress(in.Compression, bytes.NewReader(b))
	if err != nil {
		return in
	}
	defer r.Close()
	all := io.LimitReader(r, limit)
	head := make([]byte, headerPeek)
	n, _ := io.ReadFull(all, head)
	in.Format, in.Arch = kernelFormat(head[:n])
	in.Version = findBanner(io.MultiReader(bytes.NewReader(head[:n]), all))
	return in
}

// kernelFormat knows the kernels' own headers, from Linux's documentation:
// arch/arm64/booting.rst, arch/arm/boot/compressed/head.S, arch/x86/boot.rst.
func kernelFormat(b []byte) (format, arch string) {
	at := func(off int, m string) bool { return len(b) >= off+len(m) && string(b[off:off+len(m)]) == m }
	switch {
	case at(0x38, "ARM\x64"):
		return "Image", "aarch64"
	case at(0x24, "\x18\x28\x6f\x01"):
		return "zImage", "arm"
	case at(0x202, "HdrS") && at(0x1fe, "\x55\xaa"):
		return "bzImage", "x86"
	}
	return "", ""
}

// bzImageVersion follows the kernel_version pointer of the setup header, which
// is relative to 0x200. The text lacks the words "Linux version".
func bzImageVersion(b []byte) string {
	if len(b) < 0x210 {
		return ""
	}
	off := 0x200 + int(binary.LittleEndian.Uint16(b[0x20e:]))
	if off == 0x200 || off >= len(b) {
		return ""
	}
	if v := printable(b[off:min(off+maxBanner, len(b))]); v != "" {
		return banner + v
	}
	return ""
}

// zImagePayload finds the compressed kernel that a zImage carries, by trying
// what looks like one until a version turns up.
func zImagePayload(b []byte, limit int64) (compression, version string) {
	tries := 0
	for _, k := range magics {
		for from := 0x30; from < len(b) && tries < maxTries; {
			i := bytes.Index(b[from:], []byte(k.magic))
			if i < 0 {
				break
			}
			tries++
			if r, err := decompress(k.name, bytes.NewReader(b[from+i:])); err == nil {
				v := findBanner(io.LimitReader(r, limit/maxTries*4))
				r.Close()
				if v != "" {
					return k.name, v
				}
			}
			from += i + 1
		}
	}
	return "raw", ""
}

// findBanner reads until the line of init/version.c, "Linux version 6.1.0 …",
// with memory for one window only. The format string of the same text, which
// has no digit after it, does not count.
func findBanner(r io.Reader) string {
	const window = 256 << 10
	buf := make([]byte, 0, window+maxBanner)
	for {
		keep := min(len(buf), maxBanner)
		copy(buf, buf[len(buf)-keep:])
		n, err := io.ReadFull(r, buf[keep:keep+window])
		buf = buf[:keep+n]
		for from := 0; ; {
			i := bytes.Index(buf[from:], []byte(banner))
			if i < 0 {
				break
			}
			i += from
			// A banner near the window's end is found whole with the next one.
			if err == nil && len(buf)-i < maxBanner {
				break
			}
			if v := printable(buf[i:min(i+maxBanner, len(buf))]); len(v) > len(banner) && v[len(banner)] >= '0' && v[len(banner)] <= '9' {
				return v
			}
			from = i + len(banner)
		}
		if err != nil {
			return ""
		}
	}
}

// printable gives the text up to the first byte that is not printable ASCII.
func printable(b []byte) string {
	end := bytes.IndexFunc(b, func(r rune) bool { return r < ' ' || r > '~' })
	if end < 0 {
		end = len(b)
	}
	return strings.TrimSpace(string(b[:end]))
}
