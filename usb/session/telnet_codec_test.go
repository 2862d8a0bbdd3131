package session

import (
	"bytes"
	"testing"
)

// The first bytes of busybox' telnetd, newer and older (networking/telnetd.c).
var (
	busyboxHello    = []byte{0xff, 0xfb, 1, 0xff, 0xfb, 3, 0xff, 0xfd, 31}
	oldBusyboxHello = []byte{0xff, 0xfd, 1, 0xff, 0xfd, 31, 0xff, 0xfb, 1, 0xff, 0xfb, 3}
)

func TestTelnetNegotiation(t *testing.T) {
	naws80x24 := []byte{0xff, 0xfa, 31, 0, 80, 0, 24, 0xff, 0xf0}
	for _, c := range []struct {
		name       string
		cols, rows int
		in         []byte
		data       string
		reply      []byte
	}{
		{"busybox", 80, 24, busyboxHello, "", append([]byte{0xff, 0xfd, 1, 0xff, 0xfd, 3, 0xff, 0xfb, 31}, naws80x24...)},
		{"old busybox", 80, 24, oldBusyboxHello, "", bytes.Join([][]byte{{0xff, 0xfc, 1, 0xff, 0xfb, 31}, naws80x24, {0xff, 0xfd, 1, 0xff, 0xfd, 3}}, nil)},
		{"size not known", 0, 0, []byte{0xff, 0xfd, 31}, "", []byte{0xff, 0xfb, 31}},
		{"a size of 255 is escaped", 255, 24, []byte{0xff, 0xfd, 31}, "", []byte{0xff, 0xfb, 31, 0xff, 0xfa, 31, 0, 0xff, 0xff, 0, 24, 0xff, 0xf0}},
		{"asked twice, answered once", 80, 24, []byte{0xff, 0xfb, 1, 0xff, 0xfb, 1, 0xff, 0xfd, 24, 0xff, 0xfd, 24, 0xff, 0xfb, 34, 0xff, 0xfb, 34}, "", []byte{0xff, 0xfd, 1, 0xff, 0xfc, 24, 0xff, 0xfe, 34}},
		{"withdrawn and offered again", 80, 24, []byte{0xff, 0xfb, 1, 0xff, 0xfc, 1, 0xff, 0xfb, 1}, "", []byte{0xff, 0xfd, 1, 0xff, 0xfe, 1, 0xff, 0xfd, 1}},
		{"an acknowledgement needs none", 80, 24, []byte{0xff, 0xfe, 31, 0xff, 0xfc, 3}, "", nil},
		{"doubled IAC is data", 80, 24, []byte{'a', 0xff, 0xff, 'b'}, "a\xffb", nil},
		{"CR NUL is CR, CR LF is kept", 80, 24, []byte("a\r\x00b\r\nc\r\r\x00d"), "a\rb\r\nc\r\rd", nil},
		{"NUL elsewhere is data", 80, 24, []byte("a\x00b"), "a\x00b", nil},
		{"a subnegotiation is passed over", 80, 24, []byte{'a', 0xff, 0xfa, 24, 1, 0xff, 0xff, 2, 0xff, 0xf0, 'b'}, "ab", nil},
		{"commands without an answer", 80, 24, []byte{'a', 0xff, 0xf1, 0xff, 0xf9, 'b'}, "ab", nil},
		{"a subnegotiation that breaks off", 80, 24, []byte{0xff, 0xfa, 24, 0xff, 0xfb, 1, 'x'}, "x", []byte{0xff, 0xfd, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := telnetCodec{}
			whole.resize(c.cols, c.rows, nil)
			data, reply := whole.feed(c.in, nil, nil)
			if string(data) != c.data || !bytes.Equal(reply, c.reply) {
				t.Errorf("data %q, reply % x; want %q, % x", data, reply, c.data, c.reply)
			}
			bytewise := telnetCodec{}
			bytewise.resize(c.cols, c.rows, nil)
			data, reply = nil, nil
			for _, b := range c.in {
				data, reply = bytewise.feed([]byte{b}, data, reply)
			}
			if string(data) != c.data || !bytes.Equal(reply, c.reply) {
				t.Errorf("byte by byte: data %q, reply % x; want %q, % x", data, reply, c.data, c.reply)
			}
		})
	}
}

func TestTelnetEndlessSubnegotiationGivesTheSessionBack(t *testing.T) {
	var c telnetCodec
	data, _ := c.feed(append([]byte{0xff, 0xfa, 24}, bytes.Repeat([]byte{'x'}, 10_000)...), nil, nil)
	if len(data) < 10_000-maxSubnegotiation-2 {
		t.Errorf("%d of 10000 bytes were swallowed", 10_000-len(data))
	}
}

func TestTelnetResizeIsSentOnceWanted(t *testing.T) {
	var c telnetCodec
	if r := c.resize(80, 24, nil); r != nil {
		t.Errorf("sent % x before the peer asked", r)
	}
	c.feed([]byte{0xff, 0xfd, 31}, nil, nil)
	if r := c.resize(300, 70_000, nil); !bytes.Equal(r, []byte{0xff, 0xfa, 31, 1, 44, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0}) {
		t.Errorf("sent % x", r)
	}
}

// Two of our own sides facing each other must fall silent.
func TestTelnetNeverLoops(t *testing.T) {
	for opt := range 256 {
		for _, verb := range []byte{tnWILL, tnWONT, tnDO, tnDONT} {
			var a, b telnetCodec
			a.resize(80, 24, nil)
			b.resize(80, 24, nil)
			wire := []byte{tnIAC, verb, byte(opt)}
			for round := 0; len(wire) > 0; round++ {
				if round > 10 {
					t.Fatalf("option %d: still talking: % x", opt, wire)
				}
				_, wire = b.feed(wire, nil, nil)
				a, b = b, a
			}
		}
	}
}

func FuzzTelnet(f *testing.F) {
	f.Add(busyboxHello, []byte("hello\r"))
	f.Add(oldBusyboxHello, []byte{0xff, '\r', '\n', '\r'})
	f.Add([]byte{0xff, 0xfa, 31, 0xff, 0xff, 0xff, 0xf0, 'x', '\r', 0}, []byte{})
	f.Fuzz(func(t *testing.T, in, typed []byte) {
		var whole, bytewise telnetCodec
		data, reply := whole.feed(in, nil, nil)
		var data1, reply1 []byte
		for _, b := range in {
			data1, reply1 = bytewise.feed([]byte{b}, data1, reply1)
		}
		if !bytes.Equal(data, data1) || !bytes.Equal(reply, reply1) {
			t.Errorf("in pieces: data %q, %q; reply % x, % x", data, data1, reply, reply1)
		}
		if len(data) > len(in) || len(reply) > 4*len(in) {
			t.Errorf("%d bytes became %d of data and %d of answers", len(in), len(data), len(reply))
		}
		// What is typed arrives as it was, except that a CR may lose a NUL after it.
		var peer telnetCodec
		got, answer := peer.feed(escapeTelnet(typed, nil), nil, nil)
		if !bytes.Equal(got, typed) && !bytes.Contains(typed, []byte{'\r', 0}) {
			t.Errorf("typed %q, arrived %q", typed, got)
		}
		if len(answer) > 0 {
			t.Errorf("typed %q was taken for negotiation", typed)
		}
	})
}
