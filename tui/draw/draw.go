// Package draw has the few text operations that every pane shares: blocks of
// lines of an exact width and height. All widths are terminal cells as
// x/ansi counts them; styled text keeps its escape sequences.
package draw

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"portolan/tui/theme"
)

// Fit cuts s to w cells, marking the cut with an ellipsis, and pads it with
// blanks to exactly w.
func Fit(s string, w int) string {
	if w <= 0 {
		return ""
	}
	if strings.ContainsAny(s, "\n\r\t") {
		s = strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(s)
	}
	n := ansi.StringWidth(s)
	if n > w {
		s = ansi.Truncate(s, w, "…")
		n = ansi.StringWidth(s)
	}
	if n < w {
		s += strings.Repeat(" ", w-n)
	}
	return s
}

// Block makes lines exactly w wide and exactly h many.
func Block(lines []string, w, h int) []string {
	if h < 0 {
		h = 0
	}
	out := make([]string, h)
	for i := range out {
		if i < len(lines) {
			out[i] = Fit(lines[i], w)
		} else {
			out[i] = Fit("", w)
		}
	}
	return out
}

// Window returns the h lines of lines that show from..to (both included),
// and whether lines are hidden above and below. It keeps some context above.
func Window(lines []string, from, to, h int) (view []string, above, below bool) {
	if h <= 0 {
		return nil, false, false
	}
	if len(lines) <= h {
		return lines, false, false
	}
	top := from - (h-(to-from+1))/2
	if to-from+1 > h {
		top = from
	}
	top = max(0, min(top, len(lines)-h))
	return lines[top : top+h], top > 0, top+h < len(lines)
}

// Wrap breaks plain or styled text into lines of at most w cells.
func Wrap(s string, w int) []string {
	if w <= 0 {
		return nil
	}
	return strings.Split(ansi.Wrap(s, w, ""), "\n")
}

// Beside puts two blocks next to each other; both must be fitted already.
func Beside(a, b []string) []string {
	n := max(len(a), len(b))
	out := make([]string, n)
	for i := range out {
		if i < len(a) {
			out[i] = a[i]
		}
		if i < len(b) {
			out[i] += b[i]
		}
	}
	return out
}

// Spread puts left at the left edge and right at the right edge of w cells;
// right gives way when there is no room for both.
func Spread(left, right string, w int) string {
	lw, rw := ansi.StringWidth(left), ansi.StringWidth(right)
	if rw == 0 || lw+rw+1 > w {
		if lw+4 < w && rw > 0 {
			return Fit(left+" "+Fit(right, w-lw-1), w)
		}
		return Fit(left, w)
	}
	return left + strings.Repeat(" ", w-lw-rw) + right
}

// Frame is the border of a pane.
type Frame struct {
	Title   string
	Note    string // shown at the right of the top border
	Foot    string // shown at the right of the bottom border
	Focused bool
}

// Inner returns the size of what a frame of w by h can hold.
func Inner(w, h int) (int, int) { return max(0, w-4), max(0, h-2) }

// Box draws a frame of exactly w by h around content. Content is fitted to the
// inner size. Below 6x3 there is no room for a border and it is left out.
func Box(t theme.Theme, f Frame, content []string, w, h int) []string {
	if w < 6 || h < 3 {
		return Block(content, w, h)
	}
	border, mark := t.Border, "─ "
	if f.Focused {
		border, mark = t.Focus, "━ " // focus is told by the mark as well as by the colour
	}
	iw, ih := Inner(w, h)
	body := Block(content, iw, ih)
	out := make([]string, 0, h)
	out = append(out, edge(t, border, "╭"+mark, f.Title, f.Note, "╮", w, f.Focused))
	side := border.Render("│")
	for _, line := range body {
		out = append(out, side+" "+line+" "+side)
	}
	return append(out, edge(t, border, "╰─", "", f.Foot, "╯", w, false))
}

type style interface{ Render(...string) string }

// edge draws a horizontal border with a title at the left and a note at the right.
func edge(t theme.Theme, border style, left, title, note, right string, w int, focused bool) string {
	room := w - ansi.StringWidth(left) - ansi.StringWidth(right)
	if title != "" && room > 2 {
		title = ansi.Truncate(title, room-1, "…") + " "
	} else {
		title = ""
	}
	room -= ansi.StringWidth(title)
	if note != "" && room > 8 {
		note = " " + ansi.Truncate(note, room-5, "…") + " "
	} else {
		note = ""
	}
	room -= ansi.StringWidth(note)
	tail := ""
	if note != "" && room > 1 {
		tail = "─"
		room--
	}
	titleStyle := t.Title
	if focused {
		titleStyle = t.Accent.Bold(true)
	}
	return border.Render(left) + titleStyle.Render(title) + border.Render(strings.Repeat("─", max(0, room))) +
		t.Dim.Render(note) + border.Render(tail+right)
}
