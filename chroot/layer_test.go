package chroot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestLayerIsWholeOrNotThere(t *testing.T) {
	e := openEngine(t)
	base := baseLayer(t, e)
	boom := errors.New("boom")
	_, err := e.CreateLayer(t.Context(), "top", []Layer{base}, func(tx *LayerTx) error {
		if err := tx.Chroot.Run(t.Context(), sh("mkdir -p /srv/x; chown 12345 /srv/x; chmod 700 /srv/x")); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("error %v", err)
	}
	if _, err := e.Layer("top"); !errors.Is(err, ErrNoLayer) {
		t.Fatalf("a failed layer: %v", err)
	}
	e.trash.Wait()
	if entries, _ := os.ReadDir(filepath.Join(e.Work(), dirTmp)); len(entries) != 0 {
		t.Errorf("a failed layer left %v", entries)
	}

	top, err := e.CreateLayer(t.Context(), "top", []Layer{base}, func(tx *LayerTx) error {
		// Two runs: what the first wrote is there in the second.
		if err := tx.Chroot.Run(t.Context(), sh("mkdir -p /srv/x; chown 12345 /srv/x; rm /etc/group; rm -r /root; mkdir /root; touch /root/new")); err != nil {
			return err
		}
		return tx.Chroot.Run(t.Context(), sh("test -d /srv/x; test ! -e /etc/group"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.CreateLayer(t.Context(), "top", nil, func(*LayerTx) error { return nil }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the same layer again: %v", err)
	}
	stack, err := e.Stack("top")
	if err != nil || len(stack) != 2 || stack[0].ID != "base" || stack[1].ID != "top" {
		t.Fatalf("stack %v, %v", stack, err)
	}
	if got := output(t, e.Chroot("test", stack...), "stat -c %u /srv/x; ls /root; ls /etc"); got != "12345\nnew\npasswd" {
		t.Errorf("in the stack: %q", got)
	}
	if entries, _ := os.ReadDir(filepath.Dir(top.Dir)); len(entries) != 2 && len(entries) != 3 { // layer.json, root, and synced after a while
		t.Errorf("beside the files of a layer: %v", entries)
	}

	if err := e.RemoveLayer(t.Context(), "base"); err == nil {
		t.Error("a layer that another lies on was removed")
	}
	for _, id := range []string{"top", "base"} {
		if err := e.RemoveLayer(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if list, err := e.LayerList(); err != nil || len(list) != 0 {
		t.Errorf("left: %v, %v", list, err)
	}
}

func TestLayerNames(t *testing.T) {
	e := openEngine(t)
	for _, id := range []string{"", ".", "..", "a/b", "../x", ".hidden", "a b"} {
		if _, err := e.CreateLayer(t.Context(), id, nil, func(*LayerTx) error { return nil }); err == nil || errors.Is(err, ErrNoLayer) {
			t.Errorf("layer %q: %v", id, err)
		}
	}
}

func TestKeptUpper(t *testing.T) {
	e := openEngine(t)
	c := e.Chroot("test", baseLayer(t, e))
	dir, err := e.Dir("build", "kept")
	if err != nil {
		t.Fatal(err)
	}
	if c.Upper, err = e.OpenUpper(dir); err != nil {
		t.Fatal(err)
	}
	output(t, c, "echo 1 >/etc/kept")
	if c.Upper, err = e.OpenUpper(dir); err != nil {
		t.Fatal(err)
	}
	if got := output(t, c, "cat /etc/kept"); got != "1" {
		t.Errorf("got %q", got)
	}
	if err := c.Upper.Remove(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkCleanBuildroot(b *testing.B) {
	e := openEngine(b)
	e.log.sink = nil
	c := e.Chroot("bench", baseLayer(b, e))
	for b.Loop() {
		if err := c.Run(b.Context(), Cmd{Argv: []string{"/bin/true"}}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestLayerOfAnEarlierBoot(t *testing.T) {
	e := openEngine(t)
	baseLayer(t, e)
	e.trash.Wait()
	reopen := func() {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := Open(t.Context(), Config{Work: e.Work()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { again.Close() })
		e = again
	}
	mark := filepath.Join(e.Work(), dirLayers, "base", "layer.json")
	if err := os.WriteFile(mark, []byte(`{"boot":"another"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	reopen()
	if _, err := e.Layer("base"); err != nil {
		t.Errorf("a layer that was written out: %v", err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(mark), syncedMark)); err != nil {
		t.Fatal(err)
	}
	reopen()
	if _, err := e.Layer("base"); !errors.Is(err, ErrNoLayer) {
		t.Errorf("a layer that was not written out before a reboot: %v", err)
	}
}
