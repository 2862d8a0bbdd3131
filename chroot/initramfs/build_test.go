package initramfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/u-root/u-root/pkg/cpio"
	"golang.org/x/sys/unix"

	"portolan/chroot"
)

func TestMain(m *testing.M) {
	chroot.Init()
	os.Exit(m.Run())
}

// tree writes files; a value "-> X" makes a symlink, a name ending in / a folder.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, full)
		} else if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(full, 0o755)
		} else {
			err = os.WriteFile(full, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// unpack reads an archive back, name → record, contents read.
func unpack(t testing.TB, file string) (map[string]cpio.Record, map[string]string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(data)))
	if err != nil {
		t.Fatal(err)
	}
	byName, text := map[string]cpio.Record{}, map[string]string{}
	for _, r := range records {
		byName[r.Name] = r
		b := make([]byte, r.FileSize)
		if r.FileSize > 0 {
			if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
				t.Fatal(err)
			}
		}
		text[r.Name] = string(b)
	}
	return byName, text
}

func TestBuildFiles(t *testing.T) {
	root := tree(t, map[string]string{"bin/script": "#!/bin/interp -x\n", "usr/bin/interp": "not elf", "bin/interp": "-> ../usr/bin/interp"})
	out := filepath.Join(t.TempDir(), "initramfs.gz")
	spec := Spec{
		Files: []File{
			{Path: "init", Mode: 0o755, Data: []byte("#!/bin/script\n")},
			{Path: "/etc/deep/er/conf", Mode: 0o600, Data: []byte("conf")},
			{Path: "sbin/link", Mode: fs.ModeSymlink | 0o777, Data: []byte("/bin/script")},
		},
		Programs: []string{"/bin/script"},
	}
	result, err := Build(t.Context(), []string{root}, spec, out)
	if err != nil {
		t.Fatal(err)
	}
	records, text := unpack(t, out)
	if text["init"] != "#!/bin/script\n" || text["etc/deep/er/conf"] != "conf" || text["sbin/link"] != "/bin/script" || text["bin/interp"] != "not elf" {
		t.Errorf("contents %q", text)
	}
	for name, mode := range map[string]uint64{"init": 0o100755, "etc/deep/er/conf": 0o100600, "etc/deep": 0o40755, "sbin/link": 0o120777, "dev/console": 0o20600, "sysroot": 0o40755} {
		if r := records[name]; r.Mode != mode || r.UID != 0 || r.MTime != 0 {
			t.Errorf("%s: %v", name, r.Info)
		}
	}
	if result.Files != 5 || result.Size == 0 {
		t.Errorf("result %+v", result)
	}
	first, _ := os.ReadFile(out)
	if _, err := Build(t.Context(), []string{root}, spec, out); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(out); !bytes.Equal(first, second) {
		t.Error("the same input gave another archive")
	}
}

