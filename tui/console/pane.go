package console

import (
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"

	"portolan/tui/draw"
	"portolan/tui/theme"
)

// Pane shows one session. The zero size is settled by the first Resize.
type Pane struct {
	Session string
	Title   string
	Open    bool
	Reason  string

	term   *terminal
	w, h   int
	dots   int    // characters typed at a passphrase prompt; never the characters
	prompt string // the prompt they belong to
	note   string
	back   int // lines scrolled into the past
}

// New returns a pane without a session.
func New() *Pane { return &Pane{w: 80, h: 24} }

// Start begins a session with an empty screen.
func (p *Pane) Start(session, title string) {
	p.Session, p.Title, p.Open, p.Reason = session, title, true, ""
	p.term = newTerminal(p.w, p.h)
	p.dots, p.prompt, p.note, p.back = 0, "", "", 0
}

// Close ends the session; its screen stays.
func (p *Pane) Close(reason string) {
	p.Open, p.Reason, p.dots = false, reason, 0
}

// Write draws what the phone sent. It returns what the terminal answers.
func (p *Pane) Write(b []byte) (reply []byte) {
	if p.term == nil {
		return nil
	}
	reply, err := p.term.write(b)
	if err != nil { // begin again with an empty screen instead of a broken one
		p.term, p.note = newTerminal(p.w, p.h), err.Error()
	}
	p.back = 0
	if line := p.lastLine(); !asksSecret(line) || line != p.prompt || strings.ContainsRune(string(b), '\n') {
		p.prompt, p.dots = line, 0
	}
	return reply
}

// Resize sets the size of the screen; it tells whether it changed.
func (p *Pane) Resize(w, h int) (reply []byte, changed bool) {
	w, h = max(1, min(w, 1000)), max(1, min(h, 500))
	if w == p.w && h == p.h {
		return nil, false
	}
	p.w, p.h = w, h
	if p.term == nil {
		return nil, true
	}
	return p.term.resize(w, h), true
}

// Size is the size of the phone's terminal.
func (p *Pane) Size() (cols, rows int) { return p.w, p.h }

// Key returns the bytes that a key sends to the phone.
func (p *Pane) Key(k tea.KeyPressMsg) []byte {
	if p.term == nil || !p.Open {
		return nil
	}
	p.back = 0
	if p.Secret() {
		switch {
		case k.String() == "enter":
			p.dots = 0
		case k.String() == "ctrl+u", k.String() == "ctrl+c":
			p.dots = 0
		case k.String() == "backspace":
			p.dots = max(0, p.dots-1)
		case k.Text != "":
			p.dots += utf8.RuneCountInString(k.Text)
		}
	}
	if k.Text != "" && k.Mod&^(tea.ModShift|tea.ModCapsLock|tea.ModNumLock) == 0 {
		return []byte(k.Text)
	}
	return p.term.key(uv.KeyPressEvent(k))
}

// Paste returns the bytes that a paste sends to the phone.
func (p *Pane) Paste(text string) []byte {
	if p.term == nil || !p.Open {
		return nil
	}
	if p.Secret() {
		text, _, _ = strings.Cut(text, "\n")
		p.dots += utf8.RuneCountInString(text)
	}
	return p.term.paste(text)
}

// Scroll moves the view into the past (positive) or back to now.
func (p *Pane) Scroll(lines int) {
	if p.term != nil {
		p.back = max(0, min(p.back+lines, p.term.emu.ScrollbackLen()))
	}
}

// Secret tells whether the phone asks for a passphrase now.
func (p *Pane) Secret() bool { return p.Open && asksSecret(p.lastLine()) }

// lastLine is the text of the row that the cursor is on.
func (p *Pane) lastLine() string {
	if p.term == nil {
		return ""
	}
	return p.row(p.term.emu.CursorPosition().Y)
}

func (p *Pane) row(y int) string {
	var b strings.Builder
	for x := 0; x < p.term.emu.Width(); x++ {
		if c := p.term.emu.CellAt(x, y); c != nil {
			b.WriteString(c.Content)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// Text is what the screen shows, for copying.
func (p *Pane) Text() string {
	if p.term == nil {
		return ""
	}
	return strings.TrimRight(ansi.Strip(p.term.emu.Render()), "\n ") + "\n"
}

// Status is one line about the session.
func (p *Pane) Status() string {
	switch {
	case p.Session == "":
		return ""
	case !p.Open:
		return "closed: " + draw.Clean(p.Reason)
	case p.note != "":
		return p.note
	case p.Secret():
		return "typed characters show as dots and go only to the phone"
	case p.back > 0:
		return "looking back"
	}
	return "every key goes to the phone"
}

// View renders the screen of the phone with its cursor.
func (p *Pane) View(t theme.Theme, w, h int, focused bool) []string {
	if p.term == nil {
		return draw.Block([]string{
			"", t.Title.Render("No session with the phone yet."), "",
			t.Dim.Render("It opens by itself once the phone's network is up,"),
			t.Dim.Render("in the attach step."),
		}, w, h)
	}
	lines := p.screen()
	if focused && p.Open && p.back == 0 {
		p.cursor(t, lines)
	}
	return draw.Block(lines, w, h)
}

// screen renders the rows, from the past when scrolled back.
func (p *Pane) screen() []string {
	now := strings.Split(p.term.emu.Render(), "\n")
	for i := range now {
		now[i] = strings.TrimRight(now[i], "\r") + "\x1b[m"
	}
	if p.back == 0 {
		return now
	}
	var past []string
	n := p.term.emu.ScrollbackLen()
	for y := n - p.back; y < n && len(past) < len(now); y++ {
		var b strings.Builder
		for x := 0; x < p.w; x++ {
			if c := p.term.emu.ScrollbackCellAt(x, y); c != nil {
				b.WriteString(c.Content)
			}
		}
		past = append(past, b.String())
	}
	return append(past, now[:len(now)-len(past)]...)
}

// cursor draws the cursor, and the dots of a passphrase before it.
func (p *Pane) cursor(t theme.Theme, lines []string) {
	pos := p.term.emu.CursorPosition()
	if pos.Y < 0 || pos.Y >= len(lines) {
		return
	}
	line := draw.Fit(lines[pos.Y], p.w)
	x := max(0, min(pos.X, p.w-1))
	head := ansi.Cut(line, 0, x)
	if p.Secret() {
		dots := strings.Repeat("•", max(0, min(p.dots, p.w-x-1)))
		lines[pos.Y] = head + "\x1b[m" + dots + t.Select.Render(" ")
		return
	}
	under := ansi.Strip(ansi.Cut(line, x, x+1))
	if ansi.StringWidth(under) == 0 {
		under = " "
	}
	lines[pos.Y] = head + "\x1b[m" + t.Select.Render(under) + ansi.Cut(line, x+1, p.w)
}
