package tui

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"portolan/tui/keymap"
	"portolan/tui/tuitest"
	"portolan/usb"
	"portolan/wizard"
)

// rig is a UI without a terminal: messages go in, lines come out. Commands are
// run to their end, except clocks.
type rig struct {
	t    testing.TB
	m    *Model
	now  time.Time
	sent []wizard.Intent
}

func newRig(t testing.TB, cfg Config) *rig {
	r := &rig{t: t, now: tuitest.Start}
	cfg.Now = func() time.Time { return r.now }
	cfg.Send = func(in wizard.Intent) error { r.sent = append(r.sent, in); return nil }
	r.m = New(cfg)
	r.m.ticking, r.m.rousing = true, true // no clocks: tests move the time themselves
	return r
}

func demo(t testing.TB) *rig {
	return newRig(t, Config{Questions: tuitest.Questions(), Preview: tuitest.Preview, Version: "v1.2.3", LogPath: "~/.cache/portolan/logs/run.log"})
}

func (r *rig) msg(msg tea.Msg) {
	_, cmd := r.m.Update(msg)
	r.run(cmd)
}

// run executes what tests need of a command: batches, intents, previews,
// searches. Clocks are skipped: the rig moves the time.
func (r *rig) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	msg := cmd()
	if b, ok := msg.(tea.BatchMsg); ok {
		for _, c := range b {
			r.run(c)
		}
		return
	}
	switch msg.(type) {
	case sent, previewed, searchOn:
		r.msg(msg)
	}
}

func (r *rig) size(w, h int)             { r.msg(tea.WindowSizeMsg{Width: w, Height: h}) }
func (r *rig) events(es ...wizard.Event) { r.msg(batch{events: es}) }
func (r *rig) press(k tea.KeyPressMsg)   { r.msg(k) }
func (r *rig) wait(d time.Duration)      { r.now = r.now.Add(d) }
func (r *rig) screen() string {
	var out []string
	for _, l := range r.m.lines() {
		out = append(out, strings.TrimRight(ansi.Strip(l), " "))
	}
	return strings.Join(out, "\n")
}

func (r *rig) typeText(s string) {
	for _, c := range s {
		r.press(tea.KeyPressMsg{Code: c, Text: string(c)})
	}
}

// check asserts what every frame must keep: as many lines as the screen is
// high, each exactly as wide as the screen.
func (r *rig) check(what string) {
	r.t.Helper()
	lines := r.m.lines()
	if len(lines) != r.m.height {
		r.t.Fatalf("%s at %dx%d: %d lines", what, r.m.width, r.m.height, len(lines))
	}
	for i, l := range lines {
		if n := ansi.StringWidth(l); n != r.m.width {
			r.t.Fatalf("%s at %dx%d: line %d is %d wide: %q", what, r.m.width, r.m.height, i, n, ansi.Strip(l))
		}
	}
}

// at plays the voyage up to and with a scene, answering on the way.
func at(t testing.TB, scene string) *rig {
	r := demo(t)
	r.size(120, 40)
	for _, s := range tuitest.Voyage() {
		r.events(s.Events...)
		r.wait(time.Second)
		if s.Name == scene {
			r.m.now = r.now
			return r
		}
		if ask := r.m.st.Ask; ask != nil {
			r.m.st = r.m.st.Answered(ask.ID)
			r.m.secret, r.m.secretOpen, r.m.confirm, r.m.formAsk = nil, false, nil, ""
		}
	}
	t.Fatalf("no scene %q", scene)
	return nil
}

func scenes() []string {
	var out []string
	for _, s := range tuitest.Voyage() {
		out = append(out, s.Name)
	}
	return out
}

var sizes = [][2]int{{40, 12}, {60, 20}, {80, 24}, {120, 40}, {200, 60}}

// The goldens are every scene of the voyage at every size, without colours:
// what is on them is told without colours, too.
func TestGoldens(t *testing.T) {
	for _, scene := range scenes() {
		r := at(t, scene)
		for _, s := range sizes {
			t.Run(fmt.Sprintf("%s/%dx%d", scene, s[0], s[1]), func(t *testing.T) {
				r.t = t
				r.size(s[0], s[1])
				r.check(scene)
				golden.RequireEqual(t, r.screen()+"\n")
			})
		}
	}
	t.Run("failure", func(t *testing.T) {
		r := demo(t)
		r.size(100, 30)
		r.events(tuitest.Failure()...)
		r.check("failure")
		golden.RequireEqual(t, r.screen()+"\n")
	})
	t.Run("palette", func(t *testing.T) {
		r := at(t, "build")
		r.size(80, 24)
		r.press(keymap.Press(r.m.keys.Help))
		r.check("palette")
		golden.RequireEqual(t, r.screen()+"\n")
	})
}

// No scene breaks at any width; heights are sampled.
func TestSweep(t *testing.T) {
	for _, scene := range scenes() {
		r := at(t, scene)
		heights := []int{1, 9, 10, 11, 13, 16, 20, 24, 33, 48, 80}
		for w := 1; w <= 250; w++ {
			r.m.width, r.m.height = w, heights[w%len(heights)]
			r.m.focus = w / 2 % 2
			r.m.resizeConsole()
			r.check(scene)
		}
	}
}

