package chroot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunSeesItsOwnRoot(t *testing.T) {
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	mounts := output(t, c, "cat /proc/self/mounts")
	if !strings.Contains(mounts, "overlay / overlay") || strings.Contains(mounts, e.Work()) {
		t.Errorf("mounts:\n%s", mounts)
	}
	for script, want := range map[string]string{
		"id -u":                        "0",
		"hostname":                     "portolan",
		"echo $(cat /proc/1/comm)":     helperName,
		"echo $(ls /)":                 "bin dev etc proc root run sys tmp",
		"echo x >/dev/null; echo $?":   "0",
		"head -c5 /dev/zero | wc -c":   "5",
		"cat /proc/1/environ | wc -c":  "0",
		"env | grep -c ^PATH=":         "1",
		"pwd":                          "/",
		"readlink /dev/ptmx":           "pts/ptmx",
		"mkdir /run/lock/x; ls /run":   "lock",
		"wc -l </proc/net/dev":         "3", // two of heading, and lo
		"ping -c1 127.0.0.1 | wc -l":   "6",
		"kill -0 1 && echo may":        "may",
		"echo $(stat -c %a:%u / /tmp)": "755:0 1777:0",
	} {
		if got := output(t, c, script); got != want {
			t.Errorf("%s: got %q, want %q", script, got, want)
		}
	}
}

func TestEnvironmentOfTheHostStaysOutside(t *testing.T) {
	t.Setenv("A_SECRET_OF_THE_HOST", "hunter2")
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	out, err := c.Output(t.Context(), Cmd{Argv: []string{"env"}, Env: []string{"GIVEN=1", "HOME=/elsewhere"}})
	if err != nil {
		t.Fatal(err)
	}
	if s := string(out); strings.Contains(s, "hunter2") || !strings.Contains(s, "GIVEN=1\n") || !strings.Contains(s, "HOME=/elsewhere\n") || strings.Contains(s, "HOME=/root") {
		t.Errorf("environment:\n%s", s)
	}
}

