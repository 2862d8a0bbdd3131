package initramfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// view reads a root filesystem out of its layers as overlayfs would show it,
// without a mount (kernel, Documentation/filesystems/overlayfs.rst): upper
// entries hide lower ones, a character device 0/0 is a whiteout, a directory
// with the xattr overlay.opaque hides what is below. Symlinks are followed
// inside the root only.
type view struct {
	dirs []string // topmost first, as in overlayfs's lowerdir
}

const (
	maxLinks = 40        // as the kernel follows
	maxFile  = 256 << 20 // bytes of one file
)

// place is an entry of the merged tree.
type place struct {
	name string   // absolute, without symlinks, in the root
	real []string // where it lies, topmost first; more than one only for directories
	info fs.FileInfo
}

// root is the place of "/".
func (v view) root() (place, error) {
	p := place{name: "/", real: v.dirs}
	if len(v.dirs) == 0 {
		return p, errors.New("no root filesystem given")
	}
	info, err := os.Stat(v.dirs[0])
	p.info = info
	return p, err
}

// child finds one name in a directory; it does not follow a symlink.
func (p place) child(name string) (place, error) {
	c := place{name: path.Join(p.name, name)}
	for _, dir := range p.real {
		full := filepath.Join(dir, name)
		info, err := os.Lstat(full)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err != nil {
			return c, err
		}
		if isWhiteout(info) || (c.info != nil && !info.IsDir()) {
			break
		}
		if c.info == nil {
			c.info = info
		}
		c.real = append(c.real, full)
		if !info.IsDir() || isOpaque(full) {
			break
		}
	}
	if c.info == nil {
		return c, &fs.PathError{Op: "open", Path: c.name, Err: fs.ErrNotExist}
	}
	return c, nil
}

func isWhiteout(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode()&fs.ModeCharDevice != 0 && st.Rdev == 0
}

func isOpaque(dir string) bool {
	for _, name := range []string{"user.overlay.opaque", "trusted.overlay.opaque"} {
		var value [4]byte
		if n, err := unix.Lgetxattr(dir, name, value[:]); err == nil && n == 1 && value[0] == 'y' {
			return true
		}
	}
	return false
}

// find walks to name. ".." at the root stays there.
func (v view) find(name string) (place, error) {
	root, err := v.root()
	if err != nil {
		return root, err
	}
	trail := []place{root}
	todo := strings.Split(name, "/")
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			trail = trail[:max(1, len(trail)-1)]
			continue
		}
		at := trail[len(trail)-1]
		if !at.info.IsDir() {
			return at, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
		}
		next, err := at.child(part)
		if err != nil {
			return next, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		if next.info.Mode()&fs.ModeSymlink == 0 {
			trail = append(trail, next)
			continue
		}
		if links++; links > maxLinks {
			return next, &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
		}
		target, err := os.Readlink(next.real[0])
		if err != nil {
			return next, err
		}
		if path.IsAbs(target) {
			trail = trail[:1]
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return trail[len(trail)-1], nil
}

// readFile reads a regular file of at most maxFile bytes.
func (v view) readFile(name string) ([]byte, error) {
	p, err := v.find(name)
	if err != nil {
		return nil, err
	}
	if !p.info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	if p.info.Size() > maxFile {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%d bytes are too many", p.info.Size())}
	}
	f, err := os.Open(p.real[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, p.info.Size())
	_, err = io.ReadFull(f, data)
	return data, err
}

// readDir lists a directory's merged names, sorted.
func (v view) readDir(name string) ([]string, error) {
	p, err := v.find(name)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, dir := range p.real {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if _, err := p.child(e.Name()); err == nil && !slices.Contains(names, e.Name()) {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return names, nil
}
