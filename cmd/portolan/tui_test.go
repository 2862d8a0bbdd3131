package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"charm.land/bubbles/v2/key"
	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"portolan/cmd/portolan/screentest"
	"portolan/tui/keymap"
	"portolan/wizard"
)

var keys = keymap.Default()

// deck is the UI of the real program in a terminal, and who sits there.
type deck struct {
	t      *testing.T
	ctx    context.Context
	screen *screentest.Terminal
	fresh  unix.Termios // the terminal as it was before
}

// quietRig has folders of its own and needs nothing of the host.
func quietRig(t *testing.T) *rig {
	t.Helper()
	adopt(t)
	dir := t.TempDir()
	return &rig{t: t, port: filepath.Join(dir, "port"), work: filepath.Join(dir, "work"), config: filepath.Join(dir, "config")}
}

// patience is for a voyage; nothing else that the UI does needs more than a minute
// on the busiest machine.
func (r *rig) patience() time.Duration {
	if r.work == testWork {
		return patience
	}
	return time.Minute
}

// open starts the UI. env is added to the environment.
func (r *rig) open(cols, rows int, env []string, args ...string) *deck {
	r.t.Helper()
	ctx, stop := context.WithTimeout(r.t.Context(), r.patience())
	r.t.Cleanup(stop)
	cmd := exec.Command(program, append([]string{"--port", r.port, "--work", r.work}, args...)...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+r.config, "TERM=xterm-256color", "COLORTERM=", "NO_COLOR=", "ACCESSIBLE=")
	cmd.Env = append(cmd.Env, env...)
	d := &deck{t: r.t, ctx: ctx, fresh: freshTerminal(r.t)}
	mine.Lock() // nobody looks for orphans until this one is known
	screen, err := screentest.Start(cmd, cols, rows)
	if err == nil {
		mine.pids = append(mine.pids, screen.Pid())
	}
	mine.Unlock()
	check(r.t, err)
	d.screen = screen
	r.t.Cleanup(func() { screen.Close() })
	return d
}

// freshTerminal is the state of a terminal that nobody has touched.
func freshTerminal(t *testing.T) unix.Termios {
	t.Helper()
	master, slave, err := pty.Open()
	check(t, err)
	defer master.Close()
	defer slave.Close()
	state, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	check(t, err)
	return *state
}

func (d *deck) sees(texts ...string) *deck {
	d.t.Helper()
	for _, text := range texts {
		check(d.t, d.screen.WaitText(d.ctx, text))
	}
	return d
}

func (d *deck) gone(text string) *deck {
	d.t.Helper()
	check(d.t, d.screen.WaitGone(d.ctx, text))
	return d
}

func (d *deck) press(bindings ...key.Binding) *deck {
	d.t.Helper()
	check(d.t, d.screen.Press(bindings...))
	return d
}

func (d *deck) types(text string) *deck {
	d.t.Helper()
	check(d.t, d.screen.Type(text))
	return d
}

// listens waits until keys are named: what opens by itself is deaf for a moment.
func (d *deck) listens(b key.Binding) *deck { d.t.Helper(); return d.sees(keymap.Short(b)) }

// ends waits for the end and checks that the terminal is as it was.
func (d *deck) ends(want int) {
	d.t.Helper()
	code, err := d.screen.WaitExit(d.ctx)
	check(d.t, err)
	if code != want {
		d.t.Errorf("exit code %d, want %d; the screen:\n%s", code, want, d.screen.Screen())
	}
	if d.screen.AltScreen() {
		d.t.Error("the alternate screen was left on")
	}
	if !d.screen.CursorShown() {
		d.t.Error("the cursor was left hidden")
	}
	state, err := unix.IoctlGetTermios(int(d.screen.Fd()), unix.TCGETS)
	check(d.t, err)
	if *state != d.fresh {
		d.t.Errorf("the terminal's modes are %+v; before they were %+v", *state, d.fresh)
	}
}

// misfit tells what is broken in a screen, or "".
func misfit(screen string, cols, rows int) string {
	lines := strings.Split(screen, "\n")
	if len(lines) != rows {
		return fmt.Sprintf("%d lines", len(lines))
	}
	inside := false
	for i, l := range lines {
		w := ansi.StringWidth(l)
		if w > cols {
			return fmt.Sprintf("line %d is %d wide", i+1, w)
		}
		if cols < 80 { // no frames there
			continue
		}
		first, last := firstRune(l), lastRune(l)
		switch {
		case first == '╭':
			inside = true
		case first == '╰':
			inside = false
		}
		framed := inside || first == '╰'
		if framed && (w != cols || !strings.ContainsRune("╭│╰", first) || !strings.ContainsRune("╮│╯", last)) {
			return fmt.Sprintf("line %d has a broken frame: %q", i+1, l)
		}
	}
	if inside {
		return "a frame is not closed"
	}
	if !strings.Contains(lines[rows-1], "? help") {
		return fmt.Sprintf("the last line is %q", lines[rows-1])
	}
	return ""
}

