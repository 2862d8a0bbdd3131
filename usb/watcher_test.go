package usb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portolan/usb"
)

// fakeSource reports what the test sends it. Every test here runs in a synctest
// bubble, which fails if a goroutine of the watcher outlives the test.
type fakeSource struct {
	name   string
	feed   chan usb.Change
	fail   chan error
	runs   int
	opened []string
}

func newFake(name string) *fakeSource {
	return &fakeSource{name: name, feed: make(chan usb.Change), fail: make(chan error)}
}

func (s *fakeSource) Name() string { return s.name }

func (s *fakeSource) Run(ctx context.Context, report func(usb.Change)) error {
	s.runs++
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.fail:
			return err
		case c := <-s.feed:
			report(c)
		}
	}
}

func (s *fakeSource) Open(_ context.Context, id string) (usb.Handle, error) {
	s.opened = append(s.opened, id)
	return nil, fmt.Errorf("fake: %w", usb.ErrDenied)
}

func phone(id string, mode usb.Mode) usb.Device {
	return usb.Device{ID: id, Manufacturer: "Portolan", Product: "Test", Serial: "S1", Mode: mode, Permission: usb.PermissionOK}
}

func appeared(d usb.Device) usb.Change { return usb.Change{Kind: usb.Appeared, Device: d} }
func gone(d usb.Device) usb.Change     { return usb.Change{Kind: usb.Gone, Device: d} }

// run tests body with a running watcher in a bubble.
func run(t *testing.T, body func(ctx context.Context, w *usb.Watcher, a, b *fakeSource)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake("a"), newFake("b")
		w := usb.NewWatcher(a, b)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		body(ctx, w, a, b)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func expect(t *testing.T, c <-chan usb.Change, kind usb.ChangeKind, id string, mode usb.Mode) usb.Device {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-c:
		if got.Kind != kind || got.Device.ID != id || got.Device.Mode != mode {
			t.Fatalf("got %s of %s in mode %s, want %s of %s in mode %s", got.Kind, got.Device.ID, got.Device.Mode, kind, id, mode)
		}
		return got.Device
	default:
		t.Fatalf("no change, want %s of %s in mode %s", kind, id, mode)
	}
	return usb.Device{}
}

func silent(t *testing.T, c <-chan usb.Change) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-c:
		t.Fatalf("an unexpected change: %+v", got)
	default:
	}
}

func TestPlugChangeUnplug(t *testing.T) {
	run(t, func(ctx context.Context, w *usb.Watcher, a, _ *fakeSource) {
		changes := w.Subscribe(ctx)
		a.feed <- appeared(phone("1", usb.ModeFastboot))
		first := expect(t, changes, usb.Appeared, "1", usb.ModeFastboot)
		if first.Source != "a" || first.Since.IsZero() {
			t.Errorf("source %q and since %v were not filled in", first.Source, first.Since)
		}
		// The same news again is none, also when the source calls it new.
		a.feed <- appeared(phone("1", usb.ModeFastboot))
		silent(t, changes)

		time.Sleep(time.Minute)
		hinted := phone("1", usb.ModeFastboot)
		hinted.Hint = "look"
		a.feed <- usb.Change{Kind: usb.Changed, Device: hinted}
		if d := expect(t, changes, usb.Changed, "1", usb.ModeFastboot); !d.Since.Equal(first.Since) {
			t.Error("a new hint changed since when the phone is in its mode")
		}
		a.feed <- usb.Change{Kind: usb.Changed, Device: phone("1", usb.ModeBooting)}
		if d := expect(t, changes, usb.Changed, "1", usb.ModeBooting); d.Since.Sub(first.Since) != time.Minute {
			t.Errorf("the new mode began %v after the first, want a minute", d.Since.Sub(first.Since))
		}
		a.feed <- gone(phone("1", ""))
		expect(t, changes, usb.Gone, "1", usb.ModeBooting)
		if n := len(w.Devices()); n != 0 {
			t.Errorf("%d devices after the unplug", n)
		}
	})
}

func TestSubscribeStartsWithWhatIsThere(t *testing.T) {
	run(t, func(ctx context.Context, w *usb.Watcher, a, b *fakeSource) {
		a.feed <- appeared(phone("2", usb.ModeFastboot))
		b.feed <- appeared(phone("1", usb.ModeNetwork))
		synctest.Wait()
		changes := w.Subscribe(ctx)
		expect(t, changes, usb.Appeared, "1", usb.ModeNetwork)
		expect(t, changes, usb.Appeared, "2", usb.ModeFastboot)
		silent(t, changes)
	})
}

