package practice

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const socketName = "control.sock"

// A socket's path may have 107 bytes (sun_path in unix(7)); state folders are
// often deeper. Through an open descriptor of the folder every path is short.
func throughDir(dir string, use func(path string) error) error {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", fd, socketName))
}

// listenControl makes the control socket. The caller holds the lock of the
// folder, so what lies there is left over from a phone that was killed.
func listenControl(dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing an old control socket: %w", err)
	}
	var l *net.UnixListener
	err := throughDir(dir, func(short string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the practice phone's control socket %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false) // its short name is gone by then; Serve removes the file
	return l, os.Chmod(path, 0o600)
}

// dialControl reaches the phone of a state folder, or says ErrNotRunning.
func dialControl(ctx context.Context, dir string) (*net.UnixConn, error) {
	var c net.Conn
	err := throughDir(dir, func(short string) (err error) {
		var d net.Dialer
		c, err = d.DialContext(ctx, "unix", short)
		return err
	})
	switch {
	case err == nil:
		return c.(*net.UnixConn), nil
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNotRunning
	default:
		return nil, fmt.Errorf("reaching the practice phone in %s: %w", dir, err)
	}
}
