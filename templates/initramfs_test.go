package templates

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// TestApplets asserts that the list of applets is what the scripts run: all
// commands but functions, the shell's own words and programs beside busybox.
func TestApplets(t *testing.T) {
	known := strings.Fields("[ . break cd continue exec exit export read return trap wait : cryptsetup " +
		"/bin/busybox /bin/sh /usr/bin/unlock")
	files, err := Initramfs(dinghy())
	if err != nil {
		t.Fatal(err)
	}
	used, functions := map[string]string{}, map[string]bool{}
	for _, f := range files {
		if !isShell(f) {
			continue
		}
		file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(bytes.NewReader(f.Data), f.Path)
		if err != nil {
			t.Fatal(err)
		}
		syntax.Walk(file, func(node syntax.Node) bool {
			switch n := node.(type) {
			case *syntax.FuncDecl:
				functions[n.Name.Value] = true
			case *syntax.CallExpr:
				for len(n.Args) > 0 {
					name := n.Args[0].Lit()
					used[name] = f.Path
					if name != "exec" {
						break
					}
					n = &syntax.CallExpr{Args: n.Args[1:]}
				}
			}
			return true
		})
	}
	var applets []string
	for name, path := range used {
		if functions[name] || slices.Contains(known, name) {
			continue
		}
		applets = append(applets, name)
		if !slices.Contains(InitramfsApplets(), name) {
			t.Errorf("%s runs %q, which InitramfsApplets does not list", path, name)
		}
	}
	// Run by others: the kernel runs modprobe, telnetd's session is a shell,
	// and people on the debug shell look at messages.
	for _, name := range InitramfsApplets() {
		if !slices.Contains(applets, name) && !slices.Contains([]string{"cat", "dmesg", "sh"}, name) {
			t.Errorf("InitramfsApplets lists %q, which no script runs", name)
		}
	}
	if out, err := exec.Command("busybox", "--list").Output(); err != nil {
		t.Skip("SKIP: no busybox to compare its applets with: install package busybox-static")
	} else {
		for _, name := range InitramfsApplets() {
			if !slices.Contains(strings.Fields(string(out)), name) {
				t.Errorf("Debian's busybox-static has no %s", name)
			}
		}
	}
}

func TestInitramfsModules(t *testing.T) {
	archive := InitramfsModules(dinghy())
	for _, want := range append(PracticeModules(), "dm_crypt", "ext4", "crc32c_generic") {
		if !slices.Contains(archive, want) {
			t.Errorf("the archive's kernel lacks module %s in its initramfs", want)
		}
	}
	if slices.Index(archive, "virtio_blk") > slices.Index(archive, "dm_crypt") {
		t.Error("the port's own modules do not come first")
	}
	// What is compiled in needs no module; the port's own list is still honoured.
	if got := InitramfsModules(plain()); len(got) != 0 {
		t.Errorf("a compiled kernel wants modules %q", got)
	}
}

func TestCmdline(t *testing.T) {
	m := dinghy()
	m.Root = "PARTLABEL=userdata"
	want := []string{"console=tty0", "console=ttyAMA0,115200", "portolan.root=PARTLABEL=userdata", "portolan.debug-shell"}
	if got := m.Cmdline(); !slices.Equal(got, want) {
		t.Errorf("command line %q, want %q", got, want)
	}
	files, err := Packages(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Path, "kernel-cmdline.conf") && string(f.Data) != strings.Join(want, "\n")+"\n" {
			t.Errorf("%s:\n%s", f.Path, f.Data)
		}
	}
}

func TestDebianNames(t *testing.T) {
	m := dinghy()
	m.Codename = "a_b.c"
	if m.DevicePackage() != "device-portolan-a-b.c" || m.KernelPackage() != "linux-portolan-a-b.c" || m.KernelImage() != "/boot/vmlinuz-portolan-a_b.c" {
		t.Errorf("%s, %s, %s", m.DevicePackage(), m.KernelPackage(), m.KernelImage())
	}
}
