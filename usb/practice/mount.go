package practice

import "fmt"

// Mount is how the touch panel is built into the phone.
//
// A panel reports raw coordinates, fractions 0 to 1 of its own width and
// height. What a person sees at screen (x right, y down, 0 to 1) is
//
//	screen = Turn(Rotate) · Flip(Mirror) · raw
//
// Flip reflects raw x (x becomes 1-x). Turn rotates clockwise, by the same
// matrices as libinput's documentation gives for LIBINPUT_CALIBRATION_MATRIX:
//
//	90: "0 -1 1 1 0 0"    180: "-1 0 1 0 -1 1"    270: "0 1 0 -1 0 1"
//
// So Matrix is the very value that a udev rule must have to set a panel right
// that is mounted like this.
type Mount struct {
	Rotate int  `json:"rotate"` // degrees clockwise: 0, 90, 180 or 270
	Mirror bool `json:"mirror"`
}

func (m Mount) check() error {
	switch m.Rotate {
	case 0, 90, 180, 270:
		return nil
	}
	return fmt.Errorf("a touchscreen mounted at %d degrees: choose 0, 90, 180 or 270", m.Rotate)
}

// Raw gives what the panel reports when the screen is touched at x, y.
func (m Mount) Raw(x, y float64) (rx, ry float64) {
	switch m.Rotate {
	case 90:
		x, y = y, 1-x
	case 180:
		x, y = 1-x, 1-y
	case 270:
		x, y = 1-y, x
	}
	if m.Mirror {
		x = 1 - x
	}
	return x, y
}

// Matrix is M of screen = M · (raw, 1), row by row: libinput's calibration
// matrix for this mounting.
func (m Mount) Matrix() [6]float64 {
	var t [6]float64
	switch m.Rotate {
	case 90:
		t = [6]float64{0, -1, 1, 1, 0, 0}
	case 180:
		t = [6]float64{-1, 0, 1, 0, -1, 1}
	case 270:
		t = [6]float64{0, 1, 0, -1, 0, 1}
	default:
		t = [6]float64{1, 0, 0, 0, 1, 0}
	}
	if m.Mirror { // columns of x change sign, and what they took is added
		t = [6]float64{-t[0], t[1], t[2] + t[0], -t[3], t[4], t[5] + t[3]}
	}
	for i := range t {
		t[i] += 0 // no negative zeros
	}
	return t
}
