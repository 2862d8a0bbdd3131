// Package screentest drives a program in a terminal as a person does: it starts
// the program in a pseudo-terminal, mirrors what it draws into an emulator,
// waits for text and presses keys that are named by the keymap. Nothing in it
// sleeps: every wait ends when the screen changes, the program ends or the
// context does.
//
// It is used by story tests only.
package screentest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"charm.land/bubbles/v2/key"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"

	"portolan/tui/keymap"
)

// Terminal is a program in a terminal.
type Terminal struct {
	cmd  *exec.Cmd
	pty  *os.File
	emu  *vt.SafeEmulator
	done chan struct{} // closed when the program has ended

	drained chan struct{} // closed when all that it drew was read

	mu      sync.Mutex
	changed chan struct{} // closed and replaced on every change of the screen
	hidden  bool          // the cursor
	err     error         // how the program ended
	readers sync.WaitGroup
}

// Start runs cmd in a terminal of cols by rows. The program gets a process
// group and a session of its own; Close ends all of it.
func Start(cmd *exec.Cmd, cols, rows int) (*Terminal, error) {
	if cmd.Env == nil {
		cmd.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM=", "NO_COLOR=")
	}
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)})
	if err != nil {
		return nil, fmt.Errorf("start %s in a terminal: %w", cmd.Path, err)
	}
	t := &Terminal{cmd: cmd, pty: f, emu: vt.NewSafeEmulator(cols, rows), done: make(chan struct{}), drained: make(chan struct{}), changed: make(chan struct{})}
	t.emu.SetCallbacks(vt.Callbacks{CursorVisibility: func(shown bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.hidden = !shown
	}})
	t.readers.Go(t.read)
	t.readers.Go(t.reply)
	go t.wait()
	return t, nil
}

// read mirrors the program's output.
func (t *Terminal) read() {
	defer close(t.drained)
	buf := make([]byte, 32<<10)
	for {
		n, err := t.pty.Read(buf)
		if n > 0 {
			_, _ = t.emu.Write(buf[:n])
			t.wake()
		}
		if err != nil { // EIO: the program closed its side
			_ = t.emu.InputPipe().(io.Closer).Close() // ends reply
			return
		}
	}
}

// reply passes on what the emulator answers to queries: without a reader the
// emulator blocks on the first one.
func (t *Terminal) reply() {
	buf := make([]byte, 4096)
	for {
		n, err := t.emu.Read(buf)
		if err != nil {
			return
		}
		if _, err := t.pty.Write(buf[:n]); err != nil && !errors.Is(err, syscall.EIO) {
			return
		}
	}
}

func (t *Terminal) wait() {
	err := t.cmd.Wait()
	t.mu.Lock()
	t.err = err
	t.mu.Unlock()
	close(t.done)
	t.wake()
}

func (t *Terminal) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.changed)
	t.changed = make(chan struct{})
}

// Screen is what is shown, one line a row, without trailing blanks.
func (t *Terminal) Screen() string {
	// One call renders under the emulator's lock; cells read one by one would
	// be a mixture of two frames.
	rows := strings.Split(ansi.Strip(t.emu.Render()), "\n")
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " \r")
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

// AltScreen tells whether the program has the alternate screen.
func (t *Terminal) AltScreen() bool { return t.emu.IsAltScreen() }

// CursorShown tells whether the program shows the cursor.
func (t *Terminal) CursorShown() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.hidden
}

// Styled is the screen with its colours, as escape sequences.
func (t *Terminal) Styled() string { return t.emu.Render() }

// WaitText waits until the screen has the text.
func (t *Terminal) WaitText(ctx context.Context, text string) error {
	return t.Wait(ctx, fmt.Sprintf("%q", text), func(screen string) bool { return strings.Contains(screen, text) })
}

// WaitGone waits until the screen no longer has the text.
func (t *Terminal) WaitGone(ctx context.Context, text string) error {
	return t.Wait(ctx, fmt.Sprintf("%q to go", text), func(screen string) bool { return !strings.Contains(screen, text) })
}

