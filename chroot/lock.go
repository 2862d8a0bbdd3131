package chroot

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LockedError says that another process works with the work folder.
type LockedError struct {
	Work string
	PID  int // 0 when it cannot be told
}

func (e *LockedError) Error() string {
	who := "another Portolan"
	if e.PID > 0 {
		who = fmt.Sprintf("another Portolan (process %d)", e.PID)
	}
	return fmt.Sprintf("%s is using the work folder %s: wait until it is done, or give another folder with --work", who, e.Work)
}

// ExitCode is that of every Portolan that refuses: the folder is taken.
func (*LockedError) ExitCode() int { return 5 }

// lockFolder takes work/lock. The kernel gives the lock back when the process
// ends, in whatever way.
func lockFolder(work string) (*os.File, error) {
	file := filepath.Join(work, "lock")
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the work folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		text, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		if err != unix.EWOULDBLOCK {
			return nil, fmt.Errorf("lock the work folder %s: %w", work, err)
		}
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, &LockedError{Work: work, PID: pid}
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the work folder: %w", err)
	}
	return f, nil
}
