package ether

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"portolan/usb"
)

// Host is the computer on the phone's wire.
type Host struct {
	Wire  *Wire
	MAC   MAC
	Addr  netip.Addr // the computer's, in ARP requests
	Phone netip.Addr
	Retry time.Duration // between repeated questions
}

const (
	serverPort = 67
	clientPort = 68
)

var errWireEnded = errors.New("the phone's network ended")

// Present asks once whether the phone has its address, and waits for the
// answer as long as Retry.
func (h Host) Present(ctx context.Context) (bool, error) {
	frames, stop := h.Wire.Listen()
	defer stop()
	ask := AppendARP(Broadcast, ARP{SenderMAC: h.MAC, Sender: h.Addr, Target: h.Phone})
	if err := h.Wire.Send(ask); err != nil {
		return false, err
	}
	timer := time.NewTimer(h.Retry)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-h.Wire.Done():
			return false, errWireEnded
		case <-timer.C:
			return false, nil
		case f := <-frames:
			if a, ok := ParseARP(f); ok && a.Reply && a.Sender == h.Phone {
				return true, nil
			}
		}
	}
}

// Lease gets an address from the phone's DHCP server: DISCOVER, OFFER,
// REQUEST, ACK. Other servers on the wire are not heard.
func (h Host) Lease(ctx context.Context) (usb.Lease, error) {
	frames, stop := h.Wire.Listen()
	defer stop()
	xid := rand.Uint32()
	offer, err := h.exchange(ctx, frames, DHCP{Type: Discover, XID: xid, Client: h.MAC}, Offer)
	if err != nil {
		return usb.Lease{}, fmt.Errorf("no DHCP offer of %s: %w", h.Phone, err)
	}
	if !offer.Yours.IsValid() {
		return usb.Lease{}, fmt.Errorf("the DHCP offer of %s has no address in it", h.Phone)
	}
	want := DHCP{Type: Request, XID: xid, Client: h.MAC, Requested: offer.Yours, Server: h.Phone}
	ack, err := h.exchange(ctx, frames, want, Ack)
	if err != nil {
		return usb.Lease{}, fmt.Errorf("%s offered %s by DHCP and did not confirm it: %w", h.Phone, offer.Yours, err)
	}
	return usb.Lease{Address: ack.Yours, Server: h.Phone, For: ack.Lease}, nil
}

// exchange sends m, again each Retry, until the phone answers with want.
func (h Host) exchange(ctx context.Context, frames <-chan []byte, m DHCP, want MessageType) (DHCP, error) {
	frame := datagram{
		dstMAC: Broadcast, srcMAC: h.MAC,
		src: netip.IPv4Unspecified(), dst: netip.AddrFrom4([4]byte{255, 255, 255, 255}),
		srcPort: clientPort, dstPort: serverPort,
		data: m.Append(nil),
	}.frame()
	ticker := time.NewTicker(h.Retry)
	defer ticker.Stop()
	for {
		if err := h.Wire.Send(frame); err != nil {
			return DHCP{}, err
		}
		for again := false; !again; {
			select {
			case <-ctx.Done():
				return DHCP{}, context.Cause(ctx)
			case <-h.Wire.Done():
				return DHCP{}, errWireEnded
			case <-ticker.C:
				again = true
			case f := <-frames:
				got, ok := h.answer(f, m.XID)
				if ok && got.Type == Nak {
					return DHCP{}, errors.New("its DHCP server refused")
				}
				if ok && got.Type == want {
					return got, nil
				}
			}
		}
	}
}

// answer picks the phone's own DHCP messages for xid.
func (h Host) answer(f []byte, xid uint32) (DHCP, bool) {
	d, ok := parseUDP(f)
	if !ok || d.srcPort != serverPort || d.dstPort != clientPort {
		return DHCP{}, false
	}
	m, err := ParseDHCP(d.data)
	if err != nil || !m.Reply || m.XID != xid || m.Client != h.MAC || m.Server != h.Phone {
		return DHCP{}, false
	}
	return m, true
}
