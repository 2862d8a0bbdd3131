package templates

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// dinghy is a model with every optional part.
func dinghy() Model {
	return Model{
		Vendor: "portolan", Codename: "dinghy",
		Name: "Portolan Dinghy", Manufacturer: "Portolan",
		Year: 2026, Arch: "aarch64", Chassis: "handset",
		ScreenWidth: 720, ScreenHeight: 1280,
		Flash: Flash{Method: "fastboot", Kernel: "boot", Rootfs: "userdata", Sparse: true},
		BootImage: BootImage{
			Generate: true, PageSize: 2048, Base: 0x40000000, KernelOffset: 0x80000,
			RamdiskOffset: 0x8000000, SecondOffset: 0xf00000, TagsOffset: 0x100,
		},
		Kernel: Kernel{
			Kind: KernelArchive, Series: "6.1", Release: KernelRelease, Suite: "bookworm",
			Cmdline: []string{"console=tty0", "console=ttyAMA0,115200"},
		},
		Modules:    PracticeModules(),
		Touch:      []Touch{{Device: "QEMU Virtio Tablet", Matrix: [6]float64{0, -1, 1, 1, 0, 0}, Comment: "rotated 90°"}},
		Extra:      []Variable{{"usb_idVendor", "0x18d1"}},
		Maintainer: Person{"Jo Porter", "jo@example.org"},
		User:       "user", DebugShell: true,
	}
}

// plain is a model with no optional part, and a compiled kernel.
func plain() Model {
	m := dinghy()
	m.ScreenWidth, m.ScreenHeight = 0, 0
	m.Flash = Flash{Method: "none"}
	m.BootImage = BootImage{}
	m.Kernel.Kind, m.Kernel.Cmdline = KernelSource, nil
	m.Modules, m.Touch, m.Extra, m.DebugShell = nil, nil, nil, false
	return m
}

func TestGolden(t *testing.T) {
	for name, m := range map[string]Model{"dinghy": dinghy(), "plain": plain()} {
		t.Run(name, func(t *testing.T) {
			packages, err := Packages(m)
			if err != nil {
				t.Fatal(err)
			}
			initramfs, err := Initramfs(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range initramfs {
				f.Path = "initramfs/" + f.Path
				packages = append(packages, f)
			}
			golden := filepath.Join("testdata", "golden", name)
			if *update {
				if err := os.RemoveAll(golden); err != nil {
					t.Fatal(err)
				}
				write(t, golden, packages)
			}
			var paths []string
			for _, f := range packages {
				paths = append(paths, f.Path)
				want, err := os.ReadFile(filepath.Join(golden, f.Path))
				if err != nil {
					t.Errorf("%v (run the test with -update)", err)
				}
				if diff := cmp.Diff(string(want), string(f.Data)); diff != "" {
					t.Errorf("%s differs from its golden file (-want +got):\n%s", f.Path, diff)
				}
			}
			if kept := list(t, golden); !slices.Equal(kept, slices.Sorted(slices.Values(paths))) {
				t.Errorf("golden files %q\nrendered files %q", kept, paths)
			}
		})
	}
}

// write puts files below dir.
func write(t *testing.T, dir string, files []File) {
	t.Helper()
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, f.Mode); err != nil {
			t.Fatal(err)
		}
	}
}

// list returns the regular files below dir, sorted.
func list(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		paths = append(paths, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}
