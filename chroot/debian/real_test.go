package debian

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"portolan/chroot"
)

// The tests in this file bootstrap Debian for real, which takes a minute or two
// and some 80 MB of downloads. PORTOLAN_TEST_WORK names a work folder that is
// kept between runs; without it everything is made anew.

// realBuilder returns a builder on a work folder, or skips where the host cannot.
func realBuilder(t *testing.T, mutate ...func(*chroot.Config)) *Builder {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: bootstraps Debian for real; run without -short")
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		t.Skip("SKIP: no mmdebstrap on this host; install package mmdebstrap")
	}
	if _, err := os.Stat(Keyring); err != nil {
		t.Skip("SKIP: no keyring of the Debian archive on this host; install package debian-archive-keyring")
	}
	if _, err := os.Stat("/usr/bin/qemu-aarch64-static"); err != nil {
		t.Skip("SKIP: no qemu-aarch64-static on this host; install package qemu-user-static")
	}
	config := chroot.Config{Work: os.Getenv("PORTOLAN_TEST_WORK")}
	kept := config.Work != ""
	if !kept {
		config.Work = t.TempDir()
	}
	for _, f := range mutate {
		f(&config)
	}
	e, err := chroot.Open(t.Context(), config)
	if err != nil {
		t.Skipf("SKIP: no chroots on this host, install package uidmap or run as root: %v", err)
	}
	t.Cleanup(func() {
		if !kept { // files of subordinate ids, which TempDir's own clean-up cannot delete
			entries, _ := os.ReadDir(config.Work)
			for _, d := range entries {
				if err := e.Remove(context.Background(), filepath.Join(config.Work, d.Name())); err != nil {
					t.Errorf("clean up: %v", err)
				}
			}
		}
		e.Close()
	})
	return &Builder{Engine: e}
}

