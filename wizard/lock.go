package wizard

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"portolan/usb"
)

// portLock holds a port, or a phone, for one Portolan. The kernel lets go of it when the
// process ends, however it ends.
type portLock struct{ f *os.File }

// lockPort takes out/lock in the port's folder, or returns a *LockedError.
func lockPort(dir string) (*portLock, error) {
	path := filepath.Join(dir, "out", "lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("lock the port: %w", err)
	}
	// Images and private keys lie here: git must not take them.
	if err := os.WriteFile(filepath.Join(dir, "out", ".gitignore"), []byte("*\n"), 0o644); err != nil {
		return nil, fmt.Errorf("lock the port: %w", err)
	}
	lock, pid, err := lockFile(path)
	if err != nil {
		return nil, fmt.Errorf("lock the port in %s: %w", dir, err)
	}
	if lock == nil {
		return nil, &LockedError{Dir: dir, PID: pid}
	}
	return lock, nil
}

// lockPhone takes a phone for one run. dir holds a file for each phone and is
// shared by all ports; without one nothing is locked.
func lockPhone(dir string, d usb.Device) (*portLock, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lock the phone: %w", err)
	}
	lock, pid, err := lockFile(filepath.Join(dir, sha256Hex([]byte(d.Source + "\x00" + d.Serial))[:16]))
	if err != nil {
		return nil, fmt.Errorf("lock the phone: %w", err)
	}
	if lock == nil {
		return nil, &LockedError{Phone: d.String(), PID: pid}
	}
	return lock, nil
}

// lockFile locks a file and writes our process id into it. Where another one
// has it, the lock is nil and the other's id is returned.
func lockFile(path string) (*portLock, int, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, 0, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, 0, err
		}
		text, _ := io.ReadAll(io.LimitReader(f, 32))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, pid, nil
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		f.Close()
		return nil, 0, err
	}
	return &portLock{f: f}, 0, nil
}

func writePID(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func (l *portLock) unlock() error { return l.f.Close() }
