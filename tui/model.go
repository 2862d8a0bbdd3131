package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"portolan/tui/console"
	"portolan/tui/form"
	"portolan/tui/keymap"
	"portolan/tui/layout"
	"portolan/tui/logpane"
	"portolan/tui/palette"
	"portolan/tui/preview"
	"portolan/tui/secret"
	"portolan/tui/state"
	"portolan/tui/theme"
	"portolan/wizard"
)

// Room is one screen of the UI.
type Room int

// The rooms, in the order of their keys.
const (
	Home Room = iota
	Port
	Work
	Flash
	Console
	Touch
	Report
)

var roomNames = [...]string{"Home", "Port", "Build", "Flash", "Console", "Touch", "Report"}

// String names a room.
func (r Room) String() string { return roomNames[r] }

// deaf is how long what opened by itself ignores keys that were meant for
// what was there before.
const deaf = 400 * time.Millisecond

// noticeFor is how long a notice stays.
const noticeFor = 6 * time.Second

// twice is how soon a second ctrl+c quits.
const twice = 3 * time.Second

// Model is the root of the UI. It is used from Bubble Tea's goroutine alone.
type Model struct {
	cfg   Config
	keys  keymap.KeyMap
	theme theme.Theme
	now   time.Time // when the message at hand was read

	width, height int
	room          Room
	follow        bool // the room changes with the voyage
	focus         int  // 0: first pane, 1: second
	zoom          bool

	st    state.State
	heard time.Time // when the running step was last heard of
	log   *logpane.Pane
	con   *console.Pane
	prev  *preview.Pane
	stale bool // answers changed while the preview was rendered

	form     *form.Form // of the port, or of a step's question
	portForm bool       // the form holds the port's questions
	formAsk  string     // ID of the Ask that the form answers; "": none
	confirm  *form.Form // of the flash step
	confAsk  string

	secret     *secret.Prompt
	secretAsk  string
	secretOpen bool
	secretAt   time.Time // when the last passphrase was taken
	palette    *palette.Palette
	quitting   bool      // the question whether to quit is open
	armed      time.Time // until when a second ctrl+c quits
	deafUntil  time.Time

	searching bool
	query     string

	stepAt, phoneAt int         // cursors at home
	scroll          map[int]int // first line shown of scrolled texts, by room
	last            wizard.RunSteps

	notice     string
	noticeBad  bool
	noticeTill time.Time

	out     []wizard.Intent
	sending bool
	ticking bool
	rousing bool
	closed  bool // the events have ended
}

// New returns the UI before its first event.
func New(cfg Config) *Model {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &Model{
		cfg: cfg, keys: keymap.Default(), theme: theme.ByName(cfg.Theme), now: cfg.Now(),
		follow: true, st: state.New(cfg.Journal), log: logpane.New(), con: console.New(),
		prev: &preview.Pane{}, scroll: map[int]int{},
	}
	m.st.Port = cfg.Port
	m.log.Path = cfg.LogPath
	for i, s := range m.st.Steps { // the cursor waits where the voyage goes on
		if s.Status != state.Done {
			m.stepAt = i
			break
		}
	}
	return m
}

// Init starts reading events.
func (m *Model) Init() tea.Cmd { return drain(m.cfg.Events) }

// Wipe overwrites what was typed of a passphrase.
func (m *Model) Wipe() {
	if m.secret != nil {
		m.secret.Wipe()
	}
}

// Update takes one message. It does no work beyond changing the model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.now = m.cfg.Now()
	if m.notice != "" && m.now.After(m.noticeTill) {
		m.notice = ""
	}
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.resizeConsole()
	case batch:
		cmd = m.take(msg)
	case sent:
		m.sending = false
		if msg.err != nil {
			m.say(msg.err.Error(), true)
		}
	case tick:
		m.ticking = false
	case awake:
		m.rousing = false
	case previewed:
		m.prev.Busy, m.prev.Err = false, msg.err
		if msg.err == nil || len(msg.files) > 0 {
			m.prev.Files = msg.files
		}
		if m.stale {
			cmd = m.refresh()
		}
	case searchOn:
		cmd = m.searchMore()
	case tea.PasteMsg:
		cmd = m.paste(msg.Content)
	case tea.KeyPressMsg:
		cmd = m.key(msg, false)
	}
	return m, tea.Batch(cmd, m.flush(), m.clock(), m.rouse())
}

// layoutState is what the room at hand wants of the screen.
func (m *Model) layoutState() layout.State {
	s := layout.State{Secondary: true, Zoom: m.zoom, Second: m.focus == 1}
	switch m.room {
	case Home:
		s.Percent, s.Rows = 42, 9
	case Port:
		s.Secondary = m.portForm || len(m.prev.Files) > 0 || m.form == nil
		s.Percent, s.Rows = 44, 8
	case Work:
		s.WideOnly, s.Percent = true, 32
	case Flash:
		s.Percent, s.Rows = 40, 6
		s.WideOnly = m.confirm != nil // the plan needs the room while it is confirmed
	default:
		s.Secondary = false
	}
	return s
}

func (m *Model) screen() layout.Screen {
	return layout.Compute(m.width, m.height, m.layoutState())
}

// enter goes to a room because a person asked for it.
func (m *Model) enter(r Room) tea.Cmd {
	m.follow = r == m.voyageRoom()
	return m.show(r)
}

func (m *Model) show(r Room) tea.Cmd {
	if r != m.room {
		m.focus, m.zoom = 0, false
	}
	m.room = r
	if r == Port && m.form == nil {
		m.openPortForm()
		return m.refresh()
	}
	return nil
}

// openPortForm shows the port's questions while no step asks them.
func (m *Model) openPortForm() {
	if len(m.cfg.Questions) == 0 {
		return
	}
	m.form = form.New("Port", m.cfg.Questions, m.st.Port.Values, m.keys, false)
	m.form.Button = "Done"
	m.portForm, m.formAsk = true, ""
}

func (m *Model) say(text string, bad bool) {
	m.notice, m.noticeBad, m.noticeTill = text, bad, m.now.Add(noticeFor)
}

// activeForm is the form that keys go to, or nil.
func (m *Model) activeForm() *form.Form {
	if m.focus != 0 {
		return nil
	}
	switch m.room {
	case Port:
		return m.form
	case Flash:
		return m.confirm
	}
	return nil
}

// resizeConsole tells the phone the size of its terminal.
func (m *Model) resizeConsole() {
	sc := layout.Compute(m.width, m.height, layout.State{})
	if sc.Mode == layout.TooSmall {
		return
	}
	w, h := m.inner(sc, sc.Primary)
	reply, changed := m.con.Resize(w, h)
	if !changed || !m.con.Open {
		return
	}
	m.send(wizard.SessionResize{Session: m.con.Session, Cols: w, Rows: h})
	if len(reply) > 0 {
		m.send(wizard.SessionInput{Session: m.con.Session, Bytes: reply})
	}
}
