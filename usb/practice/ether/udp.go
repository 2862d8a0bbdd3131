package ether

import (
	"encoding/binary"
	"net/netip"
)

const (
	ipSize   = 20
	udpSize  = 8
	protoUDP = 17
)

// datagram is a UDP packet in an Ethernet frame.
type datagram struct {
	dstMAC, srcMAC   MAC
	src, dst         netip.Addr
	srcPort, dstPort uint16
	data             []byte
}

// frame gives the packet with its checksums (RFC 791, RFC 768).
func (d datagram) frame() []byte {
	f := header(d.dstMAC, d.srcMAC, typeIPv4)
	total := ipSize + udpSize + len(d.data)
	f = append(f, 0x45, 0, byte(total>>8), byte(total), 0, 0, 0, 0, 64, protoUDP, 0, 0)
	f = append(f, d.src.AsSlice()...)
	f = append(f, d.dst.AsSlice()...)
	ip := f[headerSize:]
	binary.BigEndian.PutUint16(ip[10:], ^fold(sum(ip, 0)))

	start := len(f)
	f = binary.BigEndian.AppendUint16(f, d.srcPort)
	f = binary.BigEndian.AppendUint16(f, d.dstPort)
	f = binary.BigEndian.AppendUint16(f, uint16(udpSize+len(d.data)))
	f = append(f, 0, 0)
	f = append(f, d.data...)
	check := ^fold(sum(f[start:], pseudo(ip[12:20], udpSize+len(d.data))))
	if check == 0 {
		check = 0xffff // zero means "none"
	}
	binary.BigEndian.PutUint16(f[start+6:], check)
	return pad(f)
}

// parseUDP reads a frame; ok is false for everything but a whole, unfragmented
// UDP packet. Checksums are not judged: the wire is a socket on this machine,
// and a phone may leave them to hardware that is not there.
func parseUDP(f []byte) (d datagram, ok bool) {
	if len(f) < headerSize+ipSize || binary.BigEndian.Uint16(f[12:]) != typeIPv4 {
		return d, false
	}
	copy(d.dstMAC[:], f)
	copy(d.srcMAC[:], f[6:])
	ip := f[headerSize:]
	size := int(ip[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if ip[0]>>4 != 4 || size < ipSize || total < size+udpSize || total > len(ip) ||
		ip[9] != protoUDP || binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return d, false
	}
	d.src = netip.AddrFrom4([4]byte(ip[12:16]))
	d.dst = netip.AddrFrom4([4]byte(ip[16:20]))
	udp := ip[size:total]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < udpSize || length > len(udp) {
		return d, false
	}
	d.srcPort = binary.BigEndian.Uint16(udp)
	d.dstPort = binary.BigEndian.Uint16(udp[2:])
	d.data = udp[udpSize:length]
	return d, true
}

// sum adds 16-bit words as the Internet checksum does (RFC 1071).
func sum(p []byte, s uint32) uint32 {
	for len(p) >= 2 {
		s += uint32(p[0])<<8 | uint32(p[1])
		p = p[2:]
	}
	if len(p) == 1 {
		s += uint32(p[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// pseudo is the part of the UDP checksum that comes from the IP header.
func pseudo(addrs []byte, length int) uint32 {
	return sum(addrs, uint32(protoUDP)+uint32(length))
}
