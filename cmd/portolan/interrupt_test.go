package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"portolan/wizard"
)

// end stops a running Portolan and checks that it leaves nothing: by ctrl+c,
// or by a kill that it cannot notice.
func (r *rig) end(p *running, sig syscall.Signal) {
	r.t.Helper()
	began := time.Now()
	check(r.t, p.cmd.Process.Signal(sig))
	code := p.wait()
	r.t.Logf("%v: it ended after %v", sig, time.Since(began).Round(time.Millisecond))
	want := wizard.ExitInterrupted
	if sig == syscall.SIGKILL {
		want = 128 + int(sig)
	}
	if code != want {
		r.t.Errorf("after %v it exits with %d, want %d:\n%s", sig, code, want, p.text())
	}
	if sig == syscall.SIGINT {
		says(r.t, p.text(), `^portolan: interrupted; what was finished is kept, run the same command to go on$`)
	}
	r.leavesNothing()
	r.journal()
}

// journal reads the port's journal. Every line must be whole.
func (r *rig) journal() []wizard.Entry {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.port, "out", "journal.jsonl"))
	check(r.t, err)
	var list []wizard.Entry
	for line := range strings.Lines(string(data)) {
		var e wizard.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Step == "" || e.State == "" || e.At.IsZero() || !strings.HasSuffix(line, "\n") {
			r.t.Errorf("the journal has the line %q: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}

// TestInterruptedVoyage stops one voyage in every step, twice in those that
// work, and takes it to its end nonetheless.
func TestInterruptedVoyage(t *testing.T) {
	flashed(t) // the layers are there: each step begins soon
	r := newRig(t)
	r.factory()

	p := r.start("voyage", "--plain", "--answers", r.answers, "--device", "no such phone")
	p.await(`detect +waiting for a phone on a USB cable`)
	r.end(p, syscall.SIGINT)

	for _, stop := range []struct {
		at   string // what it says when it is stopped
		by   syscall.Signal
		done string // the steps that this run had no need to do again
	}{
		{`build +\$ sh /scripts/build.sh linux-`, syscall.SIGINT, ""},
		{`build +\$ sh /scripts/build.sh device-`, syscall.SIGKILL, "describe generate"},
		{`image +packing the initramfs`, syscall.SIGINT, "describe generate"},
		{`image +encrypting the root image`, syscall.SIGKILL, "describe generate build"},
		{`flash +bytes to userdata: `, syscall.SIGINT, "describe generate build"},
		{`flash +bytes to userdata: `, syscall.SIGKILL, "describe generate build image"},
		{`attach +waiting for an address`, syscall.SIGINT, "describe generate build image"},
		{`attach +telnet session open`, syscall.SIGKILL, "describe generate build image flash"},
		{`touch +tap target 2 of`, syscall.SIGINT, "describe generate build image flash"},
		{`touch +building device-`, syscall.SIGKILL, "describe generate build image flash"},
	} {
		if !t.Run(fmt.Sprintf("%s %s", strings.Fields(stop.at)[0], stop.by), func(t *testing.T) {
			r := r.on(t)
			p := r.start(r.voyage()...)
			p.await(stop.at)
			r.end(p, stop.by)
			skipped, ran := steps(p.text())
			if got := strings.Join(skipped, " "); got != stop.done {
				t.Errorf("the run took as done %q, want %q:\n%s", got, stop.done, p.text())
			}
			if last := strings.Fields(stop.at)[0]; ran[len(ran)-1] != last {
				t.Errorf("the run was stopped in %v, this test is about %s", ran, last)
			}
		}) {
			return
		}
	}

	out := r.ok(r.voyage()...)
	r.leavesNothing()
	rep := readReport(t, out)
	for _, s := range allSteps { // what depends on the rule, found before the last kill, is made again
		if rep.steps[s] != "done" && rep.steps[s] != "already done" {
			t.Errorf("the last run says of %s %q:\n%s", s, rep.steps[s], out)
		}
	}
	if !strings.Contains(rep.rows["touch rule"], `"0 -1 1 -1 0 1"`) {
		t.Errorf("the touch rule is %q", rep.rows["touch rule"])
	}
	if !strings.Contains(rep.rows["uname -a"], "aarch64") {
		t.Errorf("uname -a is %q", rep.rows["uname -a"])
	}
}

// TestInterruptedBootstrap stops the making of the toolbox: what is half made is
// gone, what was finished is taken.
func TestInterruptedBootstrap(t *testing.T) {
	r := newRig(t)
	r.work = filepath.Join(t.TempDir(), "work")
	t.Cleanup(func() { r.ok("zap", "--caches") }) // files of subordinate ids
	build := r.voyage("--to", "build", "-v")
	layers := func() []string {
		found, err := filepath.Glob(filepath.Join(r.work, "layers", "*"))
		check(t, err)
		return found
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		p := r.start(build...)
		p.await(`build +I: (downloading|installing|extracting)`)
		r.end(p, sig)
		if got := layers(); len(got) > 0 {
			t.Errorf("half a layer is kept: %v", got)
		}
	}
	p := r.start(build...)
	p.await(`build +mmdebstrap: exit status 0`)
	p.await(`build +\$ sh /scripts/`)
	r.end(p, syscall.SIGINT)
	if got := layers(); len(got) != 1 {
		t.Errorf("the layers are %v, want the one that was finished", got)
	}
	p = r.start(build...)
	p.await(`build +\$ `)
	r.end(p, syscall.SIGINT)
	if strings.Contains(p.text(), "$ mmdebstrap") {
		t.Errorf("it bootstraps again:\n%s", p.text())
	}
}
