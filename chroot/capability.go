package chroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Capability is one thing that the engine needs of the host, for doctor.
type Capability struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"` // without it nothing can be built
	Detail   string `json:"detail"`   // what was found
	Fix      string `json:"fix"`      // what a person can do; empty when OK
}

// needSpace is what a first voyage takes: toolbox, kernel build, root, images.
const needSpace = 12 << 30

// Capabilities looks at the host, for an engine that could be opened.
func (e *Engine) Capabilities(ctx context.Context) []Capability { return Probe(ctx, e.work) }

// Probe looks at the host without taking the work folder, so that it can say
// why Open fails. Namespaces and mounts are tried for real, in a helper.
func Probe(ctx context.Context, work string) []Capability {
	list := []Capability{probeKernel()}
	ids, err := findMapping()
	if os.Geteuid() != 0 {
		list = append(list, idCapability(err))
	}
	interps := findInterpreters(interpreterDirs())
	dir, tmpErr := probeFolder(work)
	e := &Engine{work: dir, mode: ModeRootless, ids: ids, interps: interps, log: newRunLog(dir, func(Line) {})}
	if os.Geteuid() == 0 {
		e.mode = ModeRoot
	}
	defer e.log.close()
	if tmpErr == nil {
		defer func() {
			if os.RemoveAll(dir) != nil { // what overlayfs made belongs to nobody outside
				_ = e.removeTrees(context.WithoutCancel(ctx), []string{dir})
			}
		}()
	}

	nsErr := err
	if nsErr == nil {
		_, nsErr = e.builtin(ctx, "probe", nil)
	}
	list = append(list, namespaceCapability(nsErr, e.mode))
	if nsErr != nil && e.mode == ModeRoot {
		e.mode = ModeRootNoUserNS
	} else if nsErr != nil {
		return append(list, spaceCapability(work))
	}
	if tmpErr != nil {
		return append(list, Capability{Name: "work folder", Required: true, Detail: tmpErr.Error(), Fix: "choose another folder with --work"})
	}
	list = append(list, probeOverlay(ctx, e, work))
	list = append(list, probeForeign(ctx, e)...)
	return append(list, spaceCapability(work))
}

// probeFolder makes a folder on the work folder's filesystem: what it can hold
// depends on that.
func probeFolder(work string) (string, error) {
	tmp := filepath.Join(work, dirTmp) // swept by Open, should this be killed
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(tmp, "doctor-")
	if err != nil {
		return "", err
	}
	for _, d := range []string{dirMnt, dirTmp, dirLogs, "lower"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	return dir, os.Chmod(dir, 0o755)
}

func probeKernel() Capability {
	c := Capability{Name: "kernel", Required: true}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		c.Detail = err.Error()
		return c
	}
	release := unix.ByteSliceToString(u.Release[:])
	c.Detail = release
	c.OK = kernelAtLeast(release, 5, 12)
	if !c.OK {
		c.Fix = "Linux 5.12 or newer is needed (read-only mount trees, overlayfs in user namespaces): update the system"
	}
	return c
}

// kernelAtLeast compares the first two numbers of a release such as 6.1.0-18-amd64.
func kernelAtLeast(release string, major, minor int) bool {
	f := strings.FieldsFunc(release, func(r rune) bool { return r < '0' || r > '9' })
	if len(f) < 2 {
		return false
	}
	a, _ := strconv.Atoi(f[0])
	b, _ := strconv.Atoi(f[1])
	return a > major || a == major && b >= minor
}

func idCapability(err error) Capability {
	c := Capability{Name: "subordinate ids", Required: true, OK: err == nil, Detail: "newuidmap and a range for this user"}
	if err == nil {
		return c
	}
	c.Detail = err.Error()
	c.Fix = "install package uidmap"
	if errors.Is(err, errNoSubids) {
		c.Fix = fmt.Sprintf("sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s", os.Getenv("USER"))
	}
	return c
}

