// Package qemu runs the practice phone's machine: an aarch64 "virt" board with
// the phone's storage, network, screen and touch panel.
package qemu

import (
	"fmt"
	"net/netip"
)

// Program that is run, and the Debian package it is in.
const (
	Program = "qemu-system-aarch64"
	Package = "qemu-system-arm"
)

// Files that a machine uses, all in Spec.Dir. QEMU runs in that folder and is
// given bare names, so that no path needs quoting or is too long for it.
const (
	KernelFile  = "kernel"
	RamdiskFile = "ramdisk"
	SerialFile  = "serial.log"
	screenFile  = "screen.png"
)

// Identifiers on QEMU's command line that are used again over QMP.
const (
	netdevID = "cable"
	nicID    = "usb0"
	monFD    = 3
	wireFD   = 4
)

// MAC addresses: the phone's is locally administered; the computer's is the
// one that QEMU's user network gives its own end (52:55 and the IPv4 address),
// so that both speak as one machine on the wire.
const PhoneMAC = "02:50:4f:52:54:02"

// HostMAC is the address of the computer's end for its IPv4 address.
func HostMAC(host netip.Addr) [6]byte {
	a := host.As4()
	return [6]byte{0x52, 0x55, a[0], a[1], a[2], a[3]}
}

// Spec is one machine.
type Spec struct {
	Dir      string // working folder, with the files above
	Marker   string // unique text on the command line
	Ramdisk  bool   // whether RamdiskFile is there
	Cmdline  string
	Disk     string     // file in Dir that is the phone's userdata
	Host     netip.Addr // the computer's on the cable, a /24
	Width    int        // of the screen in pixels
	Height   int
	Memory   int  // MiB
	LinkDown bool // the cable is out
}

// MarkerArg is the argument that Marker makes.
func MarkerArg(marker string) string { return "guest=" + marker }

// Args is QEMU's argument vector. It is pure.
func Args(s Spec) []string {
	net := netip.PrefixFrom(s.Host, 24).Masked()
	// DHCP of the user network is for guests that ask; the phone is a server
	// itself. It must only keep off the two addresses in use.
	first := net.Addr().As4()
	first[3] = 200
	args := []string{
		Program,
		"-name", MarkerArg(s.Marker),
		"-no-user-config", "-nodefaults",
		"-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", fmt.Sprint(s.Memory),
		"-accel", "tcg,thread=multi",
		"-S", "-no-reboot",
		"-display", "none",
		"-chardev", fmt.Sprintf("socket,id=mon,fd=%d", monFD),
		"-mon", "chardev=mon,mode=control",
		"-chardev", "file,id=uart,append=on,path=" + SerialFile,
		"-serial", "chardev:uart",
		"-kernel", KernelFile,
		"-append", s.Cmdline,
	}
	if s.Ramdisk {
		args = append(args, "-initrd", RamdiskFile)
	}
	return append(args,
		"-drive", "if=none,id=userdata,format=raw,discard=unmap,file="+s.Disk,
		// A full disk of the host is an error the phone sees, not a stop.
		"-device", "virtio-blk-pci,drive=userdata,serial=userdata,werror=report,rerror=report",
		// restrict: the phone reaches the computer's end of the cable and
		// nothing behind it. The hub adds a third plug for our own frames.
		"-netdev", fmt.Sprintf("user,id=%s,restrict=on,ipv6=off,net=%s,host=%s,dhcpstart=%s",
			netdevID, net, s.Host, netip.AddrFrom4(first)),
		"-netdev", "hubport,id=hub0,hubid=0,netdev="+netdevID,
		"-netdev", fmt.Sprintf("socket,id=wire,fd=%d", wireFD),
		"-netdev", "hubport,id=hub1,hubid=0,netdev=wire",
		"-netdev", "hubport,id=hub2,hubid=0",
		"-device", fmt.Sprintf("virtio-net-pci,id=%s,netdev=hub2,mac=%s,romfile=", nicID, PhoneMAC),
		"-device", fmt.Sprintf("virtio-gpu-pci,xres=%d,yres=%d", s.Width, s.Height),
		"-device", "virtio-tablet-pci",
		"-device", "virtio-rng-pci",
	)
}
