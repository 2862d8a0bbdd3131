package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"portolan/usb"
)

// ErrNoTransport says that this build can see a phone on the USB bus and cannot
// send it flash data.
var ErrNoTransport error = noTransport{}

type noTransport struct{}

func (noTransport) Error() string {
	return "flashing over the USB bus needs the libusb transport, which this build lacks"
}

// ExitCode is that of a host that lacks something.
func (noTransport) ExitCode() int { return 3 }

// addressCheck is how often the interface is looked at where the kernel tells
// nothing of network changes.
const addressCheck = time.Second

// Open gives a handle on a phone that is on the bus now.
func (s *Source) Open(_ context.Context, id string) (usb.Handle, error) {
	h := &Handle{source: s, id: id, interfaces: hostInterface, phone: usb.PhoneAddr}
	if _, _, err := h.find(); err != nil {
		return nil, err
	}
	return h, nil
}

// Handle reaches a phone on the USB bus. It holds nothing open.
type Handle struct {
	source     *Source
	id         string
	interfaces func(name string) (up bool, addresses []netip.Addr, err error)
	phone      netip.Addr
}

var (
	_ usb.Handle = (*Handle)(nil)
	_ usb.Linker = (*Handle)(nil)
)

// find reads the phone's descriptors anew.
func (h *Handle) find() (Descriptor, usb.Device, error) {
	list, err := scan(h.source.opt.Sys)
	if err != nil {
		return Descriptor{}, usb.Device{}, err
	}
	for _, desc := range list {
		if d, ok := h.source.device(desc); ok && d.ID == h.id {
			return desc, d, nil
		}
	}
	return Descriptor{}, usb.Device{}, fmt.Errorf("look for the phone %s: %w", h.id, usb.ErrGone)
}

// Fastboot tells why it cannot: ErrNoTransport, unless the phone is not in its
// bootloader or may not be opened.
func (h *Handle) Fastboot(context.Context) (usb.PacketConn, error) {
	_, d, err := h.find()
	switch {
	case err != nil:
		return nil, err
	case d.Mode != usb.ModeFastboot:
		return nil, fmt.Errorf("open the fastboot interface of %s: %w", d, usb.ErrWrongMode)
	case d.Permission == usb.PermissionDenied:
		return nil, fmt.Errorf("open the fastboot interface of %s: %w: %s", d, usb.ErrDenied, d.Hint)
	}
	return nil, fmt.Errorf("open the fastboot interface of %s: %w; rehearse on the practice phone, or flash the images in the port's out folder with the fastboot program", d, ErrNoTransport)
}

// Link looks at the network interface that the phone became.
func (h *Handle) Link(context.Context) (usb.Link, error) {
	desc, d, err := h.find()
	if err != nil {
		return usb.Link{}, err
	}
	for _, i := range desc.Interfaces {
		if len(i.Net) == 0 {
			continue
		}
		l := usb.Link{Interface: i.Net[0], Driver: i.Driver}
		l.Up, l.Addresses, err = h.interfaces(l.Interface)
		if err != nil {
			return l, fmt.Errorf("look at the network interface %s of %s: %w", l.Interface, d, err)
		}
		return l, nil
	}
	return usb.Link{}, fmt.Errorf("look for the network interface of %s: %w: the computer has made none for it", d, usb.ErrWrongMode)
}

// hostInterface reads the computer's view of an interface.
func hostInterface(name string) (up bool, addresses []netip.Addr, err error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return false, nil, err
	}
	list, err := i.Addrs()
	if err != nil {
		return false, nil, err
	}
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			addresses = append(addresses, p.Addr())
		}
	}
	return i.Flags&net.FlagUp != 0, addresses, nil
}

// Lease waits until the computer has an address on the phone's network, which
// its own DHCP client asks for, and reports it; the lease time is not known
// here and 0. It ends with ctx, with ErrGone, or with ErrWrongMode.
func (h *Handle) Lease(ctx context.Context) (usb.Lease, error) {
	changed, stop := h.changes()
	defer stop()
	for {
		link, err := h.Link(ctx)
		if err != nil {
			return usb.Lease{}, err
		}
		for _, a := range link.Addresses {
			// Any other address, such as a link-local one, is not the phone's.
			if net24(a) == net24(h.phone) && a != h.phone {
				return usb.Lease{Address: a, Server: h.phone}, nil
			}
		}
		select {
		case <-ctx.Done():
			return usb.Lease{}, fmt.Errorf("wait for an address on %s from the phone: %w", link.Interface, ctx.Err())
		case <-changed:
		case <-time.After(addressCheck):
			// Also finds out that the phone is gone.
		}
	}
}

// net24 is the /24 network of an address, that of the phone's USB network.
func net24(a netip.Addr) netip.Prefix {
	p, _ := a.Prefix(24)
	return p
}

// changes rings when the computer's network interfaces change. Where the kernel
// refuses to tell, it never does.
func (h *Handle) changes() (changed <-chan struct{}, stop func()) {
	l, err := listenLinks()
	if err != nil {
		return nil, func() {}
	}
	bell, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, _, err := l.next(); err != nil {
				return
			}
			select {
			case bell <- struct{}{}:
			default:
			}
		}
	}()
	return bell, func() {
		l.close()
		<-done
	}
}

// Dial connects to the phone through its own interface, so that another
// network with the same addresses, or a second phone, is not taken for it.
func (h *Handle) Dial(ctx context.Context, port int) (net.Conn, error) {
	link, err := h.Link(ctx)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var bound error
		err := c.Control(func(fd uintptr) {
			bound = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, link.Interface)
		})
		// Kernels before 5.7 keep this to root; the routes decide there.
		if errors.Is(bound, unix.EPERM) {
			bound = nil
		}
		return errors.Join(err, os.NewSyscallError("SO_BINDTODEVICE "+link.Interface, bound))
	}}
	conn, err := dialer.DialContext(ctx, "tcp4", netip.AddrPortFrom(h.phone, uint16(port)).String())
	if err != nil {
		return nil, fmt.Errorf("connect to the phone through %s: %w", link.Interface, err)
	}
	return conn, nil
}

// Close has nothing to give back.
func (h *Handle) Close() error { return nil }
