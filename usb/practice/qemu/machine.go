package qemu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"portolan/usb/practice/ether"
	"portolan/usb/practice/qmp"
)

// End is why a machine stopped.
type End struct {
	Reason Reason
	Detail string // with Crashed: what QEMU said last
}

// Reason is one of the following.
type Reason string

// Reasons for a machine's end.
const (
	Reset    Reason = "reset"    // the guest asked for a reboot
	Shutdown Reason = "shutdown" // the guest switched itself off
	Killed   Reason = "killed"   // by Stop
	Crashed  Reason = "crashed"  // QEMU ended by itself
)

// Machine is one running QEMU.
type Machine struct {
	Wire *ether.Wire

	dir  string
	mon  *qmp.Client
	proc *os.Process
	log  *tail
	done chan struct{}
	end  End // once done is closed

	mu     sync.Mutex
	reason Reason     // what QEMU announced before it ended
	shot   sync.Mutex // there is one file for photographs
	finger sync.Mutex // and one finger
	dialMu sync.Mutex // one way in at a time
}

// startWait bounds how long QEMU may take to answer at first.
const startWait = 20 * time.Second

// Start runs a machine. It ends with Stop, by the guest's own doing, or with
// this process: QEMU is killed by the kernel when the thread that started it
// ends, and that thread is kept for this alone.
func Start(ctx context.Context, s Spec) (*Machine, error) {
	monOurs, monTheirs, err := socketPair("monitor")
	if err != nil {
		return nil, err
	}
	defer monTheirs.Close()
	wireOurs, wireTheirs, err := socketPair("wire")
	if err != nil {
		monOurs.Close()
		return nil, err
	}
	defer wireTheirs.Close()

	m := &Machine{dir: s.Dir, log: &tail{}, done: make(chan struct{})}
	args := Args(s)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = m.log, m.log
	cmd.ExtraFiles = []*os.File{monTheirs, wireTheirs} // from descriptor 3 on
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go m.keep(cmd, started)
	if err := <-started; err != nil {
		monOurs.Close()
		wireOurs.Close()
		return nil, fmt.Errorf("starting %s: %w", Program, err)
	}
	m.Wire = ether.NewWire(wireOurs)
	if err := m.greet(ctx, monOurs, s.LinkDown); err != nil {
		monOurs.Close()
		m.Stop()
		return nil, fmt.Errorf("starting %s: %w%s", Program, err, m.log.said())
	}
	return m, nil
}

// keep starts QEMU from a thread that lives as long as QEMU does.
func (m *Machine) keep(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	err := cmd.Start()
	if err == nil {
		m.proc = cmd.Process
	}
	started <- err
	if err != nil {
		return
	}
	err = cmd.Wait()
	m.mu.Lock()
	m.end = End{Reason: m.reason}
	if m.reason == "" {
		m.end = End{Reason: Crashed, Detail: fmt.Sprintf("%v%s", err, m.log.said())}
	}
	m.mu.Unlock()
	close(m.done)
}

// greet connects the monitor, sets the cable as it is and lets the guest run.
func (m *Machine) greet(ctx context.Context, conn net.Conn, linkDown bool) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	go func() { // a QEMU that ends at once answers nothing
		select {
		case <-m.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	mon, err := qmp.New(ctx, conn, m.event)
	if err != nil {
		return err
	}
	m.mon = mon
	if linkDown {
		if err := m.SetLink(ctx, false); err != nil {
			return err
		}
	}
	_, err = mon.Execute(ctx, "cont", nil)
	return err
}

func (m *Machine) event(e qmp.Event) {
	if e.Name != "SHUTDOWN" {
		return
	}
	var data struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.reason != "":
	case data.Reason == "guest-reset":
		m.reason = Reset
	case data.Reason == "guest-shutdown":
		m.reason = Shutdown
	}
}

// PID of the QEMU process.
func (m *Machine) PID() int { return m.proc.Pid }

// Done is closed when QEMU has ended.
func (m *Machine) Done() <-chan struct{} { return m.done }

// End tells why, once Done is closed.
func (m *Machine) End() End {
	<-m.done
	return m.end
}

// Stop kills QEMU and waits for its end. It may be called more than once.
func (m *Machine) Stop() {
	m.mu.Lock()
	if m.reason == "" {
		m.reason = Killed
	}
	m.mu.Unlock()
	if err := m.proc.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_, _ = m.log.Write([]byte(err.Error()))
	}
	<-m.done
	if m.mon != nil {
		m.mon.Close()
	}
	m.Wire.Close()
}

// SetLink puts the network cable in or pulls it out.
func (m *Machine) SetLink(ctx context.Context, up bool) error {
	_, err := m.mon.Execute(ctx, "set_link", map[string]any{"name": nicID, "up": up})
	return err
}

// axisMax is the range of QEMU's absolute axes, 0 to 32767 (qapi/ui.json).
const axisMax = 32767

// Touch presses the panel at raw coordinates, fractions of its size, for the
// given time.
func (m *Machine) Touch(ctx context.Context, x, y float64, hold time.Duration) error {
	axis := func(name string, v float64) map[string]any {
		n := int(min(max(v, 0), 1)*axisMax + 0.5)
		return map[string]any{"type": "abs", "data": map[string]any{"axis": name, "value": n}}
	}
	button := func(down bool) map[string]any {
		return map[string]any{"type": "btn", "data": map[string]any{"button": "left", "down": down}}
	}
	send := func(events ...map[string]any) error {
		_, err := m.mon.Execute(ctx, "input-send-event", map[string]any{"events": events})
		return err
	}
	m.finger.Lock()
	defer m.finger.Unlock()
	if err := send(axis("x", x), axis("y", y), button(true)); err != nil {
		return err
	}
	select { // a finger rests a moment; it is lifted in any case
	case <-time.After(hold):
	case <-ctx.Done():
	}
	_, err := m.mon.Execute(context.WithoutCancel(ctx), "input-send-event",
		map[string]any{"events": []map[string]any{button(false)}})
	return err
}

// Screenshot photographs the screen as a PNG file.
func (m *Machine) Screenshot(ctx context.Context) ([]byte, error) {
	m.shot.Lock()
	defer m.shot.Unlock()
	path := filepath.Join(m.dir, screenFile)
	defer os.Remove(path)
	if _, err := m.mon.Execute(ctx, "screendump", map[string]string{"filename": screenFile, "format": "png"}); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// socketPair makes a connection between us and QEMU that has no name.
func socketPair(name string) (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("a socket pair for QEMU's %s: %w", name, err)
	}
	theirs := os.NewFile(uintptr(fds[1]), name)
	ours := os.NewFile(uintptr(fds[0]), name)
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("a socket pair for QEMU's %s: %w", name, err)
	}
	return conn, theirs, nil
}

// tail keeps the end of what QEMU prints.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailMax = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if over := t.buf.Len() - tailMax; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tail) said() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(t.buf.String())
	if text == "" {
		return ""
	}
	return "; it said: " + text
}
