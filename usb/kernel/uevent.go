package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
)

// Event is one uevent: something changed in the kernel's picture of devices.
type Event struct {
	Action    string // add, remove, change, bind, unbind …
	Device    string // path below /sys
	Subsystem string // usb, net …
}

// maxUevent bounds a message, in bytes: the kernel's environment has at most
// UEVENT_BUFFER_SIZE 2048 (include/linux/kobject.h), udev's a bit more.
const maxUevent = 16 << 10

var errUevent = errors.New("not a uevent")

// udev's own messages, in which it tells that it is done with a device, have a
// binary head (systemd, src/libsystemd/sd-device/device-monitor.c): the prefix,
// magic in network order, head size, offset and length of the properties.
const (
	udevPrefix = "libudev\x00"
	udevMagic  = 0xfeedcafe
	udevHead   = 40
)

// parseUevent reads a message of the kernel ("add@/devices/…" and KEY=VALUE,
// each ended by NUL; lib/kobject_uevent.c) or of udev.
func parseUevent(msg []byte) (Event, error) {
	if len(msg) == 0 || len(msg) > maxUevent {
		return Event{}, errUevent
	}
	var properties []byte
	if bytes.HasPrefix(msg, []byte(udevPrefix)) {
		if len(msg) < udevHead || binary.BigEndian.Uint32(msg[8:]) != udevMagic {
			return Event{}, errUevent
		}
		offset, length := uint64(binary.NativeEndian.Uint32(msg[16:])), uint64(binary.NativeEndian.Uint32(msg[20:]))
		if offset < udevHead || offset+length > uint64(len(msg)) {
			return Event{}, errUevent
		}
		properties = msg[offset : offset+length]
	} else {
		head, rest, ok := bytes.Cut(msg, []byte{0})
		if !ok || !bytes.Contains(head, []byte("@/")) {
			return Event{}, errUevent
		}
		properties = rest
	}
	var e Event
	for p := range bytes.SplitSeq(properties, []byte{0}) {
		key, value, _ := strings.Cut(string(p), "=")
		switch key {
		case "ACTION":
			e.Action = value
		case "DEVPATH":
			e.Device = value
		case "SUBSYSTEM":
			e.Subsystem = value
		}
	}
	if e.Action == "" || e.Device == "" {
		return Event{}, errUevent
	}
	return e, nil
}

// relevant tells whether an event can change what scan sees.
func (e Event) relevant() bool {
	return e.Subsystem == "usb" || e.Subsystem == "net" && strings.Contains(e.Device, "/usb")
}
