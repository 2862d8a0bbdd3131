package chroot

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killedEngine is the environment variable that makes TestMain run a tree of
// processes in a chroot until it is killed.
const killedEngine = "PORTOLAN_TEST_KILLED_ENGINE"

// runUntilKilled prints "up" when everything runs.
func runUntilKilled(work string) error {
	e, err := Open(context.Background(), Config{Work: work})
	if err != nil {
		return err
	}
	base, err := e.Layer("base")
	if err != nil {
		return err
	}
	mark := fmt.Sprintf("1000%d", os.Getpid())
	up := make(chan string, 8)
	for i := range 2 {
		go func() {
			cmd := sh(fmt.Sprintf("for i in 1 2 3; do setsid sleep %s & done; (trap '' TERM HUP INT; sleep %s) & echo up; wait", mark, mark))
			cmd.Line = func(s string) { up <- s }
			fmt.Println(i, e.Chroot("killed", base).Run(context.Background(), cmd))
		}()
	}
	<-up
	<-up
	fmt.Println("up", mark)
	select {}
}

func TestKillLeavesNothing(t *testing.T) {
	e := openEngine(t)
	baseLayer(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), killedEngine+"="+e.Work())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "up ") {
		cmd.Process.Kill()
		t.Fatalf("the engine to be killed said %q, %v", line, err)
	}
	mark := strings.TrimSpace(strings.TrimPrefix(line, "up "))
	// In each of two chroots: pid 1 and four times sleep.
	before := traces(mark, e.Work())
	for began := time.Now(); len(before) < 10 && time.Since(began) < 10*time.Second; before = traces(mark, e.Work()) {
		time.Sleep(5 * time.Millisecond)
	}
	if len(before) < 10 {
		t.Fatalf("before the kill only %v", before)
	}
	cmd.Process.Signal(syscall.SIGKILL)
	killed := time.Now()
	cmd.Wait()
	left := traces(mark, e.Work())
	for ; len(left) > 0 && time.Since(killed) < 10*time.Second; left = traces(mark, e.Work()) {
		time.Sleep(5 * time.Millisecond)
	}
	if took := time.Since(killed); len(left) > 0 || took > time.Second {
		t.Errorf("%s after the kill: %v", took, left)
	} else {
		t.Logf("nothing left %s after the kill", took)
	}

	// The next engine gets the folder and sweeps the throw-away roots.
	again, err := Open(t.Context(), Config{Work: e.Work()})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if entries, _ := os.ReadDir(filepath.Join(again.Work(), dirTmp)); len(entries) != 0 {
		t.Errorf("not swept: %v", entries)
	}
	if got := output(t, again.Chroot("again", mustLayer(t, again, "base")), "echo fine"); got != "fine" {
		t.Errorf("after the kill: %q", got)
	}
	again.RemoveLayer(t.Context(), "base")
}

func mustLayer(t testing.TB, e *Engine, id string) Layer {
	t.Helper()
	l, err := e.Layer(id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// traces lists processes of the killed tree, and processes (this one too) in
// whose mount namespace the work folder is mounted on.
func traces(mark, work string) []string {
	var found []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		argv, _ := os.ReadFile(p + "/cmdline")
		if strings.Contains(string(argv), "sleep\x00"+mark) || strings.HasPrefix(string(argv), helperName+"\x00") && strings.HasSuffix(string(argv), "\x00killed\x00") {
			found = append(found, p+" "+strings.ReplaceAll(string(argv), "\x00", " "))
			continue
		}
		mounts, _ := os.ReadFile(p + "/mountinfo")
		if strings.Contains(string(mounts), filepath.Dir(work)+"/") {
			found = append(found, p+" has mounts")
		}
	}
	return found
}

func TestLocked(t *testing.T) {
	e := openEngine(t)
	_, err := Open(t.Context(), Config{Work: e.Work()})
	locked, ok := err.(*LockedError)
	if !ok || locked.PID != os.Getpid() || locked.Work != e.Work() {
		t.Fatalf("second Open: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), Config{Work: e.Work()})
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	again.Close()
}
