package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"portolan/wizard"
)

// plugIn starts a practice phone that outlives the runs on it.
func (r *rig) plugIn() (port string) {
	r.t.Helper()
	out := r.ok("practice", "start", "--tcp-port", "0")
	r.t.Cleanup(func() { r.ok("practice", "stop") })
	m := regexp.MustCompile(`tcp:127\.0\.0\.1:(\d+)`).FindStringSubmatch(out)
	if m == nil {
		r.t.Fatalf("practice start does not tell its port:\n%s", out)
	}
	return m[1]
}

// contents hashes every file below a folder, but not those named.
func contents(t *testing.T, dir string, but ...string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		for _, b := range but {
			if d.Name() == b {
				return nil
			}
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(data), data)
		return err
	})
	check(t, err)
	return string(h.Sum(nil))
}

// TestUnpluggedInMidFlash pulls the cable while userdata is written.
func TestUnpluggedInMidFlash(t *testing.T) {
	r := flashed(t)
	r.plugIn()
	p := r.start(r.voyage("--from", "flash", "--to", "flash")...)
	p.await(`flash +bytes to userdata: `)
	r.ok("practice", "unplug")
	if code := p.wait(); code != wizard.ExitPhone {
		t.Errorf("it exits with %d, want %d", code, wizard.ExitPhone)
	}
	says(t, p.text(), `flash +failed after .*flashing userdata stopped after .* of `, `plug it in`, `run this again, and it continues with flashing`)
	r.journal()

	r.ok("practice", "plug")
	out := r.ok(r.voyage("--to", "flash")...)
	says(t, out, `image +already done`, `flash +runs again: the last flashing of this phone was not finished`, `flash +userdata: .* read back, sha256`)
}

// TestFullDisk builds on a disk that has no room for the toolbox.
func TestFullDisk(t *testing.T) {
	r := newRig(t)
	small := filepath.Join(t.TempDir(), "small")
	check(t, os.Mkdir(small, 0o755))
	// The disk is in a mount namespace of its own, and gone with it.
	script := `mount -t tmpfs -o size=48m small "$1" && shift && exec "$@"`
	cmd := exec.Command("sh", append([]string{"-c", script, "sh", small, program, "--port", r.port, "--work", small}, r.voyage("--to", "build")...)...)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	} else {
		cmd = exec.Command("unshare", append([]string{"--user", "--map-root-user", "--map-auto", "--mount"}, cmd.Args...)...)
	}
	p := r.startCmd(cmd)
	if code := p.wait(); code != wizard.ExitHost {
		t.Errorf("it exits with %d, want %d:\n%s", code, wizard.ExitHost, p.text())
	}
	says(t, p.text(), `build +failed after .* lacks disk space`, `nothing that was finished is lost`, `free some space`)
	r.leavesNothing()

	skipped, _ := steps(r.ok(r.voyage("--to", "build")...)) // on the disk that has room
	if got := strings.Join(skipped, " "); got != "describe generate" {
		t.Errorf("with room again it takes as done %q", got)
	}
}

// TestUnreachableMirror bootstraps from a mirror where nobody listens.
func TestUnreachableMirror(t *testing.T) {
	r := newRig(t)
	r.work = filepath.Join(t.TempDir(), "work")
	const mirror = "http://127.0.0.1:9/debian"
	out := r.exits(wizard.ExitFailed, r.voyage("--to", "build", "--mirror", mirror)...)
	says(t, out, `build +failed after .*`+regexp.QuoteMeta(mirror), `name another mirror with --mirror`, `the whole log is in /`)
	r.leavesNothing()
	r.work = testWork
	skipped, _ := steps(r.ok(r.voyage("--to", "build")...))
	if got := strings.Join(skipped, " "); got != "describe generate" {
		t.Errorf("with a mirror it takes as done %q", got)
	}
}

