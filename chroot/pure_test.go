package chroot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func describe(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%s", s.Op)
		for _, f := range []string{s.Name, s.Source, s.Target, s.FS, s.Data} {
			if f != "" {
				fmt.Fprintf(&b, " %s", f)
			}
		}
		if s.ReadOnly {
			b.WriteString(" (ro)")
		}
		if s.Optional {
			b.WriteString(" (optional)")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestPlan(t *testing.T) {
	base := spec{Name: "t", Mnt: "/w/mnt", Lower: []string{"/w/layers/a/root", "/w/layers/b/root"}, Upper: "/w/tmp/run", Volatile: true}
	cases := map[string]spec{}
	cases["layers"] = base
	net := base
	net.Network, net.Binfmt = true, []interpreter{{Arch: "arm64"}}
	net.Binds = []bindSpec{{Source: "/cache", Target: "/var/cache"}, {Lower: []string{"/1", "/2"}, Target: "/root-of-image"}}
	net.Tmpfs = []string{"/build"}
	cases["network"] = net
	cases["host"] = spec{Name: "h", Mnt: "/w/mnt", Host: true}
	cases["first"] = spec{Name: "f", Mnt: "/w/mnt", Upper: "/w/tmp/layer"}
	for name, s := range cases {
		t.Run(name, func(t *testing.T) {
			steps, err := plan(s)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(steps)
			file := filepath.Join("testdata", "plan", name+".txt")
			if os.Getenv("UPDATE") != "" {
				os.MkdirAll(filepath.Dir(file), 0o755)
				os.WriteFile(file, []byte(got), 0o644)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("plan changed (UPDATE=1 writes it anew):\n%s", d)
			}
		})
	}
	// Nothing of the host may be looked up by path once the root has changed.
	for name, s := range cases {
		steps, _ := plan(s)
		left := false
		for _, st := range steps {
			if left && st.Op == opTake {
				t.Errorf("%s: takes %s after the root has changed", name, st.Source)
			}
			left = left || st.Op == opPivot
		}
		if !left {
			t.Errorf("%s: the root never changes", name)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for name, s := range map[string]spec{
		"no mount folder": {Host: true},
		"no root":         {Mnt: "/m"},
		"relative bind":   {Mnt: "/m", Host: true, Binds: []bindSpec{{Source: "/a", Target: "a"}}},
		"bind on root":    {Mnt: "/m", Host: true, Binds: []bindSpec{{Source: "/a", Target: "/a/.."}}},
		"many layers":     {Mnt: "/m", Lower: make([]string, 101)},
	} {
		if _, err := plan(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRegistration(t *testing.T) {
	// As /usr/lib/binfmt.d/qemu-aarch64.conf of Debian's qemu-user-static, but for flags and program.
	got := interpreter{Arch: "arm64", Name: "aarch64", Program: "/usr/bin/qemu-aarch64-static", Machine: 183, Bits: 64}.registration()
	want := `:qemu-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:OCF`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	entry := "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\nmagic 7f454c460201010000000000000000000200b700\nmask ffff\n"
	for text, want := range map[string]bool{
		entry: true,
		strings.Replace(entry, "enabled", "disabled", 1): false,
		strings.Replace(entry, "OCF", "OC", 1):           false,
		strings.Replace(entry, "b700", "2800", 1):        false,
		"": false,
	} {
		if got := binfmtEntryRuns(text, "b700"); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestSubids(t *testing.T) {
	file := "# comment\nother:1:2\nporter:100000:30000\n1001:200000:65536\nporter:0:5\nporter:x:5\nporter:1\n"
	sub := parseSubids(strings.NewReader(file), "porter", "1001")
	got := rootless(1001, sub)
	want := []idRange{{0, 1001, 1}, {1, 100000, 30000}, {30001, 200000, 35535}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestEnviron(t *testing.T) {
	env := account{name: "b", home: "/h"}.environ([]string{"PATH=/x", "A=1", "A=2"})
	if got := strings.Join(env, " "); got != "HOME=/h USER=b LOGNAME=b SHELL=/bin/sh LANG=C.UTF-8 TERM=dumb PATH=/x A=2" {
		t.Errorf("got %s", got)
	}
}

func TestKernelAtLeast(t *testing.T) {
	for release, want := range map[string]bool{"6.7.0": true, "6.18.44-fc": true, "6.6.99": false, "5.10.0-18-amd64": false, "10.0": true, "": false, "x": false} {
		if got := kernelAtLeast(release, 6, 7); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
}

func TestNamespaceFix(t *testing.T) {
	for file, value := range map[string]string{
		"/proc/sys/kernel/unprivileged_userns_clone":             "0",
		"/proc/sys/user/max_user_namespaces":                     "0",
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
	} {
		fix := namespaceFix(func(f string) string {
			if f == file {
				return value
			}
			return ""
		})
		if !strings.Contains(fix, filepath.Base(file)) {
			t.Errorf("%s=%s: %s", file, value, fix)
		}
	}
}

func TestLines(t *testing.T) {
	var got []string
	w := newLineWriter(func(s string) { got = append(got, s) })
	for _, piece := range []string{"a", "b\nc\r\n", "10%\r20%\r\n", "\n", "bad \xff\n", strings.Repeat("x", maxLine+3), "\nend"} {
		if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	w.flush()
	want := []string{"ab", "c", "20%", "", "bad \uFFFD", strings.Repeat("x", maxLine), "xxx", "end"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for i := range 1000 {
		fmt.Fprintf(w, "%d\n", i)
	}
	if tail := w.tail(); len(tail) != tailSize || tail[tailSize-1] != "999" || tail[0] != "960" {
		t.Errorf("tail %v", tail)
	}
}

func TestParsePasswd(t *testing.T) {
	file := "bad\nroot:x:0:0:root:/root:/bin/sh\nu:x:70000:5:U:/home/u:/bin/sh\nn:x:no:5::/:\n"
	a, err := parsePasswd(strings.NewReader(file), "u")
	if err != nil || a.uid != 70000 || a.gid != 5 || a.home != "/home/u" {
		t.Errorf("%+v %v", a, err)
	}
	for _, name := range []string{"n", "ghost", "bad"} {
		if _, err := parsePasswd(strings.NewReader(file), name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCapabilities(t *testing.T) {
	e := openEngine(t)
	before, _ := os.ReadDir(filepath.Join(e.Work(), dirTmp))
	seen := map[string]Capability{}
	for _, c := range e.Capabilities(t.Context()) {
		t.Logf("%+v", c)
		seen[c.Name] = c
		if c.OK == (c.Fix != "") {
			t.Errorf("%s: ok %v with fix %q", c.Name, c.OK, c.Fix)
		}
	}
	for _, name := range []string{"kernel", "user namespaces", "overlayfs", "free space"} {
		if c, ok := seen[name]; !ok || (!c.OK && name != "free space") {
			t.Errorf("%s: %+v, though the engine runs", name, c)
		}
	}
	after, _ := os.ReadDir(filepath.Join(e.Work(), dirTmp))
	if len(after) != len(before) {
		t.Errorf("left in tmp: %v", after)
	}
}

func TestLogFile(t *testing.T) {
	work := workFolder(t)
	os.MkdirAll(filepath.Join(work, dirLogs), 0o755)
	for i := range keepLogs + 3 {
		os.WriteFile(filepath.Join(work, dirLogs, fmt.Sprintf("engine-20000101-%06d-1.log", i)), nil, 0o644)
	}
	l := newRunLog(filepath.Join(work, dirLogs), nil)
	l.command("c", []string{"echo", "a b"})
	l.output("c", "out")
	l.result("c", []string{"echo"}, 1, 3, nil)
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.path())
	if err != nil || !strings.Contains(string(text), "c $ echo 'a b'\n") || !strings.Contains(string(text), " out\n") || !strings.Contains(string(text), "exit status 3") {
		t.Errorf("log %q, %v", text, err)
	}
	if names, _ := os.ReadDir(filepath.Join(work, dirLogs)); len(names) != keepLogs {
		t.Errorf("%d logs are kept", len(names))
	}
}

func TestNoNamespacesIsNoFullDisk(t *testing.T) {
	var err error = &SetupError{Chroot: "probe", Err: &NamespaceError{Err: fmt.Errorf("create namespaces: %w", syscall.ENOSPC)}}
	if errors.Is(err, syscall.ENOSPC) {
		t.Error("a host without user namespaces looks like a full disk")
	}
	var code interface{ ExitCode() int }
	if !errors.As(err, &code) || code.ExitCode() != 3 {
		t.Errorf("%v has no exit code of a lacking host", err)
	}
}
