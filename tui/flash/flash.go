// Package flash shows what will be written to which phone, then how far it is.
package flash

import (
	"fmt"
	"strings"

	"portolan/flashers"
	"portolan/tui/draw"
	"portolan/tui/home"
	"portolan/tui/state"
	"portolan/tui/theme"
	"portolan/wizard"
)

// View renders the plan with its progress.
func View(t theme.Theme, s state.State, w, h int) []string {
	if s.Plan == nil {
		return draw.Block([]string{
			"", t.Title.Render("No plan yet."), "",
			t.Dim.Render("Before anything is written, the plan is shown here:"),
			t.Dim.Render("which phone, which partitions, which files."),
		}, w, h)
	}
	return draw.Block(Plan(t, *s.Plan, s, w), w, h)
}

// Plan renders a plan: the phone, what is done to it, and the checks.
func Plan(t theme.Theme, p flashers.Plan, s state.State, w int) []string {
	out := []string{
		t.Dim.Render("phone   ") + t.Title.Render(home.Name(p.Device)),
		t.Dim.Render("serial  ") + draw.Clean(p.Device.Serial) + t.Dim.Render("  "+home.Mode(p.Device.Mode)+", by "+draw.Clean(p.Method)),
		"",
	}
	step := s.Step(wizard.StepFlash)
	for i, a := range p.Actions {
		out = append(out, action(t, s, step, i, a, w)...)
	}
	out = append(out, "")
	for _, c := range p.Checks {
		mark, st := t.Good.Render("✓"), t.Text
		if !c.OK {
			mark, st = t.Bad.Render("!"), t.Bad
		}
		text := draw.Wrap(draw.Clean(c.Name+": "+c.Detail), max(1, w-2))
		for j, l := range text {
			if j > 0 {
				mark = " "
			}
			out = append(out, mark+" "+st.Render(l))
		}
	}
	if err := p.Refusal(); err != nil {
		out = append(out, "", t.Bad.Render("! Refused. Nothing was written."))
	}
	if step.Status == state.Done {
		out = append(out, "", t.Good.Render("✓ "+draw.Clean(step.Summary)))
	}
	return out
}

func action(t theme.Theme, s state.State, step state.Step, i int, a flashers.Action, w int) []string {
	mark := t.Dim.Render("·")
	m, measured := progress(s, a)
	switch {
	case step.Status == state.Done, measured && m.Total > 0 && m.Done >= m.Total:
		mark = t.Good.Render("✓")
	case measured && step.Status == state.Running:
		mark = t.Accent.Render("●")
	}
	verb := draw.Clean(a.Verb)
	if a.Destructive {
		verb = t.Warn.Render(verb + " (overwrites)")
	}
	head := fmt.Sprintf("%s %d  %s", mark, i+1, verb)
	if a.Image.Partition != "" {
		head += "  " + t.Title.Render(draw.Clean(a.Image.Partition))
	}
	size := ""
	if a.Image.Size > 0 {
		size = draw.Bytes(a.Image.Size)
	}
	out := []string{draw.Spread(head, size, w)}
	if measured && m.Total > 0 && step.Status == state.Running {
		right := draw.Percent(m.Done, m.Total)
		if speed := m.PerSecond(); speed > 0 {
			right += "  " + draw.Bytes(int64(speed)) + "/s"
		}
		if m.Left > 0 {
			right += "  " + draw.Duration(m.Left) + " left"
		}
		room := max(0, w-len(right)-8)
		return append(out, "     "+draw.Bar(t, m.Done, m.Total, room)+"  "+right)
	}
	if a.Image.Path != "" {
		hash := a.Image.SHA256
		if len(hash) > 12 && w < 110 {
			hash = hash[:12] + "…"
		}
		out = append(out, t.Dim.Render(draw.Fit("     "+draw.Clean(a.Image.Path), w)))
		if hash != "" {
			out = append(out, t.Dim.Render(draw.Fit("     sha256 "+draw.Clean(hash), w)))
		}
	}
	if a.Command != "" {
		out = append(out, t.Dim.Render(draw.Fit("     $ "+draw.Clean(a.Command), w)))
	}
	return out
}

// progress finds the measure of an action: it ends with the partition's name.
func progress(s state.State, a flashers.Action) (state.Measure, bool) {
	if a.Image.Partition == "" {
		return state.Measure{}, false
	}
	for _, m := range s.Measures {
		if m.Step == wizard.StepFlash && strings.HasSuffix(" "+m.What, " "+a.Image.Partition) {
			return m, true
		}
	}
	return state.Measure{}, false
}

// Commands are the actions as shell lines, for copying.
func Commands(p flashers.Plan) string {
	var b strings.Builder
	for _, a := range p.Actions {
		if a.Command != "" {
			b.WriteString(a.Command + "\n")
		}
	}
	return b.String()
}