// TestKernelThatDoesNotCompile edits the kernel package so that it fails as a
// compiler does.
func TestKernelThatDoesNotCompile(t *testing.T) {
	flashed(t) // the layers are there
	r := newRig(t)
	r.ok(r.voyage("--to", "generate")...)
	recipe := filepath.Join(r.port, "debian", "linux-portolan-dinghy", "debian", "take-kernel")
	const first = "init/main.c:42:1: error: expected ‘;’ before ‘}’ token"
	edit(t, recipe, "set -eu\n", "set -eu\necho '  CC      init/main.o'; echo \""+first+"\" >&2; exit 1\n")

	out := r.exits(wizard.ExitFailed, r.voyage("--to", "build")...)
	says(t, out, `build +failed after .*`+regexp.QuoteMeta(first), `generate +kept .*take-kernel edited by hand`)
	m := regexp.MustCompile(`the whole log is in (\S+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("it does not say where the log is:\n%s", out)
	}
	log, err := os.ReadFile(m[1])
	check(t, err)
	if !bytes.Contains(log, []byte(first)) {
		t.Errorf("%s does not have the error:\n%s", m[1], log)
	}

	edit(t, recipe, "echo '  CC      init/main.o'; echo \""+first+"\" >&2; exit 1\n", "")
	skipped, ran := steps(r.ok(r.voyage("--to", "build")...))
	if got := strings.Join(skipped, " "); !strings.HasPrefix(got, "describe") || ran[len(ran)-1] != "build" {
		t.Errorf("mended, it takes as done %v and runs %v", skipped, ran)
	}
}

// TestBrokenBootImage looks at a torn boot image, and boots a phone that has it.
func TestBrokenBootImage(t *testing.T) {
	if _, err := exec.LookPath("fastboot"); err != nil {
		t.Skip("SKIP: the broken image is flashed with the fastboot program; install the package fastboot")
	}
	r := flashed(t)
	boot, err := os.ReadFile(filepath.Join(r.port, "out", "images", "boot.img"))
	check(t, err)
	torn := filepath.Join(t.TempDir(), "torn.img")
	check(t, os.WriteFile(torn, boot[:len(boot)/2], 0o644))
	corrupt := filepath.Join(t.TempDir(), "corrupt.img")
	check(t, os.WriteFile(corrupt, append([]byte("ANDROID?"), boot[8:]...), 0o644))
	says(t, r.exits(wizard.ExitFailed, "bootimg", "info", torn), regexp.QuoteMeta(torn)+`: .*cut off in its kernel`)
	says(t, r.exits(wizard.ExitFailed, "bootimg", "info", corrupt), regexp.QuoteMeta(corrupt)+`: .*ANDROID!`)

	port := r.plugIn()
	for _, args := range [][]string{{"erase", "boot"}, {"flash", "boot", torn}} {
		out, err := exec.Command("fastboot", append([]string{"-s", "tcp:127.0.0.1:" + port}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("fastboot %v: %v\n%s", args, err, out)
		}
	}
	out := r.exits(wizard.ExitPhone, r.voyage("--from", "attach", "--to", "attach")...)
	says(t, out, `attach +failed after .*the bootloader could not boot`, `run the flash step again`)

	out = r.ok(r.voyage("--to", "flash")...)
	says(t, out, `image +already done`, `flash +runs again: the boot partition of the phone holds something else`)
}

// TestWrongPassphrase unlocks with the wrong passphrase first.
func TestWrongPassphrase(t *testing.T) {
	r := flashed(t)
	right := r.secret
	before := contents(t, r.port, "journal.jsonl", "lock")
	r.setSecret("what was it again")
	out := r.exits(wizard.ExitFailed, r.voyage("--from", "attach", "--to", "attach")...)
	says(t, out, `attach +warning: wrong passphrase`, `attach +failed after .*the phone refused the passphrase`, `nothing is changed`, `run the attach step again with the right one`)
	if contents(t, r.port, "journal.jsonl", "lock") != before {
		t.Error("a wrong passphrase changed the port")
	}
	r.leavesNothing()

	r.setSecret(right)
	out = r.ok(r.voyage("--from", "attach", "--to", "attach")...)
	says(t, out, `unlock +/dev/vda unlocked over telnet, try 1`, `uname -a +Linux dinghy .*aarch64`)
	r.leavesNothing()
}

// TestSecondPortolan begins a second run on what a first one has.
func TestSecondPortolan(t *testing.T) {
	t.Run("port", func(t *testing.T) {
		r := newRig(t)
		first := r.start("voyage", "--plain", "--answers", r.answers, "--device", "no such phone")
		first.await(`detect +waiting for a phone`)
		out := r.exits(wizard.ExitRefused, r.voyage("--to", "generate")...)
		says(t, out, fmt.Sprintf(`another Portolan \(process %d\) works on the port in %s`, first.cmd.Process.Pid, regexp.QuoteMeta(r.port)), `run this again`)
		r.end(first, syscall.SIGINT)
		r.ok(r.voyage("--to", "generate")...)
	})
	t.Run("work folder", func(t *testing.T) {
		flashed(t) // the layers are there
		r := newRig(t)
		r.ok(r.voyage("--to", "generate")...)
		layer := regexp.MustCompile(`(?m)^(toolbox-\S+)`).FindString(r.ok("chroot"))
		first := r.start("chroot", layer, "--", "sh", "-c", "echo inside; sleep 1000")
		first.await(`^inside`)
		out := r.exits(wizard.ExitRefused, "build", "--plain")
		says(t, out, fmt.Sprintf(`another Portolan \(process %d\) is using the work folder %s`, first.cmd.Process.Pid, regexp.QuoteMeta(r.work)))
		check(t, first.cmd.Process.Signal(syscall.SIGINT))
		if code := first.wait(); code != wizard.ExitInterrupted {
			t.Errorf("the first one exits with %d:\n%s", code, first.text())
		}
		r.leavesNothing()
	})
	t.Run("phone", func(t *testing.T) {
		r := flashed(t)
		first := r.start(r.voyage("--from", "attach", "--to", "attach")...)
		first.await(`attach +the phone is in its bootloader`)
		other := newRig(t)
		out := other.exits(wizard.ExitRefused, other.voyage("--to", "generate")...)
		says(t, out, fmt.Sprintf(`another Portolan \(process %d\) works with Portolan Dinghy`, first.cmd.Process.Pid))
		r.end(first, syscall.SIGINT)
	})
}

// TestEditedFileSurvives edits a generated file, then changes what it is
// generated from.
func TestEditedFileSurvives(t *testing.T) {
	r := newRig(t)
	r.ok(r.voyage("--to", "generate")...)
	path := filepath.Join("postmarketos", "device-portolan-dinghy", "deviceinfo")
	file := filepath.Join(r.port, path)
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = f.WriteString("# mine\n")
	check(t, errors.Join(err, f.Close()))
	before, err := os.ReadFile(file)
	check(t, err)

	edit(t, r.answers, "year = 2026", "year = 2025")
	out := r.ok(r.voyage("--to", "generate")...)
	says(t, out, `generate +kept +`+regexp.QuoteMeta(path)+` edited by hand`, `generate +warning: `+regexp.QuoteMeta(path)+` is kept`)
	after, err := os.ReadFile(file)
	check(t, err)
	if !bytes.Equal(before, after) {
		t.Errorf("the edited file was changed to:\n%s", after)
	}
	// Files that nobody edited follow the answer.
	same, err := os.ReadFile(filepath.Join(r.port, "debian", "device-portolan-dinghy", "deviceinfo"))
	check(t, err)
	if !strings.Contains(string(same), strconv.Quote("2025")) {
		t.Errorf("the other deviceinfo does not have the new year:\n%s", same)
	}
}

// TestOtherPhoneIsRefused flashes a phone that is not the port's.
func TestOtherPhoneIsRefused(t *testing.T) {
	r := flashed(t)
	port := filepath.Join(r.port, wizard.PortFile)
	kept, err := os.ReadFile(port)
	check(t, err)
	t.Cleanup(func() { check(t, os.WriteFile(port, kept, 0o644)) })
	partition := filepath.Join(r.work, "practice", "boot.img")
	before, err := os.ReadFile(partition)
	check(t, err)

	edit(t, port, `"dinghy"]`, `"yawl"]`)
	out := r.exits(wizard.ExitRefused, "flash", "--practice", "--plain", "--force")
	says(t, out, `NO phone +it calls itself "dinghy", port dinghy is for yawl`, `Refused: nothing will be written`)
	if strings.Contains(out, "bytes to ") {
		t.Errorf("something was sent:\n%s", out)
	}
	after, err := os.ReadFile(partition)
	check(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the boot partition was written")
	}
	r.leavesNothing()
}
