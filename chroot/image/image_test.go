package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portolan/chroot"
)

func TestMain(m *testing.M) {
	chroot.Init()
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	os.Exit(m.Run())
}

func need(t testing.TB, programs map[string]string) {
	t.Helper()
	for program, pkg := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIP: no %s; install package %s", program, pkg)
		}
	}
}

// open makes an engine and a root of two layers: 200 files, an owner, a
// whiteout and a replaced file.
func open(t testing.TB) (tools chroot.Chroot, root []chroot.Layer) {
	return openWith(t, func(chroot.Line) {})
}

func openWith(t testing.TB, seen func(chroot.Line)) (tools chroot.Chroot, root []chroot.Layer) {
	t.Helper()
	dir := t.TempDir()
	e, err := chroot.Open(t.Context(), chroot.Config{Work: filepath.Join(dir, "work"), Log: func(l chroot.Line) {
		t.Logf("%s %s", l.Kind, l.Text)
		seen(l)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Remove(context.Background(), filepath.Join(e.Work(), "layers"), filepath.Join(e.Work(), "tmp"))
		e.Close()
	})
	layer := func(id string, parents []chroot.Layer, script string) chroot.Layer {
		l, err := e.CreateLayer(t.Context(), id, parents, func(tx *chroot.LayerTx) error {
			host := e.Host("fill")
			host.Binds = []chroot.Bind{{Source: tx.Dir, Target: "/tmp/r"}}
			return host.Run(t.Context(), chroot.Cmd{Dir: "/tmp/r", Argv: []string{"sh", "-euc", script}})
		})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	base := layer("base", nil, `mkdir -p etc home/u usr/bin
		echo old >etc/replaced; echo gone >etc/gone; echo mine >home/u/file
		chown -R 10000:10000 home/u; chmod 700 home/u
		printf x >usr/bin/tool; chmod 4755 usr/bin/tool; ln -s tool usr/bin/link
		i=0; while [ $i -lt 200 ]; do head -c 20000 /dev/urandom >usr/bin/f$i; i=$((i+1)); done
		find . -exec touch -h -d @1000000000 {} +`)
	top := layer("top", []chroot.Layer{base}, `mkdir etc; echo new >etc/replaced; mknod etc/gone c 0 0; find . -exec touch -h -d @1000000000 {} +`)
	return e.Host("image"), []chroot.Layer{base, top}
}

func debugfs(t *testing.T, image, request string) string {
	t.Helper()
	out, err := exec.Command("debugfs", "-R", request, image).CombinedOutput()
	if err != nil {
		t.Fatalf("debugfs %s: %v: %s", request, err, out)
	}
	return string(out)
}

func hash(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return string(h.Sum(nil))
}

func TestExt4(t *testing.T) {
	need(t, map[string]string{"mke2fs": "e2fsprogs", "debugfs": "e2fsprogs", "e2fsck": "e2fsprogs"})
	tools, root := open(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "root.img")
	opt := Ext4Options{Label: "root", UUID: "11111111-2222-3333-4444-555555555555"}
	size, err := Ext4(t.Context(), tools, root, out, opt)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(out)
	if err != nil || info.Size() != size || size%(1<<20) != 0 {
		t.Errorf("size %d, file %v, %v", size, info, err)
	}
	if msg, err := exec.Command("e2fsck", "-fn", out).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, msg)
	}
	if got := debugfs(t, out, "cat /etc/replaced"); !strings.HasSuffix(got, "new\n") {
		t.Errorf("replaced file: %q", got)
	}
	if got := debugfs(t, out, "stat /home/u/file"); !strings.Contains(got, "User: 10000   Group: 10000") {
		t.Errorf("owner: %s", got)
	}
	if got := debugfs(t, out, "stat /usr/bin/tool"); !strings.Contains(got, "Mode:  04755") || !strings.Contains(got, "User:     0") {
		t.Errorf("mode: %s", got)
	}
	if got := debugfs(t, out, "ls -p /etc"); strings.Contains(got, "gone") || !strings.Contains(got, "replaced") {
		t.Errorf("etc: %s", got)
	}
	if got := debugfs(t, out, "stats"); strings.Contains(got, "metadata_csum") || !strings.Contains(got, opt.UUID) {
		t.Errorf("features: %s", got)
	}
	again := filepath.Join(dir, "again.img")
	if _, err := Ext4(t.Context(), tools, root, again, opt); err != nil {
		t.Fatal(err)
	}
	if hash(t, out) != hash(t, again) {
		t.Error("the same content and UUID gave another image")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left beside the images: %v", entries)
	}
}

