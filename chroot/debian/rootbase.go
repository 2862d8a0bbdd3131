package debian

import (
	"context"
	"slices"
	"strings"

	"portolan/chroot"
)

// phonePackages make a Debian that boots, mounts an encrypted root, has a network
// and answers on SSH, and nothing that waits for a server, a cron job or a login
// manager. cryptsetup-bin and busybox-static are also what the initramfs takes.
var phonePackages = []string{"systemd-sysv", "udev", "openssh-server", "cryptsetup-bin", "busybox-static",
	"kmod", "iproute2", "netbase", "e2fsprogs"}

// phoneSources is the phone's sources.list. The public archive, since the host's
// mirror may not exist where the phone goes; http, since apt checks signatures
// itself and https would need certificates on the phone.
func phoneSources(suite string) string {
	m := Mirror{URI: strings.Replace(DefaultMirror, "https:", "http:", 1), Security: strings.Replace(DefaultSecurity, "https:", "http:", 1)}
	return strings.Join(m.Lines(suite), "\n")
}

// base is the phone's Debian before anything of one phone is in it.
func (b *Builder) base(ctx context.Context, arch string, more []string) (chroot.Layer, error) {
	packages := append(slices.Clone(phonePackages), more...)
	slices.Sort(packages)
	packages = slices.Compact(packages)
	sources := phoneSources(b.suite())
	id := recipe("phone-"+b.suite()+"-"+arch, append([]string{script("apt.sh", "root.sh", "dpkg.cfg"), sources}, packages...)...)
	return b.layer(ctx, id, "the phone's Debian", nil, func(tx *chroot.LayerTx, m Mirror) error {
		tools, err := b.tools(ctx)
		if err != nil {
			return err
		}
		c := b.Engine.Chroot("root", tools)
		c.Arch = arch
		c.Binds = []chroot.Bind{{Source: tx.Dir, Target: "/target"}}
		return b.apt(ctx, c, aptJob{script: "root.sh", args: packages, arch: arch, status: "/dev/null", mirror: m,
			env: []string{"PHONE_SOURCES=" + sources}, what: "install Debian " + b.suite() + " for " + arch})
	})
}
