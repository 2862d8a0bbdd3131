package practice

import (
	"fmt"
	"math"
	"testing"
)

// TestMountMatrix checks that what the panel reports and the matrix undo each
// other, and that pure rotations have libinput's documented matrices.
func TestMountMatrix(t *testing.T) {
	documented := map[int][6]float64{
		0: {1, 0, 0, 0, 1, 0}, 90: {0, -1, 1, 1, 0, 0}, 180: {-1, 0, 1, 0, -1, 1}, 270: {0, 1, 0, -1, 0, 1},
	}
	seen := map[string]bool{}
	for rotate, want := range documented {
		if got := (Mount{Rotate: rotate}).Matrix(); got != want {
			t.Errorf("%d degrees: %v, libinput documents %v", rotate, got, want)
		}
		for _, mirror := range []bool{false, true} {
			m := Mount{rotate, mirror}
			a := m.Matrix()
			seen[fmt.Sprint(a)] = true
			for _, p := range [][2]float64{{0, 0}, {1, 0}, {0.25, 0.75}, {0.1, 0.2}} {
				x, y := m.Raw(p[0], p[1])
				sx, sy := a[0]*x+a[1]*y+a[2], a[3]*x+a[4]*y+a[5]
				if math.Hypot(sx-p[0], sy-p[1]) > 1e-12 {
					t.Errorf("%+v: %v is reported as %g,%g, which the matrix makes %g,%g", m, p, x, y, sx, sy)
				}
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("the eight mountings have %d matrices", len(seen))
	}
	if got := (Mount{90, true}).Matrix(); got != [6]float64{0, -1, 1, -1, 0, 1} {
		t.Errorf("90 degrees, mirrored: %v", got)
	}
}