// Wait waits until ok is true of the screen. The error shows the screen.
func (t *Terminal) Wait(ctx context.Context, what string, ok func(screen string) bool) error {
	for {
		t.mu.Lock()
		changed := t.changed
		t.mu.Unlock()
		screen := t.Screen()
		if ok(screen) {
			return nil
		}
		select {
		case <-changed:
			continue
		default:
		}
		select {
		case <-changed:
		case <-t.done:
			select { // what it drew last
			case <-t.drained:
			case <-ctx.Done():
			}
			if screen = t.Screen(); ok(screen) {
				return nil
			}
			return fmt.Errorf("the program ended (%s) while waiting for %s; the screen was:\n%s", t.ending(), what, screen)
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; the screen is:\n%s", what, ctx.Err(), screen)
		}
	}
}

func (t *Terminal) exit() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// ending is how the program ended, in words.
func (t *Terminal) ending() string {
	if err := t.exit(); err != nil {
		return err.Error()
	}
	return "exit status 0"
}

func (t *Terminal) ended() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// WaitExit waits for the program to end and returns its exit code; a program
// that a signal ended gives 128 and the signal's number, as shells do.
func (t *Terminal) WaitExit(ctx context.Context) (int, error) {
	ended := t.done
	if t.ended() {
		ended = t.drained
	}
	select {
	case <-ended:
		if ended == t.done { // what it drew last is still on its way
			return t.WaitExit(ctx)
		}
	case <-ctx.Done():
		return -1, fmt.Errorf("waiting for the program to end: %w; the screen is:\n%s", ctx.Err(), t.Screen())
	}
	if ws, ok := t.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return t.cmd.ProcessState.ExitCode(), nil
}

// Press presses keys as the keymap names them.
func (t *Terminal) Press(bindings ...key.Binding) error {
	for _, b := range bindings {
		if err := t.send(keymap.Bytes(b)); err != nil {
			return fmt.Errorf("press %s: %w", b.Help().Key, err)
		}
	}
	return nil
}

// Type types text.
func (t *Terminal) Type(text string) error {
	if err := t.send([]byte(text)); err != nil {
		return fmt.Errorf("type: %w", err)
	}
	return nil
}

// Paste pastes text as terminals with bracketed paste do.
func (t *Terminal) Paste(text string) error { return t.Type("\x1b[200~" + text + "\x1b[201~") }

func (t *Terminal) send(b []byte) error {
	_, err := t.pty.Write(b)
	return err
}

// Resize changes the size of the terminal.
func (t *Terminal) Resize(cols, rows int) error {
	t.emu.Resize(cols, rows)
	if err := pty.Setsize(t.pty, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)}); err != nil {
		return fmt.Errorf("resize to %dx%d: %w", cols, rows, err)
	}
	return nil
}

// Signal sends a signal to the program alone.
func (t *Terminal) Signal(s syscall.Signal) error { return t.cmd.Process.Signal(s) }

// Pid is the program's process.
func (t *Terminal) Pid() int { return t.cmd.Process.Pid }

// Fd is the terminal, for looking at its modes.
func (t *Terminal) Fd() uintptr { return t.pty.Fd() }

// patience is how long a program may take to end after SIGHUP.
const patience = 3 * time.Second

// Close ends the program: SIGHUP as a closed terminal sends it, then SIGKILL
// for the whole process group. It returns when nothing of it is left to read.
func (t *Terminal) Close() error {
	_ = syscall.Kill(-t.cmd.Process.Pid, syscall.SIGHUP)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.done:
	case <-timer.C:
	}
	_ = syscall.Kill(-t.cmd.Process.Pid, syscall.SIGKILL)
	<-t.done
	err := t.pty.Close()
	_ = t.emu.InputPipe().(io.Closer).Close()
	t.readers.Wait()
	return err
}
