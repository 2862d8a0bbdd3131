// Command portolan takes a porter from an old Android phone on a USB cable to
// Linux booting on it. Each command is a small file here: flags, wiring, exit
// codes. The work is done in the rooms below.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"portolan/chroot"
	"portolan/wizard"
)

func main() {
	chroot.Init()   // never returns when re-executed as pid 1 of a chroot
	watchTerminal() // never returns when re-executed as the crash monitor
	os.Exit(run(os.Args[1:]))
}

// run executes one command line and returns the exit code (DESIGN: 0 done,
// 1 failed, 2 wrong usage, 3 the host lacks something, 4 phone not found or
// lost, 5 refused because it is not safe, 130 interrupted).
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %w", errors.Join(context.Canceled, err))
		fmt.Fprintln(os.Stderr, "portolan: interrupted; what was finished is kept, run the same command to go on")
		return wizard.ExitCode(err)
	}
	var shown *shownError
	if !errors.As(err, &shown) {
		fmt.Fprintln(os.Stderr, "portolan:", printableLines(err.Error()))
	}
	return wizard.ExitCode(err)
}

// shownError wraps an error that the reader of events has already printed.
type shownError struct{ error }

func (e *shownError) Unwrap() error { return e.error }
