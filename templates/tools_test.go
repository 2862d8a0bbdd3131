package templates

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// need returns nothing if all programs are there, else it skips loudly.
func need(t *testing.T, programs map[string]string) {
	t.Helper()
	for program, pkg := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIP: no program %s: install package %s", program, pkg)
		}
	}
}

// command runs a program in dir and returns what it printed.
func command(t *testing.T, dir string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestShellcheck(t *testing.T) {
	need(t, map[string]string{"shellcheck": "shellcheck", "dash": "dash"})
	for _, m := range []Model{dinghy(), plain()} {
		files, err := Packages(m)
		if err != nil {
			t.Fatal(err)
		}
		initramfs, err := Initramfs(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range append(files, initramfs...) {
			var args []string
			switch base := filepath.Base(f.Path); {
			case base == "APKBUILD":
				// Variables are read and set by abuild; its own files leave $startdir bare.
				args = []string{"--shell=bash", "--severity=warning", "--exclude=SC2034,SC2154", "-"}
			case base == "deviceinfo":
				args = []string{"--shell=dash", "--exclude=SC2034", "-"}
			case isShell(f):
				// Included files are not where they will be on the phone, and
				// variables are shared between them.
				args = []string{"--exclude=SC1091,SC2034", "-"}
			default:
				continue
			}
			if base := filepath.Base(f.Path); base != "APKBUILD" {
				cmd := exec.Command("dash", "-n")
				cmd.Stdin = bytes.NewReader(f.Data)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("dash does not read %s: %s", f.Path, out)
				}
			}
			cmd := exec.Command("shellcheck", args...)
			cmd.Stdin = bytes.NewReader(f.Data)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("shellcheck of %s: %v\n%s", f.Path, err, out)
			}
		}
	}
}

// rulesWithOddName renders rules for a device whose name is full of characters
// that mean something to udev.
func rulesWithOddName(t *testing.T) []File {
	t.Helper()
	m := dinghy()
	m.Touch[0].Device = `a"b\c*d[e]|$f%g`
	files, err := Packages(m)
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f File) bool { return !strings.HasSuffix(f.Path, ".rules") })
	if len(files) != 2 {
		t.Fatalf("%d files of rules, want one in each tree", len(files))
	}
	return files
}

func TestUdevName(t *testing.T) {
	for _, f := range rulesWithOddName(t) {
		if !bytes.Contains(f.Data, []byte(`ATTRS{name}=="a?b?c?d?e??$f%g",`)) {
			t.Errorf("%s: the device name is not matched safely:\n%s", f.Path, f.Data)
		}
	}
}

// TestUdevVerify lets udev's own parser judge the rules.
func TestUdevVerify(t *testing.T) {
	if out, err := exec.Command("udevadm", "verify", "--help").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("verify")) {
		t.Skip("SKIP: no udevadm that knows verify (254 or later) to judge the rules: install package udev of Debian 13")
	}
	dir := t.TempDir()
	files := rulesWithOddName(t)
	write(t, dir, files)
	for _, f := range files {
		if out, err := command(t, dir, nil, "udevadm", "verify", f.Path); err != nil {
			t.Errorf("udevadm verify %s: %v\n%s", f.Path, err, out)
		}
	}
}

var builders = map[string]string{"dpkg-buildpackage": "dpkg-dev", "dh": "debhelper", "modprobe": "kmod", "make": "make", "gcc": "gcc"}

// build writes the port and builds one of its Debian packages; it returns the
// folder with the results.
func build(t *testing.T, m Model, name string, env ...string) (dir, log string, err error) {
	t.Helper()
	files, err := Packages(m)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	write(t, dir, files)
	// The build dependencies are the toolbox's business; what is used is needed above.
	log, err = command(t, filepath.Join(dir, "debian", name), env, "dpkg-buildpackage", "-aarm64", "-b", "-us", "-uc", "-d")
	return filepath.Join(dir, "debian"), log, err
}

// contents lists the paths in the one .deb below dir.
func contents(t *testing.T, dir string) []string {
	t.Helper()
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("packages built: %q (%v)", debs, err)
	}
	out, err := command(t, dir, nil, "sh", "-c", "dpkg-deb --fsys-tarfile "+debs[0]+" | tar -t")
	if err != nil {
		t.Fatal(err, out)
	}
	return strings.Fields(out)
}

func TestBuildDevice(t *testing.T) {
	need(t, builders)
	dir, log, err := build(t, dinghy(), "device-portolan-dinghy")
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	got := contents(t, dir)
	for _, want := range []string{
		"./usr/share/deviceinfo/deviceinfo", "./usr/share/portolan/kernel-cmdline.conf", "./usr/share/portolan/modules-initfs",
		"./usr/lib/udev/rules.d/90-device-portolan-dinghy.rules", "./usr/lib/systemd/network/70-portolan-usb.network",
		"./usr/lib/systemd/network/70-portolan-usb.link",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("the package lacks %s: %q", want, got)
		}
	}
}

