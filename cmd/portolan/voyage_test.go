package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// arrived is one port that was taken the whole way.
var arrived struct {
	once sync.Once
	rig  *rig
	out  string // of the voyage
	leak string // where the passphrase was seen in a process
}

// arrivedRig is the rig of the finished port; the first caller makes the voyage.
func arrivedRig(t *testing.T) *rig {
	t.Helper()
	r := kept(t)
	arrived.once.Do(func() {
		r.factory()
		p := r.start(r.voyage("--kernel", "archive")...)
		leak := watchProcesses(r.secret, p.done)
		code := p.wait()
		if code != 0 {
			t.Fatalf("the voyage ends with %d:\n%s", code, p.text())
		}
		arrived.leak = <-leak
		arrived.rig, arrived.out = r, p.text()
	})
	if arrived.rig == nil {
		t.Fatal("the voyage that this test rests on failed; see the first test that asked for it")
	}
	again := *arrived.rig
	again.t = t
	return &again
}

// watchProcesses looks for a secret in every process' arguments and environment
// until done, and then tells where it was.
func watchProcesses(secret string, done <-chan struct{}) <-chan string {
	found := make(chan string, 1)
	go func() {
		seen := ""
		tick := time.NewTicker(20 * time.Millisecond) // argon2 alone takes longer
		defer tick.Stop()
		for {
			files, _ := filepath.Glob("/proc/[0-9]*/*")
			for _, f := range files {
				if name := filepath.Base(f); name != "cmdline" && name != "environ" {
					continue
				}
				if data, err := os.ReadFile(f); err == nil && bytes.Contains(data, []byte(secret)) {
					seen = f + ": " + string(data)
				}
			}
			select {
			case <-done:
				found <- seen
				return
			case <-tick.C:
			}
		}
	}()
	return found
}

// report is what a plain voyage ends with, row by row.
type report struct {
	rows     map[string]string
	packages []madeFile
	image    madeFile
	steps    map[string]string // done, already done
}

type madeFile struct {
	name   string
	size   int64
	sha256 string
}

var (
	reportRow  = regexp.MustCompile(`(?m)^  (phone|flashed|unlock|uname -a|touch rule|next) +(.+)$`)
	reportFile = regexp.MustCompile(`(?m)^  (package|image) +(\S+)  (\d+) bytes\n +sha256 ([0-9a-f]{64})$`)
	reportStep = regexp.MustCompile(`(?m)^  step +(\w+) +\d+\.\d s  (.+)$`)
)

func readReport(t *testing.T, out string) report {
	t.Helper()
	_, text, ok := strings.Cut(out, "\nReport\n")
	if !ok {
		t.Fatalf("there is no report:\n%s", out)
	}
	r := report{rows: map[string]string{}, steps: map[string]string{}}
	for _, m := range reportRow.FindAllStringSubmatch(text, -1) {
		r.rows[m[1]] = m[2]
	}
	for _, m := range reportStep.FindAllStringSubmatch(text, -1) {
		r.steps[m[1]] = m[2]
	}
	for _, m := range reportFile.FindAllStringSubmatch(text, -1) {
		size, err := strconv.ParseInt(m[3], 10, 64)
		check(t, err)
		f := madeFile{m[2], size, m[4]}
		if m[1] == "image" {
			r.image = f
		} else {
			r.packages = append(r.packages, f)
		}
	}
	return r
}

// same fails unless the one file of a pattern is what the report says.
func (f madeFile) same(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	check(t, err)
	if len(found) != 1 {
		t.Fatalf("%s is %q, want one file", pattern, found)
	}
	in, err := os.Open(found[0])
	check(t, err)
	defer in.Close()
	h := sha256.New()
	size, err := io.Copy(h, in)
	check(t, err)
	if got := hex.EncodeToString(h.Sum(nil)); got != f.sha256 || size != f.size {
		t.Errorf("%s has %d bytes and sha256 %s, the report says %+v", found[0], size, got, f)
	}
	return found[0]
}

var allSteps = []string{"detect", "describe", "generate", "build", "image", "flash", "attach", "touch"}

