package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/creack/pty"

	"portolan/chroot"
)

// runOnTerminal runs a command of a chroot on a terminal of its own, connected
// with this one: a chroot makes its terminal the controlling one of a new
// session, which the one of this shell cannot become.
func runOnTerminal(ctx context.Context, root chroot.Chroot, cmd chroot.Cmd) error {
	master, slave, err := pty.Open()
	if err != nil {
		return fmt.Errorf("open a terminal for the chroot: %w", err)
	}
	defer master.Close()
	defer slave.Close()
	cols, rows := terminalSize()
	size := func(cols, rows int) error {
		return pty.Setsize(master, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)})
	}
	if err := size(cols, rows); err != nil {
		return fmt.Errorf("size the terminal of the chroot: %w", err)
	}
	cmd.TTY = slave
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := root.Run(ctx, cmd)
		slave.Close() // the last reader of the master gets its end
		ended <- err
	}()
	err = talk(ctx, struct {
		io.Reader
		io.Writer
	}{master, master}, size)
	if err != nil && !errors.Is(err, os.ErrClosed) && ctx.Err() == nil {
		err = nil // a terminal whose other end has closed reads EIO
	}
	cancel()
	return errors.Join(err, ignoreCancel(<-ended))
}

// ignoreCancel drops the error of a command that was still running when the
// person had left.
func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
