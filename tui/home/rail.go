// Package home draws where the voyage is: the steps, the phones and the port.
package home

import (
	"strings"
	"time"

	"portolan/tui/draw"
	"portolan/tui/state"
	"portolan/tui/theme"
	"portolan/wizard"
)

// about says in a few words what a step is for.
var about = map[wizard.StepID]string{
	wizard.StepDetect:   "find the phone and ask it what it is",
	wizard.StepDescribe: "answer what it cannot tell",
	wizard.StepGenerate: "write the device and kernel packages",
	wizard.StepBuild:    "build them in a chroot",
	wizard.StepImage:    "make the root filesystem and boot.img",
	wizard.StepFlash:    "show the plan, then write to the phone",
	wizard.StepAttach:   "unlock it and open a shell",
	wizard.StepTouch:    "line up the touchscreen",
}

// Mark is the symbol of a step's status in its colour.
func Mark(t theme.Theme, s state.Status) string {
	switch s {
	case state.Done:
		return t.Good.Render(s.Symbol())
	case state.Running:
		return t.Accent.Render(s.Symbol())
	case state.Failed:
		return t.Bad.Render(s.Symbol())
	case state.Cancelled:
		return t.Warn.Render(s.Symbol())
	}
	return t.Dim.Render(s.Symbol())
}

// clock is how long a step runs or took.
func clock(s state.Step, now time.Time) string {
	switch {
	case s.Status == state.Running && !s.Started.IsZero():
		return draw.Duration(now.Sub(s.Started))
	case s.Took >= time.Second:
		return draw.Duration(s.Took)
	case s.Status == state.Done && s.Took > 0:
		return "<1s"
	}
	return ""
}

// Rail is the voyage in one line, for every room. When names do not fit, only
// the step at hand keeps its name.
func Rail(t theme.Theme, s state.State, now time.Time, w int) string {
	long, short := make([]string, 0, len(s.Steps)), make([]string, 0, len(s.Steps))
	at := current(s)
	for i, step := range s.Steps {
		name := string(step.ID)
		if i == at {
			long = append(long, Mark(t, step.Status)+" "+t.Title.Render(name)+suffix(t, step, now))
			short = append(short, Mark(t, step.Status)+" "+t.Title.Render(name)+suffix(t, step, now))
			continue
		}
		st := t.Text
		if step.Status == state.Todo {
			st = t.Dim
		}
		long = append(long, Mark(t, step.Status)+" "+st.Render(name))
		short = append(short, Mark(t, step.Status))
	}
	for _, try := range []string{" " + strings.Join(long, "  "), " " + strings.Join(long, " "), " " + strings.Join(short, " ")} {
		if width(try) <= w {
			return draw.Fit(try, w)
		}
	}
	return draw.Fit(" "+strings.Join(short, " "), w)
}

func suffix(t theme.Theme, step state.Step, now time.Time) string {
	if c := clock(step, now); c != "" && step.Status == state.Running {
		return " " + t.Dim.Render(c)
	}
	return ""
}

// current is the step that runs, else the one that failed, else the next.
func current(s state.State) int {
	pick := func(want func(state.Status) bool) int {
		for i, step := range s.Steps {
			if want(step.Status) {
				return i
			}
		}
		return -1
	}
	if i := pick(func(st state.Status) bool { return st == state.Running }); i >= 0 {
		return i
	}
	if i := pick(func(st state.Status) bool { return st == state.Failed || st == state.Cancelled }); i >= 0 {
		return i
	}
	return pick(func(st state.Status) bool { return st == state.Todo })
}

