package practice

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"portolan/usb"
)

// serveArg makes the test binary a phone, as the hidden command of the real
// program does.
const serveArg = "practice-serve"

// holdArg makes it a starter with a lifeline, which waits to be killed.
const holdArg = "practice-hold"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case serveArg:
			s, err := ParseSettings(os.Args[2])
			if err == nil {
				ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
				err = Serve(ctx, testConfig(s))
				stop()
			}
			exit(err)
		case holdArg:
			r, err := Start(context.Background(), Settings{StateDir: os.Args[2]},
				StartOptions{Command: []string{os.Args[0], serveArg}, Lifeline: true})
			if err != nil {
				exit(err)
			}
			fmt.Println(r.Status.PID)
			<-r.Ended()
			exit(errors.New("the phone ended first"))
		}
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// testConfig plays the rooms that cmd plugs in: mkbootimg writes the stock
// boot image, header and sparse reading are done here in the smallest way.
func testConfig(s Settings) Config {
	return Config{
		Settings: s, ParseBoot: parseV0, MakeBoot: mkbootimg, Unsparse: expand,
		Log: func(line string) { fmt.Println(time.Now().Format(time.RFC3339Nano), line) },
	}
}

func mkbootimg(w io.Writer, b StockBoot) error {
	dir, err := os.MkdirTemp("", "mkbootimg")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	kernel, ramdisk, out := filepath.Join(dir, "k"), filepath.Join(dir, "r"), filepath.Join(dir, "o")
	if err := errors.Join(os.WriteFile(kernel, b.Kernel, 0o600), os.WriteFile(ramdisk, b.Ramdisk, 0o600)); err != nil {
		return err
	}
	hex := func(n uint32) string { return fmt.Sprintf("0x%x", n) }
	msg, err := exec.Command("mkbootimg", "--kernel", kernel, "--ramdisk", ramdisk, "--board", b.Name, "--cmdline", b.Cmdline,
		"--base", hex(b.Base), "--kernel_offset", hex(b.KernelOffset), "--ramdisk_offset", hex(b.RamdiskOffset),
		"--second_offset", hex(b.SecondOffset), "--tags_offset", hex(b.TagsOffset), "--pagesize", fmt.Sprint(b.PageSize),
		"--header_version", fmt.Sprint(b.HeaderVersion), "--os_version", b.OSVersion, "--os_patch_level", b.OSPatchLevel,
		"-o", out).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mkbootimg: %w: %s", err, msg)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	_, err = w.Write(raw)
	return err
}

func parseV0(r io.ReaderAt, size int64) (Boot, error) {
	head := make([]byte, 1632)
	if _, err := r.ReadAt(head, 0); err != nil {
		return Boot{}, err
	}
	if string(head[:8]) != "ANDROID!" {
		return Boot{}, errors.New("no ANDROID! magic")
	}
	word := func(at int) int64 { return int64(binary.LittleEndian.Uint32(head[at:])) }
	page := word(36)
	part := func(at, n int64) ([]byte, error) {
		if page == 0 || at+n > size {
			return nil, errors.New("cut short")
		}
		b := make([]byte, n)
		_, err := r.ReadAt(b, at)
		return b, err
	}
	kernel, err := part(page, word(8))
	if err != nil {
		return Boot{}, err
	}
	ramdisk, err := part(page+(word(8)+page-1)/page*page, word(16))
	return Boot{kernel, ramdisk, string(bytes.TrimRight(head[64:576], "\x00"))}, err
}

// expand reads sparse images (sparse_format.h of Android's libsparse).
func expand(src io.ReaderAt, size int64, dst io.WriterAt) error {
	r := io.NewSectionReader(src, 0, size)
	var h struct {
		Magic                      uint32
		Major, Minor, Head, ChunkH uint16
		Block, Blocks, Chunks, CRC uint32
	}
	if err := binary.Read(r, binary.LittleEndian, &h); err != nil {
		return err
	}
	at := int64(0)
	for range h.Chunks {
		var c struct {
			Type, Reserved uint16
			Blocks, Total  uint32
		}
		if err := binary.Read(r, binary.LittleEndian, &c); err != nil {
			return err
		}
		n := int64(c.Blocks) * int64(h.Block)
		switch c.Type {
		case 0xcac1:
			if _, err := io.CopyN(io.NewOffsetWriter(dst, at), r, n); err != nil {
				return err
			}
		case 0xcac2:
			var fill [4]byte
			if _, err := io.ReadFull(r, fill[:]); err != nil {
				return err
			}
			if _, err := dst.WriteAt(bytes.Repeat(fill[:], int(n/4)), at); err != nil {
				return err
			}
		case 0xcac3:
		case 0xcac4:
			r.Seek(4, io.SeekCurrent)
		default:
			return fmt.Errorf("chunk type %x", c.Type)
		}
		at += n
	}
	return nil
}

func need(t *testing.T, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIP: %s is missing: install package %s", program, pkg)
	}
}

// started is a phone in its own process, stopped with the test.
func started(t *testing.T, s Settings) Status {
	t.Helper()
	need(t, "mkbootimg", "mkbootimg")
	need(t, "qemu-system-aarch64", "qemu-system-arm")
	if s.StateDir == "" {
		s.StateDir = t.TempDir()
	}
	r, err := Start(t.Context(), s, StartOptions{Command: []string{os.Args[0], serveArg}, Lifeline: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		<-r.Ended()
		if t.Failed() {
			for _, name := range []string{logName, "serial.log"} {
				raw, _ := os.ReadFile(filepath.Join(s.StateDir, name))
				t.Logf("%s:\n%s", name, raw)
			}
		}
	})
	return r.Status
}

// until waits for a state of the phone.
func until(t *testing.T, dir, what string, ok func(Status) bool) Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last Status
	found := false
	watching, done := context.WithCancel(ctx)
	defer done()
	err := Watch(watching, dir, func(st Status) {
		if last = st; ok(st) {
			found = true
			done()
		}
	})
	if !found {
		t.Fatalf("waiting for %s: %v; last seen %+v", what, err, last)
	}
	return last
}

func inMode(mode usb.Mode) func(Status) bool {
	return func(st Status) bool { return st.Device.Mode == mode }
}

// serial waits until the serial log holds text n times.
func serial(t *testing.T, st Status, text string, n int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		raw, _ := os.ReadFile(st.SerialLog)
		if bytes.Count(raw, []byte(text)) >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the serial log never held %q %d times:\n%s", text, n, raw)
		}
		time.Sleep(20 * time.Millisecond) // a file gives no sign when it grows
	}
}
