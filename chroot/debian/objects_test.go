package debian

import (
	"strings"
	"testing"
	"time"
)

func TestObjects(t *testing.T) {
	now := time.Unix(1000, 0)
	o := NewObjects(20)
	o.now = func() time.Time { return now }
	for _, l := range []string{
		"  CC      init/main.o", "  AS      arch/arm64/kernel/entry.o", "  CC [M]  drivers/net/dummy.o",
	} {
		if !o.Line(l) {
			t.Errorf("%q was not counted", l)
		}
		now = now.Add(time.Second)
	}
	for _, l := range []string{
		"  HOSTCC  scripts/basic/fixdep", "  LD      vmlinux.o", "  AR      built-in.a", "  LD [M]  drivers/net/dummy.ko",
		"  CC      arch/arm64/kernel/asm-offsets.s", "CC init/main.o", "  CC", "  CC init/a.o and more", "", "  GEN     Makefile",
		"  CC      " + strings.Repeat("x", 5000) + ".o",
	} {
		if o.Line(l) {
			t.Errorf("%.60q was counted", l)
		}
	}
	if o.Done() != 3 || o.Total() != 20 || o.Left() != 0 {
		t.Errorf("done %d of %d, %s left; want 3 of 20 and no guess yet", o.Done(), o.Total(), o.Left())
	}
	for range 7 {
		o.Line("  CC      a.o")
		now = now.Add(time.Second)
	}
	if o.Left() != 10*time.Second {
		t.Errorf("after 10 objects in 9 s, %s left for 10 more; want 10s", o.Left())
	}
	for range 15 {
		o.Line("  CC      a.o")
	}
	if o.Done() != 25 || o.Total() != 25 || o.Left() != 0 {
		t.Errorf("more than expected: done %d of %d, %s left", o.Done(), o.Total(), o.Left())
	}
	if u := NewObjects(0); !u.Line("  CC  a.o") || u.Total() != 0 || u.Left() != 0 {
		t.Error("an unknown total must stay unknown")
	}
}

func FuzzObjects(f *testing.F) {
	f.Add("  CC [M]  drivers/net/dummy.o")
	f.Fuzz(func(t *testing.T, line string) {
		o := NewObjects(1)
		if o.Line(line) != (o.Done() == 1) {
			t.Error("the answer and the count differ")
		}
	})
}

func TestFirstError(t *testing.T) {
	tests := []struct {
		name, want string
		lines      []string
	}{
		{"compiler before make", "drivers/a.c:3:5: error: expected ';'", []string{"  CC a.o", "drivers/a.c:3:5: error: expected ';'", "make[2]: *** [a.o] Error 1", "drivers/b.c:1:1: error: later"}},
		{"make came first with -j", "b.c:1:1: fatal error: x.h: No such file", []string{"make[2]: *** [a.o] Error 1", "b.c:1:1: fatal error: x.h: No such file"}},
		{"only make", "make: *** [debian/rules:7: build] Error 2", []string{"make: *** [debian/rules:7: build] Error 2"}},
		{"linker", "ld: a.o: undefined reference to `x'", []string{"ld: a.o: undefined reference to `x'"}},
		{"not an error", "", []string{"  CC      lib/error.o", "0 errors: fine", "errors: none", "checking for error_at_line... yes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &failure{}
			for _, l := range tt.lines {
				w.line(l)
			}
			if w.first != tt.want {
				t.Errorf("got %q, want %q", w.first, tt.want)
			}
		})
	}
	w := &failure{}
	for range 10 * tailLines {
		w.line(strings.Repeat("x", 3*maxLine))
	}
	if len(w.tail) != tailLines || len(w.tail[0]) > maxLine+8 {
		t.Errorf("the tail holds %d lines of %d bytes", len(w.tail), len(w.tail[0]))
	}
}
