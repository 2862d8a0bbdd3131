// Package touch shows where to tap, what was read and the matrix that was found.
package touch

import (
	"fmt"
	"math"
	"strings"

	"portolan/tui/draw"
	"portolan/tui/state"
	"portolan/tui/theme"
	"portolan/wizard"
)

// View renders the phone at the left and what is known at the right; on narrow
// screens below each other.
func View(t theme.Theme, s state.Touch, aspect float64, w, h int) []string {
	if s.Target == nil && s.Result == nil && len(s.Taps) == 0 {
		return draw.Block([]string{
			"", t.Title.Render("The touchscreen is not lined up yet."), "",
			t.Dim.Render("The touch step shows targets here and on the phone,"),
			t.Dim.Render("reads your taps and writes the rule that fits."),
		}, w, h)
	}
	if aspect <= 0 {
		aspect = 9.0 / 16
	}
	if w < 56 {
		text := facts(t, s, w)
		ph := h - len(text) - 1
		if ph < 7 {
			return draw.Block(append(append([]string(nil), brief(t, s)...), text...), w, h)
		}
		return draw.Block(append(append(Phone(t, s, aspect, w, ph), ""), text...), w, h)
	}
	pw := max(24, min(w*2/5, 60))
	left := draw.Block(Phone(t, s, aspect, pw, h), pw, h)
	right := draw.Block(facts(t, s, w-pw-3), w-pw-3, h)
	gap := draw.Block(nil, 3, h)
	return draw.Block(draw.Beside(draw.Beside(left, gap), right), w, h)
}

// Phone draws the screen with its targets. A cell is about twice as high as
// it is wide.
func Phone(t theme.Theme, s state.Touch, aspect float64, w, h int) []string {
	ih := max(1, h-2)
	iw := int(math.Round(float64(ih) * 2 * aspect))
	if iw > w-2 {
		iw = max(1, w-2)
		ih = max(1, min(ih, int(math.Round(float64(iw)/2/aspect))))
	}
	iw = max(1, iw)
	cells := make([][]string, ih)
	for y := range cells {
		cells[y] = strings.Split(strings.Repeat(" ", iw), "")
	}
	put := func(x, y float64, s string) {
		cx := max(0, min(int(x*float64(iw)), iw-1))
		cy := max(0, min(int(y*float64(ih)), ih-1))
		cells[cy][cx] = s
	}
	for _, target := range s.Targets {
		put(target.X, target.Y, t.Good.Render("✓"))
	}
	if s.Target != nil {
		put(s.Target.X, s.Target.Y, t.Match.Render("◎"))
	}
	out := []string{t.Border.Render("╭" + strings.Repeat("─", iw) + "╮")}
	for _, row := range cells {
		out = append(out, t.Border.Render("│")+strings.Join(row, "")+t.Border.Render("│"))
	}
	return append(out, t.Border.Render("╰"+strings.Repeat("─", iw)+"╯"))
}

func brief(t theme.Theme, s state.Touch) []string {
	if s.Target == nil {
		return nil
	}
	return []string{t.Accent.Render("tap "+place(s.Target.X, s.Target.Y)) + " of the phone's screen"}
}

// place says where a target is, for those who do not see the picture.
func place(x, y float64) string {
	pick := func(v float64, names [3]string) string { return names[max(0, min(2, int(v*3)))] }
	v, h := pick(y, [3]string{"top", "middle", "bottom"}), pick(x, [3]string{"left", "centre", "right"})
	if v == "middle" && h == "centre" {
		return "the centre"
	}
	return "the " + v + " " + h
}

func facts(t theme.Theme, s state.Touch, w int) []string {
	var out []string
	if s.Target != nil {
		out = append(out, t.Title.Render(fmt.Sprintf("Target %d of %d", s.Target.Index+1, s.Target.Count)))
		for _, l := range draw.Wrap("Tap ◎ on the phone: "+place(s.Target.X, s.Target.Y)+".", w) {
			out = append(out, t.Accent.Render(l))
		}
		if s.Target.Device != "" {
			out = append(out, t.Dim.Render(draw.Clean(s.Target.Device)))
		}
		out = append(out, "")
	}
	if s.Result != nil {
		out = append(out, result(t, *s.Result, w)...)
	}
	if len(s.Taps) > 0 {
		out = append(out, t.Title.Render("Taps as the panel reports them"))
		from := max(0, len(s.Taps)-12)
		for i, tap := range s.Taps[from:] {
			out = append(out, fmt.Sprintf("%s %2d   x %6.4f   y %6.4f", t.Good.Render("✓"), from+i+1, tap.X, tap.Y))
		}
	}
	return out
}

func result(t theme.Theme, r wizard.TouchResult, w int) []string {
	out := []string{t.Good.Render("✓ ") + t.Title.Render(draw.Clean(r.Name)), ""}
	if r.Device != "" {
		out = append(out, t.Dim.Render(draw.Clean(r.Device)))
	}
	for i := 0; i < 6; i += 3 {
		out = append(out, fmt.Sprintf("⎡ %8.4f %8.4f %8.4f ⎤", r.Matrix[i], r.Matrix[i+1], r.Matrix[i+2]))
	}
	out[len(out)-1] = strings.NewReplacer("⎡", "⎣", "⎤", "⎦").Replace(out[len(out)-1])
	out = append(out, t.Dim.Render(fmt.Sprintf("residual %.4f of the screen", r.Residual)), "")
	if r.Rule != "" {
		out = append(out, t.Title.Render("Rule"))
		out = append(out, draw.Wrap(draw.Clean(strings.ReplaceAll(r.Rule, "\n", " ")), w)...)
		out = append(out, "")
	}
	return out
}