func firstRune(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}

func lastRune(s string) rune {
	r := []rune(s)
	if len(r) == 0 {
		return 0
	}
	return r[len(r)-1]
}

func (d *deck) fits(cols, rows int) *deck {
	d.t.Helper()
	err := d.screen.Wait(d.ctx, fmt.Sprintf("a whole screen of %dx%d", cols, rows), func(s string) bool { return misfit(s, cols, rows) == "" })
	if err != nil {
		d.t.Fatalf("%s: %v", misfit(d.screen.Screen(), cols, rows), err)
	}
	return d
}

var sizes = [][2]int{{40, 12}, {80, 24}, {120, 40}, {200, 60}, {250, 80}}

func TestTUIFirstScreenFitsEverySize(t *testing.T) {
	for _, s := range sizes {
		r := quietRig(t)
		d := r.open(s[0], s[1], nil)
		d.sees("Voyage", "plugs in the practice phone").fits(s[0], s[1])
		d.press(keys.Quit).ends(0)
		r.leavesNothing()
	}
}

func TestTUIResizesInEveryRoom(t *testing.T) {
	r := quietRig(t)
	d := r.open(80, 24, nil)
	d.sees("Voyage")
	for _, room := range []struct {
		b    key.Binding
		sees string
	}{
		{keys.Home, "detect"}, {keys.Work, "Log"}, {keys.Flash, "No plan yet."}, {keys.Console, "No session with the phone"},
		{keys.Touch, "not lined up"}, {keys.Report, "No report yet."},
	} {
		d.press(room.b)
		for i := range sizes {
			for _, s := range [][2]int{sizes[i], sizes[len(sizes)-1-i]} { // by small steps and by big ones
				check(t, d.screen.Resize(s[0], s[1]))
				d.sees(room.sees).fits(s[0], s[1])
			}
		}
	}
	check(t, d.screen.Resize(39, 9))
	d.sees("q quits").press(keys.Quit).ends(0)
}

func TestTUIFormKeepsAnswersAndBlocksNobody(t *testing.T) {
	r := quietRig(t)
	d := r.open(120, 40, nil)
	d.sees("Voyage").press(keys.Port).sees("▸  Manufacturer", "answers to")
	d.types("Fairphone").press(keys.Accept).sees("Fairphone", "your answer", "▸  Name of the phone")
	d.types("Fairphone 2").press(keys.Accept, keys.NextField, keys.NextField).sees("▸  Year of release")
	d.types("12").press(keys.Accept).sees("a number from 1978 to 9998")
	d.press(keys.PrevField).sees("▸  Codename").press(keys.NextField).sees("▸! Year of release")
	d.press(keys.Back).sees("Phones").press(keys.Port).sees("▸! Year of release", "Fairphone 2") // nothing is lost by leaving
	d.types("\x7f\x7f2015").press(keys.Accept).gone("a number from 1978")
	check(t, d.screen.Paste("FP2\nq")) // a paste never fires shortcuts
	d.press(keys.AcceptAll).sees("an answer is needed")
	d.press(keys.Back).sees("Phones").press(keys.Quit).ends(0)
	data, err := os.ReadFile(filepath.Join(r.port, "port.toml"))
	check(t, err)
	says(t, string(data), `^manufacturer = "Fairphone"`, `^name = "Fairphone 2"`, `^year = 2015`)

	again := r.open(120, 40, nil)
	again.sees("Fairphone 2").press(keys.Port).sees("2015", "your answer").press(keys.Back).sees("Phones").press(keys.Quit).ends(0)
}

