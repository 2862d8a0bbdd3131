package draw

import "github.com/charmbracelet/x/ansi"

// Overlay puts a fitted block in the middle of fitted lines of width w.
func Overlay(base, top []string, w int) []string {
	if len(top) == 0 {
		return base
	}
	tw := ansi.StringWidth(top[0])
	x, y := max(0, (w-tw)/2), max(0, (len(base)-len(top))/2)
	out := append([]string(nil), base...)
	for i, line := range top {
		if y+i >= len(out) {
			break
		}
		under := out[y+i]
		left := Fit(ansi.Cut(under, 0, x), x)
		right := Fit(ansi.TruncateLeft(under, x+tw, ""), max(0, w-x-tw))
		out[y+i] = left + "\x1b[m" + line + "\x1b[m" + right
	}
	return out
}

// Scroll returns the h lines from top on, and top brought into range.
func Scroll(lines []string, top, h int) ([]string, int) {
	top = max(0, min(top, len(lines)-h))
	if h <= 0 {
		return nil, top
	}
	return lines[top:min(len(lines), top+h)], top
}
