package draw

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"portolan/tui/theme"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                     "plain",
		"\x1b[31mred\x1b[m":         "red",
		"a\tb":                      "a       b",
		"10%\r20%\r30%":             "30%",
		"done\r\n":                  "done",
		"bell\x07 null\x00 del\x7f": "bell null del",
		"c1 \u0085\u009b31m":        "c1 31m",
		"\x1b]0;title\x07text":      "text",
		"bidi \u202egnp.exe\u202c":  "bidi gnp.exe",
		"no utf8 \xff":              "no utf8 \ufffd",
		"日本語":                       "日本語",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Clean(strings.Repeat("x", 10*MaxLine)); len(got) > MaxLine+100 {
		t.Errorf("a long line is %d bytes after Clean", len(got))
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred", "a\tb\r\n", "\xff\xfe", "\x1b]8;;http://x\x07l\x1b]8;;\x07", "\u009b31m", "\x1bP\x1b", "e\u0301\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Clean(s) {
			if unicode.IsControl(r) {
				t.Fatalf("Clean(%q) keeps %U", s, r)
			}
		}
	})
}

func TestFitIsExact(t *testing.T) {
	for _, s := range []string{"", "abc", "日本語テキスト", "\x1b[31mred text\x1b[m tail", "e\u0301e\u0301", "a\nb\tc", "👩‍👩‍👧‍👦 family"} {
		for w := range 30 {
			if n := ansi.StringWidth(Fit(s, w)); n != w {
				t.Errorf("Fit(%q, %d) is %d wide", s, w, n)
			}
		}
	}
}

func TestBoxIsExact(t *testing.T) {
	for w := range 60 {
		for h := range 12 {
			f := Frame{Title: "A long title of a pane", Note: "3 of 12, changed", Foot: "+1,234 new lines", Focused: w%2 == 0}
			lines := Box(theme.Calm(), f, []string{"content", "日本語日本語日本語"}, w, h)
			if len(lines) != h {
				t.Fatalf("%dx%d: %d lines", w, h, len(lines))
			}
			for _, l := range lines {
				if n := ansi.StringWidth(l); n != w {
					t.Fatalf("%dx%d: a line is %d wide: %q", w, h, n, ansi.Strip(l))
				}
			}
		}
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Duration(7 * time.Second): "0:07", Duration(-time.Hour): "0:00", Duration(3723 * time.Second): "1:02:03",
		Bytes(512): "512 B", Bytes(31 << 20): "31.0 MiB", Bytes(1536 << 20): "1.50 GiB", Bytes(-1): "?",
		Count(0): "0", Count(999): "999", Count(1234567): "1,234,567", Count(-1000): "-1,000",
		Percent(1, 3): "33%", Percent(5, 0): "", Percent(9, 3): "100%",
		Ago(90 * time.Minute): "1 h ago", Ago(12 * time.Minute): "12 min ago", Since(5 * time.Hour): "5 h",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
