package chroot

import (
	"bytes"
	"strings"
	"sync"
)

const (
	maxLine  = 64 << 10 // a longer line is cut into pieces
	tailSize = 40       // lines kept for errors
)

// lineWriter cuts a stream into lines, without their ends, and keeps the last
// ones. Memory is bounded whatever is written.
type lineWriter struct {
	mu   sync.Mutex
	emit func(string)
	part []byte
	last []string
}

func newLineWriter(emit func(string)) *lineWriter { return &lineWriter{emit: emit} }

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		piece := p
		if i >= 0 {
			piece = p[:i]
		}
		if room := maxLine - len(w.part); len(piece) > room {
			w.part = append(w.part, piece[:room]...)
			w.line()
			p = p[room:]
			continue
		}
		w.part = append(w.part, piece...)
		if i < 0 {
			break
		}
		w.line()
		p = p[i+1:]
	}
	return n, nil
}

// line hands on what was collected. A line that a carriage return rewrote
// (progress bars) is shown as it would stand in a terminal at its end.
func (w *lineWriter) line() {
	text := strings.TrimRight(string(w.part), "\r")
	if i := strings.LastIndexByte(text, '\r'); i >= 0 {
		text = text[i+1:]
	}
	w.part = w.part[:0]
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(w.last) == tailSize {
		copy(w.last, w.last[1:])
		w.last = w.last[:tailSize-1]
	}
	w.last = append(w.last, text)
	w.emit(text)
}

// flush hands on a last line without an end.
func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) > 0 {
		w.line()
	}
}

func (w *lineWriter) tail() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.last...)
}
