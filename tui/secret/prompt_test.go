package secret

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"portolan/tui/keymap"
	"portolan/tui/theme"
)

func keyed(p *Prompt, s string) {
	for _, r := range s {
		p.Key(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

func enter(p *Prompt) (string, bool) {
	s, ok := p.Key(keymap.Press(keymap.Default().TakeSecret))
	return string(s.Bytes()), ok
}

func shown(p *Prompt) string {
	return ansi.Strip(strings.Join(p.Lines(theme.Calm(), 60), "\n"))
}

func TestOnce(t *testing.T) {
	p := New("Passphrase", "why", "", false, keymap.Default())
	if _, ok := enter(p); ok {
		t.Fatal("an empty passphrase was taken")
	}
	keyed(p, "geheimx")
	p.Key(tea.KeyPressMsg{Code: tea.KeyBackspace})
	if s := shown(p); strings.Count(s, "•") != 6 || strings.Contains(s, "g••") {
		t.Fatalf("shown:\n%s", s)
	}
	if got, ok := enter(p); !ok || got != "geheim" {
		t.Fatalf("took %q, %v", got, ok)
	}
}

func TestAskedOnceMore(t *testing.T) {
	p := New("Passphrase", "", "", true, keymap.Default())
	keyed(p, "one")
	if _, ok := enter(p); ok || !strings.Contains(shown(p), "Once more") {
		t.Fatalf("not asked once more:\n%s", shown(p))
	}
	keyed(p, "two")
	if _, ok := enter(p); ok || !strings.Contains(shown(p), "differ") {
		t.Fatalf("two different passphrases:\n%s", shown(p))
	}
	keyed(p, "one")
	enter(p)
	keyed(p, "one")
	if got, ok := enter(p); !ok || got != "one" {
		t.Fatalf("took %q, %v", got, ok)
	}
}

func TestWipeLeavesNothing(t *testing.T) {
	p := New("Passphrase", "", "", true, keymap.Default())
	keyed(p, "first")
	first := p.buf[:cap(p.buf)]
	enter(p)
	keyed(p, "second")
	second := p.buf[:cap(p.buf)]
	p.Wipe()
	for _, b := range append(first, second...) {
		if b != 0 {
			t.Fatal("a passphrase is still in memory after Wipe")
		}
	}
}

// The buffer never grows, because growing leaves a copy behind.
func TestLongPasteIsBounded(t *testing.T) {
	p := New("Passphrase", "", "", false, keymap.Default())
	p.Paste(strings.Repeat("ä", 10_000))
	if cap(p.buf) != maxBytes || len(p.buf) != maxBytes {
		t.Fatalf("%d of %d bytes", len(p.buf), cap(p.buf))
	}
	p.Key(keymap.Press(keymap.Default().ClearSecret))
	p.Paste("two\nlines")
	if got, _ := enter(p); got != "two" {
		t.Fatalf("took %q", got)
	}
}
