package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Axis is the range of one coordinate as the device announces it
// (struct input_absinfo of linux/input.h).
type Axis struct {
	Value    int32 // where it is now
	Min, Max int32
}

// Axes are the ranges of a device that can be tapped.
type Axes struct {
	X, Y Axis
}

// DefaultAxes are the ranges of QEMU's virtio-tablet (INPUT_EVENT_ABS_MIN and
// INPUT_EVENT_ABS_MAX in qemu's include/ui/input.h). A person who knows the
// phone's own may use others.
var DefaultAxes = Axes{X: Axis{Max: 0x7fff}, Y: Axis{Max: 0x7fff}}

// AxesError says that the ranges of a device could not be read. Taps may still
// be read with DefaultAxes or ranges that a person gives.
type AxesError struct {
	Device string
	Err    error
}

func (e *AxesError) Error() string {
	return fmt.Sprintf("the ranges of the phone's input device %q could not be read (this takes perl, which is in Debian's perl-base, and leave to read /dev/input; be root or in the group input): %v",
		e.Device, e.Err)
}

func (e *AxesError) Unwrap() error { return e.Err }

// Axes reads the ranges of a device that can be tapped. It fails with
// *AxesError where the phone cannot tell.
func (s *SSH) Axes(ctx context.Context, d InputDevice) (Axes, error) {
	command, err := axesCommand(d)
	if err != nil {
		return Axes{}, &AxesError{Device: d.Name, Err: err}
	}
	o, err := s.Run(ctx, command, nil)
	if ctx.Err() != nil {
		return Axes{}, err
	}
	if err != nil {
		return Axes{}, &AxesError{Device: d.Name, Err: err}
	}
	axes, err := parseAxes(o.Stdout, d.Multitouch())
	if err != nil {
		return Axes{}, &AxesError{Device: d.Name, Err: err}
	}
	return axes, nil
}

// axesCommand is a shell line that prints "code value min max fuzz flat
// resolution" for each coordinate. 0x80184540 is EVIOCGABS(0) of
// linux/input.h: _IOR('E', 0x40 + axis, struct input_absinfo), 24 bytes.
func axesCommand(d InputDevice) (string, error) {
	if !reEvent.MatchString(d.Event) {
		return "", fmt.Errorf("it has no event node")
	}
	return fmt.Sprintf(`perl -e 'open(my $f, "<", $ARGV[0]) or die "$ARGV[0]: $!\n"; `+
		`for my $a (0, 1, 53, 54) { my $b = "\0" x 24; `+
		`if (ioctl($f, 0x80184540 + $a, $b)) { print join(" ", $a, unpack("l6", $b)), "\n" } `+
		`else { warn "axis $a: $!\n" } }' /dev/input/%s`, d.Event), nil
}

// parseAxes reads what axesCommand prints. A device that knows several fingers
// is read by its multitouch axes.
func parseAxes(text []byte, multitouch bool) (Axes, error) {
	if len(text) > 4<<10 {
		return Axes{}, errors.New("the phone printed more than four lines")
	}
	var found [64]*Axis
	for line := range bytes.Lines(text) {
		var n [7]int32
		fields := strings.Fields(string(line))
		if len(fields) != len(n) {
			continue
		}
		ok := true
		for i, f := range fields {
			v, err := strconv.ParseInt(f, 10, 32)
			ok = ok && err == nil
			n[i] = int32(v)
		}
		if ok && n[0] >= 0 && n[0] < int32(len(found)) && n[2] < n[3] {
			found[n[0]] = &Axis{Value: n[1], Min: n[2], Max: n[3]}
		}
	}
	x, y := found[absX], found[absY]
	if multitouch && found[absMTX] != nil && found[absMTY] != nil {
		x, y = found[absMTX], found[absMTY]
	}
	if x == nil || y == nil {
		return Axes{}, errors.New("it tells no range for both coordinates")
	}
	return Axes{X: *x, Y: *y}, nil
}

// fraction is where a raw value lies in the axis, from 0 to 1.
func (a Axis) fraction(raw int32) float64 {
	f := (float64(raw) - float64(a.Min)) / (float64(a.Max) - float64(a.Min))
	return min(max(f, 0), 1)
}
