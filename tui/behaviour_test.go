package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"portolan/tui/keymap"
	"portolan/tui/tuitest"
	"portolan/usb"
	"portolan/wizard"
)

func (r *rig) keys(bs ...key.Binding) *rig {
	for _, b := range bs {
		r.press(keymap.Press(b))
	}
	return r
}

// kinds lists the types of the intents sent since the last call.
func (r *rig) kinds() []string {
	var out []string
	for _, in := range r.sent {
		out = append(out, strings.TrimPrefix(fmt.Sprintf("%T", in), "wizard."))
	}
	r.sent = nil
	return out
}

func (r *rig) sees(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if s := r.screen(); !strings.Contains(s, text) {
			r.t.Fatalf("%q is not on the screen:\n%s", text, s)
		}
	}
}

func TestFormKeepsAnswersAndShowsWhatIsWrong(t *testing.T) {
	r := at(t, "describe")
	k := r.m.keys
	r.keys(k.NextField, k.NextField).typeText(" Bad Name")
	r.keys(k.Accept)
	r.sees("is no codename", "▸! Codename")
	r.keys(k.PrevField) // going back is not blocked by it
	r.sees("▸✓ Name", "is no codename")
	r.keys(k.Back)
	r.sees("Voyage", "enter answers describe")
	r.wait(time.Second)
	r.keys(k.Continue)
	r.sees("dinghy Bad Name", "is no codename")
	r.keys(k.AcceptAll)
	if got := r.kinds(); len(got) != 0 {
		t.Fatalf("answers that cannot be taken were sent: %v", got)
	}
	r.keys(k.Suggestion, k.AcceptAll)
	want := []string{"Answer"}
	in, _ := r.sent[0].(wizard.Answer)
	if d := cmp.Diff(want, r.kinds()); d != "" || in.ID != "describe-1" || in.Values["codename"] != "dinghy" || in.Values["encrypt"] != "true" {
		t.Fatalf("sent %+v: %s", in, d)
	}
	// Refused: the same questions again, with what was typed and the reason.
	r.events(wizard.Ask{ID: "describe-2", Step: wizard.StepDescribe, Title: "About the phone", Questions: tuitest.Questions(), Error: "codename: a port of that name is there"})
	r.sees("a port of that name is there")
}

func TestLettersInFormsAreNoShortcuts(t *testing.T) {
	r := at(t, "describe")
	k := r.m.keys
	r.keys(k.NextField, k.NextField, k.NextField) // a choice
	r.sees("▸✓ Architecture")
	r.typeText("bfrq.u17")
	r.msg(tea.PasteMsg{Content: "rebuild"})
	if got := r.kinds(); len(got) != 0 || r.m.room != Port {
		t.Fatalf("typing on a choice sent %v and went to %s", got, r.m.room)
	}
}

func TestFlashingNeedsTheCodename(t *testing.T) {
	r := at(t, "plan")
	k := r.m.keys
	r.keys(k.Accept, k.Accept, k.AcceptAll).typeText("dingh")
	r.keys(k.Accept)
	r.sees("that is not the port's codename", "PRACTICE0001", "userdata", "1.50 GiB", "sha256")
	if got := r.kinds(); slices.Contains(got, "Answer") {
		t.Fatal("flashing was confirmed without the codename")
	}
	r.typeText("y")
	r.keys(k.Accept)
	in, ok := r.sent[len(r.sent)-1].(wizard.Answer)
	if !ok || in.Values["confirm"] != "dinghy" {
		t.Fatalf("sent %+v", r.sent)
	}
}

