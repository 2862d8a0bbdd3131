package chroot

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// op is what a mount step does.
type op string

const (
	opTake    op = "take"    // clone a mount tree of the host, keep it under Name
	opPrivate op = "private" // no mount of ours reaches the host, none of its reaches us
	opMount   op = "mount"   // mount(2) of a new filesystem
	opPlace   op = "place"   // attach the tree kept under Name at Target
	opMkdir   op = "mkdir"
	opDevice  op = "device" // place a taken device node on an empty file
	opSymlink op = "symlink"
	opPivot   op = "pivot" // Target becomes the root; the old one stays reachable
	opLeave   op = "leave" // the old root is gone
	opBinfmt  op = "binfmt"
)

// step is one step of setting up a root. Paths after opPivot are inside the chroot.
type step struct {
	Op       op
	Name     string
	Source   string
	Target   string
	FS       string
	Flags    uintptr
	Data     string
	ReadOnly bool
	Optional bool // a failure is passed over: the host may not allow it
	File     bool // the mount point may be a file and is created as one
	Keep     bool // do not remove the mount point afterwards
}

// devices are the nodes every chroot has; they are bound from the host because
// mknod of a device is refused in a user namespace.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// plan lists the steps for s, in order. It is pure: nothing is looked up.
//
// Every tree of the host is taken before the root changes, so that a target
// that is a symlink in the chroot can only ever lead to a place in the chroot.
func plan(s spec) ([]step, error) {
	if s.Mnt == "" {
		return nil, fmt.Errorf("chroot %s has no mount folder", s.Name)
	}
	if !s.Host && len(s.Lower) == 0 && s.Upper == "" {
		return nil, fmt.Errorf("chroot %s has neither layers nor the host's root", s.Name)
	}
	steps := []step{{Op: opPrivate, Target: "/"}}
	take := func(name, source string, ro, optional bool) {
		steps = append(steps, step{Op: opTake, Name: name, Source: source, ReadOnly: ro, Optional: optional})
	}
	for _, d := range devices {
		take("dev/"+d, "/dev/"+d, false, d == "tty")
	}
	take("sys", "/sys", true, true)
	if s.Network && !s.Host {
		take("resolv", "/etc/resolv.conf", true, true)
		take("hosts", "/etc/hosts", true, true)
	}
	if s.Host {
		take("root", "/", true, false)
		if s.Network { // a symlink into /run on most hosts, and /run is hidden
			take("resolv", "/etc/resolv.conf", true, true)
		}
	}
	for i, l := range s.Lower {
		take(fmt.Sprintf("lower%d", i), l, true, false)
	}
	if s.Upper != "" {
		take("upper", s.Upper, false, false)
	}
	for i, b := range s.Binds {
		if !path.IsAbs(b.Target) || path.Clean(b.Target) == "/" {
			return nil, fmt.Errorf("bind target %q must be an absolute path below the root", b.Target)
		}
		if len(b.Lower) == 0 {
			take(fmt.Sprintf("bind%d", i), b.Source, b.ReadOnly, b.Optional)
			continue
		}
		for j, l := range b.Lower {
			take(fmt.Sprintf("bind%d.%d", i, j), l, true, false)
		}
	}

	root := path.Join(s.Mnt, "root")
	steps = append(steps,
		step{Op: opMount, Source: "tmpfs", Target: s.Mnt, FS: "tmpfs", Data: "mode=0755"},
		step{Op: opMkdir, Target: root})
	if s.registers() { // while the interpreters can still be reached
		at := path.Join(s.Mnt, "binfmt")
		steps = append(steps, step{Op: opMkdir, Target: at}, step{Op: opBinfmt, Target: at},
			step{Op: opTake, Name: "binfmt", Source: at, Optional: true})
	}
	if s.Host {
		steps = append(steps, step{Op: opPlace, Name: "root", Target: root})
	} else {
		more, err := overlay(s.Mnt, "lower", root, len(s.Lower), s.Upper != "", s.Volatile)
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	for i, b := range s.Binds {
		if len(b.Lower) == 0 {
			continue
		}
		name := fmt.Sprintf("bind%d", i)
		at := path.Join(s.Mnt, name)
		more, err := overlay(s.Mnt, name+".", at, len(b.Lower), false, false)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{Op: opMkdir, Target: at})
		steps = append(steps, more...)
		steps = append(steps, step{Op: opTake, Name: name, Source: at, ReadOnly: true})
	}
	steps = append(steps, step{Op: opPivot, Target: root})
	return append(steps, inside(s)...), nil
}

