package practice

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"

	"portolan/usb"
	"portolan/usb/tcp"
)

// Handle reaches the practice phone through its process.
type Handle struct {
	dir string
}

var (
	_ usb.Handle   = (*Handle)(nil)
	_ usb.Practice = (*Handle)(nil)
)

// gone makes a phone that no longer runs one that is no longer plugged in.
func gone(what string, err error) error {
	if errors.Is(err, ErrNotRunning) {
		err = fmt.Errorf("%w: %w", usb.ErrGone, err)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return err
}

// Fastboot connects to the bootloader.
func (h *Handle) Fastboot(ctx context.Context) (usb.PacketConn, error) {
	const what = "opening the practice phone's fastboot interface"
	st, err := GetStatus(ctx, h.dir)
	if err != nil {
		return nil, gone(what, err)
	}
	if !st.Plugged {
		return nil, fmt.Errorf("%s: %w", what, usb.ErrGone)
	}
	if st.Device.Mode != usb.ModeFastboot && st.Device.Mode != usb.ModeBootFailed {
		return nil, fmt.Errorf("%s: %w: it is in mode %s", what, usb.ErrWrongMode, st.Device.Mode)
	}
	return tcp.Dial(ctx, fmt.Sprintf("127.0.0.1:%d", st.Port))
}

// Lease asks the phone's DHCP server for an address.
func (h *Handle) Lease(ctx context.Context) (usb.Lease, error) {
	a, err := ask(ctx, h.dir, request{Do: doLease})
	if err != nil {
		return usb.Lease{}, gone("asking the practice phone for an address", err)
	}
	if a.Lease == nil {
		return usb.Lease{}, errors.New("asking the practice phone for an address: it gave none")
	}
	return *a.Lease, nil
}

// Dial connects to a TCP port of the running system.
func (h *Handle) Dial(ctx context.Context, port int) (net.Conn, error) {
	_, conn, r, err := call(ctx, h.dir, request{Do: doDial, Port: port})
	if err != nil {
		return nil, gone("over the practice phone's cable", err)
	}
	return &cableConn{UnixConn: conn.(*net.UnixConn), r: r, port: port}, nil
}

// Tap touches the screen.
func (h *Handle) Tap(ctx context.Context, x, y float64) error {
	return gone("tapping the practice phone", Tap(ctx, h.dir, x, y))
}

// Bootloader holds the buttons.
func (h *Handle) Bootloader(ctx context.Context) error {
	return gone("switching the practice phone to its bootloader", ToBootloader(ctx, h.dir))
}

// Close has nothing to release: each use has its own connection.
func (h *Handle) Close() error { return nil }

// cableConn is a TCP connection to the phone that the phone's process carries.
type cableConn struct {
	*net.UnixConn
	r    *bufio.Reader // may hold the first bytes
	port int
}

func (c *cableConn) Read(p []byte) (n int, err error) {
	if c.r.Buffered() > 0 {
		return c.r.Read(p)
	}
	n, err = c.UnixConn.Read(p)
	return n, c.named(err)
}

func (c *cableConn) Write(p []byte) (int, error) {
	n, err := c.UnixConn.Write(p)
	return n, c.named(err)
}

// named makes an error speak of the phone, not of the socket that carries it.
func (c *cableConn) named(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	return &net.OpError{Op: op.Op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: op.Err}
}

// LocalAddr is the computer's address on the cable.
func (c *cableConn) LocalAddr() net.Addr { return &net.TCPAddr{IP: usb.HostAddr.AsSlice()} }

// RemoteAddr is the phone's.
func (c *cableConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: usb.PhoneAddr.AsSlice(), Port: c.port}
}
