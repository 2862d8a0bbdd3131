package practice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"portolan/usb"
	"portolan/usb/practice/ether"
	"portolan/usb/practice/qemu"
)

// arpRetry is how often the phone is asked whether it is there, until it is;
// arpKeep how often after that. A phone that is silent for arpLost questions
// has lost its network: emulated phones may be busy for seconds.
const (
	arpRetry = 100 * time.Millisecond
	arpKeep  = time.Second
	arpLost  = 10
)

func host(m *qemu.Machine, retry time.Duration) ether.Host {
	return ether.Host{
		Wire:  m.Wire,
		MAC:   qemu.HostMAC(usb.HostAddr),
		Addr:  usb.HostAddr,
		Phone: usb.PhoneAddr,
		Retry: retry,
	}
}

// follow asks for the phone's address as long as the machine runs, and shows
// when it is there.
func (p *phone) follow(ctx context.Context, m *qemu.Machine) {
	silent := 0
	for up := false; ; {
		interval := arpRetry
		if up {
			interval = arpKeep
		}
		began := time.Now()
		there, err := host(m, interval).Present(ctx)
		if err != nil {
			return
		}
		if silent++; there {
			silent = 0
		}
		if now := there || up && silent < arpLost; now != up {
			up = now
			if !p.showNetwork(m, up) {
				return
			}
		}
		if there { // it answered at once; ask again only after the interval
			select {
			case <-ctx.Done():
				return
			case <-m.Done():
				return
			case <-time.After(max(arpKeep-time.Since(began), 0)):
			}
		}
	}
}

// showNetwork says whether m still is the phone's machine.
func (p *phone) showNetwork(m *qemu.Machine, up bool) bool {
	p.mu.Lock()
	same := p.machine == m
	unplugged := p.unplug
	p.mu.Unlock()
	switch {
	case !same:
		return false
	case up:
		p.show(usb.ModeNetwork, hintNetwork, "")
	case !unplugged: // a phone that is not plugged in is silent for that reason
		p.show(usb.ModeBooting, "its USB network went silent; it may be handing over to another system", "")
	}
	return true
}

// network gives the machine once its network is up.
func (p *phone) network() (*qemu.Machine, error) {
	m, err := p.running(true)
	if err != nil {
		return nil, err
	}
	if !p.reached() {
		return nil, fmt.Errorf("%w: a kernel was started, and its USB network does not answer yet", usb.ErrWrongMode)
	}
	return m, nil
}

// dhcpRetry is the time between repeated DHCP questions.
const dhcpRetry = 500 * time.Millisecond

func (p *phone) lease(ctx context.Context) (usb.Lease, error) {
	m, err := p.network()
	if err != nil {
		return usb.Lease{}, err
	}
	return host(m, dhcpRetry).Lease(ctx)
}

func (p *phone) dial(ctx context.Context, port int) (net.Conn, error) {
	if port < 1 || port > 65535 {
		return nil, fmt.Errorf("port %d: there are 1 to 65535", port)
	}
	m, err := p.network()
	if err != nil {
		return nil, err
	}
	return m.Dial(ctx, usb.PhoneAddr, port)
}

// carry copies between a client and the phone until both directions are over,
// or one breaks, or the cable is pulled.
func (p *phone) carry(client io.Reader, conn *net.UnixConn, wire net.Conn) {
	if !p.cross(wire, false) {
		wire.Close()
		return
	}
	defer p.crossed(wire)
	defer wire.Close()
	defer conn.Close()
	var both sync.WaitGroup
	one := func(dst io.Writer, src io.Reader) {
		_, err := io.Copy(dst, src)
		if half, ok := dst.(interface{ CloseWrite() error }); ok {
			err = errors.Join(err, half.CloseWrite())
		}
		if err != nil { // broken, not ended: the other direction must not wait
			wire.Close()
			conn.Close()
		}
	}
	both.Go(func() { one(wire, client) })
	both.Go(func() { one(conn, wire) })
	both.Wait()
}

// tapTime is how long a finger rests: longer than one turn of an input loop.
const tapTime = 60 * time.Millisecond

func (p *phone) tap(ctx context.Context, x, y float64) error {
	if !(x >= 0 && x <= 1 && y >= 0 && y <= 1) {
		return fmt.Errorf("a tap at %g, %g: both are fractions of the screen, 0 to 1", x, y)
	}
	m, err := p.running(false)
	if err != nil {
		return err
	}
	rx, ry := p.cfg.Mount.Raw(x, y)
	return m.Touch(ctx, rx, ry, tapTime)
}

func (p *phone) screenshot(ctx context.Context) ([]byte, error) {
	m, err := p.running(false)
	if err != nil {
		return nil, err
	}
	return m.Screenshot(ctx)
}
