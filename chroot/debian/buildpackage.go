package debian

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"portolan/chroot"
)

// BuildOptions say what BuildPackage builds and how.
type BuildOptions struct {
	Source string // folder with debian/; it is copied, not written to
	Arch   string // Debian architecture of the packages: "arm64"
	Out    string // folder that gets the .deb files

	// Depends are packages wanted besides Build-Depends, such as linux-source-6.1.
	Depends []string
	// Keep names a folder that is kept between builds, bound at /build/NAME and
	// told to the build as KERNEL_BUILD. Empty builds from nothing.
	Keep string
	// KernelDeb is a linux-image .deb of the host, told to the build as KERNEL_DEB.
	KernelDeb string
	Env       []string // NAME=value; not for secrets

	// Objects is how many objects a build from nothing compiles; 0 takes the
	// count of the last build with the same Keep.
	Objects  int
	Progress func(done, total int, left time.Duration) // for each object; may be nil
	Line     func(string)                              // each line of output; may be nil
}

// Package is one built .deb file.
type Package struct {
	Name    string
	Version string
	Arch    string
	Path    string
	SHA256  string // hex
	Size    int64
}

// Limits of a build.
const (
	buildDeadline = 6 * time.Hour
	ccacheSize    = "2G"
)

// keepName is what a kept build folder may be called.
var keepName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$`)

// BuildPackage builds a Debian source package in a throw-away copy of the
// buildroot that its debian/control asks for. The .deb files appear in Out one by
// one by rename, after all were built. A build that fails is a *BuildError.
func (b *Builder) BuildPackage(ctx context.Context, o BuildOptions) ([]Package, error) {
	control, err := checkBuild(o)
	if err != nil {
		return nil, err
	}
	root, err := b.Buildroot(ctx, buildDepends(control, o))
	if err != nil {
		return nil, fmt.Errorf("prepare to build %s: %w", control.Source, err)
	}
	stage, err := stageIn(o.Out)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(stage)
	c, env, err := b.buildChroot(o, control.Source, stage, root)
	if err != nil {
		return nil, err
	}
	if err := b.runBuild(ctx, c, env, control.Source, o); err != nil {
		return nil, err
	}
	return collect(stage, o.Out)
}

func checkBuild(o BuildOptions) (*Control, error) {
	if !archName.MatchString(o.Arch) {
		return nil, fmt.Errorf("build %s: %q is not a Debian architecture", o.Source, clip(o.Arch, 40))
	}
	if o.Keep != "" && !keepName.MatchString(o.Keep) {
		return nil, fmt.Errorf("build %s: a kept folder cannot be called %q; letters, digits and . _ + - only", o.Source, clip(o.Keep, 100))
	}
	for _, d := range o.Depends {
		if !packageName.MatchString(d) {
			return nil, fmt.Errorf("build %s: %q is not a name of a Debian package", o.Source, clip(d, 100))
		}
	}
	f, err := os.Open(filepath.Join(o.Source, "debian", "control"))
	if err != nil {
		return nil, fmt.Errorf("build %s: a Debian source package has debian/control: %w", o.Source, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxControlFile+1))
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", o.Source, err)
	}
	control, err := ParseControl(text, chroot.NativeArch())
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", o.Source, err)
	}
	return control, nil
}

// buildDepends adds the compilers to what a package asks for. Debian takes a
// compiler for granted (build-essential, and crossbuild-essential for another
// architecture); here it only comes with packages that ask for more than the
// toolbox has, so that those that merely pack files need no buildroot.
func buildDepends(c *Control, o BuildOptions) []Dependency {
	deps := c.BuildDepends
	for _, d := range o.Depends {
		deps = append(deps, Dependency{Name: d})
	}
	if len(beyondToolbox(deps)) == 0 {
		return nil
	}
	deps = append(deps, Dependency{Name: "gcc"}, Dependency{Name: "libc6-dev"}, Dependency{Name: "ccache"})
	if o.Arch != chroot.NativeArch() {
		if triplet := gnuTriplet[o.Arch]; triplet != "" {
			deps = append(deps, Dependency{Name: "gcc-" + strings.ReplaceAll(triplet, "_", "-")})
		}
	}
	return deps
}

// gnuTriplet is dpkg-architecture's DEB_HOST_GNU_TYPE for phones' architectures.
var gnuTriplet = map[string]string{"arm64": "aarch64-linux-gnu", "armhf": "arm-linux-gnueabihf", "armel": "arm-linux-gnueabi",
	"amd64": "x86_64-linux-gnu", "i386": "i686-linux-gnu", "riscv64": "riscv64-linux-gnu"}

// stageIn makes a folder beside the results, so that they can be renamed into
// place, and removes those of builds that were killed.
func stageIn(out string) (string, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", fmt.Errorf("make the folder for packages: %w", err)
	}
	old, err := filepath.Glob(filepath.Join(out, ".build-*"))
	if err != nil {
		return "", err
	}
	for _, d := range old {
		if info, err := os.Stat(d); err == nil && time.Since(info.ModTime()) > buildDeadline {
			os.RemoveAll(d)
		}
	}
	stage, err := os.MkdirTemp(out, ".build-")
	if err != nil {
		return "", fmt.Errorf("make a folder for packages: %w", err)
	}
	return stage, os.Chmod(stage, 0o755)
}

func (b *Builder) buildChroot(o BuildOptions, source, stage string, root []chroot.Layer) (chroot.Chroot, []string, error) {
	c := b.Engine.Chroot("build-"+source, root...)
	dir, err := b.scriptsDir()
	if err != nil {
		return c, nil, err
	}
	ccache, err := b.Engine.Dir("ccache")
	if err != nil {
		return c, nil, err
	}
	c.Binds = []chroot.Bind{
		{Source: dir, Target: "/scripts", ReadOnly: true},
		{Source: o.Source, Target: "/input/source", ReadOnly: true},
		{Source: stage, Target: "/out"},
		{Source: ccache, Target: "/ccache"},
	}
	env := []string{"BUILD_ARCH=" + o.Arch, "LC_ALL=C.UTF-8", "CCACHE_DIR=/ccache", "CCACHE_MAXSIZE=" + ccacheSize,
		"DEB_BUILD_OPTIONS=nocheck parallel=" + strconv.Itoa(b.Engine.Jobs())}
	if o.Keep != "" {
		keep, err := b.Engine.Dir("build", o.Keep)
		if err != nil {
			return c, nil, err
		}
		c.Binds = append(c.Binds, chroot.Bind{Source: keep, Target: "/build/" + o.Keep})
		env = append(env, "KERNEL_BUILD=/build/"+o.Keep)
	}
	if o.KernelDeb != "" {
		c.Binds = append(c.Binds, chroot.Bind{Source: o.KernelDeb, Target: "/input/kernel.deb", ReadOnly: true})
		env = append(env, "KERNEL_DEB=/input/kernel.deb")
	}
	return c, append(env, o.Env...), nil
}

// runBuild runs the build, logs it and counts its objects.
func (b *Builder) runBuild(ctx context.Context, c chroot.Chroot, env []string, source string, o BuildOptions) error {
	if o.Keep != "" { // two makes in one folder would ruin it
		unlock, err := b.lock(ctx, "build "+o.Keep)
		if err != nil {
			return err
		}
		defer unlock()
	}
	logs, err := b.Engine.Dir("logs")
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(logs, "build-"+source+".log"))
	if err != nil {
		return fmt.Errorf("make the build's log: %w", err)
	}
	defer log.Close()
	buffer := bufio.NewWriter(log)
	count := b.lastCount(o)
	objects := NewObjects(max(o.Objects, count))
	watch := &failure{}
	full := false
	line := func(s string) {
		_, _ = buffer.WriteString(s)
		_ = buffer.WriteByte('\n')
		watch.line(s)
		full = full || strings.Contains(s, "No space left on device")
		if objects.Line(s) && o.Progress != nil {
			o.Progress(objects.Done(), objects.Total(), objects.Left())
		}
		if o.Line != nil {
			o.Line(s)
		}
	}
	err = c.Run(ctx, chroot.Cmd{Argv: []string{"sh", "/scripts/build.sh", source}, Env: env, Line: line, Deadline: buildDeadline})
	buffer.Flush()
	switch {
	case err == nil:
		b.saveCount(o, max(objects.Done(), count))
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case full || errors.Is(err, unix.ENOSPC):
		return newDiskFull(b.Engine.Work(), "build "+source, err)
	}
	var exit *chroot.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("build %s: %w", source, err)
	}
	return &BuildError{Package: source, FirstError: watch.first, Tail: watch.tail, Log: log.Name(), Err: fmt.Errorf("exit status %d", exit.Code)}
}

// The count of a build from nothing lies beside the kept folder: a later build
// compiles fewer and must not lower it.
func (b *Builder) countFile(o BuildOptions) string {
	return filepath.Join(b.Engine.Work(), "build", o.Keep+".objects")
}

func (b *Builder) lastCount(o BuildOptions) int {
	if o.Keep == "" || o.Objects > 0 {
		return 0
	}
	text, err := os.ReadFile(b.countFile(o))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 0 || n > 1<<20 {
		return 0
	}
	return n
}

// saveCount only serves the next build's progress, so its failure is passed over.
func (b *Builder) saveCount(o BuildOptions, n int) {
	if o.Keep != "" && n > 0 {
		_ = os.WriteFile(b.countFile(o), []byte(strconv.Itoa(n)+"\n"), 0o644)
	}
}

// collect reads the list that build.sh wrote and renames the packages into place.
func collect(stage, out string) ([]Package, error) {
	// A build may leave links there, which would lead out of the chroot.
	index := filepath.Join(stage, "packages.tsv")
	if !regular(index) {
		return nil, errors.New("the build left no list of packages")
	}
	text, err := os.ReadFile(index)
	if err != nil {
		return nil, fmt.Errorf("read the build's list of packages: %w", err)
	}
	var list []Package
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 || f[3] != filepath.Base(f[3]) || !strings.HasSuffix(f[3], ".deb") {
			return nil, fmt.Errorf("the build's list of packages has the line %q", clip(line, 200))
		}
		p := Package{Name: f[0], Version: f[1], Arch: f[2], Path: filepath.Join(stage, f[3])}
		if !regular(p.Path) {
			return nil, fmt.Errorf("the build's package %s is not a plain file", f[3])
		}
		if p.SHA256, p.Size, err = hashFile(p.Path); err != nil {
			return nil, fmt.Errorf("read a built package: %w", err)
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, errors.New("the build made no package; debian/control names none for this architecture")
	}
	for i := range list {
		place := filepath.Join(out, filepath.Base(list[i].Path))
		if err := os.Rename(list[i].Path, place); err != nil {
			return nil, fmt.Errorf("put a package into place: %w", err)
		}
		list[i].Path = place
	}
	return list, nil
}

func hashFile(name string) (sum string, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}
