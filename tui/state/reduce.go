package state

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"portolan/usb"
	"portolan/wizard"
)

// maxTaps bounds the list of raw taps that is kept.
const maxTaps = 200

// Reduce folds one event into the state. at is when the event was read; it is
// used where the event does not say when it happened.
func Reduce(s State, e wizard.Event, at time.Time) State {
	switch e := e.(type) {
	case wizard.StepStarted:
		s = s.begin(e, at)
	case wizard.StepSkipped:
		s = s.end(e.Step, func(step *Step) {
			step.Status, step.Summary, step.Error = Done, e.Reason, ""
			if !e.Done.IsZero() {
				step.Done = e.Done
			}
		})
	case wizard.StepFinished:
		s = s.end(e.Step, func(step *Step) {
			step.Status, step.Took, step.Done = Done, e.Took, at
			step.Summary, step.Error = e.Summary, ""
		})
	case wizard.StepFailed:
		s = s.end(e.Step, func(step *Step) {
			step.Status, step.Took, step.Log = Failed, e.Took, e.Log
			step.Error = e.Text
			if step.Error == "" && e.Err != nil {
				step.Error = e.Err.Error()
			}
			step.Trouble = trouble(e.Err, step.Error)
			if errors.Is(e.Err, context.Canceled) {
				step.Status = Cancelled
			}
		})
	case wizard.LogLine:
		s = s.doing(e)
	case wizard.Progress:
		s.Measures = measure(s.Measures, e, at)
		if s.Waiting != nil && s.Waiting.Step == e.Step {
			s.Waiting = nil
		}
	case wizard.Waiting:
		if e.Since.IsZero() {
			e.Since = at
		}
		s.Waiting = &e
	case wizard.DeviceChanged:
		s.Devices = devices(s.Devices, e.Change)
	case wizard.PortChanged:
		s.Port = e.Port
	case wizard.Ask:
		s.Ask, s.Waiting = &e, nil
	case wizard.PlanReady:
		s.Plan = &e.Plan
	case wizard.Generated:
		s.Files = e.Files
	case wizard.SessionOpened:
		s.Session = Session{Name: e.Session, Title: e.Title, Open: true}
		s.Waiting = nil
	case wizard.SessionClosed:
		if s.Session.Name == e.Session {
			s.Session.Open, s.Session.Reason = false, e.Reason
		}
	case wizard.TouchTarget:
		s.Touch.Target, s.Touch.Result = &e, nil
		if e.Index == 0 {
			s.Touch.Targets, s.Touch.Taps = nil, nil
		}
		s.Touch.Targets = append(slices.Clip(s.Touch.Targets), e)
		if n := len(s.Touch.Targets); n > maxTaps {
			s.Touch.Targets = s.Touch.Targets[n-maxTaps:]
		}
		s.Waiting = nil
	case wizard.TouchTapped:
		s.Touch.Taps = append(slices.Clip(s.Touch.Taps), e)
		if n := len(s.Touch.Taps); n > maxTaps {
			s.Touch.Taps = s.Touch.Taps[n-maxTaps:]
		}
	case wizard.TouchResult:
		s.Touch.Result, s.Touch.Target = &e, nil
	case wizard.Report:
		s.Report = &e
	}
	return s
}

// Answered forgets the question once an answer to it was sent.
func (s State) Answered(id string) State {
	if s.Ask != nil && s.Ask.ID == id {
		s.Ask = nil
	}
	return s
}

// Select chooses the phone to work with.
func (s State) Select(id string) State {
	s.Selected = id
	return s
}

func (s State) begin(e wizard.StepStarted, at time.Time) State {
	i := s.index(e.Step)
	if i < 0 {
		return s
	}
	if e.At.IsZero() {
		e.At = at
	}
	s.Steps = slices.Clone(s.Steps)
	s.Steps[i].Status, s.Steps[i].Started = Running, e.At
	s.Steps[i].Error, s.Steps[i].Trouble, s.Steps[i].Log, s.Steps[i].Doing = "", Trouble{}, "", ""
	s.Measures = slices.DeleteFunc(slices.Clone(s.Measures), func(m Measure) bool { return m.Step == e.Step })
	s.Waiting = nil
	switch e.Step {
	case wizard.StepDetect, wizard.StepDescribe: // a new voyage: the old report would mislead
		s.Report = nil
	case wizard.StepFlash:
		s.Plan, s.Report = nil, nil
	case wizard.StepTouch:
		s.Touch = Touch{}
	}
	return s
}

// doing keeps the note in which the running step says what it does. How a
// command ended is a note too, but says nothing of what comes.
func (s State) doing(l wizard.LogLine) State {
	i := s.index(l.Step)
	if l.Kind != wizard.LineNote || i < 0 || s.Steps[i].Status != Running || strings.Contains(l.Text, ": exit status ") {
		return s
	}
	s.Steps = slices.Clone(s.Steps)
	s.Steps[i].Doing = l.Text
	return s
}

// trouble takes an error apart where its type says what is what.
func trouble(err error, text string) Trouble {
	var phone *wizard.PhoneError
	var host *wizard.HostError
	switch {
	case errors.As(err, &phone) && phone.Error() == text && phone.Err != nil:
		return Trouble{Tried: phone.Tried, Happened: phone.Err.Error(), Next: phone.Next}
	case errors.As(err, &host) && host.Error() == text:
		t := Trouble{Tried: host.Tried, Happened: "this computer lacks " + host.Lacks, Next: host.Fix}
		if host.Err != nil {
			t.Happened += ": " + host.Err.Error()
		}
		return t
	}
	return Trouble{Happened: text}
}

func (s State) end(id wizard.StepID, change func(*Step)) State {
	i := s.index(id)
	if i < 0 {
		return s
	}
	s.Steps = slices.Clone(s.Steps)
	change(&s.Steps[i])
	if s.Ask != nil && s.Ask.Step == id {
		s.Ask = nil
	}
	if s.Waiting != nil && s.Waiting.Step == id {
		s.Waiting = nil
	}
	if id == wizard.StepTouch {
		s.Touch.Target = nil
	}
	return s
}

// maxMeasures bounds how many different things one step can measure.
const maxMeasures = 64

func measure(ms []Measure, p wizard.Progress, at time.Time) []Measure {
	ms = slices.Clone(ms)
	for i := range ms {
		if ms[i].Step == p.Step && ms[i].What == p.What {
			if p.Done < ms[i].Done { // it began again
				ms[i].First, ms[i].Base = at, p.Done
			}
			ms[i].Progress, ms[i].At = p, at
			return ms
		}
	}
	if len(ms) >= maxMeasures {
		ms = ms[1:]
	}
	return append(ms, Measure{Progress: p, First: at, Base: p.Done, At: at})
}

func devices(ds []usb.Device, c usb.Change) []usb.Device {
	i := slices.IndexFunc(ds, func(d usb.Device) bool { return d.ID == c.Device.ID })
	ds = slices.Clone(ds)
	switch {
	case c.Kind == usb.Gone && i >= 0:
		return slices.Delete(ds, i, i+1)
	case c.Kind == usb.Gone:
		return ds
	case i >= 0:
		ds[i] = c.Device
		return ds
	}
	return append(ds, c.Device)
}
