package practice

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Descriptors that Start gives to the phone's process.
const (
	readyFD    = 3
	lifelineFD = 4
)

// logName is where the phone's process writes, in the state folder.
const logName = "phone.log"

// StartOptions say how the phone's process is made.
type StartOptions struct {
	// Command runs Serve: this program and its hidden arguments. The settings
	// are appended as one argument, for ParseSettings.
	Command []string
	// Lifeline lets the phone end with this process, however that ends.
	// Without it the phone goes on until it is stopped.
	Lifeline bool
}

// Running is a phone that Start made.
type Running struct {
	Status   Status // when it was ready
	lifeline *os.File
	ended    chan struct{}
	dir      string
}

// Start runs the phone as a process of its own and returns once it answers.
// ctx bounds only the starting. A phone that is there already is *InUseError.
func Start(ctx context.Context, s Settings, opts StartOptions) (*Running, error) {
	if len(opts.Command) == 0 {
		return nil, errors.New("starting the practice phone: no command that would run it")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.Ready, s.Lifeline = true, opts.Lifeline
	settings, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	logFile, err := os.OpenFile(filepath.Join(s.StateDir, logName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting the practice phone: %w", err)
	}
	defer logFile.Close()
	ready, readyTheirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	defer readyTheirs.Close()

	cmd := exec.Command(opts.Command[0], append(opts.Command[1:len(opts.Command):len(opts.Command)], string(settings))...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.ExtraFiles = []*os.File{readyTheirs}
	run := &Running{ended: make(chan struct{}), dir: s.StateDir}
	if opts.Lifeline {
		theirs, ours, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer theirs.Close()
		run.lifeline = ours
		cmd.ExtraFiles = append(cmd.ExtraFiles, theirs)
	}
	from, _ := logFile.Seek(0, 2)
	if err := cmd.Start(); err != nil {
		run.lifeline.Close()
		return nil, fmt.Errorf("starting the practice phone: %w", err)
	}
	go func() { // ends with the phone; reaps it if this process lives longer
		_ = cmd.Wait()
		close(run.ended)
	}()
	readyTheirs.Close()

	stop := context.AfterFunc(ctx, func() { ready.Close() })
	line, err := readLine(bufio.NewReader(ready), maxLine)
	stop()
	var r report
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("starting the practice phone: %w", context.Cause(ctx))
	case err != nil || json.Unmarshal(line, &r) != nil:
		err = fmt.Errorf("the practice phone ended while starting; its log %s ends with: %s", logFile.Name(), logTail(logFile.Name(), from))
	default:
		err = r.err()
	}
	if err != nil {
		_ = cmd.Process.Kill()
		<-run.ended
		run.lifeline.Close()
		return nil, err
	}
	run.Status = *r.Status
	return run, nil
}

// Close ends a phone that was started with Lifeline, and waits for its end;
// any other is left running.
func (r *Running) Close() error {
	if r.lifeline == nil {
		return nil
	}
	return errors.Join(Stop(context.Background(), r.dir), r.lifeline.Close())
}

// Ended is closed when the phone's process has ended.
func (r *Running) Ended() <-chan struct{} { return r.ended }

// report is the line a starting phone writes to its starter.
type report struct {
	Error   string        `json:"error,omitempty"`
	InUse   *InUseError   `json:"in_use,omitempty"`
	Missing *MissingError `json:"missing,omitempty"`
	Status  *Status       `json:"status,omitempty"`
}

func (r report) err() error {
	switch {
	case r.InUse != nil:
		return r.InUse
	case r.Missing != nil:
		return r.Missing
	case r.Error != "":
		return fmt.Errorf("starting the practice phone: %s", r.Error)
	case r.Status == nil:
		return errors.New("starting the practice phone: it did not say how it is")
	}
	return nil
}

// inherited is what a phone's process got from Start; empty in a process that
// calls Serve by itself.
type inherited struct {
	ready, lifeline *os.File
}

func inherit(s Settings) inherited {
	open := func(fd int, name string) *os.File {
		syscall.CloseOnExec(fd)
		return os.NewFile(uintptr(fd), name)
	}
	var in inherited
	if s.Ready {
		in.ready = open(readyFD, "ready")
	}
	if s.Lifeline {
		in.lifeline = open(lifelineFD, "lifeline")
	}
	return in
}

// report tells the starter once how starting went.
func (in *inherited) report(st Status, err error) {
	if in.ready == nil {
		return
	}
	r := report{Status: &st}
	if err != nil {
		r = report{Error: err.Error()}
		errors.As(err, &r.InUse)
		errors.As(err, &r.Missing)
	}
	if line, err := json.Marshal(r); err == nil {
		_, _ = in.ready.Write(append(line, '\n')) // a starter that is gone needs no answer
	}
	in.ready.Close()
	in.ready = nil
}

// follow calls end when the starter has ended.
func (in *inherited) follow(end func()) {
	if in.lifeline == nil {
		return
	}
	go func() { // lives as long as the process
		var b [1]byte
		_, _ = in.lifeline.Read(b[:])
		end()
	}()
}

// logTail is what was logged from an offset on, the last few lines of it.
func logTail(path string, from int64) string {
	raw, err := os.ReadFile(path)
	if err != nil || int64(len(raw)) <= from {
		return "(nothing)"
	}
	lines := strings.Split(strings.TrimSpace(string(raw[from:])), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
