// Package keymap is the one place where keys are given their meaning. The
// footer, the help, the palette, the page docs/keys.md and the story tests are
// all made from it, so none of them can say anything else.
package keymap

import (
	"strings"

	"charm.land/bubbles/v2/key"
)

// KeyMap has every binding of the UI. The fields are grouped by where they are valid.
type KeyMap struct {
	// everywhere but in the console
	Help, Quit, Cancel, Back, NextPane, PrevPane, Zoom, Unzoom, Contrast, Suspend key.Binding
	// rooms
	Home, Port, Work, Flash, Console, Touch, Report, Follow key.Binding
	// the voyage
	Continue, RunStep, ChoosePhone, Build, WriteFlash, Rebuild, Again, Compile, Practice, Unplug key.Binding
	// moving in lists and logs
	Up, Down, Left, Right, PageUp, PageDown, Top, Bottom key.Binding
	// logs and text
	Search, NextMatch, PrevMatch, FirstError, Wrap, Copy key.Binding
	// the form
	NextField, PrevField, Accept, Choose, AcceptAll, Suggestion, NextFile, PrevFile, ScrollPreview key.Binding
	// the passphrase
	TakeSecret, ClearSecret key.Binding
	// the console
	LeaveConsole key.Binding
	// leaving while a job runs
	QuitNow, Stay key.Binding
}

func bind(help, desc string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, desc))
}

// Default returns the keys as documented.
func Default() KeyMap {
	return KeyMap{
		Help:     bind("?", "help and palette for this screen", "?", "f1"),
		Quit:     bind("q", "quit; one level up outside home", "q"),
		Cancel:   bind("ctrl+c", "cancel the running job; twice quits", "ctrl+c"),
		Back:     bind("esc", "one level up; nothing typed is lost", "esc"),
		NextPane: bind("tab", "next pane", "tab"),
		PrevPane: bind("shift+tab", "previous pane", "shift+tab"),
		Zoom:     bind("+", "zoom this pane", "+", "="),
		Unzoom:   bind("_", "all panes again", "_", "-"),
		Contrast: bind("%", "high contrast on and off", "%"),
		Suspend:  bind("ctrl+z", "suspend to the shell", "ctrl+z"),

		Home:    bind("1", "home", "1"),
		Port:    bind("2", "port", "2"),
		Work:    bind("3", "build", "3"),
		Flash:   bind("4", "flash", "4"),
		Console: bind("5", "console", "5"),
		Touch:   bind("6", "touch", "6"),
		Report:  bind("7", "report", "7"),
		Follow:  bind("v", "go where the voyage is", "v"),

		Continue:    bind("enter", "do what comes next", "enter"),
		RunStep:     bind("space", "run this step; alone and in any case", "space"),
		ChoosePhone: bind("space", "work with this phone", "space"),
		Build:       bind("b", "build the packages", "b"),
		WriteFlash:  bind("f", "image and flash", "f"),
		Rebuild:     bind("r", "rebuild, flash and attach", "r"),
		Again:       bind(".", "run the last thing again", "."),
		Compile:     bind("c", "compile a kernel; and boot it on the same phone", "c"),
		Practice:    bind("p", "plug in the practice phone", "p"),
		Unplug:      bind("u", "pull the practice phone's cable", "u"),

		Up:       bind("↑/k", "up", "up", "k"),
		Down:     bind("↓/j", "down", "down", "j"),
		Left:     bind("←/h", "left", "left", "h"),
		Right:    bind("→/l", "right", "right", "l"),
		PageUp:   bind("pgup", "page up", "pgup", "ctrl+u", "ctrl+b"),
		PageDown: bind("pgdn", "page down", "pgdown", "ctrl+d", "ctrl+f"),
		Top:      bind("g", "to the top", "g", "home"),
		Bottom:   bind("G", "to the end; follows again", "G", "end"),

		Search:     bind("/", "search", "/"),
		NextMatch:  bind("n", "next match, or next error", "n"),
		PrevMatch:  bind("N", "previous match, or previous error", "N"),
		FirstError: bind("!", "first error", "!"),
		Wrap:       bind("w", "wrap long lines", "w"),
		Copy:       bind("y", "copy; the line, the error, or what is shown", "y"),

		NextField:     bind("tab", "next question", "tab", "down"),
		PrevField:     bind("shift+tab", "previous question", "shift+tab", "up"),
		Accept:        bind("enter", "take this answer", "enter"),
		Choose:        bind("←/→", "choose", "left", "right"),
		AcceptAll:     bind("ctrl+o", "go on; takes all answers", "ctrl+o"),
		Suggestion:    bind("ctrl+r", "back to the suggestion", "ctrl+r"),
		NextFile:      bind("ctrl+n", "preview the next file", "ctrl+n"),
		PrevFile:      bind("ctrl+p", "preview the previous file", "ctrl+p"),
		ScrollPreview: bind("pgup/pgdn", "scroll the preview", "pgdown", "pgup"),

		TakeSecret:  bind("enter", "take the passphrase", "enter"),
		ClearSecret: bind("ctrl+u", "clear what was typed", "ctrl+u"),

		LeaveConsole: bind("ctrl+]", "leave the console; the session stays open", "ctrl+]"),

		QuitNow: bind("y", "cancel the job and quit", "y"),
		Stay:    bind("n", "stay", "n", "esc"),
	}
}

