package practice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"portolan/usb/practice/qemu"
)

// How long Stop lets the phone end by itself, and how long a killed process
// may take to be gone.
const (
	stopWait = 5 * time.Second
	killWait = 5 * time.Second
	stopPoll = 10 * time.Millisecond
)

// Stop ends the phone of a state folder and everything that belongs to it:
// first by asking, then by looking for processes that carry its marker and
// killing them, also when the phone itself was killed before. Nothing running
// is no error.
func Stop(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	patient, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	_, asked := ask(patient, dir, request{Do: doStop})
	if asked == nil {
		// It is over when it lets go of its lock.
		if held, err := awaitLock(patient, dir); err == nil {
			held.Close()
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopping the practice phone: %w", context.Cause(ctx))
	}
	if err := sweep(dir, true); err != nil {
		return fmt.Errorf("stopping the practice phone: %w", err)
	}
	// A process that was killed a moment ago holds its lock until it is gone.
	dying, done := context.WithTimeout(ctx, killWait)
	defer done()
	held, err := awaitLock(dying, dir)
	if err != nil {
		return fmt.Errorf("stopping the practice phone: %w", err)
	}
	defer held.Close()
	if err := os.Remove(filepath.Join(dir, socketName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// awaitLock takes the lock of a state folder as soon as nobody has it. When ctx
// ends first, the error names the holder.
func awaitLock(ctx context.Context, dir string) (*os.File, error) {
	for {
		held, err := lock(dir)
		if err == nil {
			return held, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(stopPoll):
		}
	}
}

// sweep kills the machines of a state folder, and with phones also the
// processes that were started to run Serve, and waits until they are gone.
func sweep(dir string, phones bool) error {
	mark := marker(dir)
	machine := []byte(qemu.MarkerArg(mark))
	phone := []byte(`{"marker":"` + mark + `"`)
	ours := func(pid int) bool {
		args := cmdline(pid)
		return slices.ContainsFunc(args, func(arg []byte) bool {
			return bytes.Equal(arg, machine) || phones && bytes.HasPrefix(arg, phone)
		})
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !ours(pid) {
			continue
		}
		errs = append(errs, kill(pid, ours))
	}
	return errors.Join(errs...)
}

// kill ends a process that still is what it was taken for. The descriptor
// pins it: a number that was given to another process meanwhile is not hit.
func kill(pid int, still func(pid int) bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if !still(pid) {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("killing process %d: %w", pid, err)
	}
	deadline := time.Now().Add(killWait)
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(time.Until(deadline).Milliseconds()))
		switch {
		case n > 0:
			return nil
		case errors.Is(err, unix.EINTR) && time.Now().Before(deadline):
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("waiting for the end of process %d: %w", pid, err)
		default:
			return fmt.Errorf("process %d was killed and is still there after %s", pid, killWait)
		}
	}
}

func cmdline(pid int) [][]byte {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil // gone, or not ours to see
	}
	return bytes.Split(raw, []byte{0})
}
