package fastboot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"portolan/flashers/sparse"
	"portolan/usb"
	"portolan/usb/tcp"
)

// responder is the smallest bootloader that flashes, on loopback TCP. It keeps
// every byte, and misbehaves where a test tells it to.
type responder struct {
	t    testing.TB
	addr string

	mu         sync.Mutex
	vars       map[string]string
	partitions map[string][]byte
	commands   []string
	downloads  [][]byte // what arrived, each download
	booted     []byte
	keep       bool // downloads and their bytes

	// fault, if not nil, answers a command itself and returns true.
	fault func(conn usb.PacketConn, command string) bool
	// hangUpAt closes the connection once so many data bytes have arrived; -1 never.
	hangUpAt int64
	arrived  int64
}

// errBye ends a connection as a fault wants it.
var errBye = fmt.Errorf("the test's phone hangs up")

func newResponder(t testing.TB) *responder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &responder{
		t: t, addr: l.Addr().String(), keep: true, hangUpAt: -1,
		vars: map[string]string{
			"product": "dinghy", "serialno": "PRACTICE0001", "unlocked": "yes", "max-download-size": "0x100000", "max-fetch-size": "0x80000",
			"battery-soc-ok": "yes", "battery-voltage": "4012", "slot-count": "0", "partition-type:boot": "raw", "has-slot:boot": "no",
			"partition-size:boot": "0x200000", "partition-size:userdata": " 0x1000000", "partition-size:bootloader": "0x400000", "version-bootloader": "a:b:c",
		},
		partitions: map[string][]byte{"boot": bytes.Repeat([]byte{0xa5}, 2<<20), "userdata": bytes.Repeat([]byte{0xa5}, 16<<20)},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				conn, err := tcp.Accept(ctx, nc)
				if err != nil {
					return
				}
				defer conn.Close()
				for r.serve(conn) == nil {
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); cancel(); wg.Wait() })
	return r
}

func (r *responder) serve(conn usb.PacketConn) error {
	p, err := conn.ReadPacket()
	if err != nil {
		return err
	}
	command := string(p)
	r.mu.Lock()
	r.commands = append(r.commands, command)
	fault, vars := r.fault, maps.Clone(r.vars)
	r.mu.Unlock()
	if fault != nil && fault(conn, command) {
		return nil
	}
	say := func(s string) error { return conn.WritePacket([]byte(s)) }
	verb, arg, _ := strings.Cut(command, ":")
	switch verb {
	case "getvar":
		if arg == "all" {
			for _, k := range slices.Sorted(maps.Keys(vars)) {
				say("INFO" + k + ":" + vars[k])
			}
			return say("OKAY")
		}
		if v, ok := vars[arg]; ok {
			return say("OKAY" + v)
		}
		return say("FAILunknown variable")
	case "download":
		return r.download(conn, arg)
	case "flash", "erase", "boot", "reboot", "reboot-bootloader", "continue", "set_active":
		if verb == "flash" {
			r.flash(arg)
		}
		if verb == "boot" {
			r.mu.Lock()
			r.booted = r.downloads[len(r.downloads)-1]
			r.mu.Unlock()
		}
		say("INFOworking")
		return say("OKAY")
	case "fetch":
		f := strings.Split(arg, ":")
		off, _ := strconv.ParseInt(f[1], 0, 64)
		n, _ := strconv.ParseInt(f[2], 0, 64)
		say(fmt.Sprintf("DATA%08x", n))
		r.mu.Lock()
		b := bytes.Clone(r.partitions[f[0]][off:][:n])
		r.mu.Unlock()
		for len(b) > 0 { // in two sizes of packet, the second not a round one
			k := min(len(b), 100001)
			conn.WritePacket(b[:k])
			b = b[k:]
		}
		return say("OKAY")
	}
	return say("FAILunknown command")
}

func (r *responder) download(conn usb.PacketConn, arg string) error {
	size, err := strconv.ParseInt(arg, 16, 64)
	if err != nil || len(arg) != 8 {
		return conn.WritePacket([]byte("FAILbad size"))
	}
	conn.WritePacket(fmt.Appendf(nil, "DATA%08x", size))
	var got bytes.Buffer
	for n := int64(0); n < size; {
		r.mu.Lock()
		bye := r.hangUpAt >= 0 && r.arrived >= r.hangUpAt
		r.mu.Unlock()
		if bye {
			conn.Close()
			return errBye
		}
		p, err := conn.ReadPacket()
		if err != nil {
			return err
		}
		n += int64(len(p))
		r.mu.Lock()
		r.arrived += int64(len(p))
		r.mu.Unlock()
		if r.keep {
			got.Write(p)
		}
	}
	if r.keep {
		r.mu.Lock()
		r.downloads = append(r.downloads, got.Bytes())
		r.mu.Unlock()
	}
	return conn.WritePacket([]byte("OKAY"))
}

// part is a partition as a target of a sparse image.
type part []byte

func (p part) WriteAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > int64(len(p)) {
		return 0, io.ErrShortWrite
	}
	return copy(p[off:], b), nil
}

func (r *responder) flash(partition string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.keep {
		return
	}
	d := r.downloads[len(r.downloads)-1]
	if !sparse.IsSparse(bytes.NewReader(d)) {
		copy(r.partitions[partition], d)
		return
	}
	m, err := sparse.NewReader(bytes.NewReader(d), int64(len(d)))
	if err == nil {
		err = m.WriteRaw(part(r.partitions[partition]))
	}
	if err != nil {
		r.t.Errorf("what arrived for %s: %v", partition, err)
	}
}

func (r *responder) sent() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.commands)
}

func (r *responder) held(partition string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.partitions[partition])
}

// change lets a test turn the phone into another while it is there.
func (r *responder) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// handle is the phone of a responder, as a usb.Source would give it.
type handle struct {
	usb.Handle
	r *responder
}

func (h handle) Fastboot(ctx context.Context) (usb.PacketConn, error) {
	return tcp.Dial(ctx, h.r.addr)
}

// dial gives a client with short patience.
func dial(t testing.TB, r *responder) *Client {
	t.Helper()
	conn, err := tcp.Dial(context.Background(), r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return NewClient(conn)
}

// within fails a test that hangs; it measures nothing.
func within(t *testing.T, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("it hangs")
		return nil
	}
}

// got gives the downloads that arrived.
func (r *responder) got() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.downloads)
}

// started gives what was booted from memory.
func (r *responder) started() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.booted
}
