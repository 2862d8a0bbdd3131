package wizard

import (
	"fmt"
	"io"
	"sync"
)

// Names of sessions.
const (
	SessionTelnet = "telnet"
	SessionSSH    = "ssh"
)

// console is a terminal on the phone that a console pane may type into.
type console struct {
	name   string
	typed  chan []byte // to the phone; a full one refuses
	resize func(cols, rows int) error
	stop   func()
	once   sync.Once
}

// maxTyped is how many pieces of input may wait for the phone.
const maxTyped = 256

// openSession makes a session known to the readers. input is called with what
// is typed, from one goroutine, and must not keep it.
func (v *Voyage) openSession(name, title string, input func([]byte) error, resize func(cols, rows int) error, stop func()) *console {
	s := &console{name: name, typed: make(chan []byte, maxTyped), resize: resize, stop: stop}
	v.mu.Lock()
	old := v.sessions[name]
	v.sessions[name] = s
	v.mu.Unlock()
	if old != nil {
		v.closeSession(old, "another one was opened")
	}
	v.owned.Go(func() { v.feed(s, input) })
	v.emit(v.life, SessionOpened{Session: name, Title: title})
	return s
}

// feed hands what is typed to the phone until the session or the voyage ends.
func (v *Voyage) feed(s *console, input func([]byte) error) {
	for {
		select {
		case b, ok := <-s.typed:
			if !ok {
				return
			}
			err := input(b)
			clear(b)
			if err != nil {
				v.closeSession(s, err.Error())
			}
		case <-v.life.Done():
			v.closeSession(s, "Portolan ends")
			for b := range s.typed {
				clear(b)
			}
			return
		}
	}
}

// closeSession ends a session, once, and tells why.
func (v *Voyage) closeSession(s *console, reason string) {
	s.once.Do(func() {
		v.mu.Lock()
		if v.sessions[s.name] == s {
			delete(v.sessions, s.name)
		}
		close(s.typed)
		v.mu.Unlock()
		if s.stop != nil {
			s.stop()
		}
		v.emit(v.life, SessionClosed{Session: s.name, Reason: reason})
	})
}

// closeSessions ends every session and the SSH connection.
func (v *Voyage) closeSessions(reason string) {
	v.mu.Lock()
	var all []*console
	for _, s := range v.sessions {
		all = append(all, s)
	}
	remote := v.remote
	v.remote = nil
	v.mu.Unlock()
	for _, s := range all {
		v.closeSession(s, reason)
	}
	if remote != nil {
		remote.Close()
	}
}

// sessionInput hands what a person typed to the session and wipes it later.
func (v *Voyage) sessionInput(in SessionInput) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.sessions[in.Session]
	if s == nil {
		clear(in.Bytes)
		return fmt.Errorf("there is no %s session to type into", in.Session)
	}
	select {
	case s.typed <- in.Bytes:
		return nil
	default:
		clear(in.Bytes)
		return fmt.Errorf("the %s session takes no more input just now", in.Session)
	}
}

func (v *Voyage) sessionResize(in SessionResize) error {
	if in.Cols < 1 || in.Rows < 1 || in.Cols > 10000 || in.Rows > 10000 {
		return fmt.Errorf("a terminal of %dx%d characters will not do", in.Cols, in.Rows)
	}
	v.mu.Lock()
	v.size = [2]int{in.Cols, in.Rows}
	s := v.sessions[in.Session]
	v.mu.Unlock()
	if s == nil || s.resize == nil {
		return nil
	}
	return s.resize(in.Cols, in.Rows)
}

// consoleSize is the size of the console pane, as far as it is known.
func (v *Voyage) consoleSize() (cols, rows int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.size[0] == 0 {
		return 80, 24
	}
	return v.size[0], v.size[1]
}

// show passes bytes of the phone on to the console pane.
func (v *Voyage) show(name string) func([]byte) {
	return func(b []byte) {
		v.emit(v.life, SessionData{Session: name, Bytes: append([]byte(nil), b...)})
	}
}

// copyOut shows what the phone prints until it ends, and says why it did.
func (v *Voyage) copyOut(name string, r io.Reader) error {
	buf := make([]byte, 8<<10)
	show := v.show(name)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			show(buf[:n])
		}
		if err != nil {
			return err
		}
	}
}
