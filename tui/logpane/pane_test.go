package logpane

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"portolan/tui/theme"
	"portolan/wizard"
)

func fill(p *Pane, n int) {
	for range n {
		p.Add(wizard.LogLine{Text: fmt.Sprintf("  CC      drivers/gpu/drm/msm/adreno/a6xx_gpu_state_%07d.o", p.Total())})
	}
}

func show(p *Pane, w, h int) string {
	return ansi.Strip(strings.Join(p.View(theme.Calm(), w, h), "\n"))
}

func TestFollowPausesOnScroll(t *testing.T) {
	p := New()
	fill(p, 100)
	if s := show(p, 80, 10); !strings.Contains(s, "0000099.o") {
		t.Fatalf("the newest line is not shown:\n%s", s)
	}
	p.Move(-1)
	fill(p, 50)
	s := show(p, 80, 10)
	if strings.Contains(s, "0000149.o") || !strings.Contains(s, "▸") {
		t.Fatalf("the view moved although it was paused:\n%s", s)
	}
	if st := p.Status(); !strings.Contains(st, "+50 new lines") {
		t.Fatalf("the status does not count new lines: %q", st)
	}
	p.Bottom()
	if s := show(p, 80, 10); !strings.Contains(s, "0000149.o") || !p.Following() {
		t.Fatalf("G does not follow again:\n%s", s)
	}
}

func TestFirstErrorStaysInSight(t *testing.T) {
	p := New()
	fill(p, 50)
	p.Add(wizard.LogLine{Text: "ts.c:212:9: error: implicit declaration"})
	fill(p, 500)
	p.Add(wizard.LogLine{Text: "make: *** [Makefile:1] Error 1"})
	if s := show(p, 80, 10); !strings.Contains(s, "first of 2 errors: ts.c:212:9: error") {
		t.Fatalf("the first error is not pinned:\n%s", s)
	}
	if !p.ToFirstError() {
		t.Fatal("no first error")
	}
	if s := show(p, 80, 12); !strings.Contains(s, "▸ ts.c:212:9") || !strings.Contains(s, "0000049.o") {
		t.Fatalf("the error is not shown with what is above it:\n%s", s)
	}
	p.Next(true)
	if s := show(p, 80, 12); !strings.Contains(s, "▸ make: ***") {
		t.Fatalf("n does not go to the next error:\n%s", s)
	}
	text, _ := p.Copy()
	if text != "make: *** [Makefile:1] Error 1\n" {
		t.Fatalf("y copies %q", text)
	}
	p.Bottom()
	if text, what := p.Copy(); !strings.Contains(text, "implicit declaration") || !strings.Contains(text, "0000049.o") {
		t.Fatalf("y copies %s: %q", what, text)
	}
	p.Forget()
	if s := show(p, 80, 10); strings.Contains(s, "first error") {
		t.Fatalf("an old error is still pinned:\n%s", s)
	}
}

func TestSearch(t *testing.T) {
	p := New()
	fill(p, 250_000)
	p.Search("STATE_0000777", false)
	steps := 0
	for p.Step() {
		steps++
	}
	if steps != 2 { // a capital: case matters, nothing matches, every slice was looked at
		t.Fatalf("%d slices for 250,000 lines", steps)
	}
	if st := p.Status(); !strings.Contains(st, "nothing matches") {
		t.Fatalf("status %q", st)
	}
	p.Search("state_0000777", false)
	for p.Step() {
	}
	if s := show(p, 80, 10); !strings.Contains(s, "▸   CC") || !strings.Contains(s, "0000777.o") {
		t.Fatalf("not found:\n%s", s)
	}
	p.Search("cc  ", true)
	p.Step()
	if p.cursor != 778 {
		t.Fatalf("the next match is line %d", p.cursor)
	}
}

func TestBoundsOfMemory(t *testing.T) {
	p := NewBounded(10_000, 1<<20)
	fill(p, 100_000)
	if n := p.Len(); n > 10_000+chunkLines || n < 8_000 {
		t.Errorf("%d lines kept of at most 10,000", n)
	}
	p.Move(-1 << 30)
	if s := show(p, 80, 5); !strings.Contains(s, "▸") {
		t.Errorf("the oldest line is not shown:\n%s", s)
	}
	for range 100 {
		p.Add(wizard.LogLine{Text: strings.Repeat("long ", 20_000)})
	}
	if p.ring.bytes > 1<<20+chunkBytes {
		t.Errorf("%d bytes kept of at most 1 MiB", p.ring.bytes)
	}
	show(p, 80, 5)
}

func TestMillionLinesFitInMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p := New()
	fill(p, 1_500_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 160<<20 {
		t.Errorf("1,500,000 lines of 60 bytes hold %d MiB", used>>20)
	}
	if p.Len() > MaxLines+chunkLines {
		t.Errorf("%d lines kept", p.Len())
	}
	runtime.KeepAlive(p)
}

// Every size, wrapped and not, following and not, shows exactly its rows.
func TestSweep(t *testing.T) {
	p := New()
	for i := range 60 {
		p.Add(wizard.LogLine{Text: strings.Repeat("日本 word ", i), Kind: kinds[i%len(kinds)]})
	}
	for _, wrapped := range []bool{false, true} {
		for w := 1; w <= 200; w += 1 + w/6 {
			for h := 1; h <= 30; h += 1 + h/4 {
				for _, move := range []int{0, -3, -25, 10} {
					if move != 0 {
						p.Move(move)
					}
					lines := p.View(theme.Calm(), w, h)
					if len(lines) != h {
						t.Fatalf("%dx%d wrapped %v: %d lines", w, h, wrapped, len(lines))
					}
					found := false
					for _, l := range lines {
						if n := ansi.StringWidth(l); n != w {
							t.Fatalf("%dx%d wrapped %v: a line is %d wide: %q", w, h, wrapped, n, l)
						}
						found = found || strings.Contains(l, "▸")
					}
					if !p.follow && w > 4 && !found {
						t.Fatalf("%dx%d wrapped %v: the cursor's line %d is not shown", w, h, wrapped, p.cursor)
					}
				}
				p.Bottom()
			}
		}
		p.ToggleWrap()
	}
}

func BenchmarkIngest(b *testing.B) {
	p := New()
	l := wizard.LogLine{Text: "  CC      drivers/gpu/drm/msm/adreno/a6xx_gpu_state.o"}
	b.ReportAllocs()
	for b.Loop() {
		p.Add(l)
	}
}

func BenchmarkViewOfAMillionLines(b *testing.B) {
	p := New()
	fill(p, MaxLines)
	t := theme.Calm()
	for b.Loop() {
		p.View(t, 120, 40)
	}
}

func BenchmarkSearchSlice(b *testing.B) {
	p := New()
	fill(p, sliceLines)
	for b.Loop() {
		p.Search("no such thing", false)
		p.Step()
	}
}
