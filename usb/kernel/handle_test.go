package kernel

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"portolan/usb"
)

// open plugs a phone and opens it, with a computer whose end of the network is
// the loopback interface.
func open(t *testing.T, b *bus, addresses func() []netip.Addr) *Handle {
	t.Helper()
	uh, err := b.source().Open(t.Context(), "usb/1-1")
	if err != nil {
		t.Fatal(err)
	}
	h := uh.(*Handle)
	h.interfaces = func(string) (bool, []netip.Addr, error) { return true, addresses(), nil }
	return h
}

func TestHandleInFastboot(t *testing.T) {
	b := newBus(t)
	b.plug("1-1", "18d1:d00d", "S1", "ff/42/03")
	h := open(t, b, nil)
	if _, err := h.Fastboot(t.Context()); !errors.Is(err, ErrNoTransport) {
		t.Errorf("Fastboot: %v", err)
	}
	if _, err := h.Lease(t.Context()); !errors.Is(err, usb.ErrWrongMode) {
		t.Errorf("Lease: %v", err)
	}
	if _, err := h.Dial(t.Context(), 23); !errors.Is(err, usb.ErrWrongMode) {
		t.Errorf("Dial: %v", err)
	}
	b.unplug("1-1")
	if _, err := h.Fastboot(t.Context()); !errors.Is(err, usb.ErrGone) {
		t.Errorf("Fastboot after the unplug: %v", err)
	}
	if _, err := b.source().Open(t.Context(), "usb/1-1"); !errors.Is(err, usb.ErrGone) {
		t.Errorf("Open after the unplug: %v", err)
	}
}

func TestLeaseAndDial(t *testing.T) {
	b := newBus(t)
	b.plug("1-1", "18d1:d001", "portolan", "02/0d/00=lo")
	have := make(chan []netip.Addr, 1)
	asked := make(chan struct{}, 100)
	current := []netip.Addr{netip.MustParseAddr("169.254.3.4")}
	h := open(t, b, func() []netip.Addr {
		select {
		case current = <-have:
		default:
		}
		asked <- struct{}{}
		return current
	})
	if _, err := h.Fastboot(t.Context()); !errors.Is(err, usb.ErrWrongMode) {
		t.Errorf("Fastboot: %v", err)
	}
	link, err := h.Link(t.Context())
	if err != nil || link.Interface != "lo" || link.Driver != "cdc_ncm" || !link.Up {
		t.Errorf("Link: %+v, %v", link, err)
	}
	<-asked

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	leases := make(chan usb.Lease)
	go func() {
		l, err := h.Lease(ctx)
		if err != nil {
			t.Errorf("Lease: %v", err)
		}
		leases <- l
	}()
	<-asked // it saw only a link-local address
	have <- []netip.Addr{usb.HostAddr}
	if l := <-leases; l.Address != usb.HostAddr || l.Server != usb.PhoneAddr {
		t.Errorf("lease %+v", l)
	}

	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h.phone = netip.MustParseAddr("127.0.0.1")
	c, err := h.Dial(ctx, l.Addr().(*net.TCPAddr).Port)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()

	current = nil
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := h.Lease(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lease without an address: %v", err)
	}
}