func TestBuildRefuses(t *testing.T) {
	root := tree(t, map[string]string{"bin/x": "x", "lib/modules/1/modules.dep": "", "lib/modules/2/": ""})
	for name, spec := range map[string]Spec{
		"climbing":         {Files: []File{{Path: "../x"}}},
		"no name":          {Files: []File{{Path: "/"}}},
		"twice":            {Files: []File{{Path: "a"}, {Path: "/a"}}},
		"below a file":     {Files: []File{{Path: "a"}, {Path: "a/b"}}},
		"no program":       {Programs: []string{"/bin/none"}},
		"relative program": {Programs: []string{"bin/x"}},
		"two kernels":      {Modules: []string{"m"}},
		"no module":        {Modules: []string{"m"}, Kernel: "1"},
		"bad version":      {Modules: []string{"m"}, Kernel: "../1"},
	} {
		dir := t.TempDir()
		if _, err := Build(t.Context(), []string{root}, spec, filepath.Join(dir, "out")); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
	var missing *MissingModulesError
	if _, err := Build(t.Context(), []string{root}, Spec{Modules: []string{"m"}, Kernel: "1"}, filepath.Join(t.TempDir(), "out")); !errors.As(err, &missing) || missing.Names[0] != "m" {
		t.Errorf("missing module: %v", err)
	}
}

func TestViewMergesLayers(t *testing.T) {
	low := tree(t, map[string]string{
		"etc/kept": "low", "etc/replaced": "low", "etc/gone": "low", "opaque/hidden": "low", "was/dir": "low",
		"abs": "-> /etc/kept", "up": "-> ../../../../etc/kept", "loop": "-> loop", "usr/lib/x": "lib", "lib": "-> usr/lib",
		"outside": "-> /etc/passwd",
	})
	top := tree(t, map[string]string{"etc/replaced": "top", "opaque/shown": "top", "was": "file", "usr/lib/y": "top lib"})
	if err := unix.Mknod(filepath.Join(top, "etc/gone"), unix.S_IFCHR, 0); err != nil {
		t.Logf("no whiteout in this test: %v", err) // needs a capability
		os.Remove(filepath.Join(low, "etc/gone"))
	}
	if err := unix.Setxattr(filepath.Join(top, "opaque"), "user.overlay.opaque", []byte("y"), 0); err != nil {
		t.Fatal(err)
	}
	v := view{dirs: []string{top, low}}
	for name, want := range map[string]string{
		"/etc/kept": "low", "/etc/replaced": "top", "/opaque/shown": "top", "/was": "file",
		"/abs": "low", "/up": "low", "/lib/x": "lib", "/lib/y": "top lib", "etc/../etc/./kept": "low", "/../etc/kept": "low",
	} {
		if got, err := v.readFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"/etc/gone", "/opaque/hidden", "/was/dir", "/loop", "/outside", "/etc", "/nothing"} {
		if got, err := v.readFile(name); err == nil {
			t.Errorf("%s: %q, no error", name, got)
		}
	}
	names, err := v.readDir("/lib")
	if d := cmp.Diff([]string{"x", "y"}, names); d != "" || err != nil {
		t.Error(d, err)
	}
	names, _ = v.readDir("/etc")
	if d := cmp.Diff([]string{"kept", "replaced"}, names); d != "" {
		t.Error(d)
	}
	names, _ = v.readDir("/opaque")
	if d := cmp.Diff([]string{"shown"}, names); d != "" {
		t.Error(d)
	}
}

// TestProgramsRun packs the host's cryptsetup, unpacks it with cpio and runs
// it there: every library must have come along.
func TestProgramsRun(t *testing.T) {
	program := "/sbin/cryptsetup"
	if _, err := os.Stat(program); err != nil {
		t.Skip("SKIP: no /sbin/cryptsetup; install package cryptsetup-bin")
	}
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("SKIP: no cpio; install package cpio")
	}
	e, err := chroot.Open(t.Context(), chroot.Config{Work: filepath.Join(t.TempDir(), "work"), Log: func(l chroot.Line) { t.Log(l.Text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	defer e.Remove(context.Background(), filepath.Join(e.Work(), "layers"), filepath.Join(e.Work(), "tmp"))
	dir := t.TempDir()
	out := filepath.Join(dir, "initramfs.gz")
	if _, err := Build(t.Context(), []string{"/"}, Spec{Programs: []string{program}}, out); err != nil {
		t.Fatal(err)
	}
	layer, err := e.CreateLayer(t.Context(), "initramfs", nil, func(tx *chroot.LayerTx) error {
		host := e.Host("unpack")
		host.Binds = []chroot.Bind{{Source: tx.Dir, Target: "/tmp/root"}, {Source: dir, Target: "/tmp/out", ReadOnly: true}}
		// Device nodes cannot be made without privilege; every chroot has its own.
		return host.Run(t.Context(), chroot.Cmd{Argv: []string{"sh", "-euc", "cd /tmp/root; zcat /tmp/out/initramfs.gz | cpio -idm --quiet -f 'dev/*'"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Chroot("initramfs", layer).Output(t.Context(), chroot.Cmd{Argv: []string{program, "--version"}})
	if err != nil || !strings.HasPrefix(string(got), "cryptsetup ") {
		t.Errorf("got %q, %v", got, err)
	}
}
