package practice

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"portolan/usb"
)

// alive says whether a process runs; one that ended and was not yet waited for
// has no command line.
func alive(pid int) bool { return len(cmdline(pid)) > 1 }

func waitGone(t *testing.T, what string, pid int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for alive(pid) {
		if time.Now().After(deadline) {
			t.Fatalf("%s, process %d, still runs", what, pid)
		}
		time.Sleep(5 * time.Millisecond) // it is nobody's child here: nothing to wait on
	}
}

// booted is a phone with its stock kernel running.
func booted(t *testing.T, s Settings) Status {
	t.Helper()
	st := started(t, s)
	if err := Power(t.Context(), st.StateDir, true); err != nil {
		t.Fatal(err)
	}
	st = until(t, st.StateDir, "a machine", func(st Status) bool { return st.QEMU != 0 })
	serial(t, st, StockMessage, 1)
	if !alive(st.PID) || !alive(st.QEMU) {
		t.Fatalf("not running: %+v", st)
	}
	return st
}

func TestStopLeavesNothing(t *testing.T) {
	st := booted(t, Settings{})
	for range 2 { // the second time there is nothing to stop
		if err := Stop(t.Context(), st.StateDir); err != nil {
			t.Fatal(err)
		}
		if alive(st.PID) || alive(st.QEMU) {
			t.Fatal("a process outlived Stop")
		}
	}
	if _, err := GetStatus(t.Context(), st.StateDir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("status after Stop: %v", err)
	}
	if err := Stop(t.Context(), filepath.Join(t.TempDir(), "never")); err != nil {
		t.Errorf("stopping a phone that never was: %v", err)
	}
}

func TestKilledPhoneTakesItsMachineAlong(t *testing.T) {
	st := booted(t, Settings{})
	syscall.Kill(st.PID, syscall.SIGKILL)
	waitGone(t, "the machine of a killed phone", st.QEMU)
	if err := Stop(t.Context(), st.StateDir); err != nil {
		t.Fatal(err)
	}
	// The state is free again, with a stale socket or without.
	again := started(t, Settings{StateDir: st.StateDir})
	if again.Device.Mode != usb.ModeFastboot {
		t.Errorf("started again: %+v", again)
	}
}

func TestKilledMachineIsSeen(t *testing.T) {
	st := booted(t, Settings{})
	syscall.Kill(st.QEMU, syscall.SIGKILL)
	now := until(t, st.StateDir, "the crash", inMode(usb.ModeBootFailed))
	if !strings.Contains(now.Device.Hint, "QEMU ended by itself") {
		t.Errorf("hint: %s", now.Device.Hint)
	}
	syscall.Kill(st.PID, syscall.SIGKILL)
	waitGone(t, "the phone", st.PID)
}

// TestStopFindsWhatLostItsParent runs a process that looks like a machine of
// this state folder and belongs to nobody, as after a crash of everything.
func TestStopFindsWhatLostItsParent(t *testing.T) {
	dir := t.TempDir()
	stray := exec.Command("sh", "-c", "read line", "-name", "guest="+marker(dir))
	in, err := stray.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sh", "-c", "read line", "-name", "guest="+marker(dir)+"0")
	otherIn, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*exec.Cmd{stray, other} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := Stop(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	var status *exec.ExitError
	if err := stray.Wait(); !errors.As(err, &status) || status.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the stray process ended with %v", err)
	}
	if !alive(other.Process.Pid) {
		t.Error("a process of another state folder was killed")
	}
	in.Close()
	otherIn.Close()
	other.Wait()
}

func TestLifeline(t *testing.T) {
	need(t, "mkbootimg", "mkbootimg")
	need(t, "qemu-system-aarch64", "qemu-system-arm")
	dir := t.TempDir()
	starter := exec.Command(os.Args[0], holdArg, dir)
	out, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Stop(context.Background(), dir) })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := Power(t.Context(), dir, true); err != nil {
		t.Fatal(err)
	}
	st := until(t, dir, "a machine", func(st Status) bool { return st.QEMU != 0 })
	starter.Process.Kill()
	starter.Wait()
	waitGone(t, "the phone of a killed starter", pid)
	waitGone(t, "its machine", st.QEMU)
}

func TestInUse(t *testing.T) {
	st := started(t, Settings{})
	command := StartOptions{Command: []string{os.Args[0], serveArg}}
	var inUse *InUseError
	_, err := Start(t.Context(), Settings{StateDir: st.StateDir}, command)
	if !errors.As(err, &inUse) || inUse.PID != st.PID || !strings.Contains(err.Error(), st.StateDir) {
		t.Errorf("a second phone on one state folder: %v", err)
	}
	_, err = Start(t.Context(), Settings{StateDir: t.TempDir(), Port: st.Port}, command)
	if !errors.As(err, &inUse) || inUse.PID != st.PID || !strings.Contains(err.Error(), strconv.Itoa(st.Port)) {
		t.Errorf("a second phone on one port: %v", err)
	}
	if _, err := GetStatus(t.Context(), st.StateDir); err != nil {
		t.Errorf("the first phone after that: %v", err)
	}
}

