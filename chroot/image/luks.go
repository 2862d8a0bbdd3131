package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"portolan/chroot"
)

// LUKSOptions shape an encryption. The zero value is right for phones.
type LUKSOptions struct {
	Label string // at most 47 bytes
	UUID  string // of the LUKS header; empty means random
	// Memory of argon2id in KiB and its passes; 0 means DefaultMemory, DefaultPasses.
	// They are fixed instead of measured here, because not this computer but the
	// phone will wait for them.
	Memory, Passes int
}

// Defaults of argon2id: a phone with 512 MiB has room for it in its initramfs,
// and a Cortex-A53 is done in one to two seconds. One thread, because the
// initramfs may run before the other cores are up.
const (
	DefaultMemory = 65536 // KiB
	DefaultPasses = 4     // cryptsetup's least
)

const (
	// luksHeader is the space before the data: cryptsetup's default (16 MiB).
	luksHeader = 16 << 20
	// luksReduce is what "reencrypt --encrypt" wants at the end of the device to
	// move the data: twice the header. The second half is not used afterwards.
	luksReduce = 2 * luksHeader
)

// ErrPassphrase says that no key slot opens with a passphrase.
var ErrPassphrase = errors.New("no key available with this passphrase")

// Encrypt replaces the plain image at path by its encryption with LUKS2
// (aes-xts-plain64 with a 512 bit key, sectors of 512 bytes so that a partition
// of any size will do, argon2id). The file grows by 16 MiB. The passphrase goes
// through a pipe and nowhere else; the caller wipes it.
func Encrypt(ctx context.Context, tools chroot.Chroot, path string, passphrase []byte, opt LUKSOptions) error {
	if len(passphrase) == 0 {
		return fmt.Errorf("encrypt %s: the passphrase is empty", path)
	}
	if bytes.IndexByte(passphrase, '\n') >= 0 {
		return fmt.Errorf("encrypt %s: the passphrase holds a line end, which cannot be typed at the phone's prompt", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if info.Size()%512 != 0 || info.Size() == 0 {
		return fmt.Errorf("encrypt %s: its size of %d bytes is not a whole number of 512-byte sectors", path, info.Size())
	}
	o, err := newOutput(ctx, path)
	if err != nil {
		return err
	}
	defer o.drop()
	need := info.Size() + luksReduce
	if err := chroot.NeedSpace(o.dir, need); err != nil { // every sector is written, holes too
		return fmt.Errorf("encrypt %s: %w", path, err)
	}
	if err := copySparse(ctx, path, o.path("image")); err != nil {
		return o.explain(fmt.Errorf("encrypt %s: %w", path, err), need)
	}
	if err := reserve(o.path("image"), need); err != nil {
		return o.explain(fmt.Errorf("encrypt %s: %w", path, err), need)
	}
	// It puts a temporary header, without keys in the clear, in its current folder.
	cmd := chroot.Cmd{Argv: reencryptArgv(opt), Dir: "/tmp", Stdin: bytes.NewReader(passphrase), Deadline: 2 * time.Hour}
	if err := o.in(tools).Run(ctx, cmd); err != nil {
		return o.explain(fmt.Errorf("encrypt %s: %w", path, err), need)
	}
	if err := os.Truncate(o.path("image"), info.Size()+luksHeader); err != nil {
		return fmt.Errorf("encrypt %s: %w", path, err)
	}
	if err := test(ctx, o.in(tools), passphrase); err != nil {
		return fmt.Errorf("encrypt %s: the passphrase does not open the new image: %w", path, err)
	}
	return o.commit("image")
}

func reencryptArgv(opt LUKSOptions) []string {
	memory, passes := opt.Memory, opt.Passes
	if memory <= 0 {
		memory = DefaultMemory
	}
	if passes <= 0 {
		passes = DefaultPasses
	}
	argv := []string{"cryptsetup", "reencrypt", "--encrypt", "--type", "luks2", "--batch-mode",
		"--reduce-device-size", fmt.Sprintf("%dM", luksReduce>>20),
		"--cipher", "aes-xts-plain64", "--key-size", "512", "--sector-size", "512",
		"--pbkdf", "argon2id", "--pbkdf-memory", fmt.Sprint(memory), "--pbkdf-parallel", "1", "--pbkdf-force-iterations", fmt.Sprint(passes)}
	if opt.Label != "" {
		argv = append(argv, "--label", opt.Label)
	}
	if opt.UUID != "" {
		argv = append(argv, "--uuid", opt.UUID)
	}
	return append(argv, "--key-file", "-", inside+"/image")
}

// TestPassphrase returns ErrPassphrase unless the passphrase opens the image at path.
func TestPassphrase(ctx context.Context, tools chroot.Chroot, path string, passphrase []byte) error {
	tools.Binds = append(append([]chroot.Bind(nil), tools.Binds...), chroot.Bind{Source: path, Target: inside + "/image", ReadOnly: true})
	return test(ctx, tools, passphrase)
}

func test(ctx context.Context, tools chroot.Chroot, passphrase []byte) error {
	err := tools.Run(ctx, chroot.Cmd{
		Argv:  []string{"cryptsetup", "open", "--test-passphrase", "--batch-mode", "--key-file", "-", inside + "/image"},
		Stdin: bytes.NewReader(passphrase),
	})
	var exit *chroot.ExitError
	if errors.As(err, &exit) && exit.Code == 2 { // cryptsetup(8): 2 is no permission (bad passphrase)
		return ErrPassphrase
	}
	return err
}

// reserve makes the file size bytes long, all of them on the disk: cryptsetup
// does not say it when the disk is full.
func reserve(file string, size int64) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return &os.PathError{Op: "reserve", Path: file, Err: err}
	}
	return nil
}

// copySparse copies a file and leaves its holes out.
func copySparse(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	const chunk = 64 << 20 // between two looks at the context
	for at := int64(0); at < info.Size(); {
		data, err := in.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return err
		}
		hole, err := in.Seek(data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		for at = data; at < hole; {
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, err := in.Seek(at, io.SeekStart); err != nil {
				return err
			}
			if _, err := out.Seek(at, io.SeekStart); err != nil {
				return err
			}
			n, err := io.CopyN(out, in, min(chunk, hole-at))
			if err != nil {
				return err
			}
			at += n
		}
	}
	if err := out.Truncate(info.Size()); err != nil {
		return err
	}
	return out.Close()
}
