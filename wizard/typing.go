package wizard

import "sync"

// typing collects a passphrase that a person types into the console pane. Only
// dots are shown; what was typed is wiped wherever it is not handed on.
type typing struct {
	show func([]byte) // dots and backspaces for the pane
	done chan *Secret // capacity 1

	mu  sync.Mutex
	buf []byte
}

func newTyping(show func([]byte)) *typing {
	// The capacity is never exceeded: growing would leave copies behind.
	return &typing{show: show, done: make(chan *Secret, 1), buf: make([]byte, 0, maxPassphrase)}
}

// Keys that edit a passphrase, as terminals send them.
const (
	keyBackspace = 0x7f
	keyCtrlH     = 0x08
	keyCtrlU     = 0x15
)

// input takes what was typed. Enter hands the passphrase on.
func (t *typing) input(b []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range b {
		switch {
		case c == '\r' || c == '\n':
			if len(t.buf) == 0 {
				continue
			}
			secret := NewSecret(append(make([]byte, 0, len(t.buf)), t.buf...))
			t.clear()
			select {
			case t.done <- secret:
				t.show([]byte("\r\n"))
			default: // one is being tried already
				secret.Wipe()
			}
		case c == keyBackspace || c == keyCtrlH:
			n := len(t.buf)
			for n > 0 {
				n--
				if t.buf[n]&0xc0 != 0x80 { // the first byte of a character
					t.show([]byte("\b \b"))
					break
				}
			}
			clear(t.buf[n:])
			t.buf = t.buf[:n]
		case c == keyCtrlU:
			for _, d := range t.buf {
				if d&0xc0 != 0x80 {
					t.show([]byte("\b \b"))
				}
			}
			t.clear()
		case c < 0x20 || len(t.buf) == cap(t.buf):
		default:
			t.buf = append(t.buf, c)
			if c&0xc0 != 0x80 {
				t.show([]byte("•"))
			}
		}
	}
	return nil
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
	select {
	case s := <-t.done:
		s.Wipe()
	default:
	}
}
