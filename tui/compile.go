package tui

import (
	tea "charm.land/bubbletea/v2"

	"portolan/tui/draw"
	"portolan/tui/keymap"
	"portolan/usb"
	"portolan/wizard"
)

// canCompile tells whether a kernel of one's own is the next thing to try: a
// rehearsal with the archive's kernel has come to its end.
func (m *Model) canCompile() bool {
	_, running := m.st.Running()
	return m.st.Report != nil && !running && m.st.Port.Get("kernel") == "archive"
}

// compile changes the port to a compiled kernel and takes it to the same phone.
func (m *Model) compile() tea.Cmd {
	if !m.canCompile() {
		m.say("compiling a kernel is offered after a voyage with the archive's kernel", false)
		return nil
	}
	m.send(wizard.SetValue{ID: "kernel", Text: "source"})
	return m.run(wizard.RunSteps{From: wizard.StepGenerate, To: wizard.StepAttach})
}

// practicePhone is the practice phone, when it is on the cable.
func (m *Model) practicePhone() (usb.Device, bool) {
	for _, d := range m.st.Devices {
		if d.Practice {
			return d, true
		}
	}
	return usb.Device{}, false
}

// consoleWait says what is waited for while the console has every key.
func (m *Model) consoleWait() string {
	w := m.st.Waiting
	if w == nil {
		return ""
	}
	text := m.theme.Warn.Render("waits for " + draw.Clean(w.For))
	note := w.Sees
	if m.con.Secret() && len(w.Hints) > 0 {
		note = w.Hints[0]
	}
	if note != "" {
		text += m.theme.Dim.Render(": " + draw.Clean(note))
	}
	return text
}

// offered are the groups of keys that do something now.
func (m *Model) offered() []keymap.Group {
	_, plugged := m.practicePhone()
	hidden := map[string]bool{
		m.keys.RunStep.Help().Desc:     m.room != Home || m.focus != 0,
		m.keys.ChoosePhone.Help().Desc: m.room != Home || m.focus != 1,
		m.keys.Compile.Help().Desc:     !m.canCompile(),
		m.keys.Practice.Help().Desc:    plugged,
		m.keys.Unplug.Help().Desc:      !plugged,
	}
	groups := m.keys.Groups(m.areas()...)
	for i := range groups {
		kept := groups[i].Bindings[:0:0]
		for _, b := range groups[i].Bindings {
			if !hidden[b.Help().Desc] {
				kept = append(kept, b)
			}
		}
		groups[i].Bindings = kept
	}
	return groups
}
