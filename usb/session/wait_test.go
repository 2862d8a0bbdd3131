package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"portolan/usb"
)

// fakePhone is a source with one phone, and its handle. It is driven by the test.
type fakePhone struct {
	mu     sync.Mutex
	device usb.Device
	leased bool
	dial   func(n int) (net.Conn, error) // n: which try
	dials  int
	opens  int
	feed   chan usb.Change
}

func newFakePhone(mode usb.Mode) *fakePhone {
	return &fakePhone{device: usb.Device{ID: "p", Manufacturer: "Test", Product: "Phone", Mode: mode}}
}

func (p *fakePhone) Name() string { return "fake" }

func (p *fakePhone) Run(ctx context.Context, report func(usb.Change)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-p.feed:
			report(c)
		}
	}
}

func (p *fakePhone) Open(context.Context, string) (usb.Handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opens++
	return &fakeHandle{p: p, plug: p.opens}, nil
}

// become changes the phone's mode; the empty mode unplugs it.
func (p *fakePhone) become(mode usb.Mode) {
	p.mu.Lock()
	p.device.Mode = mode
	c := usb.Change{Kind: usb.Changed, Device: p.device}
	p.mu.Unlock()
	if mode == "" {
		c.Kind = usb.Gone
	}
	p.feed <- c
}

func (p *fakePhone) lease() { p.mu.Lock(); p.leased = true; p.mu.Unlock() }

type fakeHandle struct {
	p     *fakePhone
	plug  int
	stale bool
}

func (h *fakeHandle) Fastboot(context.Context) (usb.PacketConn, error) {
	return nil, usb.ErrWrongMode
}

