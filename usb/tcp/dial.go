package tcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"portolan/usb"
)

// handshake is what each side sends first: "FB" and the protocol version it
// speaks, two decimal digits.
const handshake = "FB01"

// handshakeTimeout is how long the other side may take for its 4 bytes. AOSP's
// fastboot waits 2 seconds; a phone under emulation deserves more.
const handshakeTimeout = 5 * time.Second

// DefaultPort is the TCP port of fastboot (AOSP: tcp::kDefaultPort).
const DefaultPort = "5554"

// ErrHandshake says that whoever answered does not speak fastboot over TCP.
var ErrHandshake = errors.New("not a fastboot-over-TCP peer")

// Dial connects to a phone's bootloader at addr ("host" or "host:port",
// DefaultPort if none). Connecting and the handshake are bounded by
// themselves, so ctx needs no timeout of its own: it bounds the whole life of
// the connection, and its end closes it.
func Dial(ctx context.Context, addr string) (usb.PacketConn, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		addr = net.JoinHostPort(addr, DefaultPort)
	}
	peer := "the phone at " + addr
	d := net.Dialer{Timeout: handshakeTimeout}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("connect to %s: %w", peer, context.Cause(ctx))
		}
		return nil, fmt.Errorf("connect to %s: %w (%w)", peer, usb.ErrGone, err)
	}
	return start(ctx, newConn(ctx, nc, peer, usb.ErrGone))
}

// Accept does the phone's end of the handshake on a connection that a listener
// accepted, and takes it over: it is closed when the handshake fails, when the
// PacketConn is closed or when ctx ends. A computer that hangs up between two
// messages gives io.EOF, inside one io.ErrUnexpectedEOF.
func Accept(ctx context.Context, nc net.Conn) (usb.PacketConn, error) {
	return start(ctx, newConn(ctx, nc, fmt.Sprintf("the computer at %s", nc.RemoteAddr()), nil))
}

// start exchanges the handshakes. Both sides send first and then read, as AOSP
// does, so neither waits for the other.
func start(ctx context.Context, c *conn) (usb.PacketConn, error) {
	err := c.shake()
	if err == nil {
		return c, nil
	}
	c.Close()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return nil, fmt.Errorf("fastboot handshake with %s: %w", c.peer, err)
}

func (c *conn) shake() error {
	if err := c.nc.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(c.nc, handshake); err != nil {
		return c.fail("send "+handshake, err)
	}
	var got [4]byte
	if _, err := io.ReadFull(c.r, got[:]); err != nil {
		return c.fail("wait for "+handshake, err)
	}
	// A newer side says a higher number and then speaks the lower of the two.
	digit := func(b byte) bool { return b >= '0' && b <= '9' }
	if string(got[:2]) != "FB" || !digit(got[2]) || !digit(got[3]) || string(got[2:]) < handshake[2:] {
		return fmt.Errorf("%w: it sent %q, expected %q", ErrHandshake, got, handshake)
	}
	// The context may have ended meanwhile; its watch closed the connection,
	// and the next read or write says so.
	return c.nc.SetDeadline(time.Time{})
}
