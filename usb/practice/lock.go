package practice

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const lockName = "lock"

// lock holds the state folder for one phone. The kernel lets go of it with
// the process, however that ends; QEMU does not inherit it.
func lock(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		holder := &InUseError{What: "state folder " + dir}
		if raw, err := os.ReadFile(path); err == nil && json.Unmarshal(raw, &holder.PID) == nil {
			holder.Name = programName(holder.PID)
		}
		return nil, holder
	}
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}

func programName(pid int) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// portHolder finds who listens on a TCP port of this machine, as far as
// /proc shows it to this user.
func portHolder(port int) *InUseError {
	e := &InUseError{What: fmt.Sprintf("TCP port %d", port)}
	raw, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return e
	}
	// Columns of proc_net_tcp.txt of Linux: sl local_address rem_address st … inode
	var socket string
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			socket = "socket:[" + f[9] + "]"
		}
	}
	if socket == "" {
		return e
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/[0-9]*")
	if err != nil {
		return e
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && target == socket {
			e.PID, _ = strconv.Atoi(strings.Split(fd, "/")[2])
			e.Name = programName(e.PID)
			return e
		}
	}
	return e
}