func namespaceCapability(err error, mode Mode) Capability {
	c := Capability{Name: "user namespaces", Required: mode != ModeRoot, OK: err == nil, Detail: string(mode)}
	if err == nil {
		return c
	}
	c.Detail = err.Error()
	c.Fix = namespaceFix(func(file string) string {
		text, _ := os.ReadFile(file)
		return strings.TrimSpace(string(text))
	})
	return c
}

// namespaceFix finds the switch that closes user namespaces; read reads a file of /proc/sys.
func namespaceFix(read func(file string) string) string {
	switch {
	case read("/proc/sys/kernel/unprivileged_userns_clone") == "0":
		return "sudo sysctl kernel.unprivileged_userns_clone=1"
	case read("/proc/sys/user/max_user_namespaces") == "0":
		return "sudo sysctl user.max_user_namespaces=15000"
	case read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "AppArmor closes them: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give portolan a profile with \"userns,\""
	}
	return "run with sudo, or outside of the container that closes them"
}

func probeOverlay(ctx context.Context, e *Engine, work string) Capability {
	c := Capability{Name: "overlayfs", Required: true, OK: true, Detail: "layers and throw-away roots work on " + work}
	err := e.tryRoot(ctx, filepath.Join(e.work, "lower"), "")
	if err != nil {
		c.OK, c.Detail = false, err.Error()
		c.Fix = "use a work folder on ext4, xfs or btrfs with --work (not on NFS, nor in another overlay)"
	}
	return c
}

// tryRoot sets a chroot up and runs nothing in it.
func (e *Engine) tryRoot(ctx context.Context, lower, arch string) error {
	up, err := e.NewUpper("probe")
	if err != nil {
		return err
	}
	c := e.Chroot("doctor", Layer{ID: "lower", Dir: lower})
	c.Arch = arch
	s, err := c.spec(up.dir)
	if err != nil {
		return err
	}
	s.Builtin = "probe"
	_, err = e.start(ctx, s, files{})
	return err
}

// probeForeign tells for each architecture of phones how its programs would run.
func probeForeign(ctx context.Context, e *Engine) []Capability {
	var list []Capability
	for _, arch := range []string{"arm64", "armhf"} {
		if arch == NativeArch() {
			continue
		}
		c := Capability{Name: "run " + arch + " programs", OK: true, Required: arch == "arm64"}
		err := e.tryRoot(ctx, filepath.Join(e.work, "lower"), arch)
		for _, i := range e.interps {
			if i.Arch == arch {
				c.Detail = i.Program
			}
		}
		switch {
		case err == nil && c.Detail != "" && e.mode != ModeRootNoUserNS && privateBinfmtKernel():
			c.Detail += ", registered in each chroot alone"
		case err == nil:
			c.Detail = "registered by the host"
		default:
			c.OK, c.Detail = false, err.Error()
			c.Fix = "install package qemu-user-static"
			if !privateBinfmtKernel() {
				c.Fix += "; before Linux 6.7 the host must also register it (restart systemd-binfmt)"
			}
		}
		list = append(list, c)
	}
	return list
}

func privateBinfmtKernel() bool {
	return kernelAtLeast(probeKernel().Detail, 6, 7)
}

func spaceCapability(work string) Capability {
	c := Capability{Name: "free space", Required: true}
	free, err := FreeSpace(work)
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	c.OK = free >= needSpace
	c.Detail = fmt.Sprintf("%.1f GiB in %s", float64(free)/(1<<30), work)
	if !c.OK {
		c.Fix = fmt.Sprintf("a first build takes about %d GiB: make room, or choose another folder with --work", needSpace>>30)
	}
	return c
}

// FreeSpace is how many bytes this user can still write at path, which need not exist yet.
func FreeSpace(path string) (int64, error) {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(path, &st)
		if err == nil {
			return int64(st.Bavail) * st.Bsize, nil
		}
		parent := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) || parent == path {
			return 0, fmt.Errorf("find the free space in %s: %w", path, err)
		}
		path = parent
	}
}
