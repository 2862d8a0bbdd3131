// Package preview shows the files that would be generated from the answers.
package preview

import (
	"fmt"
	"strings"

	"portolan/tui/draw"
	"portolan/tui/theme"
	"portolan/wizard"
)

// Pane holds the files and which of them is shown.
type Pane struct {
	Files []wizard.GeneratedFile
	Err   error // why there is no preview for the answers as they stand
	Busy  bool

	Missing []string // questions without an answer that will do

	path string // of the file shown, so that it stays when the list changes
	top  int
}

// Next shows another file.
func (p *Pane) Next(by int) {
	if len(p.Files) == 0 {
		return
	}
	n := len(p.Files)
	p.path, p.top = p.Files[((p.index()+by)%n+n)%n].Path, 0
}

// Scroll moves through the file.
func (p *Pane) Scroll(lines int) { p.top = max(0, p.top+lines) }

// first are the files that tell most about a port, shown first.
var first = []string{"deviceinfo", "APKBUILD", "control"}

func (p *Pane) index() int {
	for i, f := range p.Files {
		if f.Path == p.path {
			return i
		}
	}
	for _, name := range first {
		for i, f := range p.Files {
			if strings.HasSuffix(f.Path, "/"+name) {
				return i
			}
		}
	}
	return 0
}

// Title names the file and its place in the list.
func (p *Pane) Title() (title, note string) {
	if len(p.Files) == 0 {
		return "Preview", ""
	}
	i := p.index()
	return draw.Clean(short(p.Files[i].Path)), fmt.Sprintf("%d/%d %s", i+1, len(p.Files), p.Files[i].State)
}

func short(path string) string {
	if parts := strings.Split(path, "/"); len(parts) > 2 {
		return strings.Join(parts[len(parts)-2:], "/")
	}
	return path
}

// maxMissing bounds how many questions are named; the form counts them all.
const maxMissing = 10

// View renders the file.
func (p *Pane) View(t theme.Theme, w, h int) []string {
	var lines []string
	if len(p.Missing) > 0 {
		for _, l := range draw.Wrap("What will be generated shows here once there are answers to", w) {
			lines = append(lines, t.Dim.Render(l))
		}
		for i, title := range p.Missing {
			if i == maxMissing && len(p.Missing) > maxMissing+1 {
				lines = append(lines, t.Dim.Render(fmt.Sprintf("  and %d more", len(p.Missing)-i)))
				break
			}
			lines = append(lines, "· "+title)
		}
		lines = append(lines, "")
	} else if p.Err != nil {
		lines = append(lines, t.Warn.Render("Not yet, because"))
		for _, part := range strings.Split(p.Err.Error(), "\n") {
			for i, l := range draw.Wrap(draw.Clean(part), max(1, w-2)) {
				lines = append(lines, map[bool]string{true: "· ", false: "  "}[i == 0]+l)
			}
		}
		lines = append(lines, "")
	}
	if len(p.Files) == 0 {
		if p.Err == nil && len(p.Missing) == 0 {
			lines = append(lines, "", t.Dim.Render("What will be generated from your answers shows here."))
		}
		return draw.Block(lines, w, h)
	}
	f := p.Files[p.index()]
	if f.Reason != "" {
		lines = append(lines, t.Warn.Render(draw.Fit(draw.Clean(f.Reason), w)))
	}
	text, diff := f.Text, f.Diff != "" && (f.State == "changed" || f.State == "kept")
	if diff {
		text = f.Diff
	}
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	room := h - len(lines)
	p.top = max(0, min(p.top, len(all)-room))
	for _, l := range all[p.top:min(len(all), max(p.top, p.top+room))] {
		l = draw.Clean(l)
		lines = append(lines, paint(t, l, diff))
	}
	return draw.Block(lines, w, h)
}

func paint(t theme.Theme, l string, diff bool) string {
	switch {
	case diff && strings.HasPrefix(l, "+"):
		return t.Good.Render(l)
	case diff && strings.HasPrefix(l, "-"):
		return t.Bad.Render(l)
	case diff && strings.HasPrefix(l, "@"):
		return t.Accent.Render(l)
	case strings.HasPrefix(strings.TrimSpace(l), "#"):
		return t.Dim.Render(l)
	}
	if name, value, ok := strings.Cut(l, "="); ok && !diff && name != "" && !strings.ContainsAny(name, " \t$\"'(") {
		return t.Accent.Render(name) + "=" + value
	}
	return l
}

// Text is the file that is shown, for copying.
func (p *Pane) Text() string {
	if len(p.Files) == 0 {
		return ""
	}
	return p.Files[p.index()].Text
}
