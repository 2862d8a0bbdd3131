package debian

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"

	"portolan/chroot"
)

// toolsPackages are added to mmdebstrap's variant apt for the lowest layer.
// usr-is-merged spares usrmerge and with it all of perl; mount is what the root
// script works with.
var toolsPackages = []string{"usr-is-merged", "mount"}

// toolboxPackages make packages (dpkg-dev, debhelper), an initramfs (kmod, cpio)
// and images (e2fsprogs, cryptsetup-bin).
var toolboxPackages = []string{"dpkg-dev", "debhelper", "kmod", "cpio", "e2fsprogs", "cryptsetup-bin", "xz-utils", "fakeroot"}

// bootstrapArgv is the mmdebstrap command for the native system in dir. It runs
// as root of a user namespace; path-excludes come with a hook because mmdebstrap
// would otherwise filter every archive through a slow program of its own.
func bootstrapArgv(suite, arch, dir, scripts string, m Mirror) []string {
	argv := []string{"mmdebstrap", "--mode=root", "--variant=apt", "--format=directory",
		"--architectures=" + arch,
		"--keyring=" + Keyring,
		"--include=" + strings.Join(toolsPackages, ","),
		`--aptopt=Acquire::Languages "none"`,
		`--aptopt=APT::Install-Recommends "false"`,
		`--aptopt=Acquire::Retries "2"`,
		`--aptopt=Acquire::http::Timeout "20"`,
		`--aptopt=Acquire::https::Timeout "20"`,
		"--dpkgopt=force-unsafe-io",
		`--extract-hook=install -m 644 ` + scripts + `/dpkg.cfg "$1/etc/dpkg/dpkg.cfg.d/portolan"`,
		suite, dir}
	return append(argv, m.Lines(suite)...)
}

// tools is the lowest native layer: essential packages and apt, nothing to build with.
func (b *Builder) tools(ctx context.Context) (chroot.Layer, error) {
	arch := chroot.NativeArch()
	id := recipe("tools-"+b.suite()+"-"+arch, append(bootstrapArgv(b.suite(), arch, "", "", Mirror{}), script("dpkg.cfg"))...)
	return b.layer(ctx, id, "the Debian toolbox", nil, func(tx *chroot.LayerTx, m Mirror) error {
		if b.Engine.Offline() {
			return &OfflineError{What: "the Debian toolbox"}
		}
		if _, err := exec.LookPath("mmdebstrap"); err != nil {
			return &HostError{Lacks: "mmdebstrap", Package: "mmdebstrap"}
		}
		if _, err := os.Stat(Keyring); err != nil {
			return &HostError{Lacks: Keyring, Package: "debian-archive-keyring"}
		}
		dir, err := b.scriptsDir()
		if err != nil {
			return err
		}
		host := b.Engine.Host("bootstrap")
		host.Network = true
		// Fixed places, so that a work folder with any name will do.
		const target, hooks = "/run/portolan/root", "/run/portolan/scripts"
		host.Binds = []chroot.Bind{{Source: tx.Dir, Target: target}, {Source: dir, Target: hooks, ReadOnly: true}}
		return b.run(ctx, host, chroot.Cmd{Argv: bootstrapArgv(b.suite(), arch, target, hooks, m)}, m, "bootstrap Debian "+b.suite())
	})
}

// Toolbox returns the layers of a native Debian that builds packages and images,
// lowest first. It is made on the first call.
func (b *Builder) Toolbox(ctx context.Context) ([]chroot.Layer, error) {
	tools, err := b.tools(ctx)
	if err != nil {
		return nil, err
	}
	return b.install(ctx, "toolbox", "the packages of the Debian toolbox", []chroot.Layer{tools}, toolboxPackages)
}

// Buildroot returns the toolbox with deps installed natively, as build
// dependencies are named in debian/control. Equal sets share one layer.
func (b *Builder) Buildroot(ctx context.Context, deps []Dependency) ([]chroot.Layer, error) {
	toolbox, err := b.Toolbox(ctx)
	if err != nil {
		return nil, err
	}
	missing := beyondToolbox(deps)
	if len(missing) == 0 {
		return toolbox, nil
	}
	return b.install(ctx, "buildroot", "a buildroot with "+strings.Join(missing, ", "), toolbox, missing)
}

// beyondToolbox names what the toolbox does not have, sorted and once each.
func beyondToolbox(deps []Dependency) []string {
	var names []string
	for _, d := range deps {
		name := d.String()
		if name == "debhelper-compat" || slices.Contains(toolboxPackages, name) { // debhelper provides it
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// install is a layer on parents with packages installed natively.
func (b *Builder) install(ctx context.Context, name, what string, parents []chroot.Layer, packages []string) ([]chroot.Layer, error) {
	arch := chroot.NativeArch()
	parts := []string{script("apt.sh", "install.sh", "dpkg.cfg")}
	for _, p := range parents {
		parts = append(parts, p.ID)
	}
	id := recipe(name+"-"+b.suite()+"-"+arch, append(parts, packages...)...)
	l, err := b.layer(ctx, id, what, parents, func(tx *chroot.LayerTx, m Mirror) error {
		return b.apt(ctx, tx.Chroot, aptJob{script: "install.sh", args: packages, arch: arch, mirror: m, what: "install " + strings.Join(packages, " ")})
	})
	if err != nil {
		return nil, err
	}
	return append(parents[:len(parents):len(parents)], l), nil
}
