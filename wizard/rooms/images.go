package rooms

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"portolan/chroot"
	"portolan/chroot/debian"
	"portolan/chroot/image"
	"portolan/chroot/initramfs"
	"portolan/flashers/bootimg"
	"portolan/templates"
	"portolan/wizard"
)

// rootLabel is what the initramfs looks for where the root is not encrypted.
const rootLabel = "portolan-root"

// Image makes the root filesystem, the initramfs out of it, and both images.
func (w *Workshop) Image(ctx context.Context, job wizard.ImageJob) (boot, root wizard.ReportPackage, err error) {
	b, err := w.open(ctx, job.Suite, job.Work)
	if err != nil {
		return boot, root, err
	}
	say(job, "installing the packages into a Debian %s root", job.Arch)
	system, err := b.RootFS(ctx, debian.RootFSOptions{
		Arch: job.Arch, Packages: templates.InitramfsPackages(), Debs: job.Debs,
		Hostname: job.Hostname, User: job.User, AuthorizedKeys: []string{job.AuthorizedKey}, HostKey: job.HostKey,
	})
	if err != nil {
		return boot, root, translate("make the phone's root filesystem", err)
	}
	toolbox, err := b.Toolbox(ctx)
	if err != nil {
		return boot, root, translate("make the toolbox", err)
	}
	tools := w.engine.Chroot("image", toolbox...)
	if err := sweep(filepath.Dir(job.Root)); err != nil {
		return boot, root, translate("make the images", err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(job.Root), making)
	if err != nil {
		return boot, root, translate("make the images", err)
	}
	defer os.RemoveAll(dir)
	if err := w.boot(ctx, job, tools, system.Layers, dir); err != nil {
		return boot, root, err
	}
	raw := filepath.Join(dir, "root.img")
	say(job, "making the root image")
	if _, err := image.Ext4(ctx, tools, system.Layers, raw, image.Ext4Options{Label: rootLabel}); err != nil {
		return boot, root, translate("make the root image", err)
	}
	if err := os.Chmod(raw, 0o600); err != nil { // the phone's host key is in it
		return boot, root, translate("make the root image", err)
	}
	if job.Passphrase != nil {
		say(job, "encrypting the root image with LUKS2")
		if err := image.Encrypt(ctx, tools, raw, job.Passphrase, image.LUKSOptions{}); err != nil {
			return boot, root, translate("encrypt the root image", err)
		}
	}
	if boot, err = describe(ctx, filepath.Join(dir, "boot.img")); err != nil {
		return boot, root, err
	}
	if root, err = describe(ctx, raw); err != nil {
		return boot, root, err
	}
	for _, p := range []struct {
		from *wizard.ReportPackage
		to   string
	}{{&boot, job.Boot}, {&root, job.Root}} {
		if err := place(p.from.Path, p.to); err != nil {
			return boot, root, translate("put the images into their place", err)
		}
		p.from.Path = p.to
	}
	return boot, root, nil
}

// making begins the names of folders in which images grow.
const making = ".making-"

// sweep removes what a killed run left: a root image that may not be encrypted
// yet. The voyage holds the port's lock, so nobody works in it.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), making) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func say(job wizard.ImageJob, format string, args ...any) {
	if job.Work.Line != nil {
		job.Work.Line(wizard.LineNote, fmt.Sprintf(format, args...))
	}
}

// boot makes the initramfs and the boot image in dir.
func (w *Workshop) boot(ctx context.Context, job wizard.ImageJob, tools chroot.Chroot, layers []chroot.Layer, dir string) error {
	m := job.Model
	files, err := templates.Initramfs(m)
	if err != nil {
		return fmt.Errorf("make the initramfs' files: %w", err)
	}
	spec := initramfs.Spec{Programs: templates.InitramfsPrograms(), Modules: templates.InitramfsModules(m)}
	for _, f := range files {
		spec.Files = append(spec.Files, initramfs.File{Path: f.Path, Mode: f.Mode, Data: f.Data})
	}
	var roots []string // topmost first
	for i := len(layers) - 1; i >= 0; i-- {
		roots = append(roots, layers[i].Dir)
	}
	say(job, "packing the initramfs")
	ramdisk := filepath.Join(dir, "initramfs")
	if _, err := initramfs.Build(ctx, roots, spec, ramdisk); err != nil {
		return translate("pack the initramfs", err)
	}
	img := &bootimg.Image{Header: bootimg.Header{
		Version: uint32(m.BootImage.HeaderVersion), PageSize: uint32(m.BootImage.PageSize),
		Cmdline: strings.Join(m.Cmdline(), " "),
	}}
	if img.Ramdisk, err = os.ReadFile(ramdisk); err != nil {
		return fmt.Errorf("read the initramfs: %w", err)
	}
	if img.Kernel, err = readKernel(ctx, tools, layers, m.KernelImage()); err != nil {
		return err
	}
	if img.Version == 2 {
		if img.DTB, err = stockDTB(job.Stock); err != nil {
			return err
		}
	}
	bootimg.Offsets{
		Base: bootimg.Hex(m.BootImage.Base), Kernel: bootimg.Hex(m.BootImage.KernelOffset), Ramdisk: bootimg.Hex(m.BootImage.RamdiskOffset),
		Second: bootimg.Hex(m.BootImage.SecondOffset), Tags: bootimg.Hex(m.BootImage.TagsOffset), DTB: bootimg.Hex(m.BootImage.DTBOffset),
	}.Apply(img)
	if err := img.Validate(); err != nil {
		return fmt.Errorf("make the boot image: %w", err)
	}
	out, err := os.Create(filepath.Join(dir, "boot.img"))
	if err != nil {
		return fmt.Errorf("make the boot image: %w", err)
	}
	if err := errors.Join(img.Write(out), out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("make the boot image: %w", err)
	}
	return nil
}

// readKernel takes the kernel out of the root filesystem.
func readKernel(ctx context.Context, tools chroot.Chroot, layers []chroot.Layer, path string) ([]byte, error) {
	tools.Binds = append(append([]chroot.Bind(nil), tools.Binds...), chroot.Bind{Layers: layers, Target: "/tmp/root"})
	var out bytes.Buffer
	err := tools.Run(ctx, chroot.Cmd{Argv: []string{"cat", "/tmp/root" + path}, Stdout: &limited{w: &out, left: bootimg.MaxSize}})
	if err != nil {
		return nil, fmt.Errorf("take the kernel %s out of the root filesystem: %w; does the kernel package install it there?", path, err)
	}
	return out.Bytes(), nil
}

// limited refuses more than left bytes.
type limited struct {
	w    io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errors.New("the kernel is too large for a boot image")
	}
	l.left -= int64(len(p))
	return l.w.Write(p)
}

// stockDTB is the device tree that the phone came with.
func stockDTB(file string) ([]byte, error) {
	img, err := readImage(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNoDTB
	}
	if err != nil {
		return nil, fmt.Errorf("take the device tree out of %s: %w", file, err)
	}
	if len(img.DTB) == 0 {
		return nil, errNoDTB
	}
	return img.DTB, nil
}

// describe hashes a finished image.
func describe(ctx context.Context, path string) (wizard.ReportPackage, error) {
	f, err := os.Open(path)
	if err != nil {
		return wizard.ReportPackage{}, err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return f.Read(p)
	}))
	if err != nil {
		return wizard.ReportPackage{}, fmt.Errorf("hash %s: %w", path, err)
	}
	return wizard.ReportPackage{Path: path, Size: size, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// place gives a finished image its name; the old one is there until then.
func place(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(from, to)
}
