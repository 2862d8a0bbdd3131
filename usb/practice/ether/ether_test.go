package ether

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var (
	phoneAddr = netip.MustParseAddr("172.16.42.1")
	hostAddr  = netip.MustParseAddr("172.16.42.2")
	phoneMAC  = MAC{2, 0, 0, 0, 0, 1}
	hostMAC   = MAC{2, 0, 0, 0, 0, 2}
)

// phone answers like a phone with a DHCP server; another server on the wire
// (QEMU's own) is always faster and offers something else.
type phone struct {
	silent int // first questions that are not heard
	refuse bool
}

func (p *phone) run(w *Wire) {
	frames, stop := w.Listen()
	defer stop()
	for {
		select {
		case <-w.Done():
			return
		case f := <-frames:
			if a, ok := ParseARP(f); ok && !a.Reply && a.Target == phoneAddr {
				w.Send(AppendARP(a.SenderMAC, ARP{Reply: true, SenderMAC: phoneMAC, Sender: phoneAddr, TargetMAC: a.SenderMAC, Target: a.Sender}))
				continue
			}
			d, ok := parseUDP(f)
			if !ok || d.dstPort != serverPort {
				continue
			}
			m, err := ParseDHCP(d.data)
			if err != nil || m.Reply {
				continue
			}
			other := netip.MustParseAddr("172.16.42.3")
			p.answer(w, m, other, netip.MustParseAddr("172.16.42.200"), false)
			if p.silent--; p.silent < 0 {
				p.answer(w, m, phoneAddr, hostAddr, p.refuse)
			}
		}
	}
}

func (p *phone) answer(w *Wire, m DHCP, server, yours netip.Addr, refuse bool) {
	r := DHCP{Reply: true, Type: Offer, XID: m.XID, Client: m.Client, Yours: yours, Server: server, Lease: time.Hour}
	switch {
	case m.Type == Request && (m.Server != server || m.Requested != yours || refuse):
		r.Type, r.Yours = Nak, netip.Addr{}
	case m.Type == Request:
		r.Type = Ack
	}
	w.Send(datagram{dstMAC: Broadcast, srcMAC: phoneMAC, src: server, dst: netip.AddrFrom4([4]byte{255, 255, 255, 255}),
		srcPort: serverPort, dstPort: clientPort, data: r.Append(nil)}.frame())
}