// overlay merges the trees kept as prefix0 … prefixN (lowest first) at target.
// The layers are first placed under short names in the private tmpfs: a path of
// the host may hold a colon or a comma, and mount(2) takes one page of options.
// userxattr (kernel 5.11) is always on, so that layers mean the same in both modes.
func overlay(mnt, prefix, target string, lowers int, upper, volatile bool) ([]step, error) {
	if lowers > 100 {
		return nil, fmt.Errorf("%d layers are too many for one overlay", lowers)
	}
	if lowers == 0 && upper { // nothing below: the upper directory is the root
		return []step{{Op: opMkdir, Target: mnt + "/u"}, {Op: opPlace, Name: "upper", Target: mnt + "/u"},
			{Op: opTake, Name: "root", Source: mnt + "/u/root"}, {Op: opPlace, Name: "root", Target: target}}, nil
	}
	if lowers == 1 && !upper { // an overlay wants two
		return []step{{Op: opPlace, Name: prefix + "0", Target: target}}, nil
	}
	var steps []step
	var dirs []string
	for i := lowers - 1; i >= 0; i-- {
		name := fmt.Sprintf("%s%d", prefix, i)
		dir := path.Join(mnt, name)
		dirs = append(dirs, name)
		steps = append(steps, step{Op: opMkdir, Target: dir}, step{Op: opPlace, Name: name, Target: dir})
	}
	data := "userxattr,lowerdir=" + strings.Join(dirs, ":")
	if upper {
		steps = append(steps, step{Op: opMkdir, Target: mnt + "/u"}, step{Op: opPlace, Name: "upper", Target: mnt + "/u"})
		data += ",upperdir=u/root,workdir=u/work"
		if volatile {
			data += ",volatile"
		}
	}
	return append(steps, step{Op: opMount, Source: "overlay", Target: target, FS: "overlay", Data: data}), nil
}

// inside lists the steps after the root has changed.
func inside(s spec) []step {
	const safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	steps := []step{
		{Op: opMount, Source: "proc", Target: "/proc", FS: "proc", Flags: safe},
	}
	// A new sysfs needs an own net namespace; with the host's network the host's /sys is shown.
	if s.Network {
		steps = append(steps, step{Op: opPlace, Name: "sys", Target: "/sys", Optional: true})
	} else {
		steps = append(steps, step{Op: opMount, Source: "sysfs", Target: "/sys", FS: "sysfs", Flags: safe | unix.MS_RDONLY, Optional: true})
	}
	steps = append(steps, step{Op: opLeave})
	if s.registers() {
		steps = append(steps, step{Op: opPlace, Name: "binfmt", Target: "/proc/sys/fs/binfmt_misc", Optional: true})
	}
	steps = append(steps, step{Op: opMount, Source: "tmpfs", Target: "/dev", FS: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_NOEXEC, Data: "mode=0755"})
	for _, d := range devices {
		steps = append(steps, step{Op: opDevice, Name: "dev/" + d, Target: "/dev/" + d, Optional: d == "tty"})
	}
	steps = append(steps,
		step{Op: opMkdir, Target: "/dev/pts"},
		step{Op: opMount, Source: "devpts", Target: "/dev/pts", FS: "devpts", Flags: unix.MS_NOSUID | unix.MS_NOEXEC, Data: "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		step{Op: opSymlink, Source: "pts/ptmx", Target: "/dev/ptmx"},
		step{Op: opSymlink, Source: "/proc/self/fd", Target: "/dev/fd"},
		step{Op: opSymlink, Source: "/proc/self/fd/0", Target: "/dev/stdin"},
		step{Op: opSymlink, Source: "/proc/self/fd/1", Target: "/dev/stdout"},
		step{Op: opSymlink, Source: "/proc/self/fd/2", Target: "/dev/stderr"},
		step{Op: opMkdir, Target: "/dev/shm"},
		step{Op: opMount, Source: "tmpfs", Target: "/dev/shm", FS: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_NODEV, Data: "mode=1777"},
		step{Op: opMount, Source: "tmpfs", Target: "/tmp", FS: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_NODEV, Data: "mode=1777"},
		step{Op: opMount, Source: "tmpfs", Target: "/run", FS: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_NODEV, Data: "mode=0755"},
		step{Op: opMkdir, Target: "/run/lock"},
	)
	for _, t := range s.Tmpfs {
		steps = append(steps, step{Op: opMount, Source: "tmpfs", Target: t, FS: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_NODEV, Data: "mode=0755"})
	}
	if s.Network {
		steps = append(steps, step{Op: opPlace, Name: "resolv", Target: "/etc/resolv.conf", File: true, Optional: true})
		if !s.Host {
			steps = append(steps, step{Op: opPlace, Name: "hosts", Target: "/etc/hosts", File: true, Optional: true})
		}
	}
	for i, b := range s.Binds {
		steps = append(steps, step{Op: opPlace, Name: fmt.Sprintf("bind%d", i), Target: b.Target, Optional: b.Optional, Keep: b.Keep})
	}
	return steps
}