// module compiles an object that depmod takes for a kernel module: the symbol
// it offers and the one it uses make the dependency.
func module(t *testing.T, dir, name, offers, uses string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	source := `char info[] __attribute__((section(".modinfo"))) = "license=GPL";` + "\n"
	if offers != "" {
		source += `char names[] __attribute__((section("__ksymtab_strings"))) = "` + offers + `";` + "\n"
	}
	if uses != "" {
		source += "extern int " + uses + "(void); int use(void) { return " + uses + "(); }\n"
	}
	cmd := exec.Command("gcc", "-c", "-x", "c", "-o", path, "-")
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile a module: %v\n%s", err, out)
	}
}

// kernelDeb makes a package that looks like the archive's linux-image: a
// kernel, module "wanted" that needs "below", and module "other".
func kernelDeb(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	modules := filepath.Join(root, "lib/modules/6.1.0-9-arm64")
	module(t, modules, "kernel/a/below.ko", "below_symbol", "")
	module(t, modules, "kernel/b/wanted.ko", "", "below_symbol")
	module(t, modules, "kernel/b/other.ko", "", "")
	write(t, root, []File{
		{"DEBIAN/control", 0o644, []byte("Package: linux-image-6.1.0-9-arm64\nVersion: 1\nArchitecture: arm64\nMaintainer: x <x@example.org>\nDescription: x\n")},
		{"boot/vmlinuz-6.1.0-9-arm64", 0o644, []byte("kernel")},
		{"boot/config-6.1.0-9-arm64", 0o644, []byte("CONFIG_X=y\n")},
		{"lib/modules/6.1.0-9-arm64/modules.order", 0o644, nil},
		{"lib/modules/6.1.0-9-arm64/modules.builtin", 0o644, []byte("kernel/c/built.ko\n")},
		{"lib/modules/6.1.0-9-arm64/modules.builtin.modinfo", 0o644, nil},
	})
	deb := filepath.Join(t.TempDir(), "kernel.deb")
	if out, err := command(t, root, nil, "dpkg-deb", "--root-owner-group", "-b", root, deb); err != nil {
		t.Fatal(err, out)
	}
	return deb
}

func TestBuildArchiveKernel(t *testing.T) {
	need(t, builders)
	deb := kernelDeb(t)
	m := dinghy()
	m.Modules = []string{"wanted", "built"}
	dir, log, err := build(t, m, "linux-portolan-dinghy", "KERNEL_DEB="+deb)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	const modules = "./lib/modules/6.1.0-9-arm64/"
	got := contents(t, dir)
	for _, want := range []string{"./boot/vmlinuz-portolan-dinghy", "./boot/config-portolan-dinghy", modules + "kernel/b/wanted.ko", modules + "kernel/a/below.ko", modules + "modules.dep", modules + "modules.builtin"} {
		if !slices.Contains(got, want) {
			t.Errorf("the package lacks %s: %q", want, got)
		}
	}
	if slices.Contains(got, modules+"kernel/b/other.ko") {
		t.Errorf("the package has a module that nobody asked for")
	}

	m.Modules = []string{"nosuch"}
	if _, log, err := build(t, m, "linux-portolan-dinghy", "KERNEL_DEB="+deb); err == nil || !strings.Contains(log, "has no module nosuch") {
		t.Errorf("a missing module does not stop the build with a reason: %v\n%s", err, log)
	}
	if _, log, err := build(t, m, "linux-portolan-dinghy", "KERNEL_DEB=/nonexistent.deb"); err == nil || !strings.Contains(log, "cannot read the kernel package /nonexistent.deb") {
		t.Errorf("a missing kernel package does not stop the build with a reason: %v\n%s", err, log)
	}
}

// TestBuildSourceKernel compiles a kernel when it is told where a source is,
// because that takes minutes: once cold and once with nothing changed.
func TestBuildSourceKernel(t *testing.T) {
	need(t, builders)
	need(t, map[string]string{"aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu", "flex": "flex", "bison": "bison", "bc": "bc"})
	source := os.Getenv("PORTOLAN_KERNEL_SOURCE")
	if source == "" {
		t.Skip("SKIP: PORTOLAN_KERNEL_SOURCE names no kernel source: install package linux-source-6.1 and set it to /usr/src/linux-source-6.1.tar.xz")
	}
	env := []string{"KERNEL_SOURCE=" + source, "KERNEL_BUILD=" + t.TempDir()}
	m := dinghy()
	m.Kernel.Kind = KernelSource
	for _, want := range []int{KernelObjects, 0} {
		dir, log, err := build(t, m, "linux-portolan-dinghy", env...)
		if err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		objects := 0
		for line := range strings.Lines(log) {
			if KernelObject(line) {
				objects++
			}
		}
		// Point releases of the series add and drop an object now and then.
		if objects > want+20 || objects < want-20 {
			t.Errorf("%d objects were compiled, and %d were expected", objects, want)
		}
		if got := contents(t, dir); !slices.Contains(got, "./boot/vmlinuz-portolan-dinghy") {
			t.Errorf("the package has no kernel: %q", got)
		}
	}
}
