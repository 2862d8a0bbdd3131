package bootloader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portolan/usb"
)

// pipe is a packet connection without a wire: the core must know no transport.
type pipe struct {
	in, out chan []byte
	closed  chan struct{}
	peer    *pipe
}

func newPipe() (a, b *pipe) {
	x, y := make(chan []byte, 16), make(chan []byte, 16)
	a = &pipe{in: x, out: y, closed: make(chan struct{})}
	b = &pipe{in: y, out: x, closed: make(chan struct{}), peer: a}
	a.peer = b
	return a, b
}

func (p *pipe) WritePacket(b []byte) error {
	select {
	case p.out <- bytes.Clone(b):
		return nil
	case <-p.closed:
	case <-p.peer.closed:
	}
	return io.ErrClosedPipe
}

func (p *pipe) ReadPacket() ([]byte, error) {
	select {
	case b := <-p.in:
		return b, nil
	default:
	}
	select {
	case b := <-p.in:
		return b, nil
	case <-p.peer.closed:
		return nil, io.EOF
	case <-p.closed:
		return nil, io.ErrClosedPipe
	}
}

func (p *pipe) SetDeadline(time.Time) error { return nil }

func (p *pipe) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

var _ usb.PacketConn = (*pipe)(nil)

func phone(t testing.TB) *Bootloader {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	b, err := New(Config{
		Vars: []Var{{"product", "dinghy"}},
		Partitions: []Partition{
			{Name: "boot", Type: "raw", Size: 1 << 16, Path: file("boot")},
			{Name: "bootloader", Type: "raw", Size: 4096, Path: file("bootloader"), Protected: true},
		},
		MaxDownload: 1 << 17,
		Scratch:     dir,
		// The second word of this "sparse" format is where its byte goes.
		Unsparse: func(src io.ReaderAt, size int64, dst io.WriterAt) error {
			var b [8]byte
			if _, err := src.ReadAt(b[:], 0); err != nil {
				return err
			}
			_, err := dst.WriteAt([]byte{'x'}, int64(b[4])<<8|int64(b[5])<<16|int64(b[6])<<24)
			return err
		},
		CheckBoot: func(r io.ReaderAt, size int64) error {
			var b [4]byte
			r.ReadAt(b[:], 0)
			if string(b[:]) != "BOOT" {
				return errors.New("no BOOT magic")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// visit sends packets and returns all answers and how the visit ended.
func visit(t testing.TB, b *Bootloader, packets ...string) (answers []string, req Request, err error) {
	t.Helper()
	ours, theirs := newPipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		req, err = b.Serve(context.Background(), theirs)
	}()
	for _, p := range packets {
		if ours.WritePacket([]byte(p)) != nil {
			break
		}
		if len(p) > 0 && p[0] == '\x00' { // data: answered once at its end
			continue
		}
		for {
			a, readErr := ours.ReadPacket()
			if readErr != nil {
				break
			}
			answers = append(answers, string(a))
			if !strings.HasPrefix(string(a), "INFO") {
				break
			}
		}
	}
	ours.Close()
	<-done
	return answers, req, err
}

func TestConversation(t *testing.T) {
	data := func(n int) string { return strings.Repeat("y", n) }
	for name, c := range map[string]struct {
		say  []string
		want []string
		next Next
	}{
		"getvar":              {[]string{"getvar:product", "getvar:has-slot:boot"}, []string{"OKAYdinghy", "OKAYno"}, Stay},
		"unknown":             {[]string{"dance", "", "getvar:", "oem hello", "getvar:\x01"}, []string{"FAILunknown command", "FAILempty", "FAILgetvar needs", "FAILthis phone knows no oem", "FAILcommand is not printable"}, Stay},
		"reboot":              {[]string{"reboot"}, []string{"OKAY"}, Reboot},
		"reboot-bootloader":   {[]string{"reboot-bootloader"}, []string{"OKAY"}, ToBootloader},
		"reboot recovery":     {[]string{"reboot-recovery", "continue"}, []string{"FAIL", "OKAY"}, Continue},
		"flash nothing":       {[]string{"flash:boot"}, []string{"FAILnothing was downloaded"}, Stay},
		"boot nothing":        {[]string{"boot"}, []string{"FAILnothing was downloaded"}, Stay},
		"protected":           {[]string{"download:00000001", "y", "flash:bootloader", "erase:bootloader"}, []string{"DATA00000001", "OKAY", "FAILpartition is protected", "FAILpartition is protected"}, Stay},
		"too large download":  {[]string{"download:00020001", "download:00000000", "download:zz"}, []string{"FAILdownload of 131073 bytes", "FAILdownload of 0 bytes", "FAILdownload size"}, Stay},
		"too large image":     {[]string{"download:00010001", data(0x10001), "flash:boot"}, []string{"DATA00010001", "OKAY", "FAILflashing boot: image has 65537 bytes"}, Stay},
		"flash twice":         {[]string{"download:00000002", "yy", "flash:boot", "flash:boot"}, []string{"DATA00000002", "OKAY", "OKAY", "FAILnothing was downloaded"}, Stay},
		"more data than said": {[]string{"download:00000002", "yyy", "flash:boot"}, []string{"DATA00000002", "FAILmore data"}, Stay},
		"sparse out of range": {[]string{"download:00000008", "\x3a\xff\x26\xed\x00\x01\x00\x00", "flash:boot"}, []string{"DATA00000008", "OKAY", "FAILflashing boot: image reaches byte 65537"}, Stay},
		"boot nonsense":       {[]string{"download:00000004", "JUNK", "boot"}, []string{"DATA00000004", "OKAY", "FAILnot booted: no BOOT magic"}, Stay},
		"boot":                {[]string{"download:00000005", "BOOT!", "boot"}, []string{"DATA00000005", "OKAY", "OKAY"}, Boot},
		"fetch too far":       {[]string{"fetch:boot:0xffff:0x2", "fetch:boot:10001", "fetch:nope", "fetch:boot:q"}, []string{"FAIL2 bytes at 65535", "FAILoffset", "FAILno partition", "FAILfetch number"}, Stay},
	} {
		t.Run(name, func(t *testing.T) {
			got, req, _ := visit(t, phone(t), c.say...)
			if len(got) != len(c.want) {
				t.Fatalf("answers: %q", got)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("%q was answered %q, expected %q", c.say[i], got[i], c.want[i])
				}
				if len(got[i]) > maxResponse {
					t.Errorf("an answer of %d bytes", len(got[i]))
				}
			}
			if req.Next != c.next {
				t.Errorf("next is %q, expected %q", req.Next, c.next)
			}
			if req.Next == Boot && string(req.Image) != "BOOT!" {
				t.Errorf("image to boot: %q", req.Image)
			}
		})
	}
}

// TestFetch reads back what was flashed, in pieces.
func TestFetch(t *testing.T) {
	b := phone(t)
	ours, theirs := newPipe()
	go b.Serve(t.Context(), theirs)
	defer ours.Close()
	talk := func(say string, want ...string) {
		t.Helper()
		if err := ours.WritePacket([]byte(say)); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if got, err := ours.ReadPacket(); err != nil || string(got) != w {
				t.Fatalf("%s: %q, %v, expected %q", say, got, err, w)
			}
		}
	}
	talk("download:00000006", "DATA00000006")
	talk("abc")
	talk("def", "OKAY")
	talk("flash:boot", "OKAY")
	talk("fetch:boot:0x1:0x3", "DATA00000003", "bcd", "OKAY")
	talk("fetch:boot:fffe", "DATA00000002", "\x00\x00", "OKAY")
	talk("fetch:boot:0:0", "DATA00000000", "OKAY")
	talk("erase:boot", "OKAY")
	talk("fetch:boot:0:2", "DATA00000002", "\x00\x00", "OKAY")
}

// TestBrokenDownload leaves no file and lets the next client in.
func TestBrokenDownload(t *testing.T) {
	b := phone(t)
	if _, _, err := visit(t, b, "download:00000010", "\x00half"); err == nil {
		t.Error("a client that went away in a download left no error")
	}
	if left, _ := filepath.Glob(filepath.Join(b.cfg.Scratch, "download-*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	if got, _, _ := visit(t, b, "getvar:product"); len(got) != 1 || got[0] != "OKAYdinghy" {
		t.Errorf("the next client: %q", got)
	}
}

func TestContextEndsVisit(t *testing.T) {
	b := phone(t)
	_, theirs := newPipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := b.Serve(ctx, theirs)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, s := range []string{"getvar:all", "download:04000000", "fetch:boot:0x10:0x20", "oem x", "reboot-bootloader", "flash:", "", ":"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		c, err := ParseCommand(packet)
		if err != nil {
			if len(reply("FAIL", err.Error())) > maxResponse {
				t.Error("an answer is too long")
			}
			return
		}
		if c.Name == "" || c.Size < -1 || c.Offset < 0 {
			t.Errorf("%q was read as %+v", packet, c)
		}
		if c.Name == "download" && c.Size > 1<<32-1 {
			t.Errorf("%q: size %d", packet, c.Size)
		}
	})
}

// FuzzConversation lets anybody say anything: no answer is malformed and the
// protected partition stays as it was.
func FuzzConversation(f *testing.F) {
	f.Add("getvar:all\ndownload:00000002\nab\nflash:boot\nfetch:boot:0:10")
	f.Add("erase:bootloader\nflash:bootloader\nboot\nreboot")
	f.Fuzz(func(t *testing.T, text string) {
		b := phone(t)
		lines := strings.Split(text, "\n")
		ours, theirs := newPipe()
		done := make(chan struct{})
		go func() { defer close(done); b.Serve(t.Context(), theirs) }()
		go func() {
			for _, line := range lines {
				if ours.WritePacket([]byte(line)) != nil {
					return
				}
			}
			ours.WritePacket([]byte("continue"))
			ours.Close()
		}()
		<-done
		p, _ := b.Partition("bootloader")
		if raw, err := os.ReadFile(p.Path); err != nil || string(raw) != "bootloader" {
			t.Errorf("the protected partition holds %q, %v", raw, err)
		}
		if info, err := os.Stat(filepath.Join(b.cfg.Scratch, "boot")); err != nil || info.Size() > 1<<16 {
			t.Errorf("boot: %v, %v", info, err)
		}
	})
}

func ExampleParseCommand() {
	c, err := ParseCommand([]byte("download:00100000"))
	fmt.Println(c.Name, c.Size, err)
	// Output: download 1048576 <nil>
}
