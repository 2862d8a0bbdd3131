package logpane

import (
	"fmt"
	"strings"

	"portolan/tui/draw"
	"portolan/tui/theme"
	"portolan/wizard"
)

// Pane is a log with a place to look at. While it follows, the newest line is
// the last row; moving stops that, and going to the end starts it again.
type Pane struct {
	ring   ring
	errors []int // numbers of error lines, oldest first

	follow bool
	cursor int // line under the cursor while not following
	top    int // first line shown while not following
	sub    int // first row of top shown, when lines are wrapped
	seen   int // number of the next line when following stopped
	wrap   bool
	left   int // cells scrolled to the right, when not wrapped

	search     search
	errorsNext bool

	// Path is the file with the whole log; shown in the frame.
	Path string
	// Known is an error that is shown elsewhere: it is not pinned as well.
	Known string

	width, height int // of the last View, for moving by pages
}

// New returns an empty pane with the default bounds.
func New() *Pane { return NewBounded(MaxLines, MaxBytes) }

// NewBounded returns an empty pane that keeps about so many lines and bytes.
func NewBounded(lines, bytes int) *Pane {
	return &Pane{ring: ring{maxLines: lines, maxBytes: bytes}, follow: true, height: 1}
}

// Add appends a line. Escape sequences and control characters of build output
// are removed here, once.
func (p *Pane) Add(l wizard.LogLine) {
	l.Text = draw.Clean(l.Text)
	if isError(l) {
		if l.Kind == wizard.LineOutput {
			l.Kind = wizard.LineError
		}
		if len(p.errors) < maxErrors {
			p.errors = append(p.errors, p.ring.next)
		}
	}
	p.ring.add(l.Text, kindByte(l.Kind))
}

// Forget drops the errors of an earlier run, so that the next one is the first.
func (p *Pane) Forget() { p.errors = nil }

// Len is how many lines are kept.
func (p *Pane) Len() int { return p.ring.len() }

// Total is how many lines were ever added.
func (p *Pane) Total() int { return p.ring.next }

// Following tells whether the newest line is shown as it comes.
func (p *Pane) Following() bool { return p.follow }

// Errors is how many errors were seen since Forget.
func (p *Pane) Errors() int { return len(p.errors) }

// FirstError returns the first error line, and false when there is none.
func (p *Pane) FirstError() (string, bool) {
	if len(p.errors) == 0 {
		return "", false
	}
	text, _ := p.ring.at(p.errors[0])
	if text == nil {
		return "(no longer kept; see the log file)", true
	}
	return string(text), true
}

// cursorLine is where searches begin.
func (p *Pane) cursorLine() int {
	if p.follow {
		return p.ring.next - 1
	}
	return p.cursor
}

// goTo stops following and puts a line in the middle, with context above it.
func (p *Pane) goTo(n int) {
	p.stop()
	p.cursor = max(p.ring.first(), min(n, p.ring.next-1))
	p.top, p.sub = max(p.ring.first(), p.cursor-p.height/2), 0
	if top, sub := p.bottomTop(); p.top > top {
		p.top, p.sub = top, sub // no empty rows below the last line
	}
	p.reveal()
}

func (p *Pane) stop() {
	if !p.follow {
		return
	}
	p.follow, p.seen = false, p.ring.next
	p.cursor = max(p.ring.first(), p.ring.next-1)
	p.top, p.sub = p.bottomTop()
}

// Move moves the cursor by lines; it stops following.
func (p *Pane) Move(lines int) {
	if p.ring.len() == 0 {
		return
	}
	p.stop()
	p.cursor = max(p.ring.first(), min(p.cursor+lines, p.ring.next-1))
	p.reveal()
}

// Page moves by screens.
func (p *Pane) Page(screens int) { p.Move(screens * max(1, p.height-1)) }

// Top goes to the oldest line that is kept.
func (p *Pane) Top() { p.Move(-p.ring.len()) }

// Bottom goes to the newest line and follows again.
func (p *Pane) Bottom() { p.follow = true }

// Sideways scrolls long lines by cells; it does nothing while they are wrapped.
func (p *Pane) Sideways(cells int) {
	if !p.wrap {
		p.left = max(0, min(p.left+cells, draw.MaxLine))
	}
}

// ToggleWrap wraps long lines, or stops wrapping them.
func (p *Pane) ToggleWrap() {
	p.wrap, p.left = !p.wrap, 0
	if !p.follow {
		p.sub = 0
		p.reveal()
	}
}

// ToFirstError goes to the first error.
func (p *Pane) ToFirstError() bool {
	if len(p.errors) == 0 {
		return false
	}
	p.goTo(p.errors[0])
	return true
}

func (p *Pane) nextError(forward bool) {
	at := p.cursorLine()
	if forward {
		for _, n := range p.errors {
			if n > at {
				p.goTo(n)
				return
			}
		}
		p.ToFirstError()
		return
	}
	for i := len(p.errors) - 1; i >= 0; i-- {
		if p.errors[i] < at {
			p.goTo(p.errors[i])
			return
		}
	}
	if n := len(p.errors); n > 0 {
		p.goTo(p.errors[n-1])
	}
}

// Copy returns what y copies, and what it is: the line under the cursor; while
// following, the first error with its context, else what is shown.
func (p *Pane) Copy() (text, what string) {
	if p.ring.len() == 0 {
		return "", "nothing"
	}
	from, to, what := p.cursor, p.cursor, "the line"
	if p.follow {
		to, from = p.ring.next-1, max(p.ring.first(), p.ring.next-p.height)
		what = fmt.Sprintf("%d lines", to-from+1)
		if len(p.errors) > 0 {
			from, to = max(p.ring.first(), p.errors[0]-5), min(p.errors[0]+10, p.ring.next-1)
			what = "the first error and what is around it"
		}
	}
	var b strings.Builder
	for n := from; n <= to; n++ {
		line, _ := p.ring.at(n)
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String(), what
}

// Status is one line on where the pane looks, for the frame.
func (p *Pane) Status() string {
	var parts []string
	switch {
	case p.search.running:
		parts = append(parts, "searching "+p.search.query)
	case p.search.missed:
		parts = append(parts, "nothing matches "+p.search.query)
	}
	if n := p.ring.next - p.seen; !p.follow && n > 0 {
		parts = append(parts, fmt.Sprintf("+%s new lines, G follows", draw.Count(int64(n))))
	} else if !p.follow {
		parts = append(parts, "paused, G follows")
	}
	if p.ring.len() > 0 {
		at := p.cursorLine() + 1
		parts = append(parts, draw.Count(int64(at))+"/"+draw.Count(int64(p.ring.next)))
	}
	if p.wrap {
		parts = append(parts, "wrapped")
	}
	return strings.Join(parts, " · ")
}

func style(t theme.Theme, k wizard.LineKind) interface{ Render(...string) string } {
	switch k {
	case wizard.LineCommand:
		return t.Accent
	case wizard.LineNote:
		return t.Title
	case wizard.LineWarning:
		return t.Warn
	case wizard.LineError:
		return t.Bad
	}
	return t.Text
}
