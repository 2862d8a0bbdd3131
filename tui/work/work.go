// Package work shows a step at work: how far it is, whether it is alive, and
// its log.
package work

import (
	"strings"
	"time"

	"portolan/tui/draw"
	"portolan/tui/home"
	"portolan/tui/logpane"
	"portolan/tui/state"
	"portolan/tui/theme"
)

// quiet is how long a step may be silent before the heartbeat says so.
const quiet = 10 * time.Second

// View renders the progress of the step at hand above the log.
func View(t theme.Theme, s state.State, log *logpane.Pane, heard, now time.Time, w, h int) []string {
	head := Head(t, s, heard, now, w)
	if most := max(h/2, h-6); len(head) > most { // the reason matters more than the lines before it
		head = head[:most]
	}
	return draw.Block(append(head, log.View(t, w, h-len(head))...), w, h)
}

// Head is the progress: the step with a bar, and a heartbeat.
func Head(t theme.Theme, s state.State, heard, now time.Time, w int) []string {
	step, running := s.Running()
	if !running {
		if f, ok := s.Failed(); ok {
			return failure(t, f, w)
		}
		return nil
	}
	elapsed := draw.Duration(now.Sub(step.Started))
	right := elapsed
	if silent := now.Sub(heard); silent >= quiet && !heard.IsZero() {
		right = "silent for " + draw.Duration(silent) + ", still at work · " + elapsed
	}
	title := home.Mark(t, step.Status) + " " + t.Title.Render(string(step.ID))
	if s.Waiting != nil && s.Waiting.Step == step.ID {
		return append(append([]string{draw.Spread(title, t.Dim.Render(right), w)}, home.Wait(t, s.Waiting, now, w)...), "")
	}
	m, ok := s.Measure(step.ID)
	if !ok {
		if step.Doing != "" {
			title += "  " + draw.Clean(step.Doing)
		}
		return []string{draw.Spread(title, t.Dim.Render(right), w), ""}
	}
	text := home.Measure(m)
	if speed := m.PerSecond(); speed > 0 && strings.HasPrefix(m.What, "bytes") {
		text += ", " + draw.Bytes(int64(speed)) + "/s"
	}
	out := []string{draw.Spread(title+"  "+text, t.Dim.Render(right), w)}
	if m.Total > 0 {
		pct := draw.Percent(m.Done, m.Total)
		out = append(out, draw.Bar(t, m.Done, m.Total, max(0, w-6))+draw.Fit("", 6-min(6, len(pct)))+pct)
	}
	return append(out, "")
}

// failure says what was tried, what happened and what to do next.
func failure(t theme.Theme, f state.Step, w int) []string {
	out := []string{draw.Spread(home.Mark(t, f.Status)+" "+t.Title.Render(string(f.ID))+" "+f.Status.Word(), t.Dim.Render(draw.Duration(f.Took)), w)}
	if f.Status == state.Cancelled {
		return append(out, "")
	}
	part := func(name, text string, st interface{ Render(...string) string }) {
		if text == "" {
			return
		}
		for i, l := range draw.Wrap(draw.Clean(strings.ReplaceAll(text, "\n", " ")), max(1, w-10)) {
			if i > 0 {
				name = ""
			}
			out = append(out, t.Dim.Render(draw.Fit(name, 9))+" "+st.Render(l))
		}
	}
	part("tried", f.Trouble.Tried, t.Text)
	part("happened", f.Trouble.Happened, t.Bad)
	part("next", f.Trouble.Next, t.Accent)
	part("log", f.Log, t.Dim)
	return append(out, "")
}
