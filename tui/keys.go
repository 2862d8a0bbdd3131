package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"portolan/tui/form"
	"portolan/tui/home"
	"portolan/tui/keymap"
	"portolan/tui/layout"
	"portolan/tui/palette"
	"portolan/usb"
	"portolan/wizard"
)

// key handles a key press. As a command (chosen in the palette) it is never text.
func (m *Model) key(k tea.KeyPressMsg, command bool) tea.Cmd {
	on := func(b key.Binding) bool { return key.Matches(k, b) }
	if m.screen().Mode == layout.TooSmall {
		switch {
		case on(m.keys.Quit):
			return m.quit()
		case on(m.keys.Cancel):
			return m.cancel()
		}
		return nil
	}
	if m.room == Console && m.con.Open && !m.dialog() && !command {
		return m.consoleKey(k)
	}
	if on(m.keys.Cancel) {
		return m.cancel()
	}
	if on(m.keys.Suspend) {
		return tea.Suspend
	}
	if m.now.Before(m.deafUntil) { // typed for what was there before
		return nil
	}
	switch {
	case m.quitting:
		switch {
		case on(m.keys.QuitNow):
			return m.leave()
		case on(m.keys.Stay):
			m.quitting = false
		}
		return nil
	case m.palette != nil:
		chosen, closed := m.palette.Key(k)
		if closed {
			m.palette = nil
		}
		if chosen != nil {
			return m.key(keymap.Press(*chosen), true)
		}
		return nil
	case m.secretOpen:
		return m.secretKey(k)
	case m.searching && !command:
		return m.searchKey(k)
	}
	if f := m.activeForm(); f != nil {
		if cmd, handled := m.formKey(f, k, command); handled {
			return cmd
		}
	}
	if cmd, handled := m.roomKey(k); handled {
		return cmd
	}
	if m.room == Port && m.focus == 1 && m.form != nil && !command {
		switch { // the form is open behind its preview: shortcuts stay asleep
		case on(m.keys.AcceptAll):
			m.focus = 0
			return m.formResult(m.form, m.form.Key(k))
		case on(m.keys.Accept):
			m.focus = 0
			return nil
		case k.Text != "" && !on(m.keys.Help):
			return nil
		}
	}
	return m.globalKey(k)
}

// dialog tells whether something lies over the room.
func (m *Model) dialog() bool { return m.quitting || m.palette != nil || m.secretOpen }

func (m *Model) globalKey(k tea.KeyPressMsg) tea.Cmd {
	on := func(b key.Binding) bool { return key.Matches(k, b) }
	for r, b := range []key.Binding{m.keys.Home, m.keys.Port, m.keys.Work, m.keys.Flash, m.keys.Console, m.keys.Touch, m.keys.Report} {
		if on(b) {
			return m.enter(Room(r))
		}
	}
	switch {
	case on(m.keys.Help):
		m.palette = palette.New("Keys in "+m.room.String(), m.offered(), m.keys)
	case on(m.keys.Quit):
		if m.room == Home {
			return m.quit()
		}
		return m.enter(Home)
	case on(m.keys.Back):
		return m.back()
	case on(m.keys.NextPane), on(m.keys.PrevPane):
		if m.layoutState().Secondary {
			m.focus = 1 - m.focus
		}
	case on(m.keys.Zoom):
		m.zoom = true
	case on(m.keys.Unzoom):
		m.zoom = false
	case on(m.keys.Contrast):
		m.contrast()
	case on(m.keys.Continue):
		return m.next()
	case on(m.keys.Follow):
		m.follow, m.secretOpen = true, m.secret != nil
		return m.show(m.voyageRoom())
	case on(m.keys.Build):
		return m.run(wizard.RunSteps{From: wizard.StepGenerate, To: wizard.StepBuild})
	case on(m.keys.WriteFlash):
		return m.run(wizard.RunSteps{From: wizard.StepImage, To: wizard.StepFlash})
	case on(m.keys.Rebuild):
		return m.run(wizard.RunSteps{From: wizard.StepBuild, To: wizard.StepAttach, Force: true})
	case on(m.keys.Again):
		return m.run(m.last)
	case on(m.keys.Compile):
		return m.compile()
	case on(m.keys.Practice):
		m.send(wizard.PluginPractice{})
		m.say("the practice phone is being plugged in", false)
	case on(m.keys.Unplug):
		m.send(wizard.UnplugPractice{})
		m.say("the practice phone's cable is being pulled", false)
	}
	return nil
}

// back goes one level up: it never quits and loses nothing.
func (m *Model) back() tea.Cmd {
	switch {
	case m.zoom:
		m.zoom = false
	case m.focus == 1:
		m.focus = 0
	case m.room != Home:
		return m.enter(Home)
	}
	return nil
}

func (m *Model) run(r wizard.RunSteps) tea.Cmd {
	if step, ok := m.st.Running(); ok {
		m.say(string(step.ID)+" is running; "+m.keys.Cancel.Help().Key+" cancels it", true)
		return nil
	}
	m.last, m.follow = r, true
	m.send(r)
	return nil
}

