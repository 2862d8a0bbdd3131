package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"portolan/chroot"
)

// Ext4Options shape a filesystem.
type Ext4Options struct {
	// Size in bytes, rounded down to the filesystem's block; 0 means what the
	// content takes and Margin.
	Size   int64
	Margin int64  // bytes left free when Size is 0; 0 means DefaultMargin
	Label  string // at most 16 bytes
	// UUID of the filesystem, also the seed of its directory hashes. With it and
	// the same content the image is the same to the byte. Empty means random.
	UUID string
}

// DefaultMargin is room for a first boot: host keys, journal, a few packages.
const DefaultMargin = 128 << 20

// blockSize is the page size of every phone, and the largest block that all kernels mount.
const blockSize = 4096

// mke2fsConf lists the features by name, so that neither the version of mke2fs
// nor its host's configuration decides what a phone's kernel must know. All of
// them are in Linux 3.0 (ext4(5)); metadata_csum, 64bit, metadata_csum_seed and
// orphan_file are newer and left out.
const mke2fsConf = `[defaults]
	base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
	default_mntopts = acl,user_xattr
	blocksize = 4096
	inode_size = 256
	inode_ratio = 16384
	enable_periodic_fsck = 0
[fs_types]
	ext4 = {
		features = has_journal,extent,huge_file,flex_bg,dir_nlink,extra_isize
	}
	floppy = {
		blocksize = 4096
	}
	small = {
		blocksize = 4096
	}
	big = {
		blocksize = 4096
	}
	huge = {
		blocksize = 4096
	}
`

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	labelForm = regexp.MustCompile(`^[A-Za-z0-9_.+-]{0,16}$`)
)

// Ext4 makes the file out: an ext4 filesystem with the merged content of root
// (lowest layer first), owners, modes and extended attributes kept. It returns
// the size of the file in bytes. A full disk is a *chroot.NoSpaceError.
func Ext4(ctx context.Context, tools chroot.Chroot, root []chroot.Layer, out string, opt Ext4Options) (int64, error) {
	if opt.UUID != "" && !uuidForm.MatchString(opt.UUID) {
		return 0, fmt.Errorf("make image %s: %q is not a UUID", out, opt.UUID)
	}
	if !labelForm.MatchString(opt.Label) {
		return 0, fmt.Errorf("make image %s: label %q: at most 16 letters, digits, and _ . + -", out, opt.Label)
	}
	if len(root) == 0 {
		return 0, fmt.Errorf("make image %s: no root filesystem given", out)
	}
	o, err := newOutput(ctx, out)
	if err != nil {
		return 0, err
	}
	defer o.drop()
	if err := os.WriteFile(o.path("mke2fs.conf"), []byte(mke2fsConf), 0o644); err != nil {
		return 0, o.explain(fmt.Errorf("make image %s: %w", out, err), 0)
	}
	tools = o.in(tools)
	tools.Binds = append(tools.Binds, chroot.Bind{Layers: root, Target: "/tmp/root"})
	content, err := tools.Measure(ctx, "/tmp/root")
	if err != nil {
		return 0, fmt.Errorf("make image %s: %w", out, err)
	}
	size, inodes := ext4Size(content, opt)
	if err := chroot.NeedSpace(o.dir, content.Bytes+content.Inodes*256+64<<20); err != nil {
		return 0, fmt.Errorf("make image %s: %w", out, err)
	}
	for try := 0; ; try++ {
		err = mke2fs(ctx, tools, o, size, inodes, opt)
		// Only content that does not fit is worth another try: sizes are an estimate.
		if err == nil || opt.Size > 0 || try == 3 || !tooSmall(err) {
			break
		}
		size = roundUp(size+size/4, 1<<20)
	}
	if err != nil {
		if opt.Size > 0 && tooSmall(err) {
			return 0, fmt.Errorf("make image %s: %d MiB of files do not fit in %d MiB: take packages out of the image, or give it more room: %w", out, content.Bytes>>20, size>>20, err)
		}
		return 0, o.explain(fmt.Errorf("make image %s: %w", out, err), size)
	}
	return size, o.commit("image")
}

// ext4Size estimates from the content: contents in whole blocks, an inode and
// a share of the tables for each file, the journal, and the margin.
func ext4Size(m chroot.Measure, opt Ext4Options) (size, inodes int64) {
	if opt.Size > 0 {
		size = opt.Size / blockSize * blockSize
	} else {
		margin := opt.Margin
		if margin <= 0 {
			margin = DefaultMargin
		}
		const journal = 64 << 20
		size = roundUp(m.Bytes+m.Bytes/50+m.Inodes*1024+journal+margin, 1<<20)
	}
	// Room for as many more files as one in 16 KiB of free space.
	inodes = m.Inodes + m.Inodes/10 + max(4096, (size-m.Bytes)/16384)
	return size, inodes
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

func mke2fs(ctx context.Context, tools chroot.Chroot, o *output, size, inodes int64, opt Ext4Options) error {
	if err := os.RemoveAll(o.path("image")); err != nil {
		return err
	}
	f, err := os.Create(o.path("image"))
	if err != nil {
		return err
	}
	err = errors.Join(f.Truncate(size), f.Close())
	if err != nil {
		return err
	}
	return tools.Run(ctx, chroot.Cmd{
		Argv: mke2fsArgv(size, inodes, opt),
		Env:  append([]string{"MKE2FS_CONFIG=" + inside + "/mke2fs.conf"}, fixedTime(opt)...),
	})
}

// mke2fsArgv is the command for one filesystem.
func mke2fsArgv(size, inodes int64, opt Ext4Options) []string {
	argv := []string{"mke2fs", "-q", "-F", "-t", "ext4", "-b", fmt.Sprint(blockSize), "-m", "1", "-N", fmt.Sprint(inodes)}
	// Without lazy initialisation the phone need not finish mke2fs's work.
	extended := []string{"lazy_itable_init=0", "lazy_journal_init=0", "root_owner=0:0"}
	if opt.UUID != "" {
		argv = append(argv, "-U", opt.UUID)
		extended = append(extended, "hash_seed="+opt.UUID)
	}
	if opt.Label != "" {
		argv = append(argv, "-L", opt.Label)
	}
	return append(argv, "-E", strings.Join(extended, ","), "-d", "/tmp/root", inside+"/image", fmt.Sprint(size/blockSize))
}

// fixedTime keeps the time of making out of a reproducible image. Old versions
// of e2fsprogs know the first name, new ones (1.47.1) the second.
func fixedTime(opt Ext4Options) []string {
	if opt.UUID == "" {
		return nil
	}
	return []string{"E2FSPROGS_FAKE_TIME=1", "SOURCE_DATE_EPOCH=1"}
}

// tooSmall tells that mke2fs ran out of blocks or inodes of the filesystem, not of the disk.
func tooSmall(err error) bool {
	var exit *chroot.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	said := strings.Join(exit.Tail, "\n")
	return strings.Contains(said, "Could not allocate") || strings.Contains(said, "not enough") || strings.Contains(said, "too small") || strings.Contains(said, "No free space")
}
