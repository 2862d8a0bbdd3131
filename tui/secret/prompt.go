// Package secret asks for a passphrase. What is typed is kept in one byte
// slice that is wiped; it is never put into a string, drawn, or logged.
package secret

import (
	"bytes"
	"runtime"
	"unicode/utf8"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"portolan/tui/draw"
	"portolan/tui/keymap"
	"portolan/tui/theme"
	"portolan/wizard"
)

// maxBytes bounds a passphrase; cryptsetup reads at most 512 by default on a
// prompt (its --keyfile-size limit for interactive input).
const maxBytes = 512

// Prompt asks once, or twice when the first answer must be confirmed.
type Prompt struct {
	Title string
	Why   string
	Error string

	again  bool
	keys   keymap.KeyMap
	buf    []byte
	first  []byte
	second bool
}

// New makes a prompt. With again, the passphrase is asked once more and taken
// only when both are the same.
func New(title, why, problem string, again bool, keys keymap.KeyMap) *Prompt {
	// The whole room is taken at once: growing would leave copies behind.
	return &Prompt{Title: title, Why: why, Error: problem, again: again, keys: keys, buf: make([]byte, 0, maxBytes)}
}

// Key handles a key press. It returns the passphrase once it is complete; the
// prompt is empty then.
func (p *Prompt) Key(k tea.KeyPressMsg) (*wizard.Secret, bool) {
	switch {
	case key.Matches(k, p.keys.TakeSecret):
		return p.take()
	case key.Matches(k, p.keys.ClearSecret):
		p.clear()
	case k.String() == "backspace":
		if len(p.buf) > 0 {
			_, n := utf8.DecodeLastRune(p.buf)
			clear(p.buf[len(p.buf)-n:])
			p.buf = p.buf[:len(p.buf)-n]
		}
	case k.Text != "":
		p.Paste(k.Text)
	}
	return nil, false
}

// Paste appends text, without line ends.
func (p *Prompt) Paste(text string) {
	for _, r := range text {
		if r == '\n' || r == '\r' || len(p.buf)+utf8.RuneLen(r) > maxBytes {
			break
		}
		p.buf = utf8.AppendRune(p.buf, r)
	}
	p.Error = ""
}

func (p *Prompt) take() (*wizard.Secret, bool) {
	if len(p.buf) == 0 {
		p.Error = "an empty passphrase is not taken"
		return nil, false
	}
	if p.again && !p.second {
		p.first, p.second = p.buf, true
		p.buf = make([]byte, 0, maxBytes)
		p.Error = ""
		return nil, false
	}
	if p.again && !bytes.Equal(p.first, p.buf) {
		p.Wipe()
		p.Error = "the two passphrases differ; type the first one again"
		return nil, false
	}
	wipe(p.first)
	s := wizard.NewSecret(p.buf)
	p.buf, p.first, p.second = make([]byte, 0, maxBytes), nil, false
	return s, true
}

func (p *Prompt) clear() {
	clear(p.buf)
	p.buf = p.buf[:0]
}

// Wipe overwrites what was typed and begins again.
func (p *Prompt) Wipe() {
	wipe(p.first)
	wipe(p.buf)
	p.buf, p.first, p.second = p.buf[:0], nil, false
}

func wipe(b []byte) {
	clear(b[:cap(b)])
	runtime.KeepAlive(b)
}

// Lines renders the prompt at a width: a dot for every character.
func (p *Prompt) Lines(t theme.Theme, w int) []string {
	var out []string
	for _, l := range draw.Wrap(draw.Clean(p.Why), w) {
		if p.Why != "" {
			out = append(out, t.Dim.Render(l))
		}
	}
	if p.Why != "" {
		out = append(out, "")
	}
	label := "Passphrase  "
	if p.second {
		label = "Once more   "
	}
	dots := utf8.RuneCount(p.buf)
	room := max(1, w-len(label)-1)
	line := label
	for range min(dots, room) {
		line += "•"
	}
	out = append(out, draw.Fit(line+t.Select.Render(" "), w), "")
	if p.Error != "" {
		for _, l := range draw.Wrap("! "+draw.Clean(p.Error), w) {
			out = append(out, t.Bad.Render(l))
		}
		out = append(out, "")
	}
	for _, l := range draw.Wrap("It is kept in memory only until it was used, never in a file or a log.", w) {
		out = append(out, t.Dim.Render(l))
	}
	return out
}
