package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"portolan/flashers"
	"portolan/wizard"
)

// plainReader prints one line per event: for pipes, screen readers and
// terminals that cannot draw. No cursor is moved and no box is drawn.
type plainReader struct {
	mu      sync.Mutex
	w       io.Writer
	verbose bool // print every line of output, not only Portolan's own words
	now     func() time.Time
	// lastProgress throttles progress to a line in progressEvery per step.
	lastProgress time.Time
	lastDone     int64
}

// progressEvery keeps a kernel build at some tens of lines while still
// showing that it is alive.
const progressEvery = 5 * time.Second

func newPlainReader(w io.Writer, verbose bool) *plainReader {
	return &plainReader{w: w, verbose: verbose, now: time.Now}
}

// Emit prints an event. It is safe for use from many goroutines.
func (p *plainReader) Emit(e wizard.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := e.(type) {
	case wizard.StepStarted:
		p.lastProgress = time.Time{}
		p.line(e.Step, "started")
	case wizard.StepSkipped:
		p.line(e.Step, "already done: "+e.Reason)
	case wizard.StepFinished:
		p.line(e.Step, fmt.Sprintf("done in %s: %s", seconds(e.Took), e.Summary))
	case wizard.StepFailed:
		p.line(e.Step, fmt.Sprintf("failed after %s: %s", seconds(e.Took), e.Text))
		if e.Log != "" {
			p.line(e.Step, "the whole log is in "+e.Log)
		}
	case wizard.Progress:
		p.progress(e)
	case wizard.LogLine:
		if e.Kind == wizard.LineOutput && !p.verbose {
			return
		}
		p.line(e.Step, linePrefix(e.Kind)+wizard.Printable(e.Text))
	case wizard.Waiting:
		p.line(e.Step, "waiting for "+e.For+"; sees "+e.Sees)
		for _, h := range e.Hints {
			p.line(e.Step, "  try: "+h)
		}
	case wizard.DeviceChanged:
		p.line("phone", fmt.Sprintf("%s: %s", e.Change.Kind, e.Change.Device))
	case wizard.Ask:
		if e.Error != "" {
			p.line(e.Step, "not taken: "+e.Error)
		}
	case wizard.Generated:
		for _, f := range e.Files {
			if f.State != "unchanged" {
				p.line(wizard.StepGenerate, strings.TrimSpace(fmt.Sprintf("%-9s %s %s", f.State, f.Path, f.Reason)))
			}
		}
	case wizard.PlanReady:
		p.plan(e.Plan)
	case wizard.SessionOpened:
		p.line(wizard.StepAttach, e.Session+" session open: "+e.Title)
	case wizard.SessionClosed:
		p.line(wizard.StepAttach, e.Session+" session closed: "+e.Reason)
	case wizard.TouchTarget:
		p.line(wizard.StepTouch, fmt.Sprintf("tap target %d of %d at %.0f %% from the left, %.0f %% from the top", e.Index+1, e.Count, e.X*100, e.Y*100))
	case wizard.TouchTapped:
		p.line(wizard.StepTouch, fmt.Sprintf("tap %d read at %.4f %.4f of the panel", e.Index+1, e.X, e.Y))
	case wizard.TouchResult:
		p.line(wizard.StepTouch, fmt.Sprintf("%s, residual %.4f of the screen", e.Name, e.Residual))
	case wizard.Report:
		writeReport(p.w, e)
	}
}

func (p *plainReader) progress(e wizard.Progress) {
	now := p.now()
	if e.Done < p.lastDone {
		p.lastProgress = time.Time{} // another measure has begun
	}
	p.lastDone = e.Done
	if now.Sub(p.lastProgress) < progressEvery && (e.Total == 0 || e.Done < e.Total) {
		return
	}
	p.lastProgress = now
	text := fmt.Sprintf("%s: %d", e.What, e.Done)
	if e.Total > 0 {
		text = fmt.Sprintf("%s: %d of %d (%d %%)", e.What, e.Done, e.Total, 100*e.Done/e.Total)
	}
	if e.Left > 0 {
		text += ", about " + seconds(e.Left) + " left"
	}
	p.line(e.Step, text)
}

func (p *plainReader) plan(plan flashers.Plan) {
	for _, l := range strings.Split(strings.TrimRight(plan.String(), "\n"), "\n") {
		p.line(wizard.StepFlash, l)
	}
}

func (p *plainReader) line(step wizard.StepID, text string) {
	fmt.Fprintf(p.w, "%s %-8s %s\n", p.now().Format("15:04:05"), step, text)
}

func linePrefix(k wizard.LineKind) string {
	switch k {
	case wizard.LineCommand:
		return "$ "
	case wizard.LineWarning:
		return "warning: "
	case wizard.LineError:
		return "error: "
	}
	return ""
}

// printableLines keeps the line breaks of a text whose parts may come from a
// phone, and none of its control characters.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = wizard.Printable(l)
	}
	return strings.Join(lines, "\n")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// writeReport prints the end of a voyage for people and for grep.
func writeReport(w io.Writer, r wizard.Report) {
	fmt.Fprintf(w, "\nReport\n")
	if r.Phone.ID != "" {
		fmt.Fprintf(w, "  phone       %s\n", r.Phone)
	}
	for _, pkg := range r.Packages {
		fmt.Fprintf(w, "  package     %s  %d bytes\n              sha256 %s\n", pkg.Name, pkg.Size, pkg.SHA256)
	}
	if r.Image.Name != "" {
		fmt.Fprintf(w, "  image       %s  %d bytes\n              sha256 %s\n", r.Image.Name, r.Image.Size, r.Image.SHA256)
	}
	if r.Flashed > 0 {
		fmt.Fprintf(w, "  flashed     %d bytes\n", r.Flashed)
	}
	for _, s := range r.Steps {
		fmt.Fprintf(w, "  step        %-9s %7s  %s\n", s.Step, seconds(s.Took), s.Done)
	}
	for _, row := range [][2]string{{"unlock", r.Unlocked}, {"uname -a", r.Uname}, {"touch rule", r.Touch}, {"next", r.Next}} {
		if row[1] != "" {
			fmt.Fprintf(w, "  %-11s %s\n", row[0], wizard.Printable(row[1]))
		}
	}
}
