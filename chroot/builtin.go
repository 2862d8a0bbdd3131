package chroot

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// builtins are functions that pid 1 runs itself, with the ids of the namespace.
var builtins = map[string]func(args []string) (any, error){
	"probe":   func([]string) (any, error) { return nil, probeMount() },
	"remove":  func(args []string) (any, error) { return nil, removeAll(args) },
	"measure": func(args []string) (any, error) { return measure(args[0]) },
}

// builtin runs a function in pid 1 on the host's files, with no root set up.
// The result is JSON.
func (e *Engine) builtin(ctx context.Context, name string, args []string) (string, error) {
	r, err := e.start(ctx, spec{Name: name, Builtin: name, Args: args}, files{out: io.Discard, err: io.Discard})
	if err != nil {
		return "", err
	}
	return r.Result, nil
}

func runBuiltin(s spec) report {
	f, ok := builtins[s.Builtin]
	if !ok {
		return failed(fmt.Errorf("no builtin %q", s.Builtin))
	}
	result, err := f(s.Args)
	if err != nil {
		return failed(err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return failed(err)
	}
	return report{Event: "exit", Result: string(text)}
}

// probeMount tries what AppArmor refuses in a user namespace that it let be made.
func probeMount() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("a mount in a user namespace is refused: %w", err)
	}
	return nil
}

func removeAll(paths []string) error {
	for _, p := range paths {
		if err := os.RemoveAll(p); err != nil {
			return err
		}
	}
	return nil
}

// Measure is the size of a tree as a filesystem will hold it.
type Measure struct {
	Bytes  int64 // of file contents, each rounded up to 4096
	Inodes int64
}

func measure(dir string) (Measure, error) {
	var m Measure
	seen := map[[2]uint64]bool{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return &fs.PathError{Op: "lstat", Path: p, Err: err}
		}
		if st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			id := [2]uint64{uint64(st.Dev), st.Ino}
			if seen[id] {
				return nil
			}
			seen[id] = true
		}
		m.Inodes++
		if st.Mode&unix.S_IFMT == unix.S_IFREG || st.Mode&unix.S_IFMT == unix.S_IFDIR {
			m.Bytes += (st.Size + 4095) &^ 4095
		}
		return nil
	})
	return m, err
}

// Measure tells how big the tree at path in the chroot is.
func (c Chroot) Measure(ctx context.Context, path string) (Measure, error) {
	var m Measure
	scratch := ""
	if c.Upper == nil && len(c.Layers) > 0 {
		u, err := c.engine.NewUpper("measure")
		if err != nil {
			return m, err
		}
		scratch = u.dir
		defer func() {
			if os.Remove(scratch) != nil {
				c.engine.discard(scratch)
			}
		}()
	}
	s, err := c.spec(scratch)
	if err != nil {
		return m, err
	}
	s.Builtin, s.Args = "measure", []string{path}
	r, err := c.engine.start(ctx, s, files{})
	if err != nil {
		return m, fmt.Errorf("measure %s: %w", path, err)
	}
	return m, json.Unmarshal([]byte(r.Result), &m)
}
