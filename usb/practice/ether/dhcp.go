package ether

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// MessageType of DHCP (RFC 2132, option 53).
type MessageType byte

// The messages of getting a lease.
const (
	Discover MessageType = 1
	Offer    MessageType = 2
	Request  MessageType = 3
	Ack      MessageType = 5
	Nak      MessageType = 6
)

// Options (RFC 2132) that are read or written.
const (
	optPad       = 0
	optRequested = 50
	optLease     = 51
	optType      = 53
	optServer    = 54
	optEnd       = 255
)

// Layout of a message (RFC 2131, section 2).
const (
	dhcpFixed = 236
	dhcpMagic = 0x63825363
	dhcpMin   = 300 // what old servers want (RFC 951)
)

// DHCP is the part of a message that matters here.
type DHCP struct {
	Reply     bool // from a server
	Type      MessageType
	XID       uint32
	Client    MAC
	Yours     netip.Addr    // the address given; zero if none
	Requested netip.Addr    // option 50
	Server    netip.Addr    // option 54
	Lease     time.Duration // option 51
}

// Append makes the message of m; the answer is asked for by broadcast, as the
// computer has no address yet.
func (m DHCP) Append(b []byte) []byte {
	p := make([]byte, dhcpFixed, dhcpMin)
	p[0], p[1], p[2] = 1, 1, 6
	if m.Reply {
		p[0] = 2
	}
	binary.BigEndian.PutUint32(p[4:], m.XID)
	p[10] = 0x80
	if m.Yours.Is4() {
		copy(p[16:], m.Yours.AsSlice())
	}
	copy(p[28:], m.Client[:])
	p = binary.BigEndian.AppendUint32(p, dhcpMagic)
	p = append(p, optType, 1, byte(m.Type))
	if m.Requested.Is4() {
		p = append(append(p, optRequested, 4), m.Requested.AsSlice()...)
	}
	if m.Server.Is4() {
		p = append(append(p, optServer, 4), m.Server.AsSlice()...)
	}
	if m.Lease > 0 {
		p = binary.BigEndian.AppendUint32(append(p, optLease, 4), uint32(m.Lease/time.Second))
	}
	p = append(p, optEnd)
	for len(p) < dhcpMin {
		p = append(p, optPad)
	}
	return append(b, p...)
}

// ParseDHCP reads a message.
func ParseDHCP(p []byte) (DHCP, error) {
	if len(p) < dhcpFixed+4 {
		return DHCP{}, fmt.Errorf("DHCP message of %d bytes: %w", len(p), errShort)
	}
	if binary.BigEndian.Uint32(p[dhcpFixed:]) != dhcpMagic {
		return DHCP{}, errors.New("not a DHCP message: the magic is missing")
	}
	m := DHCP{Reply: p[0] == 2, XID: binary.BigEndian.Uint32(p[4:])}
	if y := netip.AddrFrom4([4]byte(p[16:20])); !y.IsUnspecified() {
		m.Yours = y
	}
	copy(m.Client[:], p[28:])
	for opts := p[dhcpFixed+4:]; len(opts) > 0 && opts[0] != optEnd; {
		if opts[0] == optPad {
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 || len(opts) < 2+int(opts[1]) {
			return DHCP{}, fmt.Errorf("DHCP option %d: %w", opts[0], errShort)
		}
		value := opts[2 : 2+int(opts[1])]
		switch {
		case opts[0] == optType && len(value) == 1:
			m.Type = MessageType(value[0])
		case opts[0] == optRequested && len(value) == 4:
			m.Requested = netip.AddrFrom4([4]byte(value))
		case opts[0] == optServer && len(value) == 4:
			m.Server = netip.AddrFrom4([4]byte(value))
		case opts[0] == optLease && len(value) == 4:
			m.Lease = time.Duration(binary.BigEndian.Uint32(value)) * time.Second
		}
		opts = opts[2+len(value):]
	}
	if m.Type == 0 {
		return DHCP{}, errors.New("not a DHCP message: it has no type")
	}
	return m, nil
}
