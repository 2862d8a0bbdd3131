package chroot

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// files are the three standard streams of a helper.
type files struct {
	in       io.Reader
	out, err io.Writer
}

// start runs s in a new helper and waits for it to end. When ctx ends, the
// helper and all its children are killed.
//
// A *SetupError means that the command was not started.
func (e *Engine) start(ctx context.Context, s spec, f files) (report, error) {
	if err := ctx.Err(); err != nil {
		return report{}, err
	}
	s.UserNS = e.mode != ModeRootNoUserNS
	controlR, controlW, err := os.Pipe()
	if err != nil {
		return report{}, fmt.Errorf("start pid 1: %w", err)
	}
	defer controlW.Close()
	statusR, statusW, err := os.Pipe()
	if err != nil {
		controlR.Close()
		return report{}, fmt.Errorf("start pid 1: %w", err)
	}
	defer statusR.Close()

	stage := stageWait
	flags := uintptr(syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS)
	if s.UserNS {
		flags |= syscall.CLONE_NEWUSER
	} else {
		stage = stageRun
	}
	if !s.Network {
		flags |= syscall.CLONE_NEWNET
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{helperName, stage, s.Name}
	cmd.Env = []string{} // nothing of the host's environment goes in
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f.in, f.out, f.err
	cmd.ExtraFiles = []*os.File{controlR, statusW} // fdControl, fdStatus
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Setsid: true}
	cmd.WaitDelay = 500 * time.Millisecond // for a Stdin that does not end
	err = cmd.Start()
	controlR.Close()
	statusW.Close()
	if err != nil {
		if err := ctx.Err(); err != nil {
			return report{}, err
		}
		return report{}, &SetupError{Chroot: s.Name, Err: &NamespaceError{Err: fmt.Errorf("create namespaces: %w", err)}}
	}
	reports := make(chan report, 1)
	go func() { reports <- readReports(statusR) }()

	if err := e.feed(ctx, cmd.Process.Pid, s, controlW); err != nil {
		stopped := context.Cause(ctx)
		cancel()
		_ = cmd.Wait()
		if r := <-reports; r.Event == "failed" {
			err = errors.New(r.Text)
		}
		if stopped != nil {
			return report{}, stopped
		}
		return report{}, &SetupError{Chroot: s.Name, Err: err}
	}
	waitErr := cmd.Wait()
	r := <-reports
	switch {
	case ctx.Err() != nil:
		return r, context.Cause(ctx)
	case r.Event == "failed":
		return r, &SetupError{Chroot: s.Name, Err: r.failure()}
	case r.Event != "exit":
		return r, &SetupError{Chroot: s.Name, Err: fmt.Errorf("pid 1 ended without a word (%s)", cmd.ProcessState)}
	case waitErr != nil && !errors.Is(waitErr, exec.ErrWaitDelay):
		var exit *exec.ExitError
		if !errors.As(waitErr, &exit) { // copying of a stream failed
			return r, fmt.Errorf("chroot %s: %w", s.Name, waitErr)
		}
	}
	return r, nil
}

// feed maps the ids, lets the helper go and hands it the spec.
func (e *Engine) feed(ctx context.Context, pid int, s spec, control io.Writer) error {
	if s.UserNS {
		if err := e.ids.write(ctx, pid); err != nil {
			return err
		}
		if _, err := control.Write([]byte{'g'}); err != nil {
			return fmt.Errorf("talk to pid 1: %w", err)
		}
	}
	line, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write the specification: %w", err)
	}
	if _, err := control.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("talk to pid 1: %w", err)
	}
	return nil
}

// readReports returns the last report before the pipe closes.
func readReports(r io.Reader) report {
	var last report
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var next report
		if json.Unmarshal(lines.Bytes(), &next) == nil {
			last = next
		}
	}
	return last
}

func (r report) failure() error {
	if r.Errno != 0 {
		return &reportedError{text: r.Text, errno: syscall.Errno(r.Errno)}
	}
	return errors.New(r.Text)
}

// reportedError carries an errno of pid 1 across the pipe.
type reportedError struct {
	text  string
	errno syscall.Errno
}

func (e *reportedError) Error() string { return e.text }
func (e *reportedError) Unwrap() error { return e.errno }

// NamespaceError says that this host gives no namespaces. It hides the error
// number: where the limit of user namespaces is reached, that is ENOSPC, which
// elsewhere means a full disk.
type NamespaceError struct{ Err error }

func (e *NamespaceError) Error() string { return e.Err.Error() }

// ExitCode is that of a host that lacks something.
func (*NamespaceError) ExitCode() int { return 3 }

// SetupError says that a chroot could not be made ready for a command.
type SetupError struct {
	Chroot string
	Err    error
}

func (e *SetupError) Error() string {
	return fmt.Sprintf("chroot %s could not be started: %v", e.Chroot, e.Err)
}
func (e *SetupError) Unwrap() error { return e.Err }
