package kernel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Bounds of what is read. USB string descriptors have at most 126 characters;
// one bus has at most 127 devices.
const (
	maxAttribute  = 4 << 10 // bytes; a page, what sysfs gives at most
	maxEntries    = 4096    // of /sys/bus/usb/devices
	maxInterfaces = 64      // of one device
	maxText       = 256     // bytes of a string of the device
)

// A device is named BUS-PORT[.PORT…], an interface of it NAME:CONFIG.NUMBER
// (drivers/usb/core/usb.c, usb_alloc_dev, and message.c).
var (
	reDevice    = regexp.MustCompile(`^[0-9]{1,3}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}$`)
	reInterface = regexp.MustCompile(`^[0-9]{1,3}-[0-9.]{1,32}:[0-9]{1,3}\.[0-9]{1,3}$`)
	reNet       = regexp.MustCompile(`^[^/\s]{1,15}$`) // IFNAMSIZ
)

// hubClass is bDeviceClass of hubs, which are never phones.
const hubClass = 0x09

// scan reads the devices of the bus. A computer without USB has none.
func scan(sys string) ([]Descriptor, error) {
	dir := filepath.Join(sys, "bus/usb/devices")
	entries, err := readDir(dir, maxEntries)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the devices on the USB bus: %w", err)
	}
	var list []Descriptor
	for _, name := range entries {
		if !reDevice.MatchString(name) {
			continue
		}
		// A device that is pulled meanwhile is just left out.
		if d, ok := readDevice(filepath.Join(dir, name), name); ok {
			list = append(list, d)
		}
	}
	return list, nil
}

// readDevice reads one device's folder.
func readDevice(dir, name string) (Descriptor, bool) {
	d := Descriptor{Path: name}
	vendor, ok1 := hex(dir, "idVendor", 16)
	product, ok2 := hex(dir, "idProduct", 16)
	class, ok3 := hex(dir, "bDeviceClass", 8)
	if !ok1 || !ok2 || !ok3 || class == hubClass {
		return d, false
	}
	d.Vendor, d.ProductID, d.Class = uint16(vendor), uint16(product), uint8(class)
	d.Bus, _ = strconv.Atoi(attribute(dir, "busnum"))
	d.Number, _ = strconv.Atoi(attribute(dir, "devnum"))
	d.Serial = text(dir, "serial")
	d.Manufacturer = text(dir, "manufacturer")
	d.Product = text(dir, "product")
	entries, err := readDir(dir, maxEntries)
	if err != nil {
		return d, false
	}
	for _, e := range entries {
		if reInterface.MatchString(e) && strings.HasPrefix(e, name+":") && len(d.Interfaces) < maxInterfaces {
			d.Interfaces = append(d.Interfaces, readInterface(filepath.Join(dir, e)))
		}
	}
	return d, true
}

func readInterface(dir string) Interface {
	class, _ := hex(dir, "bInterfaceClass", 8)
	sub, _ := hex(dir, "bInterfaceSubClass", 8)
	protocol, _ := hex(dir, "bInterfaceProtocol", 8)
	i := Interface{Class: uint8(class), SubClass: uint8(sub), Protocol: uint8(protocol)}
	if target, err := os.Readlink(filepath.Join(dir, "driver")); err == nil {
		i.Driver = filepath.Base(target)
	}
	nets, _ := readDir(filepath.Join(dir, "net"), maxInterfaces)
	for _, n := range nets {
		if reNet.MatchString(n) {
			i.Net = append(i.Net, n)
		}
	}
	return i
}

// readDir lists at most limit names of a folder, sorted.
func readDir(dir string, limit int) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(limit)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// attribute reads one file of sysfs, without the newline; empty if there is none.
func attribute(dir, name string) string {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAttribute))
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(b), "\n")
}

// text reads a string that the device made up: it may hold anything, and ends
// up on a person's terminal.
func text(dir, name string) string {
	s := strings.ToValidUTF8(attribute(dir, name), "?")
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

func hex(dir, name string, bits int) (uint64, bool) {
	n, err := strconv.ParseUint(attribute(dir, name), 16, bits)
	return n, err == nil
}
