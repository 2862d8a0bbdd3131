package chroot

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// helperName is argv[0] of the re-executed program. It shows in ps.
const helperName = "portolan-pid1"

// Inherited descriptors of the helper.
const (
	fdControl = 3 // parent → pid 1: go byte, spec, and then silence: the lifeline
	fdStatus  = 4 // pid 1 → parent: one JSON report a line
)

// stages of the helper, as argv[1].
const (
	stageWait = "wait" // ids are not mapped yet
	stageRun  = "run"
)

// Init must be the first thing that main and TestMain do. In the re-executed
// program, which is pid 1 of new namespaces, it never returns.
func Init() {
	if os.Getpid() != 1 || len(os.Args) < 2 || os.Args[0] != helperName || !isPipe(fdControl) || !isPipe(fdStatus) {
		return
	}
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(unsafe.StringData(helperName+"\x00"))), 0, 0, 0)
	// syscall.Exit and not os.Exit: nothing is deferred to the end of this
	// process, and the race detector would sleep there for a second.
	switch os.Args[1] {
	case stageWait:
		waitForMap()
	case stageRun:
		syscall.Exit(pid1())
	}
	syscall.Exit(125)
}

func isPipe(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// waitForMap waits until the parent has written the id maps, then executes the
// program once more: capabilities are lost in an exec by an unmapped user and
// come back in one by the namespace's root.
func waitForMap() {
	var b [1]byte
	if n, err := unix.Read(fdControl, b[:]); n != 1 || err != nil {
		syscall.Exit(125)
	}
	for _, set := range []func() error{
		func() error { return unix.Setresgid(0, 0, 0) },
		func() error { return unix.Setresuid(0, 0, 0) },
	} {
		if err := set(); err != nil {
			sendReport(report{Event: "failed", Text: "become root of the user namespace: " + err.Error()})
			syscall.Exit(125)
		}
	}
	argv := append([]string{helperName, stageRun}, os.Args[2:]...)
	err := unix.Exec("/proc/self/exe", argv, os.Environ())
	sendReport(report{Event: "failed", Text: "execute the helper: " + err.Error()})
	syscall.Exit(125)
}

// sendReport writes one line; a parent that is gone does not matter, because
// then the lifeline has closed too.
func sendReport(r report) {
	line, err := json.Marshal(r)
	if err != nil {
		line = fmt.Appendf(nil, `{"event":"failed","text":%q}`, err.Error())
	}
	line = append(line, '\n')
	for len(line) > 0 {
		n, err := unix.Write(fdStatus, line)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		line = line[n:]
	}
}

// readSpec reads the one line that the parent sends. The rest of the pipe is
// the lifeline.
func readSpec(control *os.File) (spec, error) {
	var s spec
	line, err := bufio.NewReader(control).ReadBytes('\n')
	if err != nil {
		return s, fmt.Errorf("read the specification: %w", err)
	}
	return s, json.Unmarshal(line, &s)
}
