package fastboot

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portolan/usb"
)

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{3}).Read(b)
	return b
}

func TestGetVar(t *testing.T) {
	r := newResponder(t)
	c := dial(t, r)
	if v, err := c.GetVar(t.Context(), "product"); v != "dinghy" || err != nil {
		t.Errorf("product: %q, %v", v, err)
	}
	var fe *FailError
	if _, err := c.GetVar(t.Context(), "nonsense"); !errors.As(err, &fe) || fe.Reply != "unknown variable" || fe.Command != "getvar:nonsense" {
		t.Errorf("nonsense: %v", err)
	}
	vars, err := c.GetVarAll(t.Context())
	if err != nil {
		t.Fatalf("after a refusal the connection must go on: %v", err)
	}
	for k, want := range map[string]string{"product": "dinghy", "partition-size:userdata": "0x1000000", "has-slot:boot": "no", "version-bootloader": "a:b:c"} {
		if vars[k] != want {
			t.Errorf("%s is %q, want %q", k, vars[k], want)
		}
	}
}

func TestCommandsAsTheyArrive(t *testing.T) {
	r := newResponder(t)
	c := dial(t, r)
	ctx := t.Context()
	var lines []string
	c.Log = func(l string) { lines = append(lines, l) }
	want := noise(3<<20 + 17)
	var progress []int64
	for i, f := range []func() error{
		func() error {
			return c.Download(ctx, bytes.NewReader(want), int64(len(want)), func(n int64) { progress = append(progress, n) })
		},
		func() error { return c.Flash(ctx, "userdata") },
		func() error { return c.Erase(ctx, "boot") },
		func() error { return c.Boot(ctx) },
		func() error { return c.SetActive(ctx, "b") },
		func() error { return c.Continue(ctx) },
		func() error { return c.Reboot(ctx, "bootloader") },
		func() error { return c.Reboot(ctx, "") },
	} {
		if err := f(); err != nil {
			t.Fatalf("command %d: %v", i, err)
		}
	}
	if d := cmp.Diff([]string{"download:00300011", "flash:userdata", "erase:boot", "boot", "set_active:b", "continue", "reboot-bootloader", "reboot"}, r.sent()); d != "" {
		t.Errorf("commands (-want +got):\n%s", d)
	}
	if !bytes.Equal(r.got()[0], want) || !bytes.Equal(r.held("userdata")[:len(want)], want) {
		t.Error("the bytes that arrived differ")
	}
	if n := len(progress); n != (len(want)+packet-1)/packet || progress[0] != packet || progress[n-1] != int64(len(want)) {
		t.Errorf("progress: %d", progress)
	}
	if len(lines) != 7 || lines[0] != "working" {
		t.Errorf("what the phone said: %q", lines)
	}
}

func TestFetch(t *testing.T) {
	r := newResponder(t)
	copy(r.partitions["boot"][1000:], noise(400000))
	c := dial(t, r)
	var got bytes.Buffer
	if err := c.Fetch(t.Context(), "boot", 1000, 400000, &got, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), noise(400000)) {
		t.Error("what was fetched differs")
	}
	if got := r.sent()[0]; got != "fetch:boot:0x000003e8:0x00061a80" {
		t.Errorf("sent %q", got)
	}
}

// answer makes a phone that gives these packets to every command.
func answer(packets ...string) func(usb.PacketConn, string) bool {
	return func(conn usb.PacketConn, _ string) bool {
		for _, p := range packets {
			conn.WritePacket([]byte(p))
		}
		return true
	}
}