// cancel stops the running job; the second time it quits.
func (m *Model) cancel() tea.Cmd {
	if m.now.Before(m.armed) {
		return m.leave()
	}
	m.armed = m.now.Add(twice)
	ctrlC := m.keys.Cancel.Help().Key
	if step, ok := m.st.Running(); ok {
		m.send(wizard.Cancel{})
		m.say("cancelling "+string(step.ID)+"; "+ctrlC+" again quits", false)
		return nil
	}
	m.say(ctrlC+" again quits", false)
	return nil
}

// quit leaves at once when nothing runs, and asks when something does.
func (m *Model) quit() tea.Cmd {
	if _, ok := m.st.Running(); ok && m.screen().Mode != layout.TooSmall && !m.quitting {
		m.quitting = true
		return nil
	}
	return m.leave()
}

func (m *Model) leave() tea.Cmd {
	if _, ok := m.st.Running(); ok {
		m.send(wizard.Cancel{})
	}
	m.Wipe()
	return tea.Sequence(m.flush(), tea.Quit)
}

func (m *Model) secretKey(k tea.KeyPressMsg) tea.Cmd {
	if key.Matches(k, m.keys.Back) { // what was typed waits; Continue opens it again
		m.secretOpen = false
		return nil
	}
	if s, done := m.secret.Key(k); done {
		m.send(wizard.Answer{ID: m.secretAsk, Secret: s})
		m.st, m.secretAt = m.st.Answered(m.secretAsk), m.now
		m.secret, m.secretOpen = nil, false
	}
	return nil
}

// formKey lets a form have a key. Not handled is what the form has no use for.
func (m *Model) formKey(f *form.Form, k tea.KeyPressMsg, command bool) (tea.Cmd, bool) {
	on := func(b key.Binding) bool { return key.Matches(k, b) }
	switch {
	case on(m.keys.Back):
		return m.back(), true
	case on(m.keys.Help) && (k.String() == "f1" || !f.Typing()):
		return nil, false
	case on(m.keys.NextFile), on(m.keys.PrevFile):
		if f != m.form {
			return nil, true
		}
		if m.screen().Mode == layout.Tabs {
			m.focus = 1
		}
		m.prev.Next(map[bool]int{true: 1, false: -1}[on(m.keys.NextFile)])
		return nil, true
	case on(m.keys.ScrollPreview):
		by := 10
		if k.String() == "pgup" {
			by = -10
		}
		if f == m.confirm {
			m.scroll[int(Flash)] = max(0, m.scroll[int(Flash)]+by)
		} else {
			m.prev.Scroll(by)
		}
		return nil, true
	}
	if command && k.Text != "" { // chosen in the palette: a command, not a letter
		return nil, false
	}
	res := f.Key(k)
	// A letter in a form is never a shortcut: the next field may be a choice,
	// and a name typed on must not start a build.
	return m.formResult(f, res), res.Handled || k.Text != "" && !on(m.keys.Help)
}

func (m *Model) formResult(f *form.Form, res form.Result) tea.Cmd {
	cmds := []tea.Cmd{res.Cmd}
	if res.Changed && f == m.form {
		cmds = append(cmds, m.refresh())
	}
	if res.Left != "" && f == m.form && m.portForm && m.formAsk == "" {
		m.send(wizard.SetValue{ID: res.Left, Text: f.Get(res.Left)})
	}
	if !res.Submitted {
		return tea.Batch(cmds...)
	}
	id := m.formAsk
	if f == m.confirm {
		id = m.confAsk
	}
	if id == "" { // the port's own form: every answer was saved when it was left
		return tea.Batch(append(cmds, m.enter(Home))...)
	}
	m.send(wizard.Answer{ID: id, Values: f.Values()})
	m.st = m.st.Answered(id)
	m.follow = true
	if f == m.confirm {
		m.confirm, m.confAsk = nil, ""
	} else {
		m.formAsk, f.Button, f.Error = "", "Done", ""
		if !m.portForm {
			m.form = nil
		}
		cmds = append(cmds, m.show(m.voyageRoom()))
	}
	return tea.Batch(cmds...)
}

// next does what the line "what comes next" says.
func (m *Model) next() tea.Cmd {
	switch next := m.st.Next(); next.Action {
	case nextStart:
		return m.run(wizard.RunSteps{})
	case nextAnswer:
		if m.st.Ask.Secret {
			m.secretOpen = m.secret != nil
			return nil
		}
		m.follow = true
		return m.show(m.voyageRoom())
	case nextPlug:
		m.send(wizard.PluginPractice{})
		m.say("the practice phone is being plugged in", false)
	case nextLook:
		m.follow = true
		return m.show(m.voyageRoom())
	case nextReport:
		return m.enter(Report)
	}
	return nil
}

func (m *Model) choose(d usb.Device) {
	m.st = m.st.Select(d.ID)
	m.send(wizard.SelectDevice{ID: d.ID})
	m.say("works with "+home.Name(d), false)
}
