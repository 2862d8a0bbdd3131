package wizard

import (
	"time"

	"portolan/flashers"
	"portolan/usb"
)

// StepID names a step of the voyage.
type StepID string

// The voyage, in order.
const (
	StepDetect   StepID = "detect"
	StepDescribe StepID = "describe"
	StepGenerate StepID = "generate"
	StepBuild    StepID = "build"
	StepImage    StepID = "image"
	StepFlash    StepID = "flash"
	StepAttach   StepID = "attach"
	StepTouch    StepID = "touch"
)

// StepIDs lists the voyage in order.
var StepIDs = []StepID{StepDetect, StepDescribe, StepGenerate, StepBuild, StepImage, StepFlash, StepAttach, StepTouch}

// Event is what happened. Steps emit events; the TUI, the plain face and
// --json only read them. The concrete types are in this file.
type Event interface{ event() }

// Emitter takes events, in order, from any goroutine. It may block the emitter
// while a reader is behind, and never longer than until its context ends.
type Emitter interface{ Emit(Event) }

// EmitterFunc makes a function an Emitter.
type EmitterFunc func(Event)

// Emit calls f.
func (f EmitterFunc) Emit(e Event) { f(e) }

// StepStarted says that a step runs now.
type StepStarted struct {
	Step StepID    `json:"step"`
	At   time.Time `json:"at"`
}

// StepSkipped says that a step had nothing to do, and why.
type StepSkipped struct {
	Step   StepID    `json:"step"`
	Reason string    `json:"reason"`
	Done   time.Time `json:"done"` // when it was last finished
}

// StepFinished says that a step is done.
type StepFinished struct {
	Step    StepID        `json:"step"`
	Took    time.Duration `json:"took"`
	Summary string        `json:"summary"`
}

// StepFailed says that a step stopped with an error.
type StepFailed struct {
	Step StepID        `json:"step"`
	Took time.Duration `json:"took"`
	Err  error         `json:"-"`
	Text string        `json:"error"`
	Log  string        `json:"log"` // file with the whole log, or empty
}

// Progress is a measure of work. Total 0 means unknown.
type Progress struct {
	Step  StepID        `json:"step"`
	What  string        `json:"what"` // "kernel objects", "bytes to userdata" …
	Done  int64         `json:"done"`
	Total int64         `json:"total"`
	Left  time.Duration `json:"left"` // estimate; 0 means unknown
}

// LogLine is one line of output, without its newline.
type LogLine struct {
	Step StepID    `json:"step"`
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	Kind LineKind  `json:"kind"`
}

// LineKind lets readers set commands, warnings and errors apart.
type LineKind string

// Kinds of log line.
const (
	LineOutput  LineKind = ""
	LineCommand LineKind = "command" // a command about to run, as a shell line
	LineNote    LineKind = "note"    // Portolan's own words
	LineWarning LineKind = "warning"
	LineError   LineKind = "error"
)

// Waiting says what a step waits for, what it sees, and what a person can do.
type Waiting struct {
	Step  StepID    `json:"step"`
	For   string    `json:"for"`
	Sees  string    `json:"sees"`
	Hints []string  `json:"hints"`
	Since time.Time `json:"since"`
}

// DeviceChanged passes on what the usb.Watcher saw.
type DeviceChanged struct {
	Change usb.Change `json:"change"`
}

// PortChanged carries a snapshot of the port after answers changed.
type PortChanged struct {
	Port Snapshot `json:"port"`
}

// Ask wants answers from a person. The step waits until an Answer intent with
// the same ID comes, or its context ends.
type Ask struct {
	ID        string     `json:"id"`
	Step      StepID     `json:"step"`
	Title     string     `json:"title"`
	Questions []Question `json:"questions"`
	Secret    bool       `json:"secret"` // one answer that must not be shown or kept
	Error     string     `json:"error"`  // why the last answer was not taken
}

// PlanReady shows a flash plan before anything is written.
type PlanReady struct {
	Plan flashers.Plan `json:"plan"`
}

// Generated lists what generate wrote or would write.
type Generated struct {
	Files []GeneratedFile `json:"files"`
}

// GeneratedFile is one file of the port's packages.
type GeneratedFile struct {
	Path   string `json:"path"`
	State  string `json:"state"` // new, changed, unchanged, kept (hand-edited), removed
	Text   string `json:"-"`
	Diff   string `json:"diff,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// SessionOpened says that a terminal session with the phone is up.
type SessionOpened struct {
	Session string `json:"session"` // telnet, ssh
	Title   string `json:"title"`
}

// SessionData are bytes of the phone for a terminal.
type SessionData struct {
	Session string `json:"session"`
	Bytes   []byte `json:"-"`
}

// SessionClosed says why a session ended.
type SessionClosed struct {
	Session string `json:"session"`
	Reason  string `json:"reason"`
}

// TouchTarget asks for a tap. X and Y are fractions of the screen as a person sees it.
type TouchTarget struct {
	Index, Count int
	X, Y         float64
	Device       string // evdev name
}

// TouchTapped reports a tap that was read, in panel coordinates from 0 to 1.
type TouchTapped struct {
	Index int
	X, Y  float64
}

// TouchResult is the matrix that was found.
type TouchResult struct {
	Device   string     `json:"device"`
	Matrix   [6]float64 `json:"matrix"` // libinput's order, row by row
	Name     string     `json:"name"`   // "rotated 90°", "mirrored", "calibration"
	Residual float64    `json:"residual"`
	Rule     string     `json:"rule"`
}

// Report ends a voyage.
type Report struct {
	Phone    usb.Device      `json:"phone"`
	Packages []ReportPackage `json:"packages"`
	Image    ReportPackage   `json:"image"`
	Flashed  int64           `json:"flashed_bytes"`
	Steps    []ReportStep    `json:"steps"`
	Unlocked string          `json:"unlocked"`
	Uname    string          `json:"uname"`
	Touch    string          `json:"touch_rule"`
	Next     string          `json:"next"` // what the program offers to do now
}

// ReportPackage is a file that the voyage made.
type ReportPackage struct {
	Name   string `json:"name"`
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// ReportStep is how long a step took.
type ReportStep struct {
	Step StepID        `json:"step"`
	Took time.Duration `json:"took"`
	Done string        `json:"done"` // "done", "already done"
}

func (StepStarted) event()   {}
func (StepSkipped) event()   {}
func (StepFinished) event()  {}
func (StepFailed) event()    {}
func (Progress) event()      {}
func (LogLine) event()       {}
func (Waiting) event()       {}
func (DeviceChanged) event() {}
func (PortChanged) event()   {}
func (Ask) event()           {}
func (PlanReady) event()     {}
func (Generated) event()     {}
func (SessionOpened) event() {}
func (SessionData) event()   {}
func (SessionClosed) event() {}
func (TouchTarget) event()   {}
func (TouchTapped) event()   {}
func (TouchResult) event()   {}
func (Report) event()        {}
