package form

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"portolan/tui/draw"
	"portolan/tui/theme"
	"portolan/wizard"
)

// besideFrom is the width from which the help stands beside the questions.
const besideFrom = 100

// View renders the form. The question with the focus shows why it is asked
// and what happens if the answer is wrong; it is always in sight.
func (f *Form) View(t theme.Theme, w, h int) []string {
	if w >= besideFrom && h >= 8 {
		left := w * 3 / 5
		help := f.help(t, w-left-2)
		return draw.Beside(draw.Block(f.list(t, left, h, false), left, h),
			draw.Block(append([]string{""}, indent(help)...), w-left, h))
	}
	return draw.Block(f.list(t, w, h, true), w, h)
}

func indent(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = "  " + l
	}
	return out
}

func (f *Form) list(t theme.Theme, w, h int, withHelp bool) []string {
	var lines []string
	from, to := 0, 0
	if f.Error != "" {
		for _, part := range strings.Split(f.Error, "\n") {
			for _, l := range draw.Wrap("! "+draw.Clean(part), w) {
				lines = append(lines, t.Bad.Render(l))
			}
		}
		lines = append(lines, "")
	}
	section := ""
	vis := f.visible()
	for pos, i := range vis {
		fd := &f.fields[i]
		if fd.q.Section != section && len(f.fields) > 1 {
			section = fd.q.Section
			if len(lines) > 0 && lines[len(lines)-1] != "" {
				lines = append(lines, "")
			}
			if section != "" {
				lines = append(lines, t.Title.Render(draw.Clean(section)))
			}
		}
		on := pos == f.focus
		if on {
			from = len(lines)
			if section != "" && pos > 0 && f.fields[vis[pos-1]].q.Section != section {
				from-- // keep the heading in sight
			}
		}
		lines = append(lines, f.row(t, i, w, on)...)
		if on {
			if withHelp {
				lines = append(lines, indent(f.help(t, w-2))...)
				lines = append(lines, "")
			}
			to = len(lines) - 1
		}
	}
	if len(f.fields) > 1 { // a single question is sent by its own enter
		lines = append(lines, "")
		if f.focus >= len(vis) {
			from = len(lines)
		}
		lines = append(lines, f.button(t, f.focus >= len(vis)))
		if f.focus >= len(vis) {
			to = len(lines) - 1
		}
	}
	view, above, below := draw.Window(lines, from, to, h)
	view = append([]string(nil), view...)
	if above && len(view) > 2 {
		view[0] = draw.Spread(view[0], t.Dim.Render("↑ more"), w)
	}
	if below && len(view) > 2 {
		view[len(view)-1] = draw.Spread(view[len(view)-1], t.Dim.Render("↓ more"), w)
	}
	return view
}

func (f *Form) button(t theme.Theme, on bool) string {
	label := "[ " + f.Button + " ]"
	note := ""
	if n := f.Problems(); n > 0 {
		note = t.Warn.Render(fmt.Sprintf("  %d to answer", n))
	}
	if on {
		return "▸ " + t.Select.Render(label) + note
	}
	return "  " + t.Accent.Render(label) + note
}

// row renders one question with its answer, and what is wrong with it.
func (f *Form) row(t theme.Theme, i, w int, on bool) []string {
	fd := &f.fields[i]
	mark := " "
	problem := f.problem(i)
	switch {
	case problem != "" && fd.tried:
		mark = t.Bad.Render("!")
	case problem == "" && fd.value != "":
		mark = t.Good.Render("✓")
	}
	arrow := " "
	if on {
		arrow = t.Accent.Render("▸")
	}
	label := draw.Clean(fd.q.Title)
	labelWidth := max(12, min(f.longest(), w*2/5, 40))
	if w >= 60 {
		labelWidth = max(12, min(f.longest(), w/2))
	}
	if len(f.fields) == 1 { // nothing stands below it to line up with
		labelWidth = max(12, min(f.longest(), w-20))
	}
	source := provenance(*fd)
	head := arrow + mark + " " + draw.Fit(label, labelWidth) + " "
	room := max(6, w-ansi.StringWidth(head))
	below := "" // on narrow screens the source of the answer at hand goes below it
	value := min(16, max(8, ansi.StringWidth(draw.Clean(fd.value))))
	if source != "" && room >= ansi.StringWidth(source)+2+value {
		room -= ansi.StringWidth(source) + 2
	} else {
		source, below = "", source
	}
	var lines []string
	line := head + f.answer(t, fd, room, on)
	if source != "" {
		line += "  " + t.Dim.Render(source)
	}
	lines = append(lines, line)
	if on && below != "" {
		lines = append(lines, "   "+t.Dim.Render(below))
	}
	if on && !text(fd.q.Kind) {
		lines = append(lines, f.options(t, fd, w)...)
	}
	if problem != "" && fd.tried {
		for _, l := range draw.Wrap(problem, max(1, w-6)) {
			lines = append(lines, "   "+t.Bad.Render("! "+l))
		}
	}
	return lines
}

