package wizard

import (
	"strings"
	"testing"
)

func TestTypedAheadShowsWhenThePhoneAsks(t *testing.T) {
	var shown strings.Builder
	keys := newTyping(func(b []byte) { shown.Write(b) })
	feed(t, keys, []byte("gehë\x7fei"))
	if shown.Len() > 0 {
		t.Fatalf("before the phone asked, %q was drawn", shown.String())
	}
	keys.ask(nil)
	feed(t, keys, []byte("m\r"))
	if got := shown.String(); got != "••••••\r\n" {
		t.Errorf("drawn: %q", got)
	}
	if s := <-keys.done; string(s.Bytes()) != "geheim" {
		t.Errorf("taken: %q", s.Bytes())
	}
}

func TestEnterAloneSendsTheHeldPassphrase(t *testing.T) {
	keys := newTyping(func([]byte) {})
	held := NewSecret([]byte("of the image"))
	feed(t, keys, []byte("\r")) // nothing is asked yet: it must not be sent
	keys.ask(held)
	feed(t, keys, []byte("\r"))
	s := <-keys.done
	if string(s.Bytes()) != "of the image" {
		t.Fatalf("taken: %q", s.Bytes())
	}
	s.Wipe()
	if string(held.Bytes()) != "of the image" {
		t.Error("wiping what was sent wiped what the voyage holds")
	}
	feed(t, keys, []byte("\r")) // asked once, sent once
	select {
	case <-keys.done:
		t.Error("it was sent twice")
	default:
	}
}

func TestAnEmptyLineSendsNothing(t *testing.T) {
	keys := newTyping(func([]byte) {})
	keys.ask(nil)
	feed(t, keys, []byte("\rabc\x15\r"))
	select {
	case s := <-keys.done:
		t.Errorf("taken: %q", s.Bytes())
	default:
	}
}

func TestEscapeSequencesAreNoPartOfAPassphrase(t *testing.T) {
	for _, typed := range []string{
		"ah\x1b[Aoy\r", "\x1b[200~ahoy\x1b[201~\r", "ah\x1b[24;80Roy\r", "\x1bOPahoy\r",
		"ah\x1b]11;rgb:00/00/00\x07oy\r", "ah\x1bP>|term\x1b\\oy\r", "ahoy\x1b\r",
	} {
		keys := newTyping(func([]byte) {})
		keys.ask(nil)
		for i := range len(typed) { // it may come in pieces
			feed(t, keys, []byte{typed[i]})
		}
		if s := <-keys.done; string(s.Bytes()) != "ahoy" {
			t.Errorf("of %q %q is taken", typed, s.Bytes())
		}
	}
}

func feed(t *testing.T, keys *typing, b []byte) {
	t.Helper()
	if err := keys.input(b); err != nil {
		t.Fatal(err)
	}
}
