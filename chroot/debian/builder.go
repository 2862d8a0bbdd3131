package debian

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"portolan/chroot"
)

//go:embed scripts
var scripts embed.FS

// Builder makes Debian toolboxes, packages and root filesystems. Its methods may
// be called at the same time: who needs a layer that is being made waits for it.
type Builder struct {
	Engine *chroot.Engine
	Suite  string // Debian release; "" is DefaultSuite
	Mirror string // of the Debian archive; "" is the host's own, see HostMirror

	mu    sync.Mutex
	locks map[string]*sync.Mutex // by layer and by apt cache
}

func (b *Builder) suite() string {
	if b.Suite == "" {
		return DefaultSuite
	}
	return b.Suite
}

// suiteName is what may stand in a sources.list line and a layer's name.
func suiteName(s string) bool {
	return len(s) <= 40 && packageName.MatchString(s)
}

// lock serialises the work on one named thing; a context that ends gives up waiting.
func (b *Builder) lock(ctx context.Context, name string) (unlock func(), err error) {
	b.mu.Lock()
	if b.locks == nil {
		b.locks = map[string]*sync.Mutex{}
	}
	m := b.locks[name]
	if m == nil {
		m = new(sync.Mutex)
		b.locks[name] = m
	}
	b.mu.Unlock()
	for !m.TryLock() {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return m.Unlock, nil
}

func (b *Builder) mirror(ctx context.Context) (Mirror, error) {
	if b.Mirror != "" {
		return NewMirror(b.Mirror)
	}
	return HostMirror(ctx, "/")
}

// recipe names a layer after everything that goes into it, the mirror excepted.
func recipe(name string, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return name + "-" + hex.EncodeToString(h.Sum(nil))[:12]
}

// Recipe identifies how this builder works: it is another one when a script of
// it changes, so that what an older Portolan made is made anew.
func Recipe() string { return scriptsHash() }

// layer returns the layer id, made with f if it is not there.
func (b *Builder) layer(ctx context.Context, id, what string, parents []chroot.Layer, f func(tx *chroot.LayerTx, m Mirror) error) (chroot.Layer, error) {
	if b.Engine == nil {
		return chroot.Layer{}, errors.New("the Debian builder has no engine")
	}
	if !suiteName(b.suite()) {
		return chroot.Layer{}, fmt.Errorf("suite %q is not a name of a Debian release such as %s", clip(b.suite(), 80), DefaultSuite)
	}
	unlock, err := b.lock(ctx, "layer "+id)
	if err != nil {
		return chroot.Layer{}, err
	}
	defer unlock()
	l, err := b.Engine.Layer(id)
	if err == nil || !errors.Is(err, chroot.ErrNoLayer) {
		return l, err
	}
	m, err := b.mirror(ctx)
	if err != nil {
		return chroot.Layer{}, err
	}
	l, err = b.Engine.CreateLayer(ctx, id, parents, func(tx *chroot.LayerTx) error { return f(tx, m) })
	if err != nil && ctx.Err() == nil {
		return l, fmt.Errorf("make %s: %w", what, err)
	}
	return l, err
}

// scriptsDir writes the embedded scripts where a chroot can bind them.
func (b *Builder) scriptsDir() (string, error) {
	hash := scriptsHash()
	parent, err := b.Engine.Dir("cache", "debian")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, "scripts-"+hash)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	tmp, err := os.MkdirTemp(parent, ".scripts-")
	if err != nil {
		return "", fmt.Errorf("write the engine's scripts: %w", err)
	}
	defer os.RemoveAll(tmp)
	entries, err := scripts.ReadDir("scripts")
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		data, err := scripts.ReadFile("scripts/" + e.Name())
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(tmp, e.Name()), data, 0o644); err != nil {
			return "", fmt.Errorf("write the engine's scripts: %w", err)
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.ENOTEMPTY) {
		return "", fmt.Errorf("write the engine's scripts: %w", err)
	}
	return dir, nil
}

var scriptsHash = sync.OnceValue(func() string {
	h := sha256.New()
	entries, _ := scripts.ReadDir("scripts") // embedded: cannot fail
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	for _, e := range entries {
		data, _ := scripts.ReadFile("scripts/" + e.Name())
		fmt.Fprintf(h, "%s %d\n%s", e.Name(), len(data), data)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
})

// script is the text of an embedded script, for recipes.
func script(names ...string) string {
	var all strings.Builder
	for _, n := range names {
		data, err := scripts.ReadFile("scripts/" + n)
		if err != nil {
			panic(err) // a name that is not in this package
		}
		all.Write(data)
	}
	return all.String()
}

// aptJob is one run of a script that uses apt in a chroot.
type aptJob struct {
	script string
	args   []string
	arch   string // of the packages
	status string // dpkg status file in the chroot; "" is the chroot's own
	mirror Mirror
	env    []string
	line   func(string)
	what   string // "install the build dependencies …", for errors
}

// apt runs job in c with the kept lists and archives of its architecture.
func (b *Builder) apt(ctx context.Context, c chroot.Chroot, job aptJob) error {
	cache, err := b.Engine.Dir("cache", "apt", b.suite(), job.arch)
	if err != nil {
		return err
	}
	dir, err := b.scriptsDir()
	if err != nil {
		return err
	}
	unlock, err := b.lock(ctx, "apt "+job.arch)
	if err != nil {
		return err
	}
	defer unlock()
	c.Network = true
	c.Binds = append(c.Binds[:len(c.Binds):len(c.Binds)],
		chroot.Bind{Source: dir, Target: "/scripts", ReadOnly: true},
		chroot.Bind{Source: cache, Target: "/apt"},
		// For https mirrors: the toolbox has no certificates of its own.
		chroot.Bind{Source: "/etc/ssl/certs/ca-certificates.crt", Target: "/etc/ssl/certs/ca-certificates.crt", ReadOnly: true, Optional: true})
	offline := ""
	if b.Engine.Offline() {
		offline = "1"
	}
	env := append([]string{"APT_ARCH=" + job.arch, "APT_STATUS=" + job.status, "OFFLINE=" + offline,
		"SOURCES=" + strings.Join(job.mirror.Lines(b.suite()), "\n")}, job.env...)
	return b.run(ctx, c, chroot.Cmd{Argv: append([]string{"sh", "/scripts/" + job.script}, job.args...), Env: env, Line: job.line}, job.mirror, job.what)
}

// run runs cmd and turns its failure into the error that says what to do: the
// mirror was not reached, the disk is full, or the command's own words.
func (b *Builder) run(ctx context.Context, c chroot.Chroot, cmd chroot.Cmd, m Mirror, what string) error {
	watch := &aptWatch{}
	also := cmd.Line
	cmd.Line = func(s string) {
		watch.line(s)
		if also != nil {
			also(s)
		}
	}
	err := c.Run(ctx, cmd)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if watch.full || errors.Is(err, unix.ENOSPC) {
		return newDiskFull(b.Engine.Work(), what, err)
	}
	var exit *chroot.ExitError
	if errors.As(err, &exit) && watch.network() {
		if b.Engine.Offline() {
			return &OfflineError{What: what}
		}
		return &MirrorError{Mirror: m, Tried: what, Output: watch.said(), Err: err}
	}
	return fmt.Errorf("%s: %w", what, err)
}
