// Package usb knows the phones on the cable: what they are, in which mode they
// are, and how to reach them. It knows no flash method and no terminal.
package usb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Addresses of the USB network that postmarketOS and Portolan's own initramfs
// set up: the phone is the first host of 172.16.42.0/24 and hands the second
// to the computer by DHCP (postmarketos-initramfs, unudhcpd.conf).
var (
	PhoneAddr = netip.MustParseAddr("172.16.42.1")
	HostAddr  = netip.MustParseAddr("172.16.42.2")
)

// Mode is what a phone on the cable is doing, as seen from the computer.
type Mode string

// The modes a device can be seen in. Further ones are added by the classifier.
const (
	ModeUnknown    Mode = "unknown"
	ModeFastboot   Mode = "fastboot"
	ModeBooting    Mode = "booting"          // handed to a kernel, no network yet
	ModeNetwork    Mode = "network"          // a USB network gadget answers: initramfs or booted system
	ModeBootFailed Mode = "bootloader-error" // the bootloader refused its boot partition
	ModeOff        Mode = "off"
)

// Permission says whether the current user may open the device.
type Permission string

// Permissions told apart, because each has another cure.
const (
	PermissionOK     Permission = "ok"
	PermissionDenied Permission = "denied" // a udev rule or group is missing
	PermissionBusy   Permission = "busy"   // another program holds the interface
)

// Device is one phone as a source reports it. It is a value: a later Change
// replaces it, nobody mutates it.
type Device struct {
	ID           string     `json:"id"`     // stable while plugged, e.g. "practice/PRACTICE0001"
	Source       string     `json:"source"` // name of the Source that reports it
	Path         string     `json:"path"`   // bus path, e.g. "1-2.3"
	VendorID     uint16     `json:"vendor_id"`
	ProductID    uint16     `json:"product_id"`
	Serial       string     `json:"serial"`
	Manufacturer string     `json:"manufacturer"`
	Product      string     `json:"product"`
	Mode         Mode       `json:"mode"`
	Permission   Permission `json:"permission"`
	Practice     bool       `json:"practice"` // a virtual phone; shown as such everywhere
	Hint         string     `json:"hint"`     // what to do next, for a person
	Since        time.Time  `json:"since"`    // when it was first seen in this mode
}

// String names the device as plans, logs and prompts do.
func (d Device) String() string {
	name := d.Manufacturer + " " + d.Product
	if d.Practice {
		name += " (practice)"
	}
	return fmt.Sprintf("%s, serial %s, %s", name, d.Serial, d.Mode)
}

// ChangeKind tells what happened to a device.
type ChangeKind string

// Kinds of change.
const (
	Appeared ChangeKind = "appeared"
	Changed  ChangeKind = "changed"
	Gone     ChangeKind = "gone"
)

// Change is one event of a Source or of the Watcher.
type Change struct {
	Kind   ChangeKind `json:"kind"`
	Device Device     `json:"device"`
}

// Source finds devices of one kind (libusb with kernel uevents; the practice phone).
type Source interface {
	Name() string
	// Run reports the devices that are there, then every change, until ctx
	// ends or the source cannot go on. report is called from one goroutine.
	Run(ctx context.Context, report func(Change)) error
	// Open gives a handle on a device that this source reported.
	Open(ctx context.Context, id string) (Handle, error)
}

// Handle reaches one device. Each method fails with ErrWrongMode while the
// device is in a mode that does not offer it and with ErrGone once it is unplugged.
type Handle interface {
	// Fastboot opens the bootloader's fastboot interface.
	Fastboot(ctx context.Context) (PacketConn, error)
	// Lease asks the phone for an address on its USB network, as the
	// computer's DHCP client does.
	Lease(ctx context.Context) (Lease, error)
	// Dial opens a TCP connection to PhoneAddr:port over the USB network.
	Dial(ctx context.Context, port int) (net.Conn, error)
	Close() error
}

// Practice is what the handle of a virtual phone offers besides: a finger.
type Practice interface {
	// Tap touches the screen at x, y, each a fraction (0 to 1) of the width
	// and height as a person sees the screen.
	Tap(ctx context.Context, x, y float64) error
	// Bootloader switches the phone off and on again into its bootloader, as
	// holding the buttons does.
	Bootloader(ctx context.Context) error
}

// Lease is the answer of the phone's DHCP server.
type Lease struct {
	Address netip.Addr    // the computer's
	Server  netip.Addr    // the phone's
	For     time.Duration // lease time
}

// PacketConn carries whole fastboot packets, whichever wire is below: one
// WritePacket is one bulk transfer or one length-prefixed TCP message. A
// ReadPacket returns the next message of the phone, or the next part of it,
// valid until the next call.
type PacketConn interface {
	WritePacket(p []byte) error
	ReadPacket() ([]byte, error)
	SetDeadline(t time.Time) error
	Close() error
}

// Errors that callers decide by. They are wrapped with what was tried.
var (
	ErrGone      = errors.New("the phone is no longer on the cable")
	ErrWrongMode = errors.New("the phone is in another mode")
	ErrBusy      = errors.New("another program holds the phone")
	ErrDenied    = errors.New("no permission to open the phone")
	ErrNotFound  = errors.New("no such phone is plugged in")
)
