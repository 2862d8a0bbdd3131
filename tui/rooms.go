package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"portolan/tui/draw"
	"portolan/tui/flash"
	"portolan/tui/keymap"
	"portolan/tui/report"
	"portolan/tui/state"
	"portolan/tui/theme"
	"portolan/wizard"
)

const (
	nextStart  = state.StartAll
	nextAnswer = state.Answer
	nextPlug   = state.Plug
	nextLook   = state.Look
	nextReport = state.ShowReport
)

// roomKey handles the keys of the room at hand.
func (m *Model) roomKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	switch m.room {
	case Home:
		return m.homeKey(k)
	case Port:
		return m.previewKey(k)
	case Work:
		return m.logKey(k)
	case Flash:
		if m.focus == 1 {
			return m.logKey(k)
		}
		return m.textKey(k, func() string {
			if m.st.Plan == nil {
				return ""
			}
			return flash.Commands(*m.st.Plan)
		}, "the commands of the plan")
	case Touch:
		return m.textKey(k, func() string {
			if m.st.Touch.Result == nil {
				return ""
			}
			return m.st.Touch.Result.Rule + "\n"
		}, "the rule")
	case Report:
		return m.textKey(k, func() string { return report.Text(m.st.Report) }, "the report")
	case Console: // closed: its screen can still be copied
		return m.textKey(k, m.con.Text, "the screen")
	}
	return nil, false
}

func (m *Model) homeKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	on := func(b key.Binding) bool { return key.Matches(k, b) }
	at, n := &m.stepAt, len(m.st.Steps)
	if m.focus == 1 {
		at, n = &m.phoneAt, len(m.st.Devices)
	}
	switch {
	case on(m.keys.Up):
		*at = max(0, *at-1)
	case on(m.keys.Down):
		*at = max(0, min(*at+1, n-1))
	case on(m.keys.Top):
		*at = 0
	case on(m.keys.Bottom):
		*at = max(0, n-1)
	case m.focus == 1 && on(m.keys.ChoosePhone):
		if m.phoneAt < n {
			m.choose(m.st.Devices[m.phoneAt])
		}
	case m.focus == 0 && on(m.keys.RunStep):
		id := m.st.Steps[m.stepAt].ID
		return m.run(wizard.RunSteps{From: id, To: id, Force: true}), true
	case on(m.keys.Copy):
		text := m.st.Steps[m.stepAt].Error
		if text == "" {
			text = m.st.Steps[m.stepAt].Summary
		}
		return m.copy(text, "what the step says"), true
	default:
		return nil, false
	}
	return nil, true
}

// previewKey handles the keys of the preview, while it has the focus.
func (m *Model) previewKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	on := func(b key.Binding) bool { return key.Matches(k, b) }
	switch {
	case on(m.keys.NextFile), m.focus == 1 && on(m.keys.Right):
		m.prev.Next(1)
	case on(m.keys.PrevFile), m.focus == 1 && on(m.keys.Left):
		m.prev.Next(-1)
	case on(m.keys.Up):
		m.prev.Scroll(-1)
	case on(m.keys.Down):
		m.prev.Scroll(1)
	case on(m.keys.PageUp):
		m.prev.Scroll(-10)
	case on(m.keys.PageDown):
		m.prev.Scroll(10)
	case on(m.keys.Top):
		m.prev.Scroll(-1 << 30)
	case on(m.keys.Bottom):
		m.prev.Scroll(1 << 30)
	case on(m.keys.Copy):
		return m.copy(m.prev.Text(), "the file"), true
	default:
		return nil, false
	}
	return nil, true
}

// textKey scrolls a text and copies it.
func (m *Model) textKey(k tea.KeyPressMsg, text func() string, what string) (tea.Cmd, bool) {
	on := func(b key.Binding) bool { return key.Matches(k, b) }
	at := m.scroll[int(m.room)]
	switch {
	case on(m.keys.Up):
		at--
	case on(m.keys.Down):
		at++
	case on(m.keys.PageUp):
		at -= max(1, m.height-6)
	case on(m.keys.PageDown):
		at += max(1, m.height-6)
	case on(m.keys.Top):
		at = 0
	case on(m.keys.Bottom):
		at = 1 << 20
	case on(m.keys.Copy):
		return m.copy(text(), what), true
	default:
		return nil, false
	}
	m.scroll[int(m.room)] = max(0, at)
	return nil, true
}

func (m *Model) copy(text, what string) tea.Cmd {
	if strings.TrimSpace(text) == "" {
		m.say("there is nothing to copy", false)
		return nil
	}
	m.say("copied "+what+" ("+draw.Count(int64(strings.Count(text, "\n")))+" lines)", false)
	if n := strings.Count(text, "\n"); n <= 1 {
		m.say("copied "+what, false)
	}
	return tea.SetClipboard(text)
}

func (m *Model) contrast() {
	if m.theme.Name == "calm" {
		m.theme = theme.HighContrast()
		return
	}
	m.theme = theme.Calm()
}

// consoleKey sends every key to the phone but one.
func (m *Model) consoleKey(k tea.KeyPressMsg) tea.Cmd {
	if key.Matches(k, m.keys.LeaveConsole) {
		return m.enter(Home)
	}
	if m.now.Before(m.deafUntil) { // typed for what was there before: not for the phone
		return nil
	}
	if b := m.con.Key(k); len(b) > 0 {
		m.send(wizard.SessionInput{Session: m.con.Session, Bytes: b})
	}
	return nil
}

// paste goes where text goes; anywhere else it is ignored.
func (m *Model) paste(text string) tea.Cmd {
	switch {
	case m.now.Before(m.deafUntil) || m.quitting || m.palette != nil || m.screen().Mode == layoutTooSmall:
	case m.secretOpen:
		m.secret.Paste(text)
	case m.room == Console && m.con.Open:
		if b := m.con.Paste(text); len(b) > 0 {
			m.send(wizard.SessionInput{Session: m.con.Session, Bytes: b})
		}
	case m.searching:
		m.query += draw.Clean(strings.ReplaceAll(text, "\n", " "))
	default:
		if f := m.activeForm(); f != nil {
			return m.formResult(f, f.Paste(text))
		}
	}
	return nil
}

// areas are the parts of the keymap that are valid now.
func (m *Model) areas() []keymap.Area {
	switch {
	case m.room == Console && m.con.Open:
		return []keymap.Area{keymap.ConsoleArea}
	case m.activeForm() != nil:
		return []keymap.Area{keymap.FormArea, keymap.Anywhere, keymap.Rooms}
	case m.room == Home:
		return []keymap.Area{keymap.Voyage, keymap.Rooms, keymap.Moving, keymap.Anywhere}
	case m.room == Work || m.room == Flash && m.focus == 1:
		return []keymap.Area{keymap.Text, keymap.Moving, keymap.Voyage, keymap.Rooms, keymap.Anywhere}
	}
	return []keymap.Area{keymap.Moving, keymap.Voyage, keymap.Rooms, keymap.Anywhere}
}
