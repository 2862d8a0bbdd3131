// Package palette is the help of a screen: its keys, searchable and runnable.
package palette

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"portolan/tui/draw"
	"portolan/tui/keymap"
	"portolan/tui/theme"
)

// Palette lists bindings under headings.
type Palette struct {
	title     string
	keys      keymap.KeyMap
	groups    []keymap.Group
	filter    string
	filtering bool
	cursor    int
}

// New opens the palette with the bindings that are valid now.
func New(title string, groups []keymap.Group, keys keymap.KeyMap) *Palette {
	return &Palette{title: title, groups: groups, keys: keys}
}

type entry struct {
	group   string
	binding key.Binding
}

func (p *Palette) entries() []entry {
	var out []entry
	q := strings.ToLower(p.filter)
	for _, g := range p.groups {
		for _, b := range g.Bindings {
			h := b.Help()
			if q == "" || strings.Contains(strings.ToLower(h.Key+" "+h.Desc+" "+g.Name), q) {
				out = append(out, entry{g.Name, b})
			}
		}
	}
	return out
}

// Key handles a key press. It returns the chosen binding, and tells whether
// the palette closes.
func (p *Palette) Key(k tea.KeyPressMsg) (chosen *key.Binding, closed bool) {
	if p.filtering && k.Text != "" {
		p.filter, p.cursor = p.filter+k.Text, 0
		return nil, false
	}
	list := p.entries()
	switch {
	case k.String() == "backspace" && p.filtering:
		if r := []rune(p.filter); len(r) > 0 {
			p.filter = string(r[:len(r)-1])
		} else {
			p.filtering = false
		}
		p.cursor = 0
	case key.Matches(k, p.keys.Back):
		if p.filtering || p.filter != "" {
			p.filtering, p.filter, p.cursor = false, "", 0
			return nil, false
		}
		return nil, true
	case key.Matches(k, p.keys.Accept):
		if p.cursor < len(list) {
			return &list[p.cursor].binding, true
		}
	case key.Matches(k, p.keys.Up):
		p.cursor = max(0, p.cursor-1)
	case key.Matches(k, p.keys.Down):
		p.cursor = max(0, min(p.cursor+1, len(list)-1))
	case key.Matches(k, p.keys.PageUp):
		p.cursor = max(0, p.cursor-10)
	case key.Matches(k, p.keys.PageDown):
		p.cursor = max(0, min(p.cursor+10, len(list)-1))
	case key.Matches(k, p.keys.Top):
		p.cursor = 0
	case key.Matches(k, p.keys.Bottom):
		p.cursor = max(0, len(list)-1)
	case key.Matches(k, p.keys.Search):
		p.filtering = true
	case key.Matches(k, p.keys.Help), key.Matches(k, p.keys.Quit):
		return nil, true
	}
	return nil, false
}

// View renders the palette in a frame of w by h.
func (p *Palette) View(t theme.Theme, w, h int) []string {
	iw, ih := draw.Inner(w, h)
	var lines []string
	from := 0
	group := ""
	for i, e := range p.entries() {
		if e.group != group {
			group = e.group
			if len(lines) > 0 {
				lines = append(lines, "")
			}
			lines = append(lines, t.Title.Render(group))
		}
		row := "  " + draw.Fit(e.binding.Help().Key, 10) + " " + e.binding.Help().Desc
		if i == p.cursor {
			from = len(lines)
			lines = append(lines, t.Select.Render(draw.Fit("▸"+row[1:], iw)))
			continue
		}
		lines = append(lines, "  "+t.Key.Render(draw.Fit(e.binding.Help().Key, 10))+" "+e.binding.Help().Desc)
	}
	if len(lines) == 0 {
		lines = []string{t.Dim.Render("Nothing matches.")}
	}
	note := "/ filters · enter runs · esc closes"
	if p.filtering || p.filter != "" {
		note = "enter runs · esc clears"
		head := t.Key.Render("/") + p.filter
		if p.filtering {
			head += t.Select.Render(" ")
		}
		view, _, _ := draw.Window(lines, from, from, max(0, ih-1))
		lines = append([]string{head}, view...)
	} else {
		lines, _, _ = draw.Window(lines, from, from, ih)
	}
	return draw.Box(t, draw.Frame{Title: p.title, Foot: note, Focused: true}, lines, w, h)
}
