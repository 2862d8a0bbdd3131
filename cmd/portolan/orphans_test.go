package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// adopt makes this process the parent of orphans for the length of a test, so
// that whatever a killed Portolan leaves behind can be found.
func adopt(t *testing.T) {
	t.Helper()
	check(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	t.Cleanup(func() {
		for _, p := range descendants() {
			if p.orphan {
				t.Errorf("the test leaves process %d behind: %s", p.pid, p.argv)
				syscall.Kill(p.pid, syscall.SIGKILL)
			}
		}
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	})
}

type process struct {
	pid    int
	argv   string
	orphan bool // a child of this process by adoption, or below one
}

// mine are the processes that this test process itself waits for.
var mine struct {
	sync.Mutex
	pids []int
}

// descendants lists the living processes below this one, and reaps dead orphans.
func descendants() []process {
	mine.Lock()
	defer mine.Unlock()
	parents := map[int]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		// pid (comm) state ppid …: comm may hold anything, so from its end on.
		f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		parent, _ := strconv.Atoi(f[1])
		if f[0] == "Z" || f[0] == "X" {
			if parent == os.Getpid() && !slices.Contains(mine.pids, pid) {
				unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
			continue
		}
		parents[pid] = parent
	}
	var list []process
	for pid := range parents {
		for at := pid; parents[at] != 0; at = parents[at] {
			if parents[at] != os.Getpid() {
				continue
			}
			argv, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			list = append(list, process{pid: pid, argv: strings.ReplaceAll(string(argv), "\x00", " "), orphan: !slices.Contains(mine.pids, at)})
			break
		}
	}
	slices.SortFunc(list, func(a, b process) int { return a.pid - b.pid })
	return list
}

// leavesNothing fails unless no process that a Portolan started is left soon
// after its end, and no mount in this mount namespace.
func (r *rig) leavesNothing() {
	r.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		var left []string
		for _, p := range descendants() {
			if p.orphan {
				left = append(left, fmt.Sprintf("%d %s", p.pid, p.argv))
			}
		}
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("these processes are left:\n%s", strings.Join(left, "\n"))
		}
		time.Sleep(10 * time.Millisecond) // processes of others: there is nothing to wait on
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	check(r.t, err)
	if strings.Contains(string(mounts), r.work) {
		r.t.Errorf("a mount is left below %s:\n%s", r.work, mounts)
	}
}
