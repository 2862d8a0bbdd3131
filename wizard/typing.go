package wizard

import "sync"

// typing collects a passphrase that a person types into the console pane. Only
// dots are shown; what was typed is wiped wherever it is not handed on.
type typing struct {
	show func([]byte) // dots and backspaces for the pane
	done chan *Secret // capacity 1

	mu     sync.Mutex
	buf    []byte
	asked  bool    // the phone's prompt is on the screen; what is typed ahead shows later
	escape int     // where in an escape sequence the input is
	held   *Secret // what an empty line stands for; nil: nothing. Not ours to wipe
}

func newTyping(show func([]byte)) *typing {
	// The capacity is never exceeded: growing would leave copies behind.
	return &typing{show: show, done: make(chan *Secret, 1), buf: make([]byte, 0, maxPassphrase)}
}

// ask says that the phone asks now. held, where there is one, is what enter on
// an empty line sends.
func (t *typing) ask(held *Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked, t.held = true, held
	t.dots(t.buf, "•")
}

// draw shows something where the phone asks.
func (t *typing) draw(text string) {
	if t.asked {
		t.show([]byte(text))
	}
}

// dots draws a text once for each character of b.
func (t *typing) dots(b []byte, text string) {
	for _, c := range b {
		if c&0xc0 != 0x80 { // the first byte of a character
			t.draw(text)
		}
	}
}

// Keys that edit a passphrase, as terminals send them.
const (
	keyBackspace = 0x7f
	keyCtrlH     = 0x08
	keyCtrlU     = 0x15
)

// Where in an escape sequence the input is.
const (
	noEscape       = iota
	escapeBegun    // after ESC
	escapeSequence // after ESC [, until its final letter
	escapeString   // after ESC ] and the like, until BEL or the next ESC
)

// escapes tells whether c belongs to an escape sequence: an arrow key, the marks
// around what was pasted, the answer of a terminal that the phone asked
// something. None of it is part of a passphrase.
func (t *typing) escapes(c byte) bool {
	was := t.escape
	switch {
	case c == 0x1b:
		t.escape = escapeBegun
		return true
	case was == noEscape:
		return false
	case c == '\r' || c == '\n':
		t.escape = noEscape
		return false
	case was == escapeBegun && (c == '[' || c == 'O'):
		t.escape = escapeSequence
	case was == escapeBegun && (c == ']' || c == 'P'):
		t.escape = escapeString
	case was == escapeBegun, was == escapeSequence && c >= 0x40 && c < 0x7f, was == escapeString && c == 0x07:
		t.escape = noEscape
	}
	return true
}

// input takes what was typed. Enter hands the passphrase on.
func (t *typing) input(b []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range b {
		switch {
		case t.escapes(c):
		case c == '\r' || c == '\n':
			t.enter()
		case c == keyBackspace || c == keyCtrlH:
			n := len(t.buf)
			for n > 0 {
				n--
				if t.buf[n]&0xc0 != 0x80 {
					break
				}
			}
			t.dots(t.buf[n:], "\b \b")
			clear(t.buf[n:])
			t.buf = t.buf[:n]
		case c == keyCtrlU:
			t.dots(t.buf, "\b \b")
			t.clear()
		case c < 0x20 || len(t.buf) == cap(t.buf):
		default:
			t.buf = append(t.buf, c)
			t.dots(t.buf[len(t.buf)-1:], "•")
		}
	}
	return nil
}

// enter hands on what was typed, or what an empty line stands for.
func (t *typing) enter() {
	typed := t.buf
	if len(typed) == 0 && t.asked {
		typed = t.held.Bytes()
	}
	if len(typed) == 0 {
		return
	}
	secret := NewSecret(append(make([]byte, 0, len(typed)), typed...))
	t.clear()
	select {
	case t.done <- secret:
		t.draw("\r\n")
		t.asked, t.held = false, nil
	default: // one is being tried already
		secret.Wipe()
	}
}

func (t *typing) clear() {
	clear(t.buf[:cap(t.buf)])
	t.buf = t.buf[:0]
}

// wipe forgets what was typed and not handed on.
func (t *typing) wipe() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
	t.asked, t.held = false, nil
	select {
	case s := <-t.done:
		s.Wipe()
	default:
	}
}