func cable(t *testing.T, p *phone) Host {
	t.Helper()
	a, b := net.Pipe()
	ours, theirs := NewWire(a), NewWire(b)
	if p != nil {
		go p.run(theirs)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return Host{Wire: ours, MAC: hostMAC, Addr: hostAddr, Phone: phoneAddr, Retry: 20 * time.Millisecond}
}

func TestLease(t *testing.T) {
	for name, p := range map[string]*phone{"at once": {}, "heard at the third time": {silent: 2}} {
		t.Run(name, func(t *testing.T) {
			lease, err := cable(t, p).Lease(t.Context())
			if err != nil || lease.Address != hostAddr || lease.Server != phoneAddr || lease.For != time.Hour {
				t.Errorf("%+v, %v", lease, err)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		if lease, err := cable(t, &phone{refuse: true}).Lease(t.Context()); err == nil {
			t.Errorf("a refused lease: %+v", lease)
		}
	})
	t.Run("no server", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := cable(t, nil).Lease(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
	t.Run("wire ends", func(t *testing.T) {
		h := cable(t, nil)
		time.AfterFunc(20*time.Millisecond, func() { h.Wire.Close() })
		if _, err := h.Lease(t.Context()); err == nil {
			t.Error("a lease without a wire")
		}
	})
}

func TestPresent(t *testing.T) {
	h := cable(t, nil)
	if there, err := h.Present(t.Context()); there || err != nil {
		t.Errorf("nobody there: %v, %v", there, err)
	}
	h = cable(t, &phone{})
	h.Retry = time.Minute
	if there, err := h.Present(t.Context()); !there || err != nil {
		t.Errorf("phone there: %v, %v", there, err)
	}
}

// TestChecksums adds up what was written, as a receiver does.
func TestChecksums(t *testing.T) {
	for n := range 5 {
		f := datagram{dstMAC: Broadcast, srcMAC: hostMAC, src: hostAddr, dst: phoneAddr, srcPort: 68, dstPort: 67, data: make([]byte, 100+n)}.frame()
		ip := f[headerSize : headerSize+ipSize]
		udp := f[headerSize+ipSize : headerSize+int(binary.BigEndian.Uint16(ip[2:]))]
		if fold(sum(ip, 0)) != 0xffff || fold(sum(udp, pseudo(ip[12:20], len(udp)))) != 0xffff {
			t.Errorf("%d bytes: wrong checksum", 100+n)
		}
	}
}

// TestTcpdumpReads lets an independent program read what we send.
func TestTcpdumpReads(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("SKIP: tcpdump is missing: install package tcpdump")
	}
	// A pcap file (pcap-savefile(5)) of two frames.
	file := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0}
	ask := DHCP{Type: Request, XID: 7, Client: hostMAC, Requested: hostAddr, Server: phoneAddr}
	for _, f := range [][]byte{
		AppendARP(Broadcast, ARP{SenderMAC: hostMAC, Sender: hostAddr, Target: phoneAddr}),
		datagram{dstMAC: Broadcast, srcMAC: hostMAC, src: netip.IPv4Unspecified(), dst: netip.AddrFrom4([4]byte{255, 255, 255, 255}),
			srcPort: clientPort, dstPort: serverPort, data: ask.Append(nil)}.frame(),
	} {
		file = append(file, make([]byte, 8)...)
		file = binary.LittleEndian.AppendUint32(file, uint32(len(f)))
		file = binary.LittleEndian.AppendUint32(file, uint32(len(f)))
		file = append(file, f...)
	}
	cmd := exec.Command("tcpdump", "-nvr", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() { in.Write(file); in.Close() }()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	for _, want := range []string{"who-has 172.16.42.1 tell 172.16.42.2", "Request from 02:00:00:00:00:02", "DHCP-Message", "Requested-IP", "172.16.42.2", "Server-ID", "172.16.42.1"} {
		if !strings.Contains(text, want) {
			t.Errorf("tcpdump does not show %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "bad") {
		t.Errorf("tcpdump finds something bad:\n%s", text)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(AppendARP(Broadcast, ARP{SenderMAC: hostMAC, Sender: hostAddr, Target: phoneAddr}))
	offer := DHCP{Reply: true, Type: Offer, XID: 1, Client: hostMAC, Yours: hostAddr, Server: phoneAddr, Lease: time.Hour}
	f.Add(datagram{dstMAC: Broadcast, srcMAC: phoneMAC, src: phoneAddr, dst: hostAddr, srcPort: 67, dstPort: 68, data: offer.Append(nil)}.frame())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, frame []byte) {
		if a, ok := ParseARP(frame); ok {
			if b, ok := ParseARP(AppendARP(Broadcast, a)); !ok || b != a {
				t.Errorf("%+v became %+v", a, b)
			}
		}
		d, ok := parseUDP(frame)
		if !ok {
			return
		}
		m, err := ParseDHCP(d.data)
		if err != nil {
			return
		}
		if again, err := ParseDHCP(m.Append(nil)); err != nil || again != m {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 1, 2, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, stream []byte) {
		r, w := io.Pipe()
		go func() { w.Write(stream); w.Close() }()
		defer r.Close()
		for {
			frame, err := readFrame(r)
			if err != nil {
				return
			}
			if len(frame) > maxStream || len(frame) > len(stream) {
				t.Fatalf("a frame of %d bytes out of %d", len(frame), len(stream))
			}
		}
	})
}
