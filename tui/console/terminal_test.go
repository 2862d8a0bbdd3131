package console

import (
	"bytes"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"

	"portolan/tui/theme"
)

// The emulator writes its answers into an unbuffered pipe; no call may hang or
// lose a byte, however the two goroutines are scheduled.
func TestRepliesAreComplete(t *testing.T) {
	term := newTerminal(80, 24)
	for i := range 2000 {
		if got, err := term.write([]byte("\x1b[c\x1b[6n\x1b[5n")); err != nil || bytes.Count(got, []byte("\x1b")) != 3 {
			t.Fatalf("round %d: reply %q, %v", i, got, err)
		}
		if got := term.key(uv.KeyPressEvent{Code: uv.KeyEnter}); string(got) != "\r" {
			t.Fatalf("round %d: enter sends %q", i, got)
		}
		if got := term.paste(""); len(got) != 0 {
			t.Fatalf("an empty paste sends %q", got)
		}
	}
}

func TestKeysGoToThePhone(t *testing.T) {
	p := New()
	p.Start("ssh", "ssh user@172.16.42.1")
	for want, k := range map[string]tea.KeyPressMsg{
		"a":      {Code: 'a', Text: "a"},
		"A":      {Code: 'a', Text: "A", Mod: tea.ModShift},
		"ü":      {Code: 'ü', Text: "ü"},
		"\r":     {Code: tea.KeyEnter},
		"\t":     {Code: tea.KeyTab},
		"\x7f":   {Code: tea.KeyBackspace},
		"\x03":   {Code: 'c', Mod: tea.ModCtrl},
		"\x1a":   {Code: 'z', Mod: tea.ModCtrl},
		"\x1b":   {Code: tea.KeyEscape},
		"\x1b[A": {Code: tea.KeyUp},
		"\x1bb":  {Code: 'b', Mod: tea.ModAlt},
	} {
		if got := string(p.Key(k)); got != want {
			t.Errorf("%s sends %q, want %q", k.String(), got, want)
		}
	}
	p.Write([]byte("\x1b[?1h")) // application cursor keys, as vi asks for
	if got := string(p.Key(tea.KeyPressMsg{Code: tea.KeyUp})); got != "\x1bOA" {
		t.Errorf("up in application mode sends %q", got)
	}
}

func TestPassphraseShowsAsDotsOnly(t *testing.T) {
	p := New()
	p.Resize(60, 10)
	p.Start("telnet", "telnet 172.16.42.1")
	p.Write([]byte("Portolan Dinghy\r\nEnter passphrase for /dev/vdb: "))
	if !p.Secret() {
		t.Fatal("the prompt is not seen")
	}
	for _, r := range "geheim" {
		if got := p.Key(tea.KeyPressMsg{Code: r, Text: string(r)}); string(got) != string(r) {
			t.Fatalf("%q was not sent: %q", r, got)
		}
	}
	p.Key(tea.KeyPressMsg{Code: tea.KeyBackspace})
	screen := strings.Join(p.View(theme.Calm(), 60, 10, true), "\n")
	if strings.Count(screen, "•") != 5 || strings.Contains(screen, "gehei") {
		t.Fatalf("want five dots and no letters:\n%s", screen)
	}
	p.Key(tea.KeyPressMsg{Code: tea.KeyEnter})
	p.Write([]byte("\r\nNo key available with this passphrase.\r\nEnter passphrase for /dev/vdb: "))
	if screen := strings.Join(p.View(theme.Calm(), 60, 10, true), "\n"); strings.Contains(screen, "•") {
		t.Fatalf("the dots of the last attempt are still there:\n%s", screen)
	}
	p.Write([]byte("\r\nuser@dinghy:~$ "))
	if p.Secret() {
		t.Fatal("a shell prompt is taken for a passphrase prompt")
	}
}

// Whatever the phone sends, nothing panics, hangs, or leaves the pane.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{"plain\r\n", "\x1b[6n\x1b[c", "\x1b[?1049h\x1b[2J\x1b[999;999H\xff", "\x1b]0;title\x07", "\x1bP+q\x1b\\", "\x1b[1;99999999999r\x1b[L", "e\u0301👩‍👩‍👧\x1b[31m"} {
		f.Add([]byte(s), 20, 5)
	}
	f.Fuzz(func(t *testing.T, b []byte, w, h int) {
		w, h = 1+abs(w)%200, 1+abs(h)%60
		p := New()
		p.Resize(w, h)
		p.Start("telnet", "t")
		p.Write(b)
		p.Resize(1+h, 1+w%60)
		p.Write(b)
		p.Scroll(3)
		lines := p.View(theme.Calm(), w, h, true)
		if len(lines) != h {
			t.Fatalf("%d lines in a pane of %d", len(lines), h)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return max(0, -n)
	}
	return n
}
