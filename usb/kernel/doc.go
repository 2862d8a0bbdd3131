// Package kernel finds phones on the computer's real USB bus without libusb
// and without cgo: it reads what Linux shows in /sys/bus/usb/devices and hears
// of changes through the kernel's uevents.
//
// An event is never believed, it only causes sysfs to be read again, so that a
// lost, doubled or forged one does no harm. Sending flash data needs a USB
// transport, which this package has not: Handle.Fastboot says so with
// ErrNoTransport. The network of a phone that runs Linux is the computer's own
// network interface, and works.
package kernel
