package logpane

import "bytes"

// sliceLines is how many lines one step of a search looks at (about 10 ms),
// so that a search through a million lines never holds up a key.
const sliceLines = 100_000

// search is a search under way or done.
type search struct {
	query   string
	fold    bool // no capital in the query: case does not matter
	forward bool
	at      int // next line to look at
	left    int // lines still to look at
	running bool
	missed  bool
}

// Search begins to look for query from the line under the cursor. Call Step
// until it says that it is done.
func (p *Pane) Search(query string, forward bool) {
	p.search = search{query: query, forward: forward, fold: query == string(lower([]byte(query)))}
	p.errorsNext = query == ""
	p.restart()
}

// Next looks for the next or previous match; without a search it goes to the
// next or previous error.
func (p *Pane) Next(forward bool) {
	if p.search.query == "" {
		p.nextError(forward)
		return
	}
	p.search.forward = forward
	p.restart()
}

func (p *Pane) restart() {
	if p.search.query == "" || p.ring.len() == 0 {
		p.search.running = false
		return
	}
	p.search.left, p.search.running, p.search.missed = p.ring.len(), true, false
	p.search.at = p.cursorLine()
	p.advance()
}

func (p *Pane) advance() {
	if p.search.forward {
		p.search.at++
	} else {
		p.search.at--
	}
	if p.search.at >= p.ring.next {
		p.search.at = p.ring.first()
	}
	if p.search.at < p.ring.first() {
		p.search.at = p.ring.next - 1
	}
}

// Step looks at some lines more. It tells whether to call it again.
func (p *Pane) Step() (again bool) {
	s := &p.search
	if !s.running {
		return false
	}
	query := []byte(s.query)
	for n := 0; n < sliceLines && s.left > 0; n++ {
		line, _ := p.ring.at(s.at)
		if contains(line, query, s.fold) {
			s.running = false
			p.goTo(s.at)
			return false
		}
		s.left--
		p.advance()
	}
	if s.left <= 0 {
		s.running, s.missed = false, true
	}
	return s.running
}

func contains(line, query []byte, fold bool) bool {
	return index(line, query, fold) >= 0
}

// index finds query in line; with fold, ASCII letters match in either case.
func index(line, query []byte, fold bool) int {
	if !fold {
		return bytes.Index(line, query)
	}
	if len(query) == 0 {
		return 0
	}
	c := query[0]
	up := c
	if c >= 'a' && c <= 'z' {
		up = c - 'a' + 'A'
	}
	for i := 0; i+len(query) <= len(line); i++ {
		if line[i] != c && line[i] != up {
			continue
		}
		if bytes.Equal(lower(line[i:i+len(query)]), query) {
			return i
		}
	}
	return -1
}

// lower maps ASCII capitals only, so that offsets stay the same.
func lower(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}
