package chroot

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// rootlessRun marks the run of these tests as another user.
const rootlessRun = "PORTOLAN_TEST_ROOTLESS"

// TestRootless runs all of this package's tests once more without privilege,
// as the first user that /etc/subuid gives ids to.
func TestRootless(t *testing.T) {
	if os.Getenv(rootlessRun) != "" || testing.Short() {
		t.Skip("SKIP: once is enough")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIP: these tests run without privilege already")
	}
	if _, err := exec.LookPath("newuidmap"); err != nil {
		t.Skip("SKIP: no newuidmap; install package uidmap")
	}
	who := unprivileged(t)
	uid, _ := strconv.ParseUint(who.Uid, 10, 32)
	gid, _ := strconv.ParseUint(who.Gid, 10, 32)
	dir, err := os.MkdirTemp("", "rootless-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "chroot.test")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	tmp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(tmp, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tmp, "TMPDIR=" + tmp, "USER=" + who.Username, rootlessRun + "=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as user %s: %v\n%s", who.Username, err, out)
	}
	if n := strings.Count(string(out), "--- PASS"); n < 20 {
		t.Errorf("only %d tests passed as user %s:\n%s", n, who.Username, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, "SKIP: ") {
			t.Logf("as user %s: %s", who.Username, strings.TrimSpace(line))
		}
	}
}

// unprivileged finds a user who may run chroots.
func unprivileged(t *testing.T) *user.User {
	t.Helper()
	text, err := os.ReadFile("/etc/subuid")
	if err == nil {
		for _, line := range strings.Split(string(text), "\n") {
			name, _, _ := strings.Cut(line, ":")
			if who, err := user.Lookup(name); err == nil && who.Uid != "0" {
				return who
			}
		}
	}
	t.Skip("SKIP: no user with subordinate ids; try: useradd --create-home porter && usermod --add-subuids 100000-165535 --add-subgids 100000-165535 porter")
	return nil
}
