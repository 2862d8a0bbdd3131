package initramfs

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/u-root/u-root/pkg/cpio"
)

// File is one file of the initramfs. With fs.ModeSymlink in Mode, Data is the target.
type File struct {
	Path string
	Mode fs.FileMode
	Data []byte
}

// Spec says what goes in.
type Spec struct {
	Files    []File   // win over a program of the same path
	Programs []string // absolute paths in the root, taken with their libraries and loader
	Modules  []string // kernel modules, by name or alias, taken with their dependencies
	Kernel   string   // version, the name of the folder in /lib/modules; "" means the only one
}

// LoadOrder is a file of the initramfs: the module files, one path a line, in
// an order in which insmod can load them.
const LoadOrder = "/etc/modules-load-order"

// Result tells what was packed.
type Result struct {
	Files int
	Bytes int64 // unpacked
	Size  int64 // of the compressed archive
}

const (
	maxTotal = 1 << 30 // bytes of an unpacked initramfs
	maxFiles = 65536
)

// folders are there for init to mount on.
var folders = []string{"bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "sysroot", "tmp"}

// builder collects files by path without a leading slash.
type builder struct {
	view  view
	files map[string]File
	total int64
}

// Build packs the initramfs for the root filesystem in roots (folders of its
// layers, topmost first, as in overlayfs's lowerdir) into the file out. out is
// made whole or not at all.
func Build(ctx context.Context, roots []string, spec Spec, out string) (Result, error) {
	b := &builder{view: view{dirs: roots}, files: map[string]File{}}
	for _, f := range spec.Files {
		if b.has(f.Path) {
			return Result{}, fmt.Errorf("initramfs: %s is given twice", f.Path)
		}
		if err := b.add(f); err != nil {
			return Result{}, err
		}
	}
	if err := b.addPrograms(spec.Programs); err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if err := b.addModules(spec.Kernel, spec.Modules); err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	return b.save(ctx, out)
}

func key(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func (b *builder) has(name string) bool { _, ok := b.files[key(name)]; return ok }

func (b *builder) add(f File) error {
	k := key(f.Path)
	if k == "" || strings.ContainsAny(k, "\x00\n") || path.Clean("/"+f.Path) != "/"+strings.TrimPrefix(f.Path, "/") {
		return fmt.Errorf("initramfs: %q is no path for a file", f.Path)
	}
	if b.total += int64(len(f.Data)); b.total > maxTotal || len(b.files) >= maxFiles {
		return fmt.Errorf("initramfs: more than %d bytes or %d files", maxTotal, maxFiles)
	}
	b.files[k] = f
	return nil
}

// save writes the archive beside its final name first.
func (b *builder) save(ctx context.Context, out string) (Result, error) {
	tmp, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+"-")
	if err != nil {
		return Result{}, fmt.Errorf("write the initramfs: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	z, err := gzip.NewWriterLevel(tmp, gzip.DefaultCompression)
	if err != nil {
		return Result{}, err
	}
	if err := b.write(ctx, z); err != nil {
		return Result{}, fmt.Errorf("write the initramfs %s: %w", out, err)
	}
	if err := z.Close(); err != nil {
		return Result{}, fmt.Errorf("write the initramfs %s: %w", out, err)
	}
	if err := tmp.Chmod(0o644); err != nil {
		return Result{}, fmt.Errorf("write the initramfs %s: %w", out, err)
	}
	if err := tmp.Sync(); err != nil {
		return Result{}, fmt.Errorf("write the initramfs %s: %w", out, err)
	}
	info, err := tmp.Stat()
	if err != nil {
		return Result{}, fmt.Errorf("write the initramfs %s: %w", out, err)
	}
	if err := os.Rename(tmp.Name(), out); err != nil {
		return Result{}, fmt.Errorf("write the initramfs: %w", err)
	}
	return Result{Files: len(b.files), Bytes: b.total, Size: info.Size()}, nil
}

// write emits sorted records, so that a folder always comes before what is in it.
func (b *builder) write(ctx context.Context, w io.Writer) error {
	records := map[string]cpio.Record{
		// The kernel opens the console before devtmpfs is mounted (devices.txt: 5/1, 1/3).
		"dev/console": cpio.CharDev("dev/console", 0o600, 5, 1),
		"dev/null":    cpio.CharDev("dev/null", 0o666, 1, 3),
	}
	for _, d := range folders {
		records[d] = cpio.Directory(d, 0o755)
	}
	for k, f := range b.files {
		if f.Mode&fs.ModeSymlink != 0 {
			records[k] = cpio.Symlink(k, string(f.Data))
		} else {
			records[k] = cpio.StaticFile(k, string(f.Data), uint64(f.Mode.Perm()))
		}
		for d := path.Dir(k); d != "."; d = path.Dir(d) {
			if above, ok := b.files[d]; ok {
				return fmt.Errorf("%s is below %s, which is a file", k, above.Path)
			}
			records[d] = cpio.Directory(d, 0o755)
		}
	}
	names := make([]string, 0, len(records))
	for k := range records {
		names = append(names, k)
	}
	slices.Sort(names)
	rw := cpio.Newc.Writer(w)
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := records[name]
		r.Info.Ino, r.Info.NLink, r.Info.MTime = uint64(i+1), 1, 0
		if err := rw.WriteRecord(r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return cpio.WriteTrailer(rw)
}
