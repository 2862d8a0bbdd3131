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
)

// portLock holds a port for one Portolan. The kernel lets go of it when the
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
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the port: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the port in %s: %w", dir, err)
		}
		text, _ := io.ReadAll(io.LimitReader(f, 32))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, &LockedError{Dir: dir, PID: pid}
	}
	err = errors.Join(f.Truncate(0), writePID(f))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the port: %w", err)
	}
	return &portLock{f: f}, nil
}

func writePID(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func (l *portLock) unlock() error { return l.f.Close() }
