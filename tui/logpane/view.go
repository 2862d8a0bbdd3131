package logpane

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"portolan/tui/draw"
	"portolan/tui/theme"
	"portolan/wizard"
)

// prefix tells the kind of a line without colour.
func prefix(k wizard.LineKind) string {
	switch k {
	case wizard.LineCommand:
		return "$ "
	case wizard.LineNote:
		return "» "
	case wizard.LineWarning:
		return "? "
	case wizard.LineError:
		return "! "
	}
	return "  "
}

// View renders h rows of w cells. Its cost depends on h alone.
func (p *Pane) View(t theme.Theme, w, h int) []string {
	if w <= 0 || h <= 0 {
		return draw.Block(nil, max(0, w), max(0, h))
	}
	pinned := p.pinned(t, w, h)
	h -= len(pinned)
	p.width, p.height = w, h
	if p.top < p.ring.first() { // what was looked at has been dropped
		p.top, p.sub = p.ring.first(), 0
	}
	p.cursor = max(p.cursor, p.ring.first())
	var top, sub int
	if p.follow {
		top, sub = p.bottomTop()
	} else {
		p.reveal()
		top, sub = p.top, p.sub
	}
	rows := make([]string, 0, h)
	for n := top; n < p.ring.next && len(rows) < h; n++ {
		for i, row := range p.rows(t, n, w) {
			if n == top && i < sub {
				continue
			}
			if len(rows) < h {
				rows = append(rows, row)
			}
		}
	}
	return append(pinned, draw.Block(rows, w, h)...)
}

// pinned keeps the first error in sight, whatever the log shows below it.
func (p *Pane) pinned(t theme.Theme, w, h int) []string {
	text, ok := p.FirstError()
	if !ok || h < 4 || text == p.Known {
		return nil
	}
	head := "first error: "
	if n := len(p.errors); n > 1 {
		head = "first of " + draw.Count(int64(n)) + " errors: "
	}
	return []string{
		t.Bad.Render(draw.Fit("! "+head+strings.TrimSpace(text), w)),
		t.Dim.Render(strings.Repeat("╌", w)),
	}
}

// rows renders one line: one row, or several when wrapped.
func (p *Pane) rows(t theme.Theme, n, w int) []string {
	text, kind := p.ring.at(n)
	st := style(t, kind)
	s := string(text)
	on := !p.follow && n == p.cursor
	mark := prefix(kind)
	if on {
		mark = "▸ "
	}
	paint := func(s string) string {
		if on {
			return t.Select.Render(s)
		}
		return p.highlight(t, st, s)
	}
	room := w - 2
	if room <= 0 {
		return []string{draw.Fit(s, w)}
	}
	if !p.wrap {
		if p.left > 0 {
			s = ansi.TruncateLeft(s, p.left, "…")
		}
		return []string{st.Render(mark) + paint(draw.Fit(s, room))}
	}
	parts := p.split(s, room)
	out := make([]string, len(parts))
	for i, part := range parts {
		out[i] = st.Render(mark) + paint(draw.Fit(part, room))
		mark = "  "
	}
	return out
}

func (p *Pane) split(s string, room int) []string {
	if len(s) <= room {
		return []string{s}
	}
	return strings.Split(ansi.Hardwrap(s, room, true), "\n")
}

// height of a line in rows.
func (p *Pane) lineRows(n int) int {
	if !p.wrap || p.width <= 2 {
		return 1
	}
	text, _ := p.ring.at(n)
	return len(p.split(string(text), p.width-2))
}

// highlight marks what a search found.
func (p *Pane) highlight(t theme.Theme, st interface{ Render(...string) string }, s string) string {
	if p.search.query == "" {
		return st.Render(s)
	}
	i := index([]byte(s), []byte(p.search.query), p.search.fold)
	if i < 0 {
		return st.Render(s)
	}
	j := i + len(p.search.query)
	return st.Render(s[:i]) + t.Match.Render(s[i:j]) + st.Render(s[j:])
}

// bottomTop is the place from where the newest line is the last row.
func (p *Pane) bottomTop() (top, sub int) {
	left := p.height
	for n := p.ring.next - 1; n >= p.ring.first(); n-- {
		r := p.lineRows(n)
		if r >= left {
			return n, r - left
		}
		left -= r
	}
	return p.ring.first(), 0
}

// reveal moves the view as little as possible so that the cursor's line shows.
func (p *Pane) reveal() {
	if p.cursor < p.top || p.cursor == p.top && p.sub > 0 {
		p.top, p.sub = p.cursor, 0
		return
	}
	if p.cursor-p.top > 2*p.height+1 { // far below: no need to count rows in between
		p.top, p.sub = p.cursor-p.height, 0
	}
	rows := -p.sub
	for n := p.top; n <= p.cursor; n++ {
		rows += p.lineRows(n)
	}
	for rows > p.height && p.top < p.cursor {
		rows -= p.lineRows(p.top) - p.sub
		p.top, p.sub = p.top+1, 0
	}
}