// needMirror fails on err, or skips when it says that the mirror is out of reach.
func needMirror(t *testing.T, err error) {
	t.Helper()
	var m *MirrorError
	if errors.As(err, &m) {
		t.Skipf("SKIP: no Debian mirror can be reached from this host: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func hostKey(t *testing.T) (private []byte, public ssh.PublicKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "phone")
	if err != nil {
		t.Fatal(err)
	}
	if public, err = ssh.NewPublicKey(key.Public()); err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block), public
}

// source writes a source package that makes one package for all architectures.
func source(t *testing.T, name, rules, depends string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(filepath.Join(dir, "debian/source"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"control": "Source: " + name + "\nMaintainer: A B <a@example.org>\nBuild-Depends: debhelper-compat (= 13)\nStandards-Version: 4.6.2\nRules-Requires-Root: no\n\n" +
			"Package: " + name + "\nArchitecture: all\nDepends: ${misc:Depends}" + depends + "\nDescription: test\n Of the builder.\n",
		"changelog":     name + " (1.5-2) unstable; urgency=low\n\n  * Test.\n\n -- A B <a@example.org>  Mon, 02 Jan 2023 10:00:00 +0000\n",
		"install":       "greeting usr/share/" + name + "\n",
		"source/format": "3.0 (native)\n",
		"rules":         rules,
	} {
		if err := os.WriteFile(filepath.Join(dir, "debian", file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "greeting"), []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

const goodRules = "#!/usr/bin/make -f\n%:\n\tdh $@\n"

// TestPhoneRoot makes toolbox, package and root at the same time as a voyage does,
// and looks at the result as dpkg, apt, file and sshd would.
func TestPhoneRoot(t *testing.T) {
	b := realBuilder(t)
	ctx := t.Context()
	began := time.Now()
	var wg sync.WaitGroup
	var baseErr error
	wg.Go(func() { _, baseErr = b.base(ctx, "arm64", nil) })
	_, err := b.Toolbox(ctx)
	wg.Wait()
	needMirror(t, errors.Join(err, baseErr))
	t.Logf("toolbox and root: %.1f s", time.Since(began).Seconds())

	// tree is not in the base, so this dependency has to be found and downloaded.
	pkgs, err := b.BuildPackage(ctx, BuildOptions{Source: source(t, "device-test-boat", goodRules, ", tree"), Arch: "arm64", Out: t.TempDir()})
	needMirror(t, err)
	key, public := hostKey(t)
	o := RootFSOptions{Arch: "arm64", Debs: []string{pkgs[0].Path}, Hostname: "boat", User: "skipper", HostKey: key,
		AuthorizedKeys: []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))) + " skipper@desk"}}
	root, err := b.RootFS(ctx, o)
	needMirror(t, err)

	phone := b.Engine.Chroot("phone", root.Layers...)
	phone.Arch = "arm64"
	look := func(script string) string {
		t.Helper()
		out, err := phone.Output(ctx, chroot.Cmd{Argv: []string{"sh", "-euc", script}})
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		return strings.TrimSpace(string(out))
	}
	for _, c := range []struct{ what, script, want string }{
		{"architecture", "dpkg --print-architecture", "arm64"},
		{"audit of the package database", "dpkg --audit", ""},
		{"checksums of all installed files", "dpkg --verify | grep -v ' c /' | grep -vE '/usr/share/(doc|man|info|locale|lintian)/' || true", ""},
		{"the port's package", "cat /usr/share/device-test-boat/greeting; dpkg-query -Wf '${Status} ${Version}' device-test-boat", "hello\ninstall ok installed 1.5-2"},
		{"the dependency came along, as a dependency", "dpkg-query -Wf '${db:Status-Abbrev}\\n' tree; apt-mark showauto tree", "ii \ntree"},
		{"apt finds nothing broken", "apt-get -qq check", ""},
		{"machine-id is left to the first boot", "cat /etc/machine-id; ls /var/lib/dbus/machine-id 2>/dev/null || true", ""},
		{"host name", "cat /etc/hostname; grep -c boat /etc/hosts", "boat\n1"},
		{"only the given host key", "ls /etc/ssh | grep -c host_; cat /etc/ssh/ssh_host_ed25519_key.pub", "2\n" + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))},
		{"sshd takes its configuration", "mkdir -p /run/sshd; sshd -T | grep -E '^(hostkey|passwordauthentication|permitrootlogin) ' | sort", "hostkey /etc/ssh/ssh_host_ed25519_key\npasswordauthentication no\npermitrootlogin without-password"},
		{"owners and modes", "stat -c '%a %u:%g %n' / /root /tmp /etc/shadow /etc/ssh/ssh_host_ed25519_key /home/skipper /home/skipper/.ssh/authorized_keys /usr/bin/su /usr/sbin/unix_chkpwd",
			"755 0:0 /\n700 0:0 /root\n1777 0:0 /tmp\n640 0:42 /etc/shadow\n600 0:0 /etc/ssh/ssh_host_ed25519_key\n755 1000:1000 /home/skipper\n600 1000:1000 /home/skipper/.ssh/authorized_keys\n4755 0:0 /usr/bin/su\n2755 0:42 /usr/sbin/unix_chkpwd"},
		{"nobody has a password", `awk -F: '$2 !~ /^[!*]/' /etc/shadow`, ""},
		{"network and growing are on, what waits is off", "systemctl is-enabled systemd-networkd ssh portolan-growfs systemd-networkd-wait-online apt-daily.timer || true", "enabled\nenabled\nenabled\nmasked\nmasked"},
		{"no daemon is held back", "ls /usr/sbin/policy-rc.d 2>/dev/null || true", ""},
		{"the public archive", "grep -c '^deb .*http://deb.debian.org/' /etc/apt/sources.list; grep -vc deb.debian.org /etc/apt/sources.list || true", "3\n0"},
		{"no mount points or caches stay", `for f in /lib64 /usr/lib/x86_64-linux-gnu /debs /apt /scripts /target /var/cache/apt/archives/*.deb /var/lib/apt/lists/*Packages*; do if [ -e "$f" ]; then echo "$f"; fi; done`, ""},
	} {
		if got := look(c.script); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.what, got, c.want)
		}
	}
	for _, l := range root.Layers {
		noForeignPrograms(t, b, l)
	}

	again := time.Now()
	same, err := b.RootFS(ctx, o)
	if err != nil || same.Layers[1].ID != root.Layers[1].ID || !same.Layers[1].Created.Equal(root.Layers[1].Created) {
		t.Errorf("unchanged inputs gave %+v, %v; want the layer that is there", same, err)
	}
	t.Logf("unchanged root: %.3f s", time.Since(again).Seconds())
	o.Hostname = "boat2"
	o.AuthorizedKeys = nil
	other, err := b.RootFS(ctx, o)
	if err != nil || other.Layers[0].ID != root.Layers[0].ID || other.Layers[1].ID == root.Layers[1].ID {
		t.Errorf("another host name gave %+v, %v; want the same base and another layer", other, err)
	}
}

