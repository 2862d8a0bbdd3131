package sparse

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func tool(t testing.TB, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIP: %s is missing, so nobody judges our sparse images: install package android-sdk-libsparse-utils", name)
	}
	return p
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// TestSimg2imgExpandsOurs: whole and in pieces.
func TestSimg2imgExpandsOurs(t *testing.T) {
	simg := tool(t, "simg2img")
	dir := t.TempDir()
	want := mixed(6 << 20)
	for _, max := range []int64{1 << 30, 300000} {
		ps, err := Split(fromRaw(t, want), max)
		if err != nil {
			t.Fatal(err)
		}
		var args []string
		for i, p := range ps {
			name := filepath.Join(dir, fmt.Sprintf("%d-%03d", max, i))
			if err := os.WriteFile(name, encode(t, p), 0o644); err != nil {
				t.Fatal(err)
			}
			args = append(args, name)
		}
		out := filepath.Join(dir, "out")
		os.Remove(out)
		run(t, simg, append(args, out)...)
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("max %d: simg2img expands %d pieces to something else (%v)", max, len(ps), err)
		}
	}
}

// TestImg2simgAgrees: we expand img2simg's image, and of the same file we make
// one that is no longer than its.
func TestImg2simgAgrees(t *testing.T) {
	img := tool(t, "img2simg")
	dir := t.TempDir()
	want := mixed(6 << 20)
	in, out := filepath.Join(dir, "raw"), filepath.Join(dir, "sparse")
	if err := os.WriteFile(in, want, 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, img, in, out)
	theirs, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := old(len(want))
	if err := read(t, theirs).WriteRaw(got); err != nil || !bytes.Equal(got.b, want) {
		t.Errorf("img2simg's image expands to something else (%v)", err)
	}
	f, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := FromRaw(f, int64(len(want)))
	if err != nil {
		t.Fatal(err)
	}
	if n := m.Encoded().Size(); n > int64(len(theirs)) {
		t.Errorf("ours has %d bytes, img2simg's %d", n, len(theirs))
	}
	// From file to file, where the kernel copies.
	ours, err := os.Create(filepath.Join(dir, "ours"))
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	if _, err := m.Encoded().WriteTo(ours); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(ours.Name())
	if !bytes.Equal(b, encode(t, m.Encoded())) {
		t.Error("written from file to file it differs")
	}
	back, err := os.Create(filepath.Join(dir, "back"))
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	m2, err := NewReader(ours, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := m2.WriteFile(back); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(back.Name()); !bytes.Equal(b, want) {
		t.Error("expanded from file to file it differs")
	}
}