func TestExt4GivenSize(t *testing.T) {
	need(t, map[string]string{"mke2fs": "e2fsprogs"})
	tools, root := open(t)
	out := filepath.Join(t.TempDir(), "root.img")
	size, err := Ext4(t.Context(), tools, root, out, Ext4Options{Size: 48<<20 + 100})
	if err != nil || size != 48<<20 {
		t.Fatalf("size %d, %v", size, err)
	}
	was := hash(t, out)
	if _, err := Ext4(t.Context(), tools, root, out, Ext4Options{Size: 3 << 20}); err == nil || !strings.Contains(err.Error(), "do not fit") {
		t.Errorf("too small: %v", err)
	}
	if hash(t, out) != was {
		t.Error("a failure changed the old image")
	}
	for _, bad := range []Ext4Options{{UUID: "x"}, {Label: "a b"}, {Label: strings.Repeat("a", 17)}} {
		if _, err := Ext4(t.Context(), tools, root, out, bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestEncrypt(t *testing.T) {
	need(t, map[string]string{"mke2fs": "e2fsprogs", "cryptsetup": "cryptsetup-bin"})
	tools, root := open(t)
	out := filepath.Join(t.TempDir(), "root.img")
	size, err := Ext4(t.Context(), tools, root, out, Ext4Options{Size: 40 << 20})
	if err != nil {
		t.Fatal(err)
	}
	plain := hash(t, out)
	pass := []byte("open sesame")
	if err := Encrypt(t.Context(), tools, out, pass, LUKSOptions{Label: "root"}); err != nil {
		t.Fatal(err)
	}
	if string(pass) != "open sesame" {
		t.Error("the passphrase was changed")
	}
	if info, err := os.Stat(out); err != nil || info.Size() != size+luksHeader {
		t.Errorf("size %v, %v", info, err)
	}
	dump, err := exec.Command("cryptsetup", "luksDump", out).CombinedOutput()
	for _, want := range []string{"aes-xts-plain64", "argon2id", "Memory:     65536", "Time cost:  4", "Threads:    1", "sector: 512"} {
		if err != nil || !strings.Contains(string(dump), want) {
			t.Errorf("luksDump has no %q: %v\n%s", want, err, dump)
		}
	}
	if err := TestPassphrase(t.Context(), tools, out, pass); err != nil {
		t.Errorf("right passphrase: %v", err)
	}
	if err := TestPassphrase(t.Context(), tools, out, []byte("wrong")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	// cryptsetup itself decrypts it to the image that went in.
	dir := filepath.Dir(out)
	dec := tools
	dec.Binds = []chroot.Bind{{Source: dir, Target: inside}}
	if err := dec.Run(t.Context(), chroot.Cmd{
		Dir:   "/tmp",
		Argv:  []string{"cryptsetup", "reencrypt", "--decrypt", "--force-offline-reencrypt", "--batch-mode", "--header", inside + "/header", "--key-file", "-", inside + "/root.img"},
		Stdin: bytes.NewReader(pass),
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(out, size); err != nil {
		t.Fatal(err)
	}
	if hash(t, out) != plain {
		t.Error("decryption gave another image")
	}
}

func TestEncryptLeavesTheOldImage(t *testing.T) {
	need(t, map[string]string{"cryptsetup": "cryptsetup-bin"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tools, _ := openWith(t, func(l chroot.Line) {
		if l.Kind == chroot.LineCommand && strings.HasPrefix(l.Text, "cryptsetup reencrypt") {
			time.AfterFunc(100*time.Millisecond, cancel) // it takes many seconds with 100 passes
		}
	})
	dir := t.TempDir()
	out := filepath.Join(dir, "root.img")
	if err := os.WriteFile(out, bytes.Repeat([]byte("data"), 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	was := hash(t, out)
	err := Encrypt(ctx, tools, out, []byte("x"), LUKSOptions{Passes: 100})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for name, pass := range map[string]string{"empty": "", "line end": "a\nb"} {
		if err := Encrypt(t.Context(), tools, out, []byte(pass), LUKSOptions{}); err == nil {
			t.Errorf("%s passphrase was taken", name)
		}
	}
	if hash(t, out) != was {
		t.Error("the old image changed")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}

func TestFullDisk(t *testing.T) {
	o := &output{final: "/x/root.img", dir: t.TempDir()}
	err := o.explain(&chroot.ExitError{Argv: []string{"mke2fs"}, Code: 1, Tail: []string{"mke2fs: No space left on device while writing"}}, 5<<20)
	var full *chroot.NoSpaceError
	var exit *chroot.ExitError
	if !errors.As(err, &full) || full.Path != "/x" || full.Need != 5<<20 || !errors.As(err, &exit) {
		t.Errorf("error %v", err)
	}
	if err := o.explain(errors.New("other"), 1); errors.As(err, &full) {
		t.Errorf("error %v", err)
	}
	if err := chroot.NeedSpace(t.TempDir(), 1<<60); !errors.As(err, &full) {
		t.Errorf("error %v", err)
	}
}