func TestTwoPhonesOfOneKind(t *testing.T) {
	run(t, func(ctx context.Context, w *usb.Watcher, a, _ *fakeSource) {
		changes := w.Subscribe(ctx)
		a.feed <- appeared(phone("usb/1-1", usb.ModeFastboot))
		expect(t, changes, usb.Appeared, "usb/1-1", usb.ModeFastboot)
		a.feed <- appeared(phone("usb/1-2", usb.ModeFastboot))
		expect(t, changes, usb.Appeared, "usb/1-2", usb.ModeFastboot)
		a.feed <- gone(phone("usb/1-1", usb.ModeFastboot))
		expect(t, changes, usb.Gone, "usb/1-1", usb.ModeFastboot)
		if d := w.Devices(); len(d) != 1 || d[0].ID != "usb/1-2" {
			t.Errorf("left over: %v", d)
		}
	})
}

func TestAnIDBelongsToItsFirstSource(t *testing.T) {
	run(t, func(ctx context.Context, w *usb.Watcher, a, b *fakeSource) {
		a.feed <- appeared(phone("1", usb.ModeFastboot))
		b.feed <- gone(phone("1", usb.ModeFastboot))
		synctest.Wait()
		if d := w.Devices(); len(d) != 1 || d[0].Source != "a" {
			t.Errorf("another source took the phone away: %v", d)
		}
	})
}

func TestSlowReaderGetsTheStateNotTheHistory(t *testing.T) {
	run(t, func(ctx context.Context, w *usb.Watcher, a, _ *fakeSource) {
		changes := w.Subscribe(ctx)
		a.feed <- appeared(phone("1", usb.ModeFastboot))
		for range 10_000 { // never blocks
			a.feed <- usb.Change{Kind: usb.Changed, Device: phone("1", usb.ModeBooting)}
			a.feed <- usb.Change{Kind: usb.Changed, Device: phone("1", usb.ModeNetwork)}
		}
		expect(t, changes, usb.Appeared, "1", usb.ModeNetwork)
		silent(t, changes)

		// A replug that nobody looked at is still told as one.
		a.feed <- gone(phone("1", usb.ModeNetwork))
		a.feed <- appeared(phone("1", usb.ModeNetwork))
		expect(t, changes, usb.Gone, "1", usb.ModeNetwork)
		expect(t, changes, usb.Appeared, "1", usb.ModeNetwork)

		// A phone that came and went unseen is not told at all.
		a.feed <- appeared(phone("2", usb.ModeNetwork))
		a.feed <- gone(phone("2", usb.ModeNetwork))
		silent(t, changes)
	})
}

func TestFailingSourceIsStartedAgain(t *testing.T) {
	run(t, func(ctx context.Context, w *usb.Watcher, a, b *fakeSource) {
		health := w.SubscribeHealth(ctx)
		if h := <-health; !h[0].Running || !h[1].Running {
			t.Fatalf("not running at first: %+v", h)
		}
		changes := w.Subscribe(ctx)
		a.feed <- appeared(phone("a", usb.ModeFastboot))
		expect(t, changes, usb.Appeared, "a", usb.ModeFastboot)
		b.feed <- appeared(phone("b", usb.ModeFastboot))
		expect(t, changes, usb.Appeared, "b", usb.ModeFastboot)

		broken := errors.New("the bus burned down")
		a.fail <- broken
		// Nobody watches its phones now; the other source's stay.
		expect(t, changes, usb.Gone, "a", usb.ModeFastboot)
		silent(t, changes)
		h := <-health
		if h[0].Running || !errors.Is(h[0].Err, broken) || h[0].Retry.IsZero() || !h[1].Running {
			t.Errorf("health after the failure: %+v", h)
		}

		a.feed <- appeared(phone("a", usb.ModeNetwork)) // taken by the second run
		expect(t, changes, usb.Appeared, "a", usb.ModeNetwork)
		synctest.Wait()
		if h := <-health; !h[0].Running || !errors.Is(h[0].Err, broken) {
			t.Errorf("health after the restart: %+v", h)
		}
		if a.runs != 2 || b.runs != 1 {
			t.Errorf("%d and %d runs, want 2 and 1", a.runs, b.runs)
		}

		// The pauses grow, and end with half a minute.
		last := time.Duration(0)
		for range 12 {
			start := time.Now()
			a.fail <- broken
			a.feed <- appeared(phone("a", usb.ModeNetwork))
			if pause := time.Since(start); pause < last || pause > 30*time.Second {
				t.Errorf("a pause of %v after one of %v", pause, last)
			} else {
				last = pause
			}
		}
		if last != 30*time.Second {
			t.Errorf("the last pause was %v", last)
		}
	})
}

