package practice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portolan/usb"
	"portolan/usb/tcp"
)

// fastboot runs Debian's fastboot against the phone.
func fastboot(t *testing.T, st Status, args ...string) (string, error) {
	t.Helper()
	need(t, "fastboot", "fastboot")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "fastboot", append([]string{"-s", st.Fastboot}, args...)...).CombinedOutput()
	t.Logf("fastboot %s: %v\n%s", strings.Join(args, " "), err, out)
	return string(out), err
}

func mustFastboot(t *testing.T, st Status, args ...string) string {
	t.Helper()
	out, err := fastboot(t, st, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// noise is data that no compression shortens; the same for the same seed.
func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func partition(t *testing.T, st Status, name string, n int) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(st.StateDir, name+".img"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFastbootVars(t *testing.T) {
	st := started(t, Settings{})
	all := mustFastboot(t, st, "getvar", "all")
	for _, want := range []string{
		"product:dinghy", "serialno:PRACTICE0001", "unlocked:yes", "secure:no", "max-download-size:0x4000000",
		"max-fetch-size:0x4000000", "partition-size:boot:0x4000000", "partition-size:userdata:0x80000000",
		"partition-type:userdata:ext4", "has-slot:boot:no", "is-logical:boot:no", "slot-count:0",
		"battery-soc-ok:yes", "battery-voltage:4012", "variant:practice", "partition-size:bootloader:0x400000",
	} {
		if !strings.Contains(all, want+"\n") {
			t.Errorf("getvar all lacks %q", want)
		}
	}
	if out := mustFastboot(t, st, "getvar", "partition-size:boot"); !strings.Contains(out, "partition-size:boot: 0x4000000") {
		t.Errorf("partition-size:boot: %s", out)
	}
	for _, args := range [][]string{{"getvar", "nonsense"}, {"oem", "unlock"}, {"getvar", "partition-size:nonsense"}} {
		if out, err := fastboot(t, st, args...); err == nil && args[0] != "getvar" || !strings.Contains(out, "remote: '") {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
}

func TestFastbootFlash(t *testing.T) {
	need(t, "img2simg", "android-sdk-libsparse-utils")
	st := started(t, Settings{})

	boot := noise(5<<20, 1)
	mustFastboot(t, st, "flash", "boot", write(t, "boot.img", boot))
	if !bytes.Equal(partition(t, st, "boot", len(boot)), boot) {
		t.Error("a raw image did not arrive as sent")
	}

	// Data, a hole, data: img2simg makes a real sparse image of it.
	raw := make([]byte, 24<<20)
	copy(raw, noise(4<<20, 2))
	copy(raw[20<<20:], noise(4<<20, 3))
	sparse := filepath.Join(t.TempDir(), "sparse.img")
	if out, err := exec.Command("img2simg", write(t, "raw.img", raw), sparse).CombinedOutput(); err != nil {
		t.Fatalf("img2simg: %v: %s", err, out)
	}
	mustFastboot(t, st, "flash", "userdata", sparse)
	if !bytes.Equal(partition(t, st, "userdata", len(raw)), raw) {
		t.Error("a sparse image did not expand to what it was made of")
	}

	// Above max-download-size the program must split, and the parts must meet.
	big := noise(150<<20, 4)
	if out := mustFastboot(t, st, "flash", "userdata", write(t, "big.img", big)); !strings.Contains(out, "3/3") {
		t.Errorf("150 MiB were not sent in three parts: %s", out)
	}
	if !bytes.Equal(partition(t, st, "userdata", len(big)), big) {
		t.Error("a split image did not arrive as sent")
	}

	mustFastboot(t, st, "erase", "userdata")
	if !bytes.Equal(partition(t, st, "userdata", len(raw)), make([]byte, len(raw))) {
		t.Error("erase left something")
	}
	if info, err := os.Stat(filepath.Join(st.StateDir, "userdata.img")); err != nil || info.Size() != userdataSize {
		t.Errorf("userdata after erase: %v, %v", info.Size(), err)
	}

	before := partition(t, st, "bootloader", loaderSize)
	for _, args := range [][]string{{"flash", "bootloader", write(t, "x", boot[:1<<20])}, {"erase", "bootloader"}} {
		if out, err := fastboot(t, st, args...); err == nil || !strings.Contains(out, "partition is protected") {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
	if !bytes.Equal(partition(t, st, "bootloader", loaderSize), before) {
		t.Error("the protected partition changed")
	}
	if out, err := fastboot(t, st, "flash", "nonsense", write(t, "x", boot[:4096])); err == nil || !strings.Contains(out, "no partition") {
		t.Errorf("an unknown partition: %v, %s", err, out)
	}
}

func TestFastbootReboot(t *testing.T) {
	st := started(t, Settings{})
	mustFastboot(t, st, "reboot", "bootloader")
	until(t, st.StateDir, "the bootloader", inMode(usb.ModeFastboot))
	mustFastboot(t, st, "getvar", "product")

	mustFastboot(t, st, "reboot")
	until(t, st.StateDir, "a kernel", func(st Status) bool { return st.Device.Mode == usb.ModeBooting && st.QEMU != 0 })
	serial(t, st, StockMessage, 1)
	if c, err := tcp.Dial(t.Context(), strings.TrimPrefix(st.Fastboot, "tcp:")); !errors.Is(err, usb.ErrGone) {
		t.Errorf("fastboot while a kernel runs: %v, %v", c, err)
	}
	if err := ToBootloader(t.Context(), st.StateDir); err != nil {
		t.Fatal(err)
	}

	// boot runs an image that is flashed nowhere.
	boot := bytes.TrimRight(partition(t, st, "boot", bootSize), "\x00")
	boot = append(boot, make([]byte, 2048)...) // up to the end of its last page, at least
	mustFastboot(t, st, "erase", "boot")
	if out, err := fastboot(t, st, "boot", write(t, "bad.img", append([]byte("ANDROID!"), noise(1<<16, 5)...))); err == nil {
		t.Errorf("nonsense was booted: %s", out)
	}
	mustFastboot(t, st, "boot", write(t, "boot.img", boot))
	serial(t, st, StockMessage, 2)
	if err := ToBootloader(t.Context(), st.StateDir); err != nil {
		t.Fatal(err)
	}

	// The boot partition is empty now: an error on the phone, and fastboot.
	mustFastboot(t, st, "continue")
	now := until(t, st.StateDir, "a boot error", inMode(usb.ModeBootFailed))
	if !strings.Contains(now.Device.Hint, "no ANDROID! magic") || !strings.Contains(now.Screen, "no ANDROID! magic") {
		t.Errorf("the reason is not shown: %+v", now)
	}
	mustFastboot(t, st, "flash", "boot", write(t, "boot.img", boot))
	mustFastboot(t, st, "reboot")
	serial(t, st, StockMessage, 3)
}

func TestSecondClient(t *testing.T) {
	st := started(t, Settings{})
	first, err := tcp.Dial(t.Context(), strings.TrimPrefix(st.Fastboot, "tcp:"))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	say := func(c usb.PacketConn, text string) string {
		t.Helper()
		if err := c.WritePacket([]byte(text)); err != nil {
			t.Fatal(err)
		}
		p, err := c.ReadPacket()
		if err != nil {
			t.Fatal(err)
		}
		return string(p)
	}
	if got := say(first, "getvar:product"); got != "OKAYdinghy" {
		t.Fatalf("first client: %s", got)
	}
	second, err := tcp.Dial(t.Context(), strings.TrimPrefix(st.Fastboot, "tcp:"))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if got := say(second, "getvar:product"); !strings.HasPrefix(got, "FAILanother program") {
		t.Errorf("second client: %s", got)
	}
	if got := say(first, "getvar:product"); got != "OKAYdinghy" {
		t.Errorf("first client after the second: %s", got)
	}
}

// TestUnplugInMidFlash pulls the cable during a download, puts it back and
// flashes again.
func TestUnplugInMidFlash(t *testing.T) {
	st := started(t, Settings{})
	source := Source{StateDir: st.StateDir}
	h, err := source.Open(t.Context(), st.Device.ID)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := h.Fastboot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	half := noise(1<<20, 6)
	if err := conn.WritePacket(fmt.Appendf(nil, "download:%08x", 2*len(half))); err != nil {
		t.Fatal(err)
	}
	if p, err := conn.ReadPacket(); err != nil || string(p) != "DATA00200000" {
		t.Fatalf("download: %q, %v", p, err)
	}
	if err := conn.WritePacket(half); err != nil {
		t.Fatal(err)
	}
	if err := Plug(t.Context(), st.StateDir, false); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ReadPacket(); !errors.Is(err, usb.ErrGone) {
		t.Errorf("reading after the cable was pulled: %v", err)
	}
	if _, err := h.Fastboot(t.Context()); !errors.Is(err, usb.ErrGone) {
		t.Errorf("fastboot without a cable: %v", err)
	}
	if _, err := source.Open(t.Context(), st.Device.ID); !errors.Is(err, usb.ErrNotFound) {
		t.Errorf("opening without a cable: %v", err)
	}
	if err := Plug(t.Context(), st.StateDir, true); err != nil {
		t.Fatal(err)
	}
	mustFastboot(t, st, "flash", "userdata", write(t, "again.img", half))
	if !bytes.Equal(partition(t, st, "userdata", len(half)), half) {
		t.Error("flashing after plugging in again did not arrive")
	}
	if left, _ := filepath.Glob(filepath.Join(st.StateDir, "download-*")); len(left) != 0 {
		t.Errorf("left over from the broken download: %v", left)
	}
}
