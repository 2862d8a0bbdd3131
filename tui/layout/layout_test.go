package layout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// draw paints the rectangles with letters, scaled down so that a table is readable.
func draw(s Screen, w, h int) string {
	grid := make([][]byte, h)
	for y := range grid {
		grid[y] = []byte(strings.Repeat(".", w))
	}
	for _, p := range []struct {
		r Rect
		c byte
	}{{s.Header, 'H'}, {s.Rail, 'R'}, {s.Tabs, 'T'}, {s.Primary, '1'}, {s.Secondary, '2'}, {s.Status, 'S'}, {s.Footer, 'F'}} {
		for y := p.r.Y; y < p.r.Y+p.r.H; y++ {
			for x := p.r.X; x < p.r.X+p.r.W; x++ {
				if grid[y][x] != '.' {
					grid[y][x] = '#' // two parts on one cell
					continue
				}
				grid[y][x] = p.c
			}
		}
	}
	var lines []string
	for _, row := range grid {
		var b strings.Builder
		for x := 0; x < w; x += 10 {
			b.WriteByte(row[x])
		}
		lines = append(lines, b.String())
	}
	return strings.Join(lines, "\n")
}

func TestBoxes(t *testing.T) {
	two := State{Secondary: true}
	tests := []struct {
		name string
		w, h int
		s    State
		want string
	}{
		{"too small", 39, 12, two, "HHHH\n....\n....\n....\n....\n....\n....\n....\n....\n....\n....\n...."},
		{"tabs", 40, 10, two, "HHHH\nRRRR\nTTTT\n1111\n1111\n1111\n1111\n1111\nSSSS\nFFFF"},
		{"tabs, second", 40, 10, State{Secondary: true, Second: true}, "HHHH\nRRRR\nTTTT\n2222\n2222\n2222\n2222\n2222\nSSSS\nFFFF"},
		{"one pane needs no tabs", 40, 10, State{}, "HHHH\nRRRR\n1111\n1111\n1111\n1111\n1111\n1111\nSSSS\nFFFF"},
		{"stacked", 80, 14, two, "HHHHHHHH\nRRRRRRRR\n11111111\n11111111\n11111111\n11111111\n11111111\n11111111\n22222222\n22222222\n22222222\n22222222\nSSSSSSSS\nFFFFFFFF"},
		{"stacked, wide only", 80, 10, State{Secondary: true, WideOnly: true}, "HHHHHHHH\nRRRRRRRR\n11111111\n11111111\n11111111\n11111111\n11111111\n11111111\nSSSSSSSS\nFFFFFFFF"},
		{"wide", 120, 10, two, "HHHHHHHHHHHH\nRRRRRRRRRRRR\n111111112222\n111111112222\n111111112222\n111111112222\n111111112222\n111111112222\nSSSSSSSSSSSS\nFFFFFFFFFFFF"},
		{"zoomed", 120, 10, State{Secondary: true, Zoom: true, Second: true}, "HHHHHHHHHHHH\nRRRRRRRRRRRR\n222222222222\n222222222222\n222222222222\n222222222222\n222222222222\n222222222222\nSSSSSSSSSSSS\nFFFFFFFFFFFF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, draw(Compute(tt.w, tt.h, tt.s), tt.w, tt.h)); d != "" {
				t.Error(d)
			}
		})
	}
}

// Whatever the size and the room, parts never overlap and never leave the
// screen, and from the smallest usable size on nothing stays unused.
func TestSweep(t *testing.T) {
	for w := 1; w <= 250; w++ {
		for h := 1; h <= 80; h += 1 + h/20 {
			for bits := range 16 {
				s := State{Secondary: bits&1 != 0, WideOnly: bits&2 != 0, Zoom: bits&4 != 0, Second: bits&8 != 0}
				out := Compute(w, h, s)
				area := 0
				for _, r := range []Rect{out.Header, out.Rail, out.Tabs, out.Primary, out.Secondary, out.Status, out.Footer} {
					if r.X < 0 || r.Y < 0 || r.W < 0 || r.H < 0 || r.X+r.W > w || r.Y+r.H > h {
						t.Fatalf("%dx%d %+v: %+v leaves the screen", w, h, s, r)
					}
					area += r.W * r.H
				}
				if out.Mode != TooSmall && area != w*h {
					t.Fatalf("%dx%d %+v: parts cover %d of %d cells: %+v", w, h, s, area, w*h, out)
				}
			}
		}
	}
}