func TestWhatOpensByItselfIsDeafAtFirst(t *testing.T) {
	r := demo(t)
	r.size(100, 30)
	r.events(wizard.StepStarted{Step: wizard.StepImage, At: r.now},
		wizard.Ask{ID: "a", Step: wizard.StepImage, Title: "The passphrase", Secret: true})
	r.typeText("x")
	r.wait(deaf - time.Millisecond)
	r.keys(r.m.keys.TakeSecret)
	if strings.Contains(r.screen(), "•") || strings.Contains(r.screen(), "empty passphrase") {
		t.Fatalf("keys meant for something else were taken:\n%s", r.screen())
	}
	r.wait(time.Millisecond)
	r.typeText("pässword")
	r.sees("••••••••")
	r.keys(r.m.keys.Back) // later
	if strings.Contains(r.screen(), "••") {
		t.Fatal("the prompt is still open")
	}
	r.keys(r.m.keys.Continue)
	r.sees("••••••••")
	r.keys(r.m.keys.TakeSecret)
	in, _ := r.sent[len(r.sent)-1].(wizard.Answer)
	if in.ID != "a" || string(in.Secret.Bytes()) != "pässword" || in.Values != nil {
		t.Fatalf("sent %+v", in)
	}
}

func TestCtrlCCancelsThenQuits(t *testing.T) {
	r := at(t, "build")
	r.sent = nil
	ctrlC := keymap.Press(r.m.keys.Cancel)
	r.press(ctrlC)
	if got := r.kinds(); !slices.Contains(got, "Cancel") {
		t.Fatalf("sent %v", got)
	}
	r.sees("cancelling build; ctrl+c again quits")
	r.wait(twice + time.Second)
	_, cmd := r.m.Update(ctrlC)
	if quits(cmd) {
		t.Fatal("a late second ctrl+c quits")
	}
	_, cmd = r.m.Update(ctrlC)
	if !quits(cmd) {
		t.Fatal("ctrl+c twice does not quit")
	}
}

// quits runs a command far enough to see whether it ends the program.
func quits(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	msg := cmd()
	switch msg := msg.(type) {
	case tea.QuitMsg:
		return true
	case tea.BatchMsg:
		return slices.ContainsFunc(msg, quits)
	}
	// tea.Sequence has no exported type: it is a slice of commands.
	return strings.Contains(fmt.Sprintf("%T", msg), "sequence")
}

func TestQuitAsksOnlyWhileAJobRuns(t *testing.T) {
	r := at(t, "build")
	k := r.m.keys
	r.wait(time.Second)
	r.keys(k.Quit) // up to home
	r.keys(k.Quit)
	r.sees("build is running", "cancel and quit")
	r.keys(k.Stay)
	if strings.Contains(r.screen(), "Quit?") {
		t.Fatal("the question is still open")
	}
	r.keys(k.Quit)
	if _, cmd := r.m.Update(keymap.Press(k.QuitNow)); !quits(cmd) {
		t.Fatal("y does not quit")
	}
	idle := at(t, "plugged")
	if _, cmd := idle.m.Update(keymap.Press(k.Quit)); !quits(cmd) {
		t.Fatal("q does not quit although nothing runs")
	}
}

func TestTheRoomFollowsTheVoyageUntilAPersonLeaves(t *testing.T) {
	r := at(t, "build")
	if r.m.room != Work {
		t.Fatalf("in %s during the build", r.m.room)
	}
	r.wait(time.Second)
	r.keys(r.m.keys.Port)
	r.keys(r.m.keys.Back) // home
	r.events(wizard.StepFinished{Step: wizard.StepBuild}, wizard.StepStarted{Step: wizard.StepFlash, At: r.now}, wizard.PlanReady{Plan: tuitest.Plan()})
	if r.m.room != Home {
		t.Fatalf("moved to %s although the person had left", r.m.room)
	}
	r.keys(r.m.keys.Follow)
	if r.m.room != Flash {
		t.Fatalf("v goes to %s", r.m.room)
	}
}

