package tcp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"portolan/usb"
)

// pair gives both ends of one connection.
func pair(t testing.TB, ctx context.Context) (host, phone usb.PacketConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		nc, err := l.Accept()
		if err == nil {
			phone, err = Accept(context.Background(), nc)
		}
		done <- err
	}()
	host, err = Dial(ctx, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); phone.Close() })
	return host, phone
}

func TestMessagesKeepTheirBounds(t *testing.T) {
	host, phone := pair(t, t.Context())
	for _, m := range []string{"getvar:product", "", "download:00000004", "x"} {
		if err := host.WritePacket([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"getvar:product", "", "download:00000004", "x"} {
		got, err := phone.ReadPacket()
		if err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestLongMessageComesInParts(t *testing.T) {
	host, phone := pair(t, t.Context())
	want := bytes.Repeat([]byte("portolan"), (3*MaxPart+40)/8)
	go func() {
		host.WritePacket(want)
		host.WritePacket([]byte("next"))
	}()
	var got []byte
	for len(got) < len(want) {
		p, err := phone.ReadPacket()
		if err != nil {
			t.Fatal(err)
		}
		if len(p) > MaxPart || len(p) == 0 {
			t.Fatalf("a part of %d bytes", len(p))
		}
		got = append(got, p...)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("the parts do not add up to the message")
	}
	if p, err := phone.ReadPacket(); err != nil || string(p) != "next" {
		t.Fatalf("after a long message: %q, %v", p, err)
	}
}

// raw is a peer that says exactly these bytes and hangs up if told to.
func raw(t *testing.T, say []byte, hangup bool) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		nc.Write(say)
		if hangup {
			return
		}
		io.Copy(io.Discard, nc)
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestHandshakeRefusesStrangers(t *testing.T) {
	for _, say := range []string{"SSH-2.0-x\r\n", "FBxx", "FB00", "FB0/"} {
		_, err := Dial(t.Context(), raw(t, []byte(say), false))
		if !errors.Is(err, ErrHandshake) {
			t.Errorf("peer says %q: %v, want ErrHandshake", say, err)
		}
	}
	if _, err := Dial(t.Context(), raw(t, []byte("FB"), true)); !errors.Is(err, usb.ErrGone) {
		t.Errorf("hang-up inside the handshake: %v, want ErrGone", err)
	}
	c, err := Dial(t.Context(), raw(t, []byte("FB02"), false))
	if err != nil {
		t.Fatalf("a newer phone must be accepted: %v", err)
	}
	c.Close()
}

func TestLengthIsBounded(t *testing.T) {
	c, err := Dial(t.Context(), raw(t, append([]byte("FB01"), 0xff, 0, 0, 0, 0, 0, 0, 1), false))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.ReadPacket(); !errors.Is(err, ErrTooLong) {
		t.Fatalf("got %v, want ErrTooLong", err)
	}
}

func TestAnnouncedLengthIsNotAllocated(t *testing.T) {
	head := binary.BigEndian.AppendUint64([]byte("FB01"), MaxMessage)
	c, err := Dial(t.Context(), raw(t, append(head, "abc"...), true))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.ReadPacket(); !errors.Is(err, usb.ErrGone) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v, want ErrGone and ErrUnexpectedEOF", err)
	}
	if n := cap(c.(*conn).buf); n > MaxPart {
		t.Fatalf("%d bytes allocated for an announced length", n)
	}
}

func TestHangUp(t *testing.T) {
	host, phone := pair(t, t.Context())
	phone.Close()
	if _, err := host.ReadPacket(); !errors.Is(err, usb.ErrGone) {
		t.Errorf("computer's end: %v, want ErrGone", err)
	}
	host, phone = pair(t, t.Context())
	host.Close()
	if _, err := phone.ReadPacket(); !errors.Is(err, io.EOF) || errors.Is(err, usb.ErrGone) {
		t.Errorf("phone's end: %v, want io.EOF alone", err)
	}
}

func TestContextEndsAPendingRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	host, _ := pair(t, ctx)
	failed := make(chan error, 1)
	go func() {
		_, err := host.ReadPacket()
		failed <- err
	}()
	cancel()
	select {
	case err := <-failed:
		if err == nil {
			t.Fatal("read succeeded")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the read outlived its context")
	}
}

func TestDeadlineIsToldApart(t *testing.T) {
	host, _ := pair(t, t.Context())
	host.SetDeadline(time.Unix(1, 0))
	_, err := host.ReadPacket()
	if !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, usb.ErrGone) {
		t.Fatalf("got %v, want ErrDeadlineExceeded alone", err)
	}
	host.SetDeadline(time.Time{})
	if err := host.WritePacket([]byte("still usable")); err != nil {
		t.Fatal(err)
	}
}

func TestDialNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if _, err := Dial(t.Context(), addr); !errors.Is(err, usb.ErrGone) {
		t.Fatalf("got %v, want ErrGone", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, addr); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
}

// FuzzReadPacket feeds what a phone might send after the handshake.
func FuzzReadPacket(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x04OKAY"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08INFOabcd"))
	f.Add([]byte("\x00\x00\x00\x00\xff\xff\xff\xffDATA"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		near, far := net.Pipe()
		go func() {
			far.Write(sent)
			far.Close()
		}()
		c := newConn(t.Context(), near, "a fuzzer", usb.ErrGone)
		defer c.Close()
		total := 0
		for {
			p, err := c.ReadPacket()
			if err != nil {
				return
			}
			if total += len(p); total > len(sent) || len(p) > MaxPart {
				t.Fatalf("%d bytes out of %d", total, len(sent))
			}
		}
	})
}
