// Package logpane keeps the lines of a build and shows the part that fits on
// the screen. Bubbles' viewport formats every line on each append (63 ms at
// 50,000 lines); this pane formats only the rows it shows.
package logpane

import (
	"bytes"
	"sort"

	"portolan/wizard"
)

// Bounds of what is kept; older lines are dropped a chunk at a time. The whole
// log is on disk.
const (
	MaxLines = 1_000_000
	MaxBytes = 192 << 20

	chunkLines = 2048
	chunkBytes = 256 << 10
)

// chunk holds some lines in one piece of memory, so that a million lines are
// five hundred allocations and not a million strings.
type chunk struct {
	first int // number of its first line, counted since the pane began
	text  []byte
	ends  []uint32
	kinds []uint8
}

func (c *chunk) line(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = c.ends[i-1]
	}
	return c.text[from:c.ends[i]]
}

// ring is a bounded list of lines. Line numbers never change: the first line
// that was ever added is 0, also after it was dropped.
type ring struct {
	chunks   []*chunk
	next     int // number that the next line gets
	bytes    int
	maxLines int
	maxBytes int
}

func (r *ring) first() int {
	if len(r.chunks) == 0 {
		return r.next
	}
	return r.chunks[0].first
}

func (r *ring) len() int { return r.next - r.first() }

func (r *ring) add(text string, kind uint8) {
	var c *chunk
	if n := len(r.chunks); n > 0 {
		c = r.chunks[n-1]
	}
	if c == nil || len(c.ends) >= chunkLines || len(c.text)+len(text) > chunkBytes {
		if c != nil { // give back what the estimate was too large by
			c.text = bytes.Clone(c.text)
		}
		c = &chunk{first: r.next, ends: make([]uint32, 0, chunkLines), kinds: make([]uint8, 0, chunkLines)}
		r.chunks = append(r.chunks, c)
	}
	c.text = append(c.text, text...)
	c.ends = append(c.ends, uint32(len(c.text)))
	c.kinds = append(c.kinds, kind)
	r.next++
	r.bytes += len(text)
	for len(r.chunks) > 1 && (r.len() > r.maxLines || r.bytes > r.maxBytes) {
		r.bytes -= len(r.chunks[0].text)
		r.chunks[0] = nil
		r.chunks = r.chunks[1:]
	}
}

// at returns a line; the bytes are valid until the line is dropped.
func (r *ring) at(n int) (text []byte, kind wizard.LineKind) {
	c := r.find(n)
	if c == nil {
		return nil, wizard.LineOutput
	}
	return c.line(n - c.first), kinds[c.kinds[n-c.first]]
}

func (r *ring) find(n int) *chunk {
	if n < r.first() || n >= r.next {
		return nil
	}
	i := sort.Search(len(r.chunks), func(i int) bool { return r.chunks[i].first > n }) - 1
	return r.chunks[i]
}

var kinds = [...]wizard.LineKind{wizard.LineOutput, wizard.LineCommand, wizard.LineNote, wizard.LineWarning, wizard.LineError}

func kindByte(k wizard.LineKind) uint8 {
	for i, kk := range kinds {
		if kk == k {
			return uint8(i)
		}
	}
	return 0
}