// noForeignPrograms reads the ELF header of every file: e_machine (offset 18) 62 is x86-64.
func noForeignPrograms(t *testing.T, b *Builder, l chroot.Layer) {
	t.Helper()
	files := 0
	c := b.Engine.Host("look")
	c.Binds = []chroot.Bind{{Source: l.Dir, Target: "/run/layer", ReadOnly: true}}
	// od of the first 20 bytes of each file, in batches; as root of the namespace it reads everything.
	out, err := c.Output(t.Context(), chroot.Cmd{Argv: []string{"find", "/run/layer", "-type", "f", "-size", "+0", "-exec", "sh", "-c",
		`for f; do printf '%s %s\n' "$(head -c 20 "$f" | od -An -v -tx1 | tr -d ' \n')" "$f"; done`, "sh", "{}", "+"}})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		files++
		if strings.HasPrefix(line, "7f454c46") && len(line) > 40 && line[36:40] == "3e00" {
			t.Errorf("a native program stayed in the phone's root: %s", line[41:])
		}
	}
	if files == 0 && len(l.Parents) == 0 {
		t.Error("no file was looked at")
	}
}

func TestBuildPackage(t *testing.T) {
	b := realBuilder(t)
	ctx := t.Context()
	out := t.TempDir()
	src := source(t, "boat-data", goodRules, "")
	pkgs, err := b.BuildPackage(ctx, BuildOptions{Source: src, Arch: "arm64", Out: out})
	needMirror(t, err)
	if len(pkgs) != 1 || pkgs[0].Name != "boat-data" || pkgs[0].Version != "1.5-2" || pkgs[0].Arch != "all" || pkgs[0].Path != filepath.Join(out, "boat-data_1.5-2_all.deb") {
		t.Fatalf("got %+v", pkgs)
	}
	again, err := b.BuildPackage(ctx, BuildOptions{Source: src, Arch: "arm64", Out: out})
	if err != nil || again[0].SHA256 != pkgs[0].SHA256 {
		t.Errorf("built twice: %v, %v; want the same bytes as %s", again, err, pkgs[0].SHA256)
	}
	if _, err := os.Stat(filepath.Join(src, "debian/files")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the build wrote into the source folder")
	}

	t.Run("a build that fails", func(t *testing.T) {
		bad := source(t, "boat-data", "#!/usr/bin/make -f\n%:\n\tdh $@\noverride_dh_auto_build:\n\t@echo '  CC      init/main.o'\n\t@echo 'init/main.c:7:3: error: no wind'; echo after; exit 3\n", "")
		seen := 0
		_, err := b.BuildPackage(ctx, BuildOptions{Source: bad, Arch: "arm64", Out: out, Keep: "test-bad", Objects: 4, Progress: func(done, total int, _ time.Duration) {
			if done == 1 && total == 4 {
				seen++
			}
		}})
		var failed *BuildError
		if !errors.As(err, &failed) || failed.Package != "boat-data" || failed.FirstError != "init/main.c:7:3: error: no wind" {
			t.Fatalf("got %v", err)
		}
		if log, err := os.ReadFile(failed.Log); err != nil || !strings.Contains(string(log), "after") {
			t.Errorf("the log %s does not hold the output: %v", failed.Log, err)
		}
		if seen != 1 {
			t.Errorf("progress of the one object was told %d times", seen)
		}
		nothingLeft(t, out, "boat-data_1.5-2_all.deb")
	})
	t.Run("cancelled", func(t *testing.T) {
		slow := source(t, "boat-data", "#!/usr/bin/make -f\n%:\n\tdh $@\noverride_dh_auto_build:\n\t@echo adrift; sleep 600\n", "")
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		_, err := b.BuildPackage(ctx, BuildOptions{Source: slow, Arch: "arm64", Out: out, Line: func(s string) {
			if strings.Contains(s, "adrift") {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it was cancelled", err)
		}
		nothingLeft(t, out, "boat-data_1.5-2_all.deb")
	})
	t.Run("no source", func(t *testing.T) {
		if _, err := b.BuildPackage(ctx, BuildOptions{Source: t.TempDir(), Arch: "arm64", Out: out}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want that debian/control is missing", err)
		}
	})
}

func nothingLeft(t *testing.T, dir string, but ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if fmt.Sprint(names) != fmt.Sprint(but) {
		t.Errorf("%s holds %q, want %q", dir, names, but)
	}
}

func TestUnreachableMirror(t *testing.T) {
	// An own work folder: nothing may be cached.
	b := realBuilder(t, func(c *chroot.Config) { c.Work = t.TempDir() })
	b.Mirror = "http://127.0.0.1:9/debian" // discard; nobody listens
	_, err := b.Toolbox(t.Context())
	var m *MirrorError
	if !errors.As(err, &m) || !strings.Contains(err.Error(), "127.0.0.1:9") || m.Output == "" {
		t.Fatalf("got %v, want a *MirrorError that names the mirror and what apt said", err)
	}
	if list, err := b.Engine.LayerList(); err != nil || len(list) != 0 {
		t.Errorf("after a failure the layers are %v, %v", list, err)
	}
}

func TestOfflineWithNothingCached(t *testing.T) {
	b := realBuilder(t, func(c *chroot.Config) { c.Work, c.Offline = t.TempDir(), true })
	var off *OfflineError
	if _, err := b.Toolbox(t.Context()); !errors.As(err, &off) {
		t.Errorf("toolbox: got %v, want an *OfflineError", err)
	}
	if _, _, err := b.ArchiveKernel(t.Context(), "arm64"); !errors.As(err, &off) {
		t.Errorf("kernel: got %v, want an *OfflineError", err)
	}
}

func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: a small disk is a tmpfs, which only root can mount; run as root")
	}
	work := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", work).CombinedOutput(); err != nil {
		t.Skipf("SKIP: cannot mount a tmpfs here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", work).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	b := realBuilder(t, func(c *chroot.Config) { c.Work = work })
	_, err := b.Toolbox(t.Context())
	var full *DiskFullError
	if !errors.As(err, &full) || full.Dir != work {
		needMirror(t, err)
		t.Fatalf("got %v, want a *DiskFullError", err)
	}
	if list, err := b.Engine.LayerList(); err != nil || len(list) != 0 {
		t.Errorf("after a failure the layers are %v, %v", list, err)
	}
}

func TestArchiveKernel(t *testing.T) {
	b := realBuilder(t)
	path, version, err := b.ArchiveKernel(t.Context(), "arm64")
	needMirror(t, err)
	release, err := KernelRelease(path)
	if err != nil || !strings.HasSuffix(release, "-arm64") || !strings.HasPrefix(version, release[:strings.IndexByte(release, '.')]) {
		t.Errorf("kernel %s, version %s, release %q, %v", path, version, release, err)
	}
	// A file that is not what was verified is not handed out again.
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	path, _, err = b.ArchiveKernel(t.Context(), "arm64")
	needMirror(t, err)
	if info, err := os.Stat(path); err != nil || info.Size() < 1<<20 {
		t.Errorf("after damage: %v, %v", info, err)
	}
}
