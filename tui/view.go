package tui

import (
	"fmt"
	"strconv"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"portolan/tui/draw"
	"portolan/tui/flash"
	"portolan/tui/home"
	"portolan/tui/keymap"
	"portolan/tui/layout"
	"portolan/tui/report"
	"portolan/tui/state"
	"portolan/tui/touch"
	"portolan/tui/work"
	"portolan/wizard"
)

// View draws the screen.
func (m *Model) View() tea.View {
	v := tea.NewView(strings.Join(m.lines(), "\n"))
	v.AltScreen = true
	v.WindowTitle = "Portolan — " + m.title()
	return v
}

func (m *Model) title() string {
	if run, ok := m.st.Running(); ok {
		return string(run.ID)
	}
	return strings.ToLower(m.room.String())
}

// lines draws the screen as exactly m.height lines of exactly m.width cells.
func (m *Model) lines() []string {
	if m.width <= 0 || m.height <= 0 {
		return nil
	}
	sc := m.screen()
	if sc.Mode == layout.TooSmall {
		return draw.Block([]string{"40x10 at least; q quits"}, m.width, m.height)
	}
	out := []string{m.header(m.width), home.Rail(m.theme, m.st, m.now, m.width)}
	if !sc.Tabs.Empty() {
		out = append(out, m.tabs(m.width))
	}
	first, second := m.panes(sc)
	switch {
	case sc.Primary.Empty():
		out = append(out, second...)
	case sc.Secondary.Empty():
		out = append(out, first...)
	case sc.Mode == layout.Wide:
		out = append(out, draw.Beside(first, second)...)
	default:
		out = append(append(out, first...), second...)
	}
	out = append(out, m.status(m.width), m.footer(m.width))
	out = draw.Overlay(out, m.over(), m.width)
	return out
}

func (m *Model) header(w int) string {
	t := m.theme
	left := " " + t.Accent.Bold(true).Render("Portolan")
	if name := m.st.Port.Get("codename"); name != "" && (w >= 140 || w < layout.WideFrom && w >= layout.StackedFrom) {
		left += t.Dim.Render(" · ") + draw.Clean(name)
	}
	if w >= layout.WideFrom {
		left += "  "
		for r := Home; r <= Report; r++ {
			st := t.Dim
			if r == m.room {
				st = t.Select
			}
			left += st.Render(fmt.Sprintf(" %d %s ", r+1, r))
		}
	} else {
		left += t.Dim.Render(" · ") + t.Title.Render(m.room.String())
	}
	right := t.Dim.Render("no phone ")
	if d, ok := m.st.Phone(); ok {
		right = home.Badge(t, d, w-ansi.StringWidth(left)-2) + " "
	} else if n := len(m.st.Devices); n > 1 {
		right = t.Warn.Render(draw.Count(int64(n))+" phones") + " "
	}
	if m.cfg.Version != "" && w >= 140 {
		right += t.Dim.Render(draw.Clean(m.cfg.Version) + " ")
	}
	return draw.Spread(left, right, w)
}

// tabs names the two panes where only one is shown.
func (m *Model) tabs(w int) string {
	a, b := m.names()
	t := m.theme
	mark := func(name string, on bool) string {
		if on {
			return t.Select.Render(" " + name + " ")
		}
		return " " + t.Dim.Render(name) + " "
	}
	hint := m.keys.NextPane.Help().Key
	if m.room == Port && m.form != nil && m.focus == 0 {
		hint = m.keys.NextFile.Help().Key
	}
	return draw.Fit(" "+mark(a, m.focus == 0)+mark(b, m.focus == 1)+t.Dim.Render("  "+hint), w)
}

// names are the titles of the two panes.
func (m *Model) names() (string, string) {
	switch m.room {
	case Home:
		return "Voyage", "Phones"
	case Port:
		if m.form != nil && m.form.Title != "" {
			return draw.Clean(m.form.Title), "Preview"
		}
		return "Port", "Preview"
	case Work:
		return "Log", "Voyage"
	case Flash:
		return "Plan", "Log"
	}
	return m.room.String(), ""
}

// inner is the room for content in a part of the screen.
func (m *Model) inner(sc layout.Screen, r layout.Rect) (int, int) {
	if sc.Mode == layout.Tabs {
		return r.W, r.H
	}
	return draw.Inner(r.W, r.H)
}

// box frames content, where there is room for frames.
func (m *Model) box(sc layout.Screen, r layout.Rect, f draw.Frame, content []string) []string {
	if r.Empty() {
		return nil
	}
	if sc.Mode == layout.Tabs {
		return draw.Block(content, r.W, r.H)
	}
	return draw.Box(m.theme, f, content, r.W, r.H)
}