func (h *fakeHandle) Lease(ctx context.Context) (usb.Lease, error) {
	for {
		h.p.mu.Lock()
		mode, leased := h.p.device.Mode, h.p.leased
		h.p.mu.Unlock()
		switch {
		case h.stale || mode == "":
			return usb.Lease{}, fmt.Errorf("fake: %w", usb.ErrGone)
		case mode != usb.ModeNetwork:
			return usb.Lease{}, fmt.Errorf("fake: %w", usb.ErrWrongMode)
		case leased:
			return usb.Lease{Address: usb.HostAddr, Server: usb.PhoneAddr}, nil
		}
		select {
		case <-ctx.Done():
			return usb.Lease{}, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (h *fakeHandle) Dial(context.Context, int) (net.Conn, error) {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	h.p.dials++
	return h.p.dial(h.p.dials)
}

func (h *fakeHandle) Close() error { return nil }

// greeting is a server's end that says something, or hangs up if it is empty.
func greeting(text string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		io.WriteString(far, text)
		far.Close()
	}()
	return near, nil
}

// waiting runs body while a Wait for the phone's telnet port is under way.
func waiting(t *testing.T, p *fakePhone, handle usb.Handle, body func(last func() Waiting)) (reached *Reached, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p.feed = make(chan usb.Change) // of this bubble
		w := usb.NewWatcher(p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		ended := make(chan struct{})
		go func() { _ = w.Run(ctx); close(ended) }()
		var mu sync.Mutex
		var seen Waiting
		done := make(chan struct{})
		go func() {
			defer close(done)
			reached, err = Wait(ctx, Target{Watcher: w, Device: "p", Handle: handle, Port: PortTelnet}, func(n Waiting) { mu.Lock(); seen = n; mu.Unlock() })
		}()
		time.Sleep(firstLook)
		body(func() Waiting {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return seen
		})
		<-done
		if reached != nil {
			text, rerr := io.ReadAll(reached.Conn)
			if rerr != nil || string(text) != "hello" {
				t.Errorf("read %q, %v from the port", text, rerr)
			}
			reached.Conn.Close()
		}
		cancel()
		<-ended
	})
	return reached, err
}

func TestWaitTellsEveryStage(t *testing.T) {
	p := newFakePhone(usb.ModeFastboot)
	p.dial = func(n int) (net.Conn, error) {
		switch {
		case n < 4:
			return nil, syscall.ECONNREFUSED
		case n == 4: // accepted by something before the phone
			return greeting("")
		}
		return greeting("hello")
	}
	reached, err := waiting(t, p, nil, func(last func() Waiting) {
		if s := last(); s.Stage != StageMode || s.Sees != "nothing on the cable" || len(s.Hints) != 0 {
			t.Errorf("at first: %+v", s)
		}
		time.Sleep(14 * time.Second)
		if s := last(); len(s.Hints) != 0 {
			t.Errorf("hints too early: %+v", s)
		}
		time.Sleep(2 * time.Second)
		if s := last(); len(s.Hints) == 0 || !strings.Contains(s.Hints[0], "cable") {
			t.Errorf("no hint about the cable: %+v", s)
		}
		p.become(usb.ModeFastboot)
		if s := last(); !strings.Contains(s.Sees, "fastboot") || len(s.Hints) == 0 || !strings.Contains(s.Hints[0], "bootloader") {
			t.Errorf("in the bootloader: %+v", s)
		}
		p.become(usb.ModeBooting)
		if s := last(); s.Sees != "the phone is starting" {
			t.Errorf("booting: %+v", s)
		}
		p.become(usb.ModeNetwork)
		if s := last(); s.Stage != StageLease || len(s.Hints) != 0 {
			t.Errorf("with a network: %+v", s)
		}
		time.Sleep(16 * time.Second)
		if s := last(); !strings.Contains(strings.Join(s.Hints, " "), "NetworkManager") {
			t.Errorf("without a lease: %+v", s)
		}
		p.lease()
	})
	if err != nil || reached.Lease.Address != usb.HostAddr || reached.Device.Mode != usb.ModeNetwork {
		t.Fatalf("reached %+v, %v", reached, err)
	}
	if p.dials != 5 {
		t.Errorf("%d tries, want 5", p.dials)
	}
}

func TestWaitOutlivesUnplugging(t *testing.T) {
	p := newFakePhone(usb.ModeNetwork)
	p.lease()
	var connected bool
	p.dial = func(int) (net.Conn, error) {
		if !connected {
			return nil, syscall.EHOSTUNREACH
		}
		return greeting("hello")
	}
	_, err := waiting(t, p, &fakeHandle{p: p, stale: true}, func(last func() Waiting) {
		p.become(usb.ModeNetwork)
		time.Sleep(10 * time.Second) // the stale handle is given up, the port is closed
		if s := last(); s.Stage != StagePort || !strings.Contains(s.Sees, "no route") {
			t.Errorf("before the unplug: %+v", s)
		}
		p.become("")
		synctest.Wait()
		if s := last(); s.Stage != StageMode || s.Sees != "nothing on the cable" {
			t.Errorf("after the unplug: %+v", s)
		}
		p.mu.Lock()
		connected = true
		p.mu.Unlock()
		p.become(usb.ModeNetwork)
	})
	if err != nil {
		t.Errorf("ended with %v", err)
	}
	if p.opens == 0 {
		t.Error("the stale handle was never replaced")
	}
}

func TestWaitEndsWithABootFailure(t *testing.T) {
	p := newFakePhone(usb.ModeBooting)
	_, err := waiting(t, p, nil, func(func() Waiting) {
		p.become(usb.ModeBooting)
		p.become(usb.ModeBootFailed)
	})
	var boot *BootError
	if !errors.As(err, &boot) || boot.Device.ID != "p" {
		t.Errorf("ended with %v", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	for _, mode := range []usb.Mode{"", usb.ModeFastboot, usb.ModeNetwork} {
		p := newFakePhone(mode)
		_, err := waiting(t, p, nil, func(func() Waiting) {
			if mode != "" {
				p.become(mode)
			}
			time.Sleep(2 * time.Hour)
		})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "seen: ") {
			t.Errorf("in mode %q: %v", mode, err)
		}
	}
}
