package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for a line or an end before it says that
// nothing comes. It is no measure of speed: a busy machine may need minutes.
const patience = 15 * time.Minute

// rig is one port with its answers, and the work folder that all voyages of
// this package share: what was bootstrapped once serves every test.
type rig struct {
	t       *testing.T
	port    string
	work    string
	config  string
	answers string
	secret  string // what the answers' passphrase file holds
}

// voyageNeeds are what the host must have for a voyage, and the Debian package.
var voyageNeeds = []struct{ program, pkg string }{
	{"mmdebstrap", "mmdebstrap"},
	{"qemu-system-aarch64", "qemu-system-arm"},
	{"qemu-aarch64-static", "qemu-user-static"},
	{"/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"},
}

// newRig makes a port folder with answers that can take it all the way.
func newRig(t *testing.T) *rig {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: it takes a voyage of minutes; run without -short")
	}
	for _, n := range voyageNeeds {
		if _, err := exec.LookPath(n.program); err != nil && !exists(n.program) {
			t.Skipf("SKIP: a voyage needs %s; install the package %s", n.program, n.pkg)
		}
	}
	adopt(t)
	dir := t.TempDir()
	r := &rig{t: t, port: filepath.Join(dir, "port"), work: testWork, config: filepath.Join(dir, "config"), answers: filepath.Join(dir, "answers.toml")}
	r.setSecret("one " + strings.ReplaceAll(t.Name(), "/", " ") + " two")
	sample, err := os.ReadFile("../../docs/practice-answers.toml")
	check(t, err)
	check(t, os.WriteFile(r.answers, sample, 0o600))
	return r
}

// on is the same rig for another test of the same port.
func (r *rig) on(t *testing.T) *rig {
	adopt(t)
	again := *r
	again.t = t
	return &again
}

// kept makes a rig whose folders outlive the test that asks for it first.
func kept(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	answers, err := os.ReadFile(r.answers)
	check(t, err)
	dir, err := os.MkdirTemp(filepath.Dir(program), "port")
	check(t, err)
	r.port, r.config, r.answers = filepath.Join(dir, "port"), filepath.Join(dir, "config"), filepath.Join(dir, "answers.toml")
	check(t, os.WriteFile(r.answers, answers, 0o600))
	r.setSecret("Sesame, öffne dich: 2718281828")
	return r
}

// flashedPort is one port that every test of a phone with images uses.
var flashedPort *rig

// flashed returns a rig whose images are on the practice phone. Other tests may
// have given that phone something else since; then they are flashed again.
func flashed(t *testing.T) *rig {
	t.Helper()
	first := flashedPort == nil
	if first {
		flashedPort = kept(t)
		flashedPort.factory()
	}
	adopt(t)
	r := *flashedPort
	r.t = t
	p := r.start(r.voyage("--to", "flash")...)
	if code := p.wait(); code != 0 {
		if first {
			flashedPort = nil // the next test tries anew
		}
		t.Fatalf("the voyage that this test rests on ends with %d:\n%s", code, p.text())
	}
	return &r
}

// setSecret writes the passphrase file that the answers name.
func (r *rig) setSecret(text string) {
	r.t.Helper()
	r.secret = text
	check(r.t, os.WriteFile(filepath.Join(filepath.Dir(r.answers), "passphrase"), []byte(text+"\n"), 0o600))
}

// edit replaces a text in a file; it must be there.
func edit(t *testing.T, path, old, new string) {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s has no %q:\n%s", path, old, data)
	}
	info, err := os.Stat(path)
	check(t, err)
	check(t, os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(new), 1), info.Mode().Perm()))
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// factory gives the practice phone its first contents again.
func (r *rig) factory() {
	r.t.Helper()
	r.ok("practice", "stop")
	images, err := filepath.Glob(filepath.Join(r.work, "practice", "*.img"))
	check(r.t, err)
	for _, f := range images {
		check(r.t, os.Remove(f))
	}
}