// panes draws the panes of the room at hand.
func (m *Model) panes(sc layout.Screen) (first, second []string) {
	t := m.theme
	a, b := m.names()
	fa, fb := draw.Frame{Title: a, Focused: m.focus == 0}, draw.Frame{Title: b, Focused: m.focus == 1}
	w, h := m.inner(sc, sc.Primary)
	w2, h2 := m.inner(sc, sc.Secondary)
	var ca, cb []string
	switch m.room {
	case Home:
		cursor, phone := -1, -1
		if m.focus == 0 {
			cursor = m.stepAt
		} else {
			phone = m.phoneAt
		}
		ca = m.homeVoyage(cursor, w, h)
		cb = m.homePhones(phone, w2, h2)
	case Port:
		if m.form != nil {
			ca = m.form.View(t, w, h)
			fa.Foot = m.form.Where()
		} else {
			ca = []string{"", t.Dim.Render("The questions come with the describe step.")}
		}
		m.prev.Missing = nil
		if m.form != nil && m.portForm {
			m.prev.Missing = m.form.Missing()
		}
		fb.Title, fb.Note = m.prev.Title()
		cb = m.prev.View(t, w2, h2)
	case Work:
		fa.Foot = m.logFoot()
		ca = work.View(t, m.st, m.log, m.heard, m.now, w, h)
		cb = home.Steps(t, m.st, m.now, -1, w2, h2)
	case Flash:
		ca = m.flashLines(w, h)
		if !sc.Secondary.Empty() {
			fb.Foot = m.logFoot()
			cb = m.log.View(t, w2, h2)
		}
	case Console:
		fa.Title, fa.Foot = draw.Clean(m.con.Title), m.con.Status()
		if fa.Title == "" {
			fa.Title = "Console"
		}
		ca = m.con.View(t, w, h, !m.dialog())
	case Touch:
		if run, ok := m.st.Running(); ok && run.ID == wizard.StepTouch && m.st.Touch.Target == nil && m.st.Touch.Result == nil {
			ca = work.Head(t, m.st, m.heard, m.now, w) // on its way to the first target
		} else {
			ca = touch.View(t, m.st.Touch, m.aspect(), w, h)
		}
	case Report:
		lines := report.Lines(t, m.st.Report, w)
		ca, m.scroll[int(Report)] = draw.Scroll(lines, m.scroll[int(Report)], h)
		if m.scroll[int(Report)]+h < len(lines) {
			fa.Foot = "↓ more"
		}
	}
	return m.box(sc, sc.Primary, fa, ca), m.box(sc, sc.Secondary, fb, cb)
}

func (m *Model) homeVoyage(cursor, w, h int) []string {
	wait := home.Wait(m.theme, m.st.Waiting, m.now, w)
	if len(wait) > 0 {
		wait = append([]string{""}, wait...)
	}
	rows := h - min(len(wait), max(0, h-len(m.st.Steps)))
	return append(home.Steps(m.theme, m.st, m.now, cursor, w, rows), wait...)
}

func (m *Model) homePhones(cursor, w, h int) []string {
	port := append([]string{"", m.theme.Title.Render("Port")}, home.Port(m.theme, m.st.Port, w)...)
	if h < len(port)+7 {
		port = nil
	}
	return append(home.Phones(m.theme, m.st, m.now, cursor, w, h-len(port)), port...)
}

// flashLines shows the plan; the confirmation stays in sight below it.
func (m *Model) flashLines(w, h int) []string {
	var ask []string
	if m.confirm != nil {
		n := min(h*2/3, max(4, min(7, h/2)))
		ask = append([]string{m.theme.Warn.Render(draw.Fit(draw.Clean(m.confirm.Title), w))}, m.confirm.View(m.theme, w, n-1)...)
	}
	room := h - len(ask)
	if m.st.Plan == nil {
		return append(flash.View(m.theme, m.st, w, room), ask...)
	}
	plan := flash.Plan(m.theme, *m.st.Plan, m.st, w)
	view, at := draw.Scroll(plan, m.scroll[int(Flash)], room)
	m.scroll[int(Flash)] = at
	view = draw.Block(view, w, room)
	if len(plan) > at+room && room > 1 {
		view[room-1] = draw.Spread(view[room-1], m.theme.Dim.Render("↓ more"), w)
	}
	return append(view, ask...)
}

func (m *Model) logFoot() string {
	foot := m.log.Status()
	if m.log.Path != "" {
		if foot != "" {
			foot += " · "
		}
		foot += draw.Clean(m.log.Path)
	}
	return foot
}

