package keymap

import (
	"strings"
	"unicode/utf8"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

var named = map[string]struct {
	code  rune
	bytes string // as an xterm sends it
}{
	"enter":  {tea.KeyEnter, "\r"},
	"esc":    {tea.KeyEscape, "\x1b"},
	"tab":    {tea.KeyTab, "\t"},
	"space":  {tea.KeySpace, " "},
	"up":     {tea.KeyUp, "\x1b[A"},
	"down":   {tea.KeyDown, "\x1b[B"},
	"right":  {tea.KeyRight, "\x1b[C"},
	"left":   {tea.KeyLeft, "\x1b[D"},
	"home":   {tea.KeyHome, "\x1b[H"},
	"end":    {tea.KeyEnd, "\x1b[F"},
	"pgup":   {tea.KeyPgUp, "\x1b[5~"},
	"pgdown": {tea.KeyPgDown, "\x1b[6~"},
	"f1":     {tea.KeyF1, "\x1bOP"},
}

// Press returns the message that pressing a binding's first key makes. The
// palette uses it to run what was chosen.
func Press(b key.Binding) tea.KeyPressMsg {
	keys := b.Keys()
	if len(keys) == 0 {
		return tea.KeyPressMsg{}
	}
	return tea.KeyPressMsg(parse(keys[0]))
}

func parse(name string) tea.Key {
	var k tea.Key
	for {
		switch {
		case strings.HasPrefix(name, "ctrl+") && len(name) > 5:
			k.Mod |= tea.ModCtrl
			name = name[5:]
			continue
		case strings.HasPrefix(name, "shift+") && len(name) > 6:
			k.Mod |= tea.ModShift
			name = name[6:]
			continue
		}
		break
	}
	if n, ok := named[name]; ok {
		k.Code = n.code
		if name == "space" && k.Mod == 0 {
			k.Text = " "
		}
		return k
	}
	k.Code, _ = utf8.DecodeRuneInString(name)
	if k.Mod == 0 {
		k.Text = name
	}
	return k
}

// Bytes returns what a terminal sends for a binding's first key. The story
// tests press keys with it.
func Bytes(b key.Binding) []byte {
	keys := b.Keys()
	if len(keys) == 0 {
		return nil
	}
	name := keys[0]
	if name == "shift+tab" {
		return []byte("\x1b[Z")
	}
	if rest, ok := strings.CutPrefix(name, "ctrl+"); ok && len(rest) == 1 {
		return []byte{rest[0] & 0x1f}
	}
	if n, ok := named[name]; ok {
		return []byte(n.bytes)
	}
	return []byte(name)
}
