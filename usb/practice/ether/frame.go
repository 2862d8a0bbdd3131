// Package ether plays the computer's end of the phone's USB network, frame by
// frame: it asks for addresses by ARP (RFC 826) and for a lease by DHCP (RFC
// 2131), without needing a network device of the host.
package ether

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// MAC is a hardware address.
type MAC [6]byte

// Broadcast reaches every machine on the wire.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// EtherTypes and sizes of what is spoken here.
const (
	typeIPv4   = 0x0800
	typeARP    = 0x0806
	headerSize = 14
	arpSize    = 28
	minFrame   = 60 // without checksum (IEEE 802.3)
)

var errShort = errors.New("frame is cut short")

// ARP is a request or a reply for IPv4 over Ethernet.
type ARP struct {
	Reply     bool
	SenderMAC MAC
	Sender    netip.Addr
	TargetMAC MAC
	Target    netip.Addr
}

// AppendARP makes a whole frame of a, to dst.
func AppendARP(dst MAC, a ARP) []byte {
	f := header(dst, a.SenderMAC, typeARP)
	op := byte(1)
	if a.Reply {
		op = 2
	}
	f = append(f, 0, 1, 8, 0, 6, 4, 0, op) // Ethernet, IPv4, address lengths
	f = append(f, a.SenderMAC[:]...)
	f = append(f, a.Sender.AsSlice()...)
	f = append(f, a.TargetMAC[:]...)
	f = append(f, a.Target.AsSlice()...)
	return pad(f)
}

// ParseARP reads a frame; ok is false if it is none of ARP for IPv4.
func ParseARP(f []byte) (a ARP, ok bool) {
	if len(f) < headerSize+arpSize || binary.BigEndian.Uint16(f[12:]) != typeARP {
		return a, false
	}
	p := f[headerSize:]
	if string(p[:7]) != "\x00\x01\x08\x00\x06\x04\x00" || (p[7] != 1 && p[7] != 2) {
		return a, false
	}
	a.Reply = p[7] == 2
	copy(a.SenderMAC[:], p[8:])
	a.Sender = netip.AddrFrom4([4]byte(p[14:18]))
	copy(a.TargetMAC[:], p[18:])
	a.Target = netip.AddrFrom4([4]byte(p[24:28]))
	return a, true
}

func header(dst, src MAC, etherType uint16) []byte {
	f := make([]byte, 0, 400)
	f = append(f, dst[:]...)
	f = append(f, src[:]...)
	return binary.BigEndian.AppendUint16(f, etherType)
}

func pad(f []byte) []byte {
	for len(f) < minFrame {
		f = append(f, 0)
	}
	return f
}