func TestBadAnswers(t *testing.T) {
	download := func(c *Client) error {
		return c.Download(t.Context(), strings.NewReader("12345678"), 8, nil)
	}
	flash := func(c *Client) error { return c.Flash(t.Context(), "boot") }
	fetch := func(c *Client) error { return c.Fetch(t.Context(), "boot", 0, 8, io.Discard, nil) }
	for name, tc := range map[string]struct {
		packets []string
		do      func(*Client) error
	}{
		"garbage":           {[]string{"HTTP/1.1 400 Bad Request"}, flash},
		"short":             {[]string{"OK"}, flash},
		"empty":             {[]string{""}, flash},
		"endless":           {[]string{strings.Repeat("INFO", 5000)}, flash},
		"data for flash":    {[]string{"DATA00000008"}, flash},
		"too little data":   {[]string{"DATA00000007"}, download},
		"too much data":     {[]string{"DATA00000009"}, download},
		"data is no number": {[]string{"DATA0000000x"}, download},
		"okay, no data":     {[]string{"OKAY"}, download},
		"data twice":        {[]string{"DATA00000008", "DATA00000008"}, download},
		"fetch of less":     {[]string{"DATA00000004"}, fetch},
		"fetch overflows":   {[]string{"DATA00000008", "123456789"}, fetch},
		"fetch says okay":   {[]string{"OKAY"}, fetch},
	} {
		r := newResponder(t)
		r.fault = answer(tc.packets...)
		c := dial(t, r)
		err := within(t, func() error { return tc.do(c) })
		var pe *ProtocolError
		if !errors.As(err, &pe) {
			t.Errorf("%s: %v, want a ProtocolError", name, err)
		}
		if err := c.Flash(t.Context(), "boot"); err == nil || !strings.Contains(err.Error(), "earlier command") {
			t.Errorf("%s: the connection went on: %v", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	r := newResponder(t)
	r.fault = answer("INFOchecking", "FAILdownload too \x1b[31mlarge\x00\x00")
	err := dial(t, r).Download(t.Context(), strings.NewReader("12345678"), 8, nil)
	var fe *FailError
	if !errors.As(err, &fe) || fe.Reply != "download too \uFFFD[31mlarge" {
		t.Errorf("%v, want the phone's own words without control characters", err)
	}
}

func TestSourceEndsEarly(t *testing.T) {
	c := dial(t, newResponder(t))
	if err := c.Download(t.Context(), strings.NewReader("1234"), 8, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%v, want ErrUnexpectedEOF", err)
	}
}

func TestSilenceEndsByDeadline(t *testing.T) {
	r := newResponder(t)
	r.fault = answer()
	c := dial(t, r)
	c.Timeouts.Command = 10 * time.Millisecond
	_, err := c.GetVar(t.Context(), "product")
	if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "does not answer") {
		t.Fatalf("%v, want a deadline in words", err)
	}
}

// TestCancel: a context ends a command wherever it waits.
func TestCancel(t *testing.T) {
	for name, packets := range map[string][]string{
		"before the answer": {},
		"after a line":      {"INFOerasing"},
		"in the data":       {"DATA40000000"},
	} {
		r := newResponder(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("a person pressed Ctrl-C")
		r.fault = func(conn usb.PacketConn, command string) bool {
			answer(packets...)(conn, command)
			time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
			<-ctx.Done() // reads nothing meanwhile
			return true
		}
		c := dial(t, r)
		err := within(t, func() error {
			if name == "in the data" {
				return c.Download(ctx, zeros{}, 1<<30, nil)
			}
			return c.Erase(ctx, "userdata")
		})
		if !errors.Is(err, why) {
			t.Errorf("%s: %v, want the cause", name, err)
		}
		cancel(nil)
	}
	// A context that ends after its command hits no later one.
	c := dial(t, newResponder(t))
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := c.GetVar(ctx, "product"); err != nil {
			t.Fatal(err)
		}
		go cancel()
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestGoneBeforeReplyToReboot(t *testing.T) {
	r := newResponder(t)
	r.fault = func(conn usb.PacketConn, _ string) bool { conn.Close(); return true }
	if err := dial(t, r).Reboot(t.Context(), ""); err != nil {
		t.Errorf("reboot: %v", err)
	}
	if err := dial(t, r).Erase(t.Context(), "boot"); !errors.Is(err, usb.ErrGone) {
		t.Errorf("erase: %v, want ErrGone", err)
	}
}

func TestNumbers(t *testing.T) {
	for s, want := range map[string]int64{"0x4000000": 64 << 20, " 0x10 ": 16, "20000000": 512 << 20, "": -1, "big": -1, "-1": -1} {
		if n, ok := number(s); ok != (want >= 0) || ok && n != want {
			t.Errorf("number(%q) = %d, %t", s, n, ok)
		}
	}
	for s, want := range map[string]int64{"4012": 4012, "3700mV": 3700, "3856000": 3856, "3856000 uV": 3856, "0": -1, "": -1, "full": -1, "12000": -1} {
		if n, ok := millivolts(s); ok != (want >= 0) || ok && n != want {
			t.Errorf("millivolts(%q) = %d, %t", s, n, ok)
		}
	}
}

func FuzzParseReply(f *testing.F) {
	for _, s := range []string{"OKAY", "OKAYdinghy", "FAILno\x00", "INFOpartition-size:boot: 0x4000000", "DATA00000010", "DATA", "TEXT\x1b[2J", "OK", "DATA+0000001"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := parseReply("getvar:x", p)
		if err != nil {
			var pe *ProtocolError
			if !errors.As(err, &pe) {
				t.Fatal(err)
			}
			return
		}
		if r.size < 0 || r.size > 1<<32-1 || strings.ContainsFunc(r.text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			t.Fatalf("%+v of %q", r, p)
		}
		if name, _, ok := splitVar(r.text); ok && name == "" {
			t.Fatalf("a variable without name in %q", r.text)
		}
	})
}
