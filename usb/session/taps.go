package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Tap is a finger put on the panel.
type Tap struct {
	X, Y       float64 // in the panel's own coordinates, from 0 to 1
	RawX, RawY int32   // as the device reports them
}

// maxSlots bounds the fingers that are told apart; the kernel's drivers know
// at most some dozens.
const maxSlots = 64

// TapParser turns the bytes of an evdev node into taps: struct input_event of
// linux/input.h, little endian, 24 bytes with 64-bit time and 16 with 32-bit.
type TapParser struct {
	axes  Axes
	multi bool
	size  int    // bytes of a record
	part  []byte // a record that came only in part

	x, y    coordinate // of the pointer
	pressed bool       // the button went down since the last report

	slot  int // the finger that multitouch events are about
	slots [maxSlots]finger
	down  int // finger that was put on an empty panel since the last report, or -1
	count int // fingers on the panel

	lost bool // the kernel dropped events, up to the next report
}

type coordinate struct {
	raw   int32
	known bool
}

type finger struct {
	x, y coordinate
	on   bool
}

// NewTapParser returns a parser for the events of a device. Taps of a device
// that knows several fingers are read by the first finger on the panel.
func NewTapParser(d InputDevice, axes Axes) *TapParser {
	p := &TapParser{axes: axes, multi: d.Multitouch(), size: 24, down: -1}
	if d.long == 32 {
		p.size = 16
	}
	// The kernel reports a coordinate only when it changes, so the first tap
	// may lack one that is where it was.
	p.x, p.y = coordinate{axes.X.Value, true}, coordinate{axes.Y.Value, true}
	if p.multi {
		p.slots[0].x, p.slots[0].y = p.x, p.y
	}
	return p
}

// Feed takes a piece of the stream and returns the taps that it completes.
func (p *TapParser) Feed(b []byte) []Tap {
	var taps []Tap
	for len(b) > 0 {
		n := min(p.size-len(p.part), len(b))
		p.part = append(p.part, b[:n]...)
		b = b[n:]
		if len(p.part) < p.size {
			break
		}
		r := p.part[p.size-8:]
		if tap, ok := p.event(binary.LittleEndian.Uint16(r), binary.LittleEndian.Uint16(r[2:]), int32(binary.LittleEndian.Uint32(r[4:]))); ok {
			taps = append(taps, tap)
		}
		p.part = p.part[:0]
	}
	return taps
}

func (p *TapParser) event(kind, code uint16, value int32) (Tap, bool) {
	switch {
	case kind == evSyn && code == synDropped:
		p.lost = true
	case kind == evSyn && code == synReport:
		return p.report()
	case p.lost: // Documentation/input/event-codes.rst: ignore up to the next report
	case kind == evKey && (code == btnLeft || code == btnTouch):
		// A quick tap may go down and up in one report.
		p.pressed = p.pressed || value == 1
	case kind == evAbs:
		p.absolute(code, value)
	}
	return Tap{}, false
}

func (p *TapParser) absolute(code uint16, value int32) {
	switch code {
	case absX:
		p.x = coordinate{value, true}
	case absY:
		p.y = coordinate{value, true}
	case absSlot:
		p.slot = int(value)
	}
	if p.slot < 0 || p.slot >= maxSlots {
		return
	}
	f := &p.slots[p.slot]
	switch code {
	case absMTX:
		f.x = coordinate{value, true}
	case absMTY:
		f.y = coordinate{value, true}
	case absTrackingID:
		on := value >= 0
		if on && !f.on {
			if p.count == 0 {
				p.down = p.slot
			}
			p.count++
		}
		if !on && f.on {
			p.count--
		}
		f.on = on
	}
}

// report ends a group of events that belong together (SYN_REPORT).
func (p *TapParser) report() (Tap, bool) {
	if p.lost {
		// Which fingers are on the panel is not known any more.
		p.lost, p.pressed, p.down, p.count = false, false, -1, 0
		for i := range p.slots {
			p.slots[i].on = false
		}
		return Tap{}, false
	}
	x, y, tapped := p.x, p.y, p.pressed
	if p.multi {
		tapped = p.down >= 0
		if tapped {
			x, y = p.slots[p.down].x, p.slots[p.down].y
		}
	}
	p.pressed, p.down = false, -1
	if !tapped || !x.known || !y.known {
		return Tap{}, false
	}
	return Tap{X: p.axes.X.fraction(x.raw), Y: p.axes.Y.fraction(y.raw), RawX: x.raw, RawY: y.raw}, true
}

// TapStream are the taps on one device of the phone.
type TapStream struct {
	stream *Stream
	parser *TapParser
	ready  []Tap
	buf    []byte
}

// Taps starts to read the taps on a device. It ends at Close, which must be
// called, and with ctx.
func (s *SSH) Taps(ctx context.Context, d InputDevice, axes Axes) (*TapStream, error) {
	if !reEvent.MatchString(d.Event) {
		return nil, fmt.Errorf("read the taps on %q: the phone has no event node for it", d.Name)
	}
	// The node is opened before the sign is given: from then on the kernel
	// keeps every event for the reader, so a tap that is made now is not lost.
	stream, err := s.Stream(ctx, "exec 3</dev/input/"+d.Event+" && echo && exec cat <&3", nil)
	if err != nil {
		return nil, fmt.Errorf("read the taps on %q: %w", d.Name, err)
	}
	if _, err := io.ReadFull(stream, make([]byte, 1)); err != nil {
		return nil, fmt.Errorf("read the taps on %q: open /dev/input/%s on the phone: %w", d.Name, d.Event, errors.Join(err, stream.Close()))
	}
	// What was touched before then is where the coordinates are now.
	if now, err := s.Axes(ctx, d); err == nil {
		axes.X.Value, axes.Y.Value = now.X.Value, now.Y.Value
	}
	return &TapStream{stream: stream, parser: NewTapParser(d, axes), buf: make([]byte, 64*24)}, nil
}

// Next waits for the next tap.
func (t *TapStream) Next() (Tap, error) {
	for len(t.ready) == 0 {
		n, err := t.stream.Read(t.buf)
		t.ready = t.parser.Feed(t.buf[:n])
		if err != nil && len(t.ready) == 0 {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return Tap{}, fmt.Errorf("read the phone's taps: %w", err)
		}
	}
	tap := t.ready[0]
	t.ready = t.ready[1:]
	return tap, nil
}

// Close ends the reading.
func (t *TapStream) Close() error { return t.stream.Close() }