// longest is the width of the longest title.
func (f *Form) longest() int {
	n := 0
	for i := range f.fields {
		n = max(n, ansi.StringWidth(draw.Clean(f.fields[i].q.Title)))
	}
	return n
}

// Where says which question has the focus: "3 of 29".
func (f *Form) Where() string {
	n := len(f.visible())
	if n < 2 || f.focus >= n {
		return ""
	}
	where := fmt.Sprintf("%d of %d", f.focus+1, n)
	if left := f.Problems(); left > 0 {
		where += fmt.Sprintf(", %d to answer", left)
	}
	return where
}

func (f *Form) answer(t theme.Theme, fd *field, room int, on bool) string {
	if on && text(fd.q.Kind) {
		fd.input.SetWidth(max(1, room-1))
		return draw.Fit(fd.input.View(), room)
	}
	v := draw.Clean(fd.value)
	if fd.q.Kind == wizard.KindBool {
		v = map[string]string{"true": "yes", "false": "no"}[fd.value]
	}
	if v == "" {
		if fd.q.Optional {
			return draw.Fit(t.Dim.Render("— may be empty"), room)
		}
		return draw.Fit(t.Warn.Render("— needed"), room)
	}
	if !text(fd.q.Kind) && on {
		v = "‹ " + v + " ›"
	}
	st := t.Text
	if !fd.touched {
		st = t.Accent
	}
	return draw.Fit(st.Render(v), room)
}

func (f *Form) options(t theme.Theme, fd *field, w int) []string {
	var out []string
	for _, o := range Options(fd.q) {
		dot, st := "○", t.Text
		if o.Value == fd.value {
			dot, st = "●", t.Accent
		}
		name := o.Value
		help := o.Help
		if fd.q.Kind == wizard.KindBool {
			name, help = help, ""
		}
		name, help = draw.Clean(name), draw.Clean(help)
		line := "     " + st.Render(dot+" "+name)
		if help != "" {
			line += "  " + t.Dim.Render(help)
		}
		out = append(out, draw.Fit(line, w))
	}
	return out
}

// provenance says where an answer came from.
func provenance(fd field) string {
	switch {
	case fd.value == "":
		return ""
	case fd.touched, fd.source == wizard.SourceAsked:
		return "your answer"
	case fd.source == wizard.SourceDefault:
		return "default"
	case fd.source == "":
		return ""
	}
	return "from " + draw.Clean(string(fd.source))
}

// help says why the question with the focus is asked.
func (f *Form) help(t theme.Theme, w int) []string {
	vis := f.visible()
	if f.focus >= len(vis) || w < 8 {
		return nil
	}
	fd := &f.fields[vis[f.focus]]
	var out []string
	part := func(head, text string) {
		if strings.TrimSpace(text) == "" {
			return
		}
		lines := draw.Wrap(head+" "+draw.Clean(strings.Join(strings.Fields(text), " ")), w)
		for i, l := range lines {
			if i == 0 {
				l = t.Accent.Render(head) + t.Dim.Render(strings.TrimPrefix(l, head))
			} else {
				l = t.Dim.Render(l)
			}
			out = append(out, l)
		}
	}
	part("Why:", fd.q.Why)
	part("If wrong:", fd.q.IfWrong)
	if s := fd.q.Suggestion; s.Text != "" && s.Text != fd.value && !f.Plain {
		from := ""
		if s.Source != "" {
			from = " (" + string(s.Source) + ")"
		}
		part("Suggested:", draw.Clean(s.Text)+from+", "+f.keys.Suggestion.Help().Key+" takes it")
	}
	return out
}
