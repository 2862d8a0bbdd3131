package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"portolan/usb"
	"portolan/wizard"
)

// voyageEvents is a short voyage with everything that readers must tell.
func voyageEvents() []wizard.Event {
	phone := usb.Device{ID: "practice/PRACTICE0001", Manufacturer: "Portolan", Product: "Dinghy", Serial: "PRACTICE0001", Mode: usb.ModeFastboot, Practice: true}
	return []wizard.Event{
		wizard.StepStarted{Step: wizard.StepDetect},
		wizard.DeviceChanged{Change: usb.Change{Kind: usb.Appeared, Device: phone}},
		wizard.StepSkipped{Step: wizard.StepDescribe, Reason: "port.toml answers every question"},
		wizard.LogLine{Step: wizard.StepBuild, Text: "  CC      init/main.o"},
		wizard.LogLine{Step: wizard.StepBuild, Kind: wizard.LineWarning, Text: "odd\x1b[2J bell\a"},
		wizard.Progress{Step: wizard.StepBuild, What: "kernel objects", Done: 10, Total: 1100, Left: 90 * time.Second},
		wizard.Progress{Step: wizard.StepBuild, What: "kernel objects", Done: 11, Total: 1100, Left: 89 * time.Second},
		wizard.Progress{Step: wizard.StepBuild, What: "kernel objects", Done: 1100, Total: 1100},
		wizard.StepFailed{Step: wizard.StepFlash, Err: errors.New("x"), Text: "unplugged", Log: "flash.log"},
		wizard.Report{Phone: phone, Flashed: 4096, Uname: "Linux dinghy 6.1", Steps: []wizard.ReportStep{{Step: wizard.StepDetect, Took: time.Second, Done: "done"}}},
	}
}

func TestPlainPrintsOneLineAnEvent(t *testing.T) {
	var out bytes.Buffer
	p := newPlainReader(&out, false)
	p.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	for _, e := range voyageEvents() {
		p.Emit(e)
	}
	want := `03:04:05 detect   started
03:04:05 phone    appeared: Portolan Dinghy (practice), serial PRACTICE0001, fastboot
03:04:05 describe already done: port.toml answers every question
03:04:05 build    warning: odd[2J bell
03:04:05 build    kernel objects: 10 of 1100 (0 %), about 90.0 s left
03:04:05 build    kernel objects: 1100 of 1100 (100 %)
03:04:05 flash    failed after 0.0 s: unplugged
03:04:05 flash    the whole log is in flash.log

Report
  phone       Portolan Dinghy (practice), serial PRACTICE0001, fastboot
  flashed     4096 bytes
  step        detect      1.0 s  done
  uname -a    Linux dinghy 6.1
`
	if out.String() != want {
		t.Errorf("plain output:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestPlainVerbosePrintsOutput(t *testing.T) {
	var out bytes.Buffer
	p := newPlainReader(&out, true)
	p.Emit(wizard.LogLine{Step: wizard.StepBuild, Text: "  CC      init/main.o"})
	if !strings.Contains(out.String(), "CC      init/main.o") {
		t.Errorf("a line of output is missing from %q", out.String())
	}
}

func TestJSONPrintsOneObjectAnEvent(t *testing.T) {
	var out bytes.Buffer
	j := newJSONReader(&out)
	for _, e := range voyageEvents() {
		j.Emit(e)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(voyageEvents()) {
		t.Fatalf("%d lines for %d events", len(lines), len(voyageEvents()))
	}
	for i, l := range lines {
		var got struct {
			Event string
			Data  map[string]any
		}
		if err := json.Unmarshal([]byte(l), &got); err != nil || got.Event == "" || got.Data == nil {
			t.Errorf("line %d is not an event: %q (%v)", i, l, err)
		}
	}
}
