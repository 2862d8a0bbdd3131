package chroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mounter carries out a plan in pid 1.
type mounter struct {
	spec  spec
	trees map[string]int // detached mount trees by name
	files map[string]bool
	made  []string // mount points made for the run, to be removed after it
	old   int      // the host's root, between pivot and leave
}

func (m *mounter) run(steps []step) error {
	m.trees, m.files, m.old = map[string]int{}, map[string]bool{}, -1
	for _, st := range steps {
		if err := m.step(st); err != nil && !st.Optional {
			return err
		}
	}
	for _, fd := range m.trees {
		unix.Close(fd)
	}
	return nil
}

func (m *mounter) step(st step) error {
	switch st.Op {
	case opPrivate:
		if err := unix.Mount("", st.Target, "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("make the mounts private: %w", err)
		}
	case opTake:
		return m.take(st)
	case opMkdir:
		if err := os.MkdirAll(st.Target, 0o755); err != nil {
			return fmt.Errorf("make mount point: %w", err)
		}
	case opMount:
		return m.mount(st)
	case opPlace, opDevice:
		return m.place(st)
	case opSymlink:
		return os.Symlink(st.Source, st.Target)
	case opPivot:
		return m.pivot(st.Target)
	case opLeave:
		return m.leave()
	case opBinfmt:
		return setupBinfmt(st.Target, m.spec)
	default:
		return fmt.Errorf("unknown mount step %q", st.Op)
	}
	return nil
}

// take clones a mount tree (open_tree, kernel 5.2). Recursive, because a user
// namespace may not uncover what other mounts hide.
func (m *mounter) take(st step) error {
	fd, err := unix.OpenTree(unix.AT_FDCWD, st.Source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("take %s of the host: %w", st.Source, err)
	}
	if st.ReadOnly { // mount_setattr, kernel 5.12
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
			unix.Close(fd)
			return fmt.Errorf("make %s read-only: %w", st.Source, err)
		}
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		unix.Close(fd)
		return fmt.Errorf("stat %s: %w", st.Source, err)
	}
	m.files[st.Name] = stat.Mode&unix.S_IFMT != unix.S_IFDIR
	m.trees[st.Name] = fd
	return nil
}

func (m *mounter) mount(st step) error {
	if err := m.point(st.Target, false, true); err != nil {
		return err
	}
	if st.FS == "overlay" { // its directories are named relative to the private tmpfs
		if err := os.Chdir(m.spec.Mnt); err != nil {
			return fmt.Errorf("enter the mount folder: %w", err)
		}
	}
	err := unix.Mount(st.Source, st.Target, st.FS, st.Flags, st.Data)
	if err == unix.EINVAL && st.FS == "devpts" { // group 5 (tty) is not mapped
		err = unix.Mount(st.Source, st.Target, st.FS, st.Flags, "newinstance,ptmxmode=0666,mode=0620")
	}
	if err != nil {
		return fmt.Errorf("mount %s on %s: %w", st.FS, st.Target, err)
	}
	return nil
}

func (m *mounter) place(st step) error {
	fd, ok := m.trees[st.Name]
	if !ok {
		if st.Optional {
			return nil
		}
		return fmt.Errorf("mount %s: %s was not taken from the host", st.Target, st.Name)
	}
	if err := m.point(st.Target, m.files[st.Name], st.Keep || st.Op == opDevice); err != nil {
		return err
	}
	err := unix.MoveMount(fd, "", unix.AT_FDCWD, st.Target, unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_SYMLINKS)
	if err != nil {
		return fmt.Errorf("bind on %s: %w", st.Target, err)
	}
	unix.Close(fd)
	delete(m.trees, st.Name)
	return nil
}

// point makes sure that target can be mounted on. A symlink to nowhere
// (resolv.conf into an empty /run) is followed and its end created.
func (m *mounter) point(target string, file, keep bool) error {
	info, err := os.Stat(target)
	if err == nil {
		if info.IsDir() == file {
			return fmt.Errorf("bind on %s: one is a directory, the other is not", target)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mount point: %w", err)
	}
	if !file {
		return m.mkdirs(target, keep, 0)
	}
	target, err = m.parents(target, keep, 0)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("mount point: %w", err)
	}
	if !keep {
		m.made = append(m.made, target)
	}
	return f.Close()
}

// maxLinks bounds how many symlinks are followed, as the kernel does.
const maxLinks = 40

// parents makes the directories above p and follows p while it is a symlink to
// nothing. It returns where p would be.
func (m *mounter) parents(p string, keep bool, links int) (string, error) {
	if links > maxLinks {
		return "", fmt.Errorf("mount point %s: %w", p, unix.ELOOP)
	}
	if err := m.mkdirs(filepath.Dir(p), keep, links+1); err != nil {
		return "", err
	}
	link, err := os.Readlink(p)
	if err != nil {
		return p, nil
	}
	if !filepath.IsAbs(link) {
		link = filepath.Join(filepath.Dir(p), link)
	}
	return m.parents(link, keep, links+1)
}

func (m *mounter) mkdirs(dir string, keep bool, links int) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	dir, err := m.parents(dir, keep, links)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("mount point: %w", err)
	}
	if !keep {
		m.made = append(m.made, dir)
	}
	return nil
}

// pivot makes root the root of this namespace and stacks the old root over it
// (pivot_root(2), "." "."), so that no directory for it is needed. /proc of the
// host stays in the namespace until leave: the kernel only allows a new proc or
// sysfs where one is fully visible already. Until then ".." at the root leads to
// the host, so nothing else is looked up before leave.
func (m *mounter) pivot(root string) error {
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the host's root: %w", err)
	}
	m.old = old
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	return nil
}

func (m *mounter) leave() error {
	if err := unix.Fchdir(m.old); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	unix.Close(m.old)
	return unix.Chdir("/")
}

// tidy removes the mount points that were made for the run, so that a kept
// upper holds only what the commands wrote.
func (m *mounter) tidy() {
	for i := len(m.made) - 1; i >= 0; i-- {
		_ = unix.Unmount(m.made[i], unix.MNT_DETACH)
		os.Remove(m.made[i]) // refused where a command put something in it
	}
}
