// Package console is a terminal on the phone: what the phone sends is drawn by
// an emulator, and every key goes to the phone except the announced escape.
package console

import (
	"bytes"
	"crypto/rand"
	"fmt"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"
)

// scrollback bounds how many lines above the screen are kept.
const scrollback = 2000

// maxReply bounds what the emulator may answer to one piece of output. A phone
// that floods us with queries gets no more than this.
const maxReply = 16 << 10

// terminal makes the emulator's pipe synchronous. x/vt answers queries of the
// phone (ESC[c, ESC[6n) and encodes keys by writing into an unbuffered pipe,
// and blocks for ever when nobody reads. Each call here reads what that call
// wrote and returns it; no goroutine outlives the call.
type terminal struct {
	emu *vt.Emulator
	end [16]byte // ends a reader; random, so that no output of the phone can
}

func newTerminal(w, h int) *terminal {
	t := &terminal{emu: vt.NewEmulator(w, h)}
	_, _ = rand.Read(t.end[:]) // never fails (crypto/rand)
	t.emu.SetScrollbackSize(scrollback)
	return t
}

// do runs f, which may write into the emulator's pipe, and returns what it
// wrote. A panic of the emulator on malformed output is returned as an error.
func (t *terminal) do(f func(*vt.Emulator)) (reply []byte, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1024)
		defer clear(buf) // keys of a passphrase pass through here
		for {
			n, rerr := t.emu.Read(buf)
			if rerr != nil || bytes.Equal(buf[:n], t.end[:]) {
				return
			}
			if len(reply)+n <= maxReply {
				reply = append(reply, buf[:n]...)
			}
		}
	}()
	func() {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("the terminal could not draw what the phone sent: %v", r)
			}
		}()
		f(t.emu)
	}()
	// One write is read in one piece (io.Pipe), after everything that f wrote.
	_, _ = t.emu.InputPipe().Write(t.end[:])
	<-done
	return reply, err
}

func (t *terminal) write(p []byte) ([]byte, error) {
	return t.do(func(e *vt.Emulator) { _, _ = e.Write(p) })
}

func (t *terminal) resize(w, h int) []byte {
	reply, _ := t.do(func(e *vt.Emulator) { e.Resize(w, h) })
	return reply
}

func (t *terminal) key(k uv.KeyPressEvent) []byte {
	b, _ := t.do(func(e *vt.Emulator) { e.SendKey(k) })
	return b
}

func (t *terminal) paste(text string) []byte {
	b, _ := t.do(func(e *vt.Emulator) { e.Paste(text) })
	return b
}
