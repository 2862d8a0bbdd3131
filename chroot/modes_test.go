package chroot

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestWithoutUserNamespaces is root's way where user namespaces are closed.
func TestWithoutUserNamespaces(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: only root can do without user namespaces; run the tests with sudo as well")
	}
	e := openEngine(t)
	e.mode = ModeRootNoUserNS
	c := e.Chroot("test", baseLayer(t, e))
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if got := output(t, c, "id -u; hostname; echo new >/etc/passwd; cat /etc/passwd; ls -d /sys/class; wc -l </proc/net/dev"); got != "0\nportolan\nnew\n/sys/class\n3" {
		t.Errorf("got %q", got)
	}
	if after, _ := os.ReadFile("/proc/self/mountinfo"); string(after) != string(before) {
		t.Errorf("the host's mounts changed:\n%s", after)
	}
	cmd := sh("sleep 1000")
	cmd.Deadline = 200 * time.Millisecond
	var timeout *TimeoutError
	if err := c.Run(t.Context(), cmd); !errors.As(err, &timeout) {
		t.Errorf("deadline: %v", err)
	}
	c.Arch = "riscv64"
	if err := c.Run(t.Context(), sh("true")); err != nil && !errors.Is(err, errNoBinfmt) && !strings.Contains(err.Error(), "restart systemd-binfmt") {
		t.Errorf("foreign programs without the host's registration: %v", err)
	}
}

func TestTerminal(t *testing.T) {
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	done := make(chan error, 1)
	go func() {
		cmd := sh("test -t 0 && test -t 1 && echo a terminal; read line; echo got $line; exec 3</dev/tty && echo controlling")
		cmd.TTY = slave
		done <- c.Run(t.Context(), cmd)
		slave.Close()
	}()
	if _, err := master.WriteString("typed\n"); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	for !strings.Contains(seen.String(), "controlling") {
		buf := make([]byte, 256)
		n, err := master.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if err := <-done; err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	for _, want := range []string{"a terminal", "got typed", "controlling"} {
		if !strings.Contains(seen.String(), want) {
			t.Errorf("no %q in %q", want, seen.String())
		}
	}
}

func TestUpperIsSharedOneAtATime(t *testing.T) {
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	u, err := e.NewUpper("shared")
	if err != nil {
		t.Fatal(err)
	}
	c.Upper = u
	errs := make(chan error)
	for range 4 {
		go func() { errs <- c.Run(t.Context(), sh("mkdir /etc/alone; echo x >>/etc/count; rmdir /etc/alone")) }()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := output(t, c, "wc -l </etc/count"); got != "4" {
		t.Errorf("%s runs counted", got)
	}
}