func TestConsoleGetsEveryKeyButOne(t *testing.T) {
	r := at(t, "console")
	r.sent = nil
	k := r.m.keys
	r.wait(time.Second)
	r.keys(k.Cancel, k.Quit, k.Help, k.Back, k.NextPane)
	var got []byte
	for _, in := range r.sent {
		if si, ok := in.(wizard.SessionInput); ok {
			got = append(got, si.Bytes...)
		}
	}
	if want := "\x03q?\x1b\t"; string(got) != want {
		t.Fatalf("the phone got %q, want %q", got, want)
	}
	r.keys(k.LeaveConsole)
	if r.m.room != Home {
		t.Fatalf("ctrl+] goes to %s", r.m.room)
	}
	r.size(90, 30)
	last := r.sent[len(r.sent)-1]
	if d := cmp.Diff(wizard.SessionResize{Session: "telnet", Cols: 86, Rows: 24}, last); d != "" {
		t.Error(d)
	}
}

// The phone asks what terminal this is; the answer goes back to it.
func TestTerminalQueriesAreAnswered(t *testing.T) {
	r := at(t, "console")
	r.sent = nil
	r.events(wizard.SessionData{Session: "telnet", Bytes: []byte("\x1b[6n")})
	in, ok := r.sent[0].(wizard.SessionInput)
	if !ok || !strings.HasPrefix(string(in.Bytes), "\x1b[") || !strings.HasSuffix(string(in.Bytes), "R") {
		t.Fatalf("sent %v", r.sent)
	}
}

func TestIntentsKeepTheirOrder(t *testing.T) {
	m := New(Config{Send: func(wizard.Intent) error { return nil }})
	m.send(wizard.SessionInput{Bytes: []byte("a")})
	first := m.flush()
	m.send(wizard.SessionInput{Bytes: []byte("b")}, wizard.SessionInput{Bytes: []byte("c")})
	if first == nil || m.flush() != nil {
		t.Fatal("a second command passes intents on while the first is under way")
	}
	if _, cmd := m.Update(first()); cmd == nil || len(m.out) != 0 {
		t.Fatal("what was queued meanwhile is not passed on")
	}
}

func TestRefusedIntentsAreShown(t *testing.T) {
	m := New(Config{Send: func(wizard.Intent) error { return errors.New("unplug the practice phone: this voyage has none") }})
	m.Update(tea.WindowSizeMsg{Width: 100, Height: 20})
	m.send(wizard.UnplugPractice{})
	m.Update(m.flush()())
	if s := strings.Join(m.lines(), "\n"); !strings.Contains(s, "this voyage has none") {
		t.Fatalf("the error is not shown:\n%s", s)
	}
}

func TestPermissionTroubleIsToldFromAbsence(t *testing.T) {
	r := demo(t)
	r.size(80, 24)
	r.sees("No phone on the cable", "plugs in the practice phone")
	r.events(wizard.DeviceChanged{Change: usb.Change{Kind: usb.Appeared, Device: tuitest.Locked()}})
	r.sees("no permission to open it", "a udev rule is missing")
}

func TestOneKeyCompilesAKernelAfterTheRehearsal(t *testing.T) {
	r := demo(t)
	r.size(120, 40)
	r.keys(r.m.keys.Compile) // nothing was rehearsed yet
	if len(r.sent) != 0 {
		t.Fatalf("sent %#v", r.sent)
	}
	r.events(wizard.PortChanged{Port: wizard.Snapshot{Values: map[string]wizard.Value{"kernel": {Text: "archive"}}}}, wizard.Report{Phone: tuitest.Phone()})
	r.m.enter(Report)
	r.wait(10 * time.Second) // the notice is gone
	r.events()
	r.sees("c compiles a kernel of your own and boots it on the same phone")
	r.keys(r.m.keys.Compile)
	want := []wizard.Intent{
		wizard.SetValue{ID: "kernel", Text: "source"},
		wizard.RunSteps{From: wizard.StepGenerate, To: wizard.StepAttach},
	}
	if diff := cmp.Diff(want, r.sent); diff != "" {
		t.Fatal(diff)
	}
	r.events(wizard.PortChanged{Port: wizard.Snapshot{Values: map[string]wizard.Value{"kernel": {Text: "source"}}}})
	if strings.Contains(strings.Join(r.m.lines(), "\n"), "compiles a kernel") {
		t.Error("it is offered although the port has one")
	}
}

