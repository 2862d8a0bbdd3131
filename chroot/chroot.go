package chroot

import (
	"fmt"
	"os"
	"path/filepath"
)

// Chroot is a root filesystem that commands can run in. It is a value: copy it
// and change its fields to derive another. Nothing is mounted between runs.
type Chroot struct {
	engine *Engine
	Name   string  // for logs and ps
	Layers []Layer // lowest first; none and no Upper means the host's own root, read-only
	Upper  *Upper  // where writes are kept; nil throws them away after each Run
	Binds  []Bind
	Tmpfs  []string // more places with a tmpfs besides /tmp, /run and /dev/shm
	// Network shares the host's network, with its resolv.conf and hosts.
	// Without it there is only a loopback interface.
	Network bool
	// Arch is the Debian name of a foreign architecture whose programs are run.
	// Run fails early, and says why, where that is impossible.
	Arch string
}

// Bind shows a file or folder of the host, or merged layers, in the chroot.
type Bind struct {
	Source   string
	Layers   []Layer // instead of Source: merged and read-only, lowest first
	Target   string  // absolute; made if it is not there
	ReadOnly bool
	Optional bool // nothing happens when Source is missing
	Keep     bool // a mount point that had to be made stays afterwards
}

// Chroot on layers, lowest first.
func (e *Engine) Chroot(name string, layers ...Layer) Chroot {
	return Chroot{engine: e, Name: name, Layers: layers}
}

// Host is a chroot that shows the host's own root read-only, with the same id
// map as every other: for programs of the host that work on layers or files.
// Bind what must be written, and everything below /tmp or /run.
func (e *Engine) Host(name string) Chroot {
	return Chroot{engine: e, Name: name}
}

// spec makes the specification of one run.
func (c Chroot) spec(scratch string) (spec, error) {
	e := c.engine
	if e == nil {
		return spec{}, fmt.Errorf("chroot %s was not made by an engine", c.Name)
	}
	s := spec{
		Name:     c.Name,
		Hostname: "portolan",
		Mnt:      filepath.Join(e.work, dirMnt),
		Host:     len(c.Layers) == 0 && c.Upper == nil,
		Tmpfs:    c.Tmpfs,
		Network:  c.Network && !e.offline,
		Binfmt:   e.interps,
	}
	if c.Arch != NativeArch() {
		s.Arch = c.Arch
	}
	for _, l := range c.Layers {
		s.Lower = append(s.Lower, l.Dir)
	}
	switch {
	case c.Upper != nil:
		s.Upper, s.Volatile = c.Upper.dir, c.Upper.volatile
	case !s.Host:
		s.Upper, s.Scratch, s.Volatile = scratch, scratch, true
	}
	for _, b := range c.Binds {
		t := bindSpec{Target: b.Target, ReadOnly: b.ReadOnly, Optional: b.Optional, Keep: b.Keep}
		for _, l := range b.Layers {
			t.Lower = append(t.Lower, l.Dir)
		}
		if len(t.Lower) == 0 {
			src, err := filepath.Abs(b.Source)
			if err != nil || b.Source == "" {
				return spec{}, fmt.Errorf("chroot %s: bind on %s without a source", c.Name, b.Target)
			}
			if _, err := os.Lstat(src); err != nil && !b.Optional {
				return spec{}, fmt.Errorf("chroot %s: bind on %s: %w", c.Name, b.Target, err)
			}
			t.Source = src
		}
		s.Binds = append(s.Binds, t)
	}
	return s, nil
}