// voyage are the arguments of a voyage on this port with the practice phone.
func (r *rig) voyage(more ...string) []string {
	return append([]string{"voyage", "--practice", "--plain", "--answers", r.answers}, more...)
}

// running is a Portolan that runs.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
	code int

	mu   sync.Mutex
	more chan struct{} // closed and replaced when there is more output
	out  bytes.Buffer
	read int // how far await has looked
}

// Write takes output.
func (p *running) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.more)
	p.more = make(chan struct{})
	return p.out.Write(b)
}

// start runs Portolan on the rig's folders. It is killed at the end of the test
// if it still runs then.
func (r *rig) start(args ...string) *running {
	r.t.Helper()
	args = append([]string{"--port", r.port, "--work", r.work}, args...)
	return r.startCmd(exec.Command(program, args...))
}

func (r *rig) startCmd(cmd *exec.Cmd) *running {
	r.t.Helper()
	p := &running{t: r.t, cmd: cmd, done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+r.config, "XDG_CACHE_HOME="+filepath.Join(filepath.Dir(r.port), "cache"))
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.WaitDelay = 10 * time.Second // its children may hold the pipe
	mine.Lock()                        // nobody looks for orphans until this one is known
	err := p.cmd.Start()
	if err == nil {
		mine.pids = append(mine.pids, p.cmd.Process.Pid)
	}
	mine.Unlock()
	check(r.t, err)
	go func() {
		err := p.cmd.Wait()
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled():
			p.code = 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
		case errors.As(err, &exit):
			p.code = exit.ExitCode()
		case err != nil:
			p.code = -1
		}
		close(p.done)
	}()
	r.t.Cleanup(func() {
		select {
		case <-p.done:
		default:
			p.cmd.Process.Kill()
			<-p.done
		}
	})
	return p
}

// text is everything it has printed.
func (p *running) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// await waits for output that matches pattern, after what the last await found.
func (p *running) await(pattern string) {
	p.t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	ended := false
	for {
		p.mu.Lock()
		if at := re.FindIndex(p.out.Bytes()[p.read:]); at != nil {
			p.read += at[1]
			p.mu.Unlock()
			return
		}
		more := p.more
		p.mu.Unlock()
		if ended {
			p.t.Fatalf("it ended with %d and never said %q:\n%s", p.code, pattern, p.text())
		}
		select {
		case <-more:
		case <-p.done:
			ended = true
		case <-limit.C:
			p.t.Fatalf("it did not say %q:\n%s", pattern, p.text())
		}
	}
}

// wait waits for its end and returns the exit code.
func (p *running) wait() int {
	p.t.Helper()
	return p.waitAtMost(patience)
}

// waitAtMost is wait for what takes longer, such as compiling a kernel.
func (p *running) waitAtMost(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.t.Fatalf("it does not end:\n%s", p.text())
	}
	return p.code
}

// exits runs Portolan and wants an exit code; it returns what was printed.
func (r *rig) exits(want int, args ...string) string {
	r.t.Helper()
	p := r.start(args...)
	if got := p.wait(); got != want {
		r.t.Fatalf("portolan %v exits with %d, want %d:\n%s", args, got, want, p.text())
	}
	return p.text()
}

func (r *rig) ok(args ...string) string {
	r.t.Helper()
	return r.exits(0, args...)
}

// says fails unless the output matches all patterns.
func says(t *testing.T, out string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(out) {
			t.Errorf("the output has no %q:\n%s", p, out)
		}
	}
}

// skipped lists the steps that a run left out as done, and ran those it began.
func steps(out string) (skipped, ran []string) {
	for _, m := range regexp.MustCompile(`(?m)^\S+ (\w+) +(already done|started)`).FindAllStringSubmatch(out, -1) {
		if m[2] == "started" {
			ran = append(ran, m[1])
		} else {
			skipped = append(skipped, m[1])
		}
	}
	return skipped, ran
}
