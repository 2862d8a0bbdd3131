package wizard

import (
	"errors"
	"strings"
	"syscall"
)

// hostTrouble makes a full disk a *HostError with its cure, wherever it was
// met: as an error number, or in the output of a program in the chroot.
func hostTrouble(tried string, err error) error {
	if err == nil {
		return nil
	}
	var host *HostError
	if errors.As(err, &host) {
		return err
	}
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(strings.ToLower(err.Error()), "no space left on device")
	if full {
		return &HostError{Tried: tried, Lacks: "disk space",
			Fix: "nothing that was finished is lost: free some space (`portolan zap` empties the caches) and run this again, it continues here", Err: err}
	}
	return err
}
