package draw

import (
	"fmt"
	"strings"
	"time"

	"portolan/tui/theme"
)

// Bar draws a measure of done of total in w cells. It is readable without
// colour; an unknown total draws an empty groove.
func Bar(t theme.Theme, done, total int64, w int) string {
	if w <= 0 {
		return ""
	}
	full := 0
	if total > 0 {
		full = int(float64(w) * min(1, max(0, float64(done)/float64(total))))
	}
	return t.Accent.Render(strings.Repeat("━", full)) + t.Dim.Render(strings.Repeat("┄", w-full))
}

// Percent of done of total, or "" when the total is unknown.
func Percent(done, total int64) string {
	if total <= 0 {
		return ""
	}
	return fmt.Sprintf("%d%%", int(100*min(1, max(0, float64(done)/float64(total)))))
}

// Duration prints a length of time as a clock does: 0:07, 12:30, 1:02:03.
func Duration(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	s := int(d.Round(time.Second) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// Since prints for how long something has been so, in few cells.
func Since(d time.Duration) string {
	switch {
	case d < time.Hour:
		return Duration(d)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
}

// Ago prints how long ago something was, in words.
func Ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d/time.Hour))
	}
	return fmt.Sprintf("%d days ago", int(d/(24*time.Hour)))
}

// Bytes prints a size in the binary units that partitions are measured in.
func Bytes(n int64) string {
	switch {
	case n < 0:
		return "?"
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// Count prints a number with thin groups of thousands: 1,234,567.
func Count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
