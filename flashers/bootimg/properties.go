package bootimg

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

const (
	// maxRamdisk bounds the decompressed bytes of a ramdisk that are looked at.
	maxRamdisk = 128 << 20
	// maxProperties bounds one property file; real ones have some KiB.
	maxProperties = 1 << 20
	// maxCPIOName bounds a file's name (PATH_MAX).
	maxCPIOName = 4096
)

// propertyFiles hold Android's build properties, in the order in which
// property_service reads them: a later file does not override an earlier value
// of a read-only property.
var propertyFiles = []string{"prop.default", "default.prop", "build.prop"}

// Properties returns Android's build properties that lie in the ramdisk, such
// as ro.product.manufacturer. A ramdisk without any, of no known compression
// or cut off has none: the map is empty, what was read before a fault counts.
func (img *Image) Properties() map[string]string {
	props := map[string]string{}
	packed, _ := stripMTK(img.Ramdisk)
	r, err := decompress(compressionOf(packed), bytes.NewReader(packed))
	if err != nil {
		return props
	}
	defer r.Close()
	_ = readCPIO(io.LimitReader(r, maxRamdisk), func(file string, size int64, content io.Reader) error {
		base := path.Base(file)
		for _, known := range propertyFiles {
			if base == known && size <= maxProperties {
				return readProperties(content, props)
			}
		}
		return nil
	})
	return props
}

// readProperties takes `key=value` lines; the first value of a key counts.
func readProperties(r io.Reader, props map[string]string) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxProperties)
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if _, known := props[key]; !known {
			props[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return sc.Err()
}

// errCPIO says that a ramdisk is no cpio archive in the "newc" format.
var errCPIO = errors.New("no cpio archive of the newc kind")

// readCPIO goes through a cpio archive as the kernel's initramfs unpacker does:
// 110 bytes of header with 13 numbers of 8 hexadecimal digits, the name, the
// content, the latter two padded to 4 bytes (Linux,
// Documentation/driver-api/early-userspace/buffer-format.rst). It streams:
// nothing is kept.
func readCPIO(r io.Reader, file func(name string, size int64, content io.Reader) error) error {
	const headerSize, sizeField, nameField = 110, 6, 11
	header := make([]byte, headerSize)
	for {
		if _, err := io.ReadFull(r, header); err != nil {
			return err
		}
		if magic := string(header[:6]); magic != "070701" && magic != "070702" {
			return errCPIO
		}
		field := func(i int) (int64, error) {
			n, err := strconv.ParseUint(string(header[6+8*i:6+8*i+8]), 16, 32)
			return int64(n), err
		}
		size, err := field(sizeField)
		if err != nil {
			return fmt.Errorf("%w: %w", errCPIO, err)
		}
		length, err := field(nameField)
		if err != nil || length < 1 || length > maxCPIOName {
			return fmt.Errorf("%w: a name of %d bytes", errCPIO, length)
		}
		name := make([]byte, pad4(headerSize+length)-headerSize)
		if _, err := io.ReadFull(r, name); err != nil {
			return err
		}
		text := string(name[:length-1])
		if text == "TRAILER!!!" {
			return nil
		}
		content := &io.LimitedReader{R: r, N: size}
		if err := file(text, size, content); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, r, content.N+pad4(size)-size); err != nil {
			return err
		}
	}
}

func pad4(n int64) int64 { return (n + 3) &^ 3 }