func TestStartFailureIsTold(t *testing.T) {
	_, err := Start(t.Context(), Settings{StateDir: t.TempDir()}, StartOptions{Command: []string{"sh", "-c", "echo no phone here >&2; exit 1"}})
	if err == nil || !strings.Contains(err.Error(), "no phone here") {
		t.Errorf("a command that is no phone: %v", err)
	}
	_, err = Start(t.Context(), Settings{StateDir: t.TempDir(), Mount: Mount{Rotate: 45}}, StartOptions{Command: []string{"false"}})
	if err == nil || !strings.Contains(err.Error(), "45 degrees") {
		t.Errorf("a touchscreen at 45 degrees: %v", err)
	}
}

// TestLongStatePath uses a folder whose socket path would not fit.
func TestLongStatePath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120), "comma, space")
	st := booted(t, Settings{StateDir: dir})
	if err := Power(t.Context(), st.StateDir, false); err != nil {
		t.Fatal(err)
	}
	until(t, dir, "off", inMode(usb.ModeOff))
}

func TestScreenshotAndTap(t *testing.T) {
	st := booted(t, Settings{})
	png, err := Screenshot(t.Context(), st.StateDir)
	if err != nil || !strings.HasPrefix(string(png), "\x89PNG\r\n\x1a\n") {
		t.Errorf("screenshot: %d bytes, %v", len(png), err)
	}
	if err := Tap(t.Context(), st.StateDir, 0.5, 0.5); err != nil {
		t.Errorf("tap: %v", err)
	}
	if err := Tap(t.Context(), st.StateDir, 1.5, 0.5); err == nil {
		t.Error("a tap beside the screen was taken")
	}
	h, err := Source{StateDir: st.StateDir}.Open(t.Context(), st.Device.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Fastboot(t.Context()); !errors.Is(err, usb.ErrWrongMode) {
		t.Errorf("fastboot while a kernel runs: %v", err)
	}
	if _, err := h.Lease(t.Context()); !errors.Is(err, usb.ErrWrongMode) {
		t.Errorf("a lease of a kernel without network: %v", err)
	}
	if err := ToBootloader(t.Context(), st.StateDir); err != nil {
		t.Fatal(err)
	}
	if _, err := Screenshot(t.Context(), st.StateDir); !errors.Is(err, usb.ErrWrongMode) || !strings.Contains(err.Error(), "FASTBOOT MODE") {
		t.Errorf("screenshot of the bootloader: %v", err)
	}
}

func TestSource(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state") // not there yet
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	changes := make(chan usb.Change)
	ended := make(chan error)
	go func() {
		ended <- Source{StateDir: dir}.Run(ctx, func(c usb.Change) {
			select {
			case changes <- c:
			case <-ctx.Done():
			}
		})
	}()
	expect := func(kind usb.ChangeKind, mode usb.Mode) {
		t.Helper()
		select {
		case c := <-changes:
			if c.Kind != kind || c.Device.Mode != mode || !c.Device.Practice || c.Device.ID != "practice/PRACTICE0001" {
				t.Errorf("expected %s in %s, got %+v", kind, mode, c)
			}
		case err := <-ended:
			t.Fatalf("the source ended: %v", err)
		}
	}
	st := started(t, Settings{StateDir: dir})
	expect(usb.Appeared, usb.ModeFastboot)
	if err := Power(ctx, dir, true); err != nil {
		t.Fatal(err)
	}
	expect(usb.Changed, usb.ModeBooting)
	if err := Plug(ctx, dir, false); err != nil {
		t.Fatal(err)
	}
	expect(usb.Gone, usb.ModeBooting)
	if err := Plug(ctx, dir, true); err != nil {
		t.Fatal(err)
	}
	expect(usb.Appeared, usb.ModeBooting)
	if err := Power(ctx, dir, false); err != nil {
		t.Fatal(err)
	}
	expect(usb.Changed, usb.ModeOff)
	if err := Stop(ctx, st.StateDir); err != nil {
		t.Fatal(err)
	}
	expect(usb.Gone, usb.ModeOff)
	started(t, Settings{StateDir: dir})
	expect(usb.Appeared, usb.ModeFastboot)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the source ended with %v", err)
	}
}

// TestControlNonsense sends what no client of ours would.
func TestControlNonsense(t *testing.T) {
	st := started(t, Settings{})
	for _, text := range []string{"nonsense\n", "{\"do\":\"fly\"}\n", strings.Repeat("x", 1<<16), ""} {
		var conn *net.UnixConn
		conn, err := dialControl(t.Context(), st.StateDir)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(text)) // the phone may hang up in the middle
		conn.CloseWrite()
		line, _ := bufio.NewReader(conn).ReadString('\n')
		conn.Close()
		if strings.HasSuffix(text, "\n") && !strings.Contains(line, `"error"`) {
			t.Errorf("%.20q was answered %q", text, line)
		}
	}
	if _, err := GetStatus(t.Context(), st.StateDir); err != nil {
		t.Errorf("after nonsense: %v", err)
	}
}
