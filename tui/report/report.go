// Package report shows what a voyage made and how long it took.
package report

import (
	"strings"
	"time"

	"portolan/tui/draw"
	"portolan/tui/home"
	"portolan/tui/theme"
	"portolan/wizard"
)

// Lines renders the report at a width; the caller scrolls it.
func Lines(t theme.Theme, r *wizard.Report, w int) []string {
	if r == nil {
		return []string{"", t.Title.Render("No report yet."), "",
			t.Dim.Render("It is written when a voyage has come to its end.")}
	}
	var out []string
	row := func(name, value string) {
		if value == "" {
			return
		}
		for i, l := range draw.Wrap(draw.Clean(value), max(1, w-11)) {
			if i > 0 {
				name = ""
			}
			out = append(out, t.Dim.Render(draw.Fit(name, 10))+" "+l)
		}
	}
	phone := home.Name(r.Phone)
	out = append(out, t.Good.Render("✓ ")+t.Title.Render("Land in sight: Linux runs on "+phone), "")
	row("phone", phone+", serial "+r.Phone.Serial)
	row("kernel", r.Uname)
	row("unlocked", r.Unlocked)
	row("touch", r.Touch)
	if r.Flashed > 0 {
		row("flashed", draw.Bytes(r.Flashed)+" sent to the phone")
	}
	out = append(out, "", t.Title.Render("Files"))
	for _, p := range append(append([]wizard.ReportPackage(nil), r.Packages...), r.Image) {
		if p.Path == "" && p.Name == "" {
			continue
		}
		out = append(out, draw.Spread("  "+draw.Clean(p.Name), draw.Bytes(p.Size), w))
		out = append(out, t.Dim.Render(draw.Fit("    "+draw.Clean(p.Path), w)))
		if p.SHA256 != "" {
			out = append(out, t.Dim.Render(draw.Fit("    sha256 "+draw.Clean(p.SHA256), w)))
		}
	}
	out = append(out, "", t.Title.Render("Steps"))
	var total time.Duration
	for _, s := range r.Steps {
		total += s.Took
		out = append(out, "  "+t.Good.Render("✓")+" "+draw.Fit(string(s.Step), 10)+draw.Fit(draw.Duration(s.Took), 9)+t.Dim.Render(draw.Clean(s.Done)))
	}
	out = append(out, t.Dim.Render("    together  "+draw.Duration(total)))
	if r.Next != "" {
		out = append(out, "", t.Title.Render("Next"))
		for _, l := range draw.Wrap(draw.Clean(r.Next), max(1, w-2)) {
			out = append(out, "  "+t.Accent.Render(l))
		}
	}
	for i := range out {
		out[i] = strings.TrimRight(out[i], " ")
	}
	return out
}

// Text is the report for copying.
func Text(r *wizard.Report) string {
	if r == nil {
		return ""
	}
	var b strings.Builder
	plain := theme.Theme{}
	for _, l := range Lines(plain, r, 100) {
		b.WriteString(strings.TrimRight(l, " ") + "\n")
	}
	return b.String()
}