func TestExitError(t *testing.T) {
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	err := c.Run(t.Context(), sh("echo one; echo two >&2; exit 7"))
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 7 || strings.Join(exit.Tail, " ") != "one two" {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(err.Error(), "exit status 7: one | two") {
		t.Errorf("message %q", err)
	}
	err = c.Run(t.Context(), sh("kill -TERM $$"))
	if !errors.As(err, &exit) || exit.Signal != 15 || exit.Code != 143 {
		t.Errorf("ended by a signal: %v", err)
	}
	var setup *SetupError
	if err := c.Run(t.Context(), Cmd{Argv: []string{"no-such-program"}}); !errors.As(err, &setup) || !strings.Contains(err.Error(), "no such program") {
		t.Errorf("missing program: %v", err)
	}
	if err := c.Run(t.Context(), Cmd{Argv: []string{"true"}, Dir: "/nowhere"}); err == nil || !strings.Contains(err.Error(), "no folder /nowhere") {
		t.Errorf("missing folder: %v", err)
	}
	if err := c.Run(t.Context(), Cmd{Argv: []string{"true"}, User: "ghost"}); err == nil || !strings.Contains(err.Error(), "no user ghost") {
		t.Errorf("missing user: %v", err)
	}
}

func TestStdinAndUser(t *testing.T) {
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	var out bytes.Buffer
	cmd := sh("cat; id -u; id -g; id -G; echo $HOME; touch /tmp/mine; stat -c %u /tmp/mine")
	cmd.Stdin, cmd.Stdout, cmd.User = strings.NewReader("passphrase\n"), &out, "builder"
	if err := c.Run(t.Context(), cmd); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "passphrase\n12345\n100\n100 29\n/home\n12345\n" {
		t.Errorf("got %q", got)
	}
	cmd = sh("id -u")
	cmd.User, cmd.Stdout = "7:8", &out
	out.Reset()
	if err := c.Run(t.Context(), cmd); err != nil || out.String() != "7\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestCancelEndsWithinASecond(t *testing.T) {
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	ctx, cancel := context.WithCancel(t.Context())
	var ended time.Time
	cmd := sh("sleep 1000 & sleep 1000 & echo up; wait")
	cmd.Line = func(s string) {
		if s == "up" {
			ended = time.Now()
			cancel()
		}
	}
	err := c.Run(ctx, cmd)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if took := time.Since(ended); took > time.Second {
		t.Errorf("ended %s after the context", took)
	}
}

func TestDeadline(t *testing.T) {
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	cmd := sh("echo last words; sleep 1000")
	cmd.Deadline = time.Second
	var seen []string
	cmd.Line = func(s string) { seen = append(seen, s) }
	err := c.Run(t.Context(), cmd)
	var timeout *TimeoutError
	if !errors.As(err, &timeout) || len(timeout.Tail) != len(seen) || timeout.After != time.Second {
		t.Fatalf("error %v after %q", err, seen)
	}
}

func TestBackgroundProcessesEndWithTheCommand(t *testing.T) {
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	if err := c.Run(t.Context(), sh("(setsid sleep 1000 &) ; (sleep 1000 &)")); err != nil {
		t.Fatal(err)
	}
}

func TestThrowAwayIsThrownAway(t *testing.T) {
	e := openEngine(t)
	base := baseLayer(t, e)
	c := e.Chroot("test", base)
	if err := c.Run(t.Context(), sh("echo new >/etc/passwd; rm -r /root; mkdir -p /deep/er; chown 12345 /deep; chmod 0 /deep")); err != nil {
		t.Fatal(err)
	}
	if got := output(t, c, "wc -l </etc/passwd; ls -d /root"); got != "2\n/root" {
		t.Errorf("the next run sees %q", got)
	}
	entries, _ := os.ReadDir(filepath.Join(e.Work(), dirTmp))
	if len(entries) != 0 {
		t.Errorf("left in tmp: %v", entries)
	}
}

func TestBinds(t *testing.T) {
	e := openEngine(t)
	base := baseLayer(t, e)
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "in"), []byte("hello"), 0o644)
	// A symlink of the chroot may not lead a bind to the host.
	trap, err := e.CreateLayer(t.Context(), "trap", []Layer{base}, func(tx *LayerTx) error {
		return tx.Chroot.Run(t.Context(), sh("ln -s "+dir+" /trap"))
	})
	if err != nil {
		t.Fatal(err)
	}
	c := e.Chroot("test", base, trap)
	c.Binds = []Bind{
		{Source: dir, Target: "/rw"},
		{Source: dir, Target: "/ro", ReadOnly: true},
		{Source: filepath.Join(dir, "in"), Target: "/etc/one"},
		{Source: filepath.Join(dir, "missing"), Target: "/missing", Optional: true},
		{Layers: []Layer{base, trap}, Target: "/merged"},
		{Source: busybox(t), Target: "/trap/bb"},
	}
	got := output(t, c, "cat /rw/in /etc/one; echo out >/rw/out; echo no >/ro/no || echo refused; ls -d /merged/bin /merged/trap; ls /missing || true; echo x >/merged/x || echo refused")
	if got != "hellohellorefused\n/merged/bin\n/merged/trap\nrefused" {
		t.Errorf("got %q", got)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "out")); err != nil || string(b) != "out\n" {
		t.Errorf("out: %q %v", b, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "bb")); err == nil {
		t.Error("the bind went through a symlink to the host")
	}
	c.Binds = []Bind{{Source: dir + "/missing", Target: "/x"}}
	if err := c.Run(t.Context(), sh("true")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("missing source: %v", err)
	}
	c.Binds = []Bind{{Source: dir, Target: "relative"}}
	if err := c.Run(t.Context(), sh("true")); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("relative target: %v", err)
	}
}

func TestNetworkOnlyWhereWanted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("reached\n"))
			conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	script := "nc 127.0.0.1 " + port + " </dev/null || echo no"
	if got := output(t, c, script); got != "no" {
		t.Errorf("without network: %q", got)
	}
	c.Network = true
	if got := output(t, c, script); got != "reached" {
		t.Errorf("with network: %q", got)
	}
	if got := output(t, c, "ls -d /sys/class"); got != "/sys/class" {
		t.Errorf("with network: %q", got)
	}
	e.offline = true
	if got := output(t, c, script); got != "no" {
		t.Errorf("offline: %q", got)
	}
}

