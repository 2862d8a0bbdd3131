package tui

import (
	tea "charm.land/bubbletea/v2"

	"portolan/tui/draw"
	"portolan/tui/form"
	"portolan/tui/secret"
	"portolan/tui/state"
	"portolan/wizard"
)

// take folds a batch of events into the model.
func (m *Model) take(b batch) tea.Cmd {
	var cmds []tea.Cmd
	moved := false
	for _, e := range b.events {
		m.heard = m.now
		m.st = state.Reduce(m.st, e, m.now)
		switch e := e.(type) {
		case wizard.LogLine:
			m.log.Add(e)
			if e.Step == "" && e.Kind == wizard.LineError { // of no step: no room shows it
				m.say(draw.Clean(e.Text), true)
			}
		case wizard.StepStarted:
			m.log.Forget()
			m.log.Known, m.log.Path = "", m.cfg.LogPath
			m.cursorTo(e.Step)
			m.log.Add(wizard.LogLine{Step: e.Step, Kind: wizard.LineNote, Text: "── " + string(e.Step) + " ──"})
			moved = true
		case wizard.StepSkipped:
			m.log.Add(wizard.LogLine{Step: e.Step, Kind: wizard.LineNote, Text: string(e.Step) + ": already done. " + e.Reason})
			m.dropAsks(e.Step)
		case wizard.StepFinished:
			m.log.Add(wizard.LogLine{Step: e.Step, Kind: wizard.LineNote, Text: string(e.Step) + " is done. " + e.Summary})
			m.dropAsks(e.Step)
		case wizard.StepFailed:
			if e.Log != "" {
				m.log.Path = e.Log
			}
			m.log.Known = draw.Clean(e.Text)
			m.log.Add(wizard.LogLine{Step: e.Step, Kind: wizard.LineNote, Text: "── " + string(e.Step) + " " + m.st.Step(e.Step).Status.Word() + " ──"})
			m.notice = "" // of what was done before; what comes next is to be read now
			m.dropAsks(e.Step)
			moved = true
		case wizard.Ask:
			m.ask(e)
			cmds = append(cmds, m.refresh())
			moved = true
		case wizard.PortChanged:
			if m.form != nil && m.portForm {
				m.form.Refill(e.Port.Values)
				cmds = append(cmds, m.refresh())
			}
		case wizard.Generated:
			m.prev.Files, m.prev.Err = e.Files, nil
		case wizard.PlanReady:
			m.scroll[int(Flash)] = 0
			moved = true
		case wizard.SessionOpened:
			m.con.Start(e.Session, e.Title)
			cols, rows := m.con.Size()
			m.send(wizard.SessionResize{Session: e.Session, Cols: cols, Rows: rows})
			moved = true
		case wizard.SessionData:
			if e.Session == m.con.Session {
				if reply := m.con.Write(e.Bytes); len(reply) > 0 {
					m.send(wizard.SessionInput{Session: e.Session, Bytes: reply})
				}
			}
		case wizard.SessionClosed:
			if e.Session == m.con.Session {
				m.con.Close(e.Reason)
			}
		case wizard.TouchTarget, wizard.TouchResult, wizard.Report:
			moved = true
		}
	}
	m.phoneAt = max(0, min(m.phoneAt, len(m.st.Devices)-1))
	if moved && m.follow {
		if r := m.voyageRoom(); r != m.room {
			cmds = append(cmds, m.show(r))
			m.deafUntil = m.now.Add(deaf)
		}
	}
	if b.closed {
		m.closed = true
		return tea.Batch(cmds...)
	}
	return tea.Batch(append(cmds, drain(m.cfg.Events))...)
}

// ask opens what answers a question.
func (m *Model) ask(a wizard.Ask) {
	switch {
	case a.Secret:
		if m.secret != nil {
			m.secret.Wipe()
		}
		why := a.Title
		title := "Passphrase"
		if len(a.Questions) > 0 {
			if a.Questions[0].Title != "" {
				title = a.Questions[0].Title
			}
			if a.Questions[0].Why != "" {
				why = a.Questions[0].Why
			}
		}
		m.secret = secret.New(title, why, a.Error, len(a.Questions) > 1, m.keys)
		m.secretAsk, m.secretOpen = a.ID, true
		if m.now.Sub(m.secretAt) > twice { // "once more" is expected: nobody types for anything else
			m.deafUntil = m.now.Add(deaf)
		}
	case a.Step == wizard.StepFlash:
		m.confirm = form.New(a.Title, a.Questions, nil, m.keys, true)
		m.confirm.Error, m.confirm.Button = a.Error, "Flash"
		m.confAsk = a.ID
		m.deafUntil = m.now.Add(deaf)
	default:
		if m.form == nil || !m.form.Update(a.Questions, m.st.Port.Values) {
			m.form = form.New(a.Title, a.Questions, m.st.Port.Values, m.keys, false)
		}
		m.form.Title, m.form.Error, m.form.Button = a.Title, a.Error, "Go on"
		m.formAsk, m.portForm = a.ID, a.Step == wizard.StepDescribe
	}
}

// cursorTo lets the cursor at home follow the voyage, unless somebody is there.
func (m *Model) cursorTo(step wizard.StepID) {
	if m.room == Home && m.focus == 0 && !m.follow {
		return
	}
	for i, s := range m.st.Steps {
		if s.ID == step {
			m.stepAt = i
		}
	}
}

// dropAsks forgets questions of a step that has ended.
func (m *Model) dropAsks(step wizard.StepID) {
	if m.st.Ask != nil {
		return // another step asks now
	}
	if m.secret != nil {
		m.secret.Wipe()
	}
	m.secret, m.secretOpen, m.secretAsk = nil, false, ""
	m.confirm, m.confAsk = nil, ""
	if m.formAsk != "" {
		m.formAsk = ""
		if !m.portForm {
			m.form = nil
		} else {
			m.form.Button = "Done"
		}
	}
}

// voyageRoom is the room that shows what the voyage does now.
func (m *Model) voyageRoom() Room {
	if m.st.Ask != nil {
		switch {
		case m.st.Ask.Step == wizard.StepFlash && !m.st.Ask.Secret:
			return Flash
		case !m.st.Ask.Secret:
			return Port
		}
	}
	if run, ok := m.st.Running(); ok {
		switch run.ID {
		case wizard.StepDetect:
			return Home
		case wizard.StepDescribe:
			return m.keepOr(Home, Port)
		case wizard.StepFlash:
			return Flash
		case wizard.StepAttach:
			if m.con.Open {
				return Console
			}
			return Work
		case wizard.StepTouch:
			return Touch
		}
		return Work
	}
	if f, ok := m.st.Failed(); ok {
		if f.Status == state.Cancelled { // the person knows why; home says how to go on
			return Home
		}
		return Work
	}
	if m.st.Report != nil {
		return Report
	}
	return Home
}

// keepOr stays in one of two rooms, to avoid a flicker between them.
func (m *Model) keepOr(r, stay Room) Room {
	if m.room == stay {
		return stay
	}
	return r
}
