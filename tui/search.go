package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"portolan/tui/layout"
)

const layoutTooSmall = layout.TooSmall

// searchOn lets a long search go on, a slice at a time, so that keys are
// answered in between.
type searchOn struct{}

func (m *Model) searchMore() tea.Cmd {
	if m.log.Step() {
		return func() tea.Msg { return searchOn{} }
	}
	return nil
}

// logKey handles the keys of the log.
func (m *Model) logKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	on := func(b key.Binding) bool { return key.Matches(k, b) }
	switch {
	case on(m.keys.Up):
		m.log.Move(-1)
	case on(m.keys.Down):
		m.log.Move(1)
	case on(m.keys.Left):
		m.log.Sideways(-8)
	case on(m.keys.Right):
		m.log.Sideways(8)
	case on(m.keys.PageUp):
		m.log.Page(-1)
	case on(m.keys.PageDown):
		m.log.Page(1)
	case on(m.keys.Top):
		m.log.Top()
	case on(m.keys.Bottom):
		m.log.Bottom()
	case on(m.keys.Search):
		m.searching, m.query = true, ""
	case on(m.keys.NextMatch):
		m.log.Next(true)
		return m.searchMore(), true
	case on(m.keys.PrevMatch):
		m.log.Next(false)
		return m.searchMore(), true
	case on(m.keys.FirstError):
		if !m.log.ToFirstError() {
			m.say("there is no error in the log", false)
		}
	case on(m.keys.Wrap):
		m.log.ToggleWrap()
	case on(m.keys.Copy):
		text, what := m.log.Copy()
		return m.copy(text, what), true
	default:
		return nil, false
	}
	return nil, true
}

// searchKey edits what is searched for; enter looks for it, upwards, because
// a log is read from its end.
func (m *Model) searchKey(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, m.keys.Back):
		m.searching = false
	case key.Matches(k, m.keys.Accept):
		m.searching = false
		m.log.Search(m.query, false)
		return m.searchMore()
	case k.String() == "backspace":
		if r := []rune(m.query); len(r) > 0 {
			m.query = string(r[:len(r)-1])
		}
	case k.String() == "ctrl+u":
		m.query = ""
	case k.Text != "":
		m.query += k.Text
	}
	return nil
}