// Texts of the outside world never break the screen: wide characters, escape
// sequences, control characters, very long words.
func TestHostileTexts(t *testing.T) {
	nasty := "\x1b[2J\x1b[31mred\x07\r\n\t日本語テキスト\u202eabc\u200b e\u0301 👩‍👩‍👧‍👦 " + strings.Repeat("x", 5000)
	r := demo(t)
	d := tuitest.Phone()
	d.Manufacturer, d.Product, d.Serial, d.Hint, d.Path = nasty, nasty, nasty, nasty, nasty
	plan := tuitest.Plan()
	plan.Device, plan.Actions[0].Command, plan.Actions[0].Image.Path, plan.Actions[0].Verb = d, nasty, nasty, nasty
	plan.Checks[0].Detail, plan.Checks[0].OK = nasty, false
	rep := tuitest.Report()
	rep.Phone, rep.Uname, rep.Next, rep.Packages[0].Name, rep.Packages[0].Path = d, nasty, nasty, nasty, nasty
	all := []wizard.Event{
		wizard.DeviceChanged{Change: usb.Change{Kind: usb.Appeared, Device: d}},
		wizard.StepStarted{Step: wizard.StepBuild, At: r.now},
		wizard.LogLine{Text: nasty}, wizard.LogLine{Text: nasty, Kind: wizard.LineError},
		wizard.Progress{Step: wizard.StepBuild, What: nasty, Done: 1 << 62, Total: -1},
		wizard.Waiting{Step: wizard.StepBuild, For: nasty, Sees: nasty, Hints: []string{nasty}, Since: r.now.Add(-time.Minute)},
		wizard.Ask{ID: "x", Step: wizard.StepBuild, Title: nasty, Error: nasty, Questions: []wizard.Question{
			{ID: "q", Title: nasty, Why: nasty, IfWrong: nasty, Section: nasty, Kind: wizard.KindText, Suggestion: wizard.Value{Text: nasty, Source: "boot image"}},
			{ID: "c", Title: nasty, Kind: wizard.KindChoice, Choices: []wizard.Choice{{Value: nasty, Help: nasty}}}}},
		wizard.Generated{Files: []wizard.GeneratedFile{{Path: nasty, State: "changed", Text: nasty, Diff: nasty, Reason: nasty}}},
		wizard.PlanReady{Plan: plan},
		wizard.SessionOpened{Session: "ssh", Title: nasty}, wizard.SessionData{Session: "ssh", Bytes: []byte(nasty)},
		wizard.TouchTarget{Index: -5, Count: 0, X: 99, Y: -99, Device: nasty}, wizard.TouchTapped{X: 1e300, Y: -1},
		wizard.TouchResult{Device: nasty, Name: nasty, Rule: nasty, Matrix: [6]float64{1e300}},
		wizard.StepFailed{Step: wizard.StepBuild, Text: nasty, Log: nasty}, rep,
	}
	for _, e := range all {
		r.events(e)
		for room := Home; room <= Report; room++ {
			r.m.room = room
			for _, s := range [][2]int{{40, 10}, {61, 17}, {80, 24}, {120, 30}, {250, 80}} {
				r.size(s[0], s[1])
				r.check(fmt.Sprintf("%T in %s", e, room))
				for _, l := range r.m.lines() {
					if strings.ContainsAny(ansi.Strip(l), "\x1b\r\n\t\a") || strings.Contains(l, "\x1b[2J") {
						t.Fatalf("%T in %s: a control character is on the screen: %q", e, room, l)
					}
				}
			}
		}
	}
}

// A monkey types, pastes, resizes, plugs and unplugs. Nothing panics and no
// frame overflows, and in the end ctrl+c twice still quits.
func TestMonkey(t *testing.T) {
	names := []string{"a", "b", "f", "r", "q", "y", "n", "w", "v", "g", "G", "/", "?", "+", "_", "%", "!", ".", "p", "u", "1", "2", "3", "4", "5", "6", "7", " "}
	codes := []rune{tea.KeyEnter, tea.KeyEscape, tea.KeyTab, tea.KeyUp, tea.KeyDown, tea.KeyLeft, tea.KeyRight, tea.KeyPgUp, tea.KeyPgDown, tea.KeyHome, tea.KeyEnd, tea.KeyBackspace, tea.KeyDelete, tea.KeyF1}
	ctrl := []rune("acdefklnoprtuwz]")
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 7))
		r := demo(t)
		r.size(80, 24)
		var all []wizard.Event
		for _, s := range tuitest.Voyage() {
			all = append(all, s.Events...)
		}
		all = append(all, tuitest.Failure()...)
		for range 250 {
			r.wait(time.Duration(rng.IntN(500)) * time.Millisecond)
			var msg tea.Msg
			switch rng.IntN(12) {
			case 0:
				msg = tea.WindowSizeMsg{Width: 1 + rng.IntN(250), Height: 1 + rng.IntN(80)}
			case 1:
				msg = tea.PasteMsg{Content: strings.Repeat("rm -rf x\n\x1b[2J日本", rng.IntN(20))}
			case 2, 3:
				i := rng.IntN(len(all))
				msg = batch{events: all[i:min(len(all), i+1+rng.IntN(20))]}
			case 4, 5:
				msg = tea.KeyPressMsg{Code: codes[rng.IntN(len(codes))]}
			case 6:
				msg = tea.KeyPressMsg{Code: ctrl[rng.IntN(len(ctrl))], Mod: tea.ModCtrl}
			case 7:
				msg = tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift}
			default:
				n := names[rng.IntN(len(names))]
				msg = tea.KeyPressMsg{Code: rune(n[0]), Text: n}
			}
			_, _ = r.m.Update(msg)
			r.m.sending = false
			r.m.prev.Busy = false
			r.check(fmt.Sprintf("seed %d after %T", seed, msg))
		}
	}
}
