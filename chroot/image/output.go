package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"portolan/chroot"
)

// inside is where the folder of an output in the making is seen by the programs.
// It lies in /tmp, which is a tmpfs in every chroot, the host's view included.
const inside = "/tmp/output"

// output is a file in the making.
type output struct {
	final string
	dir   string // beside final; holds the file and what its making needs
}

// newOutput starts one. What an interrupted run left is dropped.
func newOutput(ctx context.Context, final string) (*output, error) {
	abs, err := filepath.Abs(final)
	if err != nil {
		return nil, fmt.Errorf("make image %s: %w", final, err)
	}
	o := &output{final: abs, dir: filepath.Join(filepath.Dir(abs), "."+filepath.Base(abs)+".part")}
	if err := os.RemoveAll(o.dir); err != nil {
		return nil, fmt.Errorf("make image %s: drop what an interrupted run left: %w", final, err)
	}
	if err := os.Mkdir(o.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make image %s: %w", final, err)
	}
	return o, ctx.Err()
}

func (o *output) path(name string) string { return filepath.Join(o.dir, name) }

// in adds the output's folder to what a chroot sees.
func (o *output) in(tools chroot.Chroot) chroot.Chroot {
	tools.Binds = append(append([]chroot.Bind(nil), tools.Binds...), chroot.Bind{Source: o.dir, Target: inside})
	return tools
}

// commit writes the file name out to the disk and gives it its final name.
func (o *output) commit(name string) error {
	f, err := os.Open(o.path(name))
	if err != nil {
		return fmt.Errorf("finish %s: %w", o.final, err)
	}
	err = f.Sync()
	f.Close()
	if err != nil {
		return o.explain(fmt.Errorf("finish %s: %w", o.final, err), 0)
	}
	if err := os.Rename(o.path(name), o.final); err != nil {
		return fmt.Errorf("finish %s: %w", o.final, err)
	}
	return nil
}

func (o *output) drop() { os.RemoveAll(o.dir) }

// explain turns a full disk into a *chroot.NoSpaceError. Programs only tell it
// in their words.
func (o *output) explain(err error, need int64) error {
	full := errors.Is(err, syscall.ENOSPC)
	var exit *chroot.ExitError
	if errors.As(err, &exit) {
		full = full || strings.Contains(strings.Join(exit.Tail, "\n"), syscall.ENOSPC.Error()) ||
			strings.Contains(strings.Join(exit.Tail, "\n"), "No space left on device")
	}
	if !full {
		return err
	}
	free, _ := chroot.FreeSpace(o.dir)
	return fmt.Errorf("%w (%w)", &chroot.NoSpaceError{Path: filepath.Dir(o.final), Need: need, Free: free}, err)
}
