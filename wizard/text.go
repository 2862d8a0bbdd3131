package wizard

import "strings"

// Printable makes a line of text from outside, a phone's or a program's, safe
// to show: a tab becomes a blank, and control characters, which could move the
// cursor of the terminal that shows it, are dropped.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			return -1
		}
		return r
	}, s)
}
