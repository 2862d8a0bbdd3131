package chroot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// pid1 sets up the root, runs the command, reaps, and returns its exit status.
func pid1() int {
	for _, fd := range []int{fdControl, fdStatus} {
		unix.CloseOnExec(fd)
	}
	_ = unix.CloseRange(fdStatus+1, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	control := os.NewFile(fdControl, "control")
	s, err := readSpec(control)
	if err != nil {
		return 125 // the parent is gone
	}
	go func() {
		// Nothing more is ever sent: the read ends when the parent does.
		_, _ = io.Copy(io.Discard, control)
		syscall.Exit(137)
	}()
	r := runSpec(s)
	sendReport(r)
	return 0
}

func runSpec(s spec) report {
	var scratch *os.Root
	if s.Scratch != "" {
		root, err := os.OpenRoot(s.Scratch)
		if err != nil {
			return failed(fmt.Errorf("open the throw-away folder: %w", err))
		}
		scratch = root
	}
	if s.Upper != "" {
		if err := freshWork(s.Upper); err != nil {
			return failed(err)
		}
	}
	if s.Builtin != "" && s.Mnt == "" {
		return runBuiltin(s)
	}
	steps, err := plan(s)
	if err != nil {
		return failed(err)
	}
	if s.Hostname != "" {
		if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
			return failed(fmt.Errorf("set the host name: %w", err))
		}
	}
	if !s.Network {
		_ = loopbackUp() // best effort: nothing but a test server would miss it
	}
	m := &mounter{spec: s}
	if err := m.run(steps); err != nil {
		return failed(err)
	}
	var r report
	if s.Builtin != "" {
		sendReport(report{Event: "ready"})
		r = runBuiltin(s)
	} else {
		r = runCommand(s.Command)
	}
	killRest()
	m.tidy()
	if scratch != nil {
		// The overlay still holds the upper, which does not keep it from being emptied.
		for _, name := range []string{"root", "work"} {
			if err := scratch.RemoveAll(name); err != nil && r.Event == "exit" && r.Code == 0 {
				r.Result = "throw-away folder not emptied: " + err.Error()
			}
		}
	}
	return r
}

// freshWork empties overlayfs's own folder: it holds the mark of an earlier
// volatile mount, which would be refused.
func freshWork(upper string) error {
	root, err := os.OpenRoot(upper)
	if err != nil {
		return fmt.Errorf("open the upper folder: %w", err)
	}
	defer root.Close()
	if err := root.RemoveAll("work"); err != nil {
		return fmt.Errorf("empty overlayfs's work folder: %w", err)
	}
	return root.Mkdir("work", 0o755)
}

func failed(err error) report {
	r := report{Event: "failed", Text: err.Error()}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		r.Errno = int(errno)
	}
	return r
}

// runCommand starts c and reaps everything until c is done.
func runCommand(c command) report {
	if len(c.Argv) == 0 {
		return failed(errors.New("no command"))
	}
	who, err := lookupUser(c.User)
	if err != nil {
		return failed(err)
	}
	env := who.environ(c.Env)
	dir := c.Dir
	if dir == "" {
		dir = "/"
	}
	file, err := lookPath(c.Argv[0], env)
	if err != nil {
		return failed(err)
	}
	attr := &syscall.ProcAttr{
		Dir:   dir,
		Env:   env,
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: c.TTY, Ctty: 0},
	}
	if who.uid != 0 || who.gid != 0 {
		attr.Sys.Credential = &syscall.Credential{Uid: who.uid, Gid: who.gid, Groups: who.groups}
	}
	sendReport(report{Event: "ready"})
	pid, err := syscall.ForkExec(file, c.Argv, attr)
	if err != nil {
		return failed(execError(file, dir, err))
	}
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return failed(fmt.Errorf("wait for %s: %w", c.Argv[0], err))
		case got == pid && ws.Exited():
			return report{Event: "exit", Code: ws.ExitStatus()}
		case got == pid && ws.Signaled():
			return report{Event: "exit", Code: 128 + int(ws.Signal()), Signal: int(ws.Signal())}
		}
	}
}

// execError says more than the kernel's few words.
func execError(file, dir string, err error) error {
	if info, e := os.Stat(dir); e != nil || !info.IsDir() {
		return fmt.Errorf("run %s: there is no folder %s in the chroot: %w", file, dir, err)
	}
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("run %s: made for another architecture, and no interpreter is registered for it (install qemu-user-static, see portolan doctor): %w", file, err)
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("run %s: its interpreter or loader is missing in the chroot: %w", file, err)
	}
	return fmt.Errorf("run %s: %w", file, err)
}

// lookPath finds argv[0] as execvp would, with the PATH of env.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	var dirs string
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			dirs = v
		}
	}
	for _, d := range filepath.SplitList(dirs) {
		file := filepath.Join(d, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("run %s: no such program in the chroot (PATH %s): %w", name, dirs, syscall.ENOENT)
}

// killRest ends what the command left running, so that nothing writes to the
// root any more.
func killRest() {
	_ = syscall.Kill(-1, syscall.SIGKILL)
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil && err != syscall.EINTR {
			return
		}
	}
}

// loopbackUp sets IFF_UP on lo.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}