// Short is a binding's description where there is little room: the footer. It
// is what stands before the semicolon of the whole one.
func Short(b key.Binding) string {
	text, _, _ := strings.Cut(b.Help().Desc, ";")
	return text
}

// Group is a set of bindings under one heading.
type Group struct {
	Name     string
	Bindings []key.Binding
}

// Area is a part of the UI with keys of its own.
type Area string

// The areas.
const (
	Anywhere    Area = "Anywhere"
	Rooms       Area = "Rooms"
	Voyage      Area = "The voyage"
	Moving      Area = "Moving"
	Text        Area = "Logs and text"
	FormArea    Area = "Questions"
	SecretArea  Area = "Passphrase"
	ConsoleArea Area = "Console"
	QuitArea    Area = "Quitting while a job runs"
)

// Areas lists all areas in the order of the documentation.
var Areas = []Area{Anywhere, Rooms, Voyage, Moving, Text, FormArea, SecretArea, ConsoleArea, QuitArea}

// Group returns the bindings of one area.
func (k KeyMap) Group(a Area) Group {
	g := Group{Name: string(a)}
	switch a {
	case Anywhere:
		g.Bindings = []key.Binding{k.Help, k.Quit, k.Back, k.Cancel, k.NextPane, k.PrevPane, k.Zoom, k.Unzoom, k.Contrast, k.Suspend}
	case Rooms:
		g.Bindings = []key.Binding{k.Home, k.Port, k.Work, k.Flash, k.Console, k.Touch, k.Report, k.Follow}
	case Voyage:
		g.Bindings = []key.Binding{k.Continue, k.RunStep, k.ChoosePhone, k.Build, k.WriteFlash, k.Rebuild, k.Again, k.Compile, k.Practice, k.Unplug}
	case Moving:
		g.Bindings = []key.Binding{k.Up, k.Down, k.Left, k.Right, k.PageUp, k.PageDown, k.Top, k.Bottom}
	case Text:
		g.Bindings = []key.Binding{k.Search, k.NextMatch, k.PrevMatch, k.FirstError, k.Wrap, k.Copy}
	case FormArea:
		g.Bindings = []key.Binding{k.Accept, k.NextField, k.PrevField, k.Choose, k.Suggestion, k.AcceptAll, k.NextFile, k.PrevFile, k.ScrollPreview}
	case SecretArea:
		g.Bindings = []key.Binding{k.TakeSecret, k.ClearSecret}
	case ConsoleArea:
		g.Bindings = []key.Binding{k.LeaveConsole}
	case QuitArea:
		g.Bindings = []key.Binding{k.QuitNow, k.Stay}
	}
	return g
}

// Groups returns the bindings of several areas, in order.
func (k KeyMap) Groups(areas ...Area) []Group {
	out := make([]Group, 0, len(areas))
	for _, a := range areas {
		out = append(out, k.Group(a))
	}
	return out
}
