package ether

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// Wire sends and receives the frames of QEMU's stream socket: a big-endian
// 32-bit length and that many bytes (net/socket.c of QEMU). It reads all the
// time, so that a full socket never holds the phone's network up.
type Wire struct {
	rw io.ReadWriteCloser

	wmu sync.Mutex

	mu   sync.Mutex
	taps map[chan []byte]struct{}
	done chan struct{}
}

// maxQueued frames wait for one listener; more are dropped, as on any wire.
const maxQueued = 64

// NewWire takes rw over. Its goroutine ends when rw does, or with Close.
func NewWire(rw io.ReadWriteCloser) *Wire {
	w := &Wire{rw: rw, taps: map[chan []byte]struct{}{}, done: make(chan struct{})}
	go w.read()
	return w
}

// Close ends the wire.
func (w *Wire) Close() error {
	err := w.rw.Close()
	<-w.done
	return err
}

// Done is closed when the wire has ended.
func (w *Wire) Done() <-chan struct{} { return w.done }

// Send puts a frame on the wire.
func (w *Wire) Send(frame []byte) error {
	w.wmu.Lock()
	defer w.wmu.Unlock()
	p := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(frame)), uint32(len(frame)))
	if _, err := w.rw.Write(append(p, frame...)); err != nil {
		return fmt.Errorf("sending a frame of %d bytes: %w", len(frame), err)
	}
	return nil
}

// Listen gives every frame from now on until stop is called.
func (w *Wire) Listen() (frames <-chan []byte, stop func()) {
	c := make(chan []byte, maxQueued)
	w.mu.Lock()
	w.taps[c] = struct{}{}
	w.mu.Unlock()
	return c, func() {
		w.mu.Lock()
		delete(w.taps, c)
		w.mu.Unlock()
	}
}

func (w *Wire) read() {
	defer close(w.done)
	for {
		frame, err := readFrame(w.rw)
		if err != nil {
			return
		}
		w.mu.Lock()
		for c := range w.taps {
			select {
			case c <- frame:
			default:
			}
		}
		w.mu.Unlock()
	}
}

// maxStream bounds what the length may say: QEMU's NET_BUFSIZE.
const maxStream = 4096 + 65536

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxStream {
		return nil, fmt.Errorf("frame of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}
