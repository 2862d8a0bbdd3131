// Package state is what the UI knows, folded out of wizard events by a pure
// function: the same events give the same state, whatever the screen shows.
// Log lines and terminal bytes are not kept here; they go straight to their
// panes.
package state

import (
	"time"

	"portolan/flashers"
	"portolan/usb"
	"portolan/wizard"
)

// Status of a step.
type Status int

// The states of a step.
const (
	Todo Status = iota
	Running
	Done
	Failed
	Cancelled
)

// Symbol tells the status in one cell, without colour.
func (s Status) Symbol() string { return [...]string{"·", "●", "✓", "!", "–"}[s] }

// Word tells the status in a word.
func (s Status) Word() string {
	return [...]string{"to do", "running", "done", "failed", "stopped"}[s]
}

// Step is one leg of the voyage as shown.
type Step struct {
	ID      wizard.StepID
	Status  Status
	Started time.Time     // of the run at hand
	Took    time.Duration // of the last run
	Done    time.Time     // when it was last finished; zero if unknown
	Summary string        // of the last finished run, or why it was skipped
	Error   string        // of the last failed run
	Trouble Trouble       // the same in parts
	Doing   string        // what it last said it does, while it runs
	Log     string        // file with the whole log of a failed run
}

// Trouble is an error in the parts that a person looks for. Only Happened is
// always there.
type Trouble struct{ Tried, Happened, Next string }

// Measure is a progress as last heard, with what it takes to tell a speed.
type Measure struct {
	wizard.Progress
	First time.Time // when this measure was first heard of
	Base  int64     // Done at First
	At    time.Time // when it was last heard of
}

// PerSecond is the average speed since the measure began, 0 if unknown.
func (m Measure) PerSecond() float64 {
	d := m.At.Sub(m.First).Seconds()
	if d <= 0 || m.Done <= m.Base {
		return 0
	}
	return float64(m.Done-m.Base) / d
}

// Session is a terminal session with the phone.
type Session struct {
	Name   string
	Title  string
	Open   bool
	Reason string // why it was closed
}

// Touch is how far the calibration is.
type Touch struct {
	Target  *wizard.TouchTarget
	Targets []wizard.TouchTarget // all that were asked for
	Taps    []wizard.TouchTapped
	Result  *wizard.TouchResult
}

// State is a value: Reduce returns a new one and never writes through the
// slices and pointers of the old one.
type State struct {
	Devices  []usb.Device
	Selected string // ID of the phone to work with
	Port     wizard.Snapshot
	Steps    []Step // all of wizard.StepIDs, in order
	Measures []Measure
	Waiting  *wizard.Waiting
	Ask      *wizard.Ask
	Plan     *flashers.Plan
	Files    []wizard.GeneratedFile
	Session  Session
	Touch    Touch
	Report   *wizard.Report
}

// New returns the state before any event. The journal, oldest entry first,
// tells what earlier runs have done.
func New(journal []wizard.Entry) State {
	s := State{}
	for _, id := range wizard.StepIDs {
		s.Steps = append(s.Steps, Step{ID: id})
	}
	for _, e := range journal {
		i := s.index(e.Step)
		if i < 0 {
			continue
		}
		step := &s.Steps[i]
		switch e.State {
		case "finished":
			*step = Step{ID: e.Step, Status: Done, Took: e.Took, Done: e.At, Summary: e.Summary}
		case "failed":
			*step = Step{ID: e.Step, Status: Failed, Took: e.Took, Error: e.Error, Trouble: Trouble{Happened: e.Error}}
		case "started": // without an end: the run was killed
			step.Status = Cancelled
		}
	}
	return s
}

func (s State) index(id wizard.StepID) int {
	for i := range s.Steps {
		if s.Steps[i].ID == id {
			return i
		}
	}
	return -1
}

// Step returns one step.
func (s State) Step(id wizard.StepID) Step {
	if i := s.index(id); i >= 0 {
		return s.Steps[i]
	}
	return Step{ID: id}
}

// Running returns the step that runs now.
func (s State) Running() (Step, bool) {
	for _, step := range s.Steps {
		if step.Status == Running {
			return step, true
		}
	}
	return Step{}, false
}

// Failed returns the first step that failed or was stopped.
func (s State) Failed() (Step, bool) {
	for _, step := range s.Steps {
		if step.Status == Failed || step.Status == Cancelled {
			return step, true
		}
	}
	return Step{}, false
}

// NextStep returns the first step that is not done, and false when all are.
func (s State) NextStep() (Step, bool) {
	for _, step := range s.Steps {
		if step.Status != Done {
			return step, true
		}
	}
	return Step{}, false
}

// Fresh tells whether nothing was done on this port yet.
func (s State) Fresh() bool {
	for _, step := range s.Steps {
		if step.Status != Todo {
			return false
		}
	}
	return true
}

// Measure returns the latest progress of a step.
func (s State) Measure(id wizard.StepID) (Measure, bool) {
	var best Measure
	found := false
	for _, m := range s.Measures {
		if m.Step == id && (!found || !m.At.Before(best.At)) {
			best, found = m, true
		}
	}
	return best, found
}

// Phone returns the phone to work with: the chosen one, else the only one.
func (s State) Phone() (usb.Device, bool) {
	for _, d := range s.Devices {
		if d.ID == s.Selected {
			return d, true
		}
	}
	if len(s.Devices) == 1 {
		return s.Devices[0], true
	}
	return usb.Device{}, false
}
