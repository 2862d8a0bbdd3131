package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// InputDevice is one input device of the phone, from /proc/bus/input/devices
// (written by input_devices_seq_show in drivers/input/input.c of Linux).
type InputDevice struct {
	Name    string // as udev rules match it, e.g. "Elan Touchscreen"
	Event   string // "event0"; its number may change at every boot
	Bus     uint16 // BUS_* of linux/input.h
	Vendor  uint16
	Product uint16
	Version uint16
	bits    map[string][]uint64 // EV, KEY, ABS, PROP …, least significant word first
	long    int                 // bits of a C long on the phone: 64 or 32
}

// Event types and codes of linux/input-event-codes.h.
const (
	evSyn = 0x00
	evKey = 0x01
	evAbs = 0x03

	synReport  = 0
	synDropped = 3

	btnLeft  = 0x110
	btnTouch = 0x14a

	absX          = 0x00
	absY          = 0x01
	absSlot       = 0x2f
	absMTX        = 0x35
	absMTY        = 0x36
	absTrackingID = 0x39

	propDirect = 0x01
)

// Has tells whether the device announces a code of a bitmap, named as in
// /proc/bus/input/devices: "ABS", "KEY", "PROP" …
func (d InputDevice) Has(bitmap string, code int) bool {
	words := d.bits[bitmap]
	return code >= 0 && code/64 < len(words) && words[code/64]>>(code%64)&1 == 1
}

// Multitouch tells whether the device speaks the multitouch protocol, type B.
func (d InputDevice) Multitouch() bool {
	return d.Has("ABS", absMTX) && d.Has("ABS", absMTY) && d.Has("ABS", absTrackingID)
}

// Touch tells whether taps can be read from the device: a touchscreen, or a
// tablet that points at absolute positions like a virtual phone's.
func (d InputDevice) Touch() bool {
	single := d.Has("ABS", absX) && d.Has("ABS", absY) && (d.Has("KEY", btnTouch) || d.Has("KEY", btnLeft))
	return d.Event != "" && (d.Multitouch() || single)
}

// Direct tells whether the device lies on the screen (INPUT_PROP_DIRECT).
func (d InputDevice) Direct() bool { return d.Has("PROP", propDirect) }

// Bounds of what is read of an input device list. A phone has about ten
// devices; the longest bitmap, KEY, has 0x300 bits.
const (
	maxInputDevices = 256
	maxInputList    = 256 << 10
	maxInputBits    = 0x300
)

var reEvent = regexp.MustCompile(`^event[0-9]{1,5}$`)

// InputDevices lists the input devices of the phone, those that can be tapped
// first.
func (s *SSH) InputDevices(ctx context.Context) ([]InputDevice, error) {
	o, err := s.Run(ctx, "getconf LONG_BIT 2>/dev/null || uname -m; cat /proc/bus/input/devices", nil)
	if err != nil {
		return nil, fmt.Errorf("list the phone's input devices: %w", err)
	}
	machine, list, _ := bytes.Cut(o.Stdout, []byte("\n"))
	devices, err := ParseInputDevices(list, longBits(string(machine)))
	if err != nil {
		return nil, fmt.Errorf("list the phone's input devices: %w", err)
	}
	var touch, others []InputDevice
	for _, d := range devices {
		if d.Touch() {
			touch = append(touch, d)
		} else {
			others = append(others, d)
		}
	}
	return append(touch, others...), nil
}

// longBits is the size of a C long in a program on the phone, and by that of
// the words in bitmaps and of the time in events that it reads. It is told by
// getconf LONG_BIT or guessed from the machine (uname -m).
func longBits(machine string) int {
	machine = strings.TrimSpace(machine)
	if strings.Contains(machine, "64") || machine == "s390x" || strings.HasPrefix(machine, "armv8") {
		return 64
	}
	return 32
}

// ParseInputDevices reads the text of /proc/bus/input/devices of a kernel for programs
// whose C long has that many bits (64 or 32). Lines that are not understood are
// passed over, as newer kernels may add some.
func ParseInputDevices(text []byte, long int) ([]InputDevice, error) {
	if len(text) > maxInputList {
		return nil, fmt.Errorf("the list of input devices has %d bytes, more than the %d that are read", len(text), maxInputList)
	}
	if long != 64 && long != 32 {
		return nil, fmt.Errorf("a C long of %d bits is neither 32 nor 64", long)
	}
	var devices []InputDevice
	d, any := InputDevice{long: long}, false
	end := func() error {
		if !any {
			return nil
		}
		if len(devices) == maxInputDevices {
			return fmt.Errorf("the phone lists more than %d input devices", maxInputDevices)
		}
		devices = append(devices, d)
		d, any = InputDevice{long: long}, false
		return nil
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			if err := end(); err != nil {
				return nil, err
			}
			continue
		}
		kind, rest, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		key, value, _ := strings.Cut(rest, "=")
		switch kind {
		case "I":
			any = true
			d.identify(rest)
		case "N":
			any = true
			d.Name = strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`)
		case "H":
			for handler := range strings.FieldsSeq(value) {
				if reEvent.MatchString(handler) {
					d.Event = handler
				}
			}
		case "B":
			if d.bits == nil {
				d.bits = make(map[string][]uint64)
			}
			words, err := parseBitmap(value, long)
			if err != nil {
				return nil, fmt.Errorf("bitmap %s of the input device %q: %w", key, d.Name, err)
			}
			if len(d.bits) < 16 {
				d.bits[key] = words
			}
		}
	}
	if err := end(); err != nil {
		return nil, err
	}
	return devices, nil
}

// identify reads "Bus=0006 Vendor=0627 Product=0003 Version=0002".
func (d *InputDevice) identify(text string) {
	for field := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(field, "=")
		n, err := strconv.ParseUint(value, 16, 16)
		if err != nil {
			continue
		}
		switch key {
		case "Bus":
			d.Bus = uint16(n)
		case "Vendor":
			d.Vendor = uint16(n)
		case "Product":
			d.Product = uint16(n)
		case "Version":
			d.Version = uint16(n)
		}
	}
}

// parseBitmap reads words in hex, the most significant first and without
// leading zeros, into 64-bit words with the least significant first.
func parseBitmap(text string, long int) ([]uint64, error) {
	fields := strings.Fields(text)
	if len(fields) > maxInputBits/long+1 {
		return nil, errors.New("it is longer than any the kernel has")
	}
	words := make([]uint64, (len(fields)*long+63)/64)
	for i, f := range fields {
		w, err := strconv.ParseUint(f, 16, long)
		if err != nil {
			return nil, fmt.Errorf("%q is no word of %d bits in hex", f, long)
		}
		at := (len(fields) - 1 - i) * long
		words[at/64] |= w << (at % 64)
	}
	return words, nil
}
