package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A panic in any goroutine, a fatal error of the runtime or a kill -9 leaves a
// terminal raw, and no deferred call can help. So while the TUI is open a
// second, tiny process holds the terminal's state and a pipe; when the pipe
// closes without a good-bye it puts the terminal right and keeps the crash
// report that the runtime wrote into the pipe.

const (
	monitorName = "portolan-terminal-monitor" // argv[0] of the monitor
	goodbye     = "\x00portolan: good-bye"
	// maxCrashReport bounds what is kept of a crash: all goroutines of a busy
	// TUI stay well below it.
	maxCrashReport = 4 << 20
	// restoreScreen leaves the alternate screen, shows the cursor, switches off
	// mouse reports, bracketed paste and the kitty keyboard, resets colours
	// (xterm's control sequences).
	restoreScreen = "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[0m\r\n"
)

// guardTerminal starts the monitor for the terminal on tty. The function that
// it returns says good-bye; the terminal is then the caller's to restore.
func guardTerminal(tty *os.File, reportDir string) (func(), error) {
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read the terminal's state: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make the crash monitor's pipe: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find Portolan's own program file: %w", err)
	}
	cmd := &exec.Cmd{
		Path:        self,
		Args:        []string{monitorName, reportDir},
		Stdin:       r,
		Stdout:      tty,
		Stderr:      tty,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}, // out of reach of ctrl+c
	}
	if err := cmd.Start(); err != nil {
		r.Close()
		w.Close()
		return nil, fmt.Errorf("start the crash monitor: %w", err)
	}
	r.Close()
	if err := binary.Write(w, binary.NativeEndian, state); err != nil {
		return nil, fmt.Errorf("tell the crash monitor the terminal's state: %w", err)
	}
	if err := debug.SetCrashOutput(w, debug.CrashOptions{}); err != nil {
		return nil, fmt.Errorf("send crash reports to the monitor: %w", err)
	}
	return func() {
		_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
		_, _ = w.WriteString(goodbye)
		_ = w.Close()
		_ = cmd.Wait()
	}, nil
}

// watchTerminal is the monitor's whole life. It returns at once in every other process.
func watchTerminal() {
	if len(os.Args) != 2 || os.Args[0] != monitorName {
		return
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTTOU, syscall.SIGPIPE)
	var state unix.Termios
	if err := binary.Read(os.Stdin, binary.NativeEndian, &state); err != nil {
		os.Exit(1)
	}
	report, _ := io.ReadAll(io.LimitReader(os.Stdin, maxCrashReport))
	if bytes.HasSuffix(report, []byte(goodbye)) {
		os.Exit(0)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = unix.IoctlSetTermios(int(os.Stdout.Fd()), unix.TCSETSF, &state)
	fmt.Print(restoreScreen)
	if len(report) == 0 {
		fmt.Print("portolan was killed; what was finished is kept, run the same command to go on\r\n")
		os.Exit(0)
	}
	path := filepath.Join(os.Args[1], "crash-"+time.Now().UTC().Format("20060102-150405")+".txt")
	err := os.MkdirAll(os.Args[1], 0o700)
	if err == nil {
		err = os.WriteFile(path, report, 0o600)
	}
	if err != nil {
		fmt.Printf("portolan crashed, and the report could not be kept: %v\r\n", err)
		os.Exit(1)
	}
	fmt.Printf("portolan crashed; this is a bug. The report is in %s\r\n", path)
	os.Exit(0)
}
