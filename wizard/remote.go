package wizard

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"

	"portolan/usb"
	"portolan/usb/session"
)

// Remote is a phone that one is logged in to.
type Remote interface {
	Run(ctx context.Context, command string, stdin io.Reader) (session.Output, error)
	Upload(ctx context.Context, name string, mode fs.FileMode, r io.Reader, size int64) error
	Shell(ctx context.Context, cols, rows int) (*session.Shell, error)
	InputDevices(ctx context.Context) ([]session.InputDevice, error)
	Axes(ctx context.Context, d session.InputDevice) (session.Axes, error)
	Taps(ctx context.Context, d session.InputDevice, axes session.Axes) (*session.TapStream, error)
	Close() error
}

// remoteSSH is an SSH connection and the handle that carries it.
type remoteSSH struct {
	*session.SSH
	handle usb.Handle
}

// Close ends both.
func (r *remoteSSH) Close() error { return errors.Join(r.SSH.Close(), r.handle.Close()) }

// handledConn closes its handle with the connection.
type handledConn struct {
	net.Conn
	handle usb.Handle
}

func (c *handledConn) Close() error { return errors.Join(c.Conn.Close(), c.handle.Close()) }

// closedConn stands for a connection that could not be made.
type closedConn struct{ net.Conn }

func (closedConn) Close() error { return nil }
