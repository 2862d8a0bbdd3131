// Package tcp carries fastboot packets over TCP, both ends: the computer's
// (Dial), and the phone's (Accept), which the practice phone uses.
//
// The wire is "TCP Protocol v1" of fastboot/README.md in AOSP's
// platform/system/core: each side sends the 4 bytes "FB01", then every message
// is an 8-byte big-endian length followed by that many bytes.
package tcp

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"portolan/usb"
)

const (
	// MaxMessage bounds the length a peer may announce: a fastboot download
	// has a 32-bit size (8 hex digits), so nothing longer has a meaning.
	MaxMessage = 1<<32 - 1
	// MaxPart is the most that one ReadPacket returns. A message up to this
	// long comes whole, which holds for every command and every reply; longer
	// ones (AOSP's fastboot sends data in messages of up to 512 MiB) come in
	// parts, so that memory does not grow with what the peer announces.
	MaxPart = 256 << 10
)

// ErrTooLong says that the peer announced a message beyond MaxMessage, which
// is how a peer that does not speak this protocol is noticed.
var ErrTooLong = errors.New("message length is beyond what fastboot can mean")

// conn is a usb.PacketConn. One goroutine may read while another writes.
type conn struct {
	nc   net.Conn
	peer string // for errors: "the phone at 127.0.0.1:5554"
	gone error  // wrapped when the connection ends: usb.ErrGone at the computer's end, nil at the phone's

	r    *bufio.Reader
	left uint64 // bytes of the current message not yet returned
	buf  []byte

	wmu    sync.Mutex
	wHead  [8]byte
	broken error // a message that was cut short leaves no way to frame the next

	stop func() bool // ends the watch on the context
}

func newConn(ctx context.Context, nc net.Conn, peer string, gone error) *conn {
	c := &conn{nc: nc, peer: peer, gone: gone, r: bufio.NewReaderSize(nc, 64<<10)}
	c.stop = context.AfterFunc(ctx, func() { nc.Close() })
	return c
}

// WritePacket sends p as one message.
func (c *conn) WritePacket(p []byte) error {
	if uint64(len(p)) > MaxMessage {
		return fmt.Errorf("send %d bytes to %s: %w", len(p), c.peer, ErrTooLong)
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.broken != nil {
		return c.broken
	}
	binary.BigEndian.PutUint64(c.wHead[:], uint64(len(p)))
	bufs := net.Buffers{c.wHead[:], p} // one writev: no copy of p, one segment for short messages
	n, err := bufs.WriteTo(c.nc)
	if err != nil {
		err = c.fail(fmt.Sprintf("send %d bytes to %s", len(p), c.peer), err)
		if n > 0 {
			c.broken = fmt.Errorf("an earlier message was cut short, the connection cannot go on: %w", err)
		}
	}
	return err
}

// ReadPacket returns the next message, or the next MaxPart bytes of a longer
// one. The slice is valid until the next call.
func (c *conn) ReadPacket() ([]byte, error) {
	if c.left == 0 {
		var head [8]byte
		if _, err := io.ReadFull(c.r, head[:]); err != nil {
			return nil, c.fail("wait for a message of "+c.peer, err)
		}
		n := binary.BigEndian.Uint64(head[:])
		if n > MaxMessage {
			return nil, fmt.Errorf("read a message of %d bytes from %s: %w", n, c.peer, ErrTooLong)
		}
		c.left = n
	}
	n := int(min(c.left, MaxPart))
	if cap(c.buf) < n {
		c.buf = make([]byte, max(n, 4096))
	}
	p := c.buf[:n]
	if _, err := io.ReadFull(c.r, p); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, c.fail(fmt.Sprintf("read the %d bytes left of a message of %s", c.left, c.peer), err)
	}
	c.left -= uint64(n)
	return p, nil
}

// SetDeadline bounds every pending and later read and write; the zero time
// lifts the bound. A deadline that passes inside a message ends the connection
// for all practical purposes: the framing is lost.
func (c *conn) SetDeadline(t time.Time) error { return c.nc.SetDeadline(t) }

// Close ends the connection; a pending read or write returns.
func (c *conn) Close() error {
	c.stop()
	return c.nc.Close()
}

// fail words an error of the wire. A deadline stays recognisable
// (os.ErrDeadlineExceeded), every other end of the wire also is c.gone.
func (c *conn) fail(what string, err error) error {
	if c.gone == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w (%w)", what, c.gone, err)
}

var _ usb.PacketConn = (*conn)(nil)