// Steps is the voyage as a list. cursor is the selected step, or -1.
func Steps(t theme.Theme, s state.State, now time.Time, cursor, w, h int) []string {
	var lines []string
	from, to := 0, 0
	roomy := h >= 2*len(s.Steps)
	for i, step := range s.Steps {
		arrow := " "
		if i == cursor {
			arrow = t.Accent.Render("▸")
			from = len(lines)
		}
		name := draw.Fit(string(step.ID), 9)
		if step.Status == state.Running || i == cursor {
			name = t.Title.Render(name)
		}
		c := clock(step, now)
		left := arrow + Mark(t, step.Status) + " " + name
		text := detail(t, s, step, now)
		if !roomy || w >= 70 {
			lines = append(lines, draw.Spread(draw.Fit(left+" "+text, max(0, w-9)), draw.Fit("", max(0, 8-len(c)))+t.Dim.Render(c), w))
		} else {
			lines = append(lines, draw.Spread(left, t.Dim.Render(c), w))
			if i == cursor && step.Status == state.Done && h >= 2*len(s.Steps)+maxDetail {
				lines = append(lines, detailLines(t, step, now, w)...)
			} else {
				lines = append(lines, "     "+text)
			}
		}
		if i == cursor {
			to = len(lines) - 1
		}
		if step.Status == state.Failed && (i == cursor || cursor < 0) && h > len(s.Steps)+4 {
			for j, l := range draw.Wrap(draw.Clean(step.Error), max(1, w-6)) {
				if j == 4 {
					break
				}
				lines = append(lines, "     "+t.Bad.Render(l))
			}
		}
	}
	view, _, _ := draw.Window(lines, from, to, h)
	return draw.Block(view, w, h)
}

// maxDetail bounds the lines about the step under the cursor.
const maxDetail = 4

// detailLines is all that a finished step said.
func detailLines(t theme.Theme, step state.Step, now time.Time, w int) []string {
	var out []string
	for i, l := range draw.Wrap(doneText(step, now), max(1, w-6)) {
		if i == maxDetail {
			break
		}
		out = append(out, "     "+t.Dim.Render(l))
	}
	return out
}

func doneText(step state.Step, now time.Time) string {
	text := step.Summary
	if text == "" {
		text = "done"
	}
	if !step.Done.IsZero() && now.Sub(step.Done) > time.Minute {
		text += ", " + draw.Ago(now.Sub(step.Done))
	}
	return draw.Clean(text)
}

// detail is what there is to say about a step.
func detail(t theme.Theme, s state.State, step state.Step, now time.Time) string {
	switch step.Status {
	case state.Done:
		return t.Dim.Render(doneText(step, now))
	case state.Running:
		if s.Waiting != nil && s.Waiting.Step == step.ID {
			return t.Warn.Render("waits for " + draw.Clean(s.Waiting.For))
		}
		if s.Ask != nil && s.Ask.Step == step.ID {
			return t.Warn.Render("has a question for you")
		}
		if m, ok := s.Measure(step.ID); ok {
			return t.Accent.Render(Measure(m))
		}
		if step.Doing != "" {
			return t.Accent.Render(draw.Clean(step.Doing))
		}
		return t.Accent.Render("running")
	case state.Failed:
		return t.Bad.Render("failed: ") + draw.Clean(firstLine(step.Error))
	case state.Cancelled:
		return t.Warn.Render("stopped before it was done")
	}
	return t.Dim.Render(about[step.ID])
}

// Measure prints a progress in words: "412 of 1,100 kernel objects, 3:10 left".
func Measure(m state.Measure) string {
	text := draw.Clean(m.What)
	if strings.HasPrefix(m.What, "bytes") {
		amount := draw.Bytes(m.Done)
		if m.Total > 0 {
			amount += " of " + draw.Bytes(m.Total)
		}
		text = amount + strings.TrimPrefix(text, "bytes")
	} else if m.Total > 0 {
		text = draw.Count(m.Done) + " of " + draw.Count(m.Total) + " " + text
	} else if m.Done > 0 {
		text = draw.Count(m.Done) + " " + text
	}
	if m.Left > 0 {
		text += ", " + draw.Duration(m.Left) + " left"
	}
	return text
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