// TestVoyage takes a port from a plugged-in phone to a shell on it, and again.
func TestVoyage(t *testing.T) {
	r := arrivedRig(t)
	r.leavesNothing()
	rep := readReport(t, arrived.out)
	for row, want := range map[string]string{
		"phone":      `^Portolan Dinghy \(practice\), serial PRACTICE0001, network$`,
		"unlock":     `^/dev/vda unlocked over telnet, try 1$`,
		"uname -a":   `^Linux dinghy \d+\.\S+ .* aarch64`,
		"touch rule": `ENV\{LIBINPUT_CALIBRATION_MATRIX\}="0 -1 1 -1 0 1"`,
		"next":       `--kernel source`,
	} {
		if !regexp.MustCompile(want).MatchString(rep.rows[row]) {
			t.Errorf("the report's %s is %q, want %s", row, rep.rows[row], want)
		}
	}
	for _, s := range allSteps {
		if rep.steps[s] != "done" {
			t.Errorf("the report says of %s %q, want done", s, rep.steps[s])
		}
	}
	var flashed int64
	if n, ok := strings.CutSuffix(rep.rows["flashed"], " bytes"); ok {
		flashed, _ = strconv.ParseInt(n, 10, 64)
	}
	if flashed < 100<<20 {
		t.Errorf("the report says flashed %q", rep.rows["flashed"])
	}
	rep.image.same(t, filepath.Join(r.port, "out", "images", rep.image.name))
	if rep.image.name != "root.img" {
		t.Errorf("the image is %q", rep.image.name)
	}

	t.Run("packages", func(t *testing.T) {
		if len(rep.packages) != 2 {
			t.Fatalf("the report has the packages %v, want two", rep.packages)
		}
		for _, p := range rep.packages {
			deb := p.same(t, filepath.Join(r.port, "out", "packages", "*", p.name+"_*.deb"))
			if !strings.HasPrefix(p.name, "device-") {
				continue
			}
			if _, err := exec.LookPath("dpkg-deb"); err != nil {
				t.Skip("SKIP: what is in the package cannot be looked at; install the package dpkg")
			}
			tar, err := exec.Command("dpkg-deb", "--fsys-tarfile", deb).Output()
			check(t, err)
			if !bytes.Contains(tar, []byte(`"0 -1 1 -1 0 1"`)) {
				t.Errorf("%s does not hold the touchscreen's rule", deb)
			}
		}
	})

	t.Run("secrets", func(t *testing.T) {
		if arrived.leak != "" {
			t.Errorf("the passphrase was seen in %s", arrived.leak)
		}
		if strings.Contains(arrived.out, r.secret) {
			t.Error("the passphrase was printed")
		}
		for _, dir := range []string{r.port, r.work, r.config} {
			for _, f := range filesWith(t, dir, r.secret) {
				t.Errorf("the passphrase is in %s", f)
			}
		}
		// The search itself would find it.
		if got := filesWith(t, filepath.Dir(r.answers), r.secret); len(got) != 1 {
			t.Errorf("the search finds it in %q, want the passphrase file alone", got)
		}
	})

	t.Run("again", func(t *testing.T) {
		r := r.on(t)
		out := r.ok(r.voyage("--kernel", "archive")...)
		again := readReport(t, out)
		for _, s := range allSteps {
			want := "already done"
			if s == "detect" || s == "attach" { // whether a phone is there is looked at each time
				want = "done"
			}
			if again.steps[s] != want {
				t.Errorf("the second report says of %s %q, want %s", s, again.steps[s], want)
			}
		}
		skipped, _ := steps(out)
		if want := []string{"describe", "generate", "build", "image", "flash", "touch"}; !slices.Equal(skipped, want) {
			t.Errorf("the second run names as already done %v, want %v", skipped, want)
		}
		if !slices.Equal(again.packages, rep.packages) || again.image != rep.image || again.rows["uname -a"] != rep.rows["uname -a"] || again.rows["touch rule"] != rep.rows["touch rule"] {
			t.Errorf("the second report tells another story:\n%s\nthe first:\n%s", out, arrived.out)
		}
		r.leavesNothing()
	})
}

// filesWith lists the files below dir that hold a text.
func filesWith(t *testing.T, dir, text string) []string {
	t.Helper()
	var found []string
	buf := make([]byte, 1<<20)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		// Files of a rootless layer belong to subordinate ids: what this user
		// may not read is looked at when the test runs as root.
		if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
			t.Logf("not searched as this user: %s", path)
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
			t.Logf("not searched as this user: %s", path)
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		kept := 0 // of the last piece, as the text may lie across two
		for {
			n, err := f.Read(buf[kept:])
			if bytes.Contains(buf[:kept+n], []byte(text)) {
				found = append(found, path)
				return nil
			}
			if err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			if n += kept; n >= len(text) {
				kept = copy(buf, buf[n-len(text)+1:n])
			} else {
				kept = n
			}
		}
	})
	check(t, err)
	return found
}

// compiling is how long the slow voyage waits for a kernel of some thousand
// objects: minutes on two quiet cores, much more on busy ones.
const compiling = 50 * time.Minute

// TestSlowVoyageSource goes on from the archive's kernel to one compiled here:
// what depends on it is made again, and the same phone boots it.
func TestSlowVoyageSource(t *testing.T) {
	if os.Getenv("PORTOLAN_SLOW") == "" {
		t.Skip("SKIP: compiling a kernel takes 10 minutes; run make test-slow")
	}
	r := arrivedRig(t)
	before := readReport(t, arrived.out)
	kept, err := filepath.Glob(filepath.Join(r.work, "build", "*"))
	if err != nil {
		t.Fatal(err)
	}
	p := r.start(r.voyage("--kernel", "source")...)
	if len(kept) == 0 { // else an earlier run has left its objects, and there are none to count
		p.await(`build +kernel objects: \d+ of \d+ \(\d+ %\), about [\d.]+ s left`)
	}
	if code := p.waitAtMost(compiling); code != 0 {
		t.Fatalf("the voyage ends with %d:\n%s", code, p.text())
	}
	after := readReport(t, p.text())
	for _, s := range []string{"build", "image", "flash", "attach"} {
		if after.steps[s] != "done" {
			t.Errorf("%s is %q with the other kernel, want done", s, after.steps[s])
		}
	}
	if a, b := before.rows["uname -a"], after.rows["uname -a"]; a == b || !strings.Contains(b, "aarch64") {
		t.Errorf("the phone ran %q, now %q", a, b)
	}
	if a, b := before.rows["touch rule"], after.rows["touch rule"]; a != b {
		t.Errorf("the touchscreen's rule was %q, is %q", a, b)
	}
	r.leavesNothing()

	again := readReport(t, r.ok(r.voyage("--kernel", "source")...))
	for _, s := range []string{"describe", "generate", "build", "image", "flash", "touch"} {
		if again.steps[s] != "already done" {
			t.Errorf("%s is %q when nothing changed, want already done", s, again.steps[s])
		}
	}
	if again.rows["uname -a"] != after.rows["uname -a"] {
		t.Errorf("the second run finds %q", again.rows["uname -a"])
	}
	r.leavesNothing()
}