// status is the line above the keys: what just happened, or what comes next.
func (m *Model) status(w int) string {
	t := m.theme
	switch {
	case m.searching:
		return draw.Fit(" "+t.Key.Render("/")+m.query+t.Select.Render(" "), w)
	case m.notice != "":
		st, mark := t.Accent, "» "
		if m.noticeBad {
			st, mark = t.Bad, "! "
		}
		return draw.Fit(" "+st.Render(mark+draw.Clean(strings.ReplaceAll(m.notice, "\n", " "))), w)
	case m.dialog():
		return draw.Fit("", w)
	case m.activeForm() != nil && m.room == Port && m.formAsk == "":
		return draw.Fit(" "+t.Dim.Render("an answer is saved when its question is left"), w)
	case m.activeForm() != nil:
		return draw.Fit("", w)
	case m.closed:
		return draw.Fit(" "+t.Warn.Render("the voyage has ended; q quits"), w)
	case m.room == Console && m.con.Open:
		return draw.Fit(" "+m.consoleWait(), w)
	}
	next := m.st.Next()
	if m.canCompile() && m.room == Report {
		return draw.Fit(" "+t.Key.Render(m.keys.Compile.Help().Key)+" compiles a kernel of your own and boots it on the same phone", w)
	}
	here := m.room == m.voyageRoom() && m.room != Home
	switch {
	case next.Action == state.Nothing:
		return draw.Fit(" "+t.Warn.Render(draw.Clean(next.Text)), w)
	case here && (next.Action == state.Look || next.Action == state.ShowReport || next.Action == state.Answer && m.secret == nil):
		return draw.Fit("", w) // it is on the screen already
	}
	return draw.Fit(" "+t.Key.Render(m.keys.Continue.Help().Key)+" "+draw.Clean(next.Text), w)
}

// aspect is the width of the phone's screen divided by its height; 0 if unknown.
func (m *Model) aspect() float64 {
	w, _ := strconv.Atoi(m.st.Port.Get("screen_width"))
	h, _ := strconv.Atoi(m.st.Port.Get("screen_height"))
	if w <= 0 || h <= 0 {
		return 0
	}
	return min(4, max(0.25, float64(w)/float64(h)))
}

// footer names the keys that matter most here, as many as fit.
func (m *Model) footer(w int) string {
	line := ""
	if m.now.Before(m.deafUntil) { // keys are named once they are listened to
		return draw.Fit(line, w)
	}
	for _, b := range m.shortHelp() {
		part := " " + m.theme.Key.Render(b.Help().Key) + " " + m.theme.Dim.Render(keymap.Short(b)) + " "
		if ansi.StringWidth(line)+ansi.StringWidth(part) > w {
			break
		}
		line += part
	}
	return draw.Fit(line, w)
}

func (m *Model) shortHelp() []key.Binding {
	k := m.keys
	help := k.Help
	help.SetHelp("?", "help")
	switch {
	case m.quitting:
		return []key.Binding{k.QuitNow, k.Stay}
	case m.secretOpen:
		return []key.Binding{k.TakeSecret, k.ClearSecret, k.Back}
	case m.room == Console && m.con.Open:
		return []key.Binding{k.LeaveConsole}
	case m.activeForm() != nil:
		help.SetHelp("f1", "help")
		if f := m.activeForm(); f == m.confirm {
			return []key.Binding{help, k.Accept, k.Back, k.ScrollPreview}
		}
		return []key.Binding{help, k.Accept, k.NextField, k.AcceptAll, k.Back, k.NextFile}
	}
	cable := m.cable()
	switch m.room {
	case Home:
		if m.focus == 1 {
			return append([]key.Binding{help, k.Quit, k.ChoosePhone, k.NextPane}, cable...)
		}
		return append([]key.Binding{help, k.Quit, k.RunStep, k.Rebuild}, cable...)
	case Work:
		return append([]key.Binding{help, k.Search, k.FirstError, k.Wrap, k.Copy, k.Back}, cable...)
	}
	out := []key.Binding{help}
	if m.canCompile() {
		out = append(out, k.Compile)
	}
	return append(append(out, k.Copy, k.Follow, k.Back), cable...)
}

// cable is the key that does something to the practice phone's cable now.
func (m *Model) cable() []key.Binding {
	if _, plugged := m.practicePhone(); plugged {
		return []key.Binding{m.keys.Unplug}
	}
	if len(m.st.Devices) == 0 {
		return []key.Binding{m.keys.Practice}
	}
	return nil
}

// over is what lies over the room, or nothing.
func (m *Model) over() []string {
	t := m.theme
	switch {
	case m.quitting:
		run, _ := m.st.Running()
		w := min(m.width, 58)
		text := draw.Wrap(string(run.ID)+" is running. Quitting cancels it; the next run continues from the last finished step.", w-4)
		text = append(text, "", t.Key.Render(m.keys.QuitNow.Help().Key)+" cancel and quit   "+t.Key.Render("esc")+" stay")
		return draw.Box(t, draw.Frame{Title: "Quit?", Focused: true}, text, w, min(m.height, len(text)+2))
	case m.palette != nil:
		return m.palette.View(t, min(m.width, 76), min(m.height, 34))
	case m.secretOpen && m.secret != nil:
		w := min(m.width, 66)
		text := m.secret.Lines(t, w-4)
		return draw.Box(t, draw.Frame{Title: draw.Clean(m.secret.Title), Foot: "enter takes it · esc later", Focused: true}, text, w, min(m.height, len(text)+2))
	}
	return nil
}