func TestOpenAsksTheSourceOfThePhone(t *testing.T) {
	run(t, func(ctx context.Context, w *usb.Watcher, a, b *fakeSource) {
		b.feed <- appeared(phone("x", usb.ModeFastboot))
		synctest.Wait()
		if _, err := w.Open(ctx, "x"); !errors.Is(err, usb.ErrDenied) {
			t.Errorf("the source's error is lost: %v", err)
		}
		if len(a.opened) != 0 || len(b.opened) != 1 {
			t.Errorf("asked a %v, b %v", a.opened, b.opened)
		}
		if _, err := w.Open(ctx, "y"); !errors.Is(err, usb.ErrNotFound) {
			t.Errorf("opening what is not there: %v", err)
		}
	})
}

func TestWait(t *testing.T) {
	run(t, func(ctx context.Context, w *usb.Watcher, a, _ *fakeSource) {
		inNetwork := func(d usb.Device) bool { return d.Mode == usb.ModeNetwork }
		go func() {
			time.Sleep(time.Second)
			a.feed <- appeared(phone("1", usb.ModeBooting))
			time.Sleep(time.Second)
			a.feed <- usb.Change{Kind: usb.Changed, Device: phone("1", usb.ModeNetwork)}
		}()
		d, err := w.Wait(ctx, inNetwork)
		if err != nil || d.ID != "1" || d.Mode != usb.ModeNetwork {
			t.Errorf("waited for %+v, %v", d, err)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err = w.Wait(short, func(usb.Device) bool { return false })
		if !errors.Is(err, context.DeadlineExceeded) || err == nil {
			t.Errorf("a wait in vain ended with %v", err)
		}
	})
}

func TestRunWorksOnce(t *testing.T) {
	run(t, func(ctx context.Context, w *usb.Watcher, _, _ *fakeSource) {
		if err := w.Run(ctx); !errors.Is(err, usb.ErrRunning) {
			t.Errorf("the second Run: %v", err)
		}
	})
}

// A reader that follows the changes, at whatever pace, must end with the same
// picture as the watcher, whatever the sources do meanwhile.
func TestReadersAgreeWithTheWatcher(t *testing.T) {
	run(t, func(ctx context.Context, w *usb.Watcher, a, b *fakeSource) {
		modes := []usb.Mode{usb.ModeFastboot, usb.ModeBooting, usb.ModeNetwork}
		var sources, readers sync.WaitGroup
		sub, cancel := context.WithCancel(ctx)
		pictures := make([]map[string]usb.Device, 4)
		for i := range pictures {
			pictures[i] = map[string]usb.Device{}
			changes := w.Subscribe(sub)
			readers.Go(func() {
				for c := range changes {
					_, known := pictures[i][c.Device.ID]
					if known == (c.Kind == usb.Appeared) {
						t.Errorf("%s of a phone that was known: %v", c.Kind, known)
					}
					if c.Kind == usb.Gone {
						delete(pictures[i], c.Device.ID)
					} else {
						pictures[i][c.Device.ID] = c.Device
					}
					time.Sleep(time.Duration(i) * time.Millisecond)
				}
			})
		}
		for n, s := range []*fakeSource{a, b} {
			sources.Go(func() {
				r := rand.New(rand.NewPCG(uint64(n), 1))
				for range 500 {
					d := phone(fmt.Sprintf("%s%d", s.name, r.IntN(3)), modes[r.IntN(3)])
					c := appeared(d)
					if r.IntN(3) == 0 {
						c = gone(d)
					}
					s.feed <- c
					time.Sleep(time.Duration(r.IntN(1000)) * time.Microsecond)
				}
			})
		}
		sources.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		cancel()
		readers.Wait()
		for i, p := range pictures {
			if len(p) != len(w.Devices()) {
				t.Errorf("reader %d sees %d phones, the watcher %d", i, len(p), len(w.Devices()))
			}
			for _, d := range w.Devices() {
				if p[d.ID] != d {
					t.Errorf("reader %d sees %+v, the watcher %+v", i, p[d.ID], d)
				}
			}
		}
	})
}
