package state

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portolan/usb"
	"portolan/wizard"
)

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// play folds events, one a second.
func play(s State, es ...wizard.Event) State {
	for i, e := range es {
		s = Reduce(s, e, start.Add(time.Duration(i)*time.Second))
	}
	return s
}

func device(id string, m usb.Mode) usb.Device {
	return usb.Device{ID: id, Product: id, Mode: m, Permission: usb.PermissionOK}
}

func seen(k usb.ChangeKind, d usb.Device) wizard.Event {
	return wizard.DeviceChanged{Change: usb.Change{Kind: k, Device: d}}
}

func TestSteps(t *testing.T) {
	s := play(New(nil),
		wizard.StepStarted{Step: wizard.StepBuild, At: start},
		wizard.Ask{ID: "build-1", Step: wizard.StepBuild},
		wizard.StepFailed{Step: wizard.StepBuild, Took: time.Minute, Text: "no space", Log: "build.log"})
	got := s.Step(wizard.StepBuild)
	if got.Status != Failed || got.Error != "no space" || got.Log != "build.log" || s.Ask != nil {
		t.Errorf("after a failure: %+v, ask %v", got, s.Ask)
	}
	s = play(s, wizard.StepStarted{Step: wizard.StepBuild, At: start}, wizard.StepFinished{Step: wizard.StepBuild, Took: 2 * time.Minute, Summary: "2 packages"})
	if got := s.Step(wizard.StepBuild); got.Status != Done || got.Error != "" || got.Summary != "2 packages" {
		t.Errorf("after success: %+v", got)
	}
	s = play(s, wizard.StepStarted{Step: wizard.StepImage, At: start}, wizard.StepFailed{Step: wizard.StepImage, Err: fmt.Errorf("image: %w", context.Canceled)})
	if got := s.Step(wizard.StepImage).Status; got != Cancelled {
		t.Errorf("a cancelled step is %s", got.Word())
	}
}

// The reducer never writes through what the old state shares with the new one.
func TestReduceIsPure(t *testing.T) {
	events := []wizard.Event{
		seen(usb.Appeared, device("a", usb.ModeFastboot)), seen(usb.Appeared, device("b", usb.ModeFastboot)),
		seen(usb.Changed, device("a", usb.ModeBooting)), seen(usb.Gone, device("b", "")),
		wizard.StepStarted{Step: wizard.StepFlash, At: start},
		wizard.Progress{Step: wizard.StepFlash, What: "bytes to boot", Done: 1, Total: 10},
		wizard.Progress{Step: wizard.StepFlash, What: "bytes to boot", Done: 9, Total: 10},
		wizard.TouchTarget{Index: 0, Count: 4}, wizard.TouchTapped{Index: 0}, wizard.TouchTarget{Index: 1, Count: 4}, wizard.TouchTapped{Index: 1},
		wizard.StepFinished{Step: wizard.StepFlash},
	}
	states := []State{New(nil)}
	var printed []string
	for i, e := range events {
		printed = append(printed, fmt.Sprintf("%+v", states[i]))
		states = append(states, Reduce(states[i], e, start))
		Reduce(states[i], wizard.TouchTapped{Index: 99}, start) // another future of the same past
		Reduce(states[i], seen(usb.Changed, device("a", usb.ModeOff)), start)
	}
	for i, want := range printed {
		if d := cmp.Diff(want, fmt.Sprintf("%+v", states[i])); d != "" {
			t.Fatalf("state %d was changed afterwards: %s", i, d)
		}
	}
}

func TestDevices(t *testing.T) {
	s := play(New(nil), seen(usb.Appeared, device("a", usb.ModeFastboot)))
	if d, ok := s.Phone(); !ok || d.ID != "a" {
		t.Error("the only phone is not the one to work with")
	}
	s = play(s, seen(usb.Appeared, device("b", usb.ModeFastboot)))
	if _, ok := s.Phone(); ok {
		t.Error("one of two phones was chosen without asking")
	}
	if d, _ := s.Select("b").Phone(); d.ID != "b" {
		t.Errorf("chose b, got %q", d.ID)
	}
	s = play(s, seen(usb.Changed, device("a", usb.ModeNetwork)), seen(usb.Gone, device("b", "")), seen(usb.Gone, device("c", "")))
	if d := cmp.Diff([]usb.Device{device("a", usb.ModeNetwork)}, s.Devices); d != "" {
		t.Error(d)
	}
}

func TestSpeed(t *testing.T) {
	s := play(New(nil),
		wizard.Progress{Step: wizard.StepFlash, What: "bytes to boot", Done: 10, Total: 100},
		wizard.Progress{Step: wizard.StepFlash, What: "bytes to boot", Done: 40, Total: 100},
		wizard.Progress{Step: wizard.StepFlash, What: "bytes to boot", Done: 70, Total: 100})
	m, ok := s.Measure(wizard.StepFlash)
	if !ok || m.PerSecond() != 30 {
		t.Errorf("%v bytes/s of %+v", m.PerSecond(), m)
	}
}

func TestJournalResumes(t *testing.T) {
	s := New([]wizard.Entry{
		{Step: wizard.StepDetect, State: "finished", At: start, Took: time.Second, Summary: "dinghy"},
		{Step: wizard.StepBuild, State: "failed", Error: "no space"},
		{Step: wizard.StepBuild, State: "finished", Took: time.Minute},
		{Step: wizard.StepFlash, State: "started", At: start},
		{Step: "unheard-of", State: "finished"},
	})
	if a, b, c := s.Step(wizard.StepDetect).Status, s.Step(wizard.StepBuild).Status, s.Step(wizard.StepFlash).Status; a != Done || b != Done || c != Cancelled {
		t.Errorf("detect %s, build %s, flash %s", a.Word(), b.Word(), c.Word())
	}
	if next := s.Next(); next.Action != StartAll || next.Text != "continues at flash, which was stopped" {
		t.Errorf("next: %+v", next)
	}
}

func TestNext(t *testing.T) {
	denied := device("a", usb.ModeFastboot)
	denied.Permission, denied.Hint = usb.PermissionDenied, "run portolan doctor"
	var done []wizard.Event
	for _, id := range wizard.StepIDs {
		done = append(done, wizard.StepSkipped{Step: id, Reason: "unchanged"})
	}
	for _, tt := range []struct {
		name   string
		events []wizard.Event
		want   Action
	}{
		{"nothing plugged in", nil, Plug},
		{"not allowed", []wizard.Event{seen(usb.Appeared, denied)}, Nothing},
		{"two phones", []wizard.Event{seen(usb.Appeared, device("a", usb.ModeFastboot)), seen(usb.Appeared, device("b", usb.ModeFastboot))}, Nothing},
		{"ready", []wizard.Event{seen(usb.Appeared, device("a", usb.ModeFastboot))}, StartAll},
		{"running", []wizard.Event{wizard.StepStarted{Step: wizard.StepBuild}}, Look},
		{"asked", []wizard.Event{wizard.StepStarted{Step: wizard.StepImage}, wizard.Ask{ID: "x", Step: wizard.StepImage}}, Answer},
		{"failed", []wizard.Event{wizard.StepStarted{Step: wizard.StepBuild}, wizard.StepFailed{Step: wizard.StepBuild, Text: "x"}}, StartAll},
		{"all done", done, StartAll},
		{"reported", append(done, wizard.Report{}), ShowReport},
	} {
		if got := play(New(nil), tt.events...).Next(); got.Action != tt.want || got.Text == "" {
			t.Errorf("%s: %+v, want action %d", tt.name, got, tt.want)
		}
	}
}
