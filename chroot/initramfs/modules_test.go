package initramfs

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"compress/gzip"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

func compressed(t *testing.T, kind, text string) string {
	t.Helper()
	var b bytes.Buffer
	switch kind {
	case "gz":
		w := gzip.NewWriter(&b)
		w.Write([]byte(text))
		w.Close()
	case "xz":
		w, err := xz.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
		w.Close()
	case "zst":
		w, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
		w.Close()
	}
	return b.String()
}

func TestModules(t *testing.T) {
	const dir = "lib/modules/6.1.0-test/"
	root := tree(t, map[string]string{
		dir + "modules.dep": `kernel/dm-mod.ko.xz:
kernel/dm-crypt.ko.gz: kernel/dm-mod.ko.xz
kernel/xts.ko.zst:
kernel/unused.ko: kernel/dm-mod.ko.xz
kernel/virtio_pci.ko: kernel/virtio.ko
kernel/virtio.ko:
kernel/circle_a.ko:
kernel/circle_b.ko:
../escape.ko:
`,
		dir + "modules.alias":         "# comment\nalias crypto-xts xts\nalias crypto-none unused\nalias pci:v1AF4d* virtio_pci\nalias\n",
		dir + "modules.softdep":       "softdep dm_crypt pre: xts nowhere\nsoftdep circle_a post: circle-b\nsoftdep circle-b pre: circle_a\nsoftdep\n",
		dir + "modules.builtin":       "kernel/fs/ext4/ext4.ko\n",
		dir + "kernel/dm-mod.ko.xz":   compressed(t, "xz", "dm-mod"),
		dir + "kernel/dm-crypt.ko.gz": compressed(t, "gz", "dm-crypt"),
		dir + "kernel/xts.ko.zst":     compressed(t, "zst", "xts"),
		dir + "kernel/virtio_pci.ko":  "virtio_pci",
		dir + "kernel/virtio.ko":      "virtio",
		dir + "kernel/circle_a.ko":    "a",
		dir + "kernel/circle_b.ko":    "b",
	})
	out := filepath.Join(t.TempDir(), "out.gz")
	_, err := Build(t.Context(), []string{root}, Spec{Modules: []string{"dm-crypt", "ext4", "virtio-pci", "crypto_xts", "circle_a"}}, out)
	if err != nil {
		t.Fatal(err)
	}
	_, text := unpack(t, out)
	for name, want := range map[string]string{
		dir + "kernel/dm-mod.ko":   "dm-mod",
		dir + "kernel/dm-crypt.ko": "dm-crypt",
		dir + "kernel/xts.ko":      "xts",
		dir + "modules.dep":        "kernel/dm-mod.ko:\nkernel/xts.ko:\nkernel/dm-crypt.ko: kernel/dm-mod.ko\nkernel/virtio.ko:\nkernel/virtio_pci.ko: kernel/virtio.ko\nkernel/circle_b.ko:\nkernel/circle_a.ko:\n",
		dir + "modules.alias":      "alias crypto-xts xts\nalias pci:v1AF4d* virtio_pci\n",
		dir + "modules.builtin":    "kernel/fs/ext4/ext4.ko\n",
		LoadOrder[1:]:              strings.ReplaceAll("/Dkernel/dm-mod.ko\n/Dkernel/xts.ko\n/Dkernel/dm-crypt.ko\n/Dkernel/virtio.ko\n/Dkernel/virtio_pci.ko\n/Dkernel/circle_b.ko\n/Dkernel/circle_a.ko\n", "D", dir),
	} {
		if d := cmp.Diff(want, text[name]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if _, ok := text[dir+"kernel/unused.ko"]; ok {
		t.Error("a module that nobody wants was packed")
	}
}

func FuzzModuleIndex(f *testing.F) {
	f.Add("kernel/a.ko: kernel/b.ko\nkernel/b.ko:\n", "alias x a\n", "softdep a pre: b post: c\n", "a")
	f.Add("kernel/a.ko: kernel/a.ko\n", "alias a a\n", "softdep a pre: a\n", "a")
	f.Add("../../a.ko:\n/abs.ko:\n", "", "", "a")
	f.Fuzz(func(t *testing.T, dep, alias, soft, want string) {
		x := &moduleIndex{deps: map[string][]string{}, files: map[string]string{}, aliases: map[string][]string{}, soft: map[string][]string{}, builtin: map[string]bool{}}
		for text, line := range map[string]func(string){dep: x.depLine, alias: x.aliasLine, soft: x.softLine} {
			for _, l := range strings.Split(text, "\n") {
				line(l)
			}
		}
		order, _, err := x.resolve([]string{want})
		if err != nil {
			return
		}
		at := map[string]int{}
		for i, file := range order {
			if _, twice := at[file]; twice {
				t.Fatalf("%s twice", file)
			}
			if strings.HasPrefix(file, "/") || strings.Contains(file, "../") {
				t.Fatalf("%s leads outside", file)
			}
			at[file] = i
		}
	})
}

func FuzzParseELF(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Add([]byte("#!/bin/sh\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := parseELF(data)
		if err == nil {
			o.libraryDirs("/bin/x")
		}
		shebang(data)
	})
}
