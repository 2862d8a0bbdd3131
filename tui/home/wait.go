package home

import (
	"time"

	"portolan/tui/draw"
	"portolan/tui/theme"
	"portolan/wizard"
)

// hintsAfter is how long a wait may last before causes are offered.
const hintsAfter = 15 * time.Second

// Wait says what a step waits for, what it sees and, after a while, what may
// be in the way, the likeliest first.
func Wait(t theme.Theme, wait *wizard.Waiting, now time.Time, w int) []string {
	if wait == nil {
		return nil
	}
	since := now.Sub(wait.Since)
	var out []string
	add := func(st interface{ Render(...string) string }, text string) {
		for _, l := range draw.Wrap(draw.Clean(text), w) {
			out = append(out, st.Render(l))
		}
	}
	add(t.Warn, "Waits for "+wait.For+" — "+draw.Duration(since))
	if wait.Sees != "" {
		add(t.Text, "Sees: "+wait.Sees)
	}
	if since >= hintsAfter {
		for _, hint := range wait.Hints {
			add(t.Dim, "› "+hint)
		}
	}
	return out
}
