package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"portolan/wizard"
)

// Bounds of one batch of events. A batch is drawn once, so that a million log
// lines cost a few hundred frames; gather is how long a batch of nothing but
// log lines and progress waits for more.
const (
	maxBatch      = 4096
	maxBatchBytes = 256 << 10 // bytes for the console in one batch
	gather        = 12 * time.Millisecond
)

// batch is what the drain command read.
type batch struct {
	events []wizard.Event
	closed bool
}

// drain reads events until there are none or the batch is full.
func drain(ch <-chan wizard.Event) tea.Cmd {
	if ch == nil {
		return nil
	}
	return func() tea.Msg {
		e, ok := <-ch
		if !ok {
			return batch{closed: true}
		}
		b := batch{events: []wizard.Event{e}}
		size := sessionBytes(e)
		var timeout <-chan time.Time
		if patient(e) {
			timer := time.NewTimer(gather)
			defer timer.Stop()
			timeout = timer.C
		}
		for len(b.events) < maxBatch && size < maxBatchBytes {
			if timeout == nil {
				select {
				case e, ok = <-ch:
				default:
					return b
				}
			} else {
				select {
				case e, ok = <-ch:
				case <-timeout:
					return b
				}
			}
			if !ok {
				b.closed = true
				return b
			}
			b.events = append(b.events, e)
			size += sessionBytes(e)
			if !patient(e) { // something that a person waits for: take what is there and draw
				timeout = nil
			}
		}
		return b
	}
}

func patient(e wizard.Event) bool {
	switch e.(type) {
	case wizard.LogLine, wizard.Progress:
		return true
	}
	return false
}

func sessionBytes(e wizard.Event) int {
	if d, ok := e.(wizard.SessionData); ok {
		return len(d.Bytes)
	}
	return 0
}

// sent tells that the outbox was passed on.
type sent struct{ err error }

// send queues intents; flush passes them on in order.
func (m *Model) send(in ...wizard.Intent) { m.out = append(m.out, in...) }

// flush starts a command that passes the queued intents on, unless one is
// under way: then it is called again when that one is done.
func (m *Model) flush() tea.Cmd {
	if m.sending || len(m.out) == 0 {
		return nil
	}
	if m.cfg.Send == nil {
		m.out = nil
		return nil
	}
	list, pass := m.out, m.cfg.Send
	m.out, m.sending = nil, true
	return func() tea.Msg {
		var first error
		for _, in := range list {
			if err := pass(in); err != nil && first == nil {
				first = err
			}
		}
		return sent{first}
	}
}

// tick makes clocks on the screen move; it runs only while one is shown.
type tick struct{}

func (m *Model) clock() tea.Cmd {
	_, running := m.st.Running()
	moving := running || m.st.Waiting != nil || m.notice != "" || m.room == Home && len(m.st.Devices) > 0
	if m.ticking || !moving {
		return nil
	}
	m.ticking = true
	return tea.Tick(time.Second, func(time.Time) tea.Msg { return tick{} })
}

// awake draws the keys again once what opened by itself listens to them.
type awake struct{}

func (m *Model) rouse() tea.Cmd {
	if m.rousing || !m.now.Before(m.deafUntil) {
		return nil
	}
	m.rousing = true
	return tea.Tick(m.deafUntil.Sub(m.now), func(time.Time) tea.Msg { return awake{} })
}

// previewed is what the preview command rendered.
type previewed struct {
	files []wizard.GeneratedFile
	err   error
}

// refresh renders the preview outside of Update, one call at a time: when the
// answers change meanwhile, it is rendered once more afterwards.
func (m *Model) refresh() tea.Cmd {
	if m.cfg.Preview == nil || m.form == nil || !m.portForm {
		return nil
	}
	if m.form.Problems() > 0 { // the form names them; the last preview stays
		m.prev.Err = nil
		return nil
	}
	if m.prev.Busy {
		m.stale = true
		return nil
	}
	m.prev.Busy, m.stale = true, false
	values, render := m.form.Values(), m.cfg.Preview
	return func() tea.Msg {
		files, err := render(values)
		return previewed{files, err}
	}
}
