// Package calibration finds the matrix that maps a touchscreen's panel to the
// screen that a person sees. It is pure mathematics.
//
// The matrix is libinput's calibration matrix, row by row (libinput,
// libinput_device_config_calibration_set_matrix): with coordinates normalised
// to 0…1, a tap read at (x, y) of the panel lies at
//
//	(a·x + b·y + c, d·x + e·y + f)
//
// of the screen.
package calibration

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Matrix is a b c d e f.
type Matrix [6]float64

// Identity changes nothing.
var Identity = Matrix{1, 0, 0, 0, 1, 0}

// Point is a place on panel or screen, each coordinate from 0 to 1.
type Point struct{ X, Y float64 }

// Sample is one tap: where the person was asked to tap, and what was read.
type Sample struct{ Screen, Panel Point }

// Apply maps a point of the panel to the screen.
func (m Matrix) Apply(p Point) Point {
	return Point{m[0]*p.X + m[1]*p.Y + m[2], m[3]*p.X + m[4]*p.Y + m[5]}
}

// Mul is the matrix that applies n first, then m.
func (m Matrix) Mul(n Matrix) Matrix {
	return Matrix{
		m[0]*n[0] + m[1]*n[3], m[0]*n[1] + m[1]*n[4], m[0]*n[2] + m[1]*n[5] + m[2],
		m[3]*n[0] + m[4]*n[3], m[3]*n[1] + m[4]*n[4], m[3]*n[2] + m[4]*n[5] + m[5],
	}
}

// Invert returns the matrix that undoes m; ok is false where there is none.
func (m Matrix) Invert() (inv Matrix, ok bool) {
	det := m[0]*m[4] - m[1]*m[3]
	if math.Abs(det) < 1e-12 || math.IsNaN(det) {
		return Matrix{}, false
	}
	a, b, d, e := m[4]/det, -m[1]/det, -m[3]/det, m[0]/det
	return Matrix{a, b, -(a*m[2] + b*m[5]), d, e, -(d*m[2] + e*m[5])}, true
}

// Exact is one of the eight ways to mount a panel straight.
type Exact struct {
	Matrix Matrix
	Name   string
}

// Exacts are the eight: four rotations, each also mirrored. The rotations are
// those of libinput's documentation, clockwise; "mirrored" is left and right
// exchanged, before the rotation.
var Exacts = []Exact{
	{Matrix{1, 0, 0, 0, 1, 0}, "mounted straight"},
	{Matrix{0, -1, 1, 1, 0, 0}, "rotated 90°"},
	{Matrix{-1, 0, 1, 0, -1, 1}, "rotated 180°"},
	{Matrix{0, 1, 0, -1, 0, 1}, "rotated 270°"},
	{Matrix{-1, 0, 1, 0, 1, 0}, "mirrored"},
	{Matrix{0, -1, 1, -1, 0, 1}, "mirrored, rotated 90°"},
	{Matrix{1, 0, 0, 0, -1, 1}, "mirrored, rotated 180°"},
	{Matrix{0, 1, 0, 1, 0, 0}, "mirrored, rotated 270°"},
}

// Targets are where a person is asked to tap: near the corners and in the
// middle, none on a line through three others, so that each of the eight exact
// matrices reads them differently.
var Targets = []Point{{0.15, 0.12}, {0.85, 0.2}, {0.5, 0.5}, {0.2, 0.85}, {0.8, 0.9}}

const (
	// MinSamples is the fewest taps that a matrix of six numbers can be fitted
	// to with something left over to judge it by.
	MinSamples = 4
	// exactWithin is how far taps may lie off their targets (root of the mean
	// square, as a part of the screen) for an exact matrix to be believed: a
	// finger is about 8 mm wide, a phone's screen about 60 mm.
	exactWithin = 0.04
	// A fitted matrix is taken all the same when taps are off by more than
	// sloppy with the exact one and it explains all but a sixteenth of that: a
	// hand that is only inaccurate does so in one of ten thousand cases (the
	// ratio of the squares is Beta(2,3) distributed for five taps).
	sloppy, explained = 0.01, 1.0 / 16
	// fitWithin is the same for the fitted matrix.
	fitWithin = 0.08
)

// Result is a matrix and how well it fits.
type Result struct {
	Matrix   Matrix
	Name     string  // of an exact one, else "calibration"
	Exact    bool    // one of the eight
	Residual float64 // root of the mean squared distance, as a part of the screen
}

// ErrDegenerate says that the taps do not determine a matrix.
var ErrDegenerate = errors.New("the taps lie on one line, or all in one place")

// FitError says that no matrix explains the taps.
type FitError struct {
	Residual float64
	Worst    int // index of the sample that is farthest off
}