func TestTUIPaletteFiltersAndRuns(t *testing.T) {
	r := quietRig(t)
	d := r.open(80, 24, nil)
	d.sees("Voyage").press(keys.Help).sees("Keys in Home", "run the last thing again")
	d.types("/report").gone("run the last thing again").press(keys.Accept).sees("No report yet.")
	d.press(keys.Help).sees("Keys in Report").gone("work with this phone") // only what does something here
	d.press(keys.Back).gone("Keys in Report").press(keys.Back).sees("Phones")
	d.press(keys.Port).sees("Manufacturer").types("?").sees("1 of").types("\x1bOP").sees("Keys in Port") // ? is a letter there, f1 is not
	d.press(keys.Back).gone("Keys in Port").press(keys.Cancel).sees("again quits").press(keys.Cancel).ends(0)
}

func TestTUICtrlCTwiceQuitsFromEveryRoom(t *testing.T) {
	for _, room := range []key.Binding{keys.Home, keys.Port, keys.Work, keys.Flash, keys.Console, keys.Touch, keys.Report} {
		r := quietRig(t)
		d := r.open(80, 24, nil)
		d.sees("Voyage").press(room, keys.Cancel).sees("ctrl+c again quits").press(keys.Cancel).ends(0)
		r.leavesNothing()
	}
}

func TestTUISignalsEndItInOrder(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		r := quietRig(t)
		d := r.open(80, 24, nil)
		d.sees("Voyage")
		check(t, d.screen.Signal(sig))
		d.ends(wizard.ExitInterrupted)
		r.leavesNothing()
	}
}

// phoneRig has a practice phone in folders of its own.
func phoneRig(t *testing.T) *rig {
	t.Helper()
	if _, err := exec.LookPath("qemu-system-aarch64"); err != nil {
		t.Skip("SKIP: the practice phone needs qemu-system-aarch64; install the package qemu-system-arm")
	}
	return quietRig(t)
}

func TestTUIKilledLeavesASaneTerminalAndNoProcess(t *testing.T) {
	r := phoneRig(t)
	d := r.open(120, 40, nil, "--practice")
	d.sees("Portolan Dinghy (practice)", "starts the voyage").press(keys.Continue).sees("What phone is it?")
	check(t, d.screen.Signal(syscall.SIGKILL))
	d.ends(128 + int(syscall.SIGKILL))
	d.sees("portolan was killed; what was finished is kept")
	r.leavesNothing()
	r.journal()
}

func TestTUICrashIsReportedAndTheTerminalSane(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT} { // Go's runtime crashes on both
		r := phoneRig(t)
		d := r.open(120, 40, nil, "--practice")
		d.sees("Portolan Dinghy (practice)", "starts the voyage").press(keys.Continue).sees("What phone is it?").types("not in the report")
		check(t, d.screen.Signal(sig))
		d.ends(2)
		d.sees("portolan crashed; this is a bug")
		reports, err := filepath.Glob(filepath.Join(r.work, "logs", "crash-*.txt"))
		check(t, err)
		if len(reports) != 1 {
			t.Fatalf("crash reports: %v", reports)
		}
		data, err := os.ReadFile(reports[0])
		check(t, err)
		says(t, string(data), `^goroutine \d+`, `tui\.Run`)
		info, err := os.Stat(reports[0])
		check(t, err)
		if info.Mode().Perm() != 0o600 || strings.Contains(string(data), "not in the report") {
			t.Errorf("the report is open to others (%v) or holds what was typed", info.Mode())
		}
		r.leavesNothing()
	}
}

func TestTUIWithoutColours(t *testing.T) {
	colour := regexp.MustCompile(`\x1b\[[0-9;:]*\b(3[0-8]|4[0-8]|9[0-7]|10[0-7])\b[0-9;:]*m`)
	r := phoneRig(t)
	d := r.open(80, 24, nil, "--practice")
	d.sees("starts the voyage")
	if !colour.MatchString(d.screen.Styled()) {
		t.Fatal("there are no colours to leave out")
	}
	d.press(keys.Quit).ends(0)
	d = r.open(80, 24, []string{"NO_COLOR=1"}, "--practice")
	d.sees("starts the voyage").fits(80, 24)
	if m := colour.FindString(d.screen.Styled()); m != "" {
		t.Errorf("NO_COLOR is set and there is %q", m)
	}
	d.press(keys.Quit).ends(0)
}

func TestTUIIsNotDrawnOnADumbTerminal(t *testing.T) {
	for _, env := range []string{"TERM=dumb", "TERM=", "ACCESSIBLE=1"} {
		r := quietRig(t)
		d := r.open(80, 80, []string{env})
		d.ends(0)
		if s := d.screen.Screen(); !strings.Contains(s, "Usage:") || strings.ContainsAny(s, "╭│") {
			t.Errorf("%s: the screen is:\n%s", env, s)
		}
	}
}
