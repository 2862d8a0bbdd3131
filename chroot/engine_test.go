package chroot

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openEngine opens an engine on a new work folder.
func openEngine(t testing.TB) *Engine {
	t.Helper()
	e, err := Open(t.Context(), Config{Work: workFolder(t), Log: func(l Line) { t.Logf("%s %s %s", l.Chroot, l.Kind, l.Text) }})
	if err != nil {
		t.Fatalf("open the engine: %v", err)
	}
	t.Cleanup(func() {
		layers, _ := e.LayerList()
		for i := len(layers) - 1; i >= 0; i-- {
			e.RemoveLayer(context.Background(), layers[i].ID)
		}
		e.Remove(context.Background(), filepath.Join(e.work, dirTmp))
		e.Close()
	})
	return e
}

func workFolder(t testing.TB) string {
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o755)
	return filepath.Join(dir, "work, with: odd\\name")
}

// busybox finds a static busybox, of which the tests' root filesystem consists.
func busybox(t testing.TB) string {
	t.Helper()
	for _, file := range []string{"/bin/busybox", "/usr/bin/busybox"} {
		if isStatic(file) {
			return file
		}
	}
	t.Skip("SKIP: no static busybox; install package busybox-static")
	return ""
}

// baseLayer makes the layer "base": busybox with its links.
func baseLayer(t testing.TB, e *Engine) Layer {
	t.Helper()
	bb := busybox(t)
	l, err := e.CreateLayer(t.Context(), "base", nil, func(tx *LayerTx) error {
		for _, d := range []string{"bin", "etc", "root"} {
			if err := os.MkdirAll(filepath.Join(tx.Dir, d), 0o755); err != nil {
				return err
			}
		}
		if err := exec.Command("cp", bb, tx.Dir+"/bin/busybox").Run(); err != nil {
			return err
		}
		if err := os.WriteFile(tx.Dir+"/etc/passwd", []byte("root:x:0:0::/root:/bin/sh\nbuilder:x:12345:100::/home:/bin/sh\n"), 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(tx.Dir+"/etc/group", []byte("root:x:0:\nusers:x:100:\naudio:x:29:builder,other\n"), 0o644); err != nil {
			return err
		}
		return tx.Chroot.Run(t.Context(), Cmd{Argv: []string{"/bin/busybox", "--install", "-s", "/bin"}})
	})
	if err != nil {
		t.Fatalf("make the base layer: %v", err)
	}
	return l
}

func sh(script string) Cmd { return Cmd{Argv: []string{"sh", "-euc", script}, Deadline: time.Minute} }

func output(t testing.TB, c Chroot, script string) string {
	t.Helper()
	out, err := c.Output(t.Context(), sh(script))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return strings.TrimSpace(string(out))
}
