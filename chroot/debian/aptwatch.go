package debian

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// aptWatch reads the output of apt and mmdebstrap for the reasons a person can
// do something about.
type aptWatch struct {
	phase  string
	errors []string
	full   bool // the disk
}

func (w *aptWatch) line(s string) {
	if len(s) > maxLine {
		s = s[:maxLine]
	}
	switch {
	case strings.HasPrefix(s, "portolan: phase "):
		w.phase = strings.TrimPrefix(s, "portolan: phase ")
	case strings.HasPrefix(s, "I: running apt-get update"), strings.HasPrefix(s, "I: downloading packages"):
		w.phase = "download"
	case strings.HasPrefix(s, "I: extracting archives"):
		w.phase = "install"
	}
	// ENOSPC in the words of strerror(3), and apt's own.
	if strings.Contains(s, "No space left on device") || strings.Contains(s, "You don't have enough free space") {
		w.full = true
	}
	for _, prefix := range []string{"E: ", "W: Failed", "Err:"} {
		if strings.HasPrefix(s, prefix) && len(w.errors) < 8 {
			w.errors = append(w.errors, clip(strings.TrimSpace(s), 300))
		}
	}
}

// network reports whether the failure came while reading from the mirror, and
// not because a package does not exist there.
func (w *aptWatch) network() bool {
	if w.phase != "update" && w.phase != "download" {
		return false
	}
	for _, e := range w.errors {
		if strings.Contains(e, "Unable to locate package") || strings.Contains(e, "has no installation candidate") ||
			strings.Contains(e, "Unable to correct problems") || strings.Contains(e, "Unmet dependencies") {
			return false
		}
	}
	return true
}

func (w *aptWatch) said() string { return strings.Join(w.errors, "; ") }

// DiskFullError says that the disk of the work folder ran full. Nothing half
// made was kept.
type DiskFullError struct {
	Tried string
	Dir   string // the work folder
	Free  uint64 // bytes free on its disk now
	Err   error
}

func (e *DiskFullError) Error() string {
	return fmt.Sprintf("%s: the disk is full (%d MiB free below %s); nothing half made was kept; "+
		"free some space there, remove old layers with portolan zap, or name another folder with --work, and run again",
		e.Tried, e.Free>>20, e.Dir)
}

func (e *DiskFullError) Unwrap() error { return e.Err }

func newDiskFull(dir, tried string, err error) *DiskFullError {
	var s unix.Statfs_t
	full := &DiskFullError{Tried: tried, Dir: dir, Err: err}
	if unix.Statfs(dir, &s) == nil {
		full.Free = s.Bavail * uint64(s.Bsize)
	}
	return full
}
