package chroot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Upper keeps what the commands of a Chroot write, from one Run to the next.
type Upper struct {
	e   *Engine
	dir string // root/ holds the files, work/ is overlayfs's own
	mu  sync.Mutex

	// volatile skips every sync: what a crash leaves is dropped anyway.
	volatile bool
}

// NewUpper makes an empty one. It must be given back with Remove; one that a
// killed run left is swept by the next Open.
func (e *Engine) NewUpper(name string) (*Upper, error) {
	dir, err := e.tempDir(strings.ReplaceAll(name, "/", "-"))
	if err != nil {
		return nil, err
	}
	u, err := e.OpenUpper(dir)
	if err != nil {
		return nil, err
	}
	u.volatile = true
	return u, nil
}

// OpenUpper keeps writes in a folder of the caller's choice, below the work
// folder, where they stay when the program ends.
func (e *Engine) OpenUpper(dir string) (*Upper, error) {
	for _, d := range []string{"root", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("make an upper folder: %w", err)
		}
	}
	// The root folder of the chroot takes its mode from here.
	if err := os.Chmod(filepath.Join(dir, "root"), 0o755); err != nil {
		return nil, fmt.Errorf("make an upper folder: %w", err)
	}
	return &Upper{e: e, dir: dir}, nil
}

// Dir is the folder with the files that were written.
func (u *Upper) Dir() string { return filepath.Join(u.dir, "root") }

// Remove deletes what was written.
func (u *Upper) Remove(ctx context.Context) error { return u.e.removeTrees(ctx, []string{u.dir}) }
