package templates

import (
	"bytes"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// TestLintFresh asserts that a fresh port breaks one rule only: the checksum
// of the tarball that nobody fetched yet.
func TestLintFresh(t *testing.T) {
	for _, m := range []Model{dinghy(), plain()} {
		files, err := Packages(m)
		if err != nil {
			t.Fatal(err)
		}
		found := Lint(files)
		if len(found) != 1 || found[0].Rule != RuleChecksum || !strings.Contains(found[0].What, "linux-"+KernelRelease+".tar.xz") {
			t.Errorf("findings on a fresh port: %v", found)
		}
	}
}

func TestLintRules(t *testing.T) {
	const (
		device = "postmarketos/device-portolan-dinghy/APKBUILD"
		info   = "postmarketos/device-portolan-dinghy/deviceinfo"
		kernel = "postmarketos/linux-portolan-dinghy/APKBUILD"
	)
	cases := []struct{ rule, file, old, new string }{
		{"maintainer", device, `maintainer="Jo Porter <jo@example.org>"`, `maintainer=""`},
		{"maintainer", device, `maintainer="Jo Porter <jo@example.org>"`, "# Maintainer: Jo\nmaintainer=\"Jo <jo@example.org>\""},
		{"maintainer", kernel, `maintainer="Jo Porter <jo@example.org>"`, ``},
		{"changeme", kernel, "https://kernel.org", "(CHANGEME!)"},
		{"archcheck", device, "!archcheck", ""},
		{"depends", device, "postmarketos-base\n", "\n"},
		{"kernel", device, "\tlinux-portolan-dinghy\n", ""},
		{"kernel", device, "\tlinux-portolan-dinghy\n", "\tlinux-portolan-dinghy linux-lts\n"},
		{"arch", device, `arch="aarch64"`, `arch="armv7"`},
		{"pkgname", device, "pkgname=device-portolan-dinghy", "pkgname=device-other"},
		{RuleChecksum, device, "  deviceinfo\n", "0  deviceinfo\n"},
		{RuleChecksum, info, `chassis="handset"`, `chassis="tablet"`},
		{"source", device, "\tdeviceinfo\n", "\tdeviceinfo nosuch.patch\n"},
		{"shell", device, "build() {", "build( {"},
		{"shell", device, "pkgver=1", "pkgver=$(date)"},
		{"modprobe.d", device, "package() {\n", "package() {\n\tmkdir -p \"$pkgdir\"/etc/modprobe.d\n"},
		{"nonfree", device, `license="MIT"`, "license=\"MIT\"\nsubpackages=\"$pkgname-nonfree-firmware\""},
		{"cross-native", kernel, "pmb:cross-native", ""},
		{"cross-compiler", kernel, "\tclang\n", "\tgcc-aarch64\n"},
		{"installkernel", kernel, "\tpostmarketos-installkernel\n", ""},
		{"llvm", kernel, "LLVM=1", ""},
		{"usr-merge", kernel, `INSTALL_MOD_PATH="$pkgdir"/usr`, `INSTALL_MOD_PATH="$pkgdir"`},
		{"syntax", info, `deviceinfo_year="2026"`, `deviceinfo_year=2026`},
		{"syntax", info, `deviceinfo_year="2026"`, `export deviceinfo_year="2026"`},
		{"mandatory", info, `deviceinfo_format_version="0"`, ``},
		{"obsolete", info, `deviceinfo_chassis=`, "deviceinfo_kernel_cmdline=\"quiet\"\ndeviceinfo_chassis="},
		{"obsolete", info, `deviceinfo_chassis=`, "deviceinfo_modules_initfs=\"evdev\"\ndeviceinfo_chassis="},
		{"name", info, `deviceinfo_name="Portolan Dinghy"`, `deviceinfo_name="Dinghy"`},
		{"year", info, `"2026"`, `"1977"`},
		{"codename", info, `"portolan-dinghy"`, `"dinghy"`},
		{"chassis", info, `"handset"`, `"phone"`},
		{"flash-method", info, `"fastboot"`, `"0xffff"`},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			files, err := Packages(dinghy())
			if err != nil {
				t.Fatal(err)
			}
			for i := range files {
				if files[i].Path == c.file {
					if !bytes.Contains(files[i].Data, []byte(c.old)) {
						t.Fatalf("%s has no %q", c.file, c.old)
					}
					files[i].Data = bytes.ReplaceAll(files[i].Data, []byte(c.old), []byte(c.new))
				}
			}
			for _, f := range Lint(files) {
				if f.Rule == c.rule && (f.Rule != RuleChecksum || f.File == device) {
					return
				}
			}
			t.Errorf("no finding %q after %q became %q: %v", c.rule, c.old, c.new, Lint(files))
		})
	}
}

func FuzzReadVariables(f *testing.F) {
	files, err := Packages(dinghy())
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file.Path, "APKBUILD") || strings.HasSuffix(file.Path, "deviceinfo") {
			f.Add(file.Data)
		}
	}
	f.Add([]byte("a=$b\nb=\"${a:-$(id)}\"\na+=x"))
	f.Add([]byte("a=${b:-{1..9}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		vars, err := readVariables("APKBUILD", data, syntax.LangBash)
		if err == nil {
			for _, entry := range strings.Fields(vars["source"].Value) {
				sourceName(entry)
			}
			sums(vars["sha512sums"].Value)
		}
	})
}