func TestAnErrorSaysWhatWasTriedWhatHappenedAndWhatIsNext(t *testing.T) {
	r := demo(t)
	r.size(80, 24)
	err := &wizard.PhoneError{Tried: "flash userdata", Err: errors.New("the phone is no longer on the cable"), Next: "plug it in and flash again"}
	r.events(wizard.StepStarted{Step: wizard.StepFlash},
		wizard.LogLine{Step: wizard.StepFlash, Kind: wizard.LineError, Text: err.Error()},
		wizard.StepFailed{Step: wizard.StepFlash, Err: err, Text: err.Error(), Log: "/logs/flash.log"})
	r.sees("tried     flash userdata", "happened  the phone is no longer on the cable", "next      plug it in and flash again", "log       /logs/flash.log")
	if s := strings.Join(r.m.lines(), "\n"); strings.Contains(s, "first error") {
		t.Errorf("the same error is pinned as well:\n%s", s)
	}
}

func TestAPreviewNamesWhatIsMissing(t *testing.T) {
	calls := 0
	m := New(Config{Preview: func(map[string]string) ([]wizard.GeneratedFile, error) {
		calls++
		return nil, errors.New("Vendor is \"\"")
	}})
	m.Update(tea.WindowSizeMsg{Width: 120, Height: 40})
	m.Update(batch{events: []wizard.Event{wizard.Ask{ID: "1", Step: wizard.StepDescribe, Questions: []wizard.Question{{ID: "vendor", Title: "Vendor, as one word"}}}}})
	if s := strings.Join(m.lines(), "\n"); calls != 0 || !strings.Contains(s, "· Vendor, as one word") {
		t.Fatalf("%d calls:\n%s", calls, s)
	}
}

// A million lines must not choke the UI: they come in batches.
func TestDrainGathers(t *testing.T) {
	ch := make(chan wizard.Event, maxBatch)
	for range 3 * maxBatch / 4 {
		ch <- wizard.LogLine{Text: "x"}
	}
	batches := 0
	for left := 3 * maxBatch / 4; left > 0; batches++ { // a busy machine may cut one short
		b := drain(ch)().(batch)
		if left -= len(b.events); b.closed || left < 0 {
			t.Fatalf("a batch of %d with %d too many, closed %v", len(b.events), -left, b.closed)
		}
	}
	if batches > maxBatch/64 {
		t.Fatalf("%d lines came in %d batches", 3*maxBatch/4, batches)
	}
	ch <- wizard.LogLine{}
	ch <- wizard.Ask{ID: "now"}
	close(ch)
	if b := drain(ch)().(batch); len(b.events) != 2 {
		t.Fatalf("a batch of %d", len(b.events))
	}
	if b := drain(ch)().(batch); !b.closed {
		t.Fatal("the end is not told")
	}
}

func BenchmarkMillionLines(b *testing.B) {
	line := wizard.LogLine{Step: wizard.StepBuild, Text: "  CC      drivers/gpu/drm/msm/adreno/a6xx_gpu_state.o"}
	full := batch{}
	for range maxBatch {
		full.events = append(full.events, line)
	}
	for b.Loop() {
		m := New(Config{})
		m.width, m.height, m.room = 120, 40, Work
		var worst time.Duration
		for range 1_000_000 / maxBatch {
			began := time.Now()
			m.Update(full)
			m.View()
			worst = max(worst, time.Since(began))
		}
		b.ReportMetric(float64(worst.Microseconds())/1000, "ms/worst-frame")
	}
}

func BenchmarkFirstFrame(b *testing.B) {
	for b.Loop() {
		m := New(Config{Questions: tuitest.Questions()})
		m.Update(tea.WindowSizeMsg{Width: 120, Height: 40})
		m.View()
	}
}
