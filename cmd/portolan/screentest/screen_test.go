package screentest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"portolan/tui"
	"portolan/tui/keymap"
	"portolan/tui/tuitest"
	"portolan/wizard"
)

// The test binary plays the program: with this variable set it shows the
// scripted voyage instead of running tests.
const play = "PORTOLAN_SCREENTEST_PLAY"

func TestMain(m *testing.M) {
	if os.Getenv(play) == "" {
		os.Exit(m.Run())
	}
	events, intents := make(chan wizard.Event, 4096), make(chan wizard.Intent, 256)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tuitest.Play(ctx, tuitest.Voyage(), events, intents)
	}()
	err := tui.Run(ctx, tui.Config{
		Events: events, Send: func(in wizard.Intent) error { intents <- in; return nil },
		Questions: tuitest.Questions(), Preview: tuitest.Preview,
	})
	stop()
	<-done
	if err != nil {
		fmt.Println(err)
		os.Exit(130)
	}
}

func start(t *testing.T, cols, rows int) (*Terminal, context.Context) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), play+"=1", "TERM=xterm-256color")
	screen, err := Start(cmd, cols, rows)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return screen, ctx
}

// story is a sequence of things that a person sees and does.
type story struct {
	t      *testing.T
	screen *Terminal
	ctx    context.Context
}

func (s story) sees(texts ...string) story {
	s.t.Helper()
	for _, text := range texts {
		if err := s.screen.WaitText(s.ctx, text); err != nil {
			s.t.Fatal(err)
		}
	}
	return s
}

func (s story) does(err error) story {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return s
}

func TestTheWholeVoyage(t *testing.T) {
	keys := keymap.Default()
	screen, ctx := start(t, 120, 40)
	s := story{t, screen, ctx}
	s.sees("starts the voyage with Portolan Dinghy").does(screen.Press(keys.Continue))
	s.sees("About the phone", "from fastboot", `deviceinfo_codename="portolan-dinghy"`, keymap.Short(keys.AcceptAll))
	s.does(screen.Press(keys.NextField, keys.NextField)).does(screen.Type("2"))
	s.sees(`deviceinfo_codename="portolan-dinghy2"`, "your answer")
	s.does(screen.Press(keys.AcceptAll)).sees("CC      mm/", keymap.Short(keys.TakeSecret))
	s.does(screen.Type("geheim")).sees("••••••").does(screen.Press(keys.TakeSecret))
	s.sees("Type the codename", "userdata", "31.0 MiB", keymap.Short(keys.Accept))
	s.does(screen.Press(keys.Accept)).sees("an answer is needed") // never a bare enter
	s.does(screen.Type("dinghy")).does(screen.Press(keys.Accept))
	s.sees("Enter passphrase for /dev/vdb:", keymap.Short(keys.LeaveConsole)).does(screen.Type("geheim")).sees("/dev/vdb: ••••••")
	if strings.Contains(screen.Screen(), "geheim") {
		t.Fatal("the passphrase is on the screen")
	}
	s.does(screen.Type("\r")).sees("user@dinghy:~$").does(screen.Type("exit\r"))
	s.sees("Land in sight", keymap.Short(keys.Follow))
	s.does(screen.Press(keys.Touch)).sees("rotated 90°", "residual").does(screen.Press(keys.Report)).sees("Land in sight")
	s.does(screen.Resize(60, 20)).sees("Land in sight").does(screen.Resize(39, 9)).sees("q quits")
	s.does(screen.Press(keys.Quit))
	if code, err := screen.WaitExit(ctx); code != 0 || err != nil {
		t.Fatalf("exit %d, %v", code, err)
	}
	if screen.AltScreen() {
		t.Error("the alternate screen was left on")
	}
}

func TestSignalsRestoreTheTerminal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		screen, ctx := start(t, 80, 24)
		before := story{t, screen, ctx}.sees("starts the voyage")
		before.does(screen.Signal(sig))
		code, err := screen.WaitExit(ctx)
		if err != nil || code == 1 || code == 2 {
			t.Errorf("%v: exit %d, %v", sig, code, err)
		}
		if screen.AltScreen() {
			t.Errorf("%v: the alternate screen was left on", sig)
		}
	}
}

func TestPaletteRunsAndCtrlCTwiceQuits(t *testing.T) {
	screen, ctx := start(t, 80, 24)
	s := story{t, screen, ctx}
	s.sees("starts the voyage")
	keys := keymap.Default()
	s.does(screen.Press(keys.Help)).sees("Keys in Home").does(screen.Type("/prac")).sees("/prac")
	s.does(screen.WaitGone(ctx, "one level up"))
	s.does(screen.Press(keys.Accept)).sees("cable is being pulled")
	s.does(screen.Press(keys.Cancel)).sees("again quits").does(screen.Press(keys.Cancel))
	if code, err := screen.WaitExit(ctx); code != 0 || err != nil {
		t.Fatalf("exit %d, %v", code, err)
	}
}

func TestWaitShowsTheScreen(t *testing.T) {
	screen, err := Start(exec.Command("sh", "-c", "printf 'hello\\033[c'; read x"), 40, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := screen.WaitText(ctx, "hello"); err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithCancel(ctx)
	stop()
	if err := screen.WaitText(short, "absent"); err == nil || !strings.Contains(err.Error(), "hello") {
		t.Fatalf("the error does not show the screen: %v", err)
	}
	pid := screen.Pid()
	if err := screen.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Fatalf("the program is still there: %v", err)
	}
}
