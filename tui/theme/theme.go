// Package theme holds the styles of the terminal UI. A style never carries a
// meaning alone: every state also has a symbol or a word, so that the screen
// reads the same without colours.
package theme

import (
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Theme is one set of styles. The colours are the sixteen of the terminal's
// own palette, so that they fit light and dark backgrounds alike.
type Theme struct {
	Name string

	Text   lipgloss.Style // running text
	Dim    lipgloss.Style // what matters less: provenance, hints, paths
	Title  lipgloss.Style // names of panes and sections
	Accent lipgloss.Style // what has the focus, what runs
	Good   lipgloss.Style // done
	Warn   lipgloss.Style // needs a look
	Bad    lipgloss.Style // failed
	Key    lipgloss.Style // names of keys
	Select lipgloss.Style // the line under the cursor
	Match  lipgloss.Style // what a search found

	Border lipgloss.Style // frame of a pane
	Focus  lipgloss.Style // frame of the pane with the focus
}

// Calm is the default.
func Calm() Theme {
	s := lipgloss.NewStyle
	return Theme{
		Name:   "calm",
		Text:   s(),
		Dim:    s().Foreground(ansi.BrightBlack),
		Title:  s().Bold(true),
		Accent: s().Foreground(ansi.Cyan),
		Good:   s().Foreground(ansi.Green),
		Warn:   s().Foreground(ansi.Yellow),
		Bad:    s().Foreground(ansi.Red).Bold(true),
		Key:    s().Foreground(ansi.Cyan).Bold(true),
		Select: s().Reverse(true),
		Match:  s().Reverse(true).Bold(true),
		Border: s().Foreground(ansi.BrightBlack),
		Focus:  s().Foreground(ansi.Cyan),
	}
}

// HighContrast uses the terminal's own foreground, bold and reverse, and the
// bright colours only; nothing is dimmed.
func HighContrast() Theme {
	s := lipgloss.NewStyle
	return Theme{
		Name:   "high-contrast",
		Text:   s(),
		Dim:    s(),
		Title:  s().Bold(true).Underline(true),
		Accent: s().Foreground(ansi.BrightCyan).Bold(true),
		Good:   s().Foreground(ansi.BrightGreen).Bold(true),
		Warn:   s().Foreground(ansi.BrightYellow).Bold(true),
		Bad:    s().Foreground(ansi.BrightRed).Bold(true).Reverse(true),
		Key:    s().Bold(true).Underline(true),
		Select: s().Reverse(true).Bold(true),
		Match:  s().Reverse(true).Bold(true).Underline(true),
		Border: s(),
		Focus:  s().Bold(true),
	}
}

// ByName returns the theme with that name, or the default.
func ByName(name string) Theme {
	if name == "high-contrast" {
		return HighContrast()
	}
	return Calm()
}
