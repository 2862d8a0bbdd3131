// Package layout divides the screen. It is one pure function, so that every
// size can be tested without a terminal.
package layout

// Rect is a part of the screen in cells.
type Rect struct{ X, Y, W, H int }

// Empty tells whether nothing can be drawn in it.
func (r Rect) Empty() bool { return r.W <= 0 || r.H <= 0 }

// Mode is how the panes are arranged.
type Mode int

// The modes, from roomy to none.
const (
	Wide     Mode = iota // two panes beside each other
	Stacked              // two panes above each other
	Tabs                 // one pane, the others behind tabs
	TooSmall             // one line that asks for a larger window
)

// Where the modes begin. 80 is what a terminal opens with; two panes of a form
// and a preview are readable from 120 on.
const (
	WideFrom    = 120
	StackedFrom = 80
	MinWidth    = 40
	MinHeight   = 10
)

// State is what the room wants.
type State struct {
	Secondary bool // there is a second pane
	WideOnly  bool // the second pane is shown only beside the first, never below
	Percent   int  // share of the second pane beside the first; 0 means 40
	Rows      int  // height of the second pane below the first; 0 means two fifths
	Zoom      bool // only the pane with the focus
	Second    bool // the second pane has the focus
}

// Screen is the result.
type Screen struct {
	Mode      Mode
	Header    Rect // name, port, phone
	Rail      Rect // the steps of the voyage
	Tabs      Rect // names of the panes, only in Tabs
	Primary   Rect
	Secondary Rect
	Status    Rect // what comes next, or what just happened
	Footer    Rect // keys
}

// Compute divides a screen of width by height.
func Compute(width, height int, s State) Screen {
	if width < MinWidth || height < MinHeight {
		return Screen{Mode: TooSmall, Header: Rect{0, 0, max(0, width), min(1, max(0, height))}}
	}
	out := Screen{
		Header: Rect{0, 0, width, 1},
		Rail:   Rect{0, 1, width, 1},
		Status: Rect{0, height - 2, width, 1},
		Footer: Rect{0, height - 1, width, 1},
	}
	body := Rect{0, 2, width, height - 4}
	switch {
	case width >= WideFrom:
		out.Mode = Wide
	case width >= StackedFrom:
		out.Mode = Stacked
	default:
		out.Mode = Tabs
	}
	two := s.Secondary && !(s.WideOnly && out.Mode == Stacked)
	switch {
	case out.Mode == Tabs:
		if s.Secondary {
			out.Tabs = Rect{0, body.Y, width, 1}
			body.Y, body.H = body.Y+1, body.H-1
		}
		out.place(body, s.Secondary && s.Second)
	case !two || s.Zoom:
		out.place(body, two && s.Second)
	case out.Mode == Wide:
		share := s.Percent
		if share <= 0 {
			share = 40
		}
		w := width * share / 100
		out.Primary = Rect{0, body.Y, width - w, body.H}
		out.Secondary = Rect{width - w, body.Y, w, body.H}
	default:
		h := s.Rows
		if h <= 0 {
			h = body.H * 2 / 5
		}
		h = min(h, body.H/2)
		if h < 3 { // no room for a frame below: the second pane waits for tab
			out.place(body, s.Second)
			break
		}
		out.Primary = Rect{0, body.Y, width, body.H - h}
		out.Secondary = Rect{0, body.Y + body.H - h, width, h}
	}
	return out
}

func (s *Screen) place(body Rect, second bool) {
	if second {
		s.Secondary = body
	} else {
		s.Primary = body
	}
}