func TestResolvConfLeavesNothingInALayer(t *testing.T) {
	if _, err := os.Stat("/etc/resolv.conf"); err != nil {
		t.Skip("SKIP: this host has no /etc/resolv.conf")
	}
	e := openEngine(t)
	base := baseLayer(t, e)
	l, err := e.CreateLayer(t.Context(), "net", []Layer{base}, func(tx *LayerTx) error {
		tx.Chroot.Network = true
		return tx.Chroot.Run(t.Context(), sh("test -e /etc/resolv.conf && echo done >/etc/mark"))
	})
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(filepath.Join(l.Dir, "etc"))
	if len(entries) != 1 || entries[0].Name() != "mark" {
		t.Errorf("etc of the layer: %v", entries)
	}
	// As systemd-resolved does: a link to a file in /run that is not there yet.
	link, err := e.CreateLayer(t.Context(), "link", []Layer{base}, func(tx *LayerTx) error {
		return tx.Chroot.Run(t.Context(), sh("ln -s ../run/resolve/stub.conf /etc/resolv.conf"))
	})
	if err != nil {
		t.Fatal(err)
	}
	c := e.Chroot("test", base, link)
	c.Network = true
	want, _ := os.ReadFile("/etc/resolv.conf")
	if got := output(t, c, "cat /etc/resolv.conf"); got != strings.TrimSpace(string(want)) {
		t.Errorf("resolv.conf: %q", got)
	}
}

func TestHostRootIsReadOnly(t *testing.T) {
	e := openEngine(t)
	dir := t.TempDir()
	c := e.Host("host")
	c.Binds = []Bind{{Source: dir, Target: dir}}
	got := output(t, c, "id -u; touch /usr/portolan-was-here 2>/dev/null || echo refused; echo x >"+dir+"/x; chown 12:34 "+dir+"/x; stat -c %u:%g "+dir+"/x; echo $(ls /dev/shm /tmp | wc -l)")
	if !strings.HasPrefix(got, "0\nrefused\n12:34\n") {
		t.Errorf("got %q", got)
	}
	if err := e.Remove(t.Context(), dir+"/x"); err != nil {
		t.Error(err)
	}
	if err := e.Remove(t.Context(), "/"); err == nil {
		t.Error("removing / was not refused")
	}
}

// armExit42 is an arm64 program: mov x0, #42; mov x8, #93 (exit); svc #0.
func armExit42() []byte {
	var b bytes.Buffer
	b.WriteString("\x7fELF\x02\x01\x01")
	b.Write(make([]byte, 9))
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	put([]uint16{2, 183})
	put(uint32(1))
	put([]uint64{0x400078, 64, 0})
	put(uint32(0))
	put([]uint16{64, 56, 1, 0, 0, 0})
	put([]uint32{1, 5})
	put([]uint64{0, 0x400000, 0x400000, 132, 132, 0x1000})
	put([]uint32{0xd2800540, 0xd2800ba8, 0xd4000001})
	return b.Bytes()
}

func TestForeignProgram(t *testing.T) {
	if NativeArch() == "arm64" {
		t.Skip("SKIP: arm64 is not foreign here")
	}
	if len(findInterpreters(interpreterDirs())) == 0 {
		t.Skip("SKIP: no static qemu-user programs; install package qemu-user-static")
	}
	e := openEngine(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prog"), armExit42(), 0o755); err != nil {
		t.Fatal(err)
	}
	c := e.Chroot("test", baseLayer(t, e))
	c.Arch = "arm64"
	c.Binds = []Bind{{Source: dir, Target: "/foreign"}}
	err := c.Run(t.Context(), sh("/foreign/prog"))
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 42 {
		t.Fatalf("a foreign program: %v", err)
	}
	e.interps = nil
	c.Arch = "riscv64"
	if err := c.Run(t.Context(), sh("true")); !errors.Is(err, errNoBinfmt) && err != nil && !strings.Contains(err.Error(), "qemu-user-static") {
		t.Errorf("no interpreter: %v", err)
	}
}
