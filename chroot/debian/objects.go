package debian

import (
	"strings"
	"time"
)

// Objects counts what a kernel build compiles, from the quiet output of kbuild:
// scripts/Kbuild.include prints every command as "  CC      drivers/base/bus.o",
// modules as "  CC [M]  drivers/net/dummy.o". The zero value is not ready; use
// NewObjects. It is used by one goroutine.
type Objects struct {
	total int
	done  int
	now   func() time.Time
	start time.Time
	last  time.Time
}

// NewObjects counts towards total objects; 0 says that the total is not known.
func NewObjects(total int) *Objects {
	return &Objects{total: max(total, 0), now: time.Now}
}

// compiles are kbuild's quiet commands that make one object of the kernel.
// HOSTCC and the like build tools, LD and AR gather what was counted already.
var compiles = map[string]bool{"CC": true, "AS": true}

// Line takes one line of output and reports whether the count moved.
func (o *Objects) Line(line string) bool {
	if !objectLine(line) {
		return false
	}
	o.last = o.now()
	if o.done == 0 {
		o.start = o.last
	}
	o.done++
	return true
}

func objectLine(line string) bool {
	if len(line) > 4096 || !strings.HasPrefix(line, "  ") {
		return false
	}
	words := strings.Fields(line)
	if len(words) < 2 || !compiles[words[0]] {
		return false
	}
	if words[1] == "[M]" {
		words = words[1:]
	}
	return len(words) == 2 && strings.HasSuffix(words[1], ".o")
}

// Done is the number of objects compiled so far.
func (o *Objects) Done() int { return o.done }

// Total is the number expected, never less than Done; 0 when it is not known.
func (o *Objects) Total() int {
	if o.total == 0 {
		return 0
	}
	return max(o.total, o.done)
}

// Left is the time the rest takes at the rate seen so far; 0 until it can be
// told, which needs a total and eight objects.
func (o *Objects) Left() time.Duration {
	if o.total == 0 || o.done < 8 || o.done >= o.total {
		return 0
	}
	spent := o.last.Sub(o.start)
	return spent / time.Duration(o.done-1) * time.Duration(o.total-o.done)
}