func (e *FitError) Error() string {
	return fmt.Sprintf("the taps do not fit together: they lie %.0f %% of the screen off on average, tap %d the most; tap the targets again, each in its middle", e.Residual*100, e.Worst+1)
}

// Solve finds the matrix for at least MinSamples taps: the best of the eight
// exact ones if the taps lie near enough to their targets with it, else the
// affine matrix with the least squares.
func Solve(samples []Sample) (Result, error) {
	if len(samples) < MinSamples {
		return Result{}, fmt.Errorf("%d taps are too few, at least %d are needed", len(samples), MinSamples)
	}
	for i, s := range samples {
		for _, v := range []float64{s.Screen.X, s.Screen.Y, s.Panel.X, s.Panel.Y} {
			if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) > 1e6 {
				return Result{}, fmt.Errorf("tap %d has a coordinate of %v, which is none", i+1, v)
			}
		}
	}
	fitted, err := leastSquares(samples)
	if err != nil {
		return Result{}, err
	}
	best := Result{Residual: math.Inf(1)}
	for _, e := range Exacts {
		if r := Residual(e.Matrix, samples); r < best.Residual {
			best = Result{Matrix: e.Matrix, Name: e.Name, Exact: true, Residual: r}
		}
	}
	r := Residual(fitted, samples)
	if best.Residual <= exactWithin && (best.Residual <= sloppy || r > explained*best.Residual) {
		return best, nil
	}
	if _, ok := fitted.Invert(); r > fitWithin || !ok {
		return Result{}, &FitError{Residual: r, Worst: worst(fitted, samples)}
	}
	return Result{Matrix: fitted, Name: "calibration", Residual: r}, nil
}

// Residual is the root of the mean squared distance between the targets and the
// mapped taps.
func Residual(m Matrix, samples []Sample) float64 {
	if len(samples) == 0 {
		return 0
	}
	var sum float64
	for _, s := range samples {
		p := m.Apply(s.Panel)
		sum += sq(p.X-s.Screen.X) + sq(p.Y-s.Screen.Y)
	}
	return math.Sqrt(sum / float64(len(samples)))
}

func worst(m Matrix, samples []Sample) int {
	at, far := 0, -1.0
	for i, s := range samples {
		p := m.Apply(s.Panel)
		if d := sq(p.X-s.Screen.X) + sq(p.Y-s.Screen.Y); d > far {
			at, far = i, d
		}
	}
	return at
}

func sq(x float64) float64 { return x * x }

// leastSquares fits both rows. The panel's coordinates are centred first, which
// makes the normal equations two by two and keeps them well conditioned.
func leastSquares(samples []Sample) (Matrix, error) {
	n := float64(len(samples))
	var pm, sm Point
	for _, s := range samples {
		pm.X, pm.Y = pm.X+s.Panel.X/n, pm.Y+s.Panel.Y/n
		sm.X, sm.Y = sm.X+s.Screen.X/n, sm.Y+s.Screen.Y/n
	}
	var xx, xy, yy, xu, yu, xv, yv float64
	for _, s := range samples {
		x, y := s.Panel.X-pm.X, s.Panel.Y-pm.Y
		u, v := s.Screen.X-sm.X, s.Screen.Y-sm.Y
		xx, xy, yy = xx+x*x, xy+x*y, yy+y*y
		xu, yu, xv, yv = xu+x*u, yu+y*u, xv+x*v, yv+y*v
	}
	det := xx*yy - xy*xy
	// The determinant is the product of the spreads along both axes of the
	// cloud of taps; relative to their sum it vanishes on a line.
	if trace := xx + yy; trace < 1e-9 || det < 1e-6*trace*trace {
		return Matrix{}, ErrDegenerate
	}
	a, b := (xu*yy-yu*xy)/det, (yu*xx-xu*xy)/det
	d, e := (xv*yy-yv*xy)/det, (yv*xx-xv*xy)/det
	return Matrix{a, b, sm.X - a*pm.X - b*pm.Y, d, e, sm.Y - d*pm.X - e*pm.Y}, nil
}

// Name tells what a matrix does.
func Name(m Matrix) string {
	for _, e := range Exacts {
		if e.Matrix == m {
			return e.Name
		}
	}
	return "calibration"
}

// String prints the six numbers as udev rules have them: ENV{LIBINPUT_CALIBRATION_MATRIX}="a b c d e f".
func (m Matrix) String() string {
	words := make([]string, len(m))
	for i, v := range m {
		if v == 0 {
			v = 0 // no "-0"
		}
		words[i] = strconv.FormatFloat(v, 'g', 7, 64)
	}
	return strings.Join(words, " ")
}
